"""Pictures with boxes as SSD's records hold them.

Fork: weiliu89/caffe (SSD), src/caffe/data_transformer.cpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.data.images import decode, planes
from caffe_compat.errors import DataError
from caffe_compat.proto import AnnotatedDatum

CORNERS = slice(2, 6)  # columns of Annotated.boxes


@dataclass
class Annotated:
    """A picture (H, W, C) uint8 and its boxes (G, 7): label, instance, xmin, ymin, xmax, ymax, difficult.

    Corners are shares of the picture's size. `label` is the picture's own.
    """

    picture: np.ndarray
    boxes: np.ndarray
    label: int = 0


def parse(value: bytes | memoryview, colour: bool | None, name: str) -> tuple[Annotated, bool]:
    """The picture of a serialized AnnotatedDatum, and whether its type says that it has boxes.

    Raises DataError, naming the record, for one that is none.
    """
    record = AnnotatedDatum()
    try:
        record.ParseFromString(bytes(value))
    except DecodeError as error:
        raise DataError(f"{name} is not an AnnotatedDatum: {error}; make the database again") from error
    datum = record.datum
    shape = (datum.channels, datum.height, datum.width)
    if datum.encoded:
        try:
            picture = decode(datum.data, colour)
        except ValueError as error:
            raise DataError(f"{name}: {error}; make the database again") from error
    elif not datum.data or len(datum.data) != math.prod(shape):
        raise DataError(
            f"{name} has {len(datum.data)} bytes for its shape {shape}, which needs {math.prod(shape)}; make the "
            "database again (of AnnotatedDatum records)"
        )
    else:
        picture = np.frombuffer(datum.data, np.uint8).reshape(shape)
    boxes = [
        (group.group_label, item.instance_id, b.xmin, b.ymin, b.xmax, b.ymax, b.difficult)
        for group in record.annotation_group
        for item in group.annotation
        for b in (item.bbox,)
    ]
    rows = np.array(boxes, np.float32).reshape(-1, 7)
    return Annotated(np.ascontiguousarray(picture.transpose(1, 2, 0)), rows, datum.label), record.HasField(
        "type"
    )


def as_planes(record: Annotated) -> np.ndarray:
    """The picture as (C, H, W)."""
    return planes(record.picture)
