"""Binary protobuf files: .caffemodel, .solverstate, .binaryproto.

Big arrays never pass through protobuf's Python lists: a small walk over the wire format finds each blob's
packed floats, and numpy takes them from, or gives them to, the file as they are. Files are written under
a temporary name and renamed, so a file is whole or not there.
"""

import errno
import functools
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.log import names
from caffe_compat.proto import BlobProto, LayerParameter, NetParameter, is_repeated, upgrade
from caffe_compat.proto.owners import takes
from caffe_compat.proto.text import clear_origin

Path = str | os.PathLike[str]
Layers = list[tuple[str, str, list[np.ndarray]]]

_LIMIT = 2**31 - 1  # bytes in a message: protobuf's limit, and Caffe's
_HDF5 = b"\x89HDF\r\n\x1a\n"


# -- the wire format: a field is a tag (number and type) and a value ---------------------------------

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_STRING: _BYTES,
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_MESSAGE: _BYTES,
}  # all others: _VARINT


class _Broken(Exception):
    """`what` is wrong at offset `at`; where field `number` goes on past the end, its value begins at `start`."""

    def __init__(self, at: int, what: str, number: int = 0, start: int = 0):
        super().__init__(what)
        self.at, self.what, self.number, self.start = at, what, number, start


class _OtherClass(_Broken):
    """The file is sound so far, but what stands at `at` is no field of the wanted message."""


class _Wire(NamedTuple):
    """A field: its number, its wire type, and the offsets of its tag, its value and what follows."""

    number: int
    type: int
    tag: int
    start: int
    end: int


