"""ConvolutionRistretto, FcRistretto: against loops over each number."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.layers.base import TEST
from tests.forks.compression.quantized import PICTURES, REFUSED, ROWS, straight, through
from tests.layers.harness import Case, Error, cases, draws, errors, make

RISTRETTO = 'type: "ConvolutionRistretto" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } quantization_param { %s }'
FC_RISTRETTO = (
    'type: "FcRistretto" inner_product_param { num_output: 4 bias_term: false } quantization_param { %s }'
)


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


COARSE = fixed(4, 2)
SMALL = "bw_layer_in: 5 fl_layer_in: 2 bw_layer_out: 6 fl_layer_out: 1 bw_params: 4 fl_params: 2"
FEW = minifloat(2, 3)

CASES = [
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
    Error(
        RISTRETTO % "fl_params: 1 fl_params: 2", [PICTURES], "fl_params is given 2 times; Ristretto's has one"
    ),
    Error(
        RISTRETTO % "scale_in: 2", [PICTURES], "quantization_param.scale_in is intel/caffe's, not Ristretto's"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


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
