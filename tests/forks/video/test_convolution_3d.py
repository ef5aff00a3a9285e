"""Convolution over volumes, against loops over windows."""

import numpy as np

from tests.forks.video.volumes import VOLUME, nd, new, old, shape, windows
from tests.layers.harness import Case, Error, cases, errors


def convolve(kernel, stride, pad, group=1):
    def formula(x, weight, *bias):
        x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
        count = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
        top = np.zeros((len(x), len(weight), *count))
        per, of = weight.shape[1], len(weight) // group
        for index, place in windows(x.shape[2:], kernel, stride, pad, count):
            for o in range(len(weight)):
                channels = slice(o // of * per, (o // of + 1) * per)
                part = x[(slice(None), channels, *place)] * weight[o]
                top[(slice(None), o, *index)] = part.reshape(len(x), -1).sum(1)
        if bias:
            top += bias[0].reshape(-1, *[1] * len(kernel))
        return top

    return formula


def deconvolve(kernel, stride, pad):
    def formula(x, weight, *bias):
        size = [(n - 1) * s + k for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
        top = np.zeros((len(x), weight.shape[1], *size))
        for index, place in windows(x.shape[2:], kernel, stride, pad, x.shape[2:]):
            here = x[(slice(None), slice(None), *index)]
            top[(slice(None), slice(None), *place)] += np.tensordot(here, weight, (1, 0))
        top = top[(slice(None), slice(None), *(slice(p, n - p) for p, n in zip(pad, size, strict=True)))]
        return top + bias[0].reshape(-1, 1, 1, 1) if bias else top

    return formula


def squeezed(formula):
    def without_ones(*arrays):
        top = formula(*arrays)
        return top.reshape(*top.shape[:2], *(n for n in top.shape[2:] if n > 1))

    return without_ones


C, NC = "Convolution3D", "NdConvolution"
WINDOW = "num_output: 4 kernel_size: 2 kernel_depth: 3 stride: 2 pad: 1 temporal_pad: 1"
SMALL = "num_output: 4 kernel_size: 3 kernel_depth: 2 temporal_stride: 2"

CASES = [
    Case("old", old(C, WINDOW), [(1, 2, 3, 4, 5)], convolve((3, 2, 2), (1, 2, 2), (1, 1, 1))),
    Case("new", new(C, SMALL + " group: 3 filter_group: 2"), [(1, 2, 4, 3, 5)], convolve((2, 3, 3), (2, 1, 1), (0,) * 3)),
    Case("no-bias", new(C, SMALL + " bias_term: false"), [(2, 1, 4, 3, 5)], convolve((2, 3, 3), (2, 1, 1), (0,) * 3)),
    Case(
        "nd-volume",
        nd(NC, f"num_output: 4 group: 2 {shape('kernel', 3, 2, 1)} {shape('stride', 1, 2, 1)} {shape('pad', 1, 0, 2)}"),
        [(1, 2, 3, 4, 5)],
        convolve((3, 2, 1), (1, 2, 1), (1, 0, 2), group=2),
    ),
    Case("nd-picture", nd(NC, f"num_output: 4 {shape('kernel', 2, 3)}"), [(2, 3, 4, 5)], convolve((2, 3), (1, 1), (0, 0))),
    Case("nd-line", nd(NC, f"num_output: 4 {shape('kernel', 2)}"), [(2, 3, 5)], convolve((2,), (1,), (0,))),
    Case(
        "nd-without-ones",
        nd(NC, f"num_output: 4 bias_term: false {shape('kernel', 3, 2, 1)}"),
        [(1, 2, 3, 4, 5)],
        squeezed(convolve((3, 2, 1), (1, 1, 1), (0, 0, 0))),
    ),
    Case("deconvolution", new("Deconvolution3D", SMALL), [(1, 2, 2, 3, 4)], deconvolve((2, 3, 3), (2, 1, 1), (0,) * 3)),
    Case(
        "deconvolution-bias", new("Deconvolution3D", WINDOW + " bias_term: false"), [(1, 2, 3, 4, 5)],
        deconvolve((3, 2, 2), (1, 2, 2), (1, 1, 1)),
    ),
    Case(
        "deconvolution-no-bias",
        new("Deconvolution3D", "num_output: 4 kernel_size: 2 kernel_depth: 3") + " convolution_param { bias_term: false }",
        [(1, 2, 3, 4, 5)],
        deconvolve((3, 2, 2), (1, 1, 1), (0,) * 3),
    ),
]  # fmt: skip

ERRORS = [
    Error(new(C, WINDOW), [(2, 3, 4, 5)], r"\(2, 3, 4, 5\) has 4 axes, 5 are needed"),
    Error(
        new(C, "kernel_size: 2 kernel_depth: 2"), [VOLUME], "num_output is 0, it must be at least 1; set it"
    ),
    Error(new(C, "num_output: 4 kernel_size: 2"), [VOLUME], "kernel_depth is 0"),
    Error(
        old(C, "num_output: 4 kernel_depth: 2 kernel_size: [2, 3]"),
        [VOLUME],
        "kernel_size is given 2 times; C3D",
    ),
    Error(old(C, WINDOW + " filter_group: 3"), [VOLUME], "filter_group 3 must divide num_output 4"),
    Error(
        nd(NC, "num_output: 4 kernel_size: 3"),
        [VOLUME],
        "kernel_shape has 0 numbers for 3 axes .* one an axis",
    ),
    Error(
        nd(NC, f"num_output: 4 {shape('kernel', 3, 3)} "), [VOLUME], "kernel_shape has 2 numbers for 3 axes"
    ),
    Error(
        nd(NC, f"num_output: 4 {shape('kernel', 3)} {shape('stride', 0)}"),
        [(2, 3, 4)],
        r"stride_shape is \(0,\), every",
    ),
    Error(
        nd(NC, f"num_output: 4 group: 2 {shape('kernel', 3)}"),
        [(2, 3, 4)],
        "group 2 must divide both the 3 channels",
    ),
    Error(nd(NC, "num_output: 4"), [(2, 3)], "the bottom has 0 axes after the channels; 1 to 3 are known"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
