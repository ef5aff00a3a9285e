"""Rows chosen by their regions: ScaleRoute by size, HardMining by score."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from caffe_compat.forks.common.boxes import area, rank
from caffe_compat.forks.rcnn.bbox_reg import flat
from caffe_compat.layers.base import Layer, Shape, as_tops, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape


class Chosen(Layer):
    """A layer whose tops are some rows of bottoms, which get no gradient."""

    num_bottom = (1, None)
    dynamic = True
    in_place = False

    def check_rows(self, bottom: Sequence[Shape], regions: int) -> None:
        """Fail unless the bottom of this number has regions, and all as many rows."""
        for i, shape in enumerate(bottom):
            if not shape or shape[0] != bottom[regions][0]:
                self.fail(
                    f"bottom {i} of shape {shape} has not the {bottom[regions][0]} rows of the regions, bottom {regions} "
                    f"of shape {bottom[regions]}; they belong together, so make them the same"
                )
        if legacy_shape(self, bottom[regions])[1] != 5:
            self.fail(
                f"bottom {regions} of shape {bottom[regions]} must hold regions: record, left, top, right, bottom"
            )


@layer("ScaleRoute")
class ScaleRoute(Chosen):
    """tops = those rows of all bottoms whose region, in bottom 0, has a size from low_scale to below high_scale

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/scale_route_layer.cpp
    A size is the root of the area, both ends of a side being pixels of it. If there is none the row of the size nearest
    to the middle is taken: that of the root of low_scale high_scale, or the one given, or 256.
    """

    equal_num_bottom_top = True
    fork_fields = ("scale_route_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.scale_route_param
        given = [getattr(p, name) for name in ("low_scale", "high_scale") if p.HasField(name)]
        self.low, self.high = p.low_scale, p.high_scale if p.HasField("high_scale") else math.inf
        if given and (min(given) <= 0 or self.high < self.low):
            self.fail(
                f"scale_route_param has low_scale {self.low:g} and high_scale {self.high:g}; use 0 < low <= high"
            )
        self.middle = math.prod(given) ** (1 / len(given)) if given else 256.0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_rows(bottom, 0)
        return [(1, *shape[1:]) for shape in bottom]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        size = area(flat(bottom[0])[:, 1:], 1).sqrt()
        rows = ((size >= self.low) & (size < self.high)).nonzero().squeeze(1)
        if not len(rows):
            rows = (size / self.middle).log2().abs().argmin(keepdim=True)
        return as_tops(b.detach()[rows] for b in bottom)


@layer("HardMining")
class HardMining(Chosen):
    """tops = the rows of bottoms 1, 2, ... of each record's num_roi_per_image greatest scores, in bottom 0

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/hard_mining_layer.cpp
    Bottom 1 holds the regions. Where a record of the num_image has fewer, the greatest of what others have left fill up
    the num_image x num_roi_per_image rows, as long as there are any. Rows stay in their order; of equal scores the later
    ones are taken.
    """

    num_bottom = (2, None)
    num_top = (1, None)
    fork_fields = ("hard_mining_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.hard_mining_param
        self.records, self.most = p.num_image, p.num_roi_per_image
        if not self.records or not self.most:
            self.fail(f"num_image is {self.records} and num_roi_per_image {self.most}; both must be above 0")
        if len(self.param.top) != len(bottom) - 1:
            self.fail(
                f"has {len(bottom)} bottoms and {len(self.param.top)} tops; give one top less than bottoms"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_rows(bottom, 1)
        if math.prod(bottom[0][1:]) != 1:
            self.fail(f"bottom 0 of shape {bottom[0]} must hold one score a row")
        count = min(self.records * self.most, bottom[0][0])
        return [(count, *shape[1:]) for shape in bottom[1:]]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        score, record = bottom[0].detach().reshape(-1).flip(0), flat(bottom[1])[:, 0].long().flip(0)
        bad = (record < 0) | (record >= self.records)
        if bad.any():
            self.fail(
                f"a region is of record {int(record[bad][0])}, and num_image is {self.records}; use 0 to "
                f"{self.records - 1}"
            )
        beyond = (rank(score, record) >= self.most).long()
        # The greatest of those beyond come after all that are within.
        place = rank(score, beyond) + beyond * (beyond == 0).sum()
        rows = (place < self.records * self.most).flip(0).nonzero().squeeze(1)
        return as_tops(b.detach()[rows] for b in bottom[1:])
