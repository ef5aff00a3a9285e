"""BiasChannel of DeepLab: scores raised for the labels of whole pictures."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.indices import Indexed, poisoned
from caffe_compat.proto import BiasChannelParameter


@layer("BiasChannel")
class BiasChannel(Indexed):
    """top = bottom 0, with fg_bias added to the channels that bottom 1 names, bg_bias to channel 0

    Fork: hszhao/PSPNet (DeepLab), src/caffe/layers/bias_channel_layer.cpp
    label_type IMAGE: bottom 1 (N, L, 1, 1) names channels for the whole record. PIXEL: bottom 1 (N, 1, H, W) names one a
    position; with background_label or bg_bias set, bg_bias is for that channel, at every position that counts. -1 and
    ignore_label name none. Bottom 0 gets the top's gradient.
    """

    num_bottom, num_top = 2, 1
    fork_fields = ("bias_channel_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.bias_channel_param
        if p.bg_bias < 0 or p.fg_bias < 0:
            self.fail(
                f"bias_channel_param has bg_bias {p.bg_bias:g} and fg_bias {p.fg_bias:g}; neither may be below 0"
            )
        self.back, self.front, self.ignored = p.bg_bias, p.fg_bias, [-1, *p.ignore_label]
        self.by_position = p.label_type == BiasChannelParameter.PIXEL
        has_background = p.HasField("background_label") or p.HasField("bg_bias")
        self.background = p.background_label if has_background else None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, label = bottom
        self.check_pictures(data)
        wanted = (
            (data[0], 1, *data[2:])
            if self.by_position
            else (data[0], label[1] if len(label) > 1 else 1, 1, 1)
        )
        if label != wanted:
            self.fail(
                f"bottom 1 (the labels) has shape {label} and must have {wanted} for bottom 0 of shape {data}"
            )
        self.channels = data[1]
        return [data]

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def per_record(self) -> bool:
        return True

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        label = label.detach().long()
        counted = torch.ones_like(label, dtype=torch.bool)
        for ignored in self.ignored:
            counted = counted & (label != ignored)
        bad = counted & ((label < 0) | (label >= data.shape[1]))
        any_bad = self.any_bad(bad, label)
        counted = counted & ~bad
        top = data + self._bias(data, label, counted)
        return top if any_bad is None else poisoned(top, any_bad)

    def refuse(self, position: float) -> NoReturn:
        self.fail(
            f"label {int(position)} is no channel of bottom 0, which has {self.channels}; correct the labels"
        )

    def _bias(self, data: Tensor, label: Tensor, counted: Tensor) -> Tensor:
        channel = torch.arange(data.shape[1], device=data.device)[:, None, None]
        if not self.by_position:
            named = (
                (label.flatten(1)[:, :, None] == channel.flatten()) & counted.flatten(1)[:, :, None]
            ).sum(1)
            bias = named.to(data.dtype)[:, :, None, None]
            return bias * torch.where(channel == 0, self.back, self.front)
        front = (label == channel) & counted
        if self.background is None:
            return self.front * front
        front = front & (channel != self.background)
        return self.front * front + self.back * ((channel == self.background) & counted)
