"""Datum messages as arrays, many at a time.

Caffe: src/caffe/util/io.cpp (decoding), src/caffe/data_transformer.cpp (which bytes are the picture).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import prod

import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.data.base import Source
from caffe_compat.data.images import decode
from caffe_compat.errors import DataError
from caffe_compat.proto import Datum

Data = bytes | memoryview  # a record as a source gives it
Images = np.ndarray | list[np.ndarray]  # one array (n, C, H, W), or n arrays (C, H, W) where sizes differ

_CHUNK = 1000  # records looked at together
_DATA, _LABEL = 4, 5  # Datum's field numbers
_VARINT, _BYTES = 0, 2  # wire types


def parse(
    values: Sequence[Data],
    colour: bool | None = None,
    name: Callable[[int], str] = str,
    into: np.ndarray | None = None,
) -> tuple[Images, np.ndarray]:
    """The pictures and labels of serialized Datums.

    Args:
        values: bytes-like, one Datum each.
        colour: decode encoded pictures to BGR (True), gray (False) or as stored (None).
        name: says which record `values[i]` is, for messages.
        into: (n, C, H, W), where the pictures are written and returned if all are of its shape and type.

    Returns:
        Pictures uint8 (float32 where a Datum has float_data), one array (n, C, H, W) or, if they are not
        all of one size, a list of arrays (C, H, W); and the labels, int32 (n,).

    Raises:
        DataError: a record that is no Datum, or whose data is not as long as its shape says.
    """
    uniform = _parse_uniform(values)
    if uniform is not None:
        pictures, labels = uniform
        if into is not None and pictures.shape == into.shape and into.dtype == np.uint8:
            into[...] = pictures
            pictures = into
        return pictures, labels
    images, labels, placed = [], np.empty(len(values), np.int32), 0
    for i, value in enumerate(values):
        datum = Datum()
        try:
            datum.ParseFromString(bytes(value))
        except DecodeError as error:
            raise DataError(f"{name(i)} is not a Datum: {error}; make the database again") from error
        place = None if into is None else into[i]
        image = _picture(datum, colour, lambda i=i: name(i), place)
        if place is not None and image.shape == place.shape and image.dtype == place.dtype:
            if image is not place:
                place[...] = image
            placed += 1
        images.append(image)
        labels[i] = datum.label
    if into is not None and placed == len(values):
        return into, labels
    if all(image.shape == images[0].shape and image.dtype == images[0].dtype for image in images):
        return np.stack(images), labels
    return images, labels


def pictures(source: Source) -> Iterator[np.ndarray]:
    """Every picture of a source in order, (C, H, W), encoded ones as they are stored."""
    walk, start = source.walk(), 0
    while values := list(islice(walk, _CHUNK)):
        images, _ = parse(values, None, lambda i, start=start: f"record {start + i} of '{source.path}'")
        yield from images
        start += len(values)


def is_encoded(value: Data) -> bool:
    """Whether a serialized Datum holds a PNG, JPEG ... instead of pixels."""
    return Datum.FromString(bytes(value)).encoded


def serialize(image: np.ndarray, label: int, encoded: bool | None = None) -> bytes:
    """A raw uint8 picture (C, H, W) as the bytes of a Datum; `encoded` False is written where Caffe writes it."""
    channels, height, width = image.shape
    datum = Datum(channels=channels, height=height, width=width, data=image.tobytes(), label=label)
    if encoded is not None:
        datum.encoded = encoded
    return datum.SerializeToString(deterministic=True)


_FLOAT_DATA = np.dtype([("tag", "u1"), ("value", "<f4")])  # float_data as it stands in a Datum: not packed
_FLOAT_TAG = 6 << 3 | 5


def serialize_features(blob: np.ndarray) -> Iterator[bytes]:
    """Each item (axis 0) of a blob of up to four axes as the bytes of a Datum with float_data and no label.

    Axes that the blob lacks are 1; a blob without axes is one item. Caffe: tools/extract_features.cpp.
    """
    _, channels, height, width = blob.shape + (1,) * (4 - blob.ndim)
    head = Datum(channels=channels, height=height, width=width).SerializeToString(deterministic=True)
    items = blob.reshape(blob.shape[0] if blob.ndim else 1, -1)
    values = np.empty(items.shape, _FLOAT_DATA)
    values["tag"], values["value"] = _FLOAT_TAG, items
    for item in values:
        yield head + item.tobytes()


def _picture(
    datum: Datum, colour: bool | None, name: Callable[[], str], into: np.ndarray | None
) -> np.ndarray:
    """The picture of a Datum; one that is decoded is written to `into` if it fits there."""
    if datum.encoded:
        try:
            return decode(datum.data, colour, into)
        except ValueError as error:
            raise DataError(f"{name()}: {error}; make the database again") from error
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1:
        raise DataError(
            f"{name()} has the shape {shape}; every side must be above 0; make the database again"
        )
    flat = (
        np.frombuffer(datum.data, np.uint8).copy() if datum.data else np.array(datum.float_data, np.float32)
    )
    if flat.size != prod(shape):
        raise DataError(
            f"{name()} has {flat.size} values for its shape {shape}, which needs {prod(shape)}; "
            "make the database again"
        )
    return flat.reshape(shape)


def _parse_uniform(values: Sequence[Data]) -> tuple[np.ndarray, np.ndarray] | None:
    """`parse` for raw records of one byte layout, without a copy of the pixels; None for any others.

    In such records (CIFAR's, or a converter's with one size and labels below 128) only the pixels and
    the label byte differ, so the first record's layout is everybody's.
    """
    if not values:
        return None
    size = len(values[0])
    layout = _layout(bytes(values[0]))
    if layout is None or set(map(len, values)) != {size}:
        return None
    shape, start, label = layout
    end = start + prod(shape)
    table = np.frombuffer(bytearray().join(values), np.uint8).reshape(len(values), size)
    fixed = [i for i in (*range(start), *range(end, size)) if i != label]
    if (table[:, fixed] != table[0, fixed]).any() or (table[:, label] > 127).any():
        return None
    return table[:, start:end].reshape(len(values), *shape), table[:, label].astype(np.int32)


def _layout(value: bytes) -> tuple[tuple[int, int, int], int, int] | None:
    """(shape, offset of the pixels, offset of the label byte) of a raw Datum; None if it is not a plain one."""
    fields: dict[
        int, tuple[int, int]
    ] = {}  # number -> (offset of the value or of the bytes, value or length)
    position = 0
    try:
        while position < len(value):
            tag, position = _varint(value, position)
            number, offset = _varint(value, position)
            if tag & 7 == _BYTES:
                fields[tag >> 3] = offset, number
                position = offset + number
            elif tag & 7 == _VARINT:
                fields[tag >> 3] = position, number
                position = offset
            else:
                return None
        channels, height, width, encoded = (fields.get(n, (0, 0))[1] for n in (1, 2, 3, 7))
        (start, length), (label_at, label) = fields[_DATA], fields[_LABEL]
    except (IndexError, KeyError):
        return None
    if encoded or length == 0 or length != channels * height * width or label > 127 or position != len(value):
        return None
    return (channels, height, width), start, label_at


def _varint(value: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = value[position]
        position += 1
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result, position
