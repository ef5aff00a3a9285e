"""Weights that are made coarse as a layer runs: against loops over each number."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.layers.base import TEST
from tests.layers.harness import Case, Error, cases, draws, errors, make

CONV = 'type: "%sConvolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 %s }'
FC = 'type: "%sInnerProduct" inner_product_param { num_output: 4 %s }'
RISTRETTO = 'type: "ConvolutionRistretto" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } quantization_param { %s }'
FC_RISTRETTO = (
    'type: "FcRistretto" inner_product_param { num_output: 4 bias_term: false } quantization_param { %s }'
)
PICTURES, ROWS = (2, 3, 5, 6), (3, 5)
REFUSED = "cannot be exported: its numbers are made coarse as it runs"


def convolved(x, weight, bias):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    top = np.zeros((2, 4, 5, 6)) + bias[:, None, None]
    for i, j in np.ndindex(3, 3):
        top += np.einsum("nchw,oc->nohw", x[:, :, i : i + 5, j : j + 6], weight[:, :, i, j])
    return top


def binary(w):
    return np.stack([np.where(row >= 0, 1, -1) * np.abs(row).mean() for row in w])


def ternary(w):
    delta = 0.7 * np.abs(w - w.mean()).mean()
    made = np.zeros_like(w)
    for row, out in zip(w, made, strict=True):
        large = np.abs(row) > delta
        out[large] = np.sign(row[large]) * np.abs(row[large]).mean()
    return made


def nearest(x):
    return math.copysign(math.floor(abs(x) + 0.5), x)


def fixed(bits, fraction):
    def one(x):
        return nearest(min(max(x * 2**fraction, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)) / 2**fraction

    return np.vectorize(one)


def minifloat(mantissa, exponent_bits):
    bias = 2 ** (exponent_bits - 1) - 1

    @np.vectorize
    def one(x):
        if x == 0:
            return 0.0
        exponent = math.floor(math.log2(abs(x)))
        if exponent + bias < 0:
            return 0.0
        if exponent + bias > 2**exponent_bits - 1:
            value = (2 - 2.0**-mantissa) * 2.0 ** (2**exponent_bits - 1 - bias)
        else:
            value = (1 + nearest((abs(x) / 2.0**exponent - 1) * 2**mantissa) / 2**mantissa) * 2.0**exponent
        return math.copysign(value, x)

    return one


@np.vectorize
def power(x):
    return math.copysign(2.0 ** min(max(nearest(math.log2(abs(x))), -3), -1), x)


def through(weights, before=None, after=None, bias_too=True):
    before, after = before or (lambda x: x), after or (lambda x: x)

    def formula(x, weight, bias=None):
        if bias is None:
            return after(before(x) @ weights(weight).T)
        return after(convolved(before(x), weights(weight), weights(bias) if bias_too else bias))

    return formula


def straight(of):
    """The coarse weights' gradients, in the place of what the steps of the coarse values have: none."""

    def diffs(d, x, weight, bias=None):
        if bias is None:
            return (d[0] @ of(weight),)
        grad, padded = np.zeros_like(x), np.pad(d[0], ((0, 0), (0, 0), (1, 1), (1, 1)))
        for i, j in np.ndindex(3, 3):
            part = padded[:, :, 2 - i : 7 - i, 2 - j : 8 - j]
            grad += np.einsum("nohw,oc->nchw", part, of(weight)[:, :, i, j])
        return (grad,)

    return diffs


COARSE = fixed(4, 2)
SMALL = "bw_layer_in: 5 fl_layer_in: 2 bw_layer_out: 6 fl_layer_out: 1 bw_params: 4 fl_params: 2"
FEW = minifloat(2, 3)

CASES = [
    Case(
        "binary",
        CONV % ("Binary", ""),
        [PICTURES],
        through(binary, bias_too=False),
        straight(binary),
        onnx=REFUSED,
    ),
    Case(
        "ternary",
        CONV % ("Ternary", ""),
        [PICTURES],
        through(ternary, bias_too=False),
        straight(ternary),
        onnx=REFUSED,
    ),
    Case(
        "binary-fc",
        FC % ("Binary", "bias_term: false"),
        [ROWS],
        through(binary),
        straight(binary),
        onnx=REFUSED,
    ),
    Case(
        "ternary-fc",
        FC % ("Ternary", "bias_term: false"),
        [ROWS],
        through(ternary),
        straight(ternary),
        onnx=REFUSED,
    ),
    Case(
        "fixed",
        RISTRETTO % SMALL,
        [PICTURES],
        through(COARSE, fixed(5, 2), fixed(6, 1)),
        straight(COARSE),
        phase=TEST,
        onnx=REFUSED,
    ),
    Case(
        "float",
        FC_RISTRETTO % "precision: MINIFLOAT mant_bits: 2 exp_bits: 3",
        [4 * draws(ROWS, 3)],
        through(FEW, FEW, FEW),
        straight(FEW),
        phase=TEST,
        onnx=REFUSED,
    ),
    Case(
        "powers",
        FC_RISTRETTO % "precision: INTEGER_POWER_OF_2_WEIGHTS exp_min: -3 exp_max: -1",
        [ROWS],
        through(power),
        straight(power),
        phase=TEST,
        onnx=REFUSED,
    ),
]

ERRORS = [
    Error(FC % ("Binary", "transpose: true"), [ROWS], "transpose is true, which the fork mixes up"),
    Error(
        RISTRETTO % "fl_params: 1 fl_params: 2", [PICTURES], "fl_params is given 2 times; Ristretto's has one"
    ),
    Error(
        RISTRETTO % "scale_in: 2", [PICTURES], "quantization_param.scale_in is intel/caffe's, not Ristretto's"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_some_outputs_stay_fine():
    """The wrong ones the more often; as many as the ratio leaves."""
    layer = make(FC % ("Binary", "bias_term: false sq: true ratio: 75"), (1, 2))
    weight = np.array([[1, 1.0], [1, 3], [-2, 2], [0.5, 0.6]])
    layer.blobs[0].data.copy_(torch.from_numpy(weight))
    coarse = binary(weight)
    seen = []
    for _ in range(200):
        made = layer.coarse(layer.blobs[0], None)[0].detach().numpy()
        same = [i for i in range(4) if (made[i] == weight[i]).all() and not (coarse[i] == weight[i]).all()]
        np.testing.assert_allclose(
            made, np.where(np.isin(range(4), same)[:, None], weight, coarse), rtol=1e-12
        )
        seen += same
    assert set(seen) == {1, 3} and seen.count(1) > 100 > seen.count(3)


@pytest.mark.parametrize("phase", [0, TEST])
def test_training_rounds_weights_at_random_and_nothing_else(phase):
    layer = make(
        FC_RISTRETTO % "bw_params: 8 fl_params: 0 fl_layer_in: 0 fl_layer_out: 0", (1, 5), phase=phase
    )
    layer.blobs[0].data.fill_(0.25)
    made = torch.stack([layer.coarse(layer.blobs[0], None)[0] for _ in range(100)]).detach()
    x = torch.full((1, 5), 0.3, dtype=torch.float64)
    if phase == TEST:
        assert not made.any() and not layer.before(x).any()
    else:
        assert set(made.flatten().tolist()) == {0, 1} and 0.2 < made.mean() < 0.3
        assert torch.equal(layer.before(x), x) and torch.equal(layer.after(x), x)
