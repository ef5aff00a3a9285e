"""LargeMarginInnerProduct, MarginInnerProduct."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

LABELS = np.array([2.0, 0.0, 3.0])


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

ERRORS = [
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


def test_sizes_and_labels():
    layer = make(large("type: DOUBLE"), (3, 5), (3,))
    with pytest.raises(Exception, match=r"\(3, 6\) has 6 values an item, but the weights were made for 5"):
        layer.reshape((3, 6), (3,))
    with pytest.raises(Exception, match="label 4 is outside 0 to 3"):
        layer(torch.ones(3, 5).double(), torch.tensor([0.0, 4, 1]))
