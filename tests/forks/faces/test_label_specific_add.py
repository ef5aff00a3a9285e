"""LabelSpecificAdd, CosinAddm."""

import numpy as np
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

ADD = 'type: "LabelSpecificAdd" label_specific_add_param { %s }'
LABELS = np.array([2.0, 0.0, 3.0])
SCORES = np.array([[0.5, 1, 0.75, -1], [0.125, 2, 1, 0], [-0.5, 1, 0, 3.0]])


def added(bias):
    def formula(x, label):
        top = x.copy()
        for n, k in enumerate(label.astype(int)):
            if x[n, k] > -bias:
                top[n, k] += bias
        return top

    return formula


CASES = [
    Case("add", ADD % "bias: -0.25", [SCORES, LABELS], added(-0.25), gradient=[0], onnx="in TRAIN it needs labels"),
    Case("take-away", ADD % "bias: 0.25", [SCORES, LABELS], added(-0.25), gradient=[0], onnx="in TRAIN it needs labels"),
    Case("add-in-test", ADD % "bias: -0.25 transform_test: true", [SCORES, LABELS], lambda x, label: x, gradient=[0], phase=TEST),
    Case(
        "annealed",
        'type: "LabelSpecificAdd" top: "y" top: "z" label_specific_add_param { bias_base: -0.5 bias_min: -2 bias_max: 1 }',
        [SCORES, LABELS],
        lambda x, label: (added(-0.5)(x, label), np.array([-0.5])),
        gradient=[0], onnx="in TRAIN it needs labels",
    ),
]  # fmt: skip


def arc(m, clipped=1.0):
    def formula(x, label):
        top = x.copy()
        for n, k in enumerate(label.astype(int)):
            c = min(x[n, k], clipped)
            far = c <= np.cos(np.pi - m)
            top[n, k] = c - m * np.sin(np.pi - m) if far else np.cos(np.arccos(c) + m)
        return top

    return formula


COSINES = np.array([[0.5, -0.25, 0.75], [0.25, -0.95, -0.5], [0.1, 0.2, -0.4], [0.3, 0.9, 0.6]])

CASES += [
    Case(
        "arc",
        'type: "CosinAddm" cosin_add_m_param { m: 0.5 }',
        [COSINES, np.array([0, 1, 2, 1.0])],
        arc(0.5),
        gradient=(0,),
    ),
    Case(
        "arc-1",
        'type: "CosinAddm"',
        [np.array([[0.5, 1.25]]), np.array([1.0])],
        arc(0.5),
        diffs=lambda d, x, label: (d[0],),
        gradient=(0,),
    ),
]

ERRORS = [
    Error(ADD % "bias: 1", [(3, 4), (2,)], "has 2 labels"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_the_bias_changes_from_pass_to_pass():
    layer = make(
        'type: "LabelSpecificAdd" top: "y" top: "z" label_specific_add_param { bias_base: -1 bias_gamma: 0.5 bias_min: -1 '
        "bias_max: 0.25 iteration: 1 }",
        (3, 4),
        (3,),
    )
    scores = torch.from_numpy(SCORES), torch.from_numpy(LABELS)
    assert [layer(*scores)[1].item() for _ in range(3)] == [-0.5, 0, 0.25]
