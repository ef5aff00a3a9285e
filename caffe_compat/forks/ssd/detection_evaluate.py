"""DetectionEvaluate: which detections of SSD's are right."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import in_pixels, pairwise
from caffe_compat.forks.common.save_output import read_sizes
from caffe_compat.layers.base import Context, Layer, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import LayerParameter


@layer("DetectionEvaluate")
class DetectionEvaluate(Layer):
    """top = (1, 1, C + D, 5): for each class -1, class, its boxes, -1, -1; then record, class, confidence, right, wrong

    Fork: weiliu89/caffe (SSD), src/caffe/layers/detection_evaluate_layer.cpp
    Bottoms: 0 detections (1, 1, D, 7), as DetectionOutput gives them; 1 ground truth (1, 1, G, 8), as AnnotatedData
    does. By falling confidence, a detection is right if the box of its record and class that it overlaps most does so
    by overlap_threshold and no earlier one took it; without evaluate_difficult_gt one on a difficult box is neither
    right nor wrong, and such boxes do not count. With name_size_file, which is read at the first forward, boxes are
    compared in pixels, both ends included; a picture without detections takes no line of it, as in the fork.
    With a third bottom it is zhaoweicai/cascade-rcnn's: top (C + D, 5, 1, 1); bottoms 0 (D, 7, 1, 1), as FrcnnOutput
    gives them, and 1 (G, 8, 1, 1), as EvalData does, in pixels, both ends included, of pictures whose heights and widths
    are bottom 2 (N, 2, 1, 1); name_size_file says to what sizes boxes are scaled first. Nothing gets a gradient.
    """

    num_bottom = (2, 3)
    num_top = 1
    dynamic = True
    in_place = False
    fork_fields = ("detection_evaluate_param",)

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.sizes: list[tuple[str, int, int]] = []
        self.pictures = 0  # how many of them have been used

    def setup(self, *bottom: Shape) -> None:
        p = self.param.detection_evaluate_param
        if not p.HasField("num_classes") or p.num_classes < 1:
            self.fail("detection_evaluate_param.num_classes must be set and above 0")
        if p.overlap_threshold <= 0:
            self.fail(
                f"detection_evaluate_param.overlap_threshold is {p.overlap_threshold:g} and must be above 0"
            )
        self.background, self.threshold = p.background_label_id, p.overlap_threshold
        self.classes = [label for label in range(p.num_classes) if label != self.background]
        self.difficult = p.evaluate_difficult_gt
        self.size_file, self.by_rows = p.name_size_file, len(bottom) > 2
        if self.by_rows and not self.size_file:
            self.fail(
                "detection_evaluate_param.name_size_file must be set: pixels are those of the sizes there"
            )
        self.resize = p.resize_param if p.HasField("resize_param") else None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if self.by_rows:
            for i, (shape, what) in enumerate(zip(bottom, (7, 8, 2), strict=True)):
                if legacy_shape(self, shape)[1:] != (what, 1, 1):
                    self.fail(
                        f"bottom {i} of shape {shape} must be N x {what} x 1 x 1: one row a box or picture"
                    )
            return [(len(self.classes) + bottom[0][0], 5, 1, 1)]
        for i, (shape, what) in enumerate(zip(bottom, (7, 8), strict=True)):
            num, channels, _, width = legacy_shape(self, shape)
            if (num, channels, width) != (1, 1, what):
                self.fail(f"bottom {i} of shape {shape} must be 1 x 1 x N x {what}: one row a box")
        return [(1, 1, len(self.classes) + bottom[0][2], 5)]

    def forward(self, *bottom: Tensor) -> Tensor:
        detections, truth = (b.detach().cpu().reshape(-1, n) for b, n in zip(bottom, (7, 8), strict=False))
        if self.by_rows:  # as SSD has them
            detections, truth = detections[:, [0, 5, 6, 1, 2, 3, 4]], truth[:, [0, 5, 6, 1, 2, 3, 4, 7]]
            self.inputs = bottom[2].detach().cpu().reshape(-1, 2)
        if self.size_file and not self.sizes:
            self._read_sizes()
        detections = detections[detections[:, 0] != -1]
        found = detections[:, 1] != -1
        # FrcnnOutput's row without a class says which picture it is of, even if nothing was found there.
        pictures = detections[found | self.by_rows, 0].unique().tolist()
        detections = detections[found]
        truth = truth[truth[:, 0] != -1]
        for boxes, what in ((detections, "detections"), (truth, "ground truth")):
            if (boxes[:, 1] == self.background).any():
                self.fail(
                    f"the background, label {self.background}, is among the {what}; correct background_label_id"
                )
        counted = truth if self.difficult else truth[truth[:, 7] == 0]
        rows = [
            torch.tensor(
                [[-1, label, int((counted[:, 1] == label).sum()), -1, -1] for label in self.classes]
            ).to(detections)
        ]
        for record in pictures:
            mine, own = detections[detections[:, 0] == record], truth[truth[:, 0] == record]
            rows += [
                self._judged(mine[mine[:, 1] == label], own[own[:, 1] == label])
                for label in mine[:, 1].unique().tolist()
            ]
            self.pictures += 1
        top = torch.cat(rows).to(bottom[0].device)
        return top[:, :, None, None] if self.by_rows else top[None, None]

    def _judged(self, found: Tensor, truth: Tensor) -> Tensor:
        """The rows of one record's detections of one class."""
        right, wrong = torch.zeros(len(found)), torch.ones(len(found))
        if len(truth):
            found = found[found[:, 2].argsort(descending=True, stable=True)]
            boxes, wanted, extra = found[:, 3:7], truth[:, 3:7], 0
            if self.sizes:
                _, height, width = self.sizes[self.pictures % len(self.sizes)]
                if self.by_rows:
                    scale = (torch.tensor([height, width]) / self.inputs[int(found[0, 0])]).flip(0).repeat(2)
                    boxes, wanted, extra = boxes * scale, wanted * scale, 1
                else:
                    boxes, wanted = (in_pixels(b, height, width, self.resize) for b in (boxes, wanted))
                    extra = int(height > 1 or width > 1)
            best, which = pairwise(boxes, wanted, extra, extra if self.by_rows else 0).max(1)
            hit = best >= self.threshold
            judged = hit if self.difficult else hit & (truth[which, 7] == 0)
            # The first that hits a box takes it.
            first = torch.full((len(truth),), len(found)).scatter_reduce(
                0, which[judged], judged.nonzero().squeeze(1), "amin"
            )
            right[first[first < len(found)]] = 1
            wrong = torch.where(hit & ~judged, 0, 1 - right)
        return torch.cat((found[:, :3], right[:, None].to(found), wrong[:, None].to(found)), 1)

    def _read_sizes(self) -> None:
        try:
            self.sizes = read_sizes(Path(self.context.path(self.size_file)))
        except (OSError, ValueError) as error:
            self.fail(f"detection_evaluate_param.name_size_file: {error}; correct the path, or remove it")
