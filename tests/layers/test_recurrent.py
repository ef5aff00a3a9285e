"""LSTM, RNN and LSTMUnit."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make, run

# Four steps of two streams. The first step starts sequences, so a carried state cannot matter.
CONT = np.array([[0, 0], [1, 1], [1, 0], [1, 1]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, cont, *rest, static=False, exposed=False):
    static_in, rest = (rest[0], rest[1:]) if static else (None, rest)
    states, rest = (rest[:2], rest[2:]) if exposed else (None, rest)
    w_xc, b_c, *w_static, w_hc = rest
    size = w_hc.shape[1]
    h, c = (s[0] for s in states) if exposed else np.zeros((2, x.shape[1], size))
    tops = []
    for t in range(len(x)):
        gates = x[t].reshape(x.shape[1], -1) @ w_xc.T + b_c + (cont[t][:, None] * h) @ w_hc.T
        if static:
            gates = gates + static_in.reshape(len(static_in), -1) @ w_static[0].T
        i, f, o, g = np.split(gates, 4, 1)
        c = cont[t][:, None] * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        tops.append(h)
    return (np.stack(tops), h[None], c[None]) if exposed else np.stack(tops)


def rnn(x, cont, *rest, static=False, exposed=False):
    static_in, rest = (rest[0], rest[1:]) if static else (None, rest)
    state, rest = (rest[0], rest[1:]) if exposed else (None, rest)
    w_xh, b_h, *w_static, w_hh, w_ho, b_o = rest
    h = state[0] if exposed else np.zeros((x.shape[1], len(b_h)))
    tops = []
    for t in range(len(x)):
        total = x[t].reshape(x.shape[1], -1) @ w_xh.T + b_h + (cont[t][:, None] * h) @ w_hh.T
        if static:
            total = total + static_in.reshape(len(static_in), -1) @ w_static[0].T
        h = np.tanh(total)
        tops.append(np.tanh(h @ w_ho.T + b_o))
    return (np.stack(tops), h[None]) if exposed else np.stack(tops)


def unit(c_prev, gates, cont):
    i, f, o, g = np.split(gates, 4, 2)
    c = cont[..., None] * sigmoid(f) * c_prev + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def unit_diffs(tops, c_prev, gates, cont):
    """Caffe's: the forget gate's own factor is f (1 - f) with f = cont s(f')."""
    dc, dh = tops
    i, f, o, g = np.split(gates, 4, 2)
    i, f, o, g = sigmoid(i), cont[..., None] * sigmoid(f), sigmoid(o), np.tanh(g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc + dh * o * (1 - tanh_c**2)
    parts = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * tanh_c * o * (1 - o), dc * i * (1 - g**2)
    return dc * f, np.concatenate(parts, 2)


EXPOSED = "expose_hidden: true"


def case(name, kind, formula, bottoms, params="", tops=1, static=False, exposed=False):
    names = " ".join(f'top: "y{i}"' for i in range(tops))
    return Case(
        name,
        f'type: "{kind}" {names} recurrent_param {{ num_output: 3 {params} }}',
        bottoms,
        lambda *arrays: formula(*arrays, static=static, exposed=exposed),
        gradient=(0, 2) if static else (0,),
    )


X, S, H = (4, 2, 5), (2, 6), (1, 2, 3)
CASES = [
    case("lstm", "LSTM", lstm, [X, CONT]),
    case("lstm_image", "LSTM", lstm, [(4, 2, 1, 5), CONT]),
    case("lstm_static", "LSTM", lstm, [X, CONT, S], static=True),
    case("rnn", "RNN", rnn, [X, CONT]),
    case("rnn_static", "RNN", rnn, [X, CONT, (2, 3, 2)], static=True),
    Case(
        "unit",
        'type: "LSTMUnit" top: "c" top: "h"',
        [(1, 2, 3), (1, 2, 12), np.array([[0, 1]])],
        unit,
        gradient=(0, 1),
    ),
    Case(
        "unit_fractional_cont",
        'type: "LSTMUnit" top: "c" top: "h"',
        [(1, 2, 3), (1, 2, 12), np.array([[0.3, 2]])],
        unit,
        unit_diffs,
        gradient=(0, 1),
    ),
]

LSTM = 'type: "LSTM" recurrent_param { num_output: 3 }'
UNIT = 'type: "LSTMUnit" top: "c" top: "h"'
ERRORS = [
    Error('type: "LSTM"', [X, (4, 2)], "num_output is 0 and must be at least 1"),
    Error('type: "RNN"', [X, (4, 2)], "num_output is 0 and must be at least 1"),
    Error(LSTM, [(4, 2), (4, 2)], "has 2 axes and needs at least 3"),
    Error(LSTM, [X, (4, 3)], r"bottom 1 \(cont\) of shape \(4, 3\) must be .* bottom 0: \(4, 2\)"),
    Error(LSTM, [X, (4, 2, 1)], r"bottom 1 \(cont\) of shape \(4, 2, 1\)"),
    Error(LSTM, [X, (4, 2), (2,)], "static input, of shape .* needs at least 2 axes"),
    Error(LSTM, [X, (4, 2), (3, 6)], "must have 6 values for each of 2 streams"),
    Error(
        'type: "LSTM" recurrent_param { num_output: 3 expose_hidden: true }',
        [X, (4, 2), H, (1, 2, 4)],
        r"bottom 3, a hidden state, of shape \(1, 2, 4\) must have shape \(1, 2, 3\)",
    ),
    Error(UNIT, [(1, 2, 3), (1, 2, 11), (1, 2)], "11 gate values for a cell of 3; give it 4 x 3 = 12"),
    Error(UNIT, [(1, 2, 3), (1, 2, 12), (1, 2, 1)], "bottom 2 of shape .* has 3 axes and must have 2"),
    Error(UNIT, [(1, 2), (1, 8), (1, 2)], "bottom 0 of shape .* has 2 axes and must have 3"),
    Error(UNIT, [(1, 2, 3), (1, 3, 12), (1, 2)], r"bottom 1 of shape \(1, 3, 12\) must begin with 1 x 2"),
    Error(UNIT, [(2, 2, 3), (2, 2, 12), (2, 2)], r"bottom 0 of shape \(2, 2, 3\) must begin with 1 x 2"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def tensors(*arrays):
    return [torch.as_tensor(array, dtype=torch.float64) for array in arrays]


def fill(layer):
    for i, blob in enumerate(layer.blobs):
        blob.data.copy_(torch.from_numpy(draws(blob.shape, i)))
    return [blob.detach().numpy() for blob in layer.blobs]


@pytest.mark.parametrize(("kind", "formula", "states"), [("LSTM", lstm, 2), ("RNN", rnn, 1)])
@pytest.mark.parametrize("static", [False, True])
def test_exposed_states(kind, formula, states, static):
    shapes = [X, (4, 2), *[S] * static, *[H] * states]
    tops = " ".join(f'top: "y{i}"' for i in range(1 + states))
    layer = make(f'type: "{kind}" {tops} recurrent_param {{ num_output: 3 {EXPOSED} }}', *shapes)
    assert layer.num_bottom == (2 + states, 3 + states)
    assert layer.num_top == 1 + states
    assert layer.reshape(*shapes) == [(4, 2, 3), *[H] * states]
    blobs = fill(layer)
    arrays = [draws(shape, i) for i, shape in enumerate(shapes)]
    arrays[1] = np.ones((4, 2))
    for _ in range(2):  # exposed, nothing is carried over
        bottoms = [tensor.requires_grad_(i != 1) for i, tensor in enumerate(tensors(*arrays))]
        got = run(layer, *bottoms)
        for top, want in zip(got, formula(*arrays, *blobs, static=static, exposed=True), strict=True):
            np.testing.assert_allclose(top.detach(), want, rtol=1e-9)
    # Caffe shares the states' values with the unrolled net, not their diffs.
    assert [top.requires_grad for top in got] == [True] + [False] * states
    got[0].sum().backward()
    assert [bottom.grad is not None for bottom in bottoms] == [
        True,
        False,
        *[True] * static,
        *[False] * states,
    ]


@pytest.mark.parametrize(("kind", "formula"), [("LSTM", lstm), ("RNN", rnn)])
def test_state_is_carried_from_one_forward_to_the_next(kind, formula):
    layer = make(f'type: "{kind}" recurrent_param {{ num_output: 3 }}', X, (4, 2))
    blobs = fill(layer)
    x, cont = draws((8, 2, 5)), np.ones((8, 2))
    cont[6, 1] = 0
    whole = formula(x, cont, *blobs)
    halves = [layer(*tensors(x[i : i + 4], cont[i : i + 4])).detach() for i in (0, 4)]
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-10)
    layer.forget()
    np.testing.assert_allclose(layer(*tensors(x[:4], cont[:4])).detach(), whole[:4], rtol=1e-10)


def test_no_gradient_into_the_forward_before():
    layer = make(LSTM, X, (4, 2))
    fill(layer)
    x, cont = tensors(draws(X), np.ones((4, 2)))
    first = x.clone().requires_grad_()
    layer(first, cont)
    layer(x, cont).sum().backward()
    assert first.grad is None


def test_fewer_streams_keep_their_states_and_more_begin_anew():
    layer = make(LSTM, (4, 3, 5), (4, 3))
    blobs = fill(layer)
    x, cont = draws((8, 3, 5)), np.ones((8, 3))
    whole = lstm(x, cont, *blobs)
    layer(*tensors(x[:4], cont[:4]))
    layer.reshape((4, 2, 5), (4, 2))
    np.testing.assert_allclose(layer(*tensors(x[4:, :2], cont[4:, :2])).detach(), whole[4:, :2], rtol=1e-10)
    layer.reshape((4, 6, 5), (4, 6))
    more = np.concatenate([x, x], 1)
    np.testing.assert_allclose(
        layer(*tensors(more[:4], np.ones((4, 6)))).detach(), np.concatenate([whole[:4]] * 2, 1), rtol=1e-10
    )


def test_blob_order_and_fillers():
    fillers = 'weight_filler { type: "constant" value: 2 } bias_filler { type: "constant" value: 3 }'
    layer = make(f'type: "LSTM" recurrent_param {{ num_output: 3 {fillers} }}', X, (4, 2), S)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(12, 5), (12,), (12, 6), (12, 3)]
    assert [blob.max().item() for blob in layer.blobs] == [2, 3, 2, 2]
    layer = make(f'type: "RNN" recurrent_param {{ num_output: 3 {fillers} }}', X, (4, 2), S)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3, 5), (3,), (3, 6), (3, 3), (3, 3), (3,)]
    assert [blob.max().item() for blob in layer.blobs] == [2, 3, 2, 2, 2, 3]


def test_later_shapes_must_fit():
    layer = make(LSTM, X, (4, 2))
    with pytest.raises(LayerError, match="time steps changed from 4 to 5"):
        layer.reshape((5, 2, 5), (5, 2))
    with pytest.raises(LayerError, match="does not give 5 values a step and stream"):
        layer.reshape((4, 2, 6), (4, 2))


@pytest.mark.parametrize(
    ("text", "shapes", "index"),
    [(LSTM, [X, (4, 2)], 1), (UNIT, [(1, 2, 3), (1, 2, 12), (1, 2)], 2)],
)
def test_sequence_indicators_take_no_gradient(text, shapes, index):
    layer = make(text, *shapes)
    assert [layer.allow_force_backward(i) for i in range(len(shapes))] == [
        i != index for i in range(len(shapes))
    ]
    bottoms = [torch.ones(shape, dtype=torch.float64) for shape in shapes]
    bottoms[index].requires_grad_()
    with pytest.raises(LayerError, match=f"cannot backpropagate to sequence indicators .bottom {index}."):
        layer(*bottoms)
