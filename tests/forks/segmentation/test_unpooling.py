"""Unpooling: the mask, the first places, and windows that get a value or share it."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

TEXT = 'type: "Unpooling" unpooling_param { %s }'
NO_MASK = "cannot be exported without a mask of a pooling layer as bottom 1"
MASK = np.stack([np.random.default_rng(i).permutation(30)[:6].reshape(2, 3) for i in range(4)]).reshape(
    2, 2, 2, 3
)


def by_mask(x, mask):
    top = np.zeros((2, 2, 30))
    for n, c, i, j in np.ndindex(x.shape):
        top[n, c, int(mask[n, c, i, j])] = x[n, c, i, j]
    return top.reshape(2, 2, 5, 6)


def spread(kernel, stride, size, share=False, first=False):
    def formula(x):
        top = np.zeros((*x.shape[:2], *size))
        for i, j in np.ndindex(x.shape[2:]):
            y, z = i * stride[0], j * stride[1]
            if first:
                top[:, :, min(y, size[0] - 1), min(z, size[1] - 1)] = x[:, :, i, j]
                continue
            window = top[:, :, y : y + kernel[0], z : z + kernel[1]]
            count = window.shape[2] * window.shape[3] if share else 1
            window += x[:, :, i, j][:, :, None, None] / count
        return top

    return formula


CASES = [
    Case(
        "mask",
        TEXT % "kernel_size: 2 stride: 2 unpool_h: 5 unpool_w: 6",
        [(2, 2, 2, 3), MASK],
        by_mask,
        gradient=(0,),
    ),
    Case(
        "first",
        TEXT % "kernel_size: 2 stride: 2",
        [(2, 3, 2, 4)],
        spread((2, 2), (2, 2), (5, 9), first=True),
        onnx=NO_MASK,
    ),
    Case(
        "tile",
        TEXT % "unpool: TILE kernel_h: 3 kernel_w: 2 stride: 2",
        [(2, 3, 2, 4)],
        spread((3, 2), (2, 2), (5, 9)),
        onnx=NO_MASK,
    ),
    Case(
        "share-cut",
        TEXT % "unpool: AVE kernel_size: 3 stride_h: 2 stride_w: 1 unpool_size: 4",
        [(2, 3, 2, 3)],
        spread((3, 3), (2, 1), (4, 4), share=True),
        onnx=NO_MASK,
    ),
]

ERRORS = [
    Error(TEXT % "stride: 2", [(2, 3, 2, 4)], r"kernel is \(0, 0\) and stride \(2, 2\); both must be set"),
    Error(
        TEXT % "kernel_size: 2 kernel_h: 2",
        [(2, 3, 2, 4)],
        "kernel_size and kernel_h or kernel_w are both set",
    ),
    Error(TEXT % "kernel_size: 2 pad: 1", [(2, 3, 2, 4)], "pad is set, which the fork's layer refuses"),
    Error(
        TEXT % "kernel_size: 2 unpool: AVE",
        [(2, 3, 2, 4)] * 2,
        "has a mask as bottom 1, which only MAX reads",
    ),
    Error(TEXT % "kernel_size: 2", [(2, 3, 2, 4), (2, 3, 2, 5)], "bottom 1, the mask, has"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
