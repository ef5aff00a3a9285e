"""What is done to a picture and its boxes before the crop: distorted, expanded, cut, resized.

Fork: weiliu89/caffe (SSD), src/caffe/{data_transformer,util/im_transforms}.cpp. Where the fork writes a
picture as JPEG between two steps, here it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from caffe_compat.data.annotated import CORNERS, Annotated
from caffe_compat.data.box_sampling import jittered, project, sampled
from caffe_compat.data.images import opencv
from caffe_compat.proto import BatchSampler, DistortionParameter, ResizeParameter, TransformationParameter


class Augment:
    """The steps from a stored picture to one that is ready to be cropped and mirrored: distort, expand, cut, resize.

    Args:
        param: the TransformationParameter.
        samplers: the BatchSamplers of which one sample is cut out.
        fail: is called with what is wrong, and must raise.
        resizing: a ResizeParameter in place of param's.
        jitter: the share of each side by which a part is cut out where there are no samplers (MobileNet-YOLO).
    """

    def __init__(
        self,
        param: TransformationParameter,
        samplers: Sequence[BatchSampler],
        fail: Callable[[str], NoReturn],
        resizing: ResizeParameter | None = None,
        jitter: float = 0,
    ):
        self.distortion = param.distort_param if param.HasField("distort_param") else None
        self.expansion = param.expand_param if param.HasField("expand_param") else None
        if resizing is None and param.HasField("resize_param"):
            resizing = param.resize_param
        self.resizing, self.jitter = resizing, jitter
        self.emit = param.emit_constraint if param.HasField("emit_constraint") else None
        self.samplers, self.fill = list(samplers), list(param.mean_value) or [0.0]
        self._check(fail)

    def _check(self, fail: Callable[[str], NoReturn]) -> None:
        if self.resizing is not None and not (self.resizing.height and self.resizing.width):
            fail(
                f"resize_param is {self.resizing.height} x {self.resizing.width}; height and width must both be above 0"
            )
        if self.resizing is not None and (self.resizing.height_scale or self.resizing.width_scale):
            fail(
                f"resize_param has height_scale {self.resizing.height_scale} and width_scale "
                f"{self.resizing.width_scale}, whose boxes are not known here; remove them"
            )
        if self.distortion is not None:
            check_distortion(self.distortion, fail)
        for sampler in (batch.sampler for batch in self.samplers):
            if not 0 < sampler.min_scale <= sampler.max_scale <= 1:
                fail(
                    f"batch_sampler has min_scale {sampler.min_scale:g} and max_scale {sampler.max_scale:g}; "
                    "use 0 < min_scale <= max_scale <= 1"
                )
            if not 0 < sampler.min_aspect_ratio <= sampler.max_aspect_ratio:
                fail(
                    f"batch_sampler has min_aspect_ratio {sampler.min_aspect_ratio:g} and max_aspect_ratio "
                    f"{sampler.max_aspect_ratio:g}; use 0 < min <= max"
                )

    def __call__(self, record: Annotated, random: np.random.Generator) -> Annotated:
        """The record after all steps; draws what they need from `random`."""
        if self.distortion is not None:
            record = replace(record, picture=distorted(record.picture, self.distortion, random))
        if self.expansion is not None:
            record = self._expanded(record, random)
        samples = [box for batch in self.samplers for box in sampled(batch, record.boxes[:, CORNERS], random)]
        if self.jitter and not self.samplers:
            keeps = (
                self.resizing is not None
                and self.resizing.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD
            )
            samples = [jittered(self.jitter, keeps, random)]
        if samples:
            record = self._cut(record, samples[random.integers(len(samples))])
        return self.resized(record, random)

    def _expanded(self, record: Annotated, random: np.random.Generator) -> Annotated:
        """The picture on a larger ground of the mean colour."""
        assert self.expansion is not None
        if random.random() > self.expansion.prob or abs(self.expansion.max_expand_ratio - 1) < 1e-2:
            return record
        height, width, channels = record.picture.shape
        ratio = random.uniform(1, self.expansion.max_expand_ratio)
        tall, wide = int(height * ratio), int(width * ratio)
        top, left = (int(random.uniform(0, room)) for room in (tall - height, wide - width))
        ground = np.empty((tall, wide, channels), np.uint8)
        ground[...] = np.clip(np.rint(self.fill), 0, 255).astype(np.uint8)
        ground[top : top + height, left : left + width] = record.picture
        box = np.array(
            [-left / width, -top / height, (wide - left) / width, (tall - top) / height], np.float32
        )
        return Annotated(ground, project(record.boxes, box, self.emit), record.label)

    def _cut(self, record: Annotated, box: np.ndarray) -> Annotated:
        height, width = record.picture.shape[:2]
        box = box.clip(0, 1)
        left, top = int(box[0] * width), int(box[1] * height)
        wide, tall = int(box[2] * width - box[0] * width), int(box[3] * height - box[1] * height)
        picture = record.picture[top : top + max(1, tall), left : left + max(1, wide)]
        return Annotated(picture, project(record.boxes, box, self.emit), record.label)

    def first_size(self, record: Annotated, random: np.random.Generator) -> Annotated:
        """The record with all that tells the size of pictures that are not cropped."""
        return self.resized(record, random)

    def resized(self, record: Annotated, random: np.random.Generator) -> Annotated:
        """The picture and its boxes as resize_param has them."""
        if self.resizing is None:
            return record
        height, width = record.picture.shape[:2]
        boxes = record.boxes.copy()
        boxes[:, CORNERS] = boxes_in_resized(boxes[:, CORNERS], self.resizing, height, width)
        return Annotated(resize(record.picture, self.resizing, random), boxes, record.label)


def resize(picture: np.ndarray, param: ResizeParameter, random: np.random.Generator) -> np.ndarray:
    """The picture (H, W, C) in the size of a ResizeParameter; one of its interp_mode is drawn."""
    cv2 = opencv()
    height, width, channels = picture.shape
    tall, wide = param.height, param.width
    mode = cv2.INTER_LINEAR
    if param.interp_mode:
        chosen = param.interp_mode[random.integers(len(param.interp_mode))]
        mode = getattr(cv2, f"INTER_{ResizeParameter.Interp_mode.Name(chosen)}")
    if param.resize_mode == ResizeParameter.FIT_SMALL_SIZE:
        tall, wide = _fit(param, height, width, smaller=True)
    elif param.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        tall, wide = _fit(param, height, width, smaller=False)
    result = cv2.resize(picture, (wide, tall), interpolation=mode)
    if param.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        above, left = (param.height - tall) // 2, (param.width - wide) // 2
        border = {
            ResizeParameter.MIRRORED: cv2.BORDER_REFLECT_101,
            ResizeParameter.REPEAT_NEAREST: cv2.BORDER_REPLICATE,
        }.get(param.pad_mode, cv2.BORDER_CONSTANT)
        values = list(param.pad_value) or [0.0]
        values = values * channels if len(values) == 1 else values
        result = cv2.copyMakeBorder(
            result,
            above,
            param.height - tall - above,
            left,
            param.width - wide - left,
            border,
            value=values[:4],
        )
    return result.reshape(*result.shape[:2], channels)


def _fit(param: ResizeParameter, height: int, width: int, smaller: bool) -> tuple[int, int]:
    """The size of the picture's own form whose smaller (or larger) side is that of the parameter."""
    aspect, wanted = np.float32(width / height), np.float32(param.width / param.height)
    if (aspect < wanted) == smaller:
        return max(1, int(param.width / aspect)), param.width
    return param.height, max(1, int(aspect * param.height))


