"""Arrays from and to the bytes of a BlobProto, past protobuf's Python lists."""

from math import prod

import numpy as np

from caffe_compat.errors import ParseError
from caffe_compat.proto import BlobProto, LayerParameter
from caffe_compat.proto.binary.wire import (
    BYTES,
    VARINT,
    Broken,
    Chunk,
    Data,
    Wire,
    encode_varint,
    head,
    varint,
    wire_fields,
)

# How NVIDIA's Caffe and OpenCV store values as bytes (raw_data), by raw_data_type.
_RAW_DTYPES = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4"}
_HALF = 2


def array_in(data: Data, start: int, end: int) -> np.ndarray:
    """The array of the BlobProto in data[start:end], copied: float16, float32 or float64. Raises Broken."""
    legacy: dict[int, int] = {}
    shape: list[int] = []
    floats: list[np.ndarray] = []
    doubles: list[np.ndarray] = []
    raw: Wire | None = None
    raw_type = -1
    for wire in wire_fields(data, start, end):
        if wire.number <= 4 and wire.type == VARINT:
            legacy[wire.number] = varint(data, wire.start, wire.end)[0]
        elif wire.number == 10 and wire.type == VARINT:
            raw_type = varint(data, wire.start, wire.end)[0]
        elif wire.number == 12 and wire.type == BYTES:
            raw = wire
        elif wire.number == 5:
            floats.append(_numbers(data, wire, "<f4"))
        elif wire.number == 8:
            doubles.append(_numbers(data, wire, "<f8"))
        elif wire.number == 7 and wire.type == BYTES:
            for dim in wire_fields(data, wire.start, wire.end):
                at = dim.start
                while dim.number == 1 and at < dim.end:
                    size, at = varint(data, at, dim.end)
                    shape.append(size)
    if legacy:  # Caffe prefers them, too
        shape = [legacy.get(number, 0) for number in (1, 2, 3, 4)]
    parts = doubles or floats
    if raw is not None:
        parts = [_raw_numbers(data, raw, raw_type)]
    array = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    if array.size != prod(shape):
        raise Broken(start, f"a blob of shape {tuple(shape)} holds {array.size} values, not {prod(shape)}")
    return array.reshape(shape)


def _raw_numbers(data: Data, wire: Wire, raw_type: int) -> np.ndarray:
    """The values in the raw_data at `wire`; float32 for the integer types. Raises Broken."""
    if raw_type not in _RAW_DTYPES:
        given = "no raw_data_type" if raw_type < 0 else f"raw_data_type {raw_type}"
        raise Broken(wire.tag, f"raw_data with {given}, where 0 to {max(_RAW_DTYPES)} are known")
    values = _numbers(data, wire, _RAW_DTYPES[raw_type])
    return values.astype(np.float32) if values.dtype.kind in "iu" else values


def _numbers(data: Data, wire: Wire, dtype: str) -> np.ndarray:
    count, rest = divmod(wire.end - wire.start, int(dtype[-1]))
    if rest:
        raise Broken(wire.tag, f"{wire.end - wire.start} bytes of {dtype[-1]}-byte numbers")
    values = np.frombuffer(data, dtype, count, wire.start)
    return values.astype(values.dtype.newbyteorder("="))  # a copy: aligned, and free of the file


def blob_to_array(blob: BlobProto) -> np.ndarray:
    """The array of a BlobProto: float64 if it has double_data or raw_data of that type, else float32.

    Shape: num, channels, height, width if it has any of them, else `shape`; as Blob::FromProto.
    Raises ParseError where shape and number of values disagree.
    """
    data = blob.SerializeToString()
    try:
        array = array_in(data, 0, len(data))
    except Broken as broken:
        raise ParseError(broken.what) from broken
    return array.astype(np.float32) if array.dtype == np.float16 else array


def raw_diff(blob: BlobProto) -> np.ndarray:
    """The values of a BlobProto's raw_diff, in one row. Raises ParseError."""
    data = blob.raw_diff
    try:
        return _raw_numbers(data, Wire(13, BYTES, 0, 0, len(data)), blob.raw_diff_type)
    except Broken as broken:
        raise ParseError(broken.what) from broken


def array_to_blob(array: np.ndarray, diff: np.ndarray | None = None, legacy: bool = False) -> BlobProto:
    """A BlobProto of `array`: double_data for float64, else data (as float32).

    `diff` has the array's shape. `legacy` gives num, channels, height, width, filled up with ones from the
    front, instead of `shape`; ValueError for more than four axes.
    """
    return BlobProto.FromString(b"".join(blob_chunks(array, diff, legacy)))


def blob_chunks(array: np.ndarray, diff: np.ndarray | None, legacy: bool = False) -> list[Chunk]:
    """The bytes of array_to_blob's BlobProto, in the order of the field numbers, as C++ writes them."""
    double = array.dtype == np.float64
    if diff is not None and diff.shape != array.shape:
        raise ValueError(f"diff has shape {diff.shape}, its blob {array.shape}")
    if legacy and array.ndim > 4:
        raise ValueError(f"a legacy blob has at most 4 axes, not the {array.ndim} of {array.shape}")
    chunks: list[Chunk] = []
    if legacy:
        for number, size in enumerate((1,) * (4 - array.ndim) + array.shape, 1):
            chunks.append(encode_varint(number << 3 | VARINT) + encode_varint(size))
    dims = b"" if legacy else b"".join(map(encode_varint, array.shape))
    if dims:
        body = head(1, len(dims)) + dims
        dims = head(7, len(body)) + body
    if double:
        return [*chunks, dims, *_packed(8, array, "<f8"), *_packed(9, diff, "<f8")]
    return [*chunks, *_packed(5, array, "<f4"), *_packed(6, diff, "<f4"), dims]


def halve(layer_param: LayerParameter) -> list[str]:
    """Store the weights of a layer as float16, as NVIDIA's Caffe and OpenCV's shrinkCaffeModel do; diffs are dropped.

    Vectors (biases, scales, statistics) stay as they are: they are small, and a BatchNorm's sums lose more than
    weights do. So do weights that float16 has no finite value for; the names of those, "name[index]", are returned.
    Raises ParseError for a blob that is broken.
    """
    too_large = []
    for index, blob in enumerate(layer_param.blobs):
        try:
            array = blob_to_array(blob)
        except ParseError as error:
            raise ParseError(f"layer '{layer_param.name}', blob {index}: {error}") from error
        for field in ("diff", "double_diff", "raw_diff", "raw_diff_type"):
            blob.ClearField(field)
        if sum(size > 1 for size in array.shape) < 2:
            continue
        if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
            too_large.append(f"{layer_param.name}[{index}]")
            continue
        for field in ("data", "double_data"):
            blob.ClearField(field)
        blob.raw_data_type = _HALF
        blob.raw_data = array.astype("<f2").tobytes()
    return too_large


def _packed(number: int, values: np.ndarray | None, dtype: str) -> list[Chunk]:
    if values is None or values.size == 0:
        return []
    data = np.ascontiguousarray(values, dtype).reshape(-1).data.cast("B")
    return [head(number, len(data)), data]
