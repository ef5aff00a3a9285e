"""FrcnnOutput: the detections of a Cascade R-CNN."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank, suppress
from caffe_compat.forks.common.save_output import Results
from caffe_compat.forks.rcnn.bbox_reg import Regression, flat, moved
from caffe_compat.layers.base import Shape, layer


@layer("FrcnnOutput")
class FrcnnOutput(Regression):
    """top = (1 + D, 7, 1, 1): record, left, top, right, bottom, label, confidence of what suppression leaves

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/frcnn_output_layer.cpp
    Bottoms: 0 probabilities (R, C), 1 offsets (R, 4 C), or (R, 8) without cls_aware, 2 regions (R, 5 or 6), all of
    record 0, 3 the picture's height and width (1, 2). Per class but the first, those from conf_thr on go into
    suppression by nms_type at iou_thr; the max_det_num most confident stay (0: all). The first row is 0 and then -1.
    save_output_param is as in DetectionOutput. Nothing gets a gradient.
    """

    num_bottom = 4
    num_top = 1
    dynamic = True
    fork_fields = ("frcnn_output_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.output = self.param.frcnn_output_param
        save = p.save_output_param
        saves = save.output_directory and save.label_map_file and save.name_size_file
        self.results = Results(self, save, 0) if saves else None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom[:3])
        _, classes = self.rows(bottom, 0)
        self.rows(bottom, 1, 4 * classes if self.by_class else 8)
        self.rows(bottom, 2, 5, 6)
        if self.rows(bottom, 3, 2)[0] != 1:
            self.fail(f"bottom 3 of shape {bottom[3]} must hold one picture's height and width: 1 x 2")
        return [(1, 7, 1, 1)]

    def forward(self, *bottom: Tensor) -> Tensor:
        p = self.output
        probability, offsets, regions, size = (flat(b) for b in bottom)
        scores = probability[:, 1:].T  # (classes, R)
        offsets = self.offsets(offsets.unflatten(1, (-1, 4)), 2)
        offsets = offsets[:, 1:] if self.by_class else offsets[:, 1:2].expand(-1, len(scores), -1)
        boxes = moved(regions[:, 1:5], offsets).transpose(0, 1)
        boxes = torch.cat((boxes[..., :2].clamp(min=0), torch.minimum(boxes[..., 2:], size[0].flip(0))), 2)
        alive = scores >= p.conf_thr
        order = scores.masked_fill(~alive, -torch.inf).argsort(dim=1, descending=True, stable=True)
        scores, alive = scores.gather(1, order), alive.gather(1, order)
        boxes = boxes.gather(1, order[..., None].expand(*order.shape, 4))
        kept = suppress(boxes, alive, p.iou_thr, extra=1, least=1, mode=p.nms_type)
        label, place = kept.nonzero(as_tuple=True)
        box, score = boxes[label, place], scores[label, place]
        if p.max_det_num:
            best = rank(score, torch.zeros_like(label)) < p.max_det_num
            label, box, score = label[best], box[best], score[best]
        rows = torch.cat((torch.zeros_like(box[:, :1]), box, label[:, None] + 1.0, score[:, None]), 1)
        if self.results is not None:
            shares = box / size[0].flip(0).repeat(2)
            self.results.add(torch.cat((rows[:, [0, 5, 6]], shares), 1), 1)
        first = rows.new_full((1, 7), -1.0)
        first[0, 0] = 0
        return torch.cat((first, rows))[:, :, None, None]
