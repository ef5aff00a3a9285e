"""The .solverstate: what a solver needs beside the weights to go on, in Caffe's two formats.

Binary is a SolverState message, HDF5 (`.solverstate.h5`) has the datasets iter, learned_net, current_step and
history/0, 1, ... Both are written as Caffe writes them, so either program resumes the other's runs. What only
an exact resume needs (see resume.py) is in a private field that Caffe skips.

Caffe: src/caffe/solvers/sgd_solver.cpp (SnapshotSolverState..., RestoreSolverState...).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.data import hdf5
from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.log import names
from caffe_compat.proto import NetParameter, SolverState
from caffe_compat.proto.binary import array_to_blob, blob_to_array, read, serialize, write_atomic

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_PURPOSE = "an HDF5 solverstate"
_RESUME = "caffe_compat_resume"  # the HDF5 dataset for what Caffe does not keep


@dataclass
class SolverStateFile:
    """The contents of a .solverstate.

    iter          updates done
    learned_net   path of the caffemodel, as stored; "" if the file names none
    current_step  how many steps the lr_policy has made
    history       the history blobs, float32 or float64, in Caffe's order (see UpdateRule.history)
    resume        what this package adds for an exact resume, as resume.py writes it; None in a file written by Caffe
    """

    iter: int
    learned_net: str
    current_step: int
    history: list[np.ndarray]
    resume: bytes | None = None


def write_state(path: str, state: SolverStateFile) -> None:
    """Write `state` to `path`, as HDF5 if the name ends in .h5; aside and renamed, so never half a file.

    Raises:
        SnapshotError: the file cannot be written.
        MissingExtra: HDF5 without h5py.
    """
    if path.endswith(".h5"):
        _write_hdf5(path, state)
    else:
        write_atomic(path, _binary_chunks(state))


def read_state(path: str) -> SolverStateFile:
    """Read a .solverstate of Caffe or of this package, binary or HDF5 (told by its first bytes).

    Raises:
        SnapshotError: no such file, a truncated file, or one that is no solverstate.
        MissingExtra: HDF5 without h5py.
    """
    try:
        with open(path, "rb") as file:
            is_hdf5 = file.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC
    except OSError as error:
        raise SnapshotError(
            f"{path}: cannot be read: {error.strerror}; give the path of a .solverstate file"
        ) from error
    return _read_hdf5(path) if is_hdf5 else _read_binary(path)


def check_history(
    state: SolverStateFile, path: str, shapes: Sequence[Sequence[int]], names: Sequence[str]
) -> None:
    """Compare the history blobs of a file with those of a solver.

    Args:
        path: the file, for the message.
        shapes: of the solver's history blobs (UpdateRule.history).
        names: of the learned blobs, in the net's order, for the message.

    Raises:
        SnapshotError: another number of history blobs, or one of another shape.
    """
    found, wanted = len(state.history), len(shapes)
    if found != wanted:
        why = "the file is of another net"
        if found in (2 * wanted, wanted / 2):
            why = "the file is of another solver type (Adam and AdaDelta keep two for a blob, the others one)"
        raise SnapshotError(
            f"{path}: incorrect length of history blobs: {found} in the file, {wanted} in this solver; "
            f"{why}: resume with the net and solver that wrote it, or give its caffemodel to --weights"
        )
    for index, (array, shape) in enumerate(zip(state.history, shapes, strict=True)):
        # Files of 2014 have (num, channels, height, width) shapes, padded with 1 in front.
        if _without_leading_ones(array.shape) != _without_leading_ones(shape):
            raise SnapshotError(
                f"{path}: history blob {index}, of blob '{names[index % len(names)]}', has shape "
                f"{array.shape} in the file and {tuple(shape)} in this solver; the file is of another net: "
                "resume with the net that wrote it, or give its caffemodel to --weights"
            )


def find_learned_net(state: SolverStateFile, path: str, root: str = "") -> tuple[str, str]:
    """Where the weights of a solverstate are: its stored path from `root` on, else beside the solverstate.

    Returns:
        The path, and a sentence for the log ("" where the weights are where the file says).

    Raises:
        SnapshotError: they are in neither place.
    """
    stored = os.path.join(root, names.file_name(state.learned_net))
    if os.path.exists(stored):
        return stored, ""
    beside = os.path.join(os.path.dirname(path), os.path.basename(names.file_name(state.learned_net)))
    if os.path.exists(beside):
        return beside, f"The weights of {path} are not at {stored}; taking {beside}"
    places = " nor in ".join(dict.fromkeys((stored, beside)))
    raise SnapshotError(
        f"{path}: its weights are not in {places}; put that caffemodel beside the solverstate, or start in the folder "
        "where the run was started (--root)"
    )


# -- binary ---------------------------------------------------------------------------------------


def _binary_chunks(state: SolverStateFile) -> Iterator[bytes]:
    """The message in pieces, one a history blob, as C++ serialises it: in the order of field numbers."""
    learned_net = names.decode(names.encode(state.learned_net))
    yield serialize(SolverState(iter=state.iter, learned_net=learned_net))
    for array in state.history:
        yield SolverState(history=[array_to_blob(array)]).SerializeToString()
    tail = SolverState(current_step=state.current_step)
    if state.resume is not None:
        tail.resume = state.resume
    yield tail.SerializeToString()


def _read_binary(path: str) -> SolverStateFile:
    try:
        message = read(path, SolverState)
        history = [blob_to_array(blob) for blob in message.history]
    except ParseError as error:
        _refuse_caffemodel(path, _is_caffemodel(path))
        where = "" if str(error).startswith(path) else f"{path}: "
        raise SnapshotError(f"{where}{error}, or resume from an earlier snapshot") from error
    if not message.HasField("iter"):
        _refuse_caffemodel(path, _is_caffemodel(path))
        raise SnapshotError(f"{path}: no iteration in it, so no solverstate; give a .solverstate file")
    return SolverStateFile(
        message.iter,
        message.learned_net,
        message.current_step,
        history,
        message.resume if message.HasField("resume") else None,
    )


def _is_caffemodel(path: str) -> bool:
    try:
        net = read(path, NetParameter)
    except ParseError:
        return False
    return len(net.layer) + len(net.layers) > 0


def _refuse_caffemodel(path: str, is_caffemodel: bool) -> None:
    if not is_caffemodel:
        return
    state = path.replace(".caffemodel", ".solverstate")
    beside = f"give {state} beside it" if state != path and os.path.exists(state) else "give the .solverstate"
    raise SnapshotError(
        f"{path}: a caffemodel (weights only), not a solverstate; {beside} to --snapshot, or this file to "
        "--weights to start anew from its weights"
    )


# -- HDF5 -----------------------------------------------------------------------------------------


def _write_hdf5(path: str, state: SolverStateFile) -> None:
    h5py = hdf5.h5py(_PURPOSE)
    # In memory first: on a full disk the HDF5 library ends the program with a crash, not with an error.
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file["iter"] = np.array([state.iter], np.int32)
        # A C string, terminated where numpy's would be padded.
        text = names.encode(state.learned_net)
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(len(text) + 1)
        file.create_dataset("learned_net", (), h5py.Datatype(kind), np.array(text, f"S{len(text) + 1}"))
        file["current_step"] = np.array([state.current_step], np.int32)
        history = file.create_group("history")
        for index, array in enumerate(state.history):
            history[str(index)] = array
        if state.resume is not None:
            file[_RESUME] = np.frombuffer(state.resume, np.uint8)
    write_atomic(path, image.getvalue())


def _read_hdf5(path: str) -> SolverStateFile:
    def complain(what: str) -> SnapshotError:
        return SnapshotError(
            f"{path}: the file is cut short, damaged or no solverstate ({what}); copy it again, or resume from an earlier "
            "snapshot"
        )

    with hdf5.opened(path, _PURPOSE, complain) as file:
        _refuse_caffemodel(path, "data" in file and "iter" not in file)
        history = file["history"]
        return SolverStateFile(
            int(file["iter"][0]),
            file["learned_net"][()].decode(errors="surrogateescape") if "learned_net" in file else "",
            int(file["current_step"][0]),
            [hdf5.native(history[str(index)][()]) for index in range(len(history))],
            file[_RESUME][()].tobytes() if _RESUME in file else None,
        )


def _without_leading_ones(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
