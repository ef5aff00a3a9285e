"""ConvLSTM against steps written out."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

T, N, C, H, W, OUT = 3, 2, 4, 5, 6, 2
EXPOSED = 'type: "ConvLSTM" top: "h" top: "hT" top: "cT" recurrent_param { expose_hidden: true } '
CONV = "lstm_conv_param { num_output: 2 kernel_size: 3 pad: 1 weight_filler { type: 'uniform' min: -1 max: 1 } %s } "
X, CONT, STATE = (T, N, C, H, W), np.array([[0.0, 1], [1, 1], [1, 0]]), (1, N, OUT, H, W)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(x, weight, dilation=1):
    edge = dilation * (weight.shape[2] // 2)
    x = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    top = np.zeros((len(x), len(weight), H, W))
    for i, j in np.ndindex(*weight.shape[2:]):
        part = x[:, :, i * dilation : i * dilation + H, j * dilation : j * dilation + W]
        top += np.einsum("nchw,oc->nohw", part, weight[:, :, i, j])
    return top


def steps(x, cont, h, c, wx=None, ws=None, static=None, wh=None, b=None, peep=None, dilation=1):
    outputs = []
    for t in range(T):
        keep = cont[t].reshape(-1, 1, 1, 1)
        gates = convolved(h * keep, wh, dilation)
        if b is not None:
            gates = gates + b[:, None, None]
        if wx is not None:
            gates = gates + convolved(x[t], wx)
        if static is not None:
            gates = gates + convolved(static, ws)
        i, f, o, g = np.split(gates, 4, 1)
        if peep is not None:
            i, f, o = (gate + c * p for gate, p in zip((i, f, o), peep, strict=True))
        c = keep * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), h[None], c[None]


CASES = [
    Case(
        "exposed",
        EXPOSED + CONV % "",
        [X, CONT, STATE, STATE],
        lambda x, cont, h, c, wx, wh, b, *peep: steps(x, cont, h[0], c[0], wx=wx, wh=wh, b=b, peep=peep),
        gradient=(),
    ),
    Case(
        "static",
        EXPOSED + CONV % "bias_term: false" + "lstm_debug_param { disable_hadamard: true }",
        [X, CONT, (N, 3, H, W), STATE, STATE],
        lambda x, cont, s, h, c, wx, ws, wh: steps(x, cont, h[0], c[0], wx=wx, ws=ws, static=s, wh=wh),
        gradient=(),
    ),
    Case(
        "two-convolutions",
        EXPOSED
        + 'lstm_conv_param { num_output: 2 kernel_size: 1 type: "input" } '
        + 'lstm_conv_param { num_output: 2 kernel_size: 3 pad: 2 dilation: 2 type: "hidden" } '
        + "lstm_debug_param { axis_hadamard: 2 num_axes_hadamard: 1 }",
        [X, CONT, STATE, STATE],
        lambda x, cont, h, c, wx, wh, b, *peep: steps(
            x, cont, h[0], c[0], wx=wx, wh=wh, b=b, peep=[p[:, None, None] for p in peep], dilation=2
        ),
        gradient=(),
    ),
    Case(
        "without-x",
        EXPOSED + CONV % "" + "lstm_debug_param { ignore_x: true }",
        [X, CONT, STATE, STATE],
        lambda x, cont, h, c, wh, b, *peep: steps(x, cont, h[0], c[0], wh=wh, b=b, peep=peep),
        gradient=(),
    ),
]

SHAPES = [X, (T, N), STATE, STATE]
ERRORS = [
    Error(EXPOSED, SHAPES, "has 0 lstm_conv_param; give one"),
    Error(
        EXPOSED + CONV % "" + 'lstm_debug_param { expose: "c" }',
        SHAPES,
        "expose shows blobs that are not made here",
    ),
    Error(EXPOSED + CONV % "", [(T, N, C), *SHAPES[1:]], r"\(3, 2, 4\) must be T x N x C x H x W"),
    Error(EXPOSED + (CONV % "").replace("num_output: 2", ""), SHAPES, "num_output is 0 and 0"),
    Error(EXPOSED + (CONV % "").replace("pad: 1", ""), SHAPES, r"makes maps of \(3, 4\) from \(5, 6\)"),
    Error(EXPOSED + CONV % "group: 3", SHAPES, "group 3 must divide 4 channels and 4 x num_output 8"),
    Error(
        EXPOSED + CONV % "" + "lstm_debug_param { axis_hadamard: 1 }",
        SHAPES,
        "axis_hadamard 1 and num_axes_hadamard 2",
    ),
    Error(
        EXPOSED + CONV % "",
        [X, (N, T), STATE, STATE],
        r"\(2, 3\) must be time steps x streams as in bottom 0: \(3, 2\)",
    ),
    Error(EXPOSED + CONV % "", [X, (T, N), STATE, (1, N, 3, H, W)], "bottom 3, a hidden state, of shape"),
    Error(
        EXPOSED + CONV % "", [X, (T, N), (N, 3, H, 4), STATE, STATE], "bottom 2, the static input, of shape"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_states_go_on_where_they_were():
    layer = make('type: "ConvLSTM" ' + CONV % "", X, (T, N))
    whole = make(EXPOSED + CONV % "", *SHAPES)
    for ours, theirs in zip(layer.blobs.parameters(), whole.blobs.parameters(), strict=True):
        theirs.data.copy_(ours.data)
    assert layer.blobs[3].shape == (H, W) and (layer.blobs[3] == 1).all()
    x, ones = torch.from_numpy(draws(X)), torch.ones(T, N, dtype=torch.double)
    h = c = torch.zeros(STATE, dtype=torch.double)
    for _ in range(2):
        wanted, h, c = whole(x, ones, h.detach(), c.detach())
        top = layer(x, ones)
        torch.testing.assert_close(top, wanted)
        wanted.sum().backward()
        top.sum().backward()
    for ours, theirs in zip(layer.blobs.parameters(), whole.blobs.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_other_maps():
    layer = make(EXPOSED + CONV % "", *SHAPES)
    with pytest.raises(Exception, match=r"\(3, 2, 5, 5, 6\) must have maps of 4 x 5 x 6"):
        layer.reshape((T, N, 5, H, W), *SHAPES[1:])


def test_gradients():
    layer = make(EXPOSED + CONV % "", *SHAPES)
    names = [name for name, _ in layer.named_parameters()]
    leaves = [torch.from_numpy(draws(shape, i)).requires_grad_() for i, shape in enumerate((X, STATE, STATE))]
    leaves += [blob.detach().clone().requires_grad_() for blob in layer.parameters()]
    cont = torch.from_numpy(CONT)

    def function(x, h, c, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x, cont, h, c))

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
