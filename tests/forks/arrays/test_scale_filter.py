"""ScaleFilter."""

import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, draws, errors, make

SHAPE = (2, 6, 3, 4)
SCALE = 'type: "ScaleFilter" scale_filter_param { min_scale: 0.5 max_scale: 2 }'


CASES = [
    Case("scales-in-test", SCALE, [SHAPE], lambda x: x, phase=TEST),
]

ERRORS = [
    Error('type: "ScaleFilter"', [SHAPE], "min_scale 0 and max_scale 0; use 0 < min_scale < max_scale"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_scales_are_drawn_a_channel():
    layer = make(SCALE, (40, 50, 2, 3))
    x = torch.from_numpy(draws((40, 50, 2, 3))).requires_grad_()
    top = layer(x)
    scale = (top / x).detach()
    torch.testing.assert_close(scale, scale[:, :, :1, :1].expand_as(scale))
    assert 0.5 <= scale.min() < 0.52 and 1.98 < scale.max() <= 2 and abs(scale.mean() - 1.25) < 0.05
    top.sum().backward()
    torch.testing.assert_close(x.grad, scale)
    with pytest.raises(Exception, match="in TRAIN it draws scales at random"):
        layer.to_onnx(None, [], [])
