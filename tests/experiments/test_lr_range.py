"""The range test's reader, on made-up curves whose answer is known."""

import math

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.experiments.curves import curve, smooth
from caffe_compat.experiments.lr_range import analyse, divergence, ramp_settings, report
from caffe_compat.log.read import read_log
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.schedule import Schedule
from tests.experiments.logs import range_test, write_log
from tests.experiments.range_logs import classifier, ramp


def plateau(start, stop, high=0.8, noise=0.02):
    """Accuracy that is `high` between two rates, and falls off outside, with a deterministic scatter."""

    def accuracy(lr):
        wave = noise * math.sin(37 * lr)
        if lr < start:
            return 0.1 + (high - 0.1) * lr / start + wave
        return (high if lr <= stop else max(0.1, high - (lr - stop))) + wave

    return accuracy


def read(*arguments, **options):
    return analyse(read_log(range_test(*arguments, **options)))


def test_a_wide_plateau_with_regularisation(tmp_path):
    found = read(
        tmp_path / "a.log", plateau(0.2, 2.4), train_loss=lambda lr: 2 * math.exp(-20 * lr) + 0.1 + 0.05 * lr,
        test_loss=lambda lr: 1 - 0.1 * lr,
    )  # fmt: skip
    assert found.verdict == "likely"
    assert found.start == pytest.approx(0.2, abs=0.1)
    assert found.stable == pytest.approx(2.4, abs=0.15)
    assert found.max_lr == found.stable
    assert found.start <= found.peak <= found.stable
    assert found.train_loss[1] > found.train_loss[0] and found.test_loss[1] < found.test_loss[0]
    assert found.best == pytest.approx(0.8, abs=0.02) and found.diverged_at is None
    told = report(found)
    assert "super-convergence: likely" in told and "the training loss rises along it" in told
    assert f"max_lr: {found.stable:.3g}   (the last stable rate; peak" in told
    assert (
        f"base_lr: {found.stable / 4:.3g} to {found.stable / 3:.3g} for cycles, {found.stable / 10:.3g} for one"
        in told
    )


def test_a_wide_plateau_without_it_is_possible(tmp_path):
    found = read(tmp_path / "a.log", plateau(0.2, 3.1), test_loss=lambda lr: 0.5 + lr)
    assert found.verdict == "possible"
    assert found.stable == 3 and "it holds to the end of the test, 3" in report(found)


def test_a_narrow_peak_suggests_the_peak(tmp_path):
    found = read(tmp_path / "a.log", plateau(0.9, 1.3), points=120)
    assert found.verdict == "not seen"
    assert found.max_lr == found.peak == pytest.approx(1.1, abs=0.25)
    assert "(the rate of the peak;" in report(found)


def test_divergence_bounds_the_plateau(tmp_path):
    def train_loss(lr):
        return 1.5 if lr < 1.2 else 60.0

    found = read(tmp_path / "a.log", plateau(0.2, 1.1), train_loss=train_loss)
    assert found.diverged_at == pytest.approx(1.2, abs=0.06)
    assert found.verdict == "not seen" and found.stable <= 1.2
    assert "the training loss diverged at rate 1." in report(found)
    far = read(tmp_path / "b.log", plateau(0.05, 1.1), points=200, train_loss=train_loss)
    assert far.verdict == "possible"


def test_a_net_that_learns_nothing_gets_no_rate(tmp_path):
    found = read(tmp_path / "a.log", lambda lr: 0.1 + 0.01 * math.sin(50 * lr))
    assert (found.verdict, found.max_lr) == ("not seen", None)
    assert "the net hardly learnt at any of these rates" in report(found) and "base_lr" not in report(found)


def test_a_loss_that_only_grows_is_nothing_learnt(tmp_path):
    rates = [0.05 * i for i in range(61)]
    tests = [(i, None, 2.3 + max(0, lr - 1) * 3) for i, lr in enumerate(rates)]
    found = analyse(
        read_log(write_log(tmp_path / "a.log", tests, [(i, 2.3, lr) for i, lr in enumerate(rates)]))
    )
    assert (found.score, found.verdict, found.max_lr) == ("test loss", "not seen", None)


def test_single_dips_do_not_end_a_plateau(tmp_path):
    flat = plateau(0.2, 3.1, noise=0)
    found = read(tmp_path / "a.log", lambda lr: 0.4 if abs(lr - 1.5) < 0.03 else flat(lr))
    assert found.stable == 3


def test_without_accuracy_the_test_loss_decides_and_then_the_train_loss(tmp_path):
    def test_loss(lr):
        return 0.5 + 1.8 * max(0, 1 - lr / 0.3) if lr < 2 else 0.5 + (lr - 2) * 3

    rates = [0.05 * i for i in range(61)]
    tests = [(i, None, test_loss(lr)) for i, lr in enumerate(rates)]
    train = [(i, test_loss(lr) - 0.2, lr) for i, lr in enumerate(rates)]
    by_test = analyse(read_log(write_log(tmp_path / "a.log", tests, train)))
    by_train = analyse(read_log(write_log(tmp_path / "b.log", [], train)))
    for found, score in ((by_test, "test loss"), (by_train, "train loss")):
        assert found.score == score
        assert found.stable == pytest.approx(2.1, abs=0.2)
        assert found.start == pytest.approx(0.25, abs=0.1)


