"""ImageSegData of DeepLab: pictures with a label for every pixel, their sizes beside them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import sent
from caffe_compat.forks.segmentation.segmentation_data import Pair, SegmentationData, tensors
from caffe_compat.layers.base import TRAIN, Shape, layer
from caffe_compat.layers.common.base_data import CROPS


@layer("ImageSegData")
class ImageSegData(SegmentationData):
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
        picture, labels = tensors(pair, (window[0], window[1]), False)
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


def _resized(pair: Pair, factor: float) -> Pair:
    """Both by a factor: the picture between its pixels, the labels to the nearest."""
    if factor == 1:
        return pair
    cv2 = images.opencv()
    height, width = (int(size * factor) for size in pair[1].shape)
    picture = cv2.resize(pair[0].transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(pair[1], (width, height), interpolation=cv2.INTER_NEAREST)
    return images.planes(picture), labels
