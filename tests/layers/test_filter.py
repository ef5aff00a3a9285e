"""Filter."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests.layers.harness import Error, draws, errors, make, run

ERRORS = [
    Error('type: "Filter"', [(4, 2), (4, 3), (4,)], "has 1 tops for 3 bottoms"),
    Error(
        'type: "Filter"',
        [(4, 2), (4, 1, 2)],
        r"selector \(last bottom\) of shape \(4, 1, 2\) must hold one number",
    ),
    Error('type: "Filter"', [(4, 2), ()], r"selector \(last bottom\) of shape \(\) must hold one number"),
    Error(
        'type: "Filter"', [(4, 2), (3, 1)], r"bottom 0 of shape \(4, 2\) and the selector of shape \(3, 1\)"
    ),
]

test_error = errors(ERRORS)


@pytest.mark.parametrize("selector", [[0, 1, 0, 2, -0.5], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
def test_items_and_gradients(selector):
    chosen = [i for i, mark in enumerate(selector) if mark]
    shapes = [(5, 2, 3), (5, 4), (5, 1, 1)]
    layer = make('type: "Filter" top: "a" top: "b"', *shapes)
    assert layer.reshape(*shapes) == [(5, 2, 3), (5, 4)]  # before the selector's values are known
    a, b = (torch.from_numpy(draws(shape)).requires_grad_() for shape in shapes[:2])
    tops = run(layer, a, b, torch.tensor(selector).reshape(5, 1, 1))
    for top, bottom in zip(tops, (a, b), strict=True):
        np.testing.assert_array_equal(top.detach(), bottom.detach()[chosen])
        diff = torch.from_numpy(draws(top.shape)) if chosen else torch.zeros_like(top)
        top.backward(diff)
        wanted = np.zeros(bottom.shape)
        wanted[chosen] = diff
        np.testing.assert_array_equal(bottom.grad, wanted)


def test_the_selector_takes_no_gradient():
    layer = make('type: "Filter"', (4, 2), (4,))
    with pytest.raises(LayerError, match="cannot backpropagate to the selector"):
        layer(torch.ones(4, 2), torch.ones(4, requires_grad=True))
    assert [layer.allow_force_backward(i) for i in range(2)] == [True, False]


def test_a_net_trains_on_the_items_that_pass():
    text = """
    layer { name: "d" type: "Input" top: "x" top: "t" top: "s"
      input_param { shape { dim: 6 dim: 4 } shape { dim: 6 } shape { dim: 6 } } }
    layer { name: "h" type: "InnerProduct" bottom: "x" top: "h"
      inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "f" type: "Filter" bottom: "h" bottom: "t" bottom: "s" top: "fh" top: "ft" }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fh" bottom: "ft" top: "loss" %s }"""
    param = parse(text % "propagate_down: true propagate_down: false", NetParameter)
    param.state.phase = TRAIN
    net = Net(param)
    x, labels = draws((6, 4)), np.array([0, 1, 2, 3, 4, 0])
    for selector in ([1, 0, 0, 1, 1, 0], [0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]):
        for name, value in (("x", x), ("t", labels), ("s", selector)):
            net.layerwise.data(name).copy_(torch.as_tensor(value))
        net.clear_param_diffs()
        loss, _ = net.forward_backward()
        chosen = np.flatnonzero(selector)
        weight = net.params["h"][0].detach().clone().requires_grad_()
        scores = torch.tensor(x[chosen], dtype=torch.float32) @ weight.T
        wanted = torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels[chosen]))
        wanted.backward()
        torch.testing.assert_close(loss, wanted.detach())
        torch.testing.assert_close(net.params["h"][0].grad, weight.grad)
    # Every top of a layer that learns wants a gradient, the labels' too, until it is told otherwise.
    param = parse(text % "", NetParameter)
    param.state.phase = TRAIN
    with pytest.raises(LayerError, match="cannot backpropagate to label inputs.*`propagate_down: false`"):
        Net(param).forward_backward()
