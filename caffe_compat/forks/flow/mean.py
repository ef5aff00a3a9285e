"""Mean: a mean added to pictures or subtracted from them."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, as_tops, layer
from caffe_compat.layers.common.onnx_values import values
from caffe_compat.proto import MeanParameter
from caffe_compat.proto.binary import read_binaryproto


@layer("Mean")
class Mean(Layer):
    """tops = output_scale (input_scale bottoms + mean_scale mean), or minus mean (SUBTRACT); no gradient

    Fork: lmb-freiburg/flownet2, src/caffe/layers/mean_layer.cpp
    The mean is value[c % their number] for channel c, or a picture from a binaryproto file, again and again.
    """

    num_bottom = num_top = (1, None)
    equal_num_bottom_top = True
    fork_fields = ("mean_param",)
    mean: Tensor

    def setup(self, *bottom: Shape) -> None:
        p = self.param.mean_param
        self.scales = p.input_scale, p.output_scale
        if not p.HasField("file") and not p.value:
            self.fail("mean_param has neither file nor value; give one of them")
        if p.HasField("file") and self.context.device != "meta":
            mean = torch.from_numpy(read_binaryproto(self.context.path(p.file)).astype("float64"))
            mean = mean.reshape(1, *mean.shape[-3:])
        elif p.HasField("file"):
            mean = torch.zeros((), device="meta").expand(1, *bottom[0][1:])
        else:
            mean = torch.tensor(p.value, dtype=torch.float64).reshape(1, -1, 1, 1)
        sign = -1 if p.operation == MeanParameter.SUBTRACT else 1
        self.register_buffer("mean", (sign * p.mean_scale * mean).to(self.context.dtype), persistent=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        mean = tuple(self.mean.shape)
        for shape in bottom:
            self.check_pictures(shape)
            if shape[1] % mean[1] or (mean[2:] != (1, 1) and mean[2:] != shape[2:]):
                self.fail(
                    f"bottom shape {shape} does not fit the mean, {mean[1]} channels of {mean[2]} x {mean[3]}; correct "
                    "mean_param"
                )
        return list(bottom)

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        before, after = self.scales
        tops = []
        for x in bottom:
            mean = self.mean.repeat(1, x.shape[1] // self.mean.shape[1], 1, 1)
            tops.append(self.without_gradient(after * (before * x.detach() + mean), x))
        return as_tops(tops)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        before, after = self.scales
        for x, top in zip(values(graph, bottoms), tops, strict=True):
            channels = int(x.dims[1])
            mean = self.mean.repeat(1, channels // self.mean.shape[1], 1, 1).cpu().numpy()
            ((x * before + mean) * after).write(top)
