"""The file itself: its bytes, the one with large constants beside it, and how both come to be all or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from caffe_compat.errors import ExportError
from caffe_compat.proto.binary import head, is_stream

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_SMALL = 1024  # constants below this many bytes stay in the file even if there is one beside it


@contextmanager
def beside(path: str, size: int) -> Iterator[str]:
    """A folder beside `path` whose files take their places there at the end, if all went well.

    Raises ExportError for any OSError; then nothing has changed.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        if os.path.isdir(path) or is_stream(path):
            raise OSError(f"it is a {'folder' if os.path.isdir(path) else 'device, not a file'}")
        temporary = tempfile.mkdtemp(prefix=".onnx-", dir=folder)
        try:
            yield temporary
            # The constants first: a file without them would be broken, one with others is not there yet.
            for name in sorted(os.listdir(temporary), key=lambda name: not name.endswith(".data")):
                with open(os.path.join(temporary, name), "rb") as file:
                    os.fsync(file.fileno())
                os.replace(os.path.join(temporary, name), os.path.join(folder, name))
        finally:
            shutil.rmtree(temporary)
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be written ({size} bytes of constants): {error.strerror or error}; "
            "write to a folder that exists, that you may write to, with enough space"
        ) from error


def chunks(model: ModelProto, constants: dict[str, np.ndarray]) -> list[bytes | memoryview]:
    """The bytes of the model's file, `constants` added to its own.

    Their numbers come straight from the arrays: through messages they would be copied four times.
    """
    import onnx

    initializer = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
    raw_data = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
    body = [model.graph.SerializeToString()]
    for name, array in constants.items():
        numbers = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        words = _tensor(name, array).SerializeToString() + head(raw_data, array.nbytes)
        body += [head(initializer, len(words) + array.nbytes), words, numbers]
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    rest.ClearField("graph")
    graph = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
    return [rest.SerializeToString(), head(graph, sum(map(len, body))), *body]


def move_out(constants: dict[str, np.ndarray], model: ModelProto, path: str) -> dict[str, np.ndarray]:
    """Write the large constants to the file `path` and note in the model where each is; returns the small ones."""
    from onnx import TensorProto

    small = {}
    with open(path, "wb") as file:
        for name, array in constants.items():
            if array.nbytes < _SMALL:
                small[name] = array
                continue
            tensor = _tensor(name, array)
            tensor.data_location = TensorProto.EXTERNAL
            file.write(b"\0" * (-file.tell() % 64))
            place = {"location": os.path.basename(path), "offset": file.tell(), "length": array.nbytes}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(np.ascontiguousarray(array).data)
            model.graph.initializer.append(tensor)
    return small


def _tensor(name: str, array: np.ndarray) -> TensorProto:
    """The message about a constant, without its numbers."""
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.TensorProto(name=name, dims=array.shape, data_type=kind)
