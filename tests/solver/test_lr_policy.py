"""Schedules against Caffe's trajectories, lines of published logs, and the formulas."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.errors import SolverError
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse, read_solver
from caffe_compat.solver import lr_policy
from caffe_compat.solver.lr_policy import POLICIES, State
from caffe_compat.solver.schedule import Schedule, is_set, unused

SOLVERS = Path(__file__).parents[1] / "reference" / "solvers"
CASES = sorted(path.parent.name for path in SOLVERS.glob("*/caffe.log"))


def schedule(text: str) -> Schedule:
    return Schedule(parse(text, SolverParameter, "solver.prototxt"))


def rates(text: str, n: int) -> list[float]:
    """The rates of the first n iterations, asked for one by one."""
    s = schedule(text)
    return [s.at(i).lr for i in range(n)]


@pytest.mark.parametrize("case", CASES)
def test_rates_are_those_that_caffe_logged(case):
    logged = np.load(SOLVERS / case / "trajectory.npz")["lr"]
    ours = Schedule(read_solver(SOLVERS / case / "solver.prototxt")).table(len(logged)).lr
    assert [f"{rate:g}" for rate in ours] == [f"{rate:g}" for rate in logged]


# Lines of the logs that were published with arXiv 1708.07120 and 1803.09820. Their last digits show where
# the forks computed in float and where in double.
RANGE_TEST = 'lr_policy: "triangular" base_lr: 0 max_lr: 3 stepsize: 20000'
SLOW_RANGE_TEST = 'lr_policy: "triangular" base_lr: 0 max_lr: 2 stepsize: 80000'
CIFAR_100 = """lr_policy: "1cycle" base_lr: 0.1 max_lr: 1.2 stepsize: 3417 momentum: 0.95 weight_decay: 1e-4
               cyclical_momentum: 0.85 cyclical_momentum: 3417"""
DENSE_NET = """lr_policy: "1cycle" base_lr: 0.1 max_lr: 4 stepsize: 2148 momentum: 0.9 weight_decay: 1e-6
               cyclical_momentum: 0.8 cyclical_momentum: 2148"""
SMALL_RATE = """lr_policy: "1cycle" base_lr: 0.002 max_lr: 0.02 stepsize: 2246 momentum: 0.95
                weight_decay: 6e-4 cyclical_momentum: 0.8 cyclical_momentum: 2246"""
PLAIN_STEPS = """lr_policy: "multistep" base_lr: 0.1 gamma: 0.316 stepvalue: 19531 stepvalue: 29296
                 stepvalue: 34178 stepvalue: 36619 stepvalue: 35398 momentum: 0.9 weight_decay: 1e-4
                 cyclical_momentum: 0.9 cyclical_momentum: 39062"""


@pytest.mark.parametrize(
    "solver, iteration, line",
    [
        (RANGE_TEST, 400, "lr = 0.0599999"),
        (SLOW_RANGE_TEST, 100, "lr = 0.00250006"),
        (SLOW_RANGE_TEST, 300, "lr = 0.00750005"),
        (CIFAR_100, 100, "lr = 0.132192, momentum = 0.947073, weight decay = 0.0001"),
        (CIFAR_100, 4100, "lr = 0.96014"),
        (CIFAR_100, 6600, "lr = 0.0821773"),
        (CIFAR_100, 6900, "lr = 0.0001, momentum = 0.949034, weight decay = 0.0001"),
        (DENSE_NET, 200, "lr = 0.463129, momentum = 0.890689, weight decay = 1e-06"),
        (DENSE_NET, 2000, "lr = 3.73129, momentum = 0.80689, weight decay = 1e-06"),
        (SMALL_RATE, 4400, "lr = 0.000819235"),
        (SMALL_RATE, 4800, "lr = 2e-06, momentum = 0.939715, weight decay = 0.0006"),
        (PLAIN_STEPS, 39000, "lr = 0.000315091, momentum = 0.9, weight decay = 0.0001"),
    ],
)
def test_rates_are_those_of_published_logs(solver, iteration, line):
    s = schedule(solver)
    table = s.table(iteration + 1)
    lr, momentum, decay = table.lr[-1], table.momentum[-1], table.weight_decay[-1]
    ours = f"lr = {lr:g}" + (f", momentum = {momentum:g}, weight decay = {decay:g}" if "," in line else "")
    assert ours == line
    assert s.cycles_momentum == ("cyclical_momentum" in solver)


def test_multistep_moves_by_at_most_one_step_an_iteration_in_file_order():
    head = 'lr_policy: "multistep" base_lr: 1 gamma: 0.1 '
    assert rates(head + "stepvalue: 2 stepvalue: 2 stepvalue: 2", 5) == pytest.approx(
        [1, 1, 0.1, 0.01, 0.001]
    )
    assert rates(head + "stepvalue: 4 stepvalue: 2", 7) == pytest.approx([1, 1, 1, 1, 0.1, 0.01, 0.01])
    assert rates(head, 2) == [1, 1]


def test_stepdecr_gives_the_rates_of_its_forks_logs():
    """Cysu/dgd_person_reid, archived/individually_3dpes.log."""
    told = rates('base_lr: 0.1 lr_policy: "stepdecr" gamma: 0.04 stepsize: 100 min_lr: 0.0005', 2700)
    logged = {
        0: 0.1,
        120: 0.096,
        600: 0.076,
        1320: 0.048,
        1800: 0.028,
        2280: 0.012,
        2400: 0.004,
        2520: 0.0005,
        2640: 0.0005,
    }
    assert {i: pytest.approx(rate, rel=1e-5) for i, rate in logged.items()} == {i: told[i] for i in logged}


def test_sigmoid_rises():
    text = 'lr_policy: "sigmoid" base_lr: 1 gamma: 1 stepsize: 3'
    assert rates(text, 6) == pytest.approx([0.0474, 0.1192, 0.2689, 0.5, 0.7311, 0.8808], abs=5e-5)


def test_poly_ends_at_zero_and_is_nan_beyond():
    *_, at_end, beyond = rates('lr_policy: "poly" base_lr: 1 power: 0.5 max_iter: 4', 6)
    assert at_end == 0 and math.isnan(beyond)


def test_current_step_goes_on_where_a_snapshot_left_it():
    text = 'lr_policy: "multistep" base_lr: 1 gamma: 0.5 stepvalue: 3 stepvalue: 3 stepvalue: 6'
    whole, first, second = schedule(text), schedule(text), schedule(text)
    expected = [whole.at(i).lr for i in range(9)]
    begin = [first.at(i).lr for i in range(4)]
    assert first.current_step == 1
    second.current_step = first.current_step
    assert begin + [second.at(i).lr for i in range(4, 9)] == expected
    assert second.current_step == 3


def test_step_counts_its_steps_for_the_solverstate():
    s = schedule('lr_policy: "step" base_lr: 1 gamma: 0.5 stepsize: 3')
    steps = []
    for i in range(7):
        s.at(i)
        steps.append(s.current_step)
    assert steps == [0, 0, 0, 1, 1, 1, 2]


def test_table_leaves_the_schedule_alone():
    s = schedule('lr_policy: "multistep" base_lr: 1 gamma: 0.5 stepvalue: 2 stepvalue: 5')
    s.at(0)
    assert list(s.table(6).iteration) == [0, 1, 2, 3, 4, 5]
    assert s.current_step == 0


# -- the formulas, in double, on drawn solvers ----------------------------------------------------

number = st.floats(1 / 64, 2, width=32)
steps = st.integers(1, 40)


def triangle(i: int, stepsize: float) -> tuple[int, float]:
    cycle = math.floor(i / (2 * stepsize))
    return cycle, max(0.0, 1 - abs((i - (2 * cycle + 1) * stepsize) / stepsize))


def one_cycle(p, i):
    if i <= p.stepsize:
        return p.base_lr + (p.max_lr - p.base_lr) * i / p.stepsize
    return p.max_lr * (2 - i / p.stepsize) if i < 2 * p.stepsize else 0.001 * p.base_lr


def cyclical(p, i, height):
    """base_lr up to start_lr_policy, then the policy's height between base_lr and max_lr."""
    i -= p.start_lr_policy
    return p.base_lr + (p.max_lr - p.base_lr) * height(p, i) if i > 0 else p.base_lr


