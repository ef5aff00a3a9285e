"""Embed."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests import pretended
from tests.layers.harness import Case, Error, cases, errors, make

WORDS = np.array([[0, 6, 3], [6.7, 2, 2]])  # 6.7 is row 6


def embed(x, weight, *bias):
    return weight[x.astype(int)] + (bias[0] if bias else 0)


CASES = [
    Case("bias", 'type: "Embed" embed_param { num_output: 4 input_dim: 7 }', [WORDS], embed),
    Case(
        "no_bias", 'type: "Embed" embed_param { num_output: 4 input_dim: 7 bias_term: false }', [WORDS], embed
    ),
    Case("one_axis", 'type: "Embed" embed_param { num_output: 5 input_dim: 7 }', [WORDS[0]], embed),
    Case(
        "four_axes",
        'type: "Embed" embed_param { num_output: 5 input_dim: 7 }',
        [WORDS[None, ..., None]],
        embed,
    ),
]
# The bottom is integers: only the blobs take part in the gradient check.
CASES = [Case(c.name, c.layer, c.bottoms, c.formula, gradient=(9,)) for c in CASES]

ERRORS = [
    Error(
        'type: "Embed" embed_param { input_dim: 7 }',
        [(3,)],
        "embed_param.num_output is 0 and must be at least 1",
    ),
    Error(
        'type: "Embed" embed_param { num_output: 4 }',
        [(3,)],
        "embed_param.input_dim is 0 and must be at least 1",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_fillers():
    layer = make(
        """type: "Embed" embed_param { num_output: 4 input_dim: 7
        weight_filler { type: "uniform" min: 2 max: 3 } bias_filler { type: "constant" value: 5 } }""",
        (3,),
    )
    assert layer.blobs[0].shape == (7, 4)
    assert layer.blobs[0].min() >= 2
    assert layer.blobs[1].tolist() == [5] * 4


def test_input_out_of_range_or_with_a_gradient():
    layer = make('type: "Embed" embed_param { num_output: 4 input_dim: 7 }', (3,))
    with pytest.raises(LayerError, match="input 7 is outside 0 to 6; .* raise embed_param.input_dim from 7"):
        layer(torch.tensor([0.0, 7.0, 1.0]))
    with pytest.raises(LayerError, match="input -1 is outside 0 to 6"):
        layer(torch.tensor([0.0, -1.0, 1.0]))
    with pytest.raises(LayerError, match="cannot backpropagate to its input"):
        layer(torch.zeros(3, requires_grad=True))
    assert not layer.allow_force_backward(0)


def test_a_number_that_is_no_row_on_a_gpu():
    with pretended.cuda() as device:
        layer = make('type: "Embed" embed_param { num_output: 4 input_dim: 7 }', (2,)).to("cuda")
        good, bad = (torch.tensor(values, device="cuda") for values in ([1.0, 2], [2.0, 9]))
        with device.no_waiting():
            top = layer(good)
        layer.verify()
        assert not top.isnan().any()
        with device.no_waiting():
            top = layer(bad)
        assert top.isnan().all()
        with pytest.raises(LayerError, match="input 9 is outside 0 to 6"):
            layer.verify()
