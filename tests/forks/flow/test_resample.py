"""Layers of optical flow nets."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.proto.binary import write_binaryproto
from tests.layers.harness import Case, Error, cases, draws, errors, make

IMAGE = (2, 3, 4, 5)
FLOW = draws((2, 2, 4, 5), 3) * 2.5
FLOW[0, :, 0, 0] = FLOW[1, :, 3, 4] = 0.25
FLOW[0, :, 1, 1] = -2.25  # outside
FLOW[0, 0, 2, 4], FLOW[0, 1, 2, 4] = 0.625, 0.5  # beyond the last column, before its end


def warped(beyond, outside):
    def formula(image, flow):
        n, _, height, width = image.shape
        top = np.full(image.shape, outside)
        for i, y, x in np.ndindex(n, height, width):
            at_x, at_y = x + flow[i, 0, y, x], y + flow[i, 1, y, x]
            if not (0 <= at_x < width and 0 <= at_y < height):
                continue
            if not beyond and (at_x > width - 1 or at_y > height - 1):
                continue
            left, above = int(at_x), int(at_y)
            a, b = at_x - left, at_y - above
            right, below = min(left + 1, width - 1), min(above + 1, height - 1)
            top[i, :, y, x] = (1 - b) * ((1 - a) * image[i, :, above, left] + a * image[i, :, above, right])
            top[i, :, y, x] += b * ((1 - a) * image[i, :, below, left] + a * image[i, :, below, right])
        return top

    return formula


def triangle(d):
    return max(0, 1 - d)


def cubic(d):
    if d <= 1:
        return d * d * (1.5 * d - 2.5) + 1
    return d * (d * (-0.5 * d + 2.5) - 4) + 2 if d < 2 else 0


def resampled(height, width, weight=triangle, antialias=True):
    def formula(x, like=None):
        fy, fx = x.shape[2] / height, x.shape[3] / width
        a = (1 / fy, 1 / fx) if antialias and (fx > 1 or fy > 1) else (1, 1)
        top = np.zeros((*x.shape[:2], height, width))
        for i, j in np.ndindex(height, width):
            y, z = i * fy + fx / 2 - 0.5, j * fx + fy / 2 - 0.5
            w = np.array(
                [
                    [weight(a[0] * abs(y - r)) * weight(a[1] * abs(z - c)) for c in range(x.shape[3])]
                    for r in range(x.shape[2])
                ]
            )
            top[:, :, i, j] = (x * w).sum((2, 3)) / (w.sum() or 1)
        return top

    return formula


def nearest(x):
    return x[:, :, [0, 2]][..., [1, 2, 4]]  # rows 0.33, 2.33 and columns 0.5, 2.17, 3.83


def downsampled(height, width):
    def formula(x, like=None):
        top = np.zeros((*x.shape[:2], height, width))
        scales = [(x.shape[axis] - 1) / (size - 1) for axis, size in ((2, height), (3, width))]
        for n, c, i, j in np.ndindex(top.shape):
            w = np.array(
                [
                    [triangle(abs(r - i * scales[0]) / scales[0]) * triangle(abs(k - j * scales[1]) / scales[1])
                     for k in range(x.shape[3])] for r in range(x.shape[2])
                ]
            )  # fmt: skip
            plane = x[n, c]
            there = ~np.isnan(plane)
            few = w[~there].sum() > 0.5 * w[there].sum()
            top[n, c, i, j] = np.nan if few else (plane[there] * w[there]).sum() / w[there].sum()
        return top

    return formula


GAPS = draws((2, 3, 5, 7), 5)
GAPS[0, 1, 0, :3] = GAPS[1, 2, 3, 3] = np.nan

RESAMPLE = 'type: "Resample" resample_param { %s }'
DOWN = 'type: "Downsample" downsample_param { top_height: 3 top_width: 4 }'
MIDDLE = 'type: "DataAugmentation" augmentation_param { crop_height: %d crop_width: %d %s }'


def middle(x, *blobs):
    return (x[:, :, 1:4, 1:5] + x[:, :, 1:4, 2:6]) / 2


CASES = [
    Case("flowwarp", 'type: "FlowWarp"', [IMAGE, FLOW], warped(True, 0.0)),
    Case(
        "flowwarp-nan",
        'type: "FlowWarp" flow_warp_param { fill_value: NOT_A_NUMBER }',
        [IMAGE, FLOW],
        warped(True, np.nan),
        gradient=(),
        onnx=False,
    ),
    Case("warp", 'type: "Warp"', [IMAGE, FLOW], warped(False, 0.0)),
    Case("larger", RESAMPLE % "height: 7 width: 9", [IMAGE], resampled(7, 9), gradient=()),
    Case("smaller", RESAMPLE % "height: 2 width: 3", [(2, 3, 5, 7)], resampled(2, 3), gradient=()),
    Case(
        "smaller-cubic",
        RESAMPLE % "height: 2 width: 4 type: CUBIC",
        [(2, 3, 5, 7)],
        resampled(2, 4, cubic),
        gradient=(),
    ),
    Case(
        "smaller-sharp",
        RESAMPLE % "height: 2 width: 8 antialias: false type: CUBIC",
        [(2, 3, 5, 7)],
        resampled(2, 8, cubic, antialias=False),
        gradient=(),
    ),
    Case("as-another", 'type: "Resample"', [IMAGE, (1, 2, 6, 7)], resampled(6, 7), gradient=()),
    Case("nearest", RESAMPLE % "height: 2 width: 3 type: NEAREST", [(2, 3, 4, 5)], nearest, gradient=()),
    Case("downsample", DOWN, [(2, 3, 5, 7)], downsampled(3, 4), gradient=()),
    Case("downsample-gaps", DOWN, [GAPS], downsampled(3, 4), gradient=(), onnx=False),
    Case(
        "downsample-same",
        'type: "Downsample"',
        [(2, 3, 5, 7), (1, 2, 5, 7)],
        lambda x, like: x,
        gradient=(0,),
    ),
    Case("channelnorm", 'type: "ChannelNorm"', [IMAGE], lambda x: np.sqrt((x**2).sum(1, keepdims=True))),
    Case(
        "mean",
        'type: "Mean" mean_param { operation: SUBTRACT value: 1 value: 2 mean_scale: 0.5 input_scale: 4 output_scale: 2 }',
        [(2, 4, 3, 5)],
        lambda x: 2 * (4 * x - 0.5 * np.array([1, 2, 1, 2])[:, None, None]),
        gradient=(),
    ),
    Case("middle", MIDDLE % (3, 4, ""), [(2, 3, 5, 7)], middle, gradient=(), phase=TEST),
    Case(
        "middle-mean",
        MIDDLE % (3, 4, "mean: 1 mean: 2 mean: 4 mean_per_pixel: false mirror { rand_type: 'bernoulli' }"),
        [(2, 3, 5, 7)],
        lambda x, *_: middle(x) - np.array([1, 2, 4])[:, None, None],
        gradient=(),
        phase=TEST,
    ),
]

ERRORS = [
    Error(
        'type: "FlowWarp"', [IMAGE, (2, 3, 4, 5)], r"has shape \(2, 3, 4, 5\) and must have \(2, 2, 4, 5\)"
    ),
    Error(
        RESAMPLE % "height: 3",
        [IMAGE],
        "the top is 3 x 0; set resample_param.height and resample_param.width",
    ),
    Error(RESAMPLE % "type: AREA", [IMAGE], "type AREA is not known to the fork's layer; use NEAREST"),
    Error(DOWN, [(2, 3, 1, 7)], "a top of 3 x 4: corners need at least 2 x 2"),
    Error('type: "Mean"', [IMAGE], "mean_param has neither file nor value"),
    Error(
        'type: "Mean" mean_param { value: 1 value: 2 }',
        [IMAGE],
        r"does not fit the mean, 2 channels of 1 x 1",
    ),
    Error(MIDDLE % (6, 4, ""), [(2, 3, 5, 7)], "is 6 x 4, more than bottom shape"),
    Error(
        MIDDLE % (3, 4, "mirror { rand_type: 'bernoulli' }"),
        [(2, 3, 5, 7)],
        "augmentation_param.mirror draws pictures at random, which is not known here",
    ),
    Error(
        MIDDLE % (3, 4, "mean: 1 mean: 2 mean: 4 mean_per_pixel: false"),
        [(2, 5, 5, 7)],
        "mean has 3 numbers and bottom shape .* 5 channels",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("by_position", [True, False])
def test_the_mean_is_that_of_the_first_batches(by_position):
    text = f'type: "DataAugmentation" augmentation_param {{ recompute_mean: 2 mean_per_pixel: {str(by_position).lower()} }}'
    layer = make(text, (3, 2, 4, 5))
    batches = [draws((3, 2, 4, 5), seed) for seed in range(3)]
    axes = 0 if by_position else (0, 2, 3)
    for count, batch in enumerate(batches):
        seen = np.stack(batches[: min(count + 1, 2)]).mean(0)
        mean = seen.mean(axes, keepdims=True)
        np.testing.assert_allclose(layer(torch.from_numpy(batch)).numpy(), batch - mean, atol=1e-12)
        assert layer.blobs[0].item() == count + 1


def test_a_mean_picture(tmp_path):
    mean = draws((2, 4, 5), 4).astype(np.float32)
    write_binaryproto(tmp_path / "mean.binaryproto", mean[None])
    text = f'type: "Mean" mean_param {{ operation: ADD file: "{tmp_path}/mean.binaryproto" }}'
    x = draws((3, 4, 4, 5))
    np.testing.assert_allclose(make(text, (3, 4, 4, 5))(torch.from_numpy(x)), x + np.tile(mean, (2, 1, 1)))


def test_a_picture_that_learns_gets_no_gradient():
    layer = make(RESAMPLE % "height: 2 width: 3", (2, 3, 5, 7))
    top = layer(torch.from_numpy(draws((2, 3, 5, 7))).requires_grad_())
    with pytest.raises(LayerError, match="has no gradient; take it out of the loss's path"):
        top.sum().backward()


def test_the_norm_of_zeros_has_gradient_0():
    x = torch.zeros(1, 2, 3, 4, requires_grad=True)
    make('type: "ChannelNorm"', (1, 2, 3, 4))(x).sum().backward()
    assert not x.grad.any() and not math.isnan(x.grad.sum())
