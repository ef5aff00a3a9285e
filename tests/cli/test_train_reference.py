"""Whole runs of the command line against logs and files of Caffe's own tool."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.proto import SolverState, binary

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"
_PREFIX = re.compile(r"^[IWE]\d{4,8} [\d:.]+ +\d+ (\w+\.[ch]pp:\d+)\] (.*)$")
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?$")
# What may differ: when Caffe's threads that read ahead begin again.
_CHATTER = ("data_layer.cpp:73",)


def lines(text):
    """The log's lines without prefix, chatter and time figures."""
    kept = []
    for line in text.splitlines():
        match = _PREFIX.match(line)
        if (match and match[1].startswith(_CHATTER)) or "caffe_compat:0]" in line:  # that one is ours
            continue
        line = match[2] if match else line
        kept.append(re.sub(r"\(\S+ iter/s, \S+s/", "(time/", line).rstrip())
    return kept


def assert_same_log(ours, theirs):
    ours, theirs = lines(ours), lines(theirs)
    for number, (mine, wanted) in enumerate(zip(ours, theirs, strict=False)):
        words, expected = re.split(r"([ ()]+)", mine), re.split(r"([ ()]+)", wanted)
        assert len(words) == len(expected), f"line {number}: {mine!r} for {wanted!r}"
        for a, b in zip(words, expected, strict=True):
            if a != b:
                assert _NUMBER.match(a) and _NUMBER.match(b), f"line {number}: {mine!r} for {wanted!r}"
                assert float(a) == pytest.approx(float(b), rel=2e-3, abs=2e-6), (
                    f"line {number}: {mine!r} for {wanted!r}"
                )
    assert len(ours) == len(theirs)


def assert_same_model(ours, theirs):
    """Same structure, and values within tolerance (conv1's bias is rounding noise under BatchNorm)."""
    our_net, mine = binary.read_caffemodel(ours)
    their_net, wanted = binary.read_caffemodel(theirs)
    assert str(our_net) == str(their_net)
    for (name, _, arrays), (_, _, expected) in zip(mine, wanted, strict=True):
        for index, (a, b) in enumerate(zip(arrays, expected, strict=True)):
            if (name, index) != ("conv1", 1):
                np.testing.assert_allclose(a, b, atol=2e-3 * np.abs(b).max(), err_msg=f"{name}[{index}]")


def assert_same_state(ours, theirs):
    mine, wanted = binary.read(ours, SolverState), binary.read(theirs, SolverState)
    assert (mine.iter, mine.current_step) == (wanted.iter, wanted.current_step)
    assert len(mine.history) == len(wanted.history)
    for index, (a, b) in enumerate(zip(mine.history, wanted.history, strict=True)):
        a, b = binary.blob_to_array(a), binary.blob_to_array(b)
        assert a.shape == b.shape
        if index != 1:
            np.testing.assert_allclose(
                a, b, atol=2e-3 * max(1e-3, np.abs(b).max()), err_msg=f"history {index}"
            )


def test_train_log_and_files(solvers, capsys):
    theirs = Path("cli/train.log").read_text()
    for name in ("caffemodel", "solverstate"):
        shutil.move(f"cli/snap_iter_5.{name}", f"cli/theirs_5.{name}")
    assert main(["train", "--solver=cli/solver.prototxt", "--weights=sgd_triangular/init.caffemodel"]) == 0
    assert_same_log(capsys.readouterr().err, theirs)
    assert_same_model("cli/snap_iter_5.caffemodel", "cli/theirs_5.caffemodel")
    assert_same_state("cli/snap_iter_5.solverstate", "cli/theirs_5.solverstate")
    assert_same_model("cli/snap_iter_10.caffemodel", "cli/trained_iter_10.caffemodel")
    assert_same_state("cli/snap_iter_10.solverstate", "cli/trained_iter_10.solverstate")


def test_resume_log_and_files(solvers, capsys):
    theirs = Path("cli/resume.log").read_text()
    arguments = [
        "--solver=cli/solver.prototxt",
        "--snapshot=cli/snap_iter_5.solverstate",
        "--resume-data",
        "restart",
    ]
    assert main(["train", *arguments]) == 0
    assert_same_log(capsys.readouterr().err, theirs)
    assert_same_model("cli/snap_iter_10.caffemodel", "cli/resumed_iter_10.caffemodel")
    assert_same_state("cli/snap_iter_10.solverstate", "cli/resumed_iter_10.solverstate")


def test_test_log(solvers, capsys):
    theirs = Path("cli/test.log").read_text()
    assert (
        main(["test", "--model=net.prototxt", "--weights=cli/trained_iter_10.caffemodel", "--iterations=4"])
        == 0
    )
    assert_same_log(capsys.readouterr().err, theirs)
