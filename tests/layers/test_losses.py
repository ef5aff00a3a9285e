"""EuclideanLoss, HingeLoss, ContrastiveLoss, MultinomialLogisticLoss."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

LABELS = np.array([4, 0, 2])
SIMILAR = np.array([1, 0, 0, 2, 0.9])  # 0.9 truncates to 0: a dissimilar pair


def euclidean(a, b):
    return np.sum((a.reshape(len(a), -1) - b.reshape(len(b), -1)) ** 2) / (2 * len(a))


def hinge(power):
    def formula(x, label):
        x = x.reshape(len(x), -1)
        loss = 0.0
        for n, row in enumerate(x):
            for k, value in enumerate(row):
                loss += max(0.0, 1 + (-value if k == int(label.flat[n]) else value)) ** power
        return np.float64(loss / len(x))

    return formula


def contrastive(margin, legacy=False):
    def formula(a, b, similar):
        loss = 0.0
        for x, y, same in zip(a.reshape(len(a), -1), b.reshape(len(a), -1), similar.flat, strict=True):
            squared = np.sum((x - y) ** 2)
            apart = max(margin - squared, 0) if legacy else max(margin - np.sqrt(squared), 0) ** 2
            loss += squared if int(same) else apart
        return np.float64(loss / len(a) / 2)

    return formula


def contrastive_diffs(margin):
    def formula(top, a, b, similar):
        grad = np.zeros_like(a)
        for n, same in enumerate(similar.flat):
            apart = a[n] - b[n]
            distance = np.sqrt(np.sum(apart**2))
            if int(same):
                grad[n] = apart
            elif distance < margin:
                grad[n] = -(margin - distance) / (distance + 1e-4) * apart
        grad *= top[0] / len(a)
        return grad, -grad

    return formula


def close(count, channels, *rest):
    """Pairs at distances from 0.2 up, so that some are within a margin of 3 and some are not."""
    a = draws((count, channels, *rest), 3)
    return a, a + np.linspace(0.1, 2, count).reshape(-1, *[1] * (a.ndim - 1)) * np.sign(draws(a.shape, 4))


def multinomial(p, label):
    rows = p.reshape(len(p), -1)
    return -np.mean([np.log(max(rows[n, int(k)], 1e-20)) for n, k in enumerate(label.flat)])


PROBABILITIES = np.abs(draws((3, 5, 2, 1), 5)) / 2

CASES = [
    Case("euclidean", 'type: "EuclideanLoss"', [(3, 4), (3, 4)], euclidean),
    Case("euclidean_other_shape", 'type: "EuclideanLoss"', [(3, 4, 2), (3, 2, 4)], euclidean),
    Case("euclidean_one_axis", 'type: "EuclideanLoss"', [(5,), (5, 1)], euclidean),
    Case("hinge_l1", 'type: "HingeLoss"', [(3, 5), LABELS], hinge(1), gradient=(0,)),
    Case(
        "hinge_l2",
        'type: "HingeLoss" hinge_loss_param { norm: L2 }',
        [(3, 5), LABELS.reshape(3, 1)],
        hinge(2),
        gradient=(0,),
    ),
    Case("hinge_image", 'type: "HingeLoss"', [(3, 5, 2, 4), LABELS * 9.9], hinge(1), gradient=(0,)),
    Case(
        "contrastive",
        'type: "ContrastiveLoss" contrastive_loss_param { margin: 3 }',
        [*close(5, 3), SIMILAR],
        contrastive(3),
        contrastive_diffs(3),
        gradient=(0, 1),
    ),
    Case(
        "contrastive_four_axes",
        'type: "ContrastiveLoss"',
        [*close(5, 2, 1, 1), SIMILAR.reshape(5, 1, 1, 1)],
        contrastive(1),
        contrastive_diffs(1),
        gradient=(0, 1),
    ),
    Case(
        "contrastive_legacy",
        'type: "ContrastiveLoss" contrastive_loss_param { margin: 3 legacy_version: true }',
        [*close(5, 3), SIMILAR],
        contrastive(3, legacy=True),
        gradient=(0, 1),
    ),
    Case(
        "multinomial",
        'type: "MultinomialLogisticLoss"',
        [PROBABILITIES, LABELS.reshape(3, 1, 1, 1)],
        multinomial,
        gradient=(0,),
    ),
    Case(
        "multinomial_floor",
        'type: "MultinomialLogisticLoss"',
        [np.array([[0.3, 0, -1, 0.2], [0.5, 1e-30, 0.1, 0.4]]), np.array([1, 1])],
        multinomial,
        # Below the floor of 1e-20 Caffe's gradient is 1 / floor.
        lambda top, p, label: -top[0] / 2 * np.array([[0, 1e20, 0, 0], [0, 1e20, 0, 0]]),
        gradient=(0,),
    ),
]

BATCH = "differ in their first dimension"
ERRORS = [
    Error(
        'type: "EuclideanLoss"', [(3, 4), (2, 6)], r"shape \(3, 4\) and bottom 1 of shape \(2, 6\) " + BATCH
    ),
    Error('type: "EuclideanLoss"', [(3, 4), ()], BATCH),
    Error(
        'type: "EuclideanLoss"', [(3, 4), (3, 5)], r"4 values an item and bottom 1 of shape \(3, 5\) has 5"
    ),
    Error('type: "HingeLoss"', [(3, 4), (4,)], BATCH),
    Error('type: "ContrastiveLoss"', [(3, 4), (2, 4), (3,)], BATCH),
    Error('type: "ContrastiveLoss"', [(3, 4), (3, 5), (3,)], "bottom 0 has 4 channels and bottom 1 has 5"),
    Error(
        'type: "ContrastiveLoss"', [(3, 4, 2), (3, 4), (3,)], r"bottom 0 of shape \(3, 4, 2\) must be N x 4"
    ),
    Error(
        'type: "ContrastiveLoss"',
        [(3, 4), (3, 4, 1, 2), (3,)],
        r"bottom 1 of shape \(3, 4, 1, 2\) must be N x 4",
    ),
    Error('type: "ContrastiveLoss"', [(3, 4), (3, 4), (3, 2)], r"bottom 2 of shape \(3, 2\) must be N x 1"),
    Error('type: "ContrastiveLoss"', [(3, 4), (3, 4), (2,)], "bottom 2 has 2 labels for 3 pairs"),
    Error('type: "ContrastiveLoss"', [(3, 4, 1, 1, 1), (3, 4), (3,)], "at most 4 axes .* which has 5"),
    Error(
        'type: "MultinomialLogisticLoss"', [(3, 4), (3, 2)], r"bottom 1 of shape \(3, 2\) must hold one label"
    ),
    Error('type: "MultinomialLogisticLoss"', [(3, 4), (2,)], BATCH),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_equal_dissimilar_pair_has_no_gradient():
    layer = make('type: "ContrastiveLoss"', (2, 3), (2, 3), (2,))
    a = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    loss = layer(a, a.detach().clone(), torch.zeros(2, dtype=torch.float64))
    loss.backward()
    assert loss.item() == 0.5
    assert torch.equal(a.grad, torch.zeros_like(a))


@pytest.mark.parametrize("kind", ["HingeLoss", "MultinomialLogisticLoss"])
def test_label_out_of_range(kind):
    layer = make(f'type: "{kind}"', (2, 3), (2,))
    with pytest.raises(LayerError, match="label 3 is outside 0 to 2"):
        layer(torch.ones(2, 3), torch.tensor([0.0, 3.0]))
    with pytest.raises(LayerError, match="label -1 is outside 0 to 2"):
        layer(torch.ones(2, 3), torch.tensor([-1.0, 0.0]))


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("HingeLoss", [(2, 3), (2,)]),
        ("MultinomialLogisticLoss", [(2, 3), (2,)]),
    ],
)
def test_labels_take_no_gradient(kind, shapes):
    layer = make(f'type: "{kind}"', *shapes)
    *data, label = (torch.ones(shape) for shape in shapes)
    with pytest.raises(LayerError, match="cannot backpropagate to .*labels?"):
        layer(*data, label.requires_grad_())


def test_similarity_labels_may_come_from_layers_that_learn():
    layer = make('type: "ContrastiveLoss"', (2, 3), (2, 3), (2,))
    a, b, similar = (torch.ones(shape, requires_grad=True) for shape in [(2, 3), (2, 3), (2,)])
    layer(a * 3, b, similar).backward()
    assert torch.equal(a.grad, torch.full((2, 3), 3.0))  # 3 (3 - 1) / N
    assert similar.grad is None


@pytest.mark.parametrize(
    ("kind", "shapes", "forced"),
    [
        ("EuclideanLoss", [(2, 3), (2, 3)], [True, True]),
        ("HingeLoss", [(2, 3), (2,)], [True, False]),
        ("ContrastiveLoss", [(2, 3), (2, 3), (2,)], [True, True, False]),
    ],
)
def test_force_backward(kind, shapes, forced):
    layer = make(f'type: "{kind}"', *shapes)
    assert layer.is_loss
    assert [layer.allow_force_backward(i) for i in range(len(shapes))] == forced


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_hinge_leaves_its_margins_in_the_diff(norm):
    layer = make(f'type: "HingeLoss" hinge_loss_param {{ norm: {norm} }}', (2, 3, 1), (2,))
    x = draws((2, 3, 1))
    ((index, left),) = layer.leftover_diffs(torch.from_numpy(x), torch.tensor([2, 0])).items()
    sign = np.array([[1, 1, -1], [-1, 1, 1]]).reshape(2, 3, 1)
    assert index == 0
    np.testing.assert_allclose(left, np.maximum(0, 1 + sign * x), rtol=1e-12)
