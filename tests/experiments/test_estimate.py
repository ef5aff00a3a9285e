"""Equation 8, against its formula written out with loops, and the tables of its values."""

import math

import numpy as np
import pytest

from caffe_compat.errors import CaffeError, DataError, SolverError
from caffe_compat.experiments.estimate import (
    Estimator,
    Row,
    Table,
    from_snapshots,
    rates,
    read_table,
    snapshots,
)
from caffe_compat.proto import NetParameter, SolverParameter, text
from caffe_compat.proto.binary import write_caffemodel

SOLVER = 'lr_policy: "triangular" base_lr: 0.1 max_lr: 3 stepsize: 5 max_iter: 10'
NET = 'name: "n" layer { name: "a" type: "InnerProduct" } layer { name: "b" type: "BatchNorm" }'


def solver():
    return text.parse(SOLVER, SolverParameter)


def lr_at(i):
    return 0.1 + 2.9 * i / 5 if i < 5 else 3.0 - 2.9 * (i - 5) / 5


def weights(count, seed=0):
    """Two layers of two blobs at `count` iterations."""
    random = np.random.default_rng(seed)
    return [
        [[random.normal(size=(2, 3)), random.normal(size=5)], [random.normal(size=4), random.normal(size=1)]]
        for _ in range(count)
    ]


def published(nets, lr, every, alpha=0.1):
    """The arithmetic of the authors' scripts: sums over the layers and their blobs, one after another."""
    moving, rows = 0.1, []
    for i in range(every, len(nets) - 2 * every, every):
        one, two, three = nets[i], nets[i + every], nets[i + 2 * every]
        top = sum(
            np.sum(abs(b - a)) for la, lb in zip(one, two, strict=True) for a, b in zip(la, lb, strict=True)
        )
        bottom = sum(
            np.sum(abs(2 * b - a - c))
            for la, lb, lc in zip(one, two, three, strict=True)
            for a, b, c in zip(la, lb, lc, strict=True)
        )
        moving = (1 - alpha) * moving + lr(i) * alpha * top / bottom
        rows.append((i, lr(i), top, bottom, lr(i) * top / bottom, moving))
    return rows


def flat(net):
    return np.concatenate([blob.ravel() for layer in net for blob in layer])


@pytest.mark.parametrize("every", [1, 2])
def test_the_estimate_is_the_scripts_arithmetic(every):
    nets = weights(9)
    estimator = Estimator(every)
    rows = [estimator.add(i, lr_at(i), flat(nets[i])) for i in range(every, 9, every)]
    assert rows[:2] == [None, None]
    np.testing.assert_allclose([row for row in rows if row], published(nets, lr_at, every), rtol=1e-12)


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    nets = weights(5)
    one, other = Estimator(1), Estimator(1)
    for i, net in enumerate(nets):
        a, b = one.add(i, 0.5, flat(net)), other.add(i, 0.5, torch.from_numpy(flat(net)))
        assert (a is None) == (b is None)
        if a:
            np.testing.assert_allclose(b, a, rtol=1e-12)


def test_a_quadratic_in_one_dimension_gives_its_curvature():
    """Gradient descent on h w^2 / 2: successive steps shrink by 1 - lr h, so the estimate is 1 / h."""
    h, lr, w = 0.4, 0.25, np.array([3.0])
    estimator = Estimator(1)
    for i in range(4):
        row = estimator.add(i, lr, w.copy())
        w -= lr * h * w
    assert row.estimate == pytest.approx(1 / h)


def test_a_straight_line_says_nothing():
    estimator = Estimator(1)
    for i in range(3):
        row = estimator.add(i, 0.5, np.array([1.0, 2.0]) * i)
    assert row.bottom == 0 and math.isnan(row.estimate) and row.smoothed == 0.1


def test_a_gap_begins_anew():
    estimator = Estimator(1)
    rows = [estimator.add(i, 0.5, np.array([float(i * i)])) for i in (0, 1, 5, 6, 7)]
    assert [row and row.iteration for row in rows] == [None, None, None, None, 5]


def write_snapshots(folder, nets, at):
    net = text.parse(NET, NetParameter)
    for i in at:
        blobs = [[blob.astype(np.float32) for blob in layer] for layer in nets[i]]
        write_caffemodel(folder / f"run_iter_{i}.caffemodel", net, blobs)


