"""Pictures with a label for every pixel: DenseImageData (SegNet), ImageSegData (DeepLab), ImageLabelmapData (HED)."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import Ahead, sent
from caffe_compat.errors import DataError, from_where
from caffe_compat.layers.base import TRAIN, Shape, layer
from caffe_compat.layers.common.base_data import CROPS
from caffe_compat.layers.image_data import ListedLayer

_AHEAD = 4  # batches

# A picture (C, H, W) and its labels (H, W), both uint8, or labels of 32 bits.
Pair = tuple[np.ndarray, np.ndarray]


class _Segmentation(ListedLayer):
    """A list of `picture labels` lines, both files, read ahead, and cut and mirrored alike."""

    draws: int  # random numbers a picture
    crop: tuple[int, int]  # height, width; 0 for none

    def open(self) -> None:
        super().open()
        self.prepare()
        line = int(next(self.batches(0))[0])
        self.first, _ = self.read_pair(line)
        self.channels, *size = self.first.shape
        self.size = tuple(size) if self.crop == (0, 0) else self.crop

    @abstractmethod
    def prepare(self) -> None:
        """Check the parameters, say `crop` and `draws`."""

    @abstractmethod
    def read_pair(self, line: int) -> Pair:
        """The decoded files of a line."""

    @abstractmethod
    def cut(self, pair: Pair, draws: list[int]) -> tuple[Tensor, Tensor]:
        """The picture and labels as they go into the tops, except for what the whole batch gets."""

    def read_lines(self, path: str) -> list[list[str]]:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.split() for line in file]
        except OSError as error:
            raise DataError(
                f"the list '{path}' cannot be read: {error.strerror}; give a file of `picture labels` lines{from_where(path)}"
            ) from error
        lines = [words for words in lines if words]
        if not lines:
            raise DataError(f"the list '{path}' is empty; it needs one `picture labels` a line")
        return lines

    def second(self, line: int) -> str:
        """What stands behind the picture in a line."""
        if len(self.lines[line]) < 2:
            self.bad_data(f"line {line + 1} of '{self.p.source}' has no labels; write `picture labels`")
        return self.lines[line][1]

    def check_labels(self, line: int, picture: np.ndarray, labels: np.ndarray) -> None:
        if picture.shape[1:] != labels.shape:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': the picture is {picture.shape[1]} x {picture.shape[2]} and its "
                f"labels {labels.shape[0]} x {labels.shape[1]}; they must be of one size"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, self.channels, *self.size), (self.batch_size, 1, *self.size)]

    def guess_others(self, pictures: Shape) -> list[Shape]:
        batch, _, *size = pictures
        return [(batch, 1, *size), (batch, 1, 1, 2)][: len(self.param.top) - 1]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        pairs, draws = self.next_pairs()
        items = [self.cut(pair, draw) for pair, draw in zip(pairs, draws, strict=True)]
        for i, (picture, _) in enumerate(items):
            if picture.shape != items[0][0].shape:
                self.bad_data(
                    f"picture {i} of a batch has the shape {tuple(picture.shape)} and the first one "
                    f"{tuple(items[0][0].shape)}; make them of one size, crop them, or use batch_size 1"
                )
        data, labels = (sent(torch.stack(part), device) for part in zip(*items, strict=True))
        return self.finish(data), labels.to(self.context.dtype).unsqueeze(1)

    def finish(self, data: Tensor) -> Tensor:
        """What the whole batch gets on the device."""
        return data

    def next_pairs(self) -> tuple[list[Pair], list[list[int]]]:
        """The next batch, and the random numbers of each of its pictures."""
        if self._ahead is None:
            self._ahead = Ahead(self.batches(self.position), self._read_batch, _AHEAD)
        count = self.batch_size * self.replicas
        draws = torch.randint(0, 1 << 32, (count, self.draws), generator=self.generator)[self.order]
        self.position += count
        return self._ahead.next(), draws.tolist()

    def _read_batch(self, index: np.ndarray) -> list[Pair]:
        return [self.read_pair(line) for line in index.tolist()]


def _tensors(pair: Pair, window: tuple[slice, slice], mirror: bool) -> tuple[Tensor, Tensor]:
    """A window of both, mirrored if said."""
    picture, labels = pair
    rows, columns = window
    parts = (torch.from_numpy(picture[:, rows, columns]), torch.from_numpy(labels[rows, columns]))
    return tuple(part.flip(-1) if mirror else part for part in parts)  # type: ignore[return-value]


@layer("DenseImageData")
class DenseImageData(_Segmentation):
    """tops = (pictures, labels of their pixels) of the next batch_size lines of a list of `picture labels`

    Fork: alexgkendall/caffe-segnet
    Tops: 0 pictures (batch_size, C, H, W), C = 3 or, without is_color, 1; 1 labels (batch_size, 1, H, W).
    Both are resized to new_height x new_width, the labels by nearest neighbour; mirrored by a coin with `mirror`; cut
    to a random crop_height x crop_width in TRAIN and TEST. transform_param gives the pictures mean and scale only.
    """

    num_top = 2
    message = "dense_image_data_param"
    fork_fields = ("dense_image_data_param",)
    draws = 3

    def chances(self) -> list[str]:
        return super().chances() + ["mirrors"] * self.p.mirror + ["crops"] * (self.crop != (0, 0))

    def prepare(self) -> None:
        p, t = self.p, self.param.transform_param
        if bool(p.crop_height) != bool(p.crop_width):
            self.fail(
                f"crop_height is {p.crop_height} and crop_width {p.crop_width}; set both to crop, or none"
            )
        for name in ("mirror", "crop_size"):
            if getattr(t, name):
                self.fail(
                    f"transform_param.{name} would treat pictures and labels apart; set "
                    f"{self.message}.{'mirror' if name == 'mirror' else 'crop_height and crop_width'} instead"
                )
        self.crop = (p.crop_height, p.crop_width)

    def read_pair(self, line: int) -> Pair:
        picture = images.planes(self.read_picture(line, self.lines[line][0], self.p.is_color))
        path = self.context.path(self.p.root_folder + self.second(line))
        labels = images.read(path, colour=False)
        if labels is None:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': cannot open or decode '{path}'; correct the list"
            )
        if self.p.new_height:
            cv2 = images.opencv()
            labels = cv2.resize(
                labels, (self.p.new_width, self.p.new_height), interpolation=cv2.INTER_NEAREST
            )
        self.check_labels(line, picture, labels)
        return picture, labels

    def cut(self, pair: Pair, draws: list[int]) -> tuple[Tensor, Tensor]:
        coin, *corner = draws
        sizes = pair[1].shape
        window = (slice(None), slice(None))
        if self.crop != (0, 0):
            if any(crop > size for crop, size in zip(self.crop, sizes, strict=True)):
                self.bad_data(
                    f"crop_height x crop_width is {self.crop[0]} x {self.crop[1]}, larger than a picture of "
                    f"{sizes[0]} x {sizes[1]}; crop less"
                )
            # Caffe mirrors first, so a mirrored picture is cut from its other side.
            starts = [at % (size - crop + 1) for at, size, crop in zip(corner, sizes, self.crop, strict=True)]
            if self.p.mirror and coin % 2:
                starts[1] = sizes[1] - self.crop[1] - starts[1]
            rows, columns = (slice(at, at + crop) for at, crop in zip(starts, self.crop, strict=True))
            window = rows, columns
        return _tensors(pair, window, bool(self.p.mirror and coin % 2))

    def finish(self, data: Tensor) -> Tensor:
        self.transform.top_shape(tuple(data.shape[1:]), lambda: "a picture")
        return self.transform(data, self.transform.draw(len(data)))


@layer("ImageSegData")
class ImageSegData(_Segmentation):
    """tops = (pictures, labels of their pixels, sizes) of the next batch_size lines of a list of `picture labels`

    Fork: hszhao/PSPNet (DeepLab's ImageSegData layer)
    Tops: 0 pictures (batch_size, C, H, W); 1 labels (batch_size, 1, H, W); 2 heights and widths before the crop, at most
    H and W, (batch_size, 1, 1, 2). label_type PIXEL takes the labels from a picture, IMAGE one number for all pixels,
    NONE ignore_label, PIXELML (lt573152873/CASEnet) 32 bits a pixel from a file of nothing else. A picture is resized by one of transform_param.scale_factors, drawn at random (its labels by
    nearest neighbour), filled up to the crop at the right and below with its mean and ignore_label, and cut: at random in
    TRAIN, else in the middle. new_height and new_width resize labels like pictures, between labels too.
    """

    num_top = (2, 3)
    message = "image_data_param"
    fork_fields = (
        "image_data_param.label_type",
        *(f"image_data_param.label_type: {kind}" for kind in ("NONE", "IMAGE", "PIXEL", "PIXELML")),
        "image_data_param.ignore_label",
        "image_data_param.num_label_chn",
        *CROPS,
        "transform_param.scale_factors",
    )
    draws = 4

    def prepare(self) -> None:
        t = self.param.transform_param
        if t.HasField("mean_file"):
            self.fail("transform_param.mean_file is not known to ImageSegData; give mean_value")
        if t.crop_size and (t.crop_height or t.crop_width):
            self.fail(
                f"crop_size is {t.crop_size}, crop_height {t.crop_height} and crop_width {t.crop_width}; set crop_size, "
                "or both of the others"
            )
        self.crop = self.transform.window
        self.factors = list(t.scale_factors)
        self.has_sizes = len(self.param.top) > 2
        kinds = self.p.DESCRIPTOR.fields_by_name["label_type"].enum_type.values_by_number
        self.kind = kinds[self.p.label_type].name
        if self.p.num_label_chn != 1:
            self.fail(
                f"image_data_param.num_label_chn is {self.p.num_label_chn}; only labels of one channel are known"
            )
        if self.kind == "PIXELML" and self.factors:
            self.fail(
                "label_type PIXELML has labels that cannot be resized; remove transform_param.scale_factors"
            )

    def chances(self) -> list[str]:
        return super().chances() + ["resizes"] * (len(self.factors) > 1)

    def read_pair(self, line: int) -> Pair:
        picture = images.planes(self.read_picture(line, self.lines[line][0], self.p.is_color))
        if self.kind == "PIXEL":
            labels = self.read_picture(line, self.second(line), False)
            self.check_labels(line, picture, labels)
            return picture, labels
        if self.kind == "PIXELML":
            return picture, self._bits(line, picture.shape[1:])
        value = self.p.ignore_label if self.kind == "NONE" else self._number(line)
        return picture, np.full(picture.shape[1:], min(max(value, 0), 255), np.uint8)

    def _bits(self, line: int, size: Shape) -> np.ndarray:
        """The bits of a file of one whole number of 32 bits a pixel, as the float32 values that have them."""
        path = self.context.path(self.p.root_folder + self.second(line))
        try:
            values = np.fromfile(path, np.float32)
        except OSError as error:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': '{path}' cannot be read: {error.strerror}; correct the list"
            )
        if values.size < size[0] * size[1]:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': '{path}' has {values.size} labels of 4 bytes and the picture "
                f"{size[0]} x {size[1]} pixels; give one a pixel"
            )
        return values[: size[0] * size[1]].reshape(size)

    def _number(self, line: int) -> int:
        word = self.second(line)
        if not word.lstrip("+-").isdigit():
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': label '{word}' is no number; set label_type: PIXEL"
            )
        return int(word)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        shapes = super().reshape(*bottom)
        values = len(self.param.transform_param.mean_value)
        if values not in (0, 1, self.channels):
            self.fail(f"{values} mean_value for {self.channels} channels; give 1 or {self.channels}")
        return [*shapes, (self.batch_size, 1, 1, 2)] if self.has_sizes else shapes

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        self._sizes: list[list[int]] = []
        data, labels = super().load(device)
        if not self.has_sizes:
            return data, labels
        limits = torch.tensor(data.shape[2:])
        sizes = sent(torch.minimum(torch.tensor(self._sizes), limits), device, self.context.dtype)
        return data, labels, sizes.view(-1, 1, 1, 2)

    def cut(self, pair: Pair, draws: list[int]) -> tuple[Tensor, Tensor]:
        coin, choice, *corner = draws
        self._sizes.append(list(pair[1].shape))
        if self.factors:
            pair = _resized(pair, self.factors[choice % len(self.factors)])
        sizes = pair[1].shape
        window, padding = [slice(None)] * 2, [0, 0]
        if self.crop != (0, 0):
            for axis, (size, crop) in enumerate(zip(sizes, self.crop, strict=True)):
                padding[axis] = max(0, crop - size)
                spare = max(0, size - crop)
                start = corner[axis] % (spare + 1) if self.phase == TRAIN else spare // 2
                window[axis] = slice(start, start + crop)
        picture, labels = _tensors(pair, (window[0], window[1]), False)
        data = picture.to(self.context.dtype)
        if self.transform.mean_values is not None:
            data = data - self.transform.mean_values.cpu().view(-1, 1, 1)
        edges = [0, padding[1], 0, padding[0]]  # 0 is what is left of the mean
        data, labels = (
            F.pad(data * self.transform.scale, edges),
            F.pad(labels, edges, value=self.p.ignore_label),
        )
        mirror = self.param.transform_param.mirror and coin % 2
        return (data.flip(-1), labels.flip(-1)) if mirror else (data, labels)


@layer("ImageLabelmapData")
class ImageLabelmapData(_Segmentation):
    """tops = (pictures, edge maps of 0 and 1) of the next batch_size lines of a list of `picture map`

    Fork: s9xie/hed
    Tops: 0 pictures (batch_size, C, H, W); 1 maps (batch_size, 1, H, W), 1 where the file has 128 or more. Both are
    resized to new_height x new_width, the maps between their pixels too, and cut to crop_size (at random in TRAIN, else
    in the middle) and mirrored alike. Mean and scale are for the pictures.
    """

    num_top = 2
    message = "image_data_param"
    draws = 3

    def prepare(self) -> None:
        t = self.param.transform_param
        if t.HasField("mean_file"):
            self.fail("transform_param.mean_file is not known to ImageLabelmapData; give mean_value")
        self.crop = (t.crop_size, t.crop_size)

    def read_pair(self, line: int) -> Pair:
        picture = images.planes(self.read_picture(line, self.lines[line][0], self.p.is_color))
        labels = self.read_picture(line, self.second(line), False)
        self.check_labels(line, picture, labels)
        return picture, (labels >= 128).astype(np.uint8)

    def cut(self, pair: Pair, draws: list[int]) -> tuple[Tensor, Tensor]:
        coin, *corner = draws
        window = [slice(None)] * 2
        if self.crop != (0, 0):
            for axis, (size, crop) in enumerate(zip(pair[1].shape, self.crop, strict=True)):
                if crop > size:
                    self.bad_data(
                        f"crop_size is {crop}, larger than a side of {size} of a picture; crop less"
                    )
                start = corner[axis] % (size - crop + 1) if self.phase == TRAIN else (size - crop) // 2
                window[axis] = slice(start, start + crop)
        mirror = bool(self.param.transform_param.mirror and coin % 2)
        picture, labels = _tensors(pair, (window[0], window[1]), mirror)
        data = picture.to(self.context.dtype)
        if self.transform.mean_values is not None:
            data = data - self.transform.mean_values.cpu().view(-1, 1, 1)
        return data * self.transform.scale, labels

    def reshape(self, *bottom: Shape) -> list[Shape]:
        values = len(self.param.transform_param.mean_value)
        if values not in (0, 1, self.channels):
            self.fail(f"{values} mean_value for {self.channels} channels; give 1 or {self.channels}")
        return super().reshape(*bottom)


def _resized(pair: Pair, factor: float) -> Pair:
    """Both by a factor: the picture between its pixels, the labels to the nearest."""
    if factor == 1:
        return pair
    cv2 = images.opencv()
    height, width = (int(size * factor) for size in pair[1].shape)
    picture = cv2.resize(pair[0].transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(pair[1], (width, height), interpolation=cv2.INTER_NEAREST)
    return images.planes(picture), labels
