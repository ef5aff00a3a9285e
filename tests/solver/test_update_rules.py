"""Update rules step by step against the formulas, in float64."""

import functools
import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import SolverError
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver import update_rules
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update import UpdateRule

SHAPES = [(3, 5), (7,), (2, 3, 4), (6,)]
LR_MULTS = [1, 2, 0.5, 0]
DECAY_MULTS = [1, 0, 3, 1]
SOLVERS = {
    "SGD": "momentum: 0.75",
    "Nesterov": "momentum: 0.75",
    "AdaGrad": "delta: 0.125",
    "RMSProp": "delta: 0.125 rms_decay: 0.875",
    "AdaDelta": "momentum: 0.75 delta: 0.125",
    "Adam": "momentum: 0.75 momentum2: 0.875 delta: 0.125",
}


def solver(text: str) -> SolverParameter:
    return parse(text, SolverParameter, "solver.prototxt")


def blob(*values: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def update_value(p, g, h, lr, momentum, t):
    """What Caffe's formulas subtract from a blob; `h` are its histories, changed in place."""
    match p.type:
        case "SGD":
            h[0][...] = momentum * h[0] + lr * g
            return h[0].copy()
        case "Nesterov":
            old = h[0].copy()
            h[0][...] = momentum * old + lr * g
            return (1 + momentum) * h[0] - momentum * old
        case "AdaGrad":
            h[0] += g**2
            return lr * g / (np.sqrt(h[0]) + p.delta)
        case "RMSProp":
            h[0][...] = p.rms_decay * h[0] + (1 - p.rms_decay) * g**2
            return lr * g / (np.sqrt(h[0]) + p.delta)
        case "AdaDelta":
            h[0][...] = momentum * h[0] + (1 - momentum) * g**2
            u = g * np.sqrt((h[1] + p.delta) / (h[0] + p.delta))
            h[1][...] = momentum * h[1] + (1 - momentum) * u**2
            return lr * u
        case "Adam":
            h[0][...] = momentum * h[0] + (1 - momentum) * g
            h[1][...] = p.momentum2 * h[1] + (1 - p.momentum2) * g**2
            correction = math.sqrt(1 - p.momentum2**t) / (1 - momentum**t)
            return lr * correction * h[0] / (np.sqrt(h[1]) + p.delta)


def reference_step(p, data, diffs, history, rates, iter):
    """One update of every blob by the formulas; returns what was subtracted."""
    norm = math.sqrt(sum((diff**2).sum() for diff in diffs))
    scale = p.clip_gradients / norm if 0 <= p.clip_gradients < norm else 1
    values = []
    for i, (w, diff) in enumerate(zip(data, diffs, strict=True)):
        decay = rates.weight_decay * DECAY_MULTS[i]
        g = diff * scale / p.iter_size + decay * (w if p.regularization_type == "L2" else np.sign(w))
        h = history[i :: len(data)]
        values.append(update_value(p, g, h, rates.lr * LR_MULTS[i], rates.momentum, iter + 1))
        w -= values[-1]
    return values


@pytest.mark.parametrize("on_device", [False, True], ids=["numbers", "tensors"])
@pytest.mark.parametrize(
    "extra",
    [
        "",
        "weight_decay: 0.0625",
        'weight_decay: 0.0625 regularization_type: "L1" iter_size: 4 clip_gradients: 2',
    ],
    ids=["plain", "L2", "L1-iter_size-clip"],
)
@pytest.mark.parametrize("type", SOLVERS)
def test_steps_follow_the_formulas(type, extra, on_device):
    p = solver(f'type: "{type}" {SOLVERS[type]} {extra}')
    rng = np.random.default_rng(5)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    start[0][0, :2] = 0  # sign(0) is 0
    blobs = [
        torch.nn.Parameter(torch.tensor(w), requires_grad=m != 0)
        for w, m in zip(start, LR_MULTS, strict=True)
    ]
    rule = UpdateRule(p, blobs, LR_MULTS, DECAY_MULTS, keep_diff=True)
    history = [np.zeros(h.shape) for h in rule.history]
    assert [tuple(h.shape) for h in rule.history] == SHAPES * (len(history) // len(SHAPES))
    cycles = type in ("SGD", "Nesterov", "AdaDelta", "Adam")
    for iter in range(6):
        lr = 0.5 if iter < 3 else 0.03125  # the histories of SGD and Nesterov keep the old rate
        rates = Rates(lr, p.momentum * (1 - iter / 8) if cycles else 0, p.weight_decay)
        diffs = [
            rng.standard_normal(shape) if m else np.zeros(shape)
            for shape, m in zip(SHAPES, LR_MULTS, strict=True)
        ]
        if iter == 4:
            diffs[1][...] = 0
        for b, diff in zip(blobs, diffs, strict=True):
            b.grad = torch.tensor(diff) if diff.any() else None
        given = Rates(*(torch.tensor(x, dtype=torch.float64) for x in rates)) if on_device else rates
        rule.apply(given, torch.tensor(iter) if on_device else iter)
        values = reference_step(p, start, diffs, history, rates, iter)
        for b, w, value in zip(blobs, start, values, strict=True):
            np.testing.assert_allclose(b.detach(), w, rtol=1e-12, atol=1e-14)
            if b.requires_grad:
                np.testing.assert_allclose(b.grad, value, rtol=1e-12, atol=1e-14)
        for ours, theirs in zip(rule.history, history, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def steps(
    text: str, lrs: list[float], grad: float = 1.0, start: float = 0.0, decay: float = 0.0
) -> list[float]:
    """How far each update moves one weight whose gradient is constant."""
    w = blob(start)
    rule = UpdateRule(solver(text), [w], [1], [1])
    moved = []
    for iter, lr in enumerate(lrs):
        w.grad = torch.full_like(w, grad)
        before = w.item()
        rule.apply(Rates(lr, rule.param.momentum, decay), iter)
        moved.append(before - w.item())
    return moved


def test_sgd_and_nesterov_keep_the_old_rate_after_a_drop():
    lrs = [0.1, 0.1, 0.01, 0.01, 0.01]
    assert steps("momentum: 0.9", lrs) == pytest.approx([0.1, 0.19, 0.181, 0.1729, 0.16561], abs=1e-7)
    nesterov = steps('type: "Nesterov" momentum: 0.9', lrs)
    # rate + momentum * history, with the histories of the line above
    assert nesterov == pytest.approx([0.19, 0.271, 0.1729, 0.16561, 0.159049], abs=1e-7)


def test_clipping_comes_before_iter_size_and_before_decay():
    assert steps("clip_gradients: 2 iter_size: 4", [1.0], grad=4) == pytest.approx([0.5])
    assert steps("clip_gradients: 1 weight_decay: 10", [1.0], grad=3, start=1, decay=10) == pytest.approx(
        [11]
    )
    assert steps("clip_gradients: 5", [1.0], grad=3) == [3]  # below the limit: nothing is scaled up
    assert steps("clip_gradients: 0", [1.0]) == [0]
    assert steps("clip_gradients: -1", [1.0], grad=50) == [50]


def test_clipping_takes_the_norm_over_all_blobs():
    a, b, c = blob(0, 0), blob(0), blob(0, 0, 0)
    rule = UpdateRule(solver("clip_gradients: 6.5"), [a, b, c], [1, 1, 1], [1, 1, 1])
    assert rule.clip_norm is None
    a.grad, b.grad = torch.tensor([3.0, 4.0], dtype=torch.float64), torch.tensor([12.0], dtype=torch.float64)
    rule.apply(Rates(1.0, 0.0, 0.0), 0)
    assert rule.clip_norm.item() == 13
    assert (a.tolist(), b.tolist(), c.tolist()) == ([-1.5, -2], [-6], [0, 0, 0])


def test_adam_adds_delta_to_the_uncorrected_root():
    # After one step m = 0.1 g, v = 0.001 g^2 and the correction is sqrt(0.001) / 0.1.
    g, delta = 1e-3, 1e-4
    moved = steps(f'type: "Adam" momentum: 0.9 delta: {delta}', [1.0], grad=g)
    assert moved == pytest.approx([math.sqrt(0.001) * g / (math.sqrt(0.001) * g + delta)], rel=1e-4)
    assert moved != pytest.approx([g / (g + delta)], rel=0.1)  # where torch.optim.Adam puts it


def test_decay_goes_on_without_a_gradient():
    assert steps("weight_decay: 0.5", [0.1], grad=0, start=4, decay=0.5) == pytest.approx([0.2])
    w = blob(4)
    rule = UpdateRule(solver("weight_decay: 0.5"), [w], [1], [1])
    rule.apply(Rates(0.1, 0.0, 0.5), 0)
    assert w.item() == pytest.approx(3.8)
    assert w.grad is None


@pytest.mark.parametrize("type", SOLVERS)
def test_a_blob_of_lr_mult_0_stays_and_only_some_histories_see_its_decay(type):
    w = blob(4, -2)
    rule = UpdateRule(solver(f'type: "{type}" {SOLVERS[type]} weight_decay: 0.5'), [w], [0], [1])
    rule.apply(Rates(0.1, rule.param.momentum, 0.5), 0)
    assert w.tolist() == [4, -2]
    sees = type not in ("SGD", "Nesterov")
    assert bool(rule.history[0].any()) == sees


def test_a_restored_momentum_moves_even_a_blob_of_lr_mult_0():
    w = blob(4, -2)
    rule = UpdateRule(solver("momentum: 0.5"), [w], [0], [1])
    rule.load_history([np.array([8.0, 0.0])])
    rule.apply(Rates(0.1, 0.5, 0.0), 0)
    assert w.tolist() == [0, -2]
    assert rule.history[0].tolist() == [4, 0]


def test_load_history_takes_arrays_of_the_old_shapes():
    w = torch.nn.Parameter(torch.zeros(2, 3))
    rule = UpdateRule(solver('type: "Adam" momentum: 0.9'), [w], [1], [1])
    rule.load_history([np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3), np.ones((2, 3), np.float32)])
    assert rule.history[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert rule.history[1].tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("type", SOLVERS)
def test_nothing_waits_for_the_device(type):
    # A meta tensor has no value, so anything that asked for one would raise.
    with torch.device("meta"):
        blobs = [torch.nn.Parameter(torch.empty(shape)) for shape in SHAPES]
        rates, iter = Rates(*(torch.empty(()) for _ in range(3))), torch.empty((), dtype=torch.int64)
    p = solver(f'type: "{type}" {SOLVERS[type]} weight_decay: 0.5 clip_gradients: 1 iter_size: 2')
    rule = UpdateRule(p, blobs, [1, 2, 1, 2], DECAY_MULTS)
    for b in blobs:
        b.grad = torch.empty_like(b)
    rule.apply(rates, iter)
    assert all(h.is_meta for h in rule.history)


@pytest.mark.gpu
@pytest.mark.parametrize("type", SOLVERS)
def test_a_captured_update_equals_an_eager_one(type):
    p = solver(f'type: "{type}" {SOLVERS[type]} weight_decay: 0.0625 clip_gradients: 2 iter_size: 2')
    runs = []
    for captured in (False, True):
        generator = torch.Generator().manual_seed(3)
        blobs = [torch.nn.Parameter(torch.randn(shape, generator=generator).cuda()) for shape in SHAPES]
        rule = UpdateRule(p, blobs, LR_MULTS, DECAY_MULTS)
        rates, iter = (
            Rates(*(torch.zeros((), device="cuda") for _ in range(3))),
            torch.zeros((), device="cuda"),
        )
        for b in blobs:
            b.grad = torch.zeros_like(b)
        apply = functools.partial(rule.apply, rates, iter)
        if captured:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                rule.apply(rates, iter)
            apply = graph.replay
        for step in range(4):
            for b in blobs:
                b.grad.copy_(torch.randn(b.shape, generator=generator))
            for tensor, value in zip(
                (*rates, iter), (0.5 / (step + 1), p.momentum, 0.0625, step), strict=True
            ):
                tensor.fill_(value)
            apply()
        runs.append([tensor.detach().cpu().numpy() for tensor in (*blobs, *rule.history)])
    for eager, replayed in zip(*runs, strict=True):
        np.testing.assert_array_equal(eager, replayed)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, message",
    [
        (
            'type: "adam"',
            r"^solver.prototxt: unknown solver type 'adam'; did you mean 'Adam'.*known types: SGD, AdaGrad, RMSProp, AdaDelta, Adam and 1 more$",
        ),
        (
            'type: "AdaGrad" momentum: 0.9',
            r"momentum cannot be used with AdaGrad, it is 0.9; remove it or set it to 0",
        ),
        ('type: "RMSProp" momentum: 0.5', r"momentum cannot be used with RMSProp, it is 0.5"),
        (
            'type: "RMSProp" rms_decay: 1',
            r"rms_decay should lie between 0 and 1 \(1 excluded\), it is 1; 0.99 is",
        ),
        (
            'type: "RMSProp" rms_decay: -0.5',
            r"rms_decay should lie between 0 and 1 \(1 excluded\), it is -0.5",
        ),
        (
            'type: "Adam" momentum: 1',
            r"momentum 1 makes Adam divide by 0; it is Adam's beta1, set it below 1",
        ),
        (
            'weight_decay: 0.5 regularization_type: "L3"',
            r"unknown regularization_type 'L3'; use 'L1' or 'L2'",
        ),
        ("iter_size: 0", r"iter_size is 0 and must be 1 or more"),
    ],
)
def test_a_solver_that_contradicts_its_type_is_refused(text, message):
    with pytest.raises(SolverError, match=message):
        UpdateRule(solver(text), [blob(1)], [1], [1])


def test_regularization_type_matters_only_where_something_decays():
    UpdateRule(solver('weight_decay: 0.5 regularization_type: "L3"'), [blob(1)], [1], [0])
    UpdateRule(solver('regularization_type: "L3"'), [blob(1)], [1], [1])


def test_every_type_has_its_formula_here():
    assert set(update_rules.RULES) == set(SOLVERS)


def test_a_type_is_registered_once():
    with pytest.raises(
        ValueError, match=r"'Adam' is registered by both caffe_compat.solver.update_rules and .*test_up"
    ):
        update_rules.update_rule("Adam", histories=2)(lambda param, step: step.diff)
