"""Embed: a learned vector for each of `input_dim` integers."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import ONNX_INT64, OnnxGraph, Shape, layer, nothing_multiplied
from caffe_compat.layers.common.indices import Indexed, poisoned
from caffe_compat.layers.facts import WeightMessage
from caffe_compat.proto import LayerParameter


@layer("Embed")
class Embed(Indexed):
    """top = blobs[0][int(bottom)] + blobs[1], one axis of num_output more than the bottom has

    Caffe: src/caffe/layers/embed_layer.cpp
    Blobs: 0 weight (input_dim, num_output); 1 bias (num_output,), with `bias_term`.
    A number that is no row is an error at once on the CPU; elsewhere the top is NaN and `verify` tells.
    """

    drawn_as = "product"
    num_bottom = num_top = 1
    multiply_adds = nothing_multiplied

    @classmethod
    def weight_message(cls, param: LayerParameter) -> WeightMessage:
        return param.embed_param

    def allow_force_backward(self, index: int) -> bool:
        return False

    def setup(self, *bottom: Shape) -> None:
        p = self.param.embed_param
        self.rows, self.bias_term = p.input_dim, p.bias_term
        for name in ("num_output", "input_dim"):
            if getattr(p, name) < 1:
                self.fail(f"embed_param.{name} is {getattr(p, name)} and must be at least 1")
        self.add_blob((p.input_dim, p.num_output), p.weight_filler)
        if p.bias_term:
            self.add_blob((p.num_output,), p.bias_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(*bottom[0], self.param.embed_param.num_output)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        if bottom.requires_grad:
            self.fail(
                "cannot backpropagate to its input, which is numbers of rows; set `propagate_down: false`"
            )
        index = bottom.long()
        any_bad = self.any_bad((index < 0) | (index >= self.rows), index)
        if any_bad is not None:
            index = index.clamp(0, self.rows - 1)
        top = F.embedding(index, self.blobs[0])
        top = top + self.blobs[1] if self.bias_term else top
        return top if any_bad is None else poisoned(top, any_bad)

    def refuse(self, position: float) -> NoReturn:
        self.fail(
            f"input {int(position)} is outside 0 to {self.rows - 1}; "
            f"correct the data or raise embed_param.input_dim from {self.rows}"
        )

    def example(self, index: int, shape: Shape, random: np.random.Generator) -> np.ndarray | None:
        return random.integers(0, self.rows, shape)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        index = graph.node("Cast", bottoms, to=ONNX_INT64)
        top = graph.node("Gather", [graph.blob(self, 0), index], None if self.bias_term else tops, axis=0)
        if self.bias_term:
            graph.node("Add", [top, graph.blob(self, 1)], tops)
