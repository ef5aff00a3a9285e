"""MaskPooling, TileProduct, ChannelScale."""

import numpy as np

from tests.layers.harness import TEST, Case, Error, cases, errors


def product(x, mask):
    return x * mask.reshape(x.shape[0], 1, *x.shape[2:])


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
]
test_case = cases(CASES)


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
]
test_error = errors(ERRORS)
