"""ImageLabelmapData of HED: pictures with maps of edges."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.forks.segmentation.segmentation_data import Pair, SegmentationData, tensors
from caffe_compat.layers.base import TRAIN, Shape, layer


@layer("ImageLabelmapData")
class ImageLabelmapData(SegmentationData):
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
        picture, labels = tensors(pair, (window[0], window[1]), mirror)
        data = picture.to(self.context.dtype)
        if self.transform.mean_values is not None:
            data = data - self.transform.mean_values.cpu().view(-1, 1, 1)
        return data * self.transform.scale, labels

    def reshape(self, *bottom: Shape) -> list[Shape]:
        values = len(self.param.transform_param.mean_value)
        if values not in (0, 1, self.channels):
            self.fail(f"{values} mean_value for {self.channels} channels; give 1 or {self.channels}")
        return super().reshape(*bottom)
