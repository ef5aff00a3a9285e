"""BatchNorm: Caffe's sums and counter, both kinds of statistics, its param rules, and the fused Scale."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from caffe_compat.proto.upgrade import upgrade_net
from tests.layers.harness import TEST, TRAIN, Case, Error, cases, draws, errors, make, run

SHAPE = (4, 3, 5, 2)
SUMS = [np.array([1.0, -2.0, 3.0]), np.array([4.0, 5.0, 6.0]), np.array([2.5])]


def axes(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def spread(v, x):
    return v.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else v


def by_batch(eps=1e-5):
    def formula(x, *blobs):
        return (x - x.mean(axes(x), keepdims=True)) / np.sqrt(x.var(axes(x), keepdims=True) + eps)

    return formula


def by_sums(eps=1e-5):
    def formula(x, mean, variance, counter):
        weight = 0 if counter[0] == 0 else 1 / counter[0]
        return (x - spread(mean * weight, x)) / np.sqrt(spread(variance * weight, x) + eps)

    return formula


def scaled(formula):
    """A formula followed by NVIDIA's own scale and bias, blobs 3 and 4."""
    return lambda x, *blobs: formula(x, *blobs[:3]) * spread(blobs[3], x) + spread(blobs[4], x)


OWN = [*SUMS[:2], np.array([1.0]), np.array([0.5, -1.0, 2.0]), np.array([3.0, 0.25, -1.0])]


def param(fields="", rest=""):
    return f'type: "BatchNorm" {rest} batch_norm_param {{ {fields} }}'


CASES = [
    Case("train", param(), [SHAPE], by_batch()),
    Case("train-eps", param("eps: 0.5"), [SHAPE], by_batch(0.5)),
    Case("train-eps-0", param("eps: 0"), [SHAPE], by_batch(0)),
    Case("two-axes-eps-0", param("eps: 0"), [(5, 3)], by_batch(0)),
    Case("own-scale-eps-0", param("scale_bias: true eps: 0"), [SHAPE], scaled(by_batch(0))),
    Case("global-eps-below-0", param("eps: -0.25"), [SHAPE], by_sums(-0.25), phase=TEST, blobs=SUMS),
    Case("two-axes", param(), [(5, 3)], by_batch()),
    Case("five-axes", param(), [(2, 3, 2, 1, 3)], by_batch()),
    Case("one-item-per-channel", param(), [(1, 3, 1)], lambda x, *_: 0 * x),
    Case(
        "parts",
        param("stats_batch_size: 2"),
        [SHAPE],
        lambda x, *_: np.concatenate([by_batch()(x[:2]), by_batch()(x[2:])]),
        onnx="normalises each 2 of the N records by themselves",
    ),
    Case("parts-global", param("stats_batch_size: 3"), [SHAPE], by_sums(), phase=TEST, blobs=SUMS),
    Case("global", param(), [SHAPE], by_sums(), phase=TEST, blobs=SUMS),
    Case("global-eps", param("eps: 0.25"), [(5, 3)], by_sums(0.25), phase=TEST, blobs=SUMS),
    Case("global-in-train", param("use_global_stats: true"), [SHAPE], by_sums(), blobs=SUMS),
    Case("batch-in-test", param("use_global_stats: false"), [SHAPE], by_batch(), phase=TEST),
    Case("global-one-item", param(), [(1, 3)], by_sums(), phase=TEST, blobs=SUMS),
    Case("own-scale", param("scale_bias: true"), [SHAPE], scaled(by_batch())),
    Case("own-scale-two-axes", param("bias_filler { value: 2 }"), [(5, 3)], scaled(by_batch())),
    Case("own-scale-global", param("scale_bias: true"), [SHAPE], scaled(by_sums()), phase=TEST, blobs=OWN),
]

