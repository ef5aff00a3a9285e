"""ShuffleChannel and Reorg: every value to its place."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def shuffle(group):
    def formula(x):
        rest = x.shape[1] // group
        return x[:, [i * rest + j for j in range(rest) for i in range(group)]]

    return formula


def reorg(stride, reverse):
    """Index by index, as darknet's loop has it."""

    def formula(x):
        num, channels, height, width = x.shape
        few = channels // stride**2
        flat, top = x.reshape(num, -1), np.zeros((num, x[0].size))
        for k, j, i in np.ndindex(channels, height, width):
            here = i + width * (j + height * k)
            column, row = i * stride + k // few % stride, j * stride + k // few // stride
            there = column + width * stride * (row + height * stride * (k % few))
            if reverse:
                top[:, there] = flat[:, here]
            else:
                top[:, here] = flat[:, there]
        if reverse:
            return top.reshape(num, few, height * stride, width * stride)
        return top.reshape(num, channels * stride**2, height // stride, width // stride)

    return formula


def shuffle_param(group):
    return f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}'


def reorg_param(fields):
    return f'type: "Reorg" reorg_param {{ {fields} }}'


CASES = [
    Case("shuffle", shuffle_param(2), [(5, 6, 3, 4)], shuffle(2)),
    Case("shuffle-three", shuffle_param(3), [(5, 6, 4)], shuffle(3)),
    Case("shuffle-default", 'type: "ShuffleChannel"', [(2, 5)], lambda x: x),
    Case("reorg", reorg_param("stride: 2"), [(3, 8, 4, 6)], reorg(2, False)),
    Case("reorg-three", reorg_param("stride: 3"), [(2, 18, 3, 6)], reorg(3, False)),
    Case("flip", 'type: "Flip"', [(2, 3, 4, 5)], lambda x: x[..., ::-1]),
    Case(
        "flip-height",
        'type: "Flip" flip_param { flip_width: false flip_height: true }',
        [(2, 3, 4, 5)],
        lambda x: x[:, :, ::-1],
    ),
    Case(
        "flip-both",
        'type: "Flip" flip_param { flip_height: true }',
        [(2, 3, 4, 5)],
        lambda x: x[:, :, ::-1, ::-1],
    ),
    Case("reverse", 'type: "Reverse"', [(4, 3)], lambda x: x[::-1]),
    Case("reverse-axis", 'type: "Reverse" reverse_param { axis: 1 }', [(4, 3, 2)], lambda x: x[:, ::-1]),
    Case(
        "transpose",
        'type: "Transpose" transpose_param { dim: [2, 0, 1] }',
        [(2, 3, 4)],
        lambda x: x.transpose(2, 0, 1),
    ),
    Case(
        "convert",
        'type: "Convert" top: "a" top: "b"',
        [(2, 3, 4)],
        lambda x: (
            np.array([[[x[n, c, w] for c in range(3)] for n in range(2)] for w in range(4)]),
            np.array([[w > 0] * 2 for w in range(4)], float),
        ),
    ),
    Case("convert-row", 'type: "Convert"', [(2, 3, 1, 4)], lambda x: np.moveaxis(x[:, :, 0], 2, 0)),
    Case("reorg-reverse", reorg_param("stride: 2 reverse: true"), [(2, 12, 3, 5)], reorg(2, True)),
]

ERRORS = [
    Error(
        'type: "Convert"', [(2, 3, 2, 4)], r"bottom shape \(2, 3, 2, 4\) must be N x C x W or N x C x 1 x W"
    ),
    Error('type: "Convert"', [(2, 3)], r"bottom shape \(2, 3\) must be N x C x W"),
    Error('type: "Flip"', [(2, 3, 4)], r"\(2, 3, 4\) has 3 axes, 4 are needed"),
    Error('type: "Reverse" reverse_param { axis: 2 }', [(2, 3)], r"axis 2 is out of range .* use 0 to 1"),
    Error('type: "Reverse" reverse_param { axis: -1 }', [(2, 3)], "axis -1 is out of range"),
    Error(
        'type: "Transpose" transpose_param { dim: [1, 1] }',
        [(2, 3)],
        r"dim \[1, 1\] must name each of the 2 axes",
    ),
    Error(shuffle_param(0), [(2, 3)], "group is 0, it must be above 0"),
    Error(shuffle_param(2), [(2, 3, 4)], r"group 2 must divide .* \(2, 3, 4\)"),
    Error(shuffle_param(1), [(4,)], "axis 1 of bottom shape"),
    Error(reorg_param(""), [(2, 4, 6, 8)], "reorg_param.stride is 0, it must be set and above 0"),
    Error(reorg_param("stride: 2"), [(2, 4, 6)], "has 3 axes, 4 are needed"),
    Error(reorg_param("stride: 2"), [(2, 6, 4, 8)], r"6 channels .* must be a multiple of stride\^2, 4"),
    Error(reorg_param("stride: 2"), [(2, 4, 3, 8)], r"height and width .* must be multiples of stride 2"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
