"""Parameter."""

import pytest
import torch

from tests.layers.harness import Case, cases, make

CASES = [
    Case("matrix", 'type: "Parameter" parameter_param { shape { dim: 3 dim: 4 } }', [], lambda blob: blob),
    Case("scalar", 'type: "Parameter"', [], lambda blob: blob),
]

test_case = cases(CASES)


def test_born_as_zeros_and_the_top_is_the_blob():
    layer = make('type: "Parameter" parameter_param { shape { dim: 3 dim: 4 } }')
    assert torch.equal(layer.blobs[0], torch.zeros(3, 4))
    top = layer()
    assert top.data_ptr() == layer.blobs[0].data_ptr()
    top.sum().backward()
    assert torch.equal(layer.blobs[0].grad, torch.ones(3, 4))


def test_every_backward_overwrites_the_gradient():
    assert make('type: "Parameter" parameter_param { shape { dim: 3 } }').overwritten_diffs() == (0,)


@pytest.mark.parametrize("field", ["blob_filler", "filler"])
def test_filled(field):
    text = f'type: "Parameter" parameter_param {{ shape {{ dim: 3 dim: 4 }} {field} {{ value: 2 }} }}'
    assert torch.equal(make(text)(), torch.full((3, 4), 2.0, dtype=torch.float64))
