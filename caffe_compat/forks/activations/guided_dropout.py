"""GuidedDropout: channels dropped by what another blob says of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import TEST, Layer, Shape, layer


@layer("GuidedDropout")
class GuidedDropout(Layer):
    """top = bottom0[n, c] C / s_n where channel c of item n is kept, else 0

    Fork: minhpvo/Caffe
    Bottom 1 (N, C) is the guidance. deterministic: kept above guidance_threshold, s_n = how many of the C are kept (C if
    none is), in TRAIN and TEST. stochastic: kept with the probability sigmoid(sigmoid_scaler guidance), s_n = the sum of
    these; in TEST top = bottom0. The guidance has no gradient.
    """

    num_bottom, num_top = 2, 1
    is_random = True
    fork_fields = ("guided_dropout_param",)
    drops_values = True

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def setup(self, *bottom: Shape) -> None:
        p = self.param.guided_dropout_param
        if p.type not in ("deterministic", "stochastic"):
            self.fail(f'guided_dropout_param.type is "{p.type}"; it must be "deterministic" or "stochastic"')
        self.stochastic = p.type == "stochastic"
        self.threshold, self.scaler = p.guidance_threshold, p.sigmoid_scaler

    def reshape(self, bottom: Shape, guidance: Shape) -> list[Shape]:
        if len(bottom) < 2 or guidance[:2] != bottom[:2] or math.prod(guidance[2:]) != 1:
            self.fail(
                f"bottom 1 of shape {guidance} must hold one value a channel of bottom 0 of shape {bottom}, "
                f"{tuple(bottom[:2])}"
            )
        return [bottom]

    def per_record(self) -> bool:
        return True

    def random_reason(self) -> str:
        if not self.stochastic or self.phase == TEST:
            return ""
        return "drops channels at random in TRAIN (type: stochastic)"

    def forward(self, bottom: Tensor, guidance: Tensor) -> Tensor:
        if self.stochastic and self.phase == TEST:
            return bottom.clone()
        guidance = guidance.detach().reshape(bottom.shape[:2])
        if self.stochastic:
            chance = torch.sigmoid(guidance * self.scaler)
            kept, total = self.drawn(chance, torch.rand_like) <= chance, chance.sum(1, keepdim=True)
        else:
            kept = guidance > self.threshold
            total = kept.sum(1, keepdim=True).to(bottom.dtype)
        factor = kept * torch.where(total > 0, bottom.shape[1] / total, 1)
        return bottom * factor.reshape(*bottom.shape[:2], *[1] * (bottom.dim() - 2))
