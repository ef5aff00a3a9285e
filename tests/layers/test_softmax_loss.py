"""SoftmaxWithLoss: every normalization, ignored labels, the floor and its missing gradient, bad labels."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import TEST, Case, Error, cases, compiling, draws, errors, make, run

FLT_MIN = float(np.finfo(np.float32).tiny)
LABELS = np.array([0, 3, 2, 3, 1])
MAP = (np.arange(24) * 7 % 5).reshape(2, 3, 4)  # a label map over 5 classes


def split(scores, labels, axis, ignore):
    """probability (outer, classes, inner), labels (outer, inner), which count."""
    shape = scores.shape
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    x = scores.reshape(outer, shape[axis], inner)
    e = np.exp(x - x.max(1, keepdims=True))
    labels = np.trunc(labels).astype(int).reshape(outer, inner)
    return e / e.sum(1, keepdims=True), labels, labels != ignore


def divisor(mode, counted, outer, has_ignore):
    count = {
        "VALID": counted.sum() if has_ignore else counted.size,
        "FULL": counted.size,
        "BATCH_SIZE": outer,
        "NONE": 1,
    }
    return max(1, count[mode])


def loss(mode="VALID", axis=1, ignore=None, with_probability=False, weights=None):
    def formula(scores, labels):
        p, label, counted = split(scores, labels, axis, ignore)
        total = 0.0
        for i, j in np.argwhere(counted):
            weight = 1 if weights is None else weights[label[i, j]]
            total -= weight * math.log(max(p[i, label[i, j], j], FLT_MIN))
        top = np.array(total / divisor(mode, counted, len(p), ignore is not None))
        return (top, p.reshape(scores.shape)) if with_probability else top

    return formula


def diffs(mode="VALID", axis=1, ignore=None, weights=None):
    def formula(d, scores, labels):
        p, label, counted = split(scores, labels, axis, ignore)
        for i, j in np.ndindex(*label.shape):
            if counted[i, j]:
                p[i, label[i, j], j] -= 1
                p[i, :, j] *= 1 if weights is None else weights[label[i, j]]
            else:
                p[i, :, j] = 0
        return (d[0] * p / divisor(mode, counted, len(p), ignore is not None)).reshape(scores.shape)

    return formula


def case(name, scores, labels, mode="VALID", fields="", axis=1, ignore=None):
    normalization = f"normalization: {mode}" if mode != "VALID" else ""
    ignored = f"ignore_label: {ignore}" if ignore is not None else ""
    return Case(
        name,
        f'type: "SoftmaxWithLoss" {fields} loss_param {{ {normalization} {ignored} }}',
        [scores, labels],
        loss(mode, axis, ignore),
        diffs=diffs(mode, axis, ignore),
        gradient=(0,),
    )


WEIGHTS = [0.5, 2, 1, 3, 0.25]
WEIGHTED = f"weight_by_label_freqs: true {' '.join(f'class_weighting: {w}' for w in WEIGHTS)}"
FAR = np.array([[100.0, 0.0, -100.0], [0.0, 90.0, 5.0], [-300.0, 0.0, 800.0]])

CASES = [
    Case(
        "weights-of-classes",
        f'type: "SoftmaxWithLoss" loss_param {{ ignore_label: 3 {WEIGHTED} }}',
        [(2, 5, 3, 4), MAP],
        loss(ignore=3, weights=WEIGHTS),
        diffs=diffs(ignore=3, weights=WEIGHTS),
        gradient=(0,),
    ),
    Case(
        "deeplabs-ignored-labels",
        'type: "SoftmaxWithLoss" softmaxloss_param { ignore_label: 255 ignore_label: 3 }',
        [(2, 5, 3, 4), np.where(MAP == 1, 255, MAP)],
        lambda x, t: loss(ignore=3)(x, np.where(t == 255, 3, t)),
        diffs=lambda d, x, t: diffs(ignore=3)(d, x, np.where(t == 255, 3, t)),
        gradient=(0,),
    ),
    case("valid", (5, 4), LABELS),
    case("full", (5, 4), LABELS, "FULL"),
    case("batch-size", (5, 4), LABELS, "BATCH_SIZE"),
    case("none", (5, 4), LABELS, "NONE"),
    case("ignore-valid", (5, 4), LABELS, ignore=3),
    case("ignore-full", (5, 4), LABELS, "FULL", ignore=3),
    case("ignore-batch-size", (5, 4), LABELS, "BATCH_SIZE", ignore=3),
    case("ignore-none", (5, 4), LABELS, "NONE", ignore=3),
    case("ignore-no-class", (5, 4), np.array([0, 255, 2, 255, 1]), ignore=255),
    case("ignore-minus-1", (5, 4), np.array([0, -1, 2, 3, -1]), ignore=-1),
    case("ignore-all", (5, 4), np.full(5, 9), ignore=9),
    case("map-valid", (2, 5, 3, 4), MAP, ignore=2),
    case("map-full", (2, 5, 3, 4), MAP[:, None], "FULL"),
    case("map-batch-size", (2, 5, 3, 4), MAP, "BATCH_SIZE", ignore=0),
    case(
        "axis-2",
        (2, 3, 5, 4),
        (np.arange(24) * 3 % 5).reshape(2, 3, 4),
        fields="softmax_param { axis: 2 }",
        axis=2,
    ),
    case(
        "axis-last",
        (2, 3, 5),
        (np.arange(6) % 5).reshape(2, 3),
        "BATCH_SIZE",
        "softmax_param { axis: -1 }",
        axis=2,
    ),
    case("fractions-are-cut", (5, 4), LABELS + 0.9),
    case("floor", FAR, np.array([2, 0, 0])),
    Case(
        "normalize-true",
        'type: "SoftmaxWithLoss" loss_param { normalize: true ignore_label: 3 }',
        [(5, 4), LABELS],
        loss(ignore=3),
        diffs=diffs(ignore=3),
        gradient=(0,),
    ),
    Case(
        "normalize-false",
        'type: "SoftmaxWithLoss" loss_param { normalize: false ignore_label: 3 }',
        [(5, 4), LABELS],
        loss("BATCH_SIZE", ignore=3),
        diffs=diffs("BATCH_SIZE", ignore=3),
        gradient=(0,),
    ),
    Case(
        "normalization-wins-over-normalize",
        'type: "SoftmaxWithLoss" loss_param { normalize: false normalization: NONE }',
        [(5, 4), LABELS],
        loss("NONE"),
        diffs=diffs("NONE"),
        gradient=(0,),
    ),
    Case(
        "probability-top",
        'type: "SoftmaxWithLoss" top: "loss" top: "probability"',
        [(2, 5, 3, 4), MAP],
        loss(with_probability=True),
        diffs=diffs(),
        gradient=(0,),
    ),
    Case("finite-differences", 'type: "SoftmaxWithLoss"', [(5, 4), LABELS], loss(), gradient=(0,)),
]

ERRORS = [
    Error('type: "SoftmaxWithLoss"', [(5, 4), (4,)], "first dimension"),
    Error(
        'type: "SoftmaxWithLoss"',
        [(5, 4, 3), (5,)],
        r"\(5, 4, 3\) has 15 predictions .* shape \(5,\) has 5 labels",
    ),
    Error('type: "SoftmaxWithLoss"', [(5,), (5,)], "axis 1 is out of range"),
    Error(
        'type: "SoftmaxWithLoss" propagate_down: true propagate_down: true',
        [(5, 4), (5,)],
        "propagate_down is true for the labels",
    ),
    Error(
        f'type: "SoftmaxWithLoss" loss_param {{ {WEIGHTED} }}',
        [(6, 4), (6,)],
        "has 5 class_weighting for 4 classes; give one a class",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_deeplabs_weights_count_in_the_normalizer(tmp_path):
    """The loss is sum w * term / sum w over the labels that count, and so is its gradient."""
    path = tmp_path / "weights.txt"
    path.write_text("0.5 2\n1 0\n0.25\n")
    weights = np.array([0.5, 2, 1, 0, 0.25])
    layer = make(
        f'type: "SoftmaxWithLoss" softmaxloss_param {{ weight_source: "{path}" ignore_label: 2 }}',
        (5, 5),
        (5,),
    )
    draw = draws((5, 5))
    labels = np.array([0, 1, 2, 3, 4])
    scores = torch.from_numpy(draw).requires_grad_()
    top = layer(scores, torch.from_numpy(labels).double())
    top.backward()
    p = np.exp(draw) / np.exp(draw).sum(1, keepdims=True)
    w = np.where(labels == 2, 0, weights[labels])
    assert top.item() == pytest.approx((-w * np.log(p[labels, labels])).sum() / w.sum())
    np.testing.assert_allclose(scores.grad, w[:, None] * (p - np.eye(5)) / w.sum(), atol=1e-12)
    none = layer(scores, torch.full((5,), 3.0).double())
    assert none.item() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "has 3 weights in softmaxloss_param.weight_source for 4 classes; give one a class"),
        ("1 2 x 4", "softmaxloss_param.weight_source: .*'x'; give a text file of one weight a class"),
        ("1 2 -3 4", "weights.txt has a weight that is no number from 0 on"),
        (None, "softmaxloss_param.weight_source: .*No such file.*; give a text file of one weight a class"),
    ],
)
def test_deeplabs_weights_that_are_none(tmp_path, text, message):
    path = tmp_path / "weights.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LayerError, match=message):
        make(f'type: "SoftmaxWithLoss" softmaxloss_param {{ weight_source: "{path}" }}', (5, 4), (5,))


def test_worst_loss_is_the_famous_number():
    layer = make('type: "SoftmaxWithLoss"', (2, 3), (2,), dtype=torch.float32)
    top = layer(torch.tensor([[1e4, 0.0, 0.0], [-torch.inf, 0, 0]]), torch.tensor([1.0, 0.0]))
    assert f"{top.item():.4f}" == "87.3365"


def test_nan_is_floored_too():
    """As on Caffe's GPU path, so that a diverged net prints what it printed there."""
    layer = make('type: "SoftmaxWithLoss"', (1, 3), (1,), dtype=torch.float32)
    scores = torch.tensor([[torch.nan, 0.0, 0.0]], requires_grad=True)
    top = layer(scores, torch.tensor([1.0]))
    top.backward()
    assert f"{top.item():.4f}" == "87.3365" and scores.grad.isnan().all()


