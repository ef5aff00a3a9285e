"""Im2dist, Im2parity, DistLoss, NormConvMeanfield."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

FAR = 3.4028234663852886e38 / 100
WINDOW = "convolution_param { kernel_h: 3 kernel_w: 1 pad: %d dilation: %d stride: %d }"


def windows(x, pad, dilation, stride, kernel=(3, 1)):
    """(place, y, x, position in the picture, centre), one at a time."""
    height, width = x.shape[2:]
    rows, columns = (
        (n + 2 * pad - dilation * (k - 1) - 1) // stride + 1
        for n, k in zip((height, width), kernel, strict=True)
    )
    for i, j, y, u in np.ndindex(*kernel, rows, columns):
        at = y * stride - pad + i * dilation, u * stride - pad + j * dilation
        centre = y * stride - pad + kernel[0] // 2 * dilation, u * stride - pad + kernel[1] // 2 * dilation
        yield i * kernel[1] + j, y, u, at, centre, (rows, columns)


def held(at, x):
    return all(0 <= p < n for p, n in zip(at, x.shape[2:], strict=True))


def distances(pad, dilation=1, stride=1, absolute=False, no_centre=False, no_outside=False):
    def formula(x):
        top = None
        for k, y, u, at, centre, size in windows(x, pad, dilation, stride):
            if top is None:
                top = np.zeros((len(x), 3, *size))
            if not held(centre, x):
                continue
            if no_centre and at == centre:
                top[:, k, y, u] = FAR
            elif held(at, x):
                gap = x[:, :, centre[0], centre[1]] - x[:, :, at[0], at[1]]
                top[:, k, y, u] = np.abs(gap).sum(1) if absolute else (gap**2).sum(1) / 2
            elif no_outside:
                top[:, k, y, u] = FAR
        return top

    return formula


def parities(pad, ignore=None):
    def formula(x):
        top = None
        for k, y, u, at, centre, size in windows(x, pad, 1, 1):
            if top is None:
                top = np.full((len(x), 3, *size), ignore or 0.0)
            if held(centre, x):
                own = x[:, 0, centre[0], centre[1]].astype(int)
                other = x[:, 0, at[0], at[1]].astype(int) if held(at, x) else np.zeros_like(own)
                same = (own == other).astype(float)
                top[:, k, y, u] = (
                    same if ignore is None else np.where((own == ignore) | (other == ignore), ignore, same)
                )
        return top

    return formula


def dist_loss(alpha, beta, ignore=None):
    def value(d, parity):
        kept = np.ones(d.shape) if ignore is None else parity != ignore
        return (
            np.where(parity != 0, np.maximum(d - alpha, 0), np.maximum(beta - d, 0)) * kept
        ).sum() / d.size

    def diffs(top, d, parity):
        kept = np.ones(d.shape) if ignore is None else parity != ignore
        return (
            top[0] * np.where(parity != 0, np.maximum(d - alpha, 0), -np.maximum(beta - d, 0)) * kept / d.size
        )

    return value, diffs


def meanfield(unary, guess, colour, place, spatial, other, compatibility):
    def share(x, pad, kernel, dilation, scale, no_centre, no_outside):
        found = {}
        for k, y, u, at, centre, _ in windows(x, pad, dilation, 1, (kernel, kernel)):
            if held(at, x) and not (no_centre and at == centre):
                gap = x[:, :, centre[0], centre[1]] - x[:, :, at[0], at[1]]
                found[k, y, u] = at, np.exp(-scale * (gap**2).sum(1) / 2)
            elif not held(at, x) and not no_outside:
                found[k, y, u] = None, np.ones(len(x))
        return found

    def mean(q, found):
        top, whole = np.zeros_like(q), np.zeros((len(q), 1, *q.shape[2:]))
        for (_, y, u), (at, weight) in found.items():
            whole[:, 0, y, u] += weight
            if at is not None:
                top[:, :, y, u] += weight[:, None] * q[:, :, at[0], at[1]]
        return top / whole

    filters = share(colour, 2, 3, 2, 0.5, True, True), share(place, 1, 3, 1, 0.25, False, False)
    q = guess
    for _ in range(2):
        q = np.exp(q) / np.exp(q).sum(1, keepdims=True)
        message = np.einsum("ij,njhw->nihw", other[0, 0], mean(q, filters[0]))
        message += np.einsum("ij,njhw->nihw", spatial[0, 0], mean(q, filters[1]))
        q = unary - np.einsum("ij,njhw->nihw", compatibility[0, 0], message)
    return q


MEANFIELD = (
    'type: "NormConvMeanfield" norm_conv_meanfield_param { num_iterations: 2 kernel_size: 3 kernel_size: 3 pad: 2 pad: 1 '
    "dilation: 2 dilation: 1 scale: 0.5 scale: 0.25 remove_center: true remove_center: false remove_bounds: true "
    "remove_bounds: false %s }"
)
FIELDS = [(2, 3, 4, 5), (2, 3, 4, 5), (2, 6, 4, 5), (2, 1, 4, 5)]
DIST, PARITY = 'type: "Im2dist" ' + WINDOW, 'type: "Im2parity" ' + WINDOW
LOSS = 'type: "DistLoss" dist_loss_param { alpha: 0.5 beta: 1.25 %s }'
LABELS = np.array([0, 1, 1, 2, 7, 0, 1, 2, 2, 7, 0, 0, 1, 1, 1, 2, 0, 7, 1, 0, 2, 2, 1, 0], float).reshape(
    2, 1, 3, 4
)
SHAPE = (2, 3, 4, 5)
PARITIES = np.array([[1.0, 0, 0, 255], [1, 1, 255, 0], [0, 1, 0, 1]])

CASES = [
    Case("L2", DIST % (1, 1, 1), [SHAPE], distances(1), onnx=False),
    Case(
        "L1",
        DIST % (1, 1, 1) + " im2dist_param { norm: L1 }",
        [SHAPE],
        distances(1, absolute=True),
        onnx=False,
    ),
    Case("dilation-and-stride", DIST % (2, 2, 2), [(2, 3, 6, 5)], distances(2, 2, 2), onnx=False),
    Case(
        "removed",
        DIST % (1, 1, 1) + " im2dist_param { remove_center: true remove_bounds: true }",
        [SHAPE],
        distances(1, no_centre=True, no_outside=True),
        gradient=(),
        onnx=False,
    ),
    Case("parity", PARITY % (1, 1, 1), [LABELS], parities(1), gradient=(), onnx="makes labels for training"),
    Case(
        "parity-ignore",
        PARITY % (1, 1, 1) + " im2parity_param { ignore_label: 7 }",
        [LABELS],
        parities(1, 7),
        gradient=(),
        onnx="makes labels for training",
    ),
    Case(
        "loss",
        LOSS % "",
        [(3, 4), PARITIES],
        dist_loss(0.5, 1.25)[0],
        diffs=dist_loss(0.5, 1.25)[1],
        gradient=[0],
    ),
    Case(
        "loss-ignore",
        LOSS % "ignore_label: 255",
        [(3, 4), PARITIES],
        dist_loss(0.5, 1.25, 255)[0],
        diffs=dist_loss(0.5, 1.25, 255)[1],
        gradient=[0],
    ),
]

ERRORS = [
    Error(MEANFIELD.replace("num_iterations: 2", "") % "", FIELDS, "num_iterations is 1 and must be above 1"),
    Error(MEANFIELD % "stride: 1", FIELDS, "stride is given 1 times; give it for both filters"),
    Error(
        MEANFIELD.replace("dilation: 2", "dilation: 0") % "",
        FIELDS,
        r"dilation is \[0, 1\]; both must be above 0",
    ),
    Error(MEANFIELD % "", [FIELDS[0], (2, 4, 4, 5), *FIELDS[2:]], "must be equal and have 3 channels"),
    Error(
        MEANFIELD % "", [*FIELDS[:3], (2, 1, 5, 4)], r"bottom 3 of shape \(2, 1, 5, 4\) must have the records"
    ),
    Error(
        MEANFIELD.replace("pad: 2", "pad: 0") % "",
        FIELDS,
        r"makes \(0, 1\) of \(4, 5\) positions; choose pad",
    ),
    Error(
        'type: "Im2dist" convolution_param { kernel_size: 3 }',
        [(3, 4, 5)],
        r"\(3, 4, 5\) has 3 axes, 4 are needed",
    ),
    Error('type: "Im2dist" convolution_param { kernel_size: 3 axis: 2 }', [SHAPE], "axis is 2 and must be 1"),
    Error(PARITY % (1, 1, 1), [SHAPE], r"\(2, 3, 4, 5\) has 3 channels; one label a position is needed"),
    Error(
        'type: "DistLoss" dist_loss_param { alpha: 2 beta: 1 }',
        [(3, 4)] * 2,
        "alpha 2 and beta 1; use 0 < alpha < beta",
    ),
    Error(LOSS % "", [(3, 4), (3, 5)], r"bottom 1 of shape \(3, 5\) must be of one shape"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("text", [DIST, PARITY])
def test_no_export(text):
    layer = make(text % (1, 1, 1), (2, 1, 4, 5))
    with pytest.raises(Exception, match="cannot be exported"):
        layer.to_onnx(None, [], [])


def test_gradients_of_the_meanfield():
    layer = make(MEANFIELD % "", *FIELDS)
    assert [blob[0, 0].diagonal().tolist() for blob in layer.blobs] == [[1] * 3, [1] * 3, [-1] * 3]
    names = [name for name, _ in layer.named_parameters()]
    leaves = [torch.from_numpy(draws(shape, i)).requires_grad_() for i, shape in enumerate(FIELDS)]
    leaves += [blob.detach().clone().requires_grad_() for blob in layer.parameters()]

    def function(u, q, x, y, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (u, q, x, y))

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)


def test_removed_distances_have_no_gradient():
    layer = make(DIST % (1, 1, 1) + " im2dist_param { remove_center: true }", SHAPE)
    x = torch.from_numpy(draws(SHAPE)).requires_grad_()
    layer(x)[:, 1, :, 1:-1].sum().backward()
    assert not x.grad.any()
