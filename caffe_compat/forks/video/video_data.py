"""VideoData: clips of consecutive frames, from videos or from folders of pictures."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import sent
from caffe_compat.errors import DataError, from_where
from caffe_compat.layers.base import TRAIN, Shape, layer
from caffe_compat.layers.image_data import ListedLayer
from caffe_compat.proto import fork_fields
from caffe_compat.proto.binary import read_binaryproto

_C3D_FIELDS = ("new_length", "show_data", "use_image", "sampling_rate", "use_temporal_jitter")
_KNOWN = {
    *_C3D_FIELDS, "source", "scale", "mean_file", "batch_size", "crop_size", "mirror", "rand_skip", "shuffle",
    "new_height", "new_width", "is_color", "root_folder", "max_sampling_rate", "use_sampling_rate_jitter",
    "use_multiple_label", "num_of_labels",
}  # fmt: skip
OF_SEGMENTS = ("num_segments", "modality", "name_pattern")
_MULTI_SCALE = ("multi_scale", "scale_ratios", "max_distort", "fix_crop", "more_fix_crop", "is_flow")


@layer("VideoData")
class VideoData(ListedLayer):
    """tops = (clips (batch_size, 3, new_length, H, W), labels) of the next batch_size lines of `path start label`

    Fork: facebookarchive/C3D, chuckcho/video-caffe
    A clip is every sampling_rate-th frame (up to max_sampling_rate, drawn, with use_sampling_rate_jitter) from frame
    `start` on, of a video, or with use_image of the pictures path/000001.jpg, path/000002.jpg, ... With
    use_temporal_jitter the start is drawn: lines are `path label` for videos, and `path frames label` for pictures,
    where TEST starts at 0. Crop, mirror, mean (mean_file has a clip's shape) and scale are those of transform_param, or
    of video_data_param; a clip is treated as a whole. Labels are (batch_size,), or with use_multiple_label (lines end
    in `1,5,7`) 0 and 1 in (batch_size, num_of_labels). C3D 1.0 has all this in image_data_param and labels of
    (batch_size, 1, 1, 1, 1). show_data shows nothing. A clip that cannot be read is an error, in TRAIN too.
    With num_segments, modality or name_pattern it is VideoSegments.
    """

    num_top = 2
    fork_fields = (
        "video_data_param",
        *(f"image_data_param.{name}" for name in _C3D_FIELDS),
        *(f"video_data_param.{name}" for name in OF_SEGMENTS),
        "video_data_param.modality: RGB",
        "video_data_param.modality: FLOW",
        *(f"transform_param.{name}" for name in _MULTI_SCALE),
    )

    def open(self) -> None:
        self.message = "image_data_param" if self._is_old() else "video_data_param"
        self.open_list()  # and no Transformer, which is for pictures
        p = self.p
        strange = [field.name for field, _ in p.ListFields() if field.name not in _KNOWN]
        strange += [name for name in fork_fields(self.param) if name.startswith("transform_param.")]
        if strange:
            self.fail(
                f"{self.message}.{', '.join(strange)}: of a fork whose VideoData is another layer; remove it"
            )
        if p.new_length < 1:
            self.fail(f"{self.message}.new_length is {p.new_length}, it must be set and above 0")
        self.length, self.drawn_start = p.new_length, p.use_temporal_jitter
        self.several = getattr(p, "use_multiple_label", False)
        self.top_rate = p.max_sampling_rate if getattr(p, "use_sampling_rate_jitter", False) else 0
        self.crop, self.mirror = self._setting("crop_size"), self._setting("mirror")
        self.scale, self.mean = self._setting("scale"), self._read_mean()
        self.size = self._read_clip(int(next(self.batches(0))[0]), 0, 0).shape[2:]
        if self.crop > min(self.size):
            self.fail(
                f"crop_size {self.crop} is larger than the frames, which are {self.size[0]} x {self.size[1]}"
            )

    def _is_old(self) -> bool:
        return not self.param.HasField("video_data_param") and self.param.HasField("image_data_param")

    def _setting(self, name: str) -> Any:
        """A number of the transformation, from transform_param or else from the layer's own message."""
        t = self.param.transform_param
        return getattr(t if t.HasField(name) else self.p, name, getattr(t, name))

    def _read_mean(self) -> Tensor | None:
        path, values = self._setting("mean_file"), self.param.transform_param.mean_value
        if path and values:
            self.fail(f"both mean_file '{path}' and {len(values)} mean_value are given; remove one of them")
        if not path:
            if len(values) not in (0, 1, 3):
                self.fail(f"{len(values)} mean_value for 3 channels; give 1 or 3")
            return torch.tensor(values, dtype=self.context.dtype).view(-1, 1, 1, 1) if values else None
        path = self.context.path(path)
        if not os.path.exists(path):
            self.fail(f"mean_file '{path}' does not exist; make it from these clips, or give mean_value")
        mean = read_binaryproto(path)
        return torch.from_numpy(np.array(mean)).to(self.context.dtype).reshape(mean.shape[-4:])

    def read_lines(self, path: str) -> list[list[str]]:
        drawn = self.p.use_temporal_jitter and not self.p.use_image
        return read_words(path, "path label" if drawn else "path start label")

    def guess(self) -> list[Shape]:
        old = self._is_old()
        p = self.param.image_data_param if old else self.param.video_data_param
        crop = self.param.transform_param.crop_size or p.crop_size
        size = (crop, crop) if crop else (p.new_height, p.new_width)
        if not all(size) or not p.new_length:
            self.bad_data(
                "neither new_length and crop_size nor new_height and new_width tell the shape of its clips"
            )
        new = self.param.video_data_param
        labels = (
            p.batch_size,
            *([new.num_of_labels] if not old and new.use_multiple_label else [1] * 4 * old),
        )
        return [(p.batch_size, 3, p.new_length, *size), labels]

    def chances(self) -> list[str]:
        crops = bool(self._setting("crop_size")) and self.phase == TRAIN
        words = [
            (self.p.shuffle, "shuffles"),
            (self.p.rand_skip, "skips lines"),
            (self.draws_frames(), "chooses frames"),
            (self._setting("mirror"), "mirrors"),
            (crops, "crops"),
        ]
        return [word for value, word in words if value]

    def draws_frames(self) -> bool:
        """Whether it is drawn which frames of a video are served."""
        if self.top_rate > 1:
            return True
        return bool(self.drawn_start) and (self.phase == TRAIN or not self.p.use_image)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        size = (self.crop, self.crop) if self.crop else self.size
        if (
            self.mean is not None
            and self.mean.numel() > 3
            and self.mean.shape != (3, self.length, *self.size)
        ):
            self.fail(
                f"the mean of shape {tuple(self.mean.shape)} does not fit clips of {(3, self.length, *self.size)}; "
                "make it from these clips"
            )
        ones = [1] * 4 if self.message == "image_data_param" else []
        labels = [self.p.num_of_labels] if self.several else ones
        return [(self.batch_size, 3, self.length, *size), (self.batch_size, *labels)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = self.batches(self.position)  # type: ignore[assignment]  # clips are read when they are served
        lines = next(self._ahead).tolist()  # type: ignore[call-overload]
        count = self.batch_size * self.replicas
        draws = torch.randint(0, 1 << 32, (count, 5), generator=self.generator)[self.order].tolist()
        self.position += count
        clips = [self._clip(line, draw) for line, draw in zip(lines, draws, strict=True)]
        for line, clip in zip(lines, clips, strict=True):
            if clip.shape != clips[0].shape:
                self.bad_data(
                    f"the clip of line {line + 1} has the shape {tuple(clip.shape)} and the first of its batch "
                    f"{tuple(clips[0].shape)}; set new_height and new_width"
                )
        data = sent(torch.stack(clips), device)
        return data, sent(self._labels(lines), device)

    def _labels(self, lines: list[int]) -> Tensor:
        words = [self.lines[line][-1].split(",") for line in lines]
        if not self.several:
            labels = torch.tensor([float(word[0]) for word in words], dtype=self.context.dtype)
            return labels.view(-1, 1, 1, 1, 1) if self.message == "image_data_param" else labels
        labels = torch.zeros(len(words), self.p.num_of_labels, dtype=self.context.dtype)
        for line, row, word in zip(lines, labels, words, strict=True):
            for label in map(int, word):
                if label >= len(row):
                    self.bad_data(f"label {label} of line {line + 1} is not below num_of_labels, {len(row)}")
                row[label] = 1
        return labels

    def _clip(self, line: int, draws: list[int]) -> Tensor:
        """The transformed clip of a line."""
        rate, start, coin, *corner = draws
        clip = torch.from_numpy(self._read_clip(line, rate, start)).to(self.context.dtype)
        if self.mean is not None:
            clip -= self.mean
        if self.crop:
            spare = [size - self.crop for size in clip.shape[2:]]
            top, left = (
                draw % (room + 1) if self.phase == TRAIN else room // 2
                for draw, room in zip(corner, spare, strict=True)
            )
            clip = clip[:, :, top : top + self.crop, left : left + self.crop]
        clip = clip * self.scale
        return clip.flip(-1) if self.mirror and coin % 2 else clip

    def _read_clip(self, line: int, rate: int, start: int) -> np.ndarray:
        """(3, new_length, H, W) uint8; `rate` and `start` are random numbers."""
        name, *begin, _ = self.lines[line]
        step = rate % self.top_rate + 1 if self.top_rate else self.p.sampling_rate
        path = self.context.path(self.p.root_folder + name)
        span = self.length * step
        if self.p.use_image:
            first = int(begin[0])
            if self.drawn_start:
                if first < span:
                    self.bad_data(
                        f"line {line + 1} of '{self.p.source}' has {first} frames, a clip needs {span}"
                    )
                first = start % (first - span + 1) + 1 if self.phase == TRAIN else 0
            names = [os.path.join(path, f"{first + i * step:06d}.jpg") for i in range(self.length)]
            read = [images.read(name, self.p.new_height, self.p.new_width) for name in names]
            frames = []
            for name, frame in zip(names, read, strict=True):
                if frame is None:
                    self.bad_data(f"line {line + 1} of '{self.p.source}': cannot open or decode '{name}'")
                frames.append(frame)
        else:
            frames = self._decode(line, path, span, step, None if self.drawn_start else int(begin[0]), start)
        return np.stack([images.planes(frame) for frame in frames], 1)

    def _decode(
        self, line: int, path: str, span: int, step: int, first: int | None, draw: int
    ) -> list[np.ndarray]:
        """Frames of a video from `first` on, or from one that is drawn."""
        cv2 = images.opencv()
        video = cv2.VideoCapture(path)
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        first = draw % max(1, count - span + 1) if first is None else first
        frames = []
        if first + span <= count:
            video.set(cv2.CAP_PROP_POS_FRAMES, first)
            for i in range(span):
                done, frame = video.read()
                if done and i % step == 0:
                    frames.append(
                        cv2.resize(frame, (self.p.new_width, self.p.new_height))
                        if self.p.new_height
                        else frame
                    )
        video.release()
        if len(frames) != self.length:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': '{path}' has {count} frames that OpenCV can read, and the clip "
                f"needs {span} from {first} on; correct the list or the video"
            )
        return frames


def read_words(path: str, form: str) -> list[list[str]]:
    """The words of each line of a list; all but the first are numbers, of which a line may have several labels.

    Raises DataError for a list that is missing or empty, and for a line that has not the form.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file if line.strip()]
    except OSError as error:
        raise DataError(
            f"the list '{path}' cannot be read: {error.strerror}; give a file of `{form}` lines{from_where(path)}"
        ) from error
    if not lines:
        raise DataError(f"the list '{path}' is empty; it needs one `{form}` a line")
    for number, words in enumerate(lines, 1):
        if len(words) != len(form.split()) or not all(word.replace(",", "").isdigit() for word in words[1:]):
            raise DataError(f"line {number} of '{path}' is `{' '.join(words)}`; write `{form}`")
    return lines