def triangular2_height(p, i):
    cycle, height = triangle(i, p.stepsize)
    return height / 2**cycle


FORMULAS = {
    "fixed": lambda p, i: p.base_lr,
    "step": lambda p, i: p.base_lr * p.gamma ** (i // p.stepsize),
    "exp": lambda p, i: p.base_lr * p.gamma**i,
    "inv": lambda p, i: p.base_lr * (1 + p.gamma * i) ** -p.power,
    "multistep": lambda p, i: p.base_lr * p.gamma ** sum(i >= value for value in p.stepvalue),
    "poly": lambda p, i: p.base_lr * (1 - i / p.max_iter) ** p.power,
    "sigmoid": lambda p, i: p.base_lr / (1 + math.exp(-p.gamma * (i - p.stepsize))),
    "triangular": lambda p, i: cyclical(p, i, lambda p, i: triangle(i, p.stepsize)[1]),
    "triangular2": lambda p, i: cyclical(p, i, triangular2_height),
    "stepdecr": lambda p, i: max(0, p.base_lr * (1 - p.gamma * (i // p.stepsize))),
    "linear": lambda p, i: p.base_lr + (p.dst_lr - p.base_lr) * min(i / p.max_iter, 1),
    "smoothstep": lambda p, i: p.base_lr * p.gamma ** (i / p.stepsize),
    "exp_range": lambda p, i: cyclical(p, i, lambda p, i: triangle(i, p.stepsize)[1] * p.gamma**i),
    "1cycle": lambda p, i: one_cycle(p, max(0, i - p.start_lr_policy)),
}


@pytest.mark.parametrize("policy", FORMULAS)
@given(
    data=st.fixed_dictionaries(
        {name: number for name in ("base_lr", "max_lr", "gamma", "power", "momentum")}
        | {"stepsize": steps, "start_lr_policy": st.integers(0, 9), "weight_decay": st.just(0.004)}
    ),
    momentum=st.one_of(st.just(()), st.tuples(number, st.floats(1, 30, width=32))),
    stepvalue=st.lists(st.integers(1, 99), unique=True).map(sorted),
)
def test_rates_follow_the_formula(policy, data, momentum, stepvalue):
    n = 101
    p = SolverParameter(lr_policy=policy, max_iter=n, cyclical_momentum=momentum, stepvalue=stepvalue, **data)
    p.dst_lr = 0.3 * p.max_lr
    s = Schedule(p)
    table = s.table(n)
    expected = np.array([FORMULAS[policy](p, i) for i in range(n)])
    size = max(p.base_lr, p.max_lr)
    np.testing.assert_allclose(table.lr, expected, rtol=2e-5, atol=2e-6 * size)
    if momentum:
        least, stepsize = p.cyclical_momentum
        cycles = [triangle(i, stepsize) for i in range(n)]
        expected = [p.momentum + (least - p.momentum) * height / 2**cycle for cycle, height in cycles]
        np.testing.assert_allclose(table.momentum, expected, rtol=2e-5, atol=2e-5)
    else:
        assert set(table.momentum) == {np.float32(p.momentum)}
    one_by_one = [s.at(i) for i in range(n)]
    assert [(r.lr, r.momentum, r.weight_decay) for r in one_by_one] == list(
        zip(table.lr.tolist(), table.momentum.tolist(), table.weight_decay.tolist(), strict=True)
    )


def test_linear_ends_at_dst_iter():
    told = rates('base_lr: 0.1 lr_policy: "linear" dst_lr: 0.02 dst_iter: 4 max_iter: 9', 7)
    np.testing.assert_allclose(told, [0.1, 0.08, 0.06, 0.04, 0.02, 0.02, 0.02], rtol=1e-6)
    assert set(rates('base_lr: 0.1 lr_policy: "linear" dst_lr: 0.02 dst_iter: 0', 3)) == {np.float32(0.02)}


def test_every_policy_has_its_formula_here():
    assert set(POLICIES) == set(FORMULAS) | {
        "multifixed",
        "plateau",
        "stepearly",
        "monitor_test",
    }  # those are in test_fork_fields.py


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "solver, message",
    [
        (
            "base_lr: 1",
            r"^solver.prototxt: lr_policy is not set; set it to one of 1cycle, exp, exp_range, fixed",
        ),
        (
            'lr_policy: "trianglar"',
            r"unknown lr_policy 'trianglar'; did you mean 'triangular'.*known policies: .*triangular, triangular2, .* and \d+ more$",
        ),
        ('lr_policy: "step" gamma: 0.1', r"lr_policy 'step' needs stepsize above 0, it is 0; set it to"),
        ('lr_policy: "step" stepsize: 7 gamma: -0.5', r"'step' needs gamma of at least 0, it is -0.5"),
        ('lr_policy: "exp" gamma: -2', r"'exp' needs gamma of at least 0, it is -2"),
        ('lr_policy: "inv" gamma: -2', r"'inv' needs gamma of at least 0, it is -2"),
        ('lr_policy: "multistep" gamma: -2', r"'multistep' needs gamma of at least 0, it is -2"),
        ('lr_policy: "sigmoid" stepsize: 3 gamma: -1', r"'sigmoid' needs gamma of at least 0, it is -1"),
        ('lr_policy: "sigmoid" gamma: 1', r"'sigmoid' needs stepsize above 0, it is 0"),
        ('lr_policy: "poly"', r"'poly' needs max_iter above 0, it is 0"),
        ('lr_policy: "triangular" max_lr: 1', r"'triangular' needs stepsize above 0, it is 0"),
        (
            'lr_policy: "triangular2" stepsize: 5',
            r"'triangular2' needs max_lr, which is not set; add 'max_lr: ",
        ),
        ('lr_policy: "exp_range" stepsize: 5 max_lr: 1', r"'exp_range' needs gamma, which is not set"),
        ('lr_policy: "1cycle" stepsize: -5 max_lr: 1', r"'1cycle' needs stepsize above 0, it is -5"),
        (
            'lr_policy: "fixed" cyclical_momentum: 0.8',
            r"cyclical_momentum needs two values.*it has 1 \(0.8\)",
        ),
        (
            'lr_policy: "fixed" cyclical_momentum: 0.8 cyclical_momentum: 0',
            r"a stepsize above 0, it has 2 \(0.8, 0\); write it twice",
        ),
    ],
)
def test_a_solver_that_cannot_run_is_refused(solver, message):
    with pytest.raises(SolverError, match=message):
        schedule(solver)


def test_a_name_is_registered_once():
    with pytest.raises(
        ValueError, match=r"'fixed' is registered by both caffe_compat.solver.lr_policy and .*test_lr"
    ):
        lr_policy.lr_policy("fixed")(lambda param, iter, state: iter)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_names_the_fields_that_it_looks_at(name):
    class Recorder:
        def __init__(self, param):
            self.param, self.seen = param, set()

        def __getattr__(self, name):
            self.seen.add(name)
            return getattr(self.param, name)

        def HasField(self, name):
            self.seen.add(name)
            return self.param.HasField(name)

    every = {field for policy in POLICIES.values() for field in policy.looks_at}
    param = SolverParameter(
        base_lr=1, max_lr=2, stepsize=3, max_iter=4, gamma=0.5, power=1, stepvalue=[2], stagelr=[1], stageiter=[4],
        plateau_winsize=[2], stepearly=3, dst_lr=0.1, dst_iter=3, lr_policy=name,
    )  # fmt: skip
    recorder = Recorder(param)
    POLICIES[name].function(recorder, np.arange(1, 3), State(loss=1.0, tests=9))
    not_asked = {
        "monitor_test",
        "monitor_test_id",
        "max_periods_without_improvement",
    }  # by the function: by Schedule or Solver
    looks_at = POLICIES[name].looks_at - not_asked
    assert recorder.seen & every - not_asked == looks_at
    assert {field for field, _ in unused(param)} & every == {f for f in every - looks_at if is_set(param, f)}


def test_one_cycle_ends_as_in_the_published_logs():
    """lnsmith54/hyperParam1, Imagenet/results: stepsizes 75000, 95000 and 108000."""
    text = 'lr_policy: "1cycle" base_lr: 0.05 max_lr: 1 stepsize: '
    for stepsize, logged in (
        (95000, {94500: "0.995", 95000: "1", 189500: "0.00526321", 190000: "5e-05", 190500: "5e-05"}),
        (75000, {75000: "1", 75500: "0.993333", 150000: "5e-05"}),
        (108000, {108000: "1", 108500: "0.99537", 216000: "5e-05"}),
    ):
        lr = schedule(text + str(stepsize)).table(max(logged) + 1).lr
        assert {i: f"{lr[i]:g}" for i in logged} == logged
