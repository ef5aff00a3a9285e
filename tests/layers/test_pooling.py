"""Pooling against Caffe's loops written down in numpy: sizes, clipping, divisors, masks, NaN; refusals."""

import itertools
import math

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, TRAIN, Case, Error, cases, draws, errors, make, run

FLT_MAX = float(np.finfo(np.float32).max)
IMAGE = (2, 3, 7, 6)


def pool_windows(shape, kernel, stride, pad, rounding=math.ceil):
    """(row, column) -> the window's span on both axes, clipped at the far pad, and its cells inside the image."""
    sizes = [
        rounding((n + 2 * p - k) / s) + 1 for n, k, s, p in zip(shape[2:], kernel, stride, pad, strict=True)
    ]
    if any(pad):
        for i in (0, 1):
            if (sizes[i] - 1) * stride[i] >= shape[2 + i] + pad[i]:
                sizes[i] -= 1
    for place in np.ndindex(*sizes):
        starts = [i * s - p for i, s, p in zip(place, stride, pad, strict=True)]
        ends = [min(a + k, n + p) for a, k, n, p in zip(starts, kernel, shape[2:], pad, strict=True)]
        cells = [range(max(a, 0), min(b, n)) for a, b, n in zip(starts, ends, shape[2:], strict=True)]
        yield sizes, place, (ends[0] - starts[0]) * (ends[1] - starts[1]), cells


def maximum(kernel, stride=(1, 1), pad=(0, 0), rounding=math.ceil, mask=False):
    def formula(x):
        for sizes, (i, j), _, cells in pool_windows(x.shape, kernel, stride, pad, rounding):
            if (i, j) == (0, 0):
                top = np.full((*x.shape[:2], *sizes), -FLT_MAX)
                place = np.full(top.shape, -1.0)
            for n, c in np.ndindex(*x.shape[:2]):
                for h, w in itertools.product(*cells):
                    if x[n, c, h, w] > top[n, c, i, j]:
                        top[n, c, i, j], place[n, c, i, j] = x[n, c, h, w], h * x.shape[3] + w
        return (top, place) if mask else top

    return formula


def mean(kernel, stride=(1, 1), pad=(0, 0), rounding=math.ceil):
    def formula(x):
        for sizes, (i, j), size, (rows, columns) in pool_windows(x.shape, kernel, stride, pad, rounding):
            if (i, j) == (0, 0):
                top = np.zeros((*x.shape[:2], *sizes))
            with np.errstate(all="ignore"):
                total = x[:, :, rows.start : rows.stop, columns.start : columns.stop].sum((2, 3))
                top[:, :, i, j] = total / np.float64(size)
        return top

    return formula


def weighted_mean(kernel, stride):
    def formula(x):
        for sizes, (i, j), _, (rows, columns) in pool_windows(x.shape, kernel, stride, (0, 0)):
            if (i, j) == (0, 0):
                top = np.zeros((*x.shape[:2], *sizes))
            part = x[:, :, rows.start : rows.stop, columns.start : columns.stop]
            total = part.sum((2, 3))
            positive = total > 0
            top[:, :, i, j] = np.where(positive, (part**2).sum((2, 3)) / np.where(positive, total, 1), 0)
        return top

    return formula


def param(fields, tops=""):
    return f'type: "Pooling" {tops} pooling_param {{ {fields} }}'


MASK = 'top: "y" top: "mask"'
TIES = np.round(draws(IMAGE, 3))
HOLES = np.where(np.arange(252).reshape(IMAGE) % 4 < 3, np.nan, draws(IMAGE, 4))
HOLES[0, 0] = np.nan
HOLES[1, 1] = -np.inf
HOLES[1, 2, 3, 3] = np.inf


