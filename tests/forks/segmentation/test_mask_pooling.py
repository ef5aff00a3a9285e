"""MaskPooling, TileProduct, ChannelScale, MaskResize."""

import numpy as np

from tests.layers.harness import TEST, Case, Error, cases, draws, errors


def product(x, mask):
    return x * mask.reshape(x.shape[0], 1, *x.shape[2:])


def resized(height, width):
    """Point by point: as the fork's bilinear_interpolate."""

    def formula(x):
        tall, wide = x.shape[2:]
        top = np.zeros((*x.shape[:2], height, width))
        for i, j in np.ndindex(height, width):
            y, z = i * tall / height, j * wide / width
            if y > tall - 0.5 or z > wide - 0.5:
                continue
            y, z = min(y, tall - 1), min(z, wide - 1)
            y0, z0 = int(y), int(z)
            y1, z1 = min(y0 + 1, tall - 1), min(z0 + 1, wide - 1)
            a, b = y - y0, z - z0
            top[:, :, i, j] = (1 - a) * ((1 - b) * x[:, :, y0, z0] + b * x[:, :, y0, z1]) + a * (
                (1 - b) * x[:, :, y1, z0] + b * x[:, :, y1, z1]
            )
        return top

    return formula


def channel_scale(forward=True, feature=True, own=True):
    """Formula and gradients of ChannelScale."""

    def diffs(d, x, mask, *blobs):
        scale = mask.reshape(x.shape[0], 1, *x.shape[2:])
        given = d[0] * scale if feature else d[0]
        return given, ((x * d[0]).sum(1) if own else np.zeros(mask.shape)).reshape(mask.shape)

    return {"formula": product if forward else lambda x, mask: x, "diffs": diffs}


def shared(scale, least=0, most=1000):
    """With global_scale, whose blob stands at `scale`."""

    def formula(x, mask, blob):
        mean = abs(mask).mean()
        new = np.clip(mean if scale < 0 else 0.99 * scale + 0.01 * mean, least, most)
        return x * new, np.array([new])

    return {
        "formula": formula,
        "diffs": channel_scale()["diffs"],
        "blobs": [np.array([scale])],
        "onnx": False,
    }


SCALE = 'type: "ChannelScale" channel_scale_param { %s }'
GLOBAL = 'type: "ChannelScale" top: "a" top: "b" channel_scale_param { global_scale: true %s }'
MAPS = [(2, 3, 5, 4), (2, 1, 5, 4)]
RESIZE = 'type: "MaskResize" mask_resize_param { output_height: %d output_width: %d %s }'
CASES = [
    Case("pooling", 'type: "MaskPooling"', [(2, 3, 5, 4), (2, 1, 5, 4)], product),
    Case("pooling-flat-mask", 'type: "MaskPooling"', [(2, 3, 5, 4), (2, 20)], product),
    Case("deeplab", 'type: "SpatialProduct"', [(2, 3, 5, 4), (2, 1, 5, 4)], product),
    Case("product", 'type: "TileProduct"', [(2, 3, 5, 4), (2, 1, 5, 4)], product),
    Case("scale", 'type: "ChannelScale"', MAPS, **channel_scale()),
    Case("scale-rows", 'type: "ChannelScale"', [(4, 3), (4, 1)], **channel_scale()),
    Case("scale-back-only", SCALE % "do_forward: false", MAPS, **channel_scale(forward=False)),
    Case("scale-no-feature", SCALE % "do_backward_feature: false", MAPS, **channel_scale(feature=False)),
    Case("scale-no-own", SCALE % "do_backward_scale: false", MAPS, **channel_scale(own=False)),
    Case("scale-of-all-first", GLOBAL % "", MAPS, **shared(-1.0)),
    Case("scale-of-all", GLOBAL % "max_global_scale: 8", MAPS, **shared(7.0)),
    Case(
        "scale-of-all-limited", GLOBAL % "max_global_scale: 4 min_global_scale: 3", MAPS, **shared(2.5, 3, 4)
    ),
    Case(
        "scale-of-all-tested",
        GLOBAL % "",
        MAPS,
        lambda x, mask, blob: (x * 0.75, blob),
        diffs=channel_scale()["diffs"],
        blobs=[np.array([0.75])],
        phase=TEST,
    ),
    Case("smaller", RESIZE % (4, 3, ""), [(2, 3, 6, 7)], resized(4, 3)),
    Case("larger", RESIZE % (11, 8, ""), [(2, 3, 4, 5)], resized(11, 8)),
    Case("far-larger", RESIZE % (9, 25, ""), [(1, 2, 3, 4)], resized(9, 25)),  # the last points are 0
    Case("factors", RESIZE % (1, 1, "factor_height: 0.5 factor_width: 0.25"), [(2, 1, 7, 9)], resized(3, 2)),
    Case("one-factor", RESIZE % (1, 6, "factor_height: 0.5"), [(2, 1, 7, 9)], resized(3, 6)),
]
test_case = cases(CASES)


def test_the_last_points_are_zero():
    top = resized(9, 25)(draws((1, 2, 3, 4)))
    assert not top[..., 8, :].any() and top[..., 7, 0].all()


ERRORS = [
    Error(
        'type: "MaskPooling"',
        [(2, 3, 5, 4), (2, 3, 5, 4)],
        r"bottom 1 of shape \(2, 3, 5, 4\) must be \(2, 1, 5, 4\): one number a position",
    ),
    Error('type: "TileProduct"', [(2, 3, 5, 4), (1, 2, 5, 4)], r"must be \(2, 1, 5, 4\)"),
    Error(
        SCALE.replace("channel", 'top: "a" top: "b" channel') % "",
        MAPS,
        "has 2 tops, and without .*global_scale there is 1",
    ),
    Error(GLOBAL % "" + " param { lr_mult: 2 }", MAPS, "param has lr_mult 2, but the scale is an average"),
    Error('type: "MaskResize"', [(2, 3, 5, 4)], "output_height is 0 and output_width 0; both must be set"),
    Error(RESIZE % (2, 3, ""), [(2, 3, 5)], "has 3 axes, 4 are needed"),
    Error(
        RESIZE % (2, 3, "factor_width: 0.1"), [(2, 3, 5, 4)], "factor_width 0.1 leave 2 x 0 of bottom shape"
    ),
]
test_error = errors(ERRORS)
