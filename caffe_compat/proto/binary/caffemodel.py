"""Caffemodels of any age: the net as a message, its blobs as arrays."""

import functools
import mmap
import os

import numpy as np
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.log import names
from caffe_compat.log.write import Log
from caffe_compat.proto import LayerParameter, NetParameter, upgrade
from caffe_compat.proto.binary.atomic import Path, write_atomic
from caffe_compat.proto.binary.blobs import array_in, blob_chunks
from caffe_compat.proto.binary.faults import check_top, complaint, unreadable
from caffe_compat.proto.binary.strings import as_text, has_odd_names, recoded, serialize
from caffe_compat.proto.binary.wire import (
    BYTES,
    LIMIT,
    VARINT,
    Broken,
    Chunk,
    Data,
    Wire,
    encode_varint,
    head,
    size_of,
    wire_fields,
)
from caffe_compat.proto.owners import takes
from caffe_compat.proto.text.print import clear_origin

Layers = list[tuple[str, str, list[np.ndarray]]]

_HOLDERS = ("LayerParameter", "V1LayerParameter", "V0LayerParameter")  # messages that blobs are in
_FORKS_BEGIN = 149  # Caffe's own fields of LayerParameter have smaller numbers


def read_caffemodel(path: Path, log: Log | None = None) -> tuple[NetParameter, Layers]:
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
                    check_top(data, NetParameter)
                    body = _take_blobs(data, NetParameter.DESCRIPTOR, 0, len(data), arrays)
                    param = NetParameter.FromString(body)
                    if has_odd_names(param):
                        param = NetParameter.FromString(
                            recoded(body, NetParameter.DESCRIPTOR, 0, len(body), as_text)
                        )
                except (Broken, DecodeError, UnicodeDecodeError) as error:
                    raise complaint(name, data, NetParameter, error) from error
    except OSError as error:
        raise unreadable(name, error) from error
    if not param.layer and not param.layers:
        raise ParseError(f"{name}: there are no layers in it; give a caffemodel")
    upgrade.upgrade_net(param, name, log)
    layers = [(layer.name, layer.type, [arrays[blob.num] for blob in layer.blobs]) for layer in param.layer]
    for layer in param.layer:
        layer.ClearField("blobs")
    return param, layers


def _take_blobs(data: Data, descriptor: Descriptor, start: int, end: int, arrays: list[np.ndarray]) -> bytes:
    """The message in data[start:end] with every blob appended to `arrays`; where it was, `num` is its index."""
    fields = descriptor.fields_by_number
    is_layer = descriptor.name == "LayerParameter"
    own = _own_numbers(_type(data, start, end)) if is_layer else {}
    out = []
    for wire in wire_fields(data, start, end):
        if is_layer and wire.type == BYTES and wire.number >= 100:
            out.append(_fork_message(data, wire, fields, own.get(wire.number, wire.number)))
            continue
        field = fields.get(wire.number)
        inner = field.message_type if field and wire.type == BYTES else None
        if inner and inner.name == "BlobProto":
            body = encode_varint(1 << 3 | VARINT) + encode_varint(len(arrays))
            arrays.append(array_in(data, wire.start, wire.end))
        elif inner and inner.name in _HOLDERS:
            body = _take_blobs(data, inner, wire.start, wire.end, arrays)
        else:
            out.append(bytes(data[wire.tag : wire.end]))
            continue
        out.append(head(wire.number, len(body)) + body)
    return b"".join(out)


def _type(data: Data, start: int, end: int) -> str:
    """The type of the LayerParameter in data[start:end]."""
    key = LayerParameter.DESCRIPTOR.fields_by_name["type"].number, BYTES
    types = [wire for wire in wire_fields(data, start, end) if (wire.number, wire.type) == key]
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


def _fork_message(data: Data, wire: Wire, fields: dict[int, FieldDescriptor], number: int) -> bytes:
    """A message of a layer under our number; nothing where a fork means what our schema has no name for."""
    body, field = bytes(data[wire.start : wire.end]), fields.get(number)
    if field is not None and number >= _FORKS_BEGIN and field.message_type is not None:
        try:
            message_factory.GetMessageClass(field.message_type).FromString(body)
        except (DecodeError, UnicodeDecodeError):
            return b""
    return head(number, len(body)) + body


def write_caffemodel(
    path: Path,
    net_param: NetParameter,
    blobs: list[list[np.ndarray]],
    diffs: list[list[np.ndarray]] | None = None,
) -> None:
    """Write the net's name, its layers and their blobs, byte for byte as Net::ToProto and C++ do.

    `blobs[i]` (and `diffs[i]`) belong to net_param.layer[i]. Raises SnapshotError, also where the file
    would be larger than the 2 GB that Caffe reads.
    """
    name = names.encode(net_param.name)
    chunks: list[Chunk] = [head(1, len(name)), name]
    blobs_number = LayerParameter.DESCRIPTOR.fields_by_name["blobs"].number
    for i, (layer, arrays) in enumerate(zip(net_param.layer, blobs, strict=True)):
        copy = LayerParameter()
        copy.CopyFrom(layer)
        copy.ClearField("blobs")
        clear_origin(copy)
        data = serialize(copy)
        middle = next(
            (wire.tag for wire in wire_fields(data, 0, len(data)) if wire.number > blobs_number), len(data)
        )
        body: list[Chunk] = [data[:middle]]
        for j, array in enumerate(arrays):
            blob = blob_chunks(array, diffs[i][j] if diffs else None)
            body += [head(blobs_number, size_of(blob)), *blob]
        body.append(data[middle:])
        chunks += [head(NetParameter.DESCRIPTOR.fields_by_name["layer"].number, size_of(body)), *body]
    if size_of(chunks) > LIMIT:
        raise SnapshotError(
            f"{os.fspath(path)}: {size_of(chunks)} bytes are more than the {LIMIT} that Caffe reads; "
            "use snapshot_format: HDF5"
        )
    write_atomic(path, chunks)
