"""Tests of detections: average precision instead of means (SSD's eval_type "detection").

Source: weiliu89/caffe, src/caffe/solver.cpp (TestDetection) and src/caffe/util/bbox_util.cpp (ComputeAP).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from caffe_compat.errors import SolverError

EVAL_TYPES = ("classification", "detection")
AP_VERSIONS = ("11point", "MaxIntegral", "Integral")

_EPS = np.float32(1e-6)


class Detections:
    """What DetectionEvaluate found in the batches of one test, for one output of a test net."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}  # of true boxes, by class
        self.found: list[np.ndarray] = []  # rows of class, confidence, right

    def add(self, name: str, rows: Tensor) -> None:
        """One batch of the output `name`: five numbers a row, as DetectionEvaluate gives them.

        Raises SolverError if they are not.
        """
        if 5 not in rows.shape[-3:]:
            raise SolverError(
                f'eval_type "detection" needs rows of 5 numbers, as DetectionEvaluate gives them, and output {name!r} '
                f'has shape {tuple(rows.shape)}; remove that output, or set eval_type: "classification"'
            )
        values = rows.reshape(-1, 5).cpu().numpy()
        is_count = values[:, 0] == -1
        for _, label, count, *_ in values[is_count].astype(int):
            self.counts[label] = self.counts.get(label, 0) + count
        # A detection of a difficult box is neither right nor wrong, and does not count.
        judged = values[~is_count & (values[:, 3:] != 0).any(1)]
        self.found.append(judged[:, 1:4])

    def any(self) -> bool:
        """Whether there is a detection that counts."""
        return any(len(rows) for rows in self.found)

    def average_precisions(self, version: str) -> dict[int, float | None]:
        """Of each class, by one of AP_VERSIONS; None for a class that nothing was taken for."""
        found = np.concatenate(self.found)
        by_class: dict[int, float | None] = {}
        for label, count in sorted(self.counts.items()):
            mine = found[found[:, 0] == label]
            by_class[label] = average_precision(mine[:, 1], mine[:, 2], count, version) if len(mine) else None
        return by_class


def average_precision(confidences: np.ndarray, right: np.ndarray, count: int, version: str) -> float:
    """Area under the curve of precision over recall, in float32 and in the order of Caffe's sums.

    confidences, right: of D > 0 detections, right 1 or 0; count: of true boxes, which may be 0.
    version: "11point" (VOC 2007: the mean over 11 recalls), "MaxIntegral" (VOC 2012: precision made to fall)
    or "Integral" (the area as it is).
    """
    if not count:
        return 0.0
    hits = np.cumsum(right[np.argsort(-confidences, kind="stable")] != 0)
    precision = hits.astype(np.float32) / np.arange(1, len(hits) + 1, dtype=np.float32)
    recall = hits.astype(np.float32) / np.float32(count)
    highest = np.maximum.accumulate(precision[::-1])[::-1]  # from this recall on
    if version == "11point":
        first = np.searchsorted(recall.astype(float), np.arange(10, -1, -1) / 10)
        areas = np.append(highest, np.float32(0))[first] / np.float32(11)
    elif version == "MaxIntegral":
        step = np.diff(recall)[::-1]
        areas = np.append((highest[-2::-1] * step)[step > _EPS], recall[0] * highest[0])
    else:
        step = np.diff(recall, prepend=np.float32(0))
        areas = (precision * step)[step > _EPS]
    return float(np.cumsum(areas, dtype=np.float32)[-1]) if len(areas) else 0.0
