"""Pooling over volumes, against loops over windows."""

import itertools

import numpy as np

from caffe_compat.layers.pooling import LOWEST
from tests.forks.video.volumes import VOLUME, nd, new, old, shape
from tests.layers.harness import Case, Error, cases, errors


def spread(kernel, stride, dilation):
    """MAX of windows with gaps, without pads."""

    def formula(x):
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        count = [int(np.ceil((n - e) / s)) + 1 for n, e, s in zip(x.shape[2:], extent, stride, strict=True)]
        top = np.full((*x.shape[:2], *count), LOWEST)
        for index in itertools.product(*map(range, count)):
            for tap in itertools.product(*map(range, kernel)):
                at = tuple(i * s + t * d for i, s, t, d in zip(index, stride, tap, dilation, strict=True))
                if all(a < n for a, n in zip(at, x.shape[2:], strict=True)):
                    place = (slice(None), slice(None), *index)
                    top[place] = np.maximum(top[place], x[(slice(None), slice(None), *at)])
        return top

    return formula


def by_axis(fields):
    return f'type: "Pooling" pooling_param {{ {fields} }}'


def pool(kernel, stride, pad, mean, c3d):
    def formula(x):
        sizes = x.shape[2:]
        count = []
        for n, k, s, p in zip(sizes, kernel, stride, pad, strict=True):
            number = int(np.ceil((n + 2 * p - k) / s)) + 1
            if not c3d and p and (number - 1) * s >= n + p:
                number -= 1
            count.append(number)
        top = np.zeros((*x.shape[:2], *count))
        for index in itertools.product(*map(range, count)):
            start = [i * s - p for i, s, p in zip(index, stride, pad, strict=True)]
            place = tuple(
                slice(max(b, 0), max(min(b + k, n), 0)) for b, k, n in zip(start, kernel, sizes, strict=True)
            )
            part = x[(slice(None), slice(None), *place)].reshape(*x.shape[:2], -1)
            counted = [min(b + k, n + p) - b for b, k, n, p in zip(start, kernel, sizes, pad, strict=True)]
            if mean:
                value = part.sum(2) / np.prod(counted if c3d else kernel)
            else:
                value = part.max(2, initial=LOWEST)
            top[(slice(None), slice(None), *index)] = value
        return top

    return formula


P, NP = "Pooling3D", "NdPooling"
POOL = "kernel_size: 3 kernel_depth: 2 stride: 2"

CASES = [
    Case("max", old(P, POOL), [VOLUME], pool((2, 3, 3), (1, 2, 2), (0,) * 3, False, True)),
    Case("max-new", new(P, POOL + " temporal_stride: 3"), [VOLUME], pool((2, 3, 3), (3, 2, 2), (0,) * 3, False, True)),
    Case(
        "max-l", new(P, "kernel_size: 3 kernel_l: 2 stride: 2 stride_l: 3 pad_l: 0"), [VOLUME],
        pool((2, 3, 3), (3, 2, 2), (0,) * 3, False, True),
    ),
    Case(
        "by-axis", by_axis("kernel_size: 2 kernel_size: 3 kernel_size: 1 stride: 1 stride: 2 stride: 3"), [VOLUME],
        pool((2, 3, 1), (1, 2, 3), (0,) * 3, False, False),
    ),
    Case(
        "by-axis-mean", by_axis("pool: AVE kernel_size: [2, 3] stride: 2 pad: [0, 1]"), [(2, 3, 5, 6)],
        pool((2, 3), (2, 2), (0, 1), True, True),
    ),
    Case("gaps", by_axis("kernel_size: 2 dilation: 2"), [(2, 3, 5, 6)], spread((2, 2), (1, 1), (2, 2))),
    Case(
        "gaps-by-axis", by_axis("kernel_h: 3 kernel_w: 2 stride: 2 dilation: [1, 3]"), [(2, 3, 5, 7)],
        spread((3, 2), (2, 2), (1, 3)),
    ),
    Case("mean", new(P, POOL + " pool: AVE"), [VOLUME], pool((2, 3, 3), (1, 2, 2), (0,) * 3, True, True)),
    Case("mean-pad", old(P, POOL + " pool: AVE pad: 1"), [VOLUME], pool((2, 3, 3), (1, 2, 2), (0, 1, 1), True, True)),
    Case(
        "mean-one-short-window",
        new(P, "kernel_size: 6 kernel_depth: 5 pool: AVE stride: 2 temporal_stride: 2"),
        [(2, 3, 4, 5, 6)],
        pool((5, 6, 6), (2, 2, 2), (0,) * 3, True, True),
    ),
    Case(
        "max-past-the-end",
        old(P, "kernel_size: 1 kernel_depth: 1 stride: 3 temporal_stride: 2"),
        [(2, 3, 4, 5, 6)],
        pool((1, 1, 1), (2, 3, 3), (0,) * 3, False, True),
        gradient=(),
    ),
    Case(
        "nd-max",
        nd(NP, f"{shape('kernel', 1, 2, 3)} {shape('stride', 1, 2, 2)}"),
        [VOLUME],
        pool((1, 2, 3), (1, 2, 2), (0,) * 3, False, False),
    ),
    Case(
        "nd-mean",
        nd(NP, f"pool: AVE {shape('kernel', 2, 3)} {shape('stride', 3, 2)} {shape('pad', 1, 1)}"),
        [(2, 3, 4, 5)],
        pool((2, 3), (3, 2), (1, 1), True, False),
    ),
    Case("nd-max-pad", nd(NP, f"{shape('kernel', 3)} {shape('stride', 2)} {shape('pad', 1)}"), [(2, 3, 4)],
         pool((3,), (2,), (1,), False, False)),
    Case("nd-global", nd(NP, f"pool: AVE global_pooling: true {shape('kernel', 1, 1)}"), [(2, 3, 4, 5)],
         pool((4, 5), (1, 1), (0, 0), True, False)),
]  # fmt: skip

