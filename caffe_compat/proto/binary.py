"""Binary protobuf files: caffemodel, solverstate, binaryproto."""

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.proto import BlobProto, NetParameter, upgrade


def read(path: Any, cls: Any) -> Any:
    try:
        return cls.FromString(Path(path).read_bytes())
    except Exception as error:
        raise ParseError(f"{path}: not a {cls.DESCRIPTOR.name}: {error}") from error


def write_aside(path: Any, write: Callable[[str], None]) -> None:
    """Call `write` with the name of a temporary file in the same folder, then rename it to `path`."""
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=folder)
        os.close(handle)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.remove(temporary)
        raise SnapshotError(f"{path}: cannot be written: {error.strerror}") from error


def write_atomic(path: Any, chunks: bytes | Iterable[bytes]) -> None:
    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    write_aside(path, write)


def blob_to_array(blob: Any) -> np.ndarray:
    if blob.double_data:
        data = np.array(blob.double_data, np.float64)
    else:
        data = np.array(blob.data, np.float32)
    if blob.HasField("shape"):
        return data.reshape(tuple(blob.shape.dim))
    return data.reshape(blob.num, blob.channels, blob.height, blob.width)


def array_to_blob(array: np.ndarray, diff: np.ndarray | None = None, legacy: bool = False) -> Any:
    blob = BlobProto()
    if legacy:
        blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - array.ndim) + array.shape
    else:
        blob.shape.dim.extend(array.shape)
    double = array.dtype == np.float64
    (blob.double_data if double else blob.data).extend(array.ravel().tolist())
    if diff is not None:
        (blob.double_diff if double else blob.diff).extend(diff.ravel().tolist())
    return blob


def read_caffemodel(path: Any) -> tuple[Any, list[tuple[str, str, list[np.ndarray]]]]:
    param = read(path, NetParameter)
    upgrade.upgrade_net(param, str(path))
    layers = [(layer.name, layer.type, [blob_to_array(b) for b in layer.blobs]) for layer in param.layer]
    for layer in param.layer:
        layer.ClearField("blobs")
    return param, layers


def write_caffemodel(
    path: Any,
    net_param: Any,
    blobs: list[list[np.ndarray]],
    diffs: list[list[np.ndarray]] | None = None,
) -> None:
    out = NetParameter(name=net_param.name)
    for i, layer in enumerate(net_param.layer):
        new = out.layer.add()
        new.CopyFrom(layer)
        new.ClearField("origin")
        new.ClearField("blobs")
        new.blobs.extend(array_to_blob(b, diffs[i][j] if diffs else None) for j, b in enumerate(blobs[i]))
    write_atomic(path, out.SerializeToString())


def read_binaryproto(path: Any) -> np.ndarray:
    return blob_to_array(read(path, BlobProto))


def write_binaryproto(path: Any, array: np.ndarray, legacy: bool = True) -> None:
    write_atomic(path, array_to_blob(array, legacy=legacy).SerializeToString())
