"""DummyData: blobs made by fillers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe_compat.data.feed import sent
from caffe_compat.fillers import fill
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import DataLayer
from caffe_compat.proto import FillerParameter, LayerParameter

_SIDES = ("num", "channels", "height", "width")


@layer("DummyData")
class DummyData(DataLayer):
    """tops = filler values; constant ones are made once, others anew for every batch

    Caffe: src/caffe/layers/dummy_data_layer.cpp
    Tops: any number. Shapes and fillers are given once for all tops or once a top; no filler means zeros.
    """

    num_top = (1, None)

    def open(self) -> None:
        p, count = self.param.dummy_data_param, len(self.param.top)
        fillers = list(p.data_filler) or [FillerParameter()]
        if len(fillers) not in (1, count):
            self.fail(
                f"{len(fillers)} data_filler for {count} tops; give none, one for all tops, or one a top"
            )
        self.fillers = fillers * count if len(fillers) == 1 else fillers
        if any(getattr(p, side) for side in _SIDES):
            if p.shape:
                self.fail("both shape and the old num, channels, height, width are given; keep shape")
            sides = [self._once_a_top(side, list(getattr(p, side))) for side in _SIDES]
            self.shapes: list[Shape] = list(zip(*sides, strict=True))
        else:
            self.shapes = self._once_a_top("shape", [tuple(shape.dim) for shape in p.shape])
        self._constants: dict[int, Tensor] = {}
        self.kept_tops = [i for i in range(count) if self.is_constant(i)]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return self.shapes

    @classmethod
    def makes_the_same(cls, param: LayerParameter) -> bool:
        return all(filler.type == "constant" for filler in param.dummy_data_param.data_filler)

    def constant_top(self, index: int) -> float | None:
        return self.fillers[index].value if self.is_constant(index) else None

    def random_reason(self) -> str:
        constant = all(map(self.is_constant, range(len(self.fillers))))
        return "" if constant else "is filled at random"

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        return tuple(self.top(index, device) for index in range(len(self.shapes)))

    def is_constant(self, index: int) -> bool:
        """Whether a top is filled once, so that what is written into its blob stays there."""
        return bool(self.fillers[index].type == "constant")

    def top_memory(self, index: int, device: torch.device) -> Tensor:
        return self.top(index, device)

    def top(self, index: int, device: torch.device) -> Tensor:
        """One top of a batch."""
        if index in self._constants:
            self._constants[index] = sent(self._constants[index], device)
            return self._constants[index]
        tops = [torch.empty(self.shapes[index], dtype=self.context.dtype) for _ in range(self.replicas)]
        for top in tops:
            fill(top, self.fillers[index], self.generator, self.fail)
        tops = [tops[replica] for replica in self.held]
        top = torch.stack(tops, 1).flatten(0, 1) if len(tops) > 1 else tops[0]
        top = sent(top, device)
        if self.is_constant(index):
            self._constants[index] = top
        return top

    def _once_a_top(self, field: str, given: list[Any]) -> list[Any]:
        count = len(self.param.top)
        if len(given) not in (1, count):
            self.fail(f"{len(given)} {field} for {count} tops; give one for all tops or one a top")
        return given * count if len(given) == 1 else given
