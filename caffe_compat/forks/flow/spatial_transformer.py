"""SpatialTransformer, and the layers that come with it: PowerFile and LocLoss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.errors import DataError
from caffe_compat.forks.common.sampling import between, between_in_onnx
from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import Loss
from caffe_compat.layers.common.onnx_values import Value, values


@layer("SpatialTransformer")
class SpatialTransformer(Layer):
    """top[n, c, s, t] = bottom0[n, c] between its positions, at theta_n (2 s / H' - 1, 2 t / W' - 1, 1); 0 outside

    Fork: daerduoCarey/SpatialTransformerLayer, src/caffe/layers/st_layer.cu
    Bottom 1 is theta, six numbers a record: a row of three for what is down, one for what is right; both from -1, the
    first position, to 1, one after the last. The numbers that st_param has (theta_1_1 to theta_2_3) are not in bottom 1.
    H' x W' is output_H x output_W, or bottom 0's size. to_compute_dU: false gives bottom 0 no gradient.
    """

    num_bottom, num_top = 2, 1
    in_place = False
    fork_fields = ("st_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.st_param
        if p.transform_type != "affine" or p.sampler_type != "bilinear":
            self.fail(
                f"st_param has transform_type '{p.transform_type}' and sampler_type '{p.sampler_type}'; only 'affine' "
                "and 'bilinear' are known"
            )
        names = [f"theta_{row}_{column}" for row in (1, 2) for column in (1, 2, 3)]
        self.fixed = [getattr(p, name) if p.HasField(name) else None for name in names]
        self.given = (p.output_H or None, p.output_W or None)
        self.learns = p.to_compute_dU

    def reshape(self, *bottom: Shape) -> list[Shape]:
        pictures, theta = bottom
        self.check_pictures(pictures)
        wanted = (pictures[0], self.fixed.count(None))
        if (theta[0], math.prod(theta[1:])) != wanted:
            self.fail(
                f"bottom 1 (theta) of shape {theta} must be {wanted}: {wanted[1]} numbers a record of bottom 0, six less "
                "those that st_param has"
            )
        self.size = (self.given[0] or pictures[2], self.given[1] or pictures[3])
        return [(*pictures[:2], *self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, pictures: Tensor, theta: Tensor) -> Tensor:
        num, _, height, width = pictures.shape
        pictures = pictures if self.learns else pictures.detach()
        learned = iter(theta.reshape(num, -1).unbind(1))
        full = [next(learned) if value is None else theta.new_full((num,), value) for value in self.fixed]
        rows, columns = (
            torch.arange(size, device=theta.device, dtype=theta.dtype) / size * 2 - 1 for size in self.size
        )
        down, right = rows[:, None], columns

        def place(row: list[Tensor], size: int) -> Tensor:
            a, b, c = (value[:, None, None] for value in row)
            return (a * down + b * right + c + 1) / 2 * size

        y, x = place(full[:3], height), place(full[3:], width)
        return between(pictures, y.flatten(1), x.flatten(1), outside=True).unflatten(2, self.size)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        pictures, theta = values(graph, bottoms)
        theta = theta.reshape(theta.size(0), -1)
        column = iter(range(self.fixed.count(None)))
        full = [
            theta.part(1, i := next(column), i + 1).unsqueeze(2) if value is None else theta.of([[[value]]])
            for value in self.fixed
        ]
        sizes = [given or pictures.size(axis) for given, axis in zip(self.given, (2, 3), strict=True)]
        down, right = (theta.range(size, ONNX_FLOAT) / theta.number(size) * 2.0 - 1.0 for size in sizes)

        def place(row: list[Value], axis: int) -> Value:
            a, b, c = row
            at = (a * down.unsqueeze(1) + b * right + c + 1.0) / 2.0 * theta.number(pictures.size(axis))
            return at.expand(theta.size(0), 1, 1).reshape(0, -1)

        y, x = place(full[:3], 2), place(full[3:], 3)
        top = between_in_onnx(pictures, y, x, outside=True)
        top.reshape(0, 0, *sizes).write(tops[0])


@layer("PowerFile")
class PowerFile(Layer):
    """top = bottom plus the numbers of shift_file, one a value of an item; 0 where the file has no more

    Fork: daerduoCarey/SpatialTransformerLayer, src/caffe/layers/power_file_layer.cu
    """

    num_bottom = num_top = 1
    fork_fields = ("power_file_param",)
    shift: Tensor

    def setup(self, bottom: Shape) -> None:
        p = self.param.power_file_param
        self.count = math.prod(bottom[1:])
        numbers: list[float] = []
        if p.HasField("shift_file") and self.context.device != "meta":
            path = self.context.path(p.shift_file)
            try:
                with open(path, encoding="utf-8") as file:
                    numbers = [float(word) for word in file.read().split()[: self.count]]
            except (OSError, ValueError) as error:
                raise DataError(
                    f"layer '{self.name}' (PowerFile): shift_file '{path}' cannot be read: {error}; give a text file of "
                    "numbers"
                ) from error
        numbers += [0.0] * (self.count - len(numbers))
        self.register_buffer("shift", torch.tensor(numbers, dtype=self.context.dtype), persistent=False)

    def reshape(self, bottom: Shape) -> list[Shape]:
        if math.prod(bottom[1:]) != self.count:
            self.fail(
                f"bottom shape {bottom} has {math.prod(bottom[1:])} values an item; it had {self.count}"
            )
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom + self.shift.reshape(1, *bottom.shape[1:])

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        shape = (1, *graph.shape(bottoms[0])[1:])
        graph.node("Add", [bottoms[0], graph.constant(self.shift.cpu().reshape(shape).float().numpy())], tops)


@layer("LocLoss")
class LocLoss(Loss):
    """top = sum max(0, |x| - threshold)^2 / (2 n), n the number of values

    Fork: daerduoCarey/SpatialTransformerLayer, src/caffe/layers/loc_loss_layer.cu
    """

    num_bottom = 1
    fork_fields = ("loc_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        self.threshold = self.param.loc_loss_param.threshold
        if not self.threshold > 0:
            self.fail(f"loc_loss_param.threshold is {self.threshold:g}; it must be above 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [()]

    def forward(self, bottom: Tensor) -> Tensor:
        return (bottom.abs() - self.threshold).clamp(min=0).square().sum() / (2 * bottom.numel())
