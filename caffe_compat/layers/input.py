"""Input: blobs that the caller fills."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe_compat.data.feed import sent
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import DataLayer
from caffe_compat.proto import LayerParameter


@layer("Input")
class Input(DataLayer):
    """tops = what was last written into them, zeros at first

    Caffe: src/caffe/layers/input_layer.cpp
    Tops: any number, in the shapes of input_param (one for all, one a top, or none, which leaves them empty).
    `tops` holds the tensors: write into them, or put others of any shape in their place.
    """

    num_top = (1, None)
    filled_by_caller = True
    is_input = True

    def setup(self, *bottom: Shape) -> None:
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        count = len(self.param.top)
        if len(shapes) not in (0, 1, count):
            self.fail(f"{len(shapes)} shapes for {count} tops; give none, one for all tops, or one a top")
        shapes = shapes * count if len(shapes) == 1 else shapes or [(0,)] * count
        for name, shape in zip(self.param.top, shapes, strict=True):
            self.check_shape(shape, f"top '{name}'")
        self.tops = [torch.zeros(shape, dtype=self.context.dtype) for shape in shapes]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [tuple(top.shape) for top in self.tops]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        self.tops = [sent(top, device) for top in self.tops]
        return tuple(self.tops)

    @classmethod
    def makes_the_same(cls, param: LayerParameter) -> bool:
        return True

    def get_state(self) -> dict[str, Any]:
        """Nothing: what is in the tops is the caller's."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
