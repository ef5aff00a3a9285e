"""Files of detections, as save_output_param asks for them: VOC's, COCO's, ILSVRC's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError
from caffe_compat.forks.common.boxes import (
    in_pixels,
)
from caffe_compat.layers.base import Layer
from caffe_compat.proto import LabelMap, SaveOutputParameter
from caffe_compat.proto.text import parse_file


class Results:
    """The files that save_output_param asks for, written after every num_test_image pictures."""

    def __init__(self, layer: Layer, param: SaveOutputParameter, background: int):
        self.layer, self.param, self.background = layer, param, background
        self.folder = Path(layer.context.root, param.output_directory)
        self.names: list[tuple[str, int, int]] = []
        self.labels: dict[int, str] = {}
        self.found: list[tuple[str, int, float, list[float]]] = []
        self.pictures = 0

    def _open(self) -> None:
        root = self.layer.context.root
        try:
            labels = parse_file(Path(root, self.param.label_map_file), LabelMap)
            self.names = read_sizes(Path(root, self.param.name_size_file))
            self.folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError, CaffeError) as error:
            self.layer.fail(f"save_output_param: {error}; correct the path, or remove save_output_param")
        self.labels = {item.label: item.name for item in labels.item}
        self.count = self.param.num_test_image or len(self.names)
        if not 0 < self.count <= len(self.names):
            self.layer.fail(
                f"save_output_param.num_test_image is {self.count}, but {self.param.name_size_file} names "
                f"{len(self.names)} pictures; use at most so many"
            )

    def add(self, rows: Tensor, records: int) -> None:
        """Note the detections of the next `records` pictures."""
        if not self.names:
            self._open()
        resize = self.param.resize_param if self.param.HasField("resize_param") else None
        detections = rows.double().cpu()
        for record in range(records):
            name, height, width = self.names[self.pictures]
            mine = detections[detections[:, 0] == record]
            corners = in_pixels(mine[:, 3:], height, width, resize)
            sizes = (
                torch.cat((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1)
                .mul(100)
                .add(0.5)
                .floor()
                .div(100)
            )
            for row, size in zip(mine, sizes, strict=True):
                if int(row[1]) not in self.labels:
                    self.layer.fail(
                        f"label {int(row[1])} is not in {self.param.label_map_file}; add it there"
                    )
                self.found.append((name, int(row[1]), float(row[2]), size.tolist()))
            self.pictures += 1
            if self.pictures == self.count:
                self._write()
                self.pictures, self.found = 0, []

    def _write(self) -> None:
        p = self.param

        def line(score: float, size: list[float]) -> str:
            x, y, width, height = map(int, size)
            return f"{score:.6g} {x} {y} {x + width} {y + height}\n"

        if p.output_format == "VOC":
            for label, name in self.labels.items():
                if label != self.background:
                    lines = [
                        f"{picture} {line(score, size)}"
                        for picture, at, score, size in self.found
                        if at == label
                    ]
                    (self.folder / f"{p.output_name_prefix}{name}.txt").write_text(
                        "".join(lines), encoding="utf-8"
                    )
        elif p.output_format == "COCO":
            found = [
                {
                    "image_id": _number(picture),
                    "category_id": _number(self.labels[at]),
                    "bbox": size,
                    "score": score,
                }
                for picture, at, score, size in self.found
            ]
            (self.folder / f"{p.output_name_prefix}.json").write_text(
                json.dumps(found, indent=1), encoding="utf-8"
            )
        elif p.output_format == "ILSVRC":
            lines = [f"{picture} {at} {line(score, size)}" for picture, at, score, size in self.found]
            (self.folder / f"{p.output_name_prefix}.txt").write_text("".join(lines), encoding="utf-8")
        else:
            self.layer.fail(
                f"save_output_param.output_format is '{p.output_format}'; use VOC, COCO or ILSVRC, or remove "
                "save_output_param"
            )


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def read_sizes(path: Path) -> list[tuple[str, int, int]]:
    """The name, height and width of each picture in a file of such lines; OSError or ValueError."""
    words = path.read_text(encoding="utf-8").split()
    if len(words) % 3:
        raise ValueError(f"{path} has {len(words)} words; give each picture a line: name height width")
    table = np.array(words).reshape(-1, 3)
    return [(str(name), int(height), int(width)) for name, height, width in table]
