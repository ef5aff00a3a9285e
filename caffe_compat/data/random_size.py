"""Pictures of a random size before the crop, as intel/caffe and NVIDIA/caffe make them.

Forks: intel/caffe, random_resize_param and random_aspect_ratio_param; NVIDIA/caffe, img_rand_resize_lower and _upper,
rand_resize_ratio_*, vertical_stretch_* and horizontal_stretch_*. Both: src/caffe/data_transformer.cpp, in all phases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from caffe_compat.data.annotated import Annotated
from caffe_compat.data.augment import Augment, resize
from caffe_compat.data.images import opencv
from caffe_compat.proto import ResizeParameter, TransformationParameter

_INTEL = ("random_resize_param", "random_aspect_ratio_param")
_RANGES = ("img_rand_resize", "rand_resize_ratio", "vertical_stretch", "horizontal_stretch")
_NVIDIA = tuple(f"{name}_{end}" for name in _RANGES for end in ("lower", "upper"))
FIELDS = (*_INTEL, *_NVIDIA, "interpolation_algo_down", "interpolation_algo_up", "allow_upscale")


class RandomSize(Augment):
    """An Augment that first gives the picture another size. Boxes, as shares of the picture, are not followed.

    Args:
        param: a TransformationParameter with one of FIELDS.
        fail: is called with what is wrong, and must raise.
    """

    def __init__(self, param: TransformationParameter, fail: Callable[[str], NoReturn]):
        super().__init__(param, (), fail)
        self.param = param
        self.steps: list[Callable[[np.ndarray, np.random.Generator], np.ndarray]] = []
        given = [name for name in _INTEL if param.HasField(name)]
        if given and not param.crop_size:
            fail(f"{given[0]} gives pictures of many sizes; set crop_size")
        if param.HasField("random_resize_param"):
            sizes = param.random_resize_param
            if sizes.max_size and sizes.min_size > sizes.max_size:
                fail(f"random_resize_param has min_size {sizes.min_size} above max_size {sizes.max_size}")
            self.steps.append(self._shorter_side)
        elif param.HasField("random_aspect_ratio_param"):
            p = param.random_aspect_ratio_param
            if not 0 < p.min_area_ratio <= p.max_area_ratio:
                fail(
                    f"random_aspect_ratio_param has min_area_ratio {p.min_area_ratio:g} and max_area_ratio "
                    f"{p.max_area_ratio:g}; use 0 < min <= max"
                )
            if not 0 < p.aspect_ratio_change <= 1:
                fail(
                    f"random_aspect_ratio_param.aspect_ratio_change is {p.aspect_ratio_change:g}; "
                    "use more than 0 and at most 1"
                )
            self.steps.append(self._part)
        if any(param.HasField(name) for name in _NVIDIA):
            for name in _RANGES:
                low, high = self._range(name)
                if low > high and name != "rand_resize_ratio":
                    fail(f"{name}_lower is {low:g} and {name}_upper {high:g}; use lower <= upper")
            self.steps.append(self._stretched)

    def __call__(self, record: Annotated, random: np.random.Generator) -> Annotated:
        return super().__call__(self._sized(record, random), random)

    def first_size(self, record: Annotated, random: np.random.Generator) -> Annotated:
        return super().first_size(self._sized(record, random), random)

    def _sized(self, record: Annotated, random: np.random.Generator) -> Annotated:
        picture = record.picture
        for step in self.steps:
            picture = step(picture, random)
        return replace(record, picture=picture)

    def _range(self, name: str) -> tuple[Any, Any]:
        return getattr(self.param, f"{name}_lower"), getattr(self.param, f"{name}_upper")

    def _shorter_side(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Both sides by one factor, so that the shorter is min_size to max_size long."""
        p, sides = self.param.random_resize_param, picture.shape[:2]
        low, high = p.min_size or min(sides), p.max_size or max(sides)
        return _to_shorter_side(
            picture, int(random.integers(low, max(low, high) + 1)), p.resize_param, random
        )

    def _part(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A part of random area and form, as large as the crop; after max_attempt misses the whole picture."""
        p, crop = self.param.random_aspect_ratio_param, self.param.crop_size
        height, width = picture.shape[:2]
        for _ in range(p.max_attempt):
            side = math.sqrt(_thousandths(p.min_area_ratio, p.max_area_ratio, random) * height * width)
            change = _thousandths(p.aspect_ratio_change, 1 / p.aspect_ratio_change, random)
            tall, wide = int(side * change), int(side / change)
            if _thousandths(0, 1, random) < 0.5:
                tall, wide = wide, tall
            if 0 < tall <= height and 0 < wide <= width:
                top, left = (int(random.integers(room + 1)) for room in (height - tall, width - wide))
                part = picture[top : top + tall, left : left + wide]
                return resize(part, _of_size(p.resize_param, crop, crop), random)
        return _to_shorter_side(picture, crop, p.resize_param, random)

    def _stretched(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The shorter side in img_rand_resize, then the longer to the shorter in rand_resize_ratio, then stretched.

        At least crop_size, and at most the picture's own size unless allow_upscale.
        """
        p, (height, width, channels) = self.param, picture.shape
        low, high = self._range("img_rand_resize")
        size = int(random.integers(low, high + 1)) if low > 0 and high > 0 else min(height, width)
        scale = size / min(height, width)
        tall, wide = scale * height, scale * width
        low, high = self._range("rand_resize_ratio")
        if low >= 1 and high > 1:
            ratio = random.uniform(low, high)
            if wide > tall or (wide == tall and random.random() < 0.5):
                wide = tall * ratio
            else:
                tall = wide * ratio
        for name in ("vertical_stretch", "horizontal_stretch"):
            low, high = self._range(name)
            factor = random.uniform(low, high) if low > 0 and high > 0 else 1
            tall, wide = (tall * factor, wide) if name == "vertical_stretch" else (tall, wide * factor)
        new = [max(p.crop_size, math.floor(side + 0.5)) for side in (tall, wide)]
        if not p.allow_upscale:
            new = [min(side, own) for side, own in zip(new, (height, width), strict=True)]
        if new == [height, width]:
            return picture
        smaller = new[0] <= height and new[1] <= width
        algorithm = p.interpolation_algo_down if smaller else p.interpolation_algo_up
        cv2 = opencv()
        mode = getattr(cv2, TransformationParameter.InterpolationAlgo.Name(algorithm))
        result = cv2.resize(picture, (new[1], new[0]), interpolation=mode)
        return result.reshape(*result.shape[:2], channels)


def _to_shorter_side(
    picture: np.ndarray, size: int, param: ResizeParameter, random: np.random.Generator
) -> np.ndarray:
    height, width = picture.shape[:2]
    if height < width:
        return resize(picture, _of_size(param, size, int(width / height * size)), random)
    return resize(picture, _of_size(param, int(height / width * size), size), random)


def _of_size(param: ResizeParameter, height: int, width: int) -> ResizeParameter:
    """A ResizeParameter with another size."""
    sized = ResizeParameter()
    sized.CopyFrom(param)
    sized.height, sized.width = height, width
    return sized


def _thousandths(low: float, high: float, random: np.random.Generator) -> float:
    """A number from low to high in steps of a thousandth, as the fork draws it."""
    return low + int(random.integers(int((high - low) * 1000 + 1))) / 1000