def test_from_snapshots(tmp_path):
    nets = [[[b.astype(np.float32).astype(float) for b in layer] for layer in net] for net in weights(9)]
    write_snapshots(tmp_path, nets, range(1, 9))
    (tmp_path / "run_iter_1.solverstate").touch()
    prefix = str(tmp_path / "run")
    assert sorted(snapshots(prefix)) == list(range(1, 9))
    for every in (1, 2):
        expected = published(nets, lr_at, every)
        np.testing.assert_allclose(list(from_snapshots(prefix, solver(), every)), expected, rtol=1e-6)
    np.testing.assert_allclose(list(from_snapshots(prefix, solver())), published(nets, lr_at, 1), rtol=1e-6)


def test_snapshots_as_near_as_they_are(tmp_path):
    write_snapshots(tmp_path, weights(9), (2, 5, 8))
    (row,) = from_snapshots(str(tmp_path / "run"), solver())
    assert row.iteration == 2 and row.lr == pytest.approx(lr_at(2))


def test_too_few_snapshots(tmp_path):
    write_snapshots(tmp_path, weights(9), (2, 4, 7))
    with pytest.raises(
        DataError, match=r"run_iter_\*\.caffemodel: 3 files, and no three of them evenly apart; train with"
    ):
        list(from_snapshots(str(tmp_path / "run"), solver()))
    with pytest.raises(DataError, match=r"no three of them 5 iterations apart; train with --set snapshot=5"):
        list(from_snapshots(str(tmp_path / "run"), solver(), 5))
    with pytest.raises(DataError, match=r"gone is no folder; give the snapshot_prefix of the run"):
        list(from_snapshots(str(tmp_path / "gone" / "run"), solver()))


def test_rates_go_on_after_the_end():
    rate = rates(solver())
    assert [rate(0), rate(5), rate(10)] == pytest.approx([0.1, 3, 0.1])
    assert rate(12) == pytest.approx(rate(10))
    with pytest.raises(SolverError, match="max_iter is 0; set it above 0"):
        rates(text.parse('lr_policy: "fixed" base_lr: 1', SolverParameter))


def test_tables(tmp_path):
    path = tmp_path / "t.csv"
    rows = [Row(1, 0.1, 2.5, 1.25, 0.2, 0.11), Row(2, 0.68, 2.0, math.nan, math.nan, 0.11)]
    table = Table(path, rows[:1])
    table.add(rows[1])
    assert path.read_text().splitlines()[0] == "iteration,lr,top,bottom,estimate,smoothed"
    np.testing.assert_array_equal(read_table(path), rows)
    path.write_text(path.read_text() + "3,0.5,1")  # the disk was full
    assert len(read_table(path)) == 2


def test_tables_that_cannot_be_used(tmp_path):
    (tmp_path / "a.csv").write_text("iteration,loss\n1,2\n")
    with pytest.raises(
        DataError, match=r"a\.csv: its columns are iteration, loss and not iteration, lr, top"
    ):
        read_table(tmp_path / "a.csv")
    for name in ("gone.csv", "empty.csv"):
        (tmp_path / "empty.csv").touch()
        with pytest.raises(DataError, match=rf"{name}: cannot be read as a table of estimates"):
            read_table(tmp_path / name)
    with pytest.raises(
        CaffeError, match=r"t\.csv: cannot be written: No such file or directory; make room or choose"
    ):
        Table(tmp_path / "gone" / "t.csv")


def test_a_resumed_estimator_goes_on_smoothing():
    nets = [flat(net) for net in weights(10)]
    whole = Estimator(1)
    rows = [whole.add(i, 0.5, w) for i, w in enumerate(nets)]
    kept = [row for row in rows if row and row.iteration + 2 <= 5]
    resumed = Estimator(1, kept)
    again = [resumed.add(i, 0.5, nets[i]) for i in range(5, 10)]
    assert [row.iteration for row in again if row] == [5, 6, 7]
    assert resumed.smoothed != whole.smoothed  # one estimate, whose three lay on both sides, is missing
    assert again[2].estimate == pytest.approx(next(r for r in rows if r and r.iteration == 5).estimate)
