"""WindowData: batches of boxes cut from pictures and warped to one size, as R-CNN trains on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import Ahead, sent
from caffe_compat.data.images import opencv
from caffe_compat.data.windows import Box, Pictures, read_windows, rounded
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import SeededPictureLayer

_AHEAD = 4  # batches


@layer("WindowData")
class WindowData(SeededPictureLayer):
    """tops = (warped boxes, their classes): a random sample of background boxes, then one of objects

    Caffe: src/caffe/layers/window_data_layer.cpp
    Tops: 0 pictures (batch_size, 3, crop_size, crop_size), 1 labels (batch_size,), 0 for background.
    crop_size, mirror and the mean are those of transform_param, the scale is window_data_param's. fg_fraction
    of a batch are objects. A box is widened so that context_pad pixels around it show after warping; what
    lies outside the picture stays 0.
    """

    num_top = 2

    def open(self) -> None:
        super().open()
        p = self.param.window_data_param
        self.crop, self.batch_size = self.transform.crop, p.batch_size
        if self.crop == 0 or self.batch_size == 0:
            self.fail(
                f"transform_param.crop_size is {self.crop} and window_data_param.batch_size {self.batch_size}; "
                "both must be set and above 0"
            )
        if p.context_pad * 2 >= self.crop:
            self.fail(
                f"context_pad {p.context_pad} leaves nothing of crop_size {self.crop}; use less than half of it"
            )
        if p.crop_mode not in ("warp", "square"):
            self.fail(f"crop_mode {p.crop_mode!r} is not known; use 'warp' or 'square'")
        self.objects = int(np.float32(self.batch_size) * np.float32(p.fg_fraction))
        try:
            self.windows = read_windows(self.context.path(p.source), p.fg_threshold, p.bg_threshold)
        except DataError as error:
            self.bad_data(str(error))
        self._check_mean()
        self._pictures = Pictures(p.cache_images)
        self.draw_seed()

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, self.windows.channels, self.crop, self.crop), (self.batch_size,)]

    def chances(self) -> list[str]:
        return ["samples windows", *super().chances()[: self.param.transform_param.mirror]]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = Ahead(self._samples(self.position), self._batch, _AHEAD)
        data, labels = self._ahead.next()
        self.position += self.batch_size * self.replicas
        return sent(data, device), sent(labels, device)

    def _samples(self, position: int) -> Iterator[list[tuple[Box, bool]]]:
        """Endless: the boxes of each batch served here, and whether each is mirrored."""
        size = self.batch_size * self.replicas
        while True:
            seed = (self._seed + position) % (1 << 62)
            draws = torch.randint(
                0, 1 << 32, (size, 2), generator=torch.Generator().manual_seed(seed)
            ).tolist()
            batch = []
            for at in self.mine().tolist():
                background = at // self.replicas < self.batch_size - self.objects
                boxes = self.windows.background if background else self.windows.foreground
                index, coin = draws[at]
                batch.append((boxes[index % len(boxes)], self.transform.mirror and coin % 2 == 1))
            yield batch
            position += size

    def _batch(self, sample: list[tuple[Box, bool]]) -> tuple[Tensor, Tensor]:
        data = torch.zeros(len(sample), self.windows.channels, self.crop, self.crop, dtype=self.context.dtype)
        for row, (box, mirrored) in zip(data, sample, strict=True):
            self._fill(row, box, mirrored)
        return data, torch.tensor([box.label for box, _ in sample], dtype=self.context.dtype)

    def _fill(self, row: Tensor, box: Box, mirrored: bool) -> None:
        """Write one warped box into its row of the batch, (C, crop, crop)."""
        cv2 = opencv()
        picture = self._picture(box.image)
        if picture.shape[2] != len(row):
            self.bad_data(
                f"the window file says {len(row)} channels and '{self.windows.images[box.image]}' is read with "
                f"{picture.shape[2]}; correct the window file"
            )
        x1, y1, x2, y2 = box.x1, box.y1, box.x2, box.y2
        width = height = self.crop
        left = top = 0
        p = self.param.window_data_param
        if p.context_pad or p.crop_mode == "square":
            (x1, x2, left, right, width), (y1, y2, top, _, height) = self._widened(box, *picture.shape[:2])
            left = right if mirrored else left
            width, height = min(width, self.crop - left), min(height, self.crop - top)
        if not (
            0 <= x1 <= x2 < picture.shape[1] and 0 <= y1 <= y2 < picture.shape[0] and min(width, height) > 0
        ):
            self.bad_data(
                f"a box {box.x1, box.y1, box.x2, box.y2} of '{self.windows.images[box.image]}' does not lie in the "
                f"picture, which is {picture.shape[1]} wide and {picture.shape[0]} high; correct the window file"
            )
        warped = cv2.resize(
            picture[y1 : y2 + 1, x1 : x2 + 1], (width, height), interpolation=cv2.INTER_LINEAR
        )
        if mirrored:
            warped = cv2.flip(warped, 1)
        pixels = torch.from_numpy(warped.transpose(2, 0, 1).copy()).to(self.context.dtype)
        rows, columns = slice(top, top + height), slice(left, left + width)
        if self.transform.mean is not None:
            pixels -= self._mean_window()[:, rows, columns]
        elif self.transform.mean_values is not None:
            pixels -= self.transform.mean_values.view(-1, 1, 1)
        row[:, rows, columns] = pixels * p.scale

    def _widened(self, box: Box, height: int, width: int) -> tuple[_Side, _Side]:
        """The box with its context, inside a picture of this size: along x and along y."""
        p = self.param.window_data_param
        # In float32, as Caffe computes it: the roundings decide about pixels.
        scale = np.float32(self.crop) / np.float32(self.crop - 2 * p.context_pad)
        half_x, half_y = np.float32(box.x2 - box.x1 + 1) / 2, np.float32(box.y2 - box.y1 + 1) / 2
        centre_x, centre_y = np.float32(box.x1) + half_x, np.float32(box.y1) + half_y
        if p.crop_mode == "square":
            half_x = half_y = max(half_x, half_y)
        return (
            _clip(centre_x - half_x * scale, centre_x + half_x * scale, width, self.crop),
            _clip(centre_y - half_y * scale, centre_y + half_y * scale, height, self.crop),
        )

    def _picture(self, index: int) -> np.ndarray:
        """The picture of this index, (H, W, 3)."""
        p = self.param.window_data_param
        path = self.context.path(p.root_folder + self.windows.images[index])
        picture = self._pictures.read(path)
        if picture is None:
            self.bad_data(
                f"cannot open or decode '{path}', picture {index} of '{p.source}'; correct it or root_folder"
            )
        return picture

    def _mean_window(self) -> Tensor:
        """The middle of the mean picture, (C, crop, crop); as in Caffe its width tells the middle of both axes."""
        mean = self.transform.mean
        assert mean is not None
        start = (mean.shape[2] - self.crop) // 2
        return mean[:, start : start + self.crop, start : start + self.crop]

    def _check_mean(self) -> None:
        channels, mean, values = self.windows.channels, self.transform.mean, self.transform.mean_values
        wanted = (channels, self.crop, self.crop)
        if mean is not None and (min(mean.shape[1:]) < self.crop or self._mean_window().shape != wanted):
            self.fail(
                f"mean_file '{self.transform.mean_file}' is {tuple(mean.shape)} and its middle must be {wanted}; "
                "make it from pictures of at least crop_size"
            )
        if values is not None and len(values) not in (1, channels):
            self.fail(f"{len(values)} mean_value for {channels} channels; give 1 or {channels}")


_Side = tuple[int, int, int, int, int]


def _clip(start: np.float32, end: np.float32, size: int, crop: int) -> _Side:
    """One axis of a widened box: first and last pixel in the picture; warped: what is missing on both sides, length."""
    first, last = rounded(start), rounded(end)
    scale = np.float32(crop) / np.float32(last - first + 1)
    before, after = max(0, -first), max(0, last - size + 1)
    first, last = first + before, last - after
    left, right, length = (rounded(np.float32(n) * scale) for n in (before, after, last - first + 1))
    return first, last, left, right, length
