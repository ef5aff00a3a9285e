"""Maps times one number a position: MaskPooling, TileProduct, ChannelScale."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, layer, one_a_value
from caffe_compat.layers.common.legacy_shape import legacy_shape


@layer("MaskPooling", "TileProduct", "SpatialProduct")
class MaskPooling(Layer):
    """top[n, c, h, w] = bottom0[n, c, h, w] bottom1[n, 0, h, w]

    Fork: daijifeng001/caffe-mnc, src/caffe/layers/mask_pooling_layer.cu; TileProduct: chwilms/AttentionMask;
    SpatialProduct: hszhao/PSPNet (DeepLab)
    """

    num_bottom = 2
    num_top: int | tuple[int, int | None] | None = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        number, _, height, width = legacy_shape(self, bottom[0])
        self.wanted = (number, 1, height, width)
        if bottom[1][:1] != bottom[0][:1] or math.prod(bottom[1]) != math.prod(self.wanted):
            self.fail(
                f"bottom 1 of shape {bottom[1]} must be {self.wanted}: one number a position of bottom 0 of shape "
                f"{bottom[0]}"
            )
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def forward(self, data: Tensor, mask: Tensor) -> Tensor:
        return data * mask.reshape(data.shape[0], 1, *data.shape[2:])

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, mask = bottoms
        first, _, *rest = graph.shape(data)
        if graph.shape(mask)[1:] != (1, *rest):
            mask = graph.reshape(mask, [first, 1, *rest])
        graph.node("Mul", [data, mask], tops)


class _Scaled(torch.autograd.Function):
    """data * factor, with the gradients of data * scale, as far as they are wanted."""

    @staticmethod
    def forward(ctx, data: Tensor, scale: Tensor, factor: Tensor | None, wanted: tuple[bool, bool]) -> Tensor:
        ctx.save_for_backward(data, scale)
        ctx.wanted = wanted
        return data.clone() if factor is None else data * factor

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        data, scale = ctx.saved_tensors
        feature, own = ctx.wanted
        scale_grad = (data * grad).sum(1, keepdim=True) if own else torch.zeros_like(scale)
        return grad * scale if feature else grad, scale_grad, None, None


@layer("ChannelScale")
class ChannelScale(MaskPooling):
    """top[n, c, h, w] = bottom0[n, c, h, w] bottom1[n, 0, h, w]

    Fork: happynear/caffe-windows, src/caffe/layers/channel_scale_layer.cu
    Without do_forward the top is bottom 0; without do_backward_feature bottom 0 gets the top's gradient as it is;
    without do_backward_scale bottom 1 gets none. With global_scale all is multiplied by blob 0, (1,), which top 1 shows:
    in TRAIN it becomes 0.99 of itself and 0.01 of the mean |bottom1| (the mean alone where it is below 0, as it begins),
    from min_global_scale to max_global_scale; the gradients stay those of bottom 1's numbers, as in the fork, which
    does not use init_global_scale either.
    """

    num_top = (1, 2)
    fork_fields = ("channel_scale_param",)
    multiply_adds = one_a_value

    def setup(self, *bottom: Shape) -> None:
        p = self.param.channel_scale_param
        self.multiplies, self.shared = p.do_forward, p.global_scale
        self.wanted_gradients = p.do_backward_feature, p.do_backward_scale
        self.least, self.most = p.min_global_scale, p.max_global_scale
        self.tops = len(self.param.top)
        if self.tops > 1 and not self.shared:
            self.fail(
                "has 2 tops, and without channel_scale_param.global_scale there is 1; remove the second"
            )
        if not self.shared:
            return
        if any(spec.lr_mult for spec in self.param.param):
            self.fail(
                f"param has lr_mult {self.param.param[0].lr_mult:g}, but the scale is an average that the solver does not "
                "learn; set lr_mult: 0 or remove the param block"
            )
        if not self.param.param:
            self.param.param.add(lr_mult=0, decay_mult=0)
        blob = self.add_blob((1,), learned=False)
        with torch.no_grad():
            blob.fill_(-1)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [*super().reshape(*bottom), (1,)][: self.tops]

    def per_record(self) -> bool:
        return not self.shared

    def forward(self, data: Tensor, mask: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        scale = mask.reshape(data.shape[0], 1, *data.shape[2:])
        factor = self._average(mask.detach()) if self.shared and self.multiplies else scale.detach()
        top = _Scaled.apply(data, scale, factor if self.multiplies else None, self.wanted_gradients)
        return top if self.tops == 1 else (top, self.blobs[0].detach().clone())

    def _average(self, mask: Tensor) -> Tensor:
        """The scale of all, brought up to date in TRAIN."""
        blob = self.blobs[0]
        if self.phase == TRAIN:
            with torch.no_grad():
                mean = mask.abs().mean()
                average = torch.where(blob < 0, mean, blob * 0.99 + mean * 0.01)
                blob.copy_(average.clamp(self.least, self.most))
        return blob.detach().clone()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if not self.multiplies:
            graph.node("Identity", bottoms[:1], tops[:1])
        elif self.shared:
            graph.node("Mul", [bottoms[0], graph.blob(self, 0)], tops[:1])
        else:
            super().to_onnx(graph, bottoms, tops)
        if self.tops > 1:
            graph.node("Identity", [graph.blob(self, 0)], tops[1:])
