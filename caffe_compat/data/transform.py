"""Caffe's transformation of pictures: crop, mean, mirror, scale, on a whole batch at once.

Caffe: src/caffe/data_transformer.cpp. The pixels stay uint8 until they are on the device; the arithmetic
is Caffe's, `(pixel - mean) * scale` in the net's precision, to the last bit.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import sent
from caffe_compat.errors import from_where
from caffe_compat.log import names
from caffe_compat.proto import TRAIN, TransformationParameter
from caffe_compat.proto.binary import read_binaryproto

_LARGE = 1 << 16  # values of a picture that a CPU works on alone


class Transformer:
    """What a layer's transform_param does to its pictures.

    Args:
        param: the TransformationParameter.
        phase: crops are random in TRAIN and central in TEST; mirror flips in both.
        generator: where the random draws come from.
        fail: is called with what is wrong, and must raise.
        root: the mean file's path starts here.
        dtype: of the result.
    """

    def __init__(
        self,
        param: TransformationParameter,
        phase: int,
        generator: torch.Generator,
        fail: Callable[[str], NoReturn],
        root: str = "",
        dtype: torch.dtype = torch.float32,
    ):
        self.crop, self.mirror, self.scale = param.crop_size, param.mirror, param.scale
        # The crop's height and width; 0 is none.
        self.window = (param.crop_height or self.crop, param.crop_width or self.crop)
        if (self.window[0] == 0) != (self.window[1] == 0):
            fail(
                f"crop_size is {self.crop}, crop_height {param.crop_height} and crop_width {param.crop_width}; "
                "set crop_size, or both of the others"
            )
        self.random_crop = phase == TRAIN and self.window[0] > 0
        self.generator, self.fail, self.dtype = generator, fail, dtype
        self._batches = Recycled()
        self.mean: Tensor | None = None  # (C, H, W)
        self.mean_values: Tensor | None = None  # (1,) or (C,)
        self.mean_file = os.path.join(root, names.file_name(param.mean_file))
        if param.HasField("mean_file"):
            if param.mean_value:
                fail(
                    f"both mean_file '{param.mean_file}' and {len(param.mean_value)} mean_value are given; "
                    "remove one of them"
                )
            self.mean = self._read_mean()
        if param.mean_value:
            self.mean_values = torch.tensor(param.mean_value, dtype=dtype)
        if param.force_color and param.force_gray:
            fail("force_color and force_gray are both set; remove one of them")
        self.colour: bool | None = True if param.force_color else False if param.force_gray else None

    def top_shape(self, shape: tuple[int, ...], name: Callable[[], str]) -> tuple[int, ...]:
        """The shape (C, H, W) that a picture of this one is cropped to; fails where crop or mean do not fit it.

        `name` says which picture it is.
        """
        channels, height, width = shape
        if self.window[0] > height or self.window[1] > width:
            square = self.window[0] == self.window[1]
            self.fail(
                f"{f'crop_size {self.crop}' if square else f'a crop of {_size(self.window)}'} is larger than {name()}, "
                f"which is {height} x {width}; use at most {min(height, width) if square else f'{height} x {width}'}"
            )
        if self.mean is not None and tuple(self.mean.shape) != shape:
            self.fail(
                f"mean_file '{self.mean_file}' is {_size(self.mean.shape)} and {name()} is {_size(shape)}; "
                "make the mean from this data with: caffe-compat compute-image-mean SOURCE MEAN_FILE"
            )
        if self.mean_values is not None and len(self.mean_values) not in (1, channels):
            self.fail(
                f"{len(self.mean_values)} mean_value for the {channels} channels of {name()}; give "
                f"{'1, or pictures in colour' if channels == 1 else f'1 or {channels}'}"
            )
        return (channels, *self.window) if self.window[0] else shape

    def draw(self, count: int) -> Tensor:
        """The random numbers of `count` pictures, in Caffe's order: mirror coin, row and column of the crop.

        int64 (count, 0 to 3): columns that the parameters do not need are left out.
        """
        columns = bool(self.mirror) + 2 * self.random_crop
        if not columns:
            return torch.empty((count, 0), dtype=torch.int64)
        return torch.randint(0, 1 << 32, (count, columns), generator=self.generator)

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Transform pictures (n, C, H, W), uint8 or float, with the draws made for each, where `images` is."""
        if self.mean is not None:
            self.mean = sent(self.mean, images.device)
        if self.mean_values is not None:
            self.mean_values = sent(self.mean_values, images.device)
        large = images.device.type == "cpu" and images[0].numel() >= _LARGE
        return (self._one_by_one if large else self._at_once)(images, draws)

    def _at_once(self, images: Tensor, draws: Tensor) -> Tensor:
        """Few operations, each on the whole batch.

        Mean and scale go pixel by pixel, so they may come before or after the cut: the mean image is
        subtracted first, in its own place, and the rest when fewer pixels are left.
        """
        result = images
        on_cpu = images.device.type == "cpu"
        own = self.mean is not None  # whether `result` may be changed: `images` may be kept for later
        if self.mean is not None:
            result = images.to(self.dtype, copy=True).sub_(self.mean)
        if self._cuts(images):
            if self.random_crop:
                tops, lefts = self._corners(images, draws)
                windows = _windows_on_cpu if on_cpu else _windows
                result, own = windows(result, tops, lefts, self.window), True
            else:
                result = self._cut(result)
        if self.mirror:
            flipped = draws[:, 0] % 2 == 1
            if on_cpu:
                result = _mirror_on_cpu(result if own else result.clone(), flipped)
            else:
                result = _mirrored(result, flipped)
        if self.mean is None:
            result = result.to(self.dtype, copy=True)
        return self._scaled(result).contiguous()

    def _one_by_one(self, images: Tensor, draws: Tensor) -> Tensor:
        """The same for large pictures on a CPU: each stays in the caches until it is done."""
        n, channels, height, width = images.shape
        cuts = self._cuts(images)
        side = self.window if cuts else (height, width)
        result = self._batches.empty((n, channels, *side), self.dtype)
        corners: Sequence[Sequence[int] | None] = [None] * n  # the middle
        if cuts and self.random_crop:
            corners = torch.stack(self._corners(images, draws), 1).tolist()
        flipped = (draws[:, 0] % 2).tolist() if self.mirror else [0] * n
        for image, top, corner, flip in zip(images, result, corners, flipped, strict=True):
            top.copy_(self._cut(image, corner) if cuts else image)
            if self.mean is not None:
                top.sub_(self._cut(self.mean, corner) if cuts else self.mean)
            if flip:
                top.copy_(top.flip(2))
            self._scaled(top)
        return result

    def _cuts(self, images: Tensor) -> bool:
        return self.window[0] > 0 and tuple(images.shape[2:]) != self.window

    def _corners(self, images: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """The row and the column at which each picture's random crop begins."""
        rows, columns = (side - size + 1 for side, size in zip(images.shape[2:], self.window, strict=True))
        return draws[:, -2] % rows, draws[:, -1] % columns

    def _cut(self, images: Tensor, corner: Sequence[int] | None = None) -> Tensor:
        """The crop of every picture that begins at this row and column, or the one in the middle."""
        height, width = self.window
        top, left = corner or ((images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2)
        return images[..., top : top + height, left : left + width]

    def _scaled(self, images: Tensor) -> Tensor:
        """`images` with mean_value subtracted and the scale applied, in place."""
        if self.mean_values is not None:
            images.sub_(self.mean_values.view(-1, 1, 1))
        return images.mul_(self.scale) if self.scale != 1 else images

    def _read_mean(self) -> Tensor:
        if not os.path.exists(self.mean_file):
            self.fail(
                f"mean_file '{self.mean_file}' does not exist; make it with: "
                f"caffe-compat compute-image-mean SOURCE {self.mean_file}{from_where(self.mean_file)}"
            )
        mean = read_binaryproto(self.mean_file)
        if mean.ndim == 4 and mean.shape[0] == 1:
            mean = mean[0]
        if mean.ndim != 3:
            self.fail(f"mean_file '{self.mean_file}' has the shape {mean.shape}; it must be 1 x C x H x W")
        return torch.from_numpy(mean).to(self.dtype)


class Recycled:
    """Tensors whose memory is used again once nothing refers to them any more.

    The system hands out fresh memory page by page, which takes longer than filling a large batch.
    """

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A CPU tensor with anything in it, which no other tensor shares memory with as long as it or a view lives."""
        while self._free:
            memory = self._free.pop()
            if memory.shape == tuple(shape) and memory.dtype == dtype:
                break
        else:
            memory = torch.empty(tuple(shape), dtype=dtype)
        # The memory of a tensor made from an array lets go of that array when it dies itself.
        array = memory.numpy()
        weakref.finalize(array, self._free.append, memory).atexit = False
        return torch.from_numpy(array)


def _size(shape: Iterable[int]) -> str:
    return " x ".join(str(side) for side in shape)


def _windows(images: Tensor, tops: Tensor, lefts: Tensor, window: tuple[int, int]) -> Tensor:
    """The (height, width) window of each picture that starts at its row and column."""
    index = torch.arange(len(images), device=images.device)
    return images.unfold(2, window[0], 1).unfold(3, window[1], 1)[index, :, tops, lefts]


def _windows_on_cpu(images: Tensor, tops: Tensor, lefts: Tensor, window: tuple[int, int]) -> Tensor:
    """The same by numpy, which copies row by row where torch copies byte by byte: four times as fast."""
    pixels = images.numpy()
    (n, channels, height, width), (image, plane, row, column) = pixels.shape, pixels.strides
    windows = np.lib.stride_tricks.as_strided(
        pixels,
        (n, height - window[0] + 1, width - window[1] + 1, channels, *window),
        (image, row, column, plane, row, column),
        writeable=False,
    )
    return torch.from_numpy(windows[np.arange(n), tops.numpy(), lefts.numpy()])


def _mirrored(images: Tensor, flipped: Tensor) -> Tensor:
    """The pictures, those of `flipped` with left and right exchanged."""
    return torch.where(flipped[:, None, None, None], images.flip(3), images)


def _mirror_on_cpu(images: Tensor, flipped: Tensor) -> Tensor:
    """The same by numpy, in place: only the pictures that change are touched."""
    pixels, which = images.numpy(), np.flatnonzero(flipped.numpy())
    rows = pixels[which]
    if pixels.itemsize == 1 and pixels.shape[3] % 8 == 0:  # eight bytes at a time: twice as fast
        pixels[which] = rows.view(np.uint64)[..., ::-1].byteswap().view(np.uint8)
    else:
        pixels[which] = rows[..., ::-1]
    return images
