"""BN: SegNet's form and the one with stored averages, what is stored, and mixed forms."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import TEST, TRAIN, Case, Error, cases, draws, errors, make, run

SHAPE = (4, 3, 5, 2)
STORED = [np.array([[1.5, -0.5, 2.0]]), np.array([[0.25, 1.0, -3.0]]), np.array([[1.0, -2.0, 3.0]]),
          np.array([[4.0, 5.0, 6.0]])]  # fmt: skip


def spread(v, x):
    return v.reshape(-1, *[1] * (x.ndim - 2))


def axes(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def by_batch(eps):
    def formula(x, scale, shift, *_):
        normal = (x - x.mean(axes(x), keepdims=True)) / np.sqrt(x.var(axes(x), keepdims=True) + eps)
        return normal * spread(scale, x) + spread(shift, x)

    return formula


def by_stored(eps=1e-5):
    def formula(x, scale, shift, mean, variance):
        return (x - spread(mean, x)) / np.sqrt(spread(variance, x) + eps) * spread(scale, x) + spread(
            shift, x
        )

    return formula


def segnet(x, scale, shift):
    mean, variance = x.mean(axes(x)).reshape(1, -1, 1, 1), x.var(axes(x)).reshape(1, -1, 1, 1)
    return by_batch(1e-9)(x, scale, shift), mean, variance


def param(fields="", rest=""):
    return f'type: "BN" {rest} bn_param {{ {fields} }}'


OF_BATCH = "takes the statistics of each batch, which no ONNX operator for inference does"

CASES = [
    Case("train", param("slope_filler { value: 1 }"), [SHAPE], by_batch(1e-5), onnx=OF_BATCH),
    Case("train-eps", param("eps: 0.5"), [(5, 3)], by_batch(0.5), onnx=OF_BATCH),
    Case("no-parameters", 'type: "BN"', [(2, 3, 5)], by_batch(1e-5), onnx=OF_BATCH),
    Case("volumes", param(), [(2, 3, 2, 4, 5)], by_batch(1e-5), onnx=OF_BATCH),
    Case("volumes-stored", param(), [(2, 3, 1, 4, 5)], by_stored(), phase=TEST, blobs=STORED),
    Case("test", param(), [SHAPE], by_stored(), phase=TEST, blobs=STORED),
    Case("test-eps", param("eps: 0.25 momentum: 0.5"), [(5, 3)], by_stored(0.25), phase=TEST, blobs=STORED),
    Case("frozen", param("frozen: true"), [SHAPE], by_stored(), blobs=STORED),
    Case(
        "one-value-a-channel", param("momentum: 0.5"), [(1, 3)], lambda x, a, b, *_: 0 * x + b, onnx=OF_BATCH
    ),
    Case("stereo", param("scale_filler { value: 1 } var_eps: 0.5"), [SHAPE], by_batch(0.5), onnx=OF_BATCH),
    Case(
        "stereo-eps",
        param("shift_filler { value: 1 } moving_average: true"),
        [SHAPE],
        by_batch(1e-10),
        onnx=OF_BATCH,
    ),
    Case(
        "stereo-test",
        param("decay: 0.25"),
        [SHAPE],
        by_stored(1e-10),
        phase=TEST,
        blobs=[blob.reshape(1, 3, 1, 1) for blob in STORED],
    ),
    Case(
        "ilgnet",
        param("slope_filler { value: 1 } moving_average: true"),
        [SHAPE],
        by_batch(1e-5),
        onnx=OF_BATCH,
    ),
    Case("segnet", param("bn_mode: LEARN"), [SHAPE], by_batch(1e-9), onnx=OF_BATCH),
    Case(
        "segnet-in-test",
        param("scale_filler { value: 1 }"),
        [SHAPE],
        by_batch(1e-9),
        phase=TEST,
        onnx=OF_BATCH,
    ),
    Case(
        "segnet-two-axes",
        param("bn_mode: LEARN"),
        [(5, 3)],
        lambda x, *b: by_batch(1e-9)(x, *b)[..., None, None],
        onnx=OF_BATCH,
    ),
    Case(
        "segnet-statistics",
        param("bn_mode: LEARN", 'top: "y" top: "mean" top: "variance"'),
        [SHAPE],
        segnet,
        diffs=lambda d, x, scale, shift: _segnet_diff(d[0], x, scale),
        onnx=OF_BATCH,
    ),
    Case(
        "segnet-inference",
        param("bn_mode: INFERENCE shift_filler { value: 0.5 }"),
        [SHAPE],
        lambda x, scale, shift: x * spread(scale, x) + spread(shift, x),
    ),
]


def _segnet_diff(diff, x, scale):
    """By hand: the gradient through mean and variance; tops 1 and 2 give none."""
    std = np.sqrt(x.var(axes(x), keepdims=True) + 1e-9)
    normal, diff = (x - x.mean(axes(x), keepdims=True)) / std, diff * spread(scale, x)
    mean = diff.mean(axes(x), keepdims=True)
    return (diff - mean - normal * (diff * normal).mean(axes(x), keepdims=True)) / std


ERRORS = [
    Error(
        param("bn_mode: LEARN eps: 0.1 momentum: 0.5"),
        [SHAPE],
        "bn_mode of SegNet's BN and eps, momentum of another fork's; keep the fields of one form",
    ),
    Error(param("decay: 0.5 eps: 0.1"), [SHAPE], "decay of SegStereo's BN and eps of another fork's"),
    Error(param(rest='top: "a" top: "b"'), [SHAPE], "has 2 tops, and only SegNet's form .* keep one top"),
    Error(param("bn_mode: LEARN"), [(2, 3, 4, 5, 6)], "at most 4 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("engine, ddof", [("", 0), ("engine: CAFFE", 0), ("engine: CUDNN", 1)])
def test_averages(engine, ddof):
    layer = make(param(f"momentum: 0.75 {engine}"), SHAPE)
    mean, variance = np.zeros(3), np.zeros(3)
    for step in range(3):
        x = draws(SHAPE, step) + step
        layer(torch.from_numpy(x))
        mean = 0.75 * mean + 0.25 * x.mean(axes(x))
        variance = 0.75 * variance + 0.25 * x.var(axes(x), ddof=ddof)
    np.testing.assert_allclose(layer.blobs[2], mean[None], rtol=1e-12)
    np.testing.assert_allclose(layer.blobs[3], variance[None], rtol=1e-12)


def test_segstereos_averages():
    layer = make(param("decay: 0.25 scale_filler { value: 1 }"), SHAPE)
    x = draws(SHAPE, 3) + 2
    layer(torch.from_numpy(x))
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1, 3, 1, 1)] * 4
    np.testing.assert_allclose(layer.blobs[2].flatten(), 0.25 * x.mean(axes(x)), rtol=1e-12)
    np.testing.assert_allclose(layer.blobs[3].flatten(), 0.25 * x.var(axes(x)), rtol=1e-12)


@pytest.mark.parametrize("phase, fields", [(TEST, ""), (TRAIN, "frozen: true")])
def test_stored_statistics_stay(phase, fields):
    layer = make(param(fields), SHAPE, phase=phase)
    before = [blob.tolist() for blob in layer.blobs[2:]]
    layer(torch.from_numpy(draws(SHAPE)))
    assert [blob.tolist() for blob in layer.blobs[2:]] == before


def test_what_learns():
    layer = make(param("slope_filler { value: 1 }", "param { decay_mult: 0 }"), SHAPE)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1, 3)] * 4
    assert layer.fixed_blobs == {2, 3} and layer.blobs[3].eq(0).all()
    assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param.param] == [(1, 0), (1, 1), (0, 0), (0, 0)]
    assert not layer.per_record()


def test_frozen_learns_nothing():
    layer = make(param("frozen: true", "param { lr_mult: 1 } " * 4), SHAPE)
    assert layer.fixed_blobs == {0, 1, 2, 3} and layer.blobs[3].eq(1).all()
    assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param.param] == [(0, 0)] * 4
    assert layer.per_record()


def test_segnet_has_two_blobs_and_inference_no_statistics():
    layer = make(param("bn_mode: INFERENCE", 'top: "y" top: "mean"'), SHAPE)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1, 3, 1, 1)] * 2
    assert run(layer, torch.ones(SHAPE, dtype=torch.float64))[1].eq(0).all()


def test_other_channels_refused():
    layer = make(param(), SHAPE)
    with pytest.raises(LayerError, match=r"\(2, 4\) has 4 channels, but the blobs were made for 3"):
        layer.reshape((2, 4))
