"""EvalData: batches of pictures with boxes, as a test serves them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.windows import rounded
from caffe_compat.forks.rcnn.scene_data import Scenes, stepped
from caffe_compat.forks.rcnn.scenes import F
from caffe_compat.layers.base import Shape, layer


@layer("EvalData")
class EvalData(Scenes):
    """tops = (pictures, boxes, heights and widths of the pictures) of the next batch_size of a window file with regions

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/eval_data_layer.cpp
    Tops: 0 (batch_size, 3, H, W); 1 (G, 8, 1, 1): place in the batch, left, top, right, bottom, class, ignored,
    difficult; a row of -1 if there are none; 2, if it is named, (batch_size, 2, 1, 1). A picture is resized to
    resize_width x resize_height, or so that its shorter side is short_size and its longer one at most long_size (where
    its aspect changes), and always to multiples of 32. Without resize_width and resize_height batch_size must be 1.
    """

    message = "eval_data_param"
    num_top = (2, 3)
    fork_fields = ("eval_data_param",)
    elsewhere = (("scale", "set transform_param.scale"),)

    def check_size(self) -> None:
        p = self.p
        self.sizes = p.HasField("resize_height") and p.HasField("resize_width")
        if not self.sizes and p.batch_size > 1:
            self.fail(
                f"batch_size is {p.batch_size}, and without resize_width and resize_height pictures differ in size; set "
                "both, or batch_size 1"
            )

    def fixed(self) -> bool:
        return self.sizes

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        if self.sizes:
            return stepped(p.resize_height), stepped(p.resize_width)
        if p.HasField("short_size") and p.HasField("long_size"):
            return stepped(p.long_size), stepped(p.short_size)
        self.bad_data(
            "neither resize_height and resize_width nor short_size and long_size tell the size of its pictures"
        )

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        p = self.p
        if self.sizes:
            height, width = p.resize_height, p.resize_width
        elif p.HasField("short_size") and p.HasField("long_size"):
            factor = F(p.short_size) / F(min(height, width))
            height, width = (min(rounded(F(n) * factor), p.long_size) for n in (height, width))
        return stepped(height), stepped(width)

    def shapes(self, height: int, width: int) -> list[Shape]:
        return [*super().shapes(height, width), (self.batch_size, 2, 1, 1)][: len(self.param.top)]

    def batch(self, start: int, lines: np.ndarray) -> tuple[Tensor, ...]:
        rows, sizes = [], []
        for place, line in enumerate(lines.tolist()):
            scene, listed = self.scene(line), self.lines[line]
            scene = scene.resized(*self.resized(scene.height, scene.width))
            part = 0, 0, scene.height, scene.width
            if place == 0:
                data = torch.zeros(len(lines), 3, *part[2:], dtype=self.context.dtype)
            self.paint(data[place], scene.picture, part, self.transform.scale)
            rows.append(self.rows(place, scene.boxes, listed, listed.boxes[:, 1]))
            sizes.append(part[2:])
        tops = data, self.box_top(rows), torch.tensor(sizes, dtype=data.dtype)[:, :, None, None]
        return tops[: len(self.param.top)]
