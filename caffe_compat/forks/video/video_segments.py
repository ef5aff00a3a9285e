"""VideoSegments: VideoData of temporal segment networks, frames from several places of a video."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import sent
from caffe_compat.forks.video.video_data import OF_SEGMENTS, VideoData, read_words
from caffe_compat.layers.base import TRAIN, Shape, form
from caffe_compat.proto import VideoDataParameter


@form("VideoData", lambda param: any(param.video_data_param.HasField(name) for name in OF_SEGMENTS))
class VideoSegments(VideoData):
    """tops = (stacked frames, labels) of the next batch_size lines of `folder frames label`

    Fork: yjxiong/caffe (temporal segment networks), src/caffe/{layers/video_data_layer,data_transformer}.cpp
    Tops: 0 (batch_size, C, H, W), 1 labels (batch_size, 1, 1, 1). A video is divided into num_segments of equal length;
    of each come new_length frames from a random one on in TRAIN, else from its middle. C is the frames' channels one
    after the other: 3 for RGB, 2 for FLOW (the pictures x and y). The files are numbered from 1 as name_pattern says
    ("%c" is x or y). In TRAIN multi_scale draws the crop's sides, the shorter side times two of scale_ratios (1, .875,
    .75, .66) at most max_distort places apart in that list, a side within 2 of crop_size being crop_size; fix_crop
    draws the crop's place from the corners and the centre, more_fix_crop from 13 places; it is resized to crop_size.
    With is_flow a mirrored x is 255 - x. mean_value is repeated for all channels.
    """

    def open(self) -> None:
        self.message = "video_data_param"
        self.open_list()
        p, t = self.p, self.param.transform_param
        strange = [
            field.name
            for field, _ in p.ListFields()
            if field.name
            not in (
                *OF_SEGMENTS,
                "source",
                "batch_size",
                "shuffle",
                "rand_skip",
                "new_height",
                "new_width",
                "new_length",
            )
        ]
        if strange:
            self.fail(
                f"video_data_param.{', '.join(strange)}: of a fork whose VideoData is another layer; remove it"
            )
        if t.HasField("mean_file"):
            self.fail(
                "transform_param.mean_file is not known to VideoData with num_segments; give mean_value"
            )
        self.flow = p.modality == VideoDataParameter.FLOW
        self.segments, self.length = p.num_segments, p.new_length or 1
        self.pattern = p.name_pattern or ("flow_%c_%04d.jpg" if self.flow else "image_%04d.jpg")
        self.check_pattern()
        self.first = self._read(int(next(self.batches(0))[0]), [0] * self.segments)
        if t.crop_size > min(self.first.shape[1:]):
            self.fail(
                f"crop_size {t.crop_size} is larger than the frames, which are {self.first.shape[1]} x "
                f"{self.first.shape[2]}"
            )
        channels, values = len(self.first), list(t.mean_value)
        if values and channels % len(values):
            self.fail(f"{len(values)} mean_value for {channels} channels; give as many as divide them")
        self.means = np.resize(np.array(values, np.float32), channels) if values else None

    def check_pattern(self) -> None:
        try:
            _ = self.pattern % (("x", 1) if self.flow else 1)
        except (TypeError, ValueError) as error:
            form = "flow_%c_%05d.jpg" if self.flow else "img_%05d.jpg"
            self.fail(f"name_pattern '{self.pattern}' is no pattern: {error}; write one like \"{form}\"")

    def read_lines(self, path: str) -> list[list[str]]:
        return read_words(path, "folder frames label")

    def guess(self) -> list[Shape]:
        p, t = self.param.video_data_param, self.param.transform_param
        size = (t.crop_size,) * 2 if t.crop_size else (p.new_height, p.new_width)
        if not all(size):
            self.bad_data("neither crop_size nor new_height and new_width tell the shape of its frames")
        channels = (2 if p.modality == VideoDataParameter.FLOW else 3) * (p.new_length or 1) * p.num_segments
        return [(p.batch_size, channels, *size), (p.batch_size, 1, 1, 1)]

    def draws_frames(self) -> bool:
        return self.phase == TRAIN

    def reshape(self, *bottom: Shape) -> list[Shape]:
        crop = self.param.transform_param.crop_size
        size = (crop, crop) if crop else self.first.shape[1:]
        return [(self.batch_size, len(self.first), *size), (self.batch_size, 1, 1, 1)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = self.batches(self.position)  # type: ignore[assignment]  # frames are read when they are served
        lines = next(self._ahead).tolist()  # type: ignore[call-overload]
        count = self.batch_size * self.replicas
        seeds = torch.randint(0, 1 << 32, (count,), generator=self.generator)[self.order].tolist()
        self.position += count
        stacks = [
            self._stack(line, np.random.default_rng(seed)) for line, seed in zip(lines, seeds, strict=True)
        ]
        for line, stack in zip(lines, stacks, strict=True):
            if stack.shape != stacks[0].shape:
                self.bad_data(
                    f"the frames of line {line + 1} have the shape {stack.shape} and the first of the batch "
                    f"{stacks[0].shape}; set crop_size, or new_height and new_width"
                )
        data = sent(torch.from_numpy(np.stack(stacks)), device, self.context.dtype)
        labels = torch.tensor(
            [float(self.lines[line][2].split(",")[0]) for line in lines], dtype=self.context.dtype
        )
        return data, sent(labels.view(-1, 1, 1, 1), device)

    def _stack(self, line: int, random: np.random.Generator) -> np.ndarray:
        """The transformed frames of a line (C, H, W), float32."""
        part = int(self.lines[line][1]) // self.segments
        spare = part - self.length
        starts = [
            0
            if spare < 0
            else (random.integers(spare + 1) if self.phase == TRAIN else (spare + 1) // 2) + i * part
            for i in range(self.segments)
        ]
        t, frames = self.param.transform_param, self._read(line, starts)
        if t.crop_size:
            frames = self._cropped(frames, random)
        stack = frames.astype(np.float32)
        if t.mirror and random.integers(2):
            stack = stack[..., ::-1]
            if t.is_flow:
                stack[::2] = 255 - stack[::2]
        if self.means is not None:
            stack = stack - self.means[:, None, None]
        return np.ascontiguousarray(stack * np.float32(t.scale))

    def _cropped(self, frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
        t, sides = self.param.transform_param, frames.shape[1:]
        size = crop = (t.crop_size, t.crop_size)
        starts = [(side - t.crop_size) // 2 for side in sides]
        if self.phase == TRAIN:
            if t.multi_scale:
                sizes = crop_sizes(min(sides), t.crop_size, t.scale_ratios, t.max_distort)
                size = sizes[random.integers(len(sizes))]
            spare = [side - part for side, part in zip(sides, size, strict=True)]
            if t.HasField("fix_crop") and t.fix_crop:
                quarters = [room // 4 for room in spare]
                places = PLACES if t.more_fix_crop else PLACES[:5]
                place = places[random.integers(len(places))]
                starts = [count * quarter for count, quarter in zip(place, quarters, strict=True)]
            else:
                starts = [int(random.integers(room + 1)) for room in spare]
        rows, columns = (slice(start, start + part) for start, part in zip(starts, size, strict=True))
        frames = frames[:, rows, columns]
        if size == crop:
            return frames
        cv2 = images.opencv()
        return np.stack([cv2.resize(frame, crop) for frame in frames])

    def _read(self, line: int, starts: list[int]) -> np.ndarray:
        """The frames of all segments (C, H, W) uint8."""
        folder = self.lines[line][0]
        planes = []
        for number in (start + i for start in starts for i in range(1, self.length + 1)):
            for axis in "xy" if self.flow else "-":
                name = os.path.join(folder, self.pattern % ((axis, number) if self.flow else number))
                planes.append(images.planes(self.read_picture(line, name, not self.flow)))
        return np.concatenate(planes)


# Places of a crop in quarters of the room: corners and centre; the middles of the sides; half-way to the corners.
PLACES = (
    (0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3),
)  # fmt: skip


def crop_sizes(side: int, crop: int, ratios: Sequence[float], distort: int) -> list[tuple[int, int]]:
    """The heights and widths that multi_scale draws from, for pictures whose shorter side is `side`."""
    lengths = [int(np.float32(side) * np.float32(ratio)) for ratio in ratios or (1, 0.875, 0.75, 0.66)]
    lengths = [crop if abs(length - crop) < 3 else length for length in lengths]
    return [
        (height, width)
        for i, height in enumerate(lengths)
        for j, width in enumerate(lengths)
        if abs(i - j) <= distort
    ]