ERRORS = [
    Error(param(), [(6,)], r"bottom shape \(6,\) has 1 axes, at least 2 are needed"),
    Error(
        param(rest="param { lr_mult: 1 }"),
        [SHAPE],
        "param block 0 has lr_mult 1, .* set lr_mult: 0 or remove",
    ),
    Error(param(rest="param { lr_mult: 0 } param { }"), [SHAPE], "param block 1 has lr_mult 1"),
    Error(param("stats_batch_size: 3"), [SHAPE], "stats_batch_size 3 must divide the 4 records of a batch"),
    Error(param(), [()], r"bottom shape \(\) has 0 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_before_any_training_it_divides_by_sqrt_eps():
    layer = make(param(), (2, 3), phase=TEST)
    top = layer(torch.ones(2, 3, dtype=torch.float64))
    np.testing.assert_allclose(top, 1e-5**-0.5, rtol=1e-6)  # 316.2; eps is a float in the schema
    assert all((blob == 0).all() for blob in layer.blobs)


@pytest.mark.parametrize("phase, fields", [(TRAIN, ""), (TEST, "use_global_stats: false")])
def test_sums_and_counter(phase, fields):
    layer = make(param(f"moving_average_fraction: 0.75 {fields}"), SHAPE, phase=phase)
    mean, variance, counter = np.zeros(3), np.zeros(3), 0
    for step in range(3):
        x = draws(SHAPE, step) + step
        layer(torch.from_numpy(x))
        mean = 0.75 * mean + x.mean(axes(x))
        variance = 0.75 * variance + x.var(axes(x), ddof=1)
        counter = 0.75 * counter + 1
    for blob, wanted in zip(layer.blobs, (mean, variance, [counter]), strict=True):
        np.testing.assert_allclose(blob, wanted, rtol=1e-12)
    assert counter == 0.75**2 + 0.75 + 1


@pytest.mark.parametrize("replicas", [1, 2])
def test_parts_of_a_batch_have_statistics_of_their_own(replicas):
    layer = make(param("moving_average_fraction: 0.5 stats_batch_size: 2"), (6, 3, 5, 4), replicas=replicas)
    x = draws((6 * replicas, 3, 5, 4), 1)
    top = layer(torch.from_numpy(x)).detach().numpy()
    counter, mean, variance = 0.0, np.zeros(3), np.zeros(3)
    for part in range(3):
        for replica in range(replicas):
            rows = [replicas * record + replica for record in (2 * part, 2 * part + 1)]
            np.testing.assert_allclose(top[rows], by_batch()(x[rows]), rtol=1e-9)
        kept = x[replicas * 2 * part : replicas * 2 * (part + 1) : replicas]  # replica 0's
        counter, mean = 0.5 * counter + 1, 0.5 * mean + kept.mean(axes(kept))
        variance = 0.5 * variance + kept.var(axes(kept), ddof=1)
    for blob, wanted in zip(layer.blobs, (mean, variance, [counter]), strict=True):
        np.testing.assert_allclose(blob, wanted, rtol=1e-9)


def test_nvidias_averages():
    layer = make(param("moving_average_fraction: 0.75 scale_bias: true"), SHAPE)
    kept: tuple = ()
    for step in range(3):
        x = draws(SHAPE, step) + step
        layer(torch.from_numpy(x))
        batch = x.mean(axes(x)), x.var(axes(x), ddof=1)
        kept = tuple(0.75 * a + 0.25 * b for a, b in zip(kept, batch, strict=True)) if step else batch
    for blob, wanted in zip(layer.blobs, (*kept, [1], [1, 1, 1], [0, 0, 0]), strict=True):
        np.testing.assert_allclose(blob.detach(), wanted, rtol=1e-12)


def test_nvidias_scale_and_bias_are_filled_and_learn():
    rest = "param { lr_mult: 5 decay_mult: 3 }" * 4
    layer = make(param("scale_filler { value: 3 } bias_filler { value: 2 }", rest), SHAPE)
    assert [blob.tolist() for blob in layer.blobs][3:] == [[3, 3, 3], [2, 2, 2]]
    assert layer.fixed_blobs == {0, 1, 2}
    assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param.param] == [(0, 0)] * 3 + [(1, 1)] * 2


def test_a_scale_after_nvidias_own_is_one_normalisation():
    layer = make(param("scale_bias: true"), SHAPE)
    for blob, value in zip(layer.blobs, OWN, strict=True):
        blob.data.copy_(torch.from_numpy(value))
    x, gamma, beta = draws(SHAPE), draws((3,), 1), draws((3,), 2)
    top = layer.forward_scaled(*(torch.from_numpy(array) for array in (x, gamma, beta)))
    wanted = scaled(by_batch())(x, *OWN) * spread(gamma, x) + spread(beta, x)
    np.testing.assert_allclose(top.detach(), wanted, rtol=1e-10, atol=1e-12)


def test_default_fraction():
    layer = make(param(), SHAPE)
    for _ in range(2):
        layer(torch.ones(SHAPE, dtype=torch.float64))
    assert layer.blobs[2].item() == pytest.approx(1.999)


def test_one_item_per_channel_adds_no_variance():
    layer = make(param("moving_average_fraction: 0.5"), (1, 3))
    for x in ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0]):
        layer(torch.tensor([x], dtype=torch.float64))
    assert [blob.tolist() for blob in layer.blobs] == [[5.5, 7, 8.5], [0, 0, 0], [1.5]]