def boxes_in_resized(corners: np.ndarray, param: ResizeParameter, height: int, width: int) -> np.ndarray:
    """Corners as shares of the resized picture, cut to it."""
    if param.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        return corners.clip(0, 1)
    aspect, wanted = width / height, param.width / param.height
    pad_x = 0.0 if aspect > wanted else (1 - aspect / wanted) / 2
    pad_y = (1 - wanted / aspect) / 2 if aspect > wanted else 0.0
    pad, size = np.array([pad_x, pad_y] * 2), np.array([1 - 2 * pad_x, 1 - 2 * pad_y] * 2)
    moved = pad + (corners * size).clip(0, None)
    return np.minimum(moved, 1).astype(np.float32)


def check_distortion(param: DistortionParameter, fail: Callable[[str], NoReturn]) -> None:
    """Call `fail`, which must raise, for a DistortionParameter that `distorted` cannot follow."""
    for what in ("contrast", "saturation"):
        low, high = (getattr(param, f"{what}_{end}") for end in ("lower", "upper"))
        if not 0 <= low <= high:
            fail(f"distort_param has {what}_lower {low:g} and {what}_upper {high:g}; use 0 <= lower <= upper")
    for what in ("brightness_delta", "hue_delta"):
        if getattr(param, what) < 0:
            fail(f"distort_param.{what} is {getattr(param, what):g} and must be at least 0")


def distorted(picture: np.ndarray, param: DistortionParameter, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation, hue and order of the channels changed at random (BGR)."""

    def contrast(x: np.ndarray) -> np.ndarray:
        if random.random() >= param.contrast_prob:
            return x
        return _linear(x, random.uniform(param.contrast_lower, param.contrast_upper), 0)

    def saturation(x: np.ndarray) -> np.ndarray:
        if random.random() >= param.saturation_prob:
            return x
        return _in_hsv(x, 1, random.uniform(param.saturation_lower, param.saturation_upper), 0)

    def hue(x: np.ndarray) -> np.ndarray:
        if random.random() >= param.hue_prob:
            return x
        return _in_hsv(x, 0, 1, random.uniform(-param.hue_delta, param.hue_delta))

    contrast_first = random.random() > 0.5
    if random.random() < param.brightness_prob:
        picture = _linear(picture, 1, random.uniform(-param.brightness_delta, param.brightness_delta))
    for step in (contrast, saturation, hue) if contrast_first else (saturation, hue, contrast):
        picture = step(picture)
    if random.random() < param.random_order_prob:
        picture = np.ascontiguousarray(picture[..., random.permutation(picture.shape[2])])
    return picture


def _linear(x: np.ndarray, factor: float, offset: float) -> np.ndarray:
    """x * factor + offset, rounded and kept within a byte."""
    table = np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8)
    return table[x]


def _in_hsv(x: np.ndarray, channel: int, factor: float, offset: float) -> np.ndarray:
    """One channel of hue, saturation, value changed; pictures without colour stay."""
    if x.shape[2] != 3:
        return x
    cv2 = opencv()
    hsv = cv2.cvtColor(x, cv2.COLOR_BGR2HSV)
    hsv[..., channel] = _linear(hsv[..., channel], factor, offset)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
