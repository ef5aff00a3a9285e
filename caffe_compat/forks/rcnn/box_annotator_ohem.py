"""BoxAnnotatorOHEM: online hard example mining as R-FCN does it."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank
from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape


@layer("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(Layer):
    """top0 = labels (bottom2), top1 = box loss weights (bottom3) of each record's roi_per_img regions of greatest loss

    Fork: daijifeng001/caffe-rfcn (R-FCN), src/caffe/layers/box_annotator_ohem_layer.cu
    Bottom 0 holds the regions (N, 5, ...) whose first number is the record, bottom 1 the loss of each. The labels
    of the other regions are ignore_label, their weights 0. Of equal losses the first ones are taken (the fork
    leaves that open). Nothing gets a gradient.
    """

    num_bottom = 4
    num_top = 2
    in_place = False
    fork_fields = ("box_annotator_ohem_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.box_annotator_ohem_param
        self.count, self.ignore = p.roi_per_img, p.ignore_label
        if not self.count:
            self.fail("box_annotator_ohem_param.roi_per_img must be set and above 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        shapes = [legacy_shape(self, shape) for shape in bottom]
        number, channels, *size = shapes[0]
        if channels != 5:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {channels} numbers a region and must have 5: "
                "record, left, top, right, bottom"
            )
        for i, wanted in ((1, 1), (2, 1), (3, shapes[3][1])):
            if shapes[i] != (number, wanted, *size):
                self.fail(
                    f"bottom {i} of shape {bottom[i]} must be {(number, wanted, *size)} for the regions of shape "
                    f"{bottom[0]} in bottom 0"
                )
        return [shapes[2], shapes[3]]

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        regions, loss, label, weight = (b.detach().reshape(legacy_shape(self, b.shape)) for b in bottom)
        record = regions[:, 0].reshape(-1).long()
        kept = rank(loss.reshape(-1), record) < self.count
        kept = kept.view(label.shape)
        return torch.where(kept, label, self.ignore), torch.where(kept, weight, 0)