def test_logs_that_are_no_range_test(tmp_path):
    log = write_log(
        tmp_path / "a.log", [(i, 0.5, 1.0) for i in range(9)], [(i, 1.0, 1 - i / 10) for i in range(9)]
    )
    with pytest.raises(
        DataError, match=r"a\.log: the learning rate does not grow all along, so it is no range test"
    ):
        analyse(read_log(log))


def test_few_points_give_what_they_can(tmp_path):
    found = read(tmp_path / "a.log", plateau(1, 2), points=5)
    assert (found.score, found.points, found.verdict, found.max_lr) == (
        "test accuracy",
        5,
        "not seen",
        found.peak,
    )
    assert "5 points are few, and a range test needs 8: repeat it with more iterations" in report(found)
    found = read(tmp_path / "b.log", plateau(1, 2), points=2)
    assert (found.points, found.max_lr) == (2, None)
    assert "2 points of test accuracy are too few to judge: make a longer one" in report(found)


@pytest.mark.parametrize(
    ("loss", "diverged"),
    [(2.0, False), (9.3, True), (87.3365, True), (float("nan"), True), (float("inf"), True)],
)
def test_divergence(loss, diverged):
    assert divergence(2.3, loss) is diverged


def schedule(settings):
    solver = SolverParameter()
    for setting in settings:
        name, _, value = setting.partition("=")
        if name in ("lr_policy", "max_lr", "gamma", "base_lr", "stepsize", "max_iter"):
            field = SolverParameter.DESCRIPTOR.fields_by_name[name]
            kind = (
                str
                if field.cpp_type == field.CPPTYPE_STRING
                else float
                if "lr" in name or name == "gamma"
                else int
            )
            setattr(solver, name, kind(value))
    return Schedule(solver).table(solver.max_iter + 1).lr


def test_a_linear_ramp():
    settings = ramp_settings(0.0, 3, 500, 50, exponential=False)
    np.testing.assert_allclose(schedule(settings), 3 * np.arange(501) / 500, rtol=2e-5)
    assert {"test_interval=10", "display=5", "snapshot=0", "cyclical_momentum="} <= set(settings)


def test_an_exponential_ramp():
    lr = schedule(ramp_settings(1e-4, 2, 600, 50, exponential=True))
    np.testing.assert_allclose(lr[[0, 300, 600]], [1e-4, math.sqrt(2e-4), 2], rtol=2e-4)


# -- curves ---------------------------------------------------------------------------------------


def test_rates_between_displayed_ones_are_interpolated(tmp_path):
    log = write_log(
        tmp_path / "a.log", [(3, 0.3, 1.0), (10, 0.4, 1.0)], [(0, 2.0, 0.0), (4, 1.5, 0.4), (8, 1.0, 0.8)]
    )
    found = curve(read_log(log), "test accuracy", "learning rate")
    np.testing.assert_allclose(found.x, [0.3, 1.0])
    np.testing.assert_allclose(found.y, [0.3, 0.4])
    np.testing.assert_allclose(curve(read_log(log), "train loss").x, [0, 4, 8])


def test_a_log_without_rates_has_no_curve_against_them(tmp_path):
    log = write_log(tmp_path / "a.log", [(3, 0.3, 1.0)], [(0, 2.0, None)])
    assert len(curve(read_log(log), "test accuracy", "learning rate").x) == 0


def test_smoothing():
    values = np.array([0.0, 3, 0, 3, 0, 3, 0, 3])
    np.testing.assert_allclose(smooth(values, 0.1), [1.5, 1, 2, 1, 2, 1, 2, 1.5])
    np.testing.assert_allclose(smooth(np.arange(40.0), 0.1)[[3, 20, 36]], [3, 20, 36])
    np.testing.assert_allclose(smooth(np.arange(40.0), 0.1)[0], 1.5)


# -- nets that have died --------------------------------------------------------------------------

RATES = [0.01 * i for i in range(60)]
TEN, TWO = (
    math.log(10),
    0.325083,
)  # losses of a constant guess: of ten equal classes, of two of which one has 90 %


def falling(rate, low, high):
    return low + (high - low) * math.exp(-20 * rate)


def wave(rate, height):
    return height * math.sin(7000 * rate)


def made_up(tmp_path, curve, head=None, rates=RATES, **options):
    """The suggestion for a log of a classifier; `curve` gives train loss, test loss and accuracy at a rate."""
    head = classifier() if head is None else head
    return analyse(
        read_log(ramp(tmp_path / "a.log", head, [(rate, *curve(rate)) for rate in rates], **options))
    )


