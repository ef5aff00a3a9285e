"""DetectionData: batches of pictures with boxes, and what several kinds of fields of feature maps learn."""

from __future__ import annotations

import math

import numpy as np
import torch

from caffe_compat.data.augment import check_distortion, distorted
from caffe_compat.data.windows import rounded
from caffe_compat.forks.rcnn.scene_data import Framed, stepped
from caffe_compat.forks.rcnn.scenes import F, Fields
from caffe_compat.layers.base import layer


@layer("DetectionData")
class DetectionData(Framed):
    """tops = (pictures, a map of targets a kind of field ..., boxes if output_gt_boxes) of a window file with regions

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_data_layer.cpp
    Tops as ImageGtData's, for each stride, field_w, field_h, but boxes are (G, 8, 1, 1), the last number: difficult; a
    row of -1 if there are none. Pictures are distorted (distort_param) and mirrored at random, and resized to
    resize_width x resize_height, by resize_ratio, or so that the shorter side is short_size times a template_ratio drawn
    for the batch. One with the probability multiscale_prob is resized again, by a factor from low_scale_ratio to
    high_scale_ratio, or so that a box has a size from min_scale to max_scale, with the aspect changed by min_whaspect to
    max_whaspect. They are cut around a random box to crop_width x crop_height, crop_short_size x crop_long_size or
    short_size x long_size in multiples of 32 (upright if the batch's first picture is), or the first picture's size.
    Both ends are pixels of a box. A field that is not foreground and that regions cover by ignore_fg_threshold has
    overlap 1, and so has one that reaches out by more than anchor_ignore_margin_ratio of half its size, or of which less
    than anchor_ignore_iou_thr lies in the picture. A box that no field learns is given to the one at its centre if it
    overlaps some by pickup_iou_thr. shuffle: "random", "random_aspect" (all upright pictures, then all others, or the
    other way round), "random_mix_aspect" (mix_group_size of each in turn); without it the file's order.
    """

    message = "detection_data_param"
    fork_fields = ("detection_data_param",)
    elsewhere = (
        ("scale", "set transform_param.scale"),
        ("resize_param", "give resize_width and resize_height"),
    )

    def check_size(self) -> None:
        super().check_size()
        p = self.p
        self.sizing = self._one_of(
            ("resize_height", "resize_width"), ("resize_ratio",), ("short_size", "long_size")
        )
        self.cropping = self._one_of(("crop_height", "crop_width"), ("crop_short_size", "crop_long_size"))
        for short, long in (("short_size", "long_size"), ("crop_short_size", "crop_long_size")):
            if short in self.sizing + self.cropping and getattr(p, long) <= getattr(p, short):
                self.fail(
                    f"{long} is {getattr(p, long)} and {short} {getattr(p, short)}; the long one must be larger"
                )
        self.scaling = self._one_of(("min_scale", "max_scale"), ("low_scale_ratio", "high_scale_ratio"))
        self.aspect = self._one_of(("min_whaspect", "max_whaspect"))
        for low, high in filter(None, (self.scaling, self.aspect)):
            if not 0 < getattr(p, low) <= getattr(p, high):
                self.fail(
                    f"{low} is {getattr(p, low):g} and {high} {getattr(p, high):g}; use 0 < {low} <= {high}"
                )
        if p.shuffle not in _SHUFFLES:
            self.fail(f"shuffle {p.shuffle!r} is not known; use one of {', '.join(_SHUFFLES)}")
        if not p.mix_group_size:
            self.fail("mix_group_size is 0 and must be above 0")
        check_distortion(p.distort_param, self.fail)

    def _one_of(self, *ways: tuple[str, ...]) -> tuple[str, ...]:
        """The fields of these ways to say something that are given; () for none."""
        given = [way for way in ways if all(self.p.HasField(name) for name in way)]
        if len(given) > 1:
            self.fail(
                f"{self.message} gives both {' and '.join(given[0])}, and {' and '.join(given[1])}; remove one"
            )
        return given[0] if given else ()

    def make_fields(self, strides: list[int], sizes: list[tuple[int, int]]) -> Fields:
        p = self.p
        return Fields(
            strides,
            sizes,
            p.fg_threshold,
            covered=p.ignore_fg_threshold,
            pickup=p.pickup_iou_thr,
            pixels=True,
            margin=p.anchor_ignore_margin_ratio if p.HasField("anchor_ignore_margin_ratio") else None,
            inside=p.anchor_ignore_iou_thr if p.HasField("anchor_ignore_iou_thr") else None,
        )

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        order = super().line_order(replica, turn)
        if not self.p.HasField("shuffle"):
            return order
        generator = self.random(turn * self.replicas + replica)
        order = order[torch.randperm(len(order), generator=generator).numpy()]
        if self.p.shuffle == "random":
            return order
        upright = np.array([listed.height >= listed.width for listed in self.lines])[order]
        kinds = [order[upright], order[~upright]]
        if int(torch.randint(0, 2, (), generator=generator)):
            kinds.reverse()
        if self.p.shuffle == "random_mix_aspect":
            kinds = _alternate(kinds, self.p.mix_group_size)
        return np.concatenate(kinds)

    def fixed(self) -> bool:
        return "crop_height" in self.cropping or "resize_height" in self.sizing

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        if "crop_height" in self.cropping:
            return p.crop_height, p.crop_width
        if self.cropping:
            return p.crop_long_size, p.crop_short_size
        if "resize_height" in self.sizing:
            return p.resize_height, p.resize_width
        if "short_size" in self.sizing:
            return stepped(p.long_size), stepped(p.short_size)
        self.bad_data("no resize, no crop and no short_size and long_size tell the size of its pictures")

    def batch_ratio(self, start: int) -> float:
        ratios = self.p.template_ratio
        random = np.random.default_rng((self._seed, start + int(self.order[0]), 1))
        return ratios[random.integers(len(ratios))] if ratios else 1.0

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        p = self.p
        if "resize_height" in self.sizing:
            return p.resize_height, p.resize_width
        if not self.sizing:
            return height, width
        factor = F(p.resize_ratio)
        if "short_size" in self.sizing:
            factor = F(stepped(p.short_size * ratio)) / F(min(height, width))
        return rounded(F(height) * factor), rounded(F(width) * factor)

    def size_of(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        if self.fixed():
            return self.usual_size()
        if self.cropping:
            sides = self.p.crop_long_size, self.p.crop_short_size
        elif "short_size" in self.sizing:
            sides = stepped(self.p.long_size * ratio), stepped(self.p.short_size * ratio)
        else:
            return height, width
        return sides if height >= width else sides[::-1]

    def changed(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return (
            distorted(picture, self.p.distort_param, random) if self.p.HasField("distort_param") else picture
        )

    def factors(self, box: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        p = self.p
        factors = np.ones(2)
        if not self.scaling or random.random() >= p.multiscale_prob:
            return factors
        if "low_scale_ratio" in self.scaling:
            low, high = math.log2(p.low_scale_ratio), math.log2(p.high_scale_ratio)
        elif box is None:
            low = high = 1.0
        else:
            size = math.sqrt((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
            low, high = math.log2(p.min_scale / size), math.log2(p.max_scale / size)
        factors *= 2 ** random.uniform(low, high)
        if self.aspect:
            root = 2 ** (random.uniform(math.log2(p.min_whaspect), math.log2(p.max_whaspect)) / 2)
            factors *= root, 1 / root
        return factors


_SHUFFLES = ("random", "random_aspect", "random_mix_aspect")


def _alternate(kinds: list[np.ndarray], size: int) -> list[np.ndarray]:
    """So many of the one, then of the other, in turn, until one ends; then the rest of the other."""
    found: list[np.ndarray] = []
    used = [0, 0]
    turn = 0
    while used[turn] < len(kinds[turn]):
        part = kinds[turn][used[turn] : used[turn] + size]
        found.append(part)
        used[turn] += len(part)
        turn = 1 - turn
    return [*found, *(kind[at:] for kind, at in zip(kinds, used, strict=True))]
