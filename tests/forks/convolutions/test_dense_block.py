"""DenseBlock."""

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

SHAPE = (2, 3, 4, 5)


def param(fields):
    return f'type: "DenseBlock" denseblock_param {{ numTransition: 2 growthRate: 2 {fields} }}'


def convolved(x, filters):
    """The sum over taps as the fork's CPU code has it: the filter is turned."""
    edge = filters.shape[2] // 2
    padded = np.pad(x, [(0, 0), (0, 0), (edge, edge), (edge, edge)])
    top = np.zeros((len(x), len(filters), *x.shape[2:]))
    for i, j in np.ndindex(filters.shape[2:]):
        part = padded[:, :, 2 * edge - i :, 2 * edge - j :][:, :, : x.shape[2], : x.shape[3]]
        top += np.einsum("nchw,oc->nohw", part, filters[:, :, i, j])
    return top


def block(narrow=False, stored=False):
    def formula(x, *blobs):
        def group(k, i):
            return blobs[2 * k + i]

        def normalised(x, k, i):
            scale, shift, mean, variance = (group(k + j, i) for j in range(4))
            if not stored:
                mean, variance = (f(x, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.var))
            return np.maximum(scale * (x - mean) / np.sqrt(variance + 1e-5) + shift, 0)

        for i in range(2):
            y = normalised(x, 1, i)
            if narrow:
                y = normalised(convolved(y, group(5, i)), 6, i)
            x = np.concatenate([x, convolved(y, group(0, i))], 1)
        return x

    return formula


def values(narrow):
    """Blobs whose variances are above 0."""
    random = np.random.default_rng(3)
    blobs = make(param("use_BC: true" if narrow else ""), SHAPE).blobs
    return [
        np.abs(v) + 0.5 if i // 2 in (4, 9) else v
        for i, v in enumerate(random.normal(size=b.shape) for b in blobs)
    ]


CASES = [
    Case("train", param(""), [SHAPE], block(), blobs=values(False), onnx="export the TEST net"),
    Case(
        "train-narrow",
        param("use_BC: true"),
        [SHAPE],
        block(True),
        blobs=values(True),
        onnx="export the TEST net",
    ),
    Case(
        "test",
        param("use_dropout: true dropout_amount: 0.5"),
        [SHAPE],
        block(stored=True),
        blobs=values(False),
        phase=TEST,
    ),
    Case("test-narrow", param("use_BC: true"), [SHAPE], block(True, True), blobs=values(True), phase=TEST),
]
ERRORS = [
    Error(
        param("initChannel: 16"), [SHAPE], r"initChannel is 16 and bottom shape \(2, 3, 4, 5\) has 3 channels"
    ),
    Error(param("filter_H: 5"), [SHAPE], r"filter, pad and stride are \(5, 3, 1, 1, 1, 1\)"),
    Error(param("") + " param { lr_mult: 1 }", [SHAPE], "has `param` blocks, which the fork refuses"),
    Error(param("use_dropout: true dropout_amount: 1"), [SHAPE], "dropout_amount is 1"),
    Error(
        param("").replace("growthRate: 2", "growthRate: 0"), [SHAPE], "numTransition is 2 and growthRate 0"
    ),
    Error(param(""), [(1, 3, 1, 1)], "one value a channel"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_statistics_are_averaged():
    layer = make(param("moving_average_fraction: 0.25"), SHAPE)
    x = torch.randn(SHAPE, dtype=torch.float64)
    layer(x)
    mean, variance = (layer.blobs[2 * group].detach() for group in (3, 4))
    torch.testing.assert_close(mean, 0.25 * x.mean((0, 2, 3), keepdim=True))
    torch.testing.assert_close(variance, 0.75 + 0.25 * x.var((0, 2, 3), keepdim=True))
    assert [spec.lr_mult for spec in layer.param.param] == [1] * 6 + [0] * 5


def test_dropout_keeps_the_bottom():
    fields = "use_dropout: true dropout_amount: 0.5 Filter_Filler { value: 1 } BN_Bias_Filler { value: 1 }"
    layer = make(param(fields), SHAPE)
    x = torch.ones(SHAPE, dtype=torch.float64)
    top = layer(x)
    assert torch.equal(top[:, :3], x) and (top[:, 3:] == 0).any() and (top[:, 3:5] > 0).any()
    assert layer.random_reason() and not make(param(fields), SHAPE, phase=TEST).random_reason()


@pytest.mark.parametrize(
    "narrow, count", [(False, (3 + 5) * (2 * 9 + 1)), (True, 8 * (8 + 1) + 2 * (8 * 2 * 9 + 8))]
)
def test_multiply_adds(narrow, count):
    layer = make(param("use_BC: true" if narrow else ""), SHAPE)
    assert layer.multiply_adds([SHAPE], layer.reshape(SHAPE)) == 40 * count
