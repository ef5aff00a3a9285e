"""Solver fields of forks: schedules and local rates against the forks' formulas."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from caffe_compat.errors import SolverError
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.schedule import Rates, Schedule
from caffe_compat.solver.solver import Solver
from caffe_compat.solver.update import UpdateRule


def schedule(text):
    return Schedule(parse(text, SolverParameter, "s.prototxt"))


def lr(text, n):
    """The rates of n iterations, as a table and one by one; both must be the same."""
    table, single = schedule(text).table(n).lr, schedule(text)
    np.testing.assert_array_equal([single.at(i).lr for i in range(n)], table)
    return table


def test_intels_warm_up_is_a_line_and_the_policy_goes_on_from_there():
    rates = lr('lr_policy: "poly" base_lr: 2 power: 2 max_iter: 10 warmup_iter: 4 warmup_start_lr: 0.4', 7)
    line = [(i * 2 + (4 - i) * 0.4) / 4 for i in range(4)]
    np.testing.assert_allclose(rates, line + [2 * (1 - i / 10) ** 2 for i in (4, 5, 6)], rtol=1e-6)


def test_steps_wait_for_the_end_of_the_warm_up():
    """Multistep moves on by one a call, and is not called while the rate warms up."""
    text = 'lr_policy: "multistep" base_lr: 1 gamma: 0.5 stepvalue: 1 stepvalue: 2 warmup_iter: 3'
    np.testing.assert_allclose(lr(text, 6), [0, 1 / 3, 2 / 3, 0.5, 0.25, 0.25], rtol=1e-6)


def test_nvidias_ramp_is_a_parabola():
    rates = lr('lr_policy: "fixed" base_lr: 3 rampup_interval: 5 rampup_lr: 0.5', 7)
    np.testing.assert_allclose(rates, [0.5 + 2.5 * (i / 5) ** 2 for i in range(5)] + [3, 3], rtol=1e-6)


def test_min_lr_is_the_end_of_poly_and_the_floor_of_others():
    rates = lr('lr_policy: "poly" base_lr: 1 power: 2 max_iter: 4 min_lr: 0.2', 5)
    np.testing.assert_allclose(rates, [0.8 * (1 - i / 4) ** 2 + 0.2 for i in range(5)], rtol=1e-6)
    rates = lr('lr_policy: "step" base_lr: 1 gamma: 0.5 stepsize: 1 min_lr: 0.3', 4)
    np.testing.assert_allclose(rates, [1, 0.5, 0.3, 0.3], rtol=1e-6)


PLATEAU = 'lr_policy: "plateau" base_lr: 2 gamma: 0.5 plateau_winsize: 2 plateau_winsize: 3'


def test_plateau():
    """A step after 2, then after 3 iterations without a new least loss or a step; no third one."""
    losses = [5, 4, 4, 4, 3, 6, 3, 3, 3, 3, 3, 3, 3]
    rates, watching = [], schedule(PLATEAU)
    for i, loss in enumerate(losses):
        rates.append(watching.at(i, loss).lr)
    #              0  1  2  3  4  5  6  7  8 ...
    assert rates == [2, 2, 2, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert watching.current_step == 2 and watching.watched == {"least_loss": 3, "last_event": 7}
    resumed = schedule(PLATEAU)
    for i, loss in enumerate(losses):
        if i == 5:
            halfway = resumed
            resumed = schedule(PLATEAU)
            resumed.current_step, resumed.watched = halfway.current_step, halfway.watched
        assert resumed.at(i, loss).lr == rates[i]


def test_looking_at_plateau_without_a_loss_moves_nothing():
    watching = schedule(PLATEAU)
    assert watching.watches == "loss" and not schedule('lr_policy: "fixed" base_lr: 1').watches
    assert set(watching.table(50).lr) == {2.0}
    assert watching.at(40).lr == 2 and watching.current_step == 0


STEPEARLY = 'lr_policy: "stepearly" base_lr: 2 gamma: 0.5 stepearly: 2'


def test_stepearly():
    """A step after every second test in a row that is not better than the best; an equal one is not better."""
    accuracies = [0.3, 0.2, 0.4, 0.4, 0.35, 0.39, 0.1, 0.5, 0.5, 0.6, 0.6, 0.6]
    rates, watching = [], schedule(STEPEARLY)
    assert watching.watches == "accuracy"
    for i, accuracy in enumerate(accuracies):
        watching.tested(accuracy)
        rates.append(watching.at(i).lr)
    assert rates == [2, 2, 2, 2, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert watching.watched == {"best_accuracy": 0.6, "tests": 0} and watching.current_step == 3
    assert set(watching.table(50).lr) == {2.0}
    first, second = schedule(STEPEARLY), schedule(STEPEARLY)
    for i, accuracy in enumerate(accuracies):
        if i == 6:  # in the middle of a step
            second.current_step, second.watched = first.current_step, first.watched
        now = first if i < 6 else second
        now.tested(accuracy)
        assert now.at(i).lr == rates[i]


MONITOR = """base_lr: 2 gamma: 0.5 monitor_test: true max_steps_without_improvement: 2 max_periods_without_improvement: 3
  min_iters_per_period: 4 min_iters_per_period: 3"""


def test_monitor_test():
    """A step after two tests in a row that are not better, and at least 4, then 3 iterations; three steps are the end."""
    losses = [5, 5, 6, 7, 4, 4, 4, 4, 4, 4, 4, 4]
    steps = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    watching, resumed = schedule(MONITOR), schedule(MONITOR)
    assert watching.policy == "monitor_test" and watching.watches == "test loss"
    for i, (loss, step) in enumerate(zip(losses, steps, strict=True)):
        watching.tested(loss)
        assert watching.at(i).lr == 2 * 0.5**step
        assert watching.ended == (step == 3)
        if i == 4:
            resumed.current_step, resumed.watched = watching.current_step, watching.watched
        if i > 4:
            resumed.tested(loss)
            assert resumed.at(i).lr == watching.at(i).lr
    assert watching.watched == {"least_loss": 4, "tests": 2, "last_event": 10}
    assert set(schedule(MONITOR).table(40).lr) == {2.0}
    assert schedule(MONITOR + ' lr_policy: "fixed"').policy == "fixed"
    first = schedule("monitor_test: true gamma: 0.1 base_lr: 1")
    for loss in (200_000, 150_000, 99_999):  # the fork's first one to beat is 100,000
        first.tested(loss)
    assert first.watched["least_loss"] == 99_999


def test_multifixed():
    text = 'lr_policy: "multifixed" stagelr: 3 stagelr: 1 stagelr: 2 stageiter: 2 stageiter: 3 stageiter: 6'
    np.testing.assert_array_equal(lr(text, 9), [3, 3, 3, 1, 2, 2, 2, 2, 2])


def test_momentum_policies():
    text = 'lr_policy: "fixed" base_lr: 0.25 momentum: 0.5 max_iter: 4'
    poly = schedule(f'{text} momentum_policy: "poly" max_momentum: 0.9 momentum_power: 2').table(4).momentum
    np.testing.assert_allclose(poly, [0.5 + 0.4 * (i / 4) ** 2 for i in range(4)], rtol=1e-6)
    best = schedule(f'{text} momentum_policy: "opt"').at(0).momentum
    assert best == pytest.approx((1 - 0.5 * 0.25**0.5) ** 2)
    assert schedule(f'{text} momentum_policy: "opt" max_momentum: 0.3').at(0).momentum == pytest.approx(0.3)


def test_weight_decay_policy():
    text = 'lr_policy: "fixed" base_lr: 1 max_iter: 5 weight_decay: 0.1 weight_decay_policy: "poly" '
    table = schedule(text + "max_weight_decay: 0.6 weight_decay_power: 2").table(5).weight_decay
    np.testing.assert_allclose(table, [0.1 + 0.5 * (i / 5) ** 2 for i in range(5)], rtol=1e-6)


@pytest.mark.parametrize(
    "text, match",
    [
        (
            "momentum_policy: 'rise'",
            "s.prototxt: unknown momentum_policy 'rise'; known policies: fixed, poly, opt",
        ),
        ("weight_decay_policy: 'poly'", "weight_decay_policy 'poly' needs max_iter above 0, it is 0"),
        (
            "warmup_iter: 3 rampup_interval: 4",
            "warmup_iter 3 and rampup_interval 4 are the start of two forks",
        ),
        ("min_lr: -1", "min_lr is -1; set it to 0 or above"),
        (
            "lr_policy: 'plateau' gamma: 1",
            r"'plateau' needs plateau_winsize, it is \[\]; give a number of iterations",
        ),
        ("lr_policy: 'plateau' plateau_winsize: 1", "'plateau' needs gamma, which is not set"),
        (
            "lr_policy: 'stepearly' gamma: 1",
            "'stepearly' needs stepearly above 0, it is 0; set it to a number of tests",
        ),
        (
            "lr_policy: 'multifixed' stagelr: 1 stageiter: 2 stageiter: 3",
            "'multifixed' needs as many stagelr as stageiter, it has 1 and 2",
        ),
    ],
)
def test_schedules_that_are_refused(text, match):
    with pytest.raises(SolverError, match=match):
        schedule(text if "lr_policy" in text else f"lr_policy: 'fixed' base_lr: 1 {text}")


def updated(text, lr_mult=4.0, decay=0.0):
    """What one update of a blob makes of (3, 4) with the gradient (0, 2), with momentum 0.5 and rate 0.1."""
    blob = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    blob.grad = torch.tensor([0.0, 2.0], dtype=torch.float64)
    param = parse(f"type: 'SGD' {text}", SolverParameter)
    rule = UpdateRule(param, [blob], [lr_mult], [1.0])
    rule.apply(Rates(0.1, 0.5, decay), 0)
    return blob.detach().numpy()


@pytest.mark.parametrize(
    "text, decay, multiplier",
    [
        ("larc: true larc_eta: 0.2", 0.0, 0.5 * 0.2 * 5 / 2),
        ("larc: true larc_eta: 0.2 weight_decay: 0.3", 0.3, 0.5 * 0.2 * 5 / 2),
        ("larc: true larc_eta: 0.2 larc_policy: 'clip'", 0.0, 1.0),
        ("larc: true larc_eta: 0.02 larc_policy: 'clip'", 0.0, 0.5 * 0.02 * 5 / 2 / 0.1),
        ("local_lr_auto: true local_gw_ratio: 0.3 weight_decay: 0.7", 0.7, 0.3 * 5 / (2 + 0.7 * 5)),
    ],
)
def test_local_rates(text, decay, multiplier):
    """lr_mult gives way to the blob's own rate; decay is added after the norms are taken."""
    start, gradient = np.array([3.0, 4.0]), np.array([0.0, 2.0])
    wanted = start - 0.1 * multiplier * (gradient + decay * start)
    np.testing.assert_allclose(updated(text, decay=decay), wanted, rtol=1e-6)


def test_local_rates_leave_what_does_not_learn():
    assert updated("larc: true", lr_mult=0.0).tolist() == [3, 4]


@pytest.mark.parametrize(
    "text, match",
    [
        ("type: 'Adam' larc: true", "larc goes with type SGD or Nesterov, it is Adam"),
        ("larc: true local_lr_auto: true", "larc and local_lr_auto are two forks' form of one thing"),
        ("larc: true larc_policy: 'half'", "unknown larc_policy 'half'; use 'scale' or 'clip'"),
    ],
)
def test_local_rates_that_are_refused(text, match):
    with pytest.raises(SolverError, match=match):
        UpdateRule(parse(text, SolverParameter), [], [], [])


@pytest.mark.parametrize(
    "parts",
    [{"group": SimpleNamespace(size=2, rank=0)}, {"replicas": 2, "rank": 0}],
    ids=["group", "caller's own processes"],
)
def test_plateau_needs_one_process(parts):
    param = parse(PLATEAU + " net: 'gone.prototxt'", SolverParameter, "s.prototxt")
    message = "s.prototxt: lr_policy 'plateau' watches the loss, of which each of the 2 processes has its own part or none"
    with pytest.raises(SolverError, match=message):
        Solver(param, **parts)
