"""MultiStageMeanfield: a dense conditional random field as a recurrent network (CRF-RNN)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer


class Lattice:
    """A Gaussian filter of points by their features, on the permutohedral lattice (Adams et al. 2010).

    Points are spread over the corners of the simplex that they lie in, blurred along each of the lattice's axes, and
    gathered again; the filter is linear, and autograd's gradient of it is its transpose.
    """

    def __init__(self, features: Tensor):
        """features: (P, d), in standard deviations. Raises OverflowError where they spread too far to be numbered."""
        size = features.shape[1]
        features = features.float()
        scale = torch.tensor(
            [math.sqrt(2 / 3) * (size + 1) / math.sqrt((i + 1) * (i + 2)) for i in range(size)]
        )
        scaled = features * scale.to(features)
        # Onto the plane of size + 1 coordinates whose sum is 0.
        later = scaled.flip(1).cumsum(1).flip(1)
        rest = torch.cat((later, torch.zeros_like(later[:, :1])), 1)
        steps = torch.arange(1, size + 1, device=features.device)
        lifted = torch.cat((rest[:, :1], rest[:, 1:] - steps * scaled), 1)

        whole = (lifted / (size + 1)).round()
        nearest, excess = whole * (size + 1), whole.sum(1, keepdim=True).long()
        order = (lifted - nearest).argsort(dim=1, descending=True, stable=True)
        rank = order.argsort(dim=1) + excess
        turn = (size + 1) * ((rank < 0).long() - (rank > size).long())
        rank, nearest = rank + turn, nearest + turn

        inside = (lifted - nearest) / (size + 1)
        weight = features.new_zeros(len(features), size + 2)
        weight.scatter_add_(1, size - rank, inside)
        weight.scatter_add_(1, size + 1 - rank, -inside)
        weight[:, 0] += 1 + weight[:, size + 1]
        self.weight = weight[:, : size + 1]  # (P, d + 1)

        corner = torch.arange(size + 1, device=features.device)[:, None]
        shift = corner - (size + 1) * (rank[:, None, :size] > size - corner)
        keys = nearest[:, None, :size].long() + shift  # (P, d + 1, d)
        least = keys.amin((0, 1)) - size
        spans = (keys.amax((0, 1)) + size - least + 1).tolist()
        if math.prod(spans) >= 1 << 62:
            raise OverflowError(f"its features spread over {' x '.join(map(str, spans))} places")
        strides = torch.tensor([math.prod(spans[i + 1 :]) for i in range(size)], device=features.device)
        numbers, self.vertex = ((keys - least) * strides).sum(2).unique(return_inverse=True)
        self.count = len(numbers)
        self.neighbours = []
        for axis in range(size + 1):
            step = -int(strides.sum()) + (int(strides[axis]) * (size + 1) if axis < size else 0)
            places = []
            for wanted in (numbers + step, numbers - step):
                place = torch.searchsorted(numbers, wanted).clamp(max=self.count - 1)
                places.append(torch.where(numbers[place] == wanted, place, self.count))  # one more, of zeros
            self.neighbours.append(places)

    def __call__(self, values: Tensor) -> Tensor:
        """Filter values (P, C)."""
        spread = self.weight.to(values)[..., None] * values[:, None]
        mass = values.new_zeros(self.count, values.shape[1]).index_add(
            0, self.vertex.flatten(), spread.flatten(0, 1)
        )
        for one, other in self.neighbours:
            padded = torch.cat((mass, torch.zeros_like(mass[:1])))
            mass = mass + (padded[one] + padded[other]) / 2
        gathered = (mass[self.vertex] * self.weight.to(values)[..., None]).sum(1)
        return gathered / (1 + 2.0 ** (1 - self.weight.shape[1]))

    def normal(self) -> Tensor:
        """What a filter of ones gives (P, 1)."""
        return self(torch.ones_like(self.weight[:, :1]))


@layer("MultiStageMeanfield")
class MultiStageMeanfield(Layer):
    """top = the scores that num_iterations of mean field inference leave of scores U and a first guess

    Fork: torrvision/crfasrnn, src/caffe/layers/multi_stage_meanfield.cpp
    Bottoms: 0 U (N, C, H, W), 1 the guess (mostly U again), 2 pictures (N, 3, H, W). Blobs (1, 1, C, C): 0 weights of the
    spatial filter, 1 of the bilateral one, 2 the classes' compatibility, -1 on its diagonal.
    Each turn is U - blob2 (blob0 S(Q) + blob1 B(Q)), Q the softmax of what the last one left, S and B Gaussian filters
    divided by what they make of ones: of positions / theta_gamma, and of positions / theta_alpha with colours /
    theta_beta. The diagonals of blobs 0 and 1 come from the files spatial.par and bilateral.par where they are there,
    as in the fork, which has no net without; else they are spatial_filter_weight and bilateral_filter_weight.
    threshold and the forced weights mean nothing.
    """

    num_bottom, num_top = 3, 1
    in_place = False
    dynamic = True  # not in its top: the lattice's size is known only in forward
    fork_fields = ("multi_stage_meanfield_param",)

    def allow_force_backward(self, index: int) -> bool:
        return index < 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.multi_stage_meanfield_param
        self.check_pictures(bottom[0])
        if p.num_iterations < 2:
            self.fail(f"multi_stage_meanfield_param.num_iterations is {p.num_iterations} and must be above 1")
        self.iterations = p.num_iterations
        self.thetas = {name: getattr(p, f"theta_{name}") for name in ("alpha", "beta", "gamma")}
        for name, value in self.thetas.items():
            if value <= 0:
                self.fail(f"multi_stage_meanfield_param.theta_{name} is {value:g} and must be above 0")
        self.classes = bottom[0][1]
        spatial = self._weights("spatial.par", p.spatial_filter_weight)
        bilateral = self._weights("bilateral.par", p.bilateral_filter_weight)
        for diagonal in (spatial, bilateral, torch.full((self.classes,), -1.0)):
            blob = self.add_blob((1, 1, self.classes, self.classes))
            if not blob.is_meta:
                blob.data[0, 0].diagonal().copy_(diagonal)
        self._spatial: tuple[tuple[int, int], Lattice, Tensor] | None = None

    def _weights(self, name: str, value: float) -> Tensor:
        path = Path(self.context.path(name))
        if not path.exists():
            return torch.full((self.classes,), value)
        try:
            words = path.read_text(encoding="utf-8").split()
            weights = torch.tensor([float(word) for word in words[: self.classes]])
        except (OSError, ValueError) as error:
            self.fail(f"{name}: {error}; it must hold a number a class")
        if len(weights) < self.classes:
            self.fail(f"{name} holds {len(weights)} numbers for {self.classes} classes; give one each")
        return weights

    def reshape(self, *bottom: Shape) -> list[Shape]:
        unary, guess, picture = bottom
        if guess != unary:
            self.fail(f"bottom 1 of shape {guess} must be as bottom 0, {unary}")
        if unary[1] != self.classes:
            self.fail(
                f"bottom 0 of shape {unary} has {unary[1]} channels, but the weights were made for {self.classes}; rename "
                "the layer to learn it anew"
            )
        if picture != (unary[0], 3, *unary[2:]):
            self.fail(
                f"bottom 2 of shape {picture} must be {(unary[0], 3, *unary[2:])}: a picture for each record"
            )
        return [unary]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        # The three matrices; what the filters multiply depends on the pictures.
        return 3 * self.iterations * self.classes * math.prod(top[0])

    def per_record(self) -> bool:
        return True

    def forward(self, unary: Tensor, guess: Tensor, picture: Tensor) -> Tensor:
        spatial, spatial_norm = self._spatial_lattice(unary)
        spatial_weight, bilateral_weight, compatibility = (blob[0, 0] for blob in self.blobs)
        tops = []
        for u, q, pixels in zip(unary, guess, picture.detach(), strict=True):
            bilateral = self._lattice(
                torch.cat(
                    (self._places(pixels) / self.thetas["alpha"], pixels.flatten(1).T / self.thetas["beta"]),
                    1,
                )
            )
            bilateral_norm = 1 / (bilateral.normal() + 1e-20)
            u, q = u.flatten(1).T, q.flatten(1).T  # (H W, C)
            for _ in range(self.iterations):
                q = torch.softmax(q, 1)
                message = (spatial(q) * spatial_norm.to(q)) @ spatial_weight.T
                message = message + (bilateral(q) * bilateral_norm.to(q)) @ bilateral_weight.T
                q = u - message @ compatibility.T
            tops.append(q.T)
        return torch.stack(tops).view_as(unary)

    @staticmethod
    def _places(pixels: Tensor) -> Tensor:
        """Column and row of each position (H W, 2)."""
        height, width = pixels.shape[-2:]
        place = torch.arange(height * width, device=pixels.device)
        return torch.stack((place % width, place // width), 1).to(torch.float32)

    def _spatial_lattice(self, unary: Tensor) -> tuple[Lattice, Tensor]:
        size = (unary.shape[2], unary.shape[3])
        if self._spatial is None or self._spatial[0] != size or self._spatial[2].device != unary.device:
            lattice = self._lattice(self._places(unary) / self.thetas["gamma"])
            self._spatial = (size, lattice, 1 / (lattice.normal() + 1e-20))
        return self._spatial[1:]

    def _lattice(self, features: Tensor) -> Lattice:
        try:
            return Lattice(features)
        except OverflowError as error:
            self.fail(f"{error}, more than can be numbered; use larger thetas")
