"""What a solverstate keeps for an exact resume: its version, and data that is damaged."""

import json
from pathlib import Path

import pytest

from caffe_compat.errors import SnapshotError
from caffe_compat.log.write import Log
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.resume import VERSION, parse
from caffe_compat.solver.solver import Solver
from caffe_compat.solver.state import read_state, write_state

NET = """
layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 2 dim: 3 }
  data_filler { type: "gaussian" } } }
layer { name: "drop" type: "Dropout" bottom: "d" top: "e" }
layer { name: "l" type: "Power" bottom: "e" top: "l" loss_weight: 1 }"""
both_formats = pytest.mark.parametrize("suffix", ["", ".h5"])


def solver(folder: Path, suffix: str = "", log: Log | None = None, **fields) -> Solver:
    (folder / "net").write_text(NET)
    param = SolverParameter(
        net=str(folder / "net"), base_lr=1, lr_policy="fixed", max_iter=9, random_seed=1, **fields
    )
    param.snapshot_prefix = str(folder / "s")
    param.snapshot_format = SolverParameter.HDF5 if suffix else SolverParameter.BINARYPROTO
    return Solver(param, **({"log": log} if log else {}))


def snapshot(folder: Path, suffix: str = "", **fields) -> tuple[str, dict]:
    """The path of a solverstate after three iterations, and what is kept in it."""
    run = solver(folder, suffix, **fields)
    run.step(3)
    _, path = run.snapshot()
    return path, json.loads(read_state(path).resume)


def rewrite(path: str, kept: object) -> None:
    state = read_state(path)
    state.resume = kept if isinstance(kept, bytes) else json.dumps(kept).encode()
    write_state(path, state)


@both_formats
def test_the_version_is_written_first(tmp_path, suffix):
    path, kept = snapshot(tmp_path, suffix)
    assert next(iter(kept)) == "version" and kept["version"] == VERSION == 1
    solver(tmp_path).restore(path)


def test_files_without_what_came_later_are_read(tmp_path):
    """Those of the first version that had no use for it."""
    path, kept = snapshot(tmp_path)
    for name in ("version", "test_random", "diverged_tests", "watched"):
        del kept[name]
        rewrite(path, kept)
        solver(tmp_path).restore(path)


@both_formats
def test_a_later_version_is_refused_unless_the_data_starts_anew(tmp_path, suffix):
    path, kept = snapshot(tmp_path, suffix)
    rewrite(path, {**kept, "version": VERSION + 1})
    with pytest.raises(
        SnapshotError,
        match=rf"{path}: the data positions and random states in it are of version 2, which a later caffe-compat "
        "wrote, and this one knows version 1; update it, or give --resume-data restart",
    ):
        solver(tmp_path).restore(path)
    run = solver(tmp_path)
    run.resume_data = "restart"
    run.restore(path)
    assert run.iter == 3


@both_formats
@pytest.mark.parametrize(
    "data", [b"", b"{'a'", b"\xff", b"[1]", b"{}", b'{"replicas": 1, "random": 3}', b"[" * 99999]
)
def test_what_is_no_such_data_is_said_to_be_damaged(tmp_path, suffix, data):
    path, _ = snapshot(tmp_path, suffix)
    rewrite(path, data)
    with pytest.raises(
        SnapshotError, match=r"solverstate.*: the data positions and random states in it are damaged \("
    ):
        solver(tmp_path).restore(path)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"}, {"version": None}, {"replicas": "one"}, {"replicas": True}, {"random": [{}]}, {"random": [3]},
        {"random": [{"cpu": "AAAA"}]}, {"random": [{"cpu": "*"}]}, {"test_random": {"cpu": "AAAA"}}, {"test_random": {}},
        {"generator": 3}, {"generator": "AAAA"}, {"generator": "\u00e9"}, {"data": 3}, {"data": [3]}, {"data": [[3]]},
        {"data": [[{"position": "x"}]]}, {"losses": []}, {"losses": {}},
        {"losses": {"ring": ["x"], "smoothed": 1, "first_iter": 0}}, {"losses": {"ring": [], "smoothed": "x", "first_iter": 0}},
        {"diverged_tests": 1.5}, {"watched": []}, {"watched": {"best": "x"}},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_make_no_sense_are_said_to_be_damaged(tmp_path, change):
    path, kept = snapshot(tmp_path)
    rewrite(path, {**kept, **change})
    with pytest.raises(
        SnapshotError, match=r"damaged \(.+\); copy it again, or resume from an earlier snapshot$"
    ):
        solver(tmp_path).restore(path)


@pytest.mark.parametrize("name", ["replicas", "random", "generator", "data", "losses"])
def test_values_that_are_not_there_are_named(tmp_path, name):
    path, kept = snapshot(tmp_path)
    del kept[name]
    rewrite(path, kept)
    with pytest.raises(SnapshotError, match=rf"damaged \(there is no '{name}'\)"):
        solver(tmp_path).restore(path)


def test_a_refused_file_is_named_where_nothing_is_restored():
    with pytest.raises(SnapshotError, match="x.solverstate: .*damaged"):
        parse(b"{", "x.solverstate")