def test_ignored_nan_gives_no_gradient():
    layer = make('type: "SoftmaxWithLoss" loss_param { ignore_label: 7 }', (2, 3), (2,))
    scores = torch.tensor([[torch.nan, 0, 1], [1, 2, 3]], dtype=torch.float64, requires_grad=True)
    top = layer(scores, torch.tensor([7.0, 0]))
    top.backward()
    assert top.isfinite() and scores.grad[0].tolist() == [0, 0, 0] and scores.grad[1].isfinite().all()


def test_propagate_down_to_labels_is_fine_where_nothing_is_learned():
    make('type: "SoftmaxWithLoss" propagate_down: true propagate_down: true', (5, 4), (5,), phase=TEST)


@pytest.mark.parametrize("label", [4, -1])
def test_label_that_is_no_class(label):
    layer = make('type: "SoftmaxWithLoss"', (5, 4), (5,))
    labels = torch.from_numpy(LABELS).double()
    labels[2] = label
    match = rf"layer 'l' \(SoftmaxWithLoss\): label {label} is outside 0 to 3 \(there are 4 classes\)"
    with pytest.raises(LayerError, match=match):
        layer(torch.from_numpy(draws((5, 4))), labels)


@compiling
@pytest.mark.parametrize("ignore", ["", "loss_param { ignore_label: 3 }"])
def test_label_that_is_no_class_where_nobody_looks(ignore):
    """Off the CPU, or compiled: NaN, no gradient from that label, and `verify` tells."""
    layer = make(f'type: "SoftmaxWithLoss" {ignore}', (5, 4), (5,))
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    scores = torch.tensor(draws((5, 4)), requires_grad=True)
    labels = torch.from_numpy(LABELS).double()
    good = compiled(scores, labels)
    assert torch.equal(good, layer(scores, labels))
    layer.verify()

    labels[2] = 17
    top = compiled(scores, labels)
    top.backward()
    assert top.isnan() and scores.grad.isfinite().all()
    assert (scores.grad[2] == 0).all() and (scores.grad[0] != 0).all()
    compiled(scores, torch.zeros(5))
    with pytest.raises(LayerError, match="label 17 is outside 0 to 3"):
        layer.verify()


def test_tops_are_scalars_per_axis():
    layer = make('type: "SoftmaxWithLoss"', (5, 4), (5,))
    assert layer.reshape((7, 4, 2), (7, 1, 2)) == [()]
    (top,) = run(layer, torch.zeros(7, 4, 2, dtype=torch.float64), torch.zeros(7, 1, 2))
    assert top.item() == pytest.approx(math.log(4))
