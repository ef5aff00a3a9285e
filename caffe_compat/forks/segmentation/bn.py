"""BN: batch normalisation with a scale and a shift of its own, in the two forms that forks have under this name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TEST, Layer, OnnxGraph, Shape, as_tops, layer, one_a_value
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import BNParameter

SEGNET_EPS = 1e-9


@layer("BN")
class BN(Layer):
    """top0 = scale (bottom - mean) / sqrt(variance + eps) + shift, per channel (axis 1)

    Fork: yjxiong/caffe, hszhao/PSPNet; alexgkendall/caffe-segnet
    Blobs: 0 scale; 1 shift; without bn_mode 2 mean and 3 variance. SegNet's are (1, C, 1, 1), the others (1, C).
    SegNet's form (bn_mode, scale_filler or shift_filler is set): LEARN takes the batch's statistics in TRAIN and
    TEST, eps is 1e-9, tops 1 and 2 are the mean and the variance; INFERENCE is scale bottom + shift.
    The other form: in training blob = momentum blob + (1 - momentum) batch's for mean and variance, which TEST and
    `frozen` take; frozen also stops learning of scale and shift. The variance divides by m values, and by m - 1
    when it is averaged by `engine: CUDNN`. A filler that is not given fills with 0, the scale too.
    yangguorun/SegStereo (decay, var_eps, moving_average or frozen beside SegNet's fillers) has that other form with
    blobs of (1, C, 1, 1), momentum 1 - decay and eps var_eps. ILGnet's moving_average, too, says nothing more.
    """

    drawn_as = "follower"
    num_bottom = 1
    num_top = (1, 3)
    fork_fields = ("bn_param", *(f"bn_param.{name}" for name in ("moving_average", "decay", "var_eps")))
    multiply_adds = one_a_value

    def setup(self, bottom: Shape) -> None:
        p = self.param.bn_param
        given = {field.name for field, _ in p.ListFields()}
        fillers = {"scale_filler", "shift_filler"}
        stereo = bool(
            given & {"decay", "var_eps"} or given & fillers and given & {"frozen", "moving_average"}
        )
        segnet = not stereo and bool(given & {"bn_mode", *fillers})
        form = {"decay", "var_eps", "frozen", "moving_average"} if stereo else {"bn_mode"}
        if (segnet or stereo) and (other := given - form - fillers):
            self.fail(
                f"bn_param has {', '.join(sorted(given - other))} of {'SegStereo' if stereo else 'SegNet'}'s BN and "
                f"{', '.join(sorted(other))} of another fork's; keep the fields of one form"
            )
        self.segnet, self.tops = segnet, len(self.param.top)
        self.channels = self.shape_of(bottom)[1]
        if self.segnet:
            self.eps, self.affine_only = SEGNET_EPS, p.bn_mode == BNParameter.INFERENCE
            self.stored = False
            self.add_blob((1, self.channels, 1, 1), p.scale_filler)
            self.add_blob((1, self.channels, 1, 1), p.shift_filler)
            return
        if self.tops > 1:
            self.fail(
                f"has {self.tops} tops, and only SegNet's form (set bn_mode) gives mean and variance; "
                "keep one top"
            )
        self.eps, self.momentum = (p.var_eps, 1 - p.decay) if stereo else (p.eps, p.momentum)
        self.affine_only = False
        self.stored, self.unbiased = p.frozen or self.phase == TEST, p.engine == BNParameter.CUDNN
        shape = (1, self.channels, 1, 1) if stereo else (1, self.channels)
        self.add_blob(shape, p.scale_filler if stereo else p.slope_filler, learned=not p.frozen)
        self.add_blob(shape, p.shift_filler if stereo else p.bias_filler, learned=not p.frozen)
        self.add_blob(shape, learned=False)
        variance = self.add_blob(shape, learned=False)
        if p.frozen:
            variance.data.fill_(1)
        while len(self.param.param) < 4:  # as the fork does, so the saved net says it too
            self.param.param.add()
        for spec in list(self.param.param)[0 if p.frozen else 2 : 4]:
            spec.lr_mult = spec.decay_mult = 0

    def shape_of(self, bottom: Shape) -> Shape:
        """The bottom's shape of four axes; of more for volumes, which SegNet's form does not know."""
        return bottom if len(bottom) > 4 and not self.segnet else legacy_shape(self, bottom)

    def reshape(self, bottom: Shape) -> list[Shape]:
        shape = self.shape_of(bottom)
        if shape[1] != self.channels:
            self.fail(
                f"bottom shape {tuple(bottom)} has {shape[1]} channels, but the blobs were made for "
                f"{self.channels}; resize the input or rename the layer to relearn it"
            )
        if not self.segnet:
            return [bottom]
        return [shape, *[(1, self.channels, 1, 1)] * (self.tops - 1)]

    def per_record(self) -> bool:
        return self.stored or self.affine_only

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = bottom.reshape(bottom.shape[0], self.channels, -1)
        scale, shift = (self.blobs[i].flatten() for i in (0, 1))
        if self.stored:
            mean, variance = (self.blobs[i].flatten() for i in (2, 3))
            return F.batch_norm(x, mean, variance, scale, shift, eps=self.eps).view(bottom.shape)
        mean, variance = torch.zeros_like(scale), torch.zeros_like(scale)
        count = x.shape[0] * x.shape[2]
        if self.affine_only:
            top = torch.addcmul(shift[:, None], x, scale[:, None])
        elif count == 1:  # torch refuses one value a channel; its variance is 0
            mean = x.detach().flatten()
            top = (x - x) * scale[:, None] + shift[:, None]
        else:
            # Zeroed and with momentum 1 these hold this batch's mean and m / (m - 1) variance afterwards.
            top = F.batch_norm(x, mean, variance, scale, shift, training=True, momentum=1.0, eps=self.eps)
        biased = variance * ((count - 1) / count)
        if not self.segnet:
            self._average(mean, variance if self.unbiased else biased)
            return top.view(bottom.shape)
        top = top.view(legacy_shape(self, tuple(bottom.shape)))
        return as_tops((top, mean.view(1, -1, 1, 1), biased.view(1, -1, 1, 1))[: self.tops])

    def _average(self, *statistics: Tensor) -> None:
        with torch.no_grad():
            for blob, value in zip(self.blobs[2:4], statistics, strict=True):
                blob.mul_(self.momentum).add_(value.view(blob.shape), alpha=1 - self.momentum)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if not (self.stored or self.affine_only):
            self.fail(
                "takes the statistics of each batch, which no ONNX operator for inference does; export a net whose "
                "BN layers say bn_mode: INFERENCE"
            )
        shape = graph.shape(bottoms[0])
        if self.stored:
            blobs = [graph.blob(self, i, (self.channels,)) for i in range(4)]
            graph.node("BatchNormalization", [bottoms[0], *blobs], tops, epsilon=self.eps)
            return
        scale, shift = (graph.blob(self, i, (self.channels, *[1] * (len(shape) - 2))) for i in (0, 1))
        graph.node("Add", [graph.node("Mul", [bottoms[0], scale]), shift], tops[:1])
