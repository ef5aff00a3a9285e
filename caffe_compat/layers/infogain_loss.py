"""InfogainLoss: softmax cross entropy with a matrix that says how bad each confusion is."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import LOG_THRESHOLD, Floor, Loss
from caffe_compat.proto.binary import read_binaryproto


@layer("InfogainLoss")
class InfogainLoss(Labelled, Loss):
    """top0 = -sum_i sum_l H[label_i, l] log max(p_il, 1e-20) / normalizer, p = softmax(bottom0); top1 = p

    Caffe: src/caffe/layers/infogain_loss_layer.cpp
    H is bottom 2, or the matrix in infogain_loss_param.source (a .binaryproto), K x K for K classes.
    The gradient is not floored, and top 1 takes none.
    """

    matrix: Tensor
    num_bottom = (2, 3)
    num_top = (1, 2)

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def log_setup(self, log):
        log.creating_layer(self.name)  # Caffe's has a Softmax inside

    def setup(self, *bottom: Shape) -> None:
        p, loss = self.param.infogain_loss_param, self.param.loss_param
        if loss.HasField("normalize"):
            self.fail(
                f"loss_param.normalize ({str(loss.normalize).lower()}) is not used here; "
                f"write `normalization: {'VALID' if loss.normalize else 'BATCH_SIZE'}`"
            )
        self.normalization, self.has_probability = loss.normalization, len(self.param.top) > 1
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        if len(bottom) == 3:
            return
        if not p.HasField("source"):
            self.fail(
                "has 2 bottoms and no infogain_loss_param.source; give the matrix as the source or as bottom 2"
            )
        matrix = np.array(read_binaryproto(self.context.path(p.source)))
        self.register_buffer("matrix", torch.as_tensor(matrix, dtype=self.context.dtype), persistent=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        scores, labels = bottom[:2]
        self.fold(scores, labels, self.axis(self.param.infogain_loss_param.axis, scores))
        shape = bottom[2] if len(bottom) == 3 else tuple(self.matrix.shape)
        if math.prod(shape) != self.classes**2:
            self.fail(
                f"the infogain matrix of shape {shape} has {math.prod(shape)} values and must have "
                f"{self.classes} x {self.classes} = {self.classes**2}, one a pair of classes"
            )
        return [*top, bottom[0]] if self.has_probability else top

    def forward(self, data: Tensor, label: Tensor, *given: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        matrix = given[0] if given else self.matrix
        self.refuse_gradient(label, "label inputs")
        self.refuse_gradient(matrix, "the infogain matrix")
        index, counted, nan = self.read_labels(label, self.ignore)
        logarithm = F.log_softmax(data.reshape(self.outer, self.classes, self.inner), 1)
        floored = Floor.apply(logarithm, math.log(LOG_THRESHOLD))
        gain = matrix.reshape(self.classes, self.classes)[index[:, 0]].movedim(-1, 1)
        terms = -(gain * floored).sum(1, keepdim=True)
        if counted is not None:
            terms = terms.where(counted, 0)
        valid = None if self.ignore is None else counted
        loss = terms.sum() / self.normalizer(self.normalization, self.outer, self.outer * self.inner, valid)
        loss = loss if nan is None else loss + nan
        return (loss, logarithm.detach().exp().view(data.shape)) if self.has_probability else loss

    def prediction(self, bottom: Tensor) -> Tensor:
        return torch.softmax(bottom, self.axis(self.param.infogain_loss_param.axis, bottom.shape))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axis = self.axis(self.param.infogain_loss_param.axis, graph.shape(bottoms[0]))
        graph.node("Softmax", bottoms[:1], tops, axis=axis)
