"""BatchReindex."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests import pretended
from tests.layers.harness import Case, Error, cases, errors, make


def reindex(x, index):
    return x[index.astype(int)]


CASES = [
    Case("repeats", 'type: "BatchReindex"', [(4, 2, 3), np.array([3, 0, 0, 2, 3])], reindex, gradient=(0,)),
    Case("truncated", 'type: "BatchReindex"', [(4, 2), np.array([3.9, 1.2])], reindex, gradient=(0,)),
    Case(
        "nothing",
        'type: "BatchReindex"',
        [(4, 2), np.zeros(0)],
        reindex,
        gradient=(),
        onnx=r"input 'x1' has the shape \(0,\)",
    ),
]

ERRORS = [
    Error('type: "BatchReindex"', [(4, 2), (3, 1)], r"bottom 1 of shape \(3, 1\) has 2 axes and must have 1"),
    Error('type: "BatchReindex"', [(), (3,)], "axis 0 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize(("index", "shown"), [(-1, "-1"), (4, "4"), (-0.5, "-0.5")])
def test_position_out_of_range(index, shown):
    layer = make('type: "BatchReindex"', (4, 2), (2,))
    with pytest.raises(
        LayerError, match=f"position {shown} in bottom 1 is outside the batch of 4; use 0 to 3"
    ):
        layer(torch.ones(4, 2), torch.tensor([0.0, index]))


def test_positions_take_no_gradient():
    layer = make('type: "BatchReindex"', (4, 2), (2,))
    with pytest.raises(LayerError, match="cannot backpropagate to the positions"):
        layer(torch.ones(4, 2), torch.ones(2, requires_grad=True))
    assert [layer.allow_force_backward(i) for i in range(2)] == [True, False]


def test_a_position_outside_the_batch_on_a_gpu():
    with pretended.cuda() as device:
        layer = make('type: "BatchReindex"', (4, 3), (2,)).to("cuda")
        data, index = torch.ones(4, 3, device="cuda"), torch.tensor([0.0, 4], device="cuda")
        with device.no_waiting():
            top = layer(data, index)
        assert top.isnan().all()
        with pytest.raises(LayerError, match="position 4 in bottom 1 is outside the batch of 4"):
            layer.verify()
