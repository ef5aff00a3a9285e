"""DataAugmentation: pictures cropped, and less the mean that the layer learns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, constant, layer, nothing_multiplied
from caffe_compat.layers.common.onnx_values import blob, known_sizes, values

_DRAWN = (  # fields of augmentation_param that draw something for each picture
    "mirror", "rotate", "zoom", "translate", "squeeze", "translate_x", "translate_y", "gamma", "brightness", "contrast",
    "color", "lmult_pow", "lmult_mult", "lmult_add", "sat_pow", "sat_mult", "sat_add", "col_pow", "col_mult", "col_add",
    "ladd_pow", "ladd_mult", "ladd_add", "col_rotate", "fog_amount", "fog_size", "motion_blur_angle", "motion_blur_size",
    "shadow_angle", "shadow_distance", "shadow_strength", "noise",
)  # fmt: skip


@layer("DataAugmentation")
class DataAugmentation(Layer):
    """top = the middle of bottom, crop_height x crop_width, minus a mean; a middle between two positions is their mean

    Fork: lmb-freiburg/flownet2, src/caffe/layers/data_augmentation_layer.cu
    Blobs: 0 how many batches it has seen (1, 1, 1, 1); with recompute_mean 1 mean picture (1, C, H, W) and 2 mean
    channels (1, C, 1, 1). No gradients.
    The mean is that of the first recompute_mean batches, of each position or (mean_per_pixel: false) each channel; or
    three numbers `mean`. What draws pictures at random is refused where it acts: in TRAIN, or with augment_during_test.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("augmentation_param", "coeff_schedule_param")
    multiply_adds = nothing_multiplied

    def setup(self, *bottom: Shape) -> None:
        p = self.param.augmentation_param
        self.check_pictures(bottom[0])
        cropped = p.HasField("crop_width") and p.HasField("crop_height")
        self.crop = (p.crop_height, p.crop_width) if cropped else None
        drawn = [name for name in _DRAWN if p.HasField(name)]
        if cropped and drawn and (self.phase == TRAIN or p.augment_during_test):
            self.fail(
                f"augmentation_param.{drawn[0]} draws pictures at random, which is not known here; augment the data "
                "before, and leave crop_width, crop_height and the mean"
            )
        self.batches, self.by_position = p.recompute_mean, p.mean_per_pixel
        self.mean = list(p.mean) if len(p.mean) == 3 and not p.mean_per_pixel and not p.recompute_mean else []
        channels = bottom[0][1]
        if self.mean and channels != 3:
            self.fail(
                f"augmentation_param.mean has 3 numbers and bottom shape {bottom[0]} {channels} channels"
            )
        self.add_blob((1, 1, 1, 1), learned=False)
        if self.batches:
            self.add_blob((1, channels, *(self.crop or bottom[0][2:])), learned=False)
            self.add_blob((1, channels, 1, 1), learned=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        size = self.crop or bottom[0][2:]
        if size[0] > bottom[0][2] or size[1] > bottom[0][3]:
            self.fail(
                f"crop_height x crop_width is {size[0]} x {size[1]}, more than bottom shape {bottom[0]}; crop less"
            )
        return [(*bottom[0][:2], *size)]

    def forward(self, bottom: Tensor) -> Tensor:
        top = bottom.detach()
        for axis in (2, 3) if self.crop else ():
            top = self._middle(top, axis)
        with torch.no_grad():
            self.blobs[0].add_(1)
        if self.batches:
            self._learn(top)
            top = top - (self.blobs[1] if self.by_position else self.blobs[2])
        if self.mean:
            top = top - constant(self.mean, top).reshape(1, 3, 1, 1)
        return self.without_gradient(top, bottom)

    def _middle(self, x: Tensor, axis: int) -> Tensor:
        size = (self.crop or x.shape[2:])[axis - 2]
        start, odd = divmod(x.shape[axis] - size, 2)
        middle = x.narrow(axis, start, size)
        return (middle + x.narrow(axis, start + 1, size)) / 2 if odd else middle

    def _learn(self, top: Tensor) -> None:
        """Take the batch into the mean, unless enough were seen."""
        with torch.no_grad():
            seen = self.blobs[0].reshape(())
            mean = (self.blobs[1] * (seen - 1) + top.mean(0, keepdim=True)) / seen
            more = seen <= self.batches
            self.blobs[1].copy_(mean.where(more, self.blobs[1]))
            self.blobs[2].copy_(mean.mean((2, 3), keepdim=True).where(more, self.blobs[2]))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.batches and self.blobs[0].item() < self.batches:
            self.fail(
                f"cannot be exported: it has seen {int(self.blobs[0].item())} batches of recompute_mean {self.batches} and "
                "learns its mean from the next; give weights that were trained with it"
            )
        (top,) = values(graph, bottoms)
        if self.crop:
            sizes = known_sizes(self, graph, bottoms[0])
            for axis, before, size in zip((2, 3), sizes, self.crop, strict=True):
                start, odd = divmod(before - size, 2)
                middle = top.part(axis, start, start + size)
                top = (middle + top.part(axis, start + 1, start + 1 + size)) / 2.0 if odd else middle
        if self.batches:
            top = top - blob(graph, self, 1 if self.by_position else 2)
        if self.mean:
            top = top - np.reshape(self.mean, (1, 3, 1, 1))
        top.write(tops[0])
