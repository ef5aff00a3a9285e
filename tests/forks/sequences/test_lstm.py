"""Lstm, LSTMNode, ContinuationIndicator: against loops over steps, and what goes from one forward to the next."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(gates, c, cont):
    i, f, o, g = np.split(gates, 4, -1)
    c = cont * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def lstm(sequences, begin=None):
    """`begin`: the states h and c that step 0 may go on from."""

    def formula(x, *rest):
        *goes_on, w_x, w_h, b = rest
        size = w_h.shape[1]
        h, c = begin or np.zeros((2, sequences, size))
        x = x.reshape(-1, sequences, w_x.shape[1])
        cont = np.ones(x.shape[:2])
        cont[0] = 0
        if goes_on:
            cont = goes_on[0].reshape(x.shape[:2]) != 0
        top = []
        for x_t, cont_t in zip(x, cont, strict=True):
            cont_t = cont_t[:, None] * 1.0
            c, h = step(x_t @ w_x.T + (cont_t * h) @ w_h.T + b, c, cont_t)
            top.append(h)
        return np.array(top).reshape(-1, size)

    return formula


def node(x, c_prev, *rest):
    cont, weight, bias = rest if len(rest) == 3 else (np.ones(len(x)), *rest)
    c, h = step(x.reshape(len(x), -1) @ weight.T + bias, c_prev.reshape(len(x), -1), cont.reshape(-1, 1))
    return h, c


def param(fields):
    return f'type: "Lstm" lstm_param {{ {fields} }}'


def node_param(fields):
    return f'type: "LSTMNode" top: "h" top: "c" lstm_param {{ {fields} }}'


INDICATOR = 'type: "ContinuationIndicator" continuation_indicator_param { %s }'
GOES_ON = np.array([0.0, 0, 1, 2, 1, 0, 1, 1])  # 4 steps of 2 sequences; the second begins anew in step 2

CASES = [
    Case("lstm", param("num_output: 3 batch_size: 2"), [(8, 5)], lstm(2)),
    Case("one-sequence", param("num_output: 3"), [(4, 1, 2)], lstm(1)),
    Case("goes-on", param("num_output: 3 batch_size: 2"), [(8, 5), GOES_ON], lstm(2), gradient=[0]),
    Case("unlimited", param("num_output: 3 batch_size: 2 clipping_threshold: 1000"), [(8, 5)], lstm(2)),
    Case("node", node_param("num_cells: 3"), [(2, 4), (2, 3)], node),
    Case(
        "node-goes-on",
        node_param("num_cells: 3"),
        [(4, 5, 1), (4, 3), np.array([1.0, 0, 0, 1])],
        node,
        gradient=[0, 1],
    ),
    Case(
        "node-no-bias",
        node_param("num_cells: 3 bias_term: false"),
        [(2, 4), (2, 3)],
        lambda x, c, w: node(x, c, w, 0),
    ),
    Case(
        "indicator",
        INDICATOR % "time_step: 3 batch_size: 2",
        [],
        lambda: np.array([[0.0, 0], [1, 1], [1, 1]]),
        gradient=(),
    ),
]

ERRORS = [
    Error(param(""), [(4, 2)], "lstm_param.num_output is 0, it must be set and above 0"),
    Error(param("num_output: 3 batch_size: 0"), [(4, 2)], "lstm_param.batch_size is 0"),
    Error(param("num_output: 3"), [(4,)], "needs at least 2 axes: steps x sequences, data"),
    Error(
        param("num_output: 3 batch_size: 3"),
        [(4, 2)],
        r"axis 0 of bottom shape \(4, 2\) must be a multiple .* 3",
    ),
    Error(param("num_output: 3"), [(4, 2), (3,)], r"bottom 1 of shape \(3,\) must have .* the 4 places"),
    Error(node_param(""), [(2, 4), (2, 3)], "lstm_param.num_cells is 0"),
    Error(node_param("num_cells: 3"), [(2, 4), (2, 5)], r"the cells, must have 2 x 3 values"),
    Error(
        node_param("num_cells: 3"),
        [(2, 4), (2, 3), (3,)],
        r"bottom 2 of shape \(3,\) must have one value for each of 2 items",
    ),
    Error(INDICATOR % "batch_size: 2", [], "time_step is 0, it must be set and above 0"),
    Error(INDICATOR % "time_step: 2", [], "batch_size is 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def filled(*shapes, fields=""):
    layer = make(param(f"num_output: 3 batch_size: 2 {fields}"), *shapes)
    for seed, blob in enumerate(layer.blobs):
        blob.data.copy_(torch.from_numpy(draws(blob.shape, seed)))
    return layer, [blob.detach().numpy().copy() for blob in layer.blobs]


def test_a_forward_goes_on_where_the_last_one_ended():
    layer, blobs = filled((8, 5), (8,))
    first, second = draws((8, 5), 1), draws((8, 5), 2)
    ones = np.ones(8)
    whole = lstm(2)(np.concatenate([first, second]), np.ones(16), *blobs)
    tops = [layer(torch.from_numpy(x), torch.from_numpy(ones)).detach() for x in (first, second)]
    np.testing.assert_allclose(np.concatenate(tops), whole, rtol=1e-12)
    layer.forget()
    np.testing.assert_allclose(
        layer(torch.from_numpy(first), torch.from_numpy(ones)).detach(), tops[0], rtol=1e-12
    )


def test_without_the_second_bottom_every_forward_begins_anew():
    layer, _ = filled((8, 5))
    x = torch.from_numpy(draws((8, 5)))
    assert torch.equal(layer(x), layer(x))


def test_gradients_of_the_gates_are_cut_off():
    """By hand for one step and one sequence, where a gate's gradient is its bias's."""
    layer = make(param("num_output: 1 clipping_threshold: 0.125"), (1, 2))
    x = torch.ones(1, 2, dtype=torch.float64)
    (8 * layer(x)).backward()  # with all blobs 0: c = 0, i = o = 1/2, so only g has a gradient, 8 / 4
    assert layer.blobs[2].grad.tolist() == [0, 0, 0, 0.125]
    layer, _ = filled((8, 5), fields="clipping_threshold: 0.0625")
    loose, _ = filled((8, 5))
    for one in (layer, loose):
        one(torch.from_numpy(draws((8, 5)))).sum().backward()
    assert layer.blobs[2].grad.abs().max() <= 8 * 0.0625 < loose.blobs[2].grad.abs().max()


def test_other_data_refused():
    layer, _ = filled((8, 5))
    with pytest.raises(LayerError, match=r"\(8, 6\) has 6 values a place, but the weights were made for 5"):
        layer.reshape((8, 6))
    layer = make(node_param("num_cells: 3"), (2, 4), (2, 3))
    with pytest.raises(LayerError, match=r"\(2, 5\) has 5 values an item, but the weights were made for 4"):
        layer.reshape((2, 5), (2, 3))


def test_each_gate_has_its_filler():
    fillers = " ".join(
        f"{gate}_{kind}_filler {{ value: {value + 10 * (kind == 'bias')} }}"
        for value, gate in enumerate(("input_gate", "forget_gate", "output_gate", "input"), 1)
        for kind in ("weight", "bias")
    )
    weight, bias = make(node_param(f"num_cells: 2 {fillers}"), (3, 4), (3, 2)).blobs
    assert weight[:, 0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4] and weight.shape == (8, 4)
    assert bias.tolist() == [11, 11, 12, 12, 13, 13, 14, 14]
