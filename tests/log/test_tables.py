"""The tables of logs, against what parse_log.py makes of the same lines."""

import math

import pytest

from caffe_compat.errors import DataError
from caffe_compat.log.tables import read_tables, tables


def log(*messages):
    return [f"I1130 22:24:00.{n:06} 7 solver.cpp:1] {message}\n" for n, message in enumerate(messages)]


def row(phase, accuracy, loss):
    return (
        f"    {phase} net output #0: accuracy = {accuracy}",
        f"    {phase} net output #1: loss = {loss} (* 1 = {loss} loss)",
    )


def test_a_row_has_the_rate_displayed_before_it():
    """The final test comes after the last rate; the first row has none before it, and gets the second one's."""
    lines = log(
        "Solving n",
        "Iteration 0, Testing net (#0)", *row("Test", 0.1, 2.5),
        "Iteration 0, loss = 2.4", *row("Train", 0.2, 2.4), "Iteration 0, lr = 0.01",
        "Iteration 10, Testing net (#0)", *row("Test", 0.3, 1.5),
        "Iteration 10, loss = 1.4", *row("Train", 0.4, 1.4), "Iteration 10, lr = 1e-05",
        "Iteration 20, loss = 1.2",
        "Iteration 20, Testing net (#0)", *row("Test", 0.5, 1.1),
        "Optimization Done.",
    )  # fmt: skip
    found = tables(lines)
    header = ["NumIters", "Seconds", "LearningRate", "accuracy", "loss"]
    assert found["test"] == (
        header,
        [[0, 2e-6, 0.01, 0.1, 2.5], [10, 9e-6, 0.01, 0.3, 1.5], [20, 17e-6, 1e-5, 0.5, 1.1]],
    )
    assert found["train"] == (header, [[0, 5e-6, 0.01, 0.2, 2.4], [10, 12e-6, 0.01, 0.4, 1.4]])


def test_nan_is_a_value_and_the_last_element_counts():
    lines = log(
        "Iteration 0, Testing net (#0)", *row("Test", 0.1, 2.5),
        "Iteration 5, Testing net (#0)", *row("Test", 0.2, "nan"),
        "Iteration 5, Testing net (#1)", *row("Test", 0.3, 1), "    Test net output #1: loss = 3",
    )  # fmt: skip
    header, rows = tables(lines)["test"]
    assert [r[0] for r in rows] == [0, 5, 5] and [r[3] for r in rows] == [0.1, 0.2, 0.3]
    assert math.isnan(rows[1][4]) and rows[2][4] == 1 and all(math.isnan(r[2]) for r in rows)
    header, rows = tables(log("Iteration 0", "Train net output #0: p = 1", "Train net output #1: p = 4"))[
        "train"
    ]
    assert (header[3:], [r[3:] for r in rows]) == (["p"], [[4]])


def test_logs_without_rows_or_stamps(tmp_path):
    assert tables([]) == {phase: (["NumIters", "Seconds", "LearningRate"], []) for phase in ("train", "test")}
    _, rows = tables(["Iteration 3, lr = 0.5\n", "Train net output #0: loss = 2\n", "Optimization Done.\n"])[
        "train"
    ]
    assert rows[0][0] == 3 and math.isnan(rows[0][1]) and rows[0][2:] == [0.5, 2]
    with pytest.raises(DataError, match="gone.log: cannot read the log: No such file"):
        read_tables(tmp_path / "gone.log")
