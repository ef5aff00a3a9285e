"""Solverstates: bytes as Caffe writes them, exact resume data beside them, and what is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import MissingExtra, SnapshotError
from caffe_compat.proto import SolverState
from caffe_compat.solver.state import (
    SolverStateFile,
    check_history,
    find_learned_net,
    read_state,
    write_state,
)

SOLVERS = Path(__file__).parents[1] / "reference" / "solvers"
BINARY = sorted(str(path.relative_to(SOLVERS)) for path in SOLVERS.glob("*/*.solverstate"))
HDF5 = sorted(str(path.relative_to(SOLVERS)) for path in SOLVERS.glob("*/*.solverstate.h5"))
SHAPES = [(2, 3), (5,), (4, 1, 3)]
NAMES = ["conv1/0", "conv1/1", "ip/0"]
both_formats = pytest.mark.parametrize("name", ["s.solverstate", "s.solverstate.h5"])


def some_state(**changes) -> SolverStateFile:
    rng = np.random.default_rng(7)
    history = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    fields = {"iter": 300, "learned_net": "snap_iter_300.caffemodel", "current_step": 2, "history": history}
    return SolverStateFile(**(fields | changes))


def assert_equal(a: SolverStateFile, b: SolverStateFile) -> None:
    assert (a.iter, a.learned_net, a.current_step, a.resume) == (
        b.iter,
        b.learned_net,
        b.current_step,
        b.resume,
    )
    assert len(a.history) == len(b.history)
    for x, y in zip(a.history, b.history, strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(x, y)


def check(state: SolverStateFile, shapes=SHAPES) -> None:
    check_history(state, "s.solverstate", shapes, NAMES)


@pytest.mark.parametrize("name", BINARY)
def test_binary_files_of_caffe_come_out_byte_for_byte(name, tmp_path):
    state = read_state(str(SOLVERS / name))
    assert state.resume is None
    ours = tmp_path / "ours.solverstate"
    write_state(str(ours), state)
    assert ours.read_bytes() == (SOLVERS / name).read_bytes()


@pytest.mark.parametrize("name", HDF5)
def test_hdf5_files_of_caffe_come_out_in_the_same_layout(name, tmp_path):
    h5py = pytest.importorskip("h5py")
    ours = tmp_path / "ours.solverstate.h5"
    write_state(str(ours), read_state(str(SOLVERS / name)))

    def layout(path):
        rows = {}

        def visit(key, item):
            if isinstance(item, h5py.Dataset):
                kind = item.id.get_type()
                text = (kind.get_strpad(), kind.get_cset()) if kind.get_class() == h5py.h5t.STRING else ()
                plan = item.id.get_create_plist().get_layout()
                rows[key] = (item.shape, item.dtype, text, plan, dict(item.attrs), item[()].tobytes())
            else:
                rows[key] = dict(item.attrs)

        with h5py.File(path) as file:
            file.visititems(visit)
        return rows

    assert layout(ours) == layout(SOLVERS / name)


def test_hdf5_and_binary_keep_the_order_of_more_than_ten_blobs():
    ours = read_state(str(SOLVERS / "adam_hdf5" / "snap_iter_6.solverstate.h5"))
    assert (ours.iter, ours.current_step, len(ours.history)) == (6, 0, 18)
    assert ours.learned_net == "adam_hdf5/snap_iter_6.caffemodel.h5"
    twin = read_state(str(SOLVERS / "adam" / "snap_iter_6.solverstate"))
    assert [h.shape for h in ours.history] == [h.shape for h in twin.history]


@both_formats
@pytest.mark.parametrize("resume", [None, json.dumps({"records": [17, 3], "rng": "x" * 99_000}).encode()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(name, resume, dtype, tmp_path):
    path = str(tmp_path / name)
    state = some_state(resume=resume)
    state.history = [h.astype(dtype) for h in state.history]
    write_state(path, state)
    assert_equal(read_state(path), state)


def test_transposed_and_empty_histories_keep_their_values(tmp_path):
    path = str(tmp_path / "s.solverstate")
    values = (
        np.arange(200 * 3, dtype=np.float32).reshape(3, 200).T
    )  # not contiguous; more bytes than one varint digit
    write_state(path, some_state(history=[values]))
    np.testing.assert_array_equal(read_state(path).history[0], values)
    write_state(path, some_state(history=[]))
    assert read_state(path).history == []


def test_resume_data_is_a_field_that_caffe_does_not_know(tmp_path):
    path = tmp_path / "s.solverstate"
    write_state(str(path), some_state())
    plain = path.read_bytes()
    write_state(str(path), some_state(resume=b"records 5"))
    message = SolverState.FromString(path.read_bytes())
    assert path.read_bytes().startswith(plain)  # Caffe's own bytes, then the private field
    assert message.resume == b"records 5"


@both_formats
def test_a_failed_write_leaves_the_last_file_whole(name, tmp_path, monkeypatch):
    path = tmp_path / name
    write_state(str(path), some_state())
    before = path.read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SnapshotError, match=rf"{name}: .*No space left on device"):
        write_state(str(path), some_state(iter=400))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


# -- what is refused ------------------------------------------------------------------------------


def test_a_missing_file(tmp_path):
    with pytest.raises(
        SnapshotError, match=r"gone.solverstate: cannot be read: No such file.*; give the path of a"
    ):
        read_state(str(tmp_path / "gone.solverstate"))


def test_a_caffemodel_instead_of_a_solverstate():
    with pytest.raises(
        SnapshotError,
        match=r"snap_iter_6.caffemodel: a caffemodel \(weights only\), not a solverstate; "
        r"give .*adam.snap_iter_6.solverstate beside it to --snapshot, or this file to --weights",
    ):
        read_state(str(SOLVERS / "adam" / "snap_iter_6.caffemodel"))
    with pytest.raises(
        SnapshotError, match=r"snap_iter_6.caffemodel.h5: a caffemodel .*snap_iter_6.solverstate.h5 be"
    ):
        read_state(str(SOLVERS / "adam_hdf5" / "snap_iter_6.caffemodel.h5"))
    with pytest.raises(
        SnapshotError, match=r"init.caffemodel: a caffemodel .*; give the .solverstate to --snapshot"
    ):
        read_state(str(SOLVERS / "adam" / "init.caffemodel"))


@pytest.mark.parametrize("name", ["adam/snap_iter_6.solverstate", "adam_hdf5/snap_iter_6.solverstate.h5"])
@pytest.mark.parametrize("size", [0, 100, 2000, -1])
def test_a_truncated_file(name, size, tmp_path):
    path = tmp_path / Path(name).name
    path.write_bytes((SOLVERS / name).read_bytes()[:size])
    with pytest.raises(
        SnapshotError, match=r"(cut short|is empty).*copy .* again, or resume from an earlier snapshot"
    ):
        read_state(str(path))


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "s.solverstate"
    path.write_text('net: "x.prototxt"\n')
    with pytest.raises(SnapshotError, match=r"s.solverstate: this is a text file, not a binary SolverState"):
        read_state(str(path))
    path.write_bytes(SolverState(current_step=3).SerializeToString())
    with pytest.raises(
        SnapshotError, match=r"s.solverstate: no iteration in it, so no solverstate; give a .solv"
    ):
        read_state(str(path))
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["label"] = [1, 2, 3]
    with pytest.raises(
        SnapshotError, match=r"s.solverstate: the file is cut short, damaged or no solverstate"
    ):
        read_state(str(path))


def test_a_history_blob_with_too_few_values(tmp_path):
    path = tmp_path / "s.solverstate"
    state = SolverState(iter=3)
    state.history.add(data=[1, 2, 3]).shape.dim.extend([2, 5])
    path.write_bytes(state.SerializeToString())
    with pytest.raises(
        SnapshotError, match=r"s.solverstate: a blob of shape \(2, 5\) holds 3 values, not 10"
    ):
        read_state(str(path))


def test_histories_of_another_number():
    check(some_state())
    state = some_state()
    with pytest.raises(
        SnapshotError,
        match=r"^s.solverstate: incorrect length of history blobs: 3 in the file, 6 in this solver; the file is of "
        r"another solver type \(Adam and AdaDelta keep two for a blob, the others one\): resume with",
    ):
        check(state, SHAPES * 2)
    with pytest.raises(
        SnapshotError, match=r"3 in the file, 2 in this solver; the file is of another net: resume"
    ):
        check(state, SHAPES[:2])


def test_histories_of_another_shape():
    adam = some_state(history=some_state().history * 2)
    shapes = SHAPES * 2
    shapes[4] = (6,)
    with pytest.raises(
        SnapshotError,
        match=r"history blob 4, of blob 'conv1/1', has shape \(5,\) in the file and \(6,\) in this solver; .*--weights",
    ):
        check(adam, shapes)


def test_old_shapes_with_leading_ones_fit():
    shapes = [(1, 1, 2, 3), (1, 1, 1, 5), (1, 4, 1, 3)]
    check(some_state(history=[np.zeros(shape, np.float32) for shape in shapes]))


def test_the_weights_are_looked_for_beside_the_solverstate(tmp_path):
    state = some_state(learned_net="run/snap_iter_300.caffemodel")
    moved = tmp_path / "moved"
    moved.mkdir()
    path = str(moved / "snap_iter_300.solverstate")
    stored, beside = tmp_path / "run" / "snap_iter_300.caffemodel", moved / "snap_iter_300.caffemodel"

    with pytest.raises(
        SnapshotError, match=rf"weights are not in {stored} nor in {beside}; put that caffemodel"
    ):
        find_learned_net(state, path, str(tmp_path))
    with pytest.raises(SnapshotError, match=rf"weights are not in {stored}; put that caffemodel"):
        find_learned_net(state, str(stored.parent / "a.solverstate"), str(tmp_path))
    beside.touch()
    assert find_learned_net(state, path, str(tmp_path)) == (
        str(beside),
        f"The weights of {path} are not at {stored}; taking {beside}",
    )
    stored.parent.mkdir()
    stored.touch()
    assert find_learned_net(state, path, str(tmp_path)) == (str(stored), "")


def test_hdf5_without_h5py(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"an HDF5 solverstate needs the package h5py; .*pip install h5py"):
        write_state(str(tmp_path / "s.solverstate.h5"), some_state())
    with pytest.raises(MissingExtra, match=r"an HDF5 solverstate needs the package h5py"):
        read_state(str(SOLVERS / HDF5[0]))
