"""CtcLoss against the sum over all alignments, and LabelsequenceAccuracy against a loop."""

import itertools

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make


def spell(path, blank):
    return [k for k, _ in itertools.groupby(path) if k != blank]


def log_likelihood(scores, labels, blank):
    """Of one item, (T, alphabet): every path is tried."""
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    probability = shifted / shifted.sum(1, keepdims=True)
    total = sum(
        np.prod([probability[t, k] for t, k in enumerate(path)])
        for path in itertools.product(range(scores.shape[1]), repeat=len(scores))
        if spell(path, blank) == labels
    )
    return np.log(total) if total else 0.0


def ctc(steps, blank=0):
    def formula(scores, labels):
        labels = labels.reshape(len(labels), -1)
        scores = scores.reshape(*scores.shape[:2], -1)[:steps]
        words = [[int(k) for k in word if k != blank] for word in labels]
        return -sum(log_likelihood(scores[:, n], word, blank) for n, word in enumerate(words)) / len(words)

    return formula


def sum_diffs(formula, step=1e-6):
    """N times the differences of the formula: the fork does not divide the gradient by N."""

    def diffs(top, scores, labels):
        grad = np.zeros_like(scores)
        for i in np.ndindex(scores.shape):
            near, far = scores.copy(), scores.copy()
            near[i] -= step
            far[i] += step
            grad[i] = (formula(far, labels) - formula(near, labels)) / (2 * step)
        return top[0] * grad * len(labels)

    return diffs


def param(fields):
    return f'type: "CtcLoss" ctc_loss_param {{ {fields} }}'


FIELDS = "alphabet_size: 3 time_step: 4"
LABELS = np.array([[1.0, 2.0], [2.0, 0.0]])
TWICE = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0]])  # 1 1 1 needs 5 steps
ACCURACY = 'type: "LabelsequenceAccuracy"'

# Steps x alphabet: a path's best scores are 1 at the path.
PATHS = [[1, 1, 0, 2], [1, 0, 1, 1], [0, 2, 2, 0], [1, 2, 1, 0], [0, 0, 0, 0]]
SCORES = np.eye(3)[PATHS]
WORDS = np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])


def accuracy(blank):
    def formula(scores, labels):
        hits = [
            spell(item.argmax(1), blank) == [k for k in word if k != blank]
            for item, word in zip(scores, labels, strict=True)
        ]
        return np.mean(hits)

    return formula


CASES = [
    Case("loss", param(FIELDS), [(4, 2, 3), LABELS], ctc(4), gradient=()),
    Case("first-steps", param("alphabet_size: 3 time_step: 3"), [(5, 2, 3), LABELS], ctc(3), gradient=()),
    Case("blank", param(FIELDS + " blank_label: 2"), [(4, 2, 3, 1), LABELS], ctc(4, 2), gradient=()),
    Case("does-not-fit", param(FIELDS), [(4, 2, 3), TWICE], ctc(4), gradient=()),
    Case("no-labels", param(FIELDS), [(4, 2, 3), np.array([[0.0], [1.0]])], ctc(4), gradient=()),
    Case("gap", param(FIELDS), [(4, 1, 3), np.array([[1.0, 0.0, 2.0]])], ctc(4), gradient=[0]),
    Case("accuracy", ACCURACY, [SCORES, WORDS], accuracy(0), gradient=()),
    Case(
        "accuracy-blank",
        f"{ACCURACY} labelsequence_accuracy_param {{ blank_label: 2 }}",
        [SCORES, WORDS + 1],
        accuracy(2),
        gradient=(),
    ),
]

ERRORS = [
    Error(param("time_step: 4"), [(4, 2, 3), (2, 5)], "alphabet_size is 0, it must be set and above 0"),
    Error(param("alphabet_size: 3"), [(4, 2, 3), (2, 5)], "time_step is 0"),
    Error(param(FIELDS + " blank_label: 3"), [(4, 2, 3), (2, 5)], "blank_label 3 is outside 0 to 2"),
    Error(param(FIELDS), [(4, 2, 3), (3, 5)], r"items x labels, for the same items"),
    Error(param(FIELDS), [(3, 2, 3), (2, 5)], "has 3 steps, fewer than time_step 4"),
    Error(param(FIELDS), [(4, 2, 5), (2, 3)], "has 5 scores a step and alphabet_size is 3"),
    Error(ACCURACY, [(4, 2, 3), (2, 5)], r"\(4, 2, 3\) must be items x steps x alphabet"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_the_gradient_is_that_of_the_sum():
    scores = draws((4, 2, 3))
    leaf = torch.tensor(scores, requires_grad=True)
    make(param(FIELDS), (4, 2, 3), (2, 2))(leaf, torch.from_numpy(LABELS)).backward()
    np.testing.assert_allclose(leaf.grad, sum_diffs(ctc(4))([1.0], scores, LABELS), atol=1e-8)


def test_a_label_outside_the_alphabet():
    layer = make(param(FIELDS), (4, 2, 3), (2, 2))
    with pytest.raises(LayerError, match="label 3 is outside 0 to 2"):
        layer(torch.ones(4, 2, 3), torch.tensor([[1.0, 3.0], [0.0, 1.0]]))
