"""Layers that draw at random in training, of forks: Insanity (RReLU in another), GuidedDropout."""

import math

import torch

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import TEST, TRAIN, Layer, layer


@layer("Insanity", "RReLU")
class Insanity(Elementwise):
    """top = bottom where it is above 0, else bottom / a: in TRAIN a is drawn for each value between lb and ub

    Fork: happynear/caffe-windows, ducha-aiki/caffe
    In TEST a = (ub - lb) / (log |ub| - log |lb|). The gradient at 0 is 1 / a.
    """

    is_random = True
    fork_fields = ("insanity_param", "rrelu_param")

    def setup(self, bottom):
        p = self.param.rrelu_param if self.type == "RReLU" else self.param.insanity_param
        self.least, self.most = p.lb, p.ub
        if len(bottom) < 2:
            self.fail(f"bottom shape {tuple(bottom)} has {len(bottom)} axes, at least 2 are needed")
        if not p.ub > p.lb or p.lb * p.ub == 0:
            self.fail(f"lb is {p.lb:g} and ub {p.ub:g}; ub must be above lb, and neither of them 0")
        # Equal but for their signs, the bounds have no such mean; Caffe divides by 0 then, too.
        spread = math.log(abs(p.ub)) - math.log(abs(p.lb))
        self.mean = (p.ub - p.lb) / spread if spread else math.inf

    def random_reason(self) -> str:
        return "draws slopes at random in TRAIN" if self.phase == TRAIN else ""

    def forward(self, bottom):
        if self.phase == TRAIN:
            slope = self.drawn(bottom, lambda like: torch.empty_like(like).uniform_(self.least, self.most))
            return torch.where(bottom > 0, bottom, bottom / slope)
        return torch.where(bottom > 0, bottom, bottom / self.mean)

    def to_onnx(self, graph, bottoms, tops):
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws slopes at random; export the TEST net")
        graph.node("LeakyRelu", bottoms, tops, alpha=1 / self.mean)


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

    def allow_force_backward(self, index):
        return index == 0

    def setup(self, *bottom):
        p = self.param.guided_dropout_param
        if p.type not in ("deterministic", "stochastic"):
            self.fail(f'guided_dropout_param.type is "{p.type}"; it must be "deterministic" or "stochastic"')
        self.stochastic = p.type == "stochastic"
        self.threshold, self.scaler = p.guidance_threshold, p.sigmoid_scaler

    def reshape(self, bottom, guidance):
        if len(bottom) < 2 or guidance[:2] != bottom[:2] or math.prod(guidance[2:]) != 1:
            self.fail(
                f"bottom 1 of shape {guidance} must hold one value a channel of bottom 0 of shape {bottom}, "
                f"{tuple(bottom[:2])}"
            )
        return [bottom]

    def per_record(self):
        return True

    def random_reason(self) -> str:
        if not self.stochastic or self.phase == TEST:
            return ""
        return "drops channels at random in TRAIN (type: stochastic)"

    def forward(self, bottom, guidance):
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
