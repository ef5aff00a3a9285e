"""LabelSpecificAdd, LargeMarginInnerProduct, MarginInnerProduct."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, draws, errors, make

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


def psi(theta, m):
    k = min(int(theta * m / math.pi), m - 1)
    return (-1) ** k * math.cos(m * theta) - 2 * k


def margin(m, share, unit=False):
    def formula(x, label, weight):
        if unit:
            weight = weight / np.linalg.norm(weight, axis=1, keepdims=True)
        x = x.reshape(len(x), -1)
        top = x @ weight.T
        if m > 1:
            for n, k in enumerate(label.astype(int)):
                length = np.linalg.norm(x[n]) * np.linalg.norm(weight[k])
                turned = length * psi(math.acos(top[n, k] / length), m)
                top[n, k] = (turned + share * top[n, k]) / (1 + share)
        return top, np.array([share])

    return formula


def sphere_diffs(m, share):
    def diffs(top_diffs, x, label, weight):
        d = top_diffs[0]
        weight = weight / np.linalg.norm(weight, axis=1, keepdims=True)
        grad = d @ weight
        for n, k in enumerate(label.astype(int)):
            length = np.linalg.norm(x[n])
            cosine, step = x[n] @ weight[k] / length, 1e-6
            slope = (psi(math.acos(cosine + step), m) - psi(math.acos(cosine - step), m)) / (2 * step)
            pair = np.array([slope, (psi(math.acos(cosine), m) - slope * cosine) / length])
            pair /= np.linalg.norm(pair)
            own = d[n, k] / (1 + share)
            grad[n] += own * (share - 1 - share) * weight[k] + own * (pair[0] * weight[k] + pair[1] * x[n])
        return grad

    return diffs


def large(fields):
    return f'type: "LargeMarginInnerProduct" top: "y" top: "z" largemargin_inner_product_param {{ num_output: 4 {fields} }}'


def sphere(fields):
    return f'type: "MarginInnerProduct" top: "y" top: "z" margin_inner_product_param {{ num_output: 4 {fields} }}'


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
    *(
        Case(f"large-{name}", large(f"type: {name} base: 0.5"), [(3, 2, 5), LABELS], margin(m, 0.5), gradient=[0])
        for m, name in enumerate(("SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE"), 1)
    ),
    Case("sphere-SINGLE", sphere("type: SINGLE base: 0.5"), [(3, 5), LABELS], margin(1, 0.5, True), gradient=()),
    *(
        Case(f"sphere-{name}", sphere(f"type: {name} base: 0.5"), [(3, 5), LABELS], margin(m, 0.5, True), gradient=())
        for m, name in enumerate(("DOUBLE", "TRIPLE", "QUADRUPLE"), 2)
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
    Error(large("axis: 2"), [(3, 4), (3,)], "axis 2 is out of range"),
    Error(large("").replace("num_output: 4", ""), [(3, 4), (3,)], "num_output is 0 and must be above 0"),
    Error(sphere(""), [(3, 4), (4,)], "has 3 predictions .* has 4 labels"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("name, m", [("DOUBLE", 2), ("TRIPLE", 3), ("QUADRUPLE", 4)])
def test_gradients_of_the_sphere(name, m):
    layer = make(sphere(f"type: {name} base: 0.5"), (3, 5), (3,))
    weight, x, d = draws((4, 5), 3), draws((3, 5), 4), draws((3, 4), 5)
    layer.blobs[0].data.copy_(torch.from_numpy(weight))
    leaf = torch.from_numpy(x).requires_grad_()
    layer(leaf, torch.from_numpy(LABELS))[0].backward(torch.from_numpy(d))
    np.testing.assert_allclose(leaf.grad, sphere_diffs(m, 0.5)([d], x, LABELS, weight), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.blobs[0].grad, d.T @ x, rtol=1e-12)
    np.testing.assert_allclose(layer.blobs[0].detach().norm(dim=1), 1, rtol=1e-12)


def test_numbers_change_from_pass_to_pass():
    inputs = torch.from_numpy(draws((3, 5))), torch.from_numpy(LABELS)
    layer = make(large("type: DOUBLE base: 8 gamma: 0.5 power: 2 lambda_min: 1 iteration: 1"), (3, 5), (3,))
    assert [round(layer(*inputs)[1].item(), 6) for _ in range(4)] == [2, 1.28, 1, 1]
    layer = make(
        'type: "LabelSpecificAdd" top: "y" top: "z" label_specific_add_param { bias_base: -1 bias_gamma: 0.5 bias_min: -1 '
        "bias_max: 0.25 iteration: 1 }",
        (3, 4),
        (3,),
    )
    scores = torch.from_numpy(SCORES), inputs[1]
    assert [layer(*scores)[1].item() for _ in range(3)] == [-0.5, 0, 0.25]


def test_sizes_and_labels():
    layer = make(large("type: DOUBLE"), (3, 5), (3,))
    with pytest.raises(Exception, match=r"\(3, 6\) has 6 values an item, but the weights were made for 5"):
        layer.reshape((3, 6), (3,))
    with pytest.raises(Exception, match="label 4 is outside 0 to 3"):
        layer(torch.ones(3, 5).double(), torch.tensor([0.0, 4, 1]))
