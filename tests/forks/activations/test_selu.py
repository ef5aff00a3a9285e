"""SeLU, SeLUDropout."""

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

LAMBDA, ALPHA = (float(np.float32(v)) for v in (1.050700987, 1.67326324))
SHAPE = (2, 3, 5)
DROPOUT = 'type: "SeLUDropout" selu_dropout_param { dropout_ratio: %g alpha: -1.75 }'


def selu(scale, alpha):
    return lambda x: scale * np.where(x > 0, x, alpha * (np.exp(x) - 1))


CASES = [
    Case("selu", 'type: "SeLU"', [SHAPE], selu(LAMBDA, ALPHA)),
    Case("other-name", 'type: "SeLu" selu_param { lambda: 2 alpha: 0.5 }', [SHAPE], selu(2, 0.5)),
    Case("dropout-in-test", DROPOUT % 0.25, [SHAPE], lambda x: x, phase=TEST),
]

ERRORS = [
    Error(DROPOUT % 1, [SHAPE], "dropout_ratio is 1; it must be above 0 and below 1"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_dropout_keeps_mean_and_variance():
    layer = make((DROPOUT % 0.25).replace('"SeLUDropout"', '"SeLuDropout"'), (300, 400))
    torch.manual_seed(3)
    x = torch.randn(300, 400, dtype=torch.float64, requires_grad=True)
    top = layer(x)
    top.sum().backward()
    kept = x.grad != 0
    a = (0.75 * (1 + 1.75**2 * 0.25)) ** -0.5
    b = a * 0.25 * 1.75
    torch.testing.assert_close(x.grad[kept], torch.full_like(x.grad[kept], a))
    torch.testing.assert_close(top[kept], (a * x + b)[kept])
    torch.testing.assert_close(top[~kept], torch.full_like(top[~kept], -1.75 * a + b))
    assert abs(kept.double().mean() - 0.75) < 0.01 and abs(top.mean()) < 0.01 and abs(top.var() - 1) < 0.02
    with pytest.raises(Exception, match="in TRAIN it drops values at random"):
        layer.to_onnx(None, [], [])