def dies_at(end, dead, low=0.2, accuracy=0.9):
    """A net that learns, up to a rate from which on it scores what a constant guess does: loss and accuracy."""

    def curve(rate):
        if rate >= end:
            return dead[0] + wave(rate, 0.02), dead[0] + wave(rate, 0.004), dead[1] + wave(rate, 0.004)
        loss = falling(rate, low, dead[0])
        return (
            loss + wave(rate, 0.01),
            loss + wave(rate, 0.01),
            accuracy - (accuracy - dead[1]) * math.exp(-20 * rate),
        )

    return curve


@pytest.mark.parametrize(
    ("head", "dead", "options"),
    [
        (classifier(), (TEN, 0.1), {}),
        (classifier(2), (TWO, 0.9), {"low": 0.05, "accuracy": 0.98}),  # of two classes, one has 90 %
        (classifier(10), (0.5, 0.9), {"low": 0.05, "accuracy": 0.98}),  # of ten
        ("", (TEN, 0.1), {}),  # a log that does not show the net
        (classifier(1000, top_k=5), (math.log(1000), 0.005), {"low": 3, "accuracy": 0.4}),
    ],
)
def test_no_rate_at_which_the_net_is_dead(head, dead, options, tmp_path):
    found = made_up(tmp_path, dies_at(0.3, dead, **options), head)
    assert found.learnt and 0.15 < found.max_lr < 0.3 and found.stable < 0.3
    assert found.dead_at == pytest.approx(0.3, abs=0.041)
    assert f"from rate {found.dead_at:.3g} on the net is dead" in report(found)


@pytest.mark.parametrize(
    ("head", "loss", "accuracy"),
    [
        (classifier(), TEN, lambda rate: 0.1 + wave(rate, 0.01)),
        (classifier(2), TWO, lambda rate: 0.9),
        (classifier(2), TWO, lambda rate: 0.9 + wave(rate, 0.01)),
        (classifier(10), 0.5, lambda rate: 0.9),
        (classifier(1000, top_k=5), math.log(1000), lambda rate: 0.005 + wave(rate, 0.001)),
        (classifier(), TEN, lambda rate: None),
        (classifier(5, labels=40, type="SigmoidCrossEntropyLoss"), 5 * math.log(2), lambda rate: None),
        ("", 50.0, lambda rate: None),  # a regression: the loss before training
    ],
)
def test_a_net_that_is_dead_at_all_rates_gets_none(head, loss, accuracy, tmp_path):
    def curve(rate):
        start = 2 * loss if head and rate < 0.02 else loss  # the first steps are those that kill it
        return start + wave(rate, 0.01 * loss), start + wave(rate, 0.005 * loss), accuracy(rate)

    found = made_up(tmp_path, curve, head)
    assert (found.learnt, found.max_lr, found.verdict) == (False, None, "not seen")
    assert "the net hardly learnt at any of these rates" in report(found) and "1cycle" not in report(found)


@pytest.mark.parametrize("weight", [1.0, 100.0])
def test_a_weighted_loss_is_compared_with_its_weight(weight, tmp_path):
    def curve(rate):
        loss = falling(rate, 0.5, TEN)
        return weight * loss, loss, 0.9 - 0.8 * math.exp(-20 * rate)

    found = made_up(tmp_path, curve, classifier(weight=weight), weight=weight)
    assert found.score == "test accuracy" and found.learnt and found.diverged_at is None
    assert found.loss_chance == (pytest.approx(weight * TEN), pytest.approx(TEN))


@pytest.mark.parametrize("head", ["", classifier()], ids=["unknown net", "known net"])
def test_a_net_that_was_trained_before_is_alive_from_the_start(head, tmp_path):
    def curve(rate):
        return (0.3, 0.35, 0.9 + wave(rate, 0.01)) if rate < 0.3 else (TEN, TEN, 0.1)

    found = made_up(tmp_path, curve, head, weights="a.caffemodel")
    assert found.learnt and found.stable < 0.3 and found.start <= 0.02


def test_regression_losses_may_be_large(tmp_path):
    found = made_up(tmp_path, lambda rate: (falling(rate, 80, 500), falling(rate, 90, 500), None), "")
    assert (found.score, found.learnt, found.diverged_at) == ("test loss", True, None)


def test_a_spike_is_no_divergence(tmp_path):
    def curve(rate):
        loss = falling(rate, 0.5, TEN)
        return loss + 20 * (0.295 < rate < 0.305), loss, 0.9 - 0.8 * math.exp(-20 * rate)

    assert made_up(tmp_path, curve).diverged_at is None
    found = made_up(tmp_path, lambda rate: curve(rate) if rate < 0.4 else (math.nan, 87.3365, 0.1))
    assert found.diverged_at == pytest.approx(0.4) and found.max_lr < 0.4


@pytest.mark.parametrize("losses", [[2.3, math.nan, math.nan], [math.nan] * 3, [2.3]])
def test_a_run_that_diverges_at_once_gives_no_rate(losses, tmp_path):
    rates = RATES[: len(losses)]
    found = made_up(tmp_path, lambda rate: (losses[round(100 * rate)], None, None), rates=rates, done=False)
    assert (found.max_lr, found.verdict) == (None, "not seen")
    assert "are too few to judge" in report(found)
