"""DenseImageData of SegNet: pictures with a label for every pixel."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.data import images
from caffe_compat.forks.segmentation.segmentation_data import Pair, SegmentationData, tensors
from caffe_compat.layers.base import layer


@layer("DenseImageData")
class DenseImageData(SegmentationData):
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
        return tensors(pair, window, bool(self.p.mirror and coin % 2))

    def finish(self, data: Tensor) -> Tensor:
        self.transform.top_shape(tuple(data.shape[1:]), lambda: "a picture")
        return self.transform(data, self.transform.draw(len(data)))