def _varint(data: Any, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    for i in range(at, min(end, at + 10)):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, i + 1
        shift += 7
    raise _Broken(at, "a number is cut short" if end - at < 10 else "a number has more than 10 bytes")


def _wire(data: Any, at: int, end: int) -> Iterator[_Wire]:
    """The fields of the message in data[at:end]. Raises _Broken."""
    while at < end:
        tag, start = _varint(data, at, end)
        number, type = tag >> 3, tag & 7
        if type == _VARINT:
            after = _varint(data, start, end)[1]
        elif type == _BYTES:
            size, start = _varint(data, start, end)
            after = start + size
        elif type == _FIXED32:
            after = start + 4
        elif type == _FIXED64:
            after = start + 8
        if number == 0 or type not in (_VARINT, _BYTES, _FIXED32, _FIXED64):
            raise _Broken(at, f"no field begins with the byte 0x{data[at]:02x}")
        if after > end:
            what = f"should go on for {after - start} bytes, but {max(end - start, 0)} are left"
            raise _Broken(at, what, number, start)
        yield _Wire(number, type, at, start, after)
        at = after


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def head(number: int, size: int) -> bytes:
    """What stands before a value of `size` bytes, be it a string, bytes or a message, of field `number`."""
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(size)


def _fault(data: Any, descriptor: Any, start: int, end: int) -> tuple[int, str] | None:
    """Where, and in what, data[start:end] stops being a message of this type; None if it never does."""
    fields = {field.number: field for field in descriptor.fields}

    def inside(number: int, start: int, end: int) -> tuple[int, str] | None:
        field = fields.get(number)
        if field is None or field.message_type is None:
            return None
        found = _fault(data, field.message_type, start, end)
        return found and (found[0], f"{field.name}{_name(data, field.message_type, start, end)}: {found[1]}")

    try:
        for wire in _wire(data, start, end):
            if wire.type == _BYTES and (found := inside(wire.number, wire.start, wire.end)):
                return found
    except _Broken as broken:
        if not broken.number:
            return broken.at, broken.what
        name = fields[broken.number].name if broken.number in fields else f"field {broken.number}"
        return inside(broken.number, broken.start, end) or (broken.at, f"{name} {broken.what}")
    return None


def _name(data: Any, descriptor: Any, start: int, end: int) -> str:
    """The value of the message's own `name` field, in quotes, as far as it can be read."""
    name = descriptor.fields_by_name.get("name")
    try:
        for wire in _wire(data, start, end):
            if name and wire.number == name.number and wire.type == _BYTES:
                return f" '{bytes(data[wire.start : wire.end]).decode(errors='replace')}'"
    except _Broken:
        pass  # the fault that is being described; the name may stand after it
    return ""


def _check_top(data: Any, cls: Any) -> None:
    """Complain of a file that is a sound message, but of another class: field numbers with other types."""
    fields = {field.number: field for field in cls.DESCRIPTOR.fields}
    for wire in _wire(data, 0, len(data)):
        field = fields.get(wire.number)
        if field is None or wire.type == _WIRE_TYPES.get(field.type, _VARINT):
            continue
        if wire.type != _BYTES or not is_repeated(field):  # a repeated number may be packed
            raise _OtherClass(wire.tag, f"field {wire.number} is not the {field.name} of a {cls.__name__}")


def _complaint(path: str, data: Any, cls: Any, error: Exception) -> ParseError:
    head = bytes(data[:64])
    if head.startswith(_HDF5):
        return ParseError(f"{path}: this is an HDF5 file, not a binary {cls.__name__}; end its name in .h5")
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return ParseError(f"{path}: this is a text file, not a binary {cls.__name__}; give the binary file")
    try:
        fault = None if isinstance(error, _OtherClass) else _fault(data, cls.DESCRIPTOR, 0, len(data))
    except RecursionError:
        fault = 0, "messages lie within messages without end"
    if fault is None:
        fault = (error.at, error.what) if isinstance(error, _Broken) else (0, str(error))
    return ParseError(
        f"{path}: broken at byte {fault[0]} of {len(data)}: {fault[1]}; the file is cut short, damaged or "
        f"no {cls.__name__}: copy or write it again"
    )


# -- reading --------------------------------------------------------------------------------------


def read(path: Path, cls: Any) -> Any:
    """The message of class `cls` in the binary file `path`, as it stands there.

    Raises ParseError, which says at which byte the file breaks off or stops making sense.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise _unreadable(name, error) from error
    if not data:
        raise ParseError(f"{name}: the file is empty, not a {cls.__name__}; copy or write it again")
    if len(data) > _LIMIT:
        raise ParseError(f"{name}: {len(data)} bytes are more than the {_LIMIT} that protobuf reads")
    try:
        _check_top(data, cls)
        return cls.FromString(_recoded(data, cls.DESCRIPTOR, 0, len(data), _text))
    except (_Broken, DecodeError, UnicodeDecodeError) as error:
        raise _complaint(name, data, cls, error) from error


def read_caffemodel(path: Path, log: Any = None) -> tuple[Any, Layers]:
    """A caffemodel of any age: the upgraded net without blobs, and (name, type, blobs) of each layer.

    Layers stand in the order of the file. A blob is a new float32 (or float64) array of the shape the file
    gives, 4-D where that is the legacy four numbers; float16 where the file keeps it so. `log` as for text.read_net.
    Raises ParseError; nothing comes of a file that is broken anywhere.
    """
    name = os.fspath(path)
    arrays: list[np.ndarray] = []
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ParseError(f"{name}: the file is empty, not a caffemodel; copy or write it again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                try:
                    _check_top(data, NetParameter)
                    body = _take_blobs(data, NetParameter.DESCRIPTOR, 0, len(data), arrays)
                    param = NetParameter.FromString(body)
                    if _has_odd_names(param):
                        param = NetParameter.FromString(
                            _recoded(body, NetParameter.DESCRIPTOR, 0, len(body), _text)
                        )
                except (_Broken, DecodeError, UnicodeDecodeError) as error:
                    raise _complaint(name, data, NetParameter, error) from error
    except OSError as error:
        raise _unreadable(name, error) from error
    if not param.layer and not param.layers:
        raise ParseError(f"{name}: there are no layers in it; give a caffemodel")
    upgrade.upgrade_net(param, name, log)
    layers = [(layer.name, layer.type, [arrays[blob.num] for blob in layer.blobs]) for layer in param.layer]
    for layer in param.layer:
        layer.ClearField("blobs")
    return param, layers


def _text(name: bytes) -> bytes:
    """The bytes of a string as protobuf takes them."""
    return name if name.isascii() else names.decode(name).encode()


def _has_odd_names(param: Any) -> bool:
    """Whether a net, or a layer or a blob of it, has a name that is no UTF-8, which protobuf then gives as bytes."""
    return isinstance(param.name, bytes) or any(
        isinstance(name, bytes)
        for layer in (*param.layer, *param.layers)
        for name in (layer.name, *layer.bottom, *layer.top)
    )


def _recoded(
    data: Any, descriptor: Any, start: int, end: int, change: Callable[[bytes], bytes], depth: int = 0
) -> bytes:
    """The message in data[start:end] with `change` made to every string in it."""
    fields, kept = _texts(descriptor), start
    out: list[Any] = []
    try:
        for wire in _wire(data, start, end):
            if wire.type != _BYTES or wire.number not in fields:
                continue
            message = fields[wire.number]
            if message is None:
                new = change(bytes(data[wire.start : wire.end]))
            elif depth < _DEEPEST:
                new = _recoded(data, message, wire.start, wire.end, change, depth + 1)
            else:
                continue
            if new != data[wire.start : wire.end]:
                out += [data[kept : wire.tag], head(wire.number, len(new)), new]
                kept = wire.end
    except _Broken:
        pass  # who reads the message says so
    return b"".join([*out, data[kept:end]])


@functools.cache
def _texts(descriptor: Any) -> dict[int, Any]:
    """The numbers of the fields that are a string, for which it has None, or a message, for which it has its type."""
    return {
        field.number: field.message_type
        for field in descriptor.fields
        if field.message_type is not None or field.type == FieldDescriptor.TYPE_STRING
    }


def serialize(message: Any) -> bytes:
    """The bytes of a message, with the names in it as Caffe has them."""
    data = message.SerializeToString()
    if names.KEPT_BEGINS not in data:
        return data
    return _recoded(data, message.DESCRIPTOR, 0, len(data), lambda name: names.encode(name.decode()))


_DEEPEST = 100  # messages within messages that protobuf reads
_HOLDERS = ("LayerParameter", "V1LayerParameter", "V0LayerParameter")  # messages that blobs are in
_FORKS_BEGIN = 149  # Caffe's own fields of LayerParameter have smaller numbers


def _take_blobs(data: Any, descriptor: Any, start: int, end: int, arrays: list[np.ndarray]) -> bytes:
    """The message in data[start:end] with every blob appended to `arrays`; where it was, `num` is its index."""
    fields = descriptor.fields_by_number
    is_layer = descriptor.name == "LayerParameter"
    own = _own_numbers(_type(data, start, end)) if is_layer else {}
    out = []
    for wire in _wire(data, start, end):
        if is_layer and wire.type == _BYTES and wire.number >= 100:
            out.append(_fork_message(data, wire, fields, own.get(wire.number, wire.number)))
            continue
        field = fields.get(wire.number)
        inner = field.message_type if field and wire.type == _BYTES else None
        if inner and inner.name == "BlobProto":
            body = _encode_varint(1 << 3 | _VARINT) + _encode_varint(len(arrays))
            arrays.append(_array(data, wire.start, wire.end))
        elif inner and inner.name in _HOLDERS:
            body = _take_blobs(data, inner, wire.start, wire.end, arrays)
        else:
            out.append(bytes(data[wire.tag : wire.end]))
            continue
        out.append(head(wire.number, len(body)) + body)
    return b"".join(out)


def _type(data: Any, start: int, end: int) -> str:
    """The type of the LayerParameter in data[start:end]."""
    key = LayerParameter.DESCRIPTOR.fields_by_name["type"].number, _BYTES
    types = [wire for wire in _wire(data, start, end) if (wire.number, wire.type) == key]
    return bytes(data[types[-1].start : types[-1].end]).decode(errors="replace") if types else ""


@functools.cache
def _own_numbers(layer_type: str) -> dict[int, int]:
    """Of the messages that a layer of this type takes: number in its fork to number in our schema.

    Forks use the same numbers for messages of different layers, so the layer's type says which is meant. What is
    another's number in our schema is a multiple of 1000 more than the fork's.
    """
    fields = LayerParameter.DESCRIPTOR.fields
    taken = [field.number for field in fields if takes(layer_type, field.name)]
    return {number % 1000: number for number in taken}


def _fork_message(data: Any, wire: _Wire, fields: dict[int, Any], number: int) -> bytes:
    """A message of a layer under our number; nothing where a fork means what our schema has no name for."""
    body, field = bytes(data[wire.start : wire.end]), fields.get(number)
    if field is not None and number >= _FORKS_BEGIN and field.message_type is not None:
        try:
            message_factory.GetMessageClass(field.message_type).FromString(body)
        except (DecodeError, UnicodeDecodeError):
            return b""
    return head(number, len(body)) + body


# How NVIDIA's Caffe and OpenCV store values as bytes (raw_data), by raw_data_type.
_RAW_DTYPES = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4"}
_HALF = 2


def _array(data: Any, start: int, end: int) -> np.ndarray:
    """The array of the BlobProto in data[start:end], copied: float16, float32 or float64. Raises _Broken."""
    legacy: dict[int, int] = {}
    shape: list[int] = []
    floats: list[np.ndarray] = []
    doubles: list[np.ndarray] = []
    raw: _Wire | None = None
    raw_type = -1
    for wire in _wire(data, start, end):
        if wire.number <= 4 and wire.type == _VARINT:
            legacy[wire.number] = _varint(data, wire.start, wire.end)[0]
        elif wire.number == 10 and wire.type == _VARINT:
            raw_type = _varint(data, wire.start, wire.end)[0]
        elif wire.number == 12 and wire.type == _BYTES:
            raw = wire
        elif wire.number == 5:
            floats.append(_numbers(data, wire, "<f4"))
        elif wire.number == 8:
            doubles.append(_numbers(data, wire, "<f8"))
        elif wire.number == 7 and wire.type == _BYTES:
            for dim in _wire(data, wire.start, wire.end):
                at = dim.start
                while dim.number == 1 and at < dim.end:
                    size, at = _varint(data, at, dim.end)
                    shape.append(size)
    if legacy:  # Caffe prefers them, too
        shape = [legacy.get(number, 0) for number in (1, 2, 3, 4)]
    parts = doubles or floats
    if raw is not None:
        parts = [_raw_numbers(data, raw, raw_type)]
    array = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    if array.size != prod(shape):
        raise _Broken(start, f"a blob of shape {tuple(shape)} holds {array.size} values, not {prod(shape)}")
    return array.reshape(shape)


def _raw_numbers(data: Any, wire: _Wire, raw_type: int) -> np.ndarray:
    """The values in the raw_data at `wire`; float32 for the integer types. Raises _Broken."""
    if raw_type not in _RAW_DTYPES:
        given = "no raw_data_type" if raw_type < 0 else f"raw_data_type {raw_type}"
        raise _Broken(wire.tag, f"raw_data with {given}, where 0 to {max(_RAW_DTYPES)} are known")
    values = _numbers(data, wire, _RAW_DTYPES[raw_type])
    return values.astype(np.float32) if values.dtype.kind in "iu" else values


def _numbers(data: Any, wire: _Wire, dtype: str) -> np.ndarray:
    count, rest = divmod(wire.end - wire.start, int(dtype[-1]))
    if rest:
        raise _Broken(wire.tag, f"{wire.end - wire.start} bytes of {dtype[-1]}-byte numbers")
    values = np.frombuffer(data, dtype, count, wire.start)
    return values.astype(values.dtype.newbyteorder("="))  # a copy: aligned, and free of the file


def blob_to_array(blob: Any) -> np.ndarray:
    """The array of a BlobProto: float64 if it has double_data or raw_data of that type, else float32.

    Shape: num, channels, height, width if it has any of them, else `shape`; as Blob::FromProto.
    Raises ParseError where shape and number of values disagree.
    """
    data = blob.SerializeToString()
    try:
        array = _array(data, 0, len(data))
    except _Broken as broken:
        raise ParseError(broken.what) from broken
    return array.astype(np.float32) if array.dtype == np.float16 else array


def raw_diff(blob: Any) -> np.ndarray:
    """The values of a BlobProto's raw_diff, in one row. Raises ParseError."""
    data = blob.raw_diff
    try:
        return _raw_numbers(data, _Wire(13, _BYTES, 0, 0, len(data)), blob.raw_diff_type)
    except _Broken as broken:
        raise ParseError(broken.what) from broken


def read_binaryproto(path: Path) -> np.ndarray:
    """The array in a .binaryproto file: (1, C, H, W) for the means that Caffe's tools write. Raises ParseError."""
    try:
        return blob_to_array(read(path, BlobProto))
    except ParseError as error:
        if str(error).startswith(os.fspath(path)):
            raise
        raise ParseError(f"{os.fspath(path)}: {error}; is it a mean file?") from error


def _unreadable(path: str, error: OSError) -> ParseError:
    remedy = "give a file" if os.path.isdir(path) else "check the path"
    return ParseError(f"{path}: cannot be read: {error.strerror}; {remedy}")


# -- writing --------------------------------------------------------------------------------------


def array_to_blob(array: np.ndarray, diff: np.ndarray | None = None, legacy: bool = False) -> Any:
    """A BlobProto of `array`: double_data for float64, else data (as float32).

    `diff` has the array's shape. `legacy` gives num, channels, height, width, filled up with ones from the
    front, instead of `shape`; ValueError for more than four axes.
    """
    return BlobProto.FromString(b"".join(_blob_chunks(array, diff, legacy)))


def _blob_chunks(array: np.ndarray, diff: np.ndarray | None, legacy: bool = False) -> list[Any]:
    """The bytes of array_to_blob's BlobProto, in the order of the field numbers, as C++ writes them."""
    double = array.dtype == np.float64
    if diff is not None and diff.shape != array.shape:
        raise ValueError(f"diff has shape {diff.shape}, its blob {array.shape}")
    if legacy and array.ndim > 4:
        raise ValueError(f"a legacy blob has at most 4 axes, not the {array.ndim} of {array.shape}")
    chunks: list[Any] = []
    if legacy:
        for number, size in enumerate((1,) * (4 - array.ndim) + array.shape, 1):
            chunks.append(_encode_varint(number << 3 | _VARINT) + _encode_varint(size))
    dims = b"" if legacy else b"".join(map(_encode_varint, array.shape))
    if dims:
        body = head(1, len(dims)) + dims
        dims = head(7, len(body)) + body
    if double:
        return [*chunks, dims, *_packed(8, array, "<f8"), *_packed(9, diff, "<f8")]
    return [*chunks, *_packed(5, array, "<f4"), *_packed(6, diff, "<f4"), dims]


def halve(layer_param: Any) -> list[str]:
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


def _packed(number: int, values: np.ndarray | None, dtype: str) -> list[Any]:
    if values is None or values.size == 0:
        return []
    data = np.ascontiguousarray(values, dtype).reshape(-1).data.cast("B")
    return [head(number, len(data)), data]


def write_caffemodel(
    path: Path,
    net_param: Any,
    blobs: list[list[np.ndarray]],
    diffs: list[list[np.ndarray]] | None = None,
) -> None:
    """Write the net's name, its layers and their blobs, byte for byte as Net::ToProto and C++ do.

    `blobs[i]` (and `diffs[i]`) belong to net_param.layer[i]. Raises SnapshotError, also where the file
    would be larger than the 2 GB that Caffe reads.
    """
    name = names.encode(net_param.name)
    chunks: list[Any] = [head(1, len(name)), name]
    blobs_number = LayerParameter.DESCRIPTOR.fields_by_name["blobs"].number
    for i, (layer, arrays) in enumerate(zip(net_param.layer, blobs, strict=True)):
        copy = LayerParameter()
        copy.CopyFrom(layer)
        copy.ClearField("blobs")
        clear_origin(copy)
        data = serialize(copy)
        middle = next(
            (wire.tag for wire in _wire(data, 0, len(data)) if wire.number > blobs_number), len(data)
        )
        body: list[Any] = [data[:middle]]
        for j, array in enumerate(arrays):
            blob = _blob_chunks(array, diffs[i][j] if diffs else None)
            body += [head(blobs_number, _size(blob)), *blob]
        body.append(data[middle:])
        chunks += [head(NetParameter.DESCRIPTOR.fields_by_name["layer"].number, _size(body)), *body]
    if _size(chunks) > _LIMIT:
        raise SnapshotError(
            f"{os.fspath(path)}: {_size(chunks)} bytes are more than the {_LIMIT} that Caffe reads; "
            "use snapshot_format: HDF5"
        )
    write_atomic(path, chunks)


def _size(chunks: list[Any]) -> int:
    return sum(map(len, chunks))


def write_binaryproto(path: Path, array: np.ndarray, legacy: bool = True) -> None:
    """Write a BlobProto file, with `legacy` as Caffe's compute_image_mean does. Raises SnapshotError."""
    write_atomic(path, _blob_chunks(array, None, legacy))


def write_message(path: Path, message: Any) -> None:
    """Write a whole message, without `origin`. Raises SnapshotError."""
    copy = type(message)()
    copy.CopyFrom(message)
    clear_origin(copy)
    write_atomic(path, serialize(copy))


def write_atomic(path: Path, chunks: bytes | Iterable[Any]) -> None:
    """Write the bytes to `path`, all or nothing. Raises SnapshotError."""
    parts = [chunks] if isinstance(chunks, bytes) else list(chunks)

    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            file.writelines(parts)

    write_aside(path, write, _size(parts))


def write_aside(path: Path, write: Callable[[str], None], size: int = 0) -> None:
    """Have `write` make a temporary file beside `path`, and give it that name when it is whole and on disk.

    Whatever goes wrong, the temporary file is removed and a file that was at `path` stays as it was.
    A link stays a link: what it leads to is replaced. What cannot be replaced, a pipe or a device, is written to.
    `size`, if known, is what the error says was needed. Raises SnapshotError for any OSError.
    """
    name = os.fspath(path)
    target = os.path.realpath(name)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        if is_stream(name):
            write(name)
            return
        try:
            write(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.remove(temporary)
            raise
    except OSError as error:
        needed = f" ({size} bytes needed)" if size else ""
        remedy = {
            errno.ENOENT: "make its folder first",
            errno.ENOSPC: "free some space or write elsewhere",
            errno.EDQUOT: "free some space or write elsewhere",
        }.get(error.errno or 0, "write to a place that you may write to")
        raise SnapshotError(
            f"{name}: cannot be written{needed}: {error.strerror or error}; {remedy}"
        ) from error


def is_stream(path: Path) -> bool:
    """Whether `path` is a pipe or a device, such as /dev/stdout, and no file."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
