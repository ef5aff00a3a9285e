"""BinaryConvolution, TernaryConvolution, BinaryInnerProduct, TernaryInnerProduct."""

import numpy as np
import torch

from tests.forks.compression.quantized import PICTURES, REFUSED, ROWS, straight, through
from tests.layers.harness import Case, Error, cases, errors, make

CONV = 'type: "%sConvolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 %s }'
FC = 'type: "%sInnerProduct" inner_product_param { num_output: 4 %s }'


def binary(w):
    return np.stack([np.where(row >= 0, 1, -1) * np.abs(row).mean() for row in w])


def ternary(w):
    delta = 0.7 * np.abs(w - w.mean()).mean()
    made = np.zeros_like(w)
    for row, out in zip(w, made, strict=True):
        large = np.abs(row) > delta
        out[large] = np.sign(row[large]) * np.abs(row[large]).mean()
    return made


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
]

ERRORS = [
    Error(FC % ("Binary", "transpose: true"), [ROWS], "transpose is true, which the fork mixes up"),
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