ERRORS = [
    Error(old(P, POOL), [(2, 3, 4, 5)], "has 4 axes, 5 are needed"),
    Error(old(P, "kernel_size: 2"), [VOLUME], "kernel_depth is 0"),
    Error(old(P, POOL + " pad: 1"), [VOLUME], "pad is 1, and only AVE pooling of volumes has one"),
    Error(new(P, POOL + " pool: STOCHASTIC"), [VOLUME], "STOCHASTIC is not known for volumes"),
    Error(new(P, "kernel_size: 9 kernel_depth: 2"), [VOLUME], "gives no window; enlarge the input"),
    Error(new(P, "kernel_size: 2 kernel_l: 2 pad_l: 1"), [VOLUME], "pad_l is 1, and the length has no pad"),
    Error(
        by_axis("kernel_size: [2, 3]"),
        [VOLUME],
        "kernel_size is given 2 times for 3 axes; give it once, or once an axis",
    ),
    Error(
        by_axis("kernel_size: 2 pad: [2, 1]"), [(2, 3, 4, 5)], r"pad \(2, 1\) must be below kernel \(2, 2\)"
    ),
    Error(
        by_axis("kernel_size: 2 dilation: [1, 2, 3]"),
        [(2, 3, 4, 5)],
        r"dilation is \(1, 2, 3\); give one number",
    ),
    Error(
        by_axis("kernel_size: 2 dilation: 2 pool: AVE"),
        [(2, 3, 4, 5)],
        "only MAX pooling has one; use dilation 1",
    ),
    Error(by_axis("kernel_size: 2 dilation: 2 pool: STOCHASTIC"), [(2, 3, 4, 5)], "STOCHASTIC is not known"),
    Error(
        by_axis("kernel_size: 0 dilation: 2"),
        [(2, 3, 4, 5)],
        r"kernel \(0, 0\) and stride \(1, 1\) must be above 0",
    ),
    Error(
        by_axis("global_pooling: true dilation: 2"),
        [(2, 3, 4, 5)],
        "takes the whole bottom as kernel; remove",
    ),
    Error(
        by_axis("kernel_h: 2 kernel_w: 2 dilation: 2"),
        [VOLUME],
        "kernel_h and kernel_w are for 2 axes and there are 3",
    ),
    Error(
        by_axis("kernel_size: 2 dilation: 2"), [(2, 3)], "the bottom has 0 axes after the channels; 1 to 3"
    ),
    Error(
        nd(NP, f"{shape('kernel', 2)} pool: STOCHASTIC"),
        [(2, 3, 4)],
        "STOCHASTIC is not known over any number",
    ),
    Error(
        nd(NP, f"{shape('kernel', 2)} {shape('pad', 2)}"),
        [(2, 3, 4)],
        r"pad_shape \(2,\) must be below kernel_shape",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
