"""InnerProduct: from any axis on, with and without bias, transposed; its shapes, fillers and refusals."""

import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make


def linear(start, transpose=False):
    def formula(x, weight, bias=0):
        return x.reshape(*x.shape[:start], -1) @ (weight if transpose else weight.T) + bias

    return formula


def param(fields):
    return f'type: "InnerProduct" inner_product_param {{ num_output: 7 {fields} }}'


CASES = [
    Case("default", param(""), [(2, 3, 4, 5)], linear(1)),
    Case("no-bias", param("bias_term: false"), [(4, 3)], linear(1)),
    Case("axis-2", param("axis: 2"), [(2, 3, 4, 5)], linear(2)),
    Case("axis-0", param("axis: 0"), [(2, 3)], linear(0)),
    Case("axis-last", param("axis: -1"), [(2, 3, 4)], linear(2)),
    Case("transpose", param("transpose: true axis: 2"), [(2, 3, 4)], linear(2, transpose=True)),
]

ERRORS = [
    Error('type: "InnerProduct"', [(2, 3)], "num_output is 0, it must be set and above 0"),
    Error(param("axis: 2"), [(2, 3)], "axis 2 is out of range"),
    Error(param('weight_filler { type: "nosuch" }'), [(2, 3)], "unknown filler type 'nosuch'"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_blobs():
    layer = make(param('weight_filler { type: "xavier" } bias_filler { value: 2 }'), (2, 3, 4))
    assert [tuple(blob.shape) for blob in layer.blobs] == [(7, 12), (7,)]
    assert layer.blobs[0].abs().max() > 0 and (layer.blobs[1] == 2).all()
    assert (make(param(""), (2, 3)).blobs[0] == 0).all()
    assert [tuple(b.shape) for b in make(param("transpose: true bias_term: false"), (2, 5)).blobs] == [(5, 7)]


def test_input_may_grow_in_batch_but_not_in_k():
    layer = make(param(""), (2, 3, 4))
    assert layer.reshape((9, 6, 2)) == [(9, 7)]
    with pytest.raises(LayerError, match=r"\(2, 3, 5\) gives K = 15 .* made for K = 12; .*rename the layer"):
        layer.reshape((2, 3, 5))


def test_the_weight_itself_is_normalized():
    layer = make(param("normalize: true bias_term: false"), (4, 3))
    before = layer.blobs[0].detach().clone()
    x = torch.from_numpy(draws((4, 3)))
    top = layer(x)
    unit = before / (before.square().sum(1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(layer.blobs[0].detach(), unit)
    torch.testing.assert_close(top, x @ unit.T)
    top.sum().backward()  # as if the weight had always been so
    torch.testing.assert_close(layer.blobs[0].grad, x.sum(0).expand_as(unit))
    with pytest.raises(LayerError, match="has normalize and transpose, which NormFace's fork mixes up"):
        make(param("normalize: true transpose: true"), (4, 3))