def max_diffs(kernel, stride=(1, 1), pad=(0, 0)):
    """A gradient goes to the cell that Caffe's loop found, nowhere if it found none."""

    def diffs(d, x):
        _, place = maximum(kernel, stride, pad, mask=True)(x)
        bottom = np.zeros((*x.shape[:2], x.shape[2] * x.shape[3]))
        for at in np.ndindex(*place.shape):
            if place[at] >= 0:
                bottom[(*at[:2], int(place[at]))] += d[0][at]
        return bottom.reshape(x.shape)

    return diffs


CASES = [
    Case("max", param("kernel_size: 3 stride: 2"), [IMAGE], maximum((3, 3), (2, 2))),
    Case("max-pad", param("kernel_size: 3 stride: 2 pad: 1"), [IMAGE], maximum((3, 3), (2, 2), (1, 1))),
    Case("max-pad-above-half", param("kernel_size: 3 pad: 2"), [IMAGE], maximum((3, 3), (1, 1), (2, 2))),
    Case(
        "max-fields",
        param("kernel_h: 2 kernel_w: 4 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 3 engine: CAFFE"),
        [IMAGE],
        maximum((2, 4), (3, 1), (0, 3)),
    ),
    Case(
        "max-floor",
        param("kernel_size: 2 stride: 2 round_mode: FLOOR"),
        [IMAGE],
        maximum((2, 2), (2, 2), rounding=math.floor),
    ),
    Case(
        "ceil_mode-false",
        param("kernel_size: 2 stride: 2 ceil_mode: false"),
        [IMAGE],
        maximum((2, 2), (2, 2), rounding=math.floor),
    ),
    Case(
        "ceil_mode-true", param("kernel_size: 2 stride: 2 ceil_mode: true"), [IMAGE], maximum((2, 2), (2, 2))
    ),
    Case("max-kernel-above-image", param("kernel_size: 8 stride: 3"), [IMAGE], maximum((8, 8), (3, 3))),
    Case("max-global", param("global_pooling: true"), [IMAGE], lambda x: x.max((2, 3), keepdims=True)),
    Case(
        "max-window-outside",
        param("kernel_size: 1 stride: 4"),
        [(2, 3, 7, 4)],
        maximum((1, 1), (4, 4)),
        diffs=max_diffs((1, 1), (4, 4)),
    ),
    Case(
        "max-ties",
        param("kernel_size: 3 stride: 2"),
        [TIES],
        maximum((3, 3), (2, 2)),
        diffs=max_diffs((3, 3), (2, 2)),
    ),
    Case(
        "max-ties-pad",
        param("kernel_size: 3 pad: 2"),
        [TIES],
        maximum((3, 3), pad=(2, 2)),
        diffs=max_diffs((3, 3), pad=(2, 2)),
    ),
    Case(
        "max-nan",
        param("kernel_size: 2 stride: 2"),
        [HOLES],
        maximum((2, 2), (2, 2)),
        gradient=(),
        onnx=False,
    ),
    Case(
        "max-nan-pad",
        param("kernel_size: 2 pad: 1"),
        [HOLES],
        maximum((2, 2), pad=(1, 1)),
        gradient=(),
        onnx=False,
    ),
    Case(
        "mask",
        param("kernel_size: 3 stride: 2", MASK),
        [IMAGE],
        maximum((3, 3), (2, 2), mask=True),
        gradient=(),
    ),
    Case(
        "mask-pad",
        param("kernel_size: 3 stride: 2 pad: 2", MASK),
        [TIES],
        maximum((3, 3), (2, 2), (2, 2), mask=True),
        gradient=(),
    ),
    Case(
        "mask-none",
        param("kernel_size: 1 stride: 4", MASK),
        [(2, 3, 7, 4)],
        maximum((1, 1), (4, 4), mask=True),
        gradient=(),
    ),
    Case(
        "mask-nan",
        param("kernel_size: 2 stride: 2", MASK),
        [HOLES],
        maximum((2, 2), (2, 2), mask=True),
        gradient=(),
        onnx=False,
    ),
    Case("ave", param("pool: AVE kernel_size: 3 stride: 2"), [IMAGE], mean((3, 3), (2, 2))),
    Case(
        "ave-pad", param("pool: AVE kernel_size: 3 stride: 2 pad: 1"), [IMAGE], mean((3, 3), (2, 2), (1, 1))
    ),
    Case(
        "ave-pad-above-half",
        param("pool: AVE kernel_size: 3 stride: 2 pad: 2"),
        [IMAGE],
        mean((3, 3), (2, 2), (2, 2)),
    ),
    Case(
        "ave-floor",
        param("pool: AVE kernel_size: 4 stride: 2 round_mode: FLOOR"),
        [IMAGE],
        mean((4, 4), (2, 2), rounding=math.floor),
    ),
    Case(
        "ave-global",
        param("pool: AVE global_pooling: true"),
        [IMAGE],
        lambda x: x.mean((2, 3), keepdims=True),
    ),
    Case(
        "ave-window-outside",
        param("pool: AVE kernel_size: 1 stride: 4"),
        [(2, 3, 7, 3)],
        mean((1, 1), (4, 4)),
    ),
    Case(
        "ave-window-at-the-edge",
        param("pool: AVE kernel_size: 1 stride: 4"),
        [(2, 3, 7, 4)],
        mean((1, 1), (4, 4)),
        gradient=(),
    ),
    Case(
        "stochastic-test",
        param("pool: STOCHASTIC kernel_size: 3 stride: 2"),
        [np.abs(draws(IMAGE))],
        weighted_mean((3, 3), (2, 2)),
        phase=TEST,
    ),
    Case(
        "stochastic-test-nothing-positive",
        param("pool: STOCHASTIC kernel_size: 2 stride: 5"),
        [-np.abs(draws(IMAGE))],
        weighted_mean((2, 2), (5, 5)),
        phase=TEST,
        gradient=(),
    ),
]

