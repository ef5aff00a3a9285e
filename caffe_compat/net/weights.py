"""A net's blobs to and from .caffemodel and .caffemodel.h5 files.

Both directions go through the layer list, never through a fused graph. Loading matches layers by
name as Caffe does: layers the net lacks are ignored, layers the file lacks keep their values, blob
counts and shapes must agree. Nothing is copied before everything has been checked.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import torch

from caffe_compat.data import hdf5
from caffe_compat.errors import WeightsError, some
from caffe_compat.layers.base import Layer, where
from caffe_compat.log.write import NULL, Log
from caffe_compat.net.net import Net
from caffe_compat.proto.binary import read_caffemodel, write_atomic, write_caffemodel

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def copy_trained_layers_from(net: Net, path: str) -> None:
    """Copy the blobs of the file's layers into the net's layers of the same name.

    `path` is a binary caffemodel (V0, V1 or V2) or an HDF5 one, told apart by content.

    Raises:
        WeightsError: the file is missing, or blob counts or shapes differ; names layer and both shapes.
        ParseError: the file is broken. In either case the net is as it was.

    Source: Net::CopyTrainedLayersFrom in src/caffe/net.cpp.
    """
    if ".solverstate" in os.path.basename(path):
        raise WeightsError(
            f"{path}: a solverstate, not weights; give the .caffemodel beside it, or resume with --snapshot {path}"
        )
    if _is_hdf5(path):
        pairs = _match_hdf5(net, path)
    else:
        pairs = _match_binary(net, path)
    with torch.no_grad():
        for blob, array in pairs:
            blob.copy_(torch.from_numpy(np.ascontiguousarray(array)).view(blob.shape))
    if not pairs:
        theirs = [name for name, shapes in shapes_in(path).items() if shapes]
        ours = [layer.name for layer in net.layers if len(layer.blobs)]
        if theirs or ours:
            net.log.warning(
                f"{path}: nothing was copied, for none of its layers ({_some(theirs)}) is one of the net's "
                f"({_some(ours)}); layers are matched by name: is this the file of another net?"
            )
    broken = [layer.name for layer in net.layers if any(map(_is_broken, layer.owned_blobs()))]
    if broken:
        net.log.warning(
            f"{path}: the values of {_some(broken)} are not all finite, so what the net computes is not either: the run "
            "that it comes from had diverged; use an earlier snapshot"
        )


def _some(names: list[str]) -> str:
    """The first of these names."""
    return some(names) or "none"


def _is_broken(blob: torch.Tensor) -> bool:
    # A sum is five times as fast as looking at each value; it may be infinite where no value is.
    return not bool(torch.isfinite(blob.detach().sum())) and not bool(torch.isfinite(blob.detach()).all())


def shapes_in(path: str, log: Log = NULL) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of the blobs in a caffemodel, binary or HDF5, by layer (the first of those of one name).

    Raises as `copy_trained_layers_from`.
    """
    found: dict[str, list[tuple[int, ...]]] = {}
    if not _is_hdf5(path):
        for name, _, arrays in read_caffemodel(path, log)[1]:
            found.setdefault(name, [array.shape for array in arrays])
        return found
    with _opened(path) as file:
        for name in _layer_groups(file["data"]):
            group = file["data"][hdf5.key(name)]
            found[name] = [group[key].shape for key in sorted(group, key=int)]
    return found


def save(net: Net, path: str, diff: bool = False) -> None:
    """Write a binary caffemodel, byte for byte what Caffe writes for this net and these values."""
    write_caffemodel(
        path,
        net.param,
        [[_array(blob) for blob in layer.blobs] for layer in net.layers],
        [_gradients(layer) for layer in net.layers] if diff else None,
    )


def save_hdf5(net: Net, path: str, diff: bool = False) -> None:
    """Write an HDF5 caffemodel: /data/<layer>/<index> for every blob that its layer owns.

    Layer names with a slash make nested groups, where Caffe fails.
    """
    owners = {(blob.layer, blob.index) for blob in net.learned}

    # In memory first: on a full disk the HDF5 library ends the program with a crash, not with an error.
    image = io.BytesIO()
    with hdf5.h5py("an HDF5 caffemodel").File(image, "w") as file:
        data = file.create_group("data")
        diffs = file.create_group("diff") if diff else None
        for number, layer in enumerate(net.layers):
            group = _group(data, layer.name)
            diff_group = _group(diffs, layer.name) if diffs is not None else None
            for index, blob in enumerate(layer.owned_blobs()):
                if (number, index) in owners:
                    group.create_dataset(str(index), data=_array(blob))
            if diff_group is not None:
                for index, array in enumerate(_gradients(layer)):
                    diff_group.create_dataset(str(index), data=array)
    write_atomic(path, image.getvalue())


