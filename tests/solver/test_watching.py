"""Policies that watch the loss, the accuracy or the test loss of a run, and what a test leaves alone."""

import io
import math
import re

import pytest
import torch

from caffe_compat.errors import SolverError
from caffe_compat.log.write import Log
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver
from tests.solver.small_run import (
    DATA,
    HEAD,
    SOLVER,
    blobs,
    solver,
    text_of,
)

pytestmark = pytest.mark.usefixtures("folder")


def test_plateau_watches_the_loss_and_goes_on_after_a_snapshot(folder):
    extra = 'lr_policy: "plateau" plateau_winsize: 1 plateau_winsize: 2'

    def run(snapshot=None):
        param = parse(
            SOLVER.replace('lr_policy: "step" gamma: 0.5 stepsize: 3', f"gamma: 0.5 {extra}"),
            SolverParameter,
            "solver.prototxt",
        )
        param.net_param.CopyFrom(parse(DATA + HEAD, NetParameter, "net.prototxt"))
        trained = Solver(param, log=Log(io.StringIO(), progress=False))
        trained.solve(snapshot)
        return trained

    whole = run()
    found = re.findall(r"Iteration (\d+), (?:loss = |lr = )(\S+)", text_of(whole).replace(" ,", ","))
    least, event, step, rates = math.inf, 0, 0, []
    losses = [float(value) for _, value in found[::2]][:8]
    for i, loss in enumerate(losses):
        if loss < least:
            least, event = loss, i
        if step < 2 and i >= event + (1, 2)[step]:
            step, event = step + 1, i
        rates.append(0.05 * 0.5**step)
    assert step > 0 and [float(value) for _, value in found[1::2]][:8] == pytest.approx(rates)
    again = run("run_iter_4.solverstate")
    assert again.schedule.watched == whole.schedule.watched
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


STEPEARLY = 'gamma: 0.5 lr_policy: "stepearly" stepearly: 1 test_iter: 1 test_interval: 1'


def stepearly(text=DATA + HEAD, extra=STEPEARLY):
    param = parse(
        SOLVER.replace('lr_policy: "step" gamma: 0.5 stepsize: 3', extra), SolverParameter, "solver.prototxt"
    )
    param.net_param.CopyFrom(parse(text, NetParameter, "net.prototxt"))
    return Solver(param, log=Log(io.StringIO(), progress=False))


def test_stepearly_watches_the_accuracy_and_goes_on_after_a_snapshot(folder):
    whole = stepearly()
    whole.solve()
    tests = [float(a) for a in re.findall(r"Test net output #\d+: accuracy = (\S+)", text_of(whole))]
    rates = [float(lr) for lr in re.findall(r"Iteration \d+, lr = (\S+)", text_of(whole))]
    best, steps, expected = -math.inf, 0, []
    for accuracy in tests[: len(rates)]:  # the last test has no update after it
        steps += accuracy <= best
        best = max(best, accuracy)
        expected.append(0.05 * 0.5**steps)
    assert 0 < steps < len(rates) - 1 and rates == pytest.approx(expected)
    again = stepearly()
    again.solve("run_iter_4.solverstate")
    assert again.schedule.watched == whole.schedule.watched
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("request_", ["stop", "snapshot"])
def test_a_test_that_was_interrupted_is_done_again_from_its_beginning(request_, folder):
    extra = STEPEARLY.replace("test_iter: 1", "test_iter: 3 test_iter: 2")
    whole = stepearly(extra=extra)
    whole.solve()
    first = stepearly(extra=extra)
    first.param.snapshot = 0
    asked = iter([*["none"] * 4, request_])  # in the second test net
    first.action = lambda: next(asked, "none") if first.iter == 4 else "none"
    first.solve()
    assert first.requested_early_exit == (request_ == "stop")
    again = stepearly(extra=extra)
    again.solve("run_iter_4.solverstate")
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)
    assert text_of(again).split("Iteration 4,")[1:] == text_of(whole).split("Iteration 4,")[1:]


MONITOR = """gamma: 0.5 monitor_test: true test_compute_loss: true max_steps_without_improvement: 1
  max_periods_without_improvement: 2 test_iter: 1 test_interval: 1"""


def test_monitor_test_ends_the_training(folder):
    trained = stepearly(extra=MONITOR)
    trained.solve()
    log = text_of(trained)
    tests = [float(loss) for loss in re.findall(r"Test loss: (\S+)", log)]
    rates = [float(lr) for lr in re.findall(r"Iteration \d+, lr = (\S+)", log)]
    least, steps, expected = 100_000, 0, []  # as the fork begins
    for loss in tests:
        steps += loss >= least
        least = min(loss, least)
        expected.append(0.05 * 0.5**steps)
        if steps == 2:
            break
    assert steps == 2 and len(expected) < 8 and rates == pytest.approx(expected)
    assert trained.iter == len(rates) and f"run_iter_{trained.iter}.solverstate" in log
    assert "Stopping Training Early" in log and "Optimization Done." in log


def test_too_many_tests_that_are_not_finite_end_the_training(folder):
    text = DATA + HEAD.replace("loss_weight: 0.02", "loss_weight: 1e38").replace("SUMSQ", "SUMSQ coeff: 1e38")
    trained = stepearly(
        text, MONITOR.replace("monitor_test: true", 'lr_policy: "fixed" max_nonfinite_test_loss: 2')
    )
    trained.solve()
    log = text_of(trained)
    assert "Detected 3 consecutive non-finite test losses" in log and trained.iter == 2
    assert "Optimization stopped early." in log
    again = stepearly(
        text, MONITOR.replace("monitor_test: true", 'lr_policy: "fixed" max_nonfinite_test_loss: 2')
    )
    again.solve("run_iter_2.solverstate")  # which tests once more first
    assert "Detected 4 consecutive non-finite test losses" in text_of(again) and again.iter == 2


@pytest.mark.parametrize(
    "text, extra, what",
    [
        (DATA + HEAD, STEPEARLY.replace("test_iter: 1 test_interval: 1", ""), "there is no test net"),
        (
            DATA
            + HEAD.replace('"Accuracy"', '"ArgMax"').replace(
                ' bottom: "label" top: "accuracy"', ' top: "accuracy"'
            ),
            STEPEARLY,
            "the first test net has no Accuracy layer",
        ),
    ],
    ids=["no test net", "no accuracy"],
)
def test_stepearly_needs_an_accuracy(text, extra, what):
    with pytest.raises(
        SolverError, match=f"solver.prototxt: lr_policy 'stepearly' watches the accuracy.*{what}; give"
    ):
        stepearly(text, extra)


def test_what_tests_draw_leaves_the_training_alone():
    drawn = 'layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" dropout_param { sample_weights_test: true } }'
    with_tests = solver(DATA + drawn + HEAD, extra="test_iter: 2 test_interval: 1")
    without = solver(DATA + drawn + HEAD)
    for run in (with_tests, without):
        torch.manual_seed(5)
        run.step(3)
    for ours, theirs in zip(blobs(with_tests), blobs(without), strict=True):
        assert torch.equal(ours, theirs)