KERNEL = "kernel_size: 3"
ERRORS = [
    Error(
        param(KERNEL),
        [(2, 3, 4)],
        r"bottom shape \(2, 3, 4\) has 3 axes, 4 are needed: num, channels, height, width",
    ),
    Error(param(""), [IMAGE], "the kernel is kernel_size, or both kernel_h and kernel_w"),
    Error(param("kernel_h: 3"), [IMAGE], "the kernel is kernel_size, or both kernel_h and kernel_w"),
    Error(param("kernel_size: 3 kernel_h: 3 kernel_w: 3"), [IMAGE], "the kernel is kernel_size, or both"),
    Error(param("kernel_size: 0"), [IMAGE], r"kernel \(0, 0\) and stride \(1, 1\) must be above 0"),
    Error(param("kernel_size: 3 stride: 0"), [IMAGE], r"kernel \(3, 3\) and stride \(0, 0\) must be above 0"),
    Error(param("kernel_size: 3 pad_h: 1"), [IMAGE], "pad is pad, or both pad_h and pad_w"),
    Error(param("kernel_size: 3 pad: 1 pad_h: 1 pad_w: 1"), [IMAGE], "pad is pad, or both pad_h and pad_w"),
    Error(param("kernel_size: 3 stride_w: 1"), [IMAGE], "stride is stride, or both stride_h and stride_w"),
    Error(param("kernel_size: 3 stride: 1 stride_h: 1 stride_w: 1"), [IMAGE], "stride is stride, or both"),
    Error(
        param("kernel_size: 3 pad: 3"), [IMAGE], r"pad \(3, 3\) must be below kernel \(3, 3\) on both axes"
    ),
    Error(
        param("global_pooling: true kernel_size: 3"),
        [IMAGE],
        "global_pooling takes the whole image as kernel; remove",
    ),
    Error(
        param("global_pooling: true pad: 1"),
        [IMAGE],
        r"global_pooling goes with pad 0 and stride 1, not \(1, 1\)",
    ),
    Error(param("global_pooling: true stride: 2"), [IMAGE], r"pad 0 and stride 1, not \(0, 0\) and \(2, 2\)"),
    Error(
        param("pool: STOCHASTIC kernel_size: 3 pad: 1"),
        [IMAGE],
        r"pad is \(1, 1\), but STOCHASTIC pooling has none",
    ),
    Error(param("pool: AVE kernel_size: 3", MASK), [IMAGE], "2 tops, but only MAX pooling has a second one"),
    Error(param("kernel_size: 9 stride: 2"), [IMAGE], r"gives a top of size \(0, 0\); enlarge the input"),
    Error(
        param("kernel_size: 3 round_mode: CEIL ceil_mode: false"),
        [IMAGE],
        "round_mode and ceil_mode: false contradict",
    ),
    Error(
        param("kernel_size: 3 round_mode: FLOOR ceil_mode: true"),
        [IMAGE],
        "ceil_mode: true contradict each other",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_sweep():
    """Every kernel, stride and pad that Caffe takes, on sides where the edges fall differently."""
    x = np.random.default_rng(3).standard_normal((1, 2, 6, 9))
    count = 0
    for kernel, stride, rounding in itertools.product(range(1, 6), range(1, 6), (math.ceil, math.floor)):
        for pad in range(kernel):
            fields = f"kernel_size: {kernel} stride: {stride} pad: {pad}"
            fields += " round_mode: FLOOR" if rounding is math.floor else ""
            for method, formula, mask in (("MAX", maximum, MASK), ("AVE", mean, "")):
                layer = make(param(f"pool: {method} {fields}", mask), x.shape)
                arguments = ((kernel, kernel), (stride, stride), (pad, pad), rounding)
                wanted = formula(*arguments, mask=True)(x) if mask else (formula(*arguments)(x),)
                tops = run(layer, torch.from_numpy(x))
                assert layer.reshape(x.shape) == [w.shape for w in wanted]
                for top, want in zip(tops, wanted, strict=True):
                    np.testing.assert_allclose(
                        top, want, rtol=1e-12, atol=1e-12, err_msg=f"{method} {fields}"
                    )
                    count += 1
    assert count == 450


def test_global_pooling_follows_the_input():
    layer = make(param("global_pooling: true"), IMAGE)
    assert layer.reshape((2, 3, 9, 4)) == [(2, 3, 1, 1)]
    x = draws((2, 3, 9, 4))
    np.testing.assert_array_equal(layer(torch.from_numpy(x)), x.max((2, 3), keepdims=True))


def test_maximum_never_nan_when_compiled():
    """On a device, or compiled, nothing is looked at: the bottom is cleared of NaN before."""
    layer = make(param("kernel_size: 2 stride: 2"), IMAGE)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    np.testing.assert_array_equal(compiled(torch.from_numpy(HOLES)), maximum((2, 2), (2, 2))(HOLES))


def test_stochastic_train_draws_by_share():
    layer = make(param("pool: STOCHASTIC kernel_size: 2 stride: 2"), (3000, 1, 2, 3), phase=TRAIN)
    torch.manual_seed(1)
    x = torch.tensor([[1.0, 2.0, 0.0], [5.0, 0.0, 3.0]], dtype=torch.float64).expand(3000, 1, 2, 3).clone()
    x.requires_grad_()
    top = layer(x)
    assert top.shape == (3000, 1, 1, 2)
    for value, share in ((1, 1 / 8), (2, 2 / 8), (5, 5 / 8)):
        assert (top[..., 0] == value).double().mean() == pytest.approx(share, abs=0.03)
    assert (top[..., 1] == 3).all()  # the last column's window is cut to one column, and 0 is never drawn
    top.sum().backward()
    assert x.grad.sum((1, 2, 3)).eq(2).all()
    assert (x.grad[:, 0, 0, 0] == (top[:, 0, 0, 0] == 1)).all()