@pytest.mark.parametrize("phase, fields", [(TEST, ""), (TRAIN, "use_global_stats: true")])
def test_global_statistics_stay(phase, fields):
    layer = make(param(fields), SHAPE, phase=phase)
    for blob, value in zip(layer.blobs, SUMS, strict=True):
        blob.data.copy_(torch.from_numpy(value))
    layer(torch.from_numpy(draws(SHAPE)))
    assert [blob.tolist() for blob in layer.blobs] == [value.tolist() for value in SUMS]


def test_blobs_are_not_learned():
    layer = make(param(), SHAPE)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3,), (3,), (1,)]
    assert not any(blob.requires_grad for blob in layer.blobs) and layer.fixed_blobs == {0, 1, 2}


@pytest.mark.parametrize("given", [0, 1, 3])
def test_param_blocks_are_filled_up_to_three_of_lr_mult_0(given):
    layer = make(param(rest="param { lr_mult: 0 }" * given), SHAPE)
    assert [spec.lr_mult for spec in layer.param.param] == [0, 0, 0]


def test_exactly_three_param_blocks_are_upgraded():
    """One block of lr_mult 1 is refused; three are set to 0 when the file is read, as in Caffe."""
    text = (
        'layer { name: "l" type: "BatchNorm" bottom: "x" top: "y" '
        + "param { lr_mult: 1 decay_mult: 1 }" * 3
        + " }"
    )
    net = parse(text, NetParameter)
    upgrade_net(net, "test.prototxt")
    assert [spec.lr_mult for spec in net.layer[0].param] == [0, 0, 0]


def test_other_channels_refused():
    layer = make(param(), SHAPE)
    assert layer.reshape((9, 3)) == [(9, 3)]
    with pytest.raises(LayerError, match=r"\(2, 4\) has 4 channels, but the statistics were made for 3"):
        layer.reshape((2, 4))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "shape, phase, fields",
    [
        (SHAPE, TRAIN, ""),
        (SHAPE, TEST, ""),
        (SHAPE, TRAIN, "use_global_stats: true"),
        (SHAPE, TEST, "use_global_stats: false"),
        ((5, 3), TRAIN, ""),
        ((1, 3, 1, 1), TRAIN, ""),
    ],
)
def test_scaled_is_the_same_as_the_two_layers(shape, phase, fields, bias):
    results = []
    for fused in (True, False):
        norm = make(param(f"moving_average_fraction: 0.75 {fields}"), shape, phase=phase)
        for blob, value in zip(norm.blobs, SUMS, strict=True):
            blob.data.copy_(torch.from_numpy(value))
        scale = make(f'type: "Scale" scale_param {{ bias_term: {str(bias).lower()} }}', shape, phase=phase)
        for seed, blob in enumerate(scale.parameters()):
            blob.data.copy_(torch.from_numpy(draws(blob.shape, seed)))
        x = torch.tensor(draws(shape, 8), requires_grad=True)
        if fused:
            top = norm.forward_scaled(x, scale.blobs[0], scale.blobs[1] if bias else None)
        else:
            top = scale(norm(x))
        (top * torch.from_numpy(draws(shape, 9))).sum().backward()
        results.append(
            [top.detach(), x.grad, *(b.grad for b in scale.parameters()), *(b.detach() for b in norm.blobs)]
        )
    for fused, apart in zip(*results, strict=True):
        np.testing.assert_allclose(fused, apart, rtol=1e-11, atol=1e-12)


def test_eps_0_adds_to_the_sums_as_any_eps_does():
    found = []
    for eps in (0, 1e-9):
        layer = make(param(f"eps: {eps}"), SHAPE)
        layer(torch.arange(math.prod(SHAPE)).double().reshape(SHAPE))
        found.append([blob.tolist() for blob in layer.blobs])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, 1e-6)


def test_eps_0_divides_0_by_0_as_caffe_does():
    for shape in ((1, 3), (2, 3, 2)):
        (top,) = run(make(param("eps: 0"), shape), torch.ones(shape))
        assert top.isnan().all()
