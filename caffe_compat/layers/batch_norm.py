"""BatchNorm: normalisation by the batch's or the stored statistics, without scale and bias."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TEST, Layer, layer


@layer("BatchNorm")
class BatchNorm(Layer):
    """top = (bottom - mean) / sqrt(variance + eps), with a mean and a variance for each channel (axis 1)

    Caffe: src/caffe/layers/batch_norm_layer.cpp
    Blobs: 0 sum of means (C,); 1 sum of variances (C,); 2 counter (1,), the weight of these sums. No gradients.
    In training the statistics are the batch's, and every forward adds them to the sums, which decay by
    f = moving_average_fraction: sum = f sum + batch, counter = f counter + 1, with the variance times m / (m - 1)
    for m values a channel. With `use_global_stats` (in TEST unless set) they are sum / counter, or 0 while the
    counter is 0. torch keeps an average instead of a sum and a counter, so it differs in the first iterations.
    """

    num_bottom = num_top = 1

    def setup(self, bottom):
        p = self.param.batch_norm_param
        self.fraction, self.eps = p.moving_average_fraction, p.eps
        self.global_stats = p.use_global_stats if p.HasField("use_global_stats") else self.phase == TEST
        self.channels = bottom[1] if len(bottom) > 1 else 1
        for shape in ((self.channels,), (self.channels,), (1,)):
            self.add_blob(shape, learned=False)
        for i, spec in enumerate(self.param.param):
            if spec.lr_mult != 0:
                self.fail(
                    f"param block {i} has lr_mult {spec.lr_mult:g}, but the statistics are not learned by the "
                    "solver; set lr_mult: 0 or remove the param blocks"
                )
        while len(self.param.param) < 3:  # as Caffe's layer does, so the saved net says it too
            self.param.param.add(lr_mult=0)

    def reshape(self, bottom):
        if not bottom:
            self.fail("bottom shape () has 0 axes, at least 1 is needed")
        channels = bottom[1] if len(bottom) > 1 else 1
        if channels != self.channels:
            self.fail(
                f"bottom shape {tuple(bottom)} has {channels} channels, but the statistics were made for "
                f"{self.channels}; resize the input or rename the layer"
            )
        return [bottom]

    def per_record(self):
        return True  # not across a replica's batch, but `forward_scaled` itself keeps replicas apart

    def forward(self, bottom):
        return self.forward_scaled(bottom, None, None)

    def forward_scaled(self, bottom: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """The layer followed by a per-channel `gamma * top + beta` (None: 1 and 0), as one normalisation."""
        x = bottom if bottom.dim() > 1 else bottom.unsqueeze(1)
        replicas = self.context.virtual_replicas
        if self.global_stats:
            mean, variance = self.statistics()
            top = F.batch_norm(x, mean, variance, gamma, beta, eps=self.eps)
        elif math.prod(x.shape) == self.channels * replicas:
            top = self._single(x, gamma, beta)
        else:
            if replicas > 1:
                # Row i is replica i % N's, so folding N into the channels gives each replica statistics of its own.
                x = x.reshape(-1, replicas * self.channels, *x.shape[2:])
                gamma, beta = (None if blob is None else blob.repeat(replicas) for blob in (gamma, beta))
            # Zeroed and with momentum 1 these hold exactly this batch's mean and m / (m - 1) variance afterwards.
            mean, variance = self.blobs[0].new_zeros(x.shape[1]), self.blobs[1].new_zeros(x.shape[1])
            top = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=1.0, eps=self.eps)
            if replicas > 1:  # replica 0's are the ones kept
                mean, variance = mean[: self.channels], variance[: self.channels]
            self._add(mean, variance)
        return top if top.shape == bottom.shape else top.view(bottom.shape)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The stored mean and variance (C,): the sums over the counter, or 0 while the counter is 0."""
        with torch.no_grad():
            weight = torch.nan_to_num(self.blobs[2].reciprocal(), nan=math.nan, posinf=0.0)
            return self.blobs[0] * weight, self.blobs[1] * weight

    def _single(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """A batch of one value a channel, which torch refuses: the variance is 0, and so is the top."""
        mean = x.detach().reshape(-1, self.channels)[0]
        self._add(mean, torch.zeros_like(mean))
        spread = (1, -1, *[1] * (x.dim() - 2))
        top = (x - x) if gamma is None else (x - x) * gamma.view(spread)
        return top if beta is None else top + beta.view(spread)

    def _add(self, mean: Tensor, variance: Tensor) -> None:
        with torch.no_grad():
            self.blobs[0].mul_(self.fraction).add_(mean)
            self.blobs[1].mul_(self.fraction).add_(variance)
            self.blobs[2].mul_(self.fraction).add_(1)
