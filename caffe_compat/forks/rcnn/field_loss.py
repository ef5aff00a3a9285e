"""What the losses and accuracies of fields share: fields around the positions of feature maps.

Scores and offsets of a field stand at its position; truth is the map that ImageGtData and DetectionData make: class,
x and y of the centre, width and height of the box, overlap. Offsets are those of bbox_reg.py, to be learned from the
field: the move of the centre over the field's size, and the logarithm of the box's size (at least 2) over the field's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.bbox_reg import Regression
from caffe_compat.forks.rcnn.smooth_l1_loss import smooth_l1
from caffe_compat.layers.base import Layer, Shape, constant
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import Floor, Loss
from caffe_compat.layers.softmax_loss import FLT_MIN
from caffe_compat.proto import DetectionGroupAccuracyParameter, DetectionGroupLossParameter

_SMALLEST = 2.0  # pixels of a box's side, in logarithms
Sizes = Sequence[tuple[float, float]]


class _Bounded(torch.autograd.Function):
    """x kept between two limits, whose gradient is passed on as if it had not been."""

    @staticmethod
    def forward(ctx, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x, low), high)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad, None, None


class FieldLoss(Labelled, Regression, Loss):
    """The two losses of fields: -log of the class's probability, and of the offsets of those that are no background."""

    smooth: bool
    objectness: bool
    stride: float
    weight: float  # of the second loss
    bounds: tuple[list[float], list[float]] | None  # least and greatest offsets, as they are learned

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None

    def take_bounds(self, field_whr: float, field_xyr: float) -> None:
        """Limit offsets to 1 / field_xyr of the field and to field_whr times its size."""
        if field_whr <= 0 or field_xyr <= 0:
            self.fail(f"field_whr is {field_whr:g} and field_xyr is {field_xyr:g}; both must be above 0")
        limits, mean, std = (1 / field_xyr, math.log(field_whr)), self.mean, self.std
        means = (mean[0] + mean[1]) / 2, (mean[2] + mean[3]) / 2
        stds = math.sqrt(std[0] * std[1]), math.sqrt(std[2] * std[3])
        ends = [
            [(sign * limits[i // 2] - means[i // 2]) / stds[i // 2] for i in range(4)] for sign in (-1, 1)
        ]
        self.bounds = ends[0], ends[1]

    def losses(
        self, scores: Tensor, offsets: Tensor, truth: Tensor, kept: Tensor, weight: Tensor, sizes: Tensor
    ) -> Tensor:
        """The top, of maps (N, C, H, W), (N, 4, H, W), (N, 6, H, W), kept and weight (N, H, W) and sizes (1 or N, 2)."""
        label = truth[:, 0].long()
        index, counted, nan = self.read_labels(self.class_of(label), self.ignore)
        if counted is not None:
            kept = kept & counted.view(kept.shape)
        log = scores.flatten(2).log_softmax(1).gather(1, index).view(kept.shape)
        terms = -Floor.apply(log, math.log(FLT_MIN)) * weight
        loss = terms.where(kept, 0).sum() / kept.sum().clamp(min=1)
        wanted = self.encoded(truth[:, 1:5], sizes)
        if self.bounds is not None:
            low, high = (constant(end, offsets).view(4, 1, 1) for end in self.bounds)
            offsets = _Bounded.apply(offsets, low, high)
        difference = offsets - wanted
        errors = smooth_l1(difference) if self.smooth else difference.square() / 2
        learning = (kept & (label != 0))[:, None]
        boxes = self.weight * errors.where(learning, 0).sum() / (4 * learning.sum()).clamp(min=1)
        loss = loss + boxes
        return torch.stack((loss if nan is None else loss + nan, boxes.detach())).view(1, 1, 1, 2)

    def class_of(self, label: Tensor) -> Tensor:
        """The class that a box's class is scored as."""
        return label.clamp(max=1) if self.objectness else label

    def encoded(self, boxes: Tensor, sizes: Tensor) -> Tensor:
        """The offsets (N, 4, H, W) of boxes (N, 4, H, W) from fields of these sizes (1 or N, 2)."""
        height, width = boxes.shape[2:]
        y = (torch.arange(height, dtype=boxes.dtype, device=boxes.device) + 0.5) * self.stride
        x = (torch.arange(width, dtype=boxes.dtype, device=boxes.device) + 0.5) * self.stride
        position = torch.stack(torch.broadcast_tensors(x, y[:, None]))
        sizes = sizes[:, :, None, None]
        offsets = torch.cat(
            ((boxes[:, :2] - position) / sizes, (boxes[:, 2:].clamp(min=_SMALLEST) / sizes).log()), 1
        )
        mean, std = (constant(values, boxes).view(4, 1, 1) for values in (self.mean, self.std))
        return (offsets - mean) / std

    def balanced(self, weight: Tensor, positive: Tensor, negative: Tensor, multiple: float) -> Tensor:
        """The weights so changed that positive ones make 1 / (1 + multiple) of all, and the kept negative the rest."""
        count = (positive.sum() + negative.sum()).to(weight)
        for which, share in ((positive, 1 / (1 + multiple)), (negative, multiple / (1 + multiple))):
            total = weight.where(which, 0).sum()
            scaled = weight * (share * count / total.where(total != 0, 1))
            weight = torch.where(which & (total != 0), scaled, weight)
        return weight


def places(scores: Tensor, eligible: Tensor) -> Tensor:
    """The place of each score in its row, the greatest first, those that are not eligible last; of equal ones the first."""
    order = scores.masked_fill(~eligible, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    return order.argsort(-1)


def check_fields(
    layer: Layer, classes: int, coordinates: int, sizes: Sizes, stride: int, objectness: bool
) -> None:
    """Fail for numbers of fields that nothing can be learned with."""
    if classes < 2 or (objectness and classes != 2):
        layer.fail(f"cls_num is {classes} and must be {'2, with objectness' if objectness else 'at least 2'}")
    if coordinates != 4:
        layer.fail(f"coord_num is {coordinates}; only 4, of a box, is known")
    if not stride or not all(width and height for width, height in sizes):
        layer.fail(f"its fields are {list(sizes)} (width, height), {stride} apart; all must be above 0")


def check_maps(layer: Layer, bottom: Sequence[Shape], channels: Sequence[int]) -> None:
    """Fail unless the bottoms are maps of one size with these channels."""
    for shape in bottom:
        layer.check_pictures(shape)
    number, _, *size = bottom[0]
    for i, (shape, wanted) in enumerate(zip(bottom, channels, strict=True)):
        if shape != (number, wanted, *size):
            layer.fail(
                f"bottom {i} of shape {shape} must be {(number, wanted, *size)}, by bottom 0 of shape {bottom[0]}"
            )


def group_sizes(layer: Layer, p: DetectionGroupLossParameter | DetectionGroupAccuracyParameter) -> Sizes:
    """The (width, height) of each kind of field."""
    if not p.field_w or len(p.field_w) != len(p.field_h):
        layer.fail(f"has {len(p.field_w)} field_w and {len(p.field_h)} field_h; give as many of both")
    return list(zip(p.field_w, p.field_h, strict=True))


def check_groups(layer: Layer, shape: Shape, sizes: Sizes) -> None:
    if shape[0] % len(sizes):
        layer.fail(
            f"bottom 0 of shape {shape} has {shape[0]} rows, which is no multiple of its {len(sizes)} kinds of fields"
        )
