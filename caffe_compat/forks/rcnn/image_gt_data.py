"""ImageGtData: batches of pictures with boxes, and what the fields of feature maps learn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from caffe_compat.data.windows import Listed, rounded
from caffe_compat.forks.rcnn.scene_data import Framed
from caffe_compat.forks.rcnn.scenes import F, Fields
from caffe_compat.layers.base import layer

_OCTAVE = 2  # scales an octave


@layer("ImageGtData")
class ImageGtData(Framed):
    """tops = (pictures, a map of targets a kind of field ..., boxes if output_gt_boxes) of a window file with regions

    Fork: zhaoweicai/mscnn, src/caffe/layers/image_gt_data_layer.cpp
    Tops: 0 (batch_size, 3, H, W); then, for each downsample_rate, field_w, field_h, (batch_size, 6, H / rate, W / rate):
    class, centre x and y, width and height, overlap of the box that the field there learns; last (G, 7, 1, 1): place
    in the batch, left, top, right, bottom, class, ignored; a row 0 1 1 2 2 1 1 if there are none.
    A picture is mirrored at random, resized to resize_width x resize_height, every second one by a random factor if
    do_multiple_scale (so that a box has a size from min_scale to max_scale, with another aspect from min_whaspect to
    max_whaspect), and cut to crop_width x crop_height around a random box. A field learns the box that it overlaps by
    more than fg_threshold. Boxes smaller than min_gt_width x min_gt_height or centred outside are ignored; they are
    class 0 with an overlap, and a field outside the picture or in regions has overlap 1. A box that no field learns is
    given to the one at its centre if it overlaps some by 0.2. Pictures with boxes come fg_img_multiple times.
    """

    message = "image_gt_data_param"
    fork_fields = ("image_gt_data_param",)
    transforms = ("mean_value", "mirror")
    elsewhere = (("mean_file", "give transform_param.mean_value"), ("mirror", "set transform_param.mirror"))
    difficult = False
    no_boxes = (0, 1, 1, 2, 2, 1, 1)

    def open(self) -> None:
        super().open()
        self.usual_size()

    def fixed(self) -> bool:
        return True

    def read_lines(self, path: str) -> Sequence[Listed]:
        multiple = self.p.fg_img_multiple
        return [
            picture
            for picture in super().read_lines(path)
            for _ in range(multiple if (picture.boxes[:, 1] == 0).any() else 1)
        ]

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        if not self.p.shuffle:
            return super().line_order(replica, turn)
        return torch.randperm(len(self.lines), generator=self.random(turn * self.replicas + replica)).numpy()

    def check_size(self) -> None:
        super().check_size()
        p = self.p
        if not self.fields.strides:
            self.fail(
                f"{self.message} has no downsample_rate; give at least one, with a field_w and a field_h"
            )
        self.scales = self.aspects = 0
        if p.do_multiple_scale and p.HasField("min_scale") and p.HasField("max_scale"):
            if not 0 < p.min_scale <= p.max_scale:
                self.fail(
                    f"min_scale is {p.min_scale} and max_scale {p.max_scale}; use 0 < min_scale <= max_scale"
                )
            self.scales = rounded(_OCTAVE * math.log2(p.max_scale / p.min_scale) + 1)
            if p.HasField("min_whaspect") and p.HasField("max_whaspect"):
                self.aspects = rounded((p.max_whaspect - p.min_whaspect) / 0.05)
                if self.aspects < 1 or p.min_whaspect <= 0:
                    self.fail(
                        f"min_whaspect is {p.min_whaspect:g} and max_whaspect {p.max_whaspect:g}; use 0 < min_whaspect, "
                        "and at least 0.05 more"
                    )

    def make_fields(self, strides: list[int], sizes: list[tuple[int, int]]) -> Fields:
        return Fields(strides, sizes, self.p.fg_threshold, covered=0.4, pickup=0.2, pixels=False)

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        size = crop = (0, 0)
        if p.HasField("resize_height") and p.HasField("resize_width"):
            size = p.resize_height, p.resize_width
        elif self.lines:
            size = self.lines[-1].height, self.lines[-1].width
        if p.HasField("crop_height") and p.HasField("crop_width"):
            crop = p.crop_height, p.crop_width
        if all(size) and (crop[0] > size[0] or crop[1] > size[1]):
            self.fail(
                f"crop_height x crop_width is {crop[0]} x {crop[1]}, and the pictures are {size[0]} x {size[1]}; use at "
                "most that"
            )
        size = crop[0] or size[0], crop[1] or size[1]
        if not all(size):
            self.bad_data(
                "neither resize_height and resize_width nor the crop's tell the size of its pictures"
            )
        return size

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        if self.p.HasField("resize_height") and self.p.HasField("resize_width"):
            return self.p.resize_height, self.p.resize_width
        return height, width

    def size_of(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        return self.usual_size()

    def factors(self, box: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        p = self.p
        factors = np.ones(2, F)
        if not self.scales or box is None or random.integers(2):
            return factors
        size = box[2:] - box[:2]
        steps = np.arange(self.scales, dtype=F) / _OCTAVE
        areas = np.square(F(p.min_scale) * 2**steps)
        area = size.prod()
        alike = np.minimum(area, areas) / np.maximum(area, areas)
        factors *= 2 ** (steps[random.integers(self.scales)] - steps[alike.argmax()])
        if self.aspects and random.integers(2):
            aspect = F(random.integers(self.aspects)) * F(0.05) + F(p.min_whaspect)
            along = int(random.integers(2))  # 0: the width is changed, 1: the height
            if (size > 0).all():
                change = aspect / (size[0] / size[1])
                changed = factors[along] * (change if along == 0 else 1 / change)
                if p.min_scale * 0.8 <= size[along] * changed <= p.max_scale * 1.2:
                    factors[along] = changed
        return factors