def _match_binary(net: Net, path: str) -> list[tuple[Any, np.ndarray]]:
    _, layers = read_caffemodel(path, net.log)
    pairs = []
    for name, _, arrays in layers:
        layer = net.layer(name)
        if layer is None:
            net.log.ignoring_source_layer(name)
            continue
        net.log.copying_source_layer(name)
        blobs, arrays = layer.owned_blobs(), layer.from_file(arrays)
        if len(blobs) != len(arrays):
            _misfit(
                path,
                layer,
                f"incompatible number of blobs: {len(arrays)} in the file, {len(blobs)} in the net",
            )
        for index, (blob, array) in enumerate(zip(layer.blobs, arrays, strict=True)):
            if not fits(array.shape, tuple(blob.shape)):
                _misfit(
                    path, layer,
                    f"cannot copy param {index}: shape mismatch, source {array.shape}, target {tuple(blob.shape)}",
                )  # fmt: skip
            pairs.append((blobs[index], array))
    return pairs


def _match_hdf5(net: Net, path: str) -> list[tuple[Any, np.ndarray]]:
    owners = {(blob.layer, blob.index) for blob in net.learned}
    pairs = []
    with _opened(path) as file:
        if "data" not in file:
            raise WeightsError(f"{path}: no group 'data', so this is not a caffemodel; is it a solverstate?")
        for name in _layer_groups(file["data"]):
            layer = net.layer(name)
            if layer is None:
                net.log.ignoring_source_layer(name, "hdf5")
                continue
            net.log.copying_source_layer(name, "hdf5")
            group, blobs = file["data"][hdf5.key(name)], layer.owned_blobs()
            datasets = [key for key in group if hasattr(group[key], "dtype")]
            if len(datasets) > len(blobs):
                _misfit(
                    path,
                    layer,
                    f"incompatible number of blobs: {len(datasets)} in the file, {len(blobs)} here",
                )
            number = net.layer_names.index(name)
            for index, blob in enumerate(layer.blobs):
                if str(index) not in group:
                    if (number, index) not in owners:
                        continue  # a shared blob: its owner's layer has it
                    _misfit(
                        path,
                        layer,
                        f"incompatible number of blobs: no blob {index} of {len(blobs)} in the file",
                    )
                if group[str(index)].shape != tuple(blob.shape):
                    _misfit(
                        path, layer,
                        f"cannot copy param {index}: shape mismatch, source {group[str(index)].shape}, "
                        f"target {tuple(blob.shape)}",
                    )  # fmt: skip
                pairs.append((blobs[index], hdf5.native(group[str(index)][()])))
    return pairs


def _opened(path: str) -> Any:
    def complain(what: str) -> WeightsError:
        return WeightsError(
            f"{path}: cannot be read as an HDF5 caffemodel: {what}; the file is cut short or damaged: copy it again"
        )

    return hdf5.opened(path, f"reading {path}", complain)


def _layer_groups(data: Any) -> list[str]:
    """Layer names, in file order: groups that hold datasets or nothing (a slash in a name nests them)."""
    names: list[str] = []

    def visit(name: str | bytes, item: Any) -> None:
        if _is_group(item) and not any(_is_group(item[key]) for key in item):
            names.append(hdf5.text(name))

    data.visititems(visit)
    return names


def _is_group(item: Any) -> bool:
    return hasattr(item, "visititems")


def _group(parent: Any, name: str) -> Any:
    """The group of this name, made if need be."""
    key = hdf5.key(name)
    return parent.require_group(key) if isinstance(key, str) else parent.create_group(key)


def _misfit(path: str, layer: Layer, what: str) -> None:
    raise WeightsError(
        f"{where(layer.param)}: {path}: {what}. To learn this layer's parameters from scratch rather than "
        "copying from a saved net, rename the layer."
    )


def fits(source: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Equal, or equal from the end with the four legacy dimensions filled up by ones (Blob::ShapeEquals)."""
    return source == target or (
        len(source) == 4 and len(target) < 4 and source == (1,) * (4 - len(target)) + target
    )


def _array(blob: torch.Tensor) -> np.ndarray:
    return blob.detach().cpu().contiguous().numpy()


def _gradients(layer: Layer) -> list[np.ndarray]:
    """The gradients of a layer's blobs, in the layer's own shapes; those of a shared blob are its owner's."""
    found = []
    for blob, owned in zip(layer.blobs, layer.owned_blobs(), strict=True):
        array = np.zeros(blob.shape, np.float32) if owned.grad is None else _array(owned.grad)
        found.append(array.reshape(tuple(blob.shape)))
    return found


def _is_hdf5(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read: {os.strerror(error.errno or 0)}; check the path"
        ) from error
