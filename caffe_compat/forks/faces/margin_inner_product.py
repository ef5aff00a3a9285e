"""LargeMarginInnerProduct (L-Softmax) and MarginInnerProduct (SphereFace): scores with a margin at the label."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.forks.faces.label_specific_add import Annealed
from caffe_compat.layers.base import Shape, layer
from caffe_compat.proto import LargeMarginInnerProductParameter


class _Margin(Annealed):
    """Inner products with num_output weight vectors, the label's one as if its angle were `type` times as large.

    top 0 (M, num_output); top 1 lambda = max(lambda_min, base (1 + gamma k)^-power) at the k-th forward. The label's
    score is (margin score + lambda plain score) / (1 + lambda); SINGLE has none.
    """

    message: str

    def setup(self, *bottom: Shape) -> None:
        p = getattr(self.param, self.message)
        if p.num_output < 1:
            self.fail(f"{self.message}.num_output is {p.num_output} and must be above 0")
        self.start = self.axis(p.axis, bottom[0])
        self.size = math.prod(bottom[0][self.start :])
        self.times = p.type - LargeMarginInnerProductParameter.SINGLE + 1
        self.base, self.gamma, self.power, self.least = p.base, p.gamma, p.power, p.lambda_min
        self.passes.fill_(p.iteration)
        self.add_blob((p.num_output, self.size), p.weight_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores = (*bottom[0][: self.start], len(self.blobs[0]))
        if math.prod(bottom[0][self.start :]) != self.size:
            self.fail(
                f"bottom shape {bottom[0]} has {math.prod(bottom[0][self.start :])} values an item, but the weights were "
                f"made for {self.size}; resize the input or rename the layer to relearn them"
            )
        self.fold((math.prod(scores[:-1]), scores[-1]), bottom[1], 1)
        self.tops = len(self.param.top)
        return [scores, (1,)][: self.tops]

    def angle(self, cosine: Tensor) -> Tensor:
        """(-1)^k cos(m theta) - 2k of theta between k pi / m and (k + 1) pi / m, as polynomials of cos(theta)."""
        sign = cosine.sign().detach()
        if self.times == 2:
            return 2 * sign * cosine.square() - 1
        if self.times == 3:
            outer = (cosine.abs() - 0.5).sign().detach()
            return outer * (4 * cosine**3 - 3 * cosine) + sign * (1 + outer) - 2
        square = cosine.square()
        third = sign * (2 * square - 1).sign().detach()
        return third * (8 * square**2 - 8 * square + 1) + 2 * sign + third - 3

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(top[0]) * self.size

    def forward(self, data: Tensor, label: Tensor) -> Tensor | tuple[Tensor, ...]:
        self.passes.add_(1)
        share = (self.base * (1 + self.gamma * self.passes) ** -self.power).clamp(min=self.least).to(data)
        x = data.flatten(self.start).flatten(0, -2) if self.start else data.reshape(1, -1)
        top = self.scores(x, label, share)
        top = top.unflatten(0, data.shape[: self.start]) if self.start != 1 else top
        return (top, share.reshape(1)) if self.tops == 2 else top

    def scores(self, x: Tensor, label: Tensor, share: Tensor) -> Tensor:
        """The scores (M, num_output) of items (M, K)."""
        self._undefined("scores")


@layer("LargeMarginInnerProduct")
class LargeMarginInnerProduct(_Margin):
    """tops = (x w_j, at the label |x| |w| psi(theta); lambda), psi that of `type` times the angle

    Fork: wy1iu/LargeMargin_Softmax_Loss, src/caffe/layers/largemargin_inner_product_layer.cpp
    Blobs: 0 weight (num_output, K). DOUBLE, TRIPLE and QUADRUPLE: the label's score becomes
    (|x| |w| psi + lambda x w) / (1 + lambda), lambda = max(lambda_min, base (1 + gamma k)^-power) at the k-th forward,
    which counts from `iteration` in each run, in TEST, too.
    """

    message = "largemargin_inner_product_param"
    fork_fields = ("largemargin_inner_product_param",)

    def scores(self, x: Tensor, label: Tensor, share: Tensor) -> Tensor:
        weight = self.blobs[0]
        plain = x @ weight.T
        if self.times == 1:
            return plain
        column, nan = self.at_labels(label)
        own = plain.gather(1, column)
        length = (x.norm(dim=1, keepdim=True) * weight[column[:, 0]].norm(dim=1, keepdim=True)) + 1e-9
        turned = (length * self.angle(own / length) + share * own) / (1 + share)
        top = plain.scatter(1, column, turned)
        return top if nan is None else top + nan


class _SphereGradient(torch.autograd.Function):
    """(items, unit weights, columns, scores, slopes) -> scores, with SphereFace's gradients.

    slopes (M, 2): what the label's margin score gives its weight vector and the item as gradient, before the two are
    made a unit vector together.
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, column: Tensor, top: Tensor, slopes: Tensor, share: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, weight, column, slopes, share)
        return top.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, column, slopes, share = ctx.saved_tensors
        own = grad.gather(1, column) / (1 + share)
        unit = slopes / slopes.norm(dim=1, keepdim=True)
        of_x = grad.scatter(1, column, own * share) @ weight
        of_x = of_x + own * (unit[:, :1] * weight[column[:, 0]] + unit[:, 1:] * x)
        return of_x, grad.T @ x, None, None, None, None


@layer("MarginInnerProduct")
class MarginInnerProduct(_Margin):
    """tops = (x w_j, at the label |x| psi(theta); lambda), psi that of `type` times the angle, all |w_j| = 1

    Fork: wy1iu/sphereface, src/caffe/layers/margin_inner_product_layer.cpp
    Blobs: 0 weight (num_output, K), whose rows each forward makes unit vectors, for good. Else as LargeMarginInnerProduct,
    but for the gradients, which are the fork's: that of the weights is of plain inner products, and that of the margin
    score to x is scaled so that its coefficients on w and x are a unit vector.
    """

    message = "margin_inner_product_param"
    fork_fields = ("margin_inner_product_param",)

    def scores(self, x: Tensor, label: Tensor, share: Tensor) -> Tensor:
        weight = self.blobs[0]
        with torch.no_grad():
            weight.div_(weight.norm(dim=1, keepdim=True))
        if self.times == 1:
            return x @ weight.T
        column, nan = self.at_labels(label)
        with torch.no_grad():
            plain = x @ weight.T
            length = x.norm(dim=1, keepdim=True)
            own = plain.gather(1, column)
        with torch.enable_grad():
            cosine = (own / length).requires_grad_()
            turned = self.angle(cosine)
            (slope,) = torch.autograd.grad(turned.sum(), cosine)
        turned = turned.detach()
        top = plain.scatter(1, column, (length * turned + share * own) / (1 + share))
        # d(|x| psi) = psi' w + (psi - psi' cos) x / |x|
        slopes = torch.cat((slope, (turned - slope * cosine.detach()) / length), 1)
        top = _SphereGradient.apply(x, weight, column, top, slopes, share)
        return top if nan is None else top + nan
