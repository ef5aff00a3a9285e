"""UniqueLabel of DeepLab: the labels that a picture has."""

from __future__ import annotations

import math
from typing import NoReturn

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, constant, layer
from caffe_compat.layers.common.indices import Indexed, poisoned


@layer("UniqueLabel")
class UniqueLabel(Indexed):
    """top (N, max_labels, 1, 1) = the labels of a record, each once, in order, then -1; no gradient

    Fork: hszhao/PSPNet (DeepLab), src/caffe/layers/unique_label_layer.cpp
    Those of force_label are always there, those of ignore_label only if forced.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("unique_label_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.unique_label_param
        self.most, self.ignored, self.forced = p.max_labels, list(p.ignore_label), list(p.force_label)
        if self.most <= len(set(self.forced)):
            self.fail(
                f"unique_label_param.max_labels is {self.most} with {len(set(self.forced))} force_label; it must be more"
            )

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        if bottom[1] != 1:
            self.fail(f"bottom shape {bottom} has {bottom[1]} channels; labels have 1")
        return [(bottom[0], self.most, 1, 1)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        labels = bottom.detach().flatten(1)
        for ignored in self.ignored:
            labels = labels.where(labels != ignored, math.inf)
        if self.forced:
            labels = torch.cat([labels, constant(self.forced, labels).expand(len(labels), -1)], 1)
        labels = labels.sort(1).values
        new = torch.cat([torch.ones_like(labels[:, :1]), labels[:, 1:] != labels[:, :-1]], 1).bool()
        new = new & (labels < math.inf)
        count = new.sum(1)
        any_more = self.any_bad(count > self.most, count)
        # Labels that are there already, and those that find no place, go where they are cut off.
        place = (new.cumsum(1) - 1).where(new, self.most).clamp(max=self.most)
        top = labels.new_full((len(labels), self.most + 1), -1).scatter(1, place, labels)[:, : self.most]
        top = top if any_more is None else poisoned(top, any_more)
        return self.without_gradient(top[:, :, None, None], bottom)

    def refuse(self, position: float) -> NoReturn:
        self.fail(f"a record has {int(position)} labels, more than max_labels {self.most}; enlarge it")
