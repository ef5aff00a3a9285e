"""Eltwise: bottoms of one shape combined element by element."""

import torch
from torch.autograd import Function

from caffe_compat.layers.base import Layer, layer
from caffe_compat.proto import EltwiseParameter


@layer("Eltwise")
class Eltwise(Layer):
    """top = sum of coeff_i * bottom_i (SUM), the product (PROD) or the greatest (MAX) of the bottoms

    Caffe: src/caffe/layers/eltwise_layer.cpp
    MAX: where bottoms 0 and 1 are equal, 1 gives the value and takes the gradient; a later bottom must be greater.
    PROD: with `stable_prod_grad: false` a gradient is top / bottom, NaN where the bottom is 0.
    Forks lmb-freiburg/flownet2 and dosovits/caffe-fr-chairs (DeePSiM): SUM of a single bottom, a copy or coeff times it.
    """

    drawn_as = "arrangement"
    num_bottom = (1, None)
    num_top = 1

    def setup(self, *bottom):
        p = self.param.eltwise_param
        if len(bottom) == 1 and p.operation != EltwiseParameter.SUM:
            self.fail(
                "takes 2 or more bottom blob(s) and has 1, which only SUM can do with; add `bottom:` lines"
            )
        self.is_product, self.is_maximum = (
            p.operation == EltwiseParameter.PROD,
            p.operation == EltwiseParameter.MAX,
        )
        self.stable = p.stable_prod_grad
        if p.coeff and len(p.coeff) != len(bottom):
            self.fail(f"{len(p.coeff)} coeff for {len(bottom)} bottoms; give one a bottom or none")
        if p.coeff and self.is_product:
            self.fail(f"{len(p.coeff)} coeff with operation PROD; coeff is for SUM")
        self.coeff = list(p.coeff) or [1.0] * len(bottom)
        self.adds_two = not self.is_product and not self.is_maximum and self.coeff == [1, 1]

    def reshape(self, *bottom):
        for i, shape in enumerate(bottom):
            if shape != bottom[0]:
                self.fail(
                    f"bottom {i} has shape {tuple(shape)} and bottom 0 has {tuple(bottom[0])}; they must be equal, "
                    "Caffe does not broadcast"
                )
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom):
        if self.is_product:
            return self._product(bottom)
        if self.is_maximum:
            return self._greatest(bottom)
        if len(bottom) == 1:
            return bottom[0] * self.coeff[0]  # memory of its own, which scripts write to
        top = bottom[0] if self.coeff[0] == 1 else bottom[0] * self.coeff[0]
        for coeff, other in zip(self.coeff[1:], bottom[1:], strict=True):
            top = torch.add(top, other, alpha=coeff)
        return top

    def _product(self, bottom):
        if not self.stable:
            return _UnstableProduct.apply(*bottom)
        top = bottom[0]
        for other in bottom[1:]:
            top = top * other
        return top

    def _greatest(self, bottom):
        top = torch.where(bottom[0] > bottom[1], bottom[0], bottom[1])
        for other in bottom[2:]:
            top = torch.where(other > top, other, top)
        return top

    def to_onnx(self, graph, bottoms, tops):
        if self.is_product:
            top = bottoms[0]
            for other in bottoms[1:]:
                top = graph.node("Mul", [top, other], tops if other is bottoms[-1] else None)
        elif self.is_maximum:
            graph.node("Max", bottoms, tops)
        elif len(bottoms) == 1:
            graph.node("Mul", [*bottoms, graph.constant(self.coeff[0])], tops)
        elif self.coeff == [1, -1]:
            graph.node("Sub", bottoms, tops)
        else:
            terms = [
                bottom if coeff == 1 else graph.node("Mul", [bottom, graph.constant(coeff)])
                for coeff, bottom in zip(self.coeff, bottoms, strict=True)
            ]
            graph.node("Add" if len(terms) == 2 else "Sum", terms, tops)


class _UnstableProduct(Function):
    """The product whose gradients Caffe takes by division."""

    @staticmethod
    def forward(ctx, *bottom):
        top = bottom[0]
        for other in bottom[1:]:
            top = top * other
        ctx.save_for_backward(top, *bottom)
        return top

    @staticmethod
    def backward(ctx, diff):
        top, *bottom = ctx.saved_tensors
        return tuple(
            diff * (top / x) if needed else None
            for x, needed in zip(bottom, ctx.needs_input_grad, strict=True)
        )
