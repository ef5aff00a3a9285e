"""The schedule command: rows, sources, what it refuses, and that it starts quickly."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from caffe_compat.cli import main, schedule
from caffe_compat.errors import CaffeError
from caffe_compat.proto import SolverParameter, is_repeated, text
from caffe_compat.solver import fields
from caffe_compat.solver.solver import Solver

SOLVERS = Path(__file__).parents[1] / "reference" / "solvers"
NET = """layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } } }
         layer { name: "l" type: "Reduction" bottom: "x" top: "l" loss_weight: 1 }"""
TRIANGULAR = """lr_policy: "triangular" base_lr: 0.1 max_lr: 0.5 stepsize: 2 max_iter: 5
                momentum: 0.9 weight_decay: 1e-4"""


@pytest.fixture
def solver(tmp_path: Path) -> str:
    path = tmp_path / "clr_solver.prototxt"
    path.write_text(TRIANGULAR)
    return str(path)


def test_csv(solver, capsys):
    assert main(["schedule", "--solver", solver, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "iteration,lr,momentum,weight_decay",
        "0,0.1,0.9,1e-04",
        "1,0.3,0.9,1e-04",
        "2,0.5,0.9,1e-04",
        "3,0.3,0.9,1e-04",
        "4,0.1,0.9,1e-04",
    ]


def test_table(solver, capsys):
    assert main(["schedule", "-solver=" + solver, "--set", "max_lr=0.7", "--set", "max_iter=3"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "iteration   lr  momentum  weight decay",
        "        0  0.1       0.9        0.0001",
        "        1  0.4       0.9        0.0001",
        "        2  0.7       0.9        0.0001",
    ]
    assert "--set max_lr: 0.5 -> 0.7" in err


@pytest.mark.parametrize("form", [(), ("--csv",)])
def test_a_long_run_is_printed_block_by_block(form, solver, capsys, monkeypatch):
    arguments = ["schedule", "--solver", solver, *form, "--set", "max_iter=25", "--set", "stepsize=9"]
    main(arguments)
    at_once = capsys.readouterr().out
    written = []
    monkeypatch.setattr(schedule, "_BLOCK", 10)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=written.append))
    assert main(arguments) == 0
    assert "".join(written) == at_once
    assert max(text.count("\n") for text in written) == 10


def test_a_long_run_is_counted_to_the_last_digit():
    assert schedule._texts(np.array([1234567, 12]), shortest=False) == ["1234567", "12"]


def test_a_log_gives_the_solver_it_echoes(capsys):
    assert main(["schedule", "--solver", str(SOLVERS / "cli" / "train.log"), "--csv"]) == 0
    from_log = capsys.readouterr().out
    assert main(["schedule", "--solver", str(SOLVERS / "cli" / "solver.prototxt"), "--csv"]) == 0
    assert from_log == capsys.readouterr().out
    assert len(from_log.splitlines()) == 11


def test_an_echo_cut_out_of_a_log_is_a_solver_file(tmp_path, capsys):
    lines = (SOLVERS / "cli" / "train.log").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if "Initializing solver" in line) + 1
    stop = next(i for i, line in enumerate(lines) if "Creating training net" in line)
    path = tmp_path / "echo.prototxt"
    path.write_text("\n".join(lines[start:stop]))
    assert main(["schedule", "--solver", str(path), "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [float(row["lr"]) for row in rows[4:7]] == pytest.approx([0.33, 0.4, 0.33])


def test_root_is_where_a_relative_solver_is_looked_for(solver, capsys):
    assert (
        main(["schedule", "--root", str(Path(solver).parent), "--solver", "clr_solver.prototxt", "--csv"])
        == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 6


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own dependencies
def test_plot(solver, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "rates.png"
    assert main(["schedule", "--solver", solver, "--plot", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert f"Wrote {out}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, message",
    [
        (
            'lr_policy: "fixed"',
            "clr_solver.prototxt: max_iter is 0; give the number of iterations: --set max_iter=",
        ),
        (
            'lr_policy: "stpe" max_iter: 5',
            "clr_solver.prototxt: unknown lr_policy 'stpe'; did you mean 'step'",
        ),
        ("lr_policcy: 'step'", "lr_policcy"),
    ],
)
def test_a_solver_without_a_schedule(text, message, solver, capsys):
    Path(solver).write_text(text)
    assert main(["schedule", "--solver", solver]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_solver(capsys):
    assert main(["schedule", "--solver", "gone.prototxt"]) == 1
    assert (
        "gone.prototxt: cannot be read: No such file or directory; give a solver" in capsys.readouterr().err
    )


def test_neither_torch_nor_matplotlib_is_imported(solver):
    code = (
        "import sys; from caffe_compat.cli import main\n"
        "assert main(['schedule', '--csv', '--solver', sys.argv[1]]) == 0\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code, solver], check=True, capture_output=True)


@pytest.mark.parametrize(
    "name", [field.name for field in SolverParameter.DESCRIPTOR.fields if field.name != "origin"]
)
def test_schedule_lint_and_train_say_the_same_of_every_field(name, tmp_path, capsys, monkeypatch):
    """Each field of each fork, with a value that is not its default."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    base = 'base_lr: 0.1 lr_policy: "fixed" max_iter: 2 snapshot_after_train: false\n'
    param = text.parse(base + 'net: "net.prototxt"', SolverParameter)
    field = SolverParameter.DESCRIPTOR.fields_by_name[name]
    if not field.message_type:
        values = (
            (7, 0.7, True, "net.prototxt")
            if not field.enum_type
            else [v.number for v in field.enum_type.values]
        )
        for value in values:
            try:
                given = [value] if is_repeated(field) else value
                other = SolverParameter(**{name: given})
            except TypeError:
                continue
            if is_repeated(field) or getattr(other, name) != field.default_value:
                param.ClearField(name)
                param.MergeFrom(other)
                break
    Path("solver.prototxt").write_text(text.to_text(param))
    told = fields.sentences(text.read_solver("solver.prototxt"))
    main(["lint", "solver.prototxt", "--format", "json"])
    linted = [found["text"] for found in json.loads(capsys.readouterr().out)]
    assert [what for _, what, _ in told if what not in linted] == []
    code = main(["schedule", "--solver", "solver.prototxt"])
    scheduled = capsys.readouterr().err
    refused = [what.partition(";")[0] for _, what, kind in told if kind in ("refused", "fork")]
    assert code == bool(refused or param.max_iter < 1)
    assert all(what.partition(";")[0] in scheduled for _, what, _ in told) or refused[0] in scheduled
    if refused:
        with pytest.raises(CaffeError, match=re.escape(refused[0])):
            Solver(text.read_solver("solver.prototxt"))
