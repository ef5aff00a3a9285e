"""Fillers: values, bounds and moments by Caffe's rules, and every refusal."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat import fillers
from caffe_compat.proto import FillerParameter


class Refused(Exception):
    pass


def fail(what):
    raise Refused(what)


def filled(shape, seed=1, **fields):
    blob = torch.full(shape, torch.nan, dtype=torch.float64)
    fillers.fill(blob, FillerParameter(**fields), torch.Generator().manual_seed(seed), fail)
    assert not blob.isnan().any()
    return blob.numpy()


def test_default_is_zero():
    assert (filled((2, 3)) == 0).all()


def test_constant():
    assert (filled((2, 3), value=1.5) == 1.5).all()
    assert filled((), value=0.25) == 0.25


def test_uniform():
    values = filled((50, 40), type="uniform")
    assert 0 <= values.min() < 0.01 and 0.99 < values.max() <= 1
    values = filled((50, 40), type="uniform", min=-3, max=-1)
    assert -3 <= values.min() < -2.98 and -1.02 < values.max() <= -1
    assert (filled((2, 3), type="uniform", min=2, max=2) == 2).all()


def test_gaussian():
    values = filled((100, 80), type="gaussian")
    assert values.mean() == pytest.approx(0, abs=0.04) and values.std() == pytest.approx(1, abs=0.03)
    values = filled((100, 80), type="gaussian", mean=5, std=0.1)
    assert values.mean() == pytest.approx(5, abs=0.004) and values.std() == pytest.approx(0.1, abs=0.003)


def test_sparse_gaussian_keeps_by_number_of_outputs():
    kept = filled((20, 3000), type="gaussian", sparse=5) != 0
    assert kept.mean() == pytest.approx(5 / 20, abs=0.01)
    assert len(set(kept.sum(0))) > 3  # a coin a weight, not an exact count
    assert (filled((20, 30), type="gaussian", sparse=0) == 0).all()
    assert (filled((4, 30), type="gaussian", sparse=4) != 0).all()


def test_positive_unitball():
    values = filled((7, 3, 5), type="positive_unitball")
    assert values.min() > 0
    np.testing.assert_allclose(values.reshape(7, -1).sum(1), 1)


@pytest.mark.parametrize(
    "shape, norm, n",
    [
        ((30, 20, 5, 3), FillerParameter.FAN_IN, 20 * 5 * 3),
        ((30, 20, 5, 3), FillerParameter.FAN_OUT, 30 * 5 * 3),
        ((30, 20, 5, 3), FillerParameter.AVERAGE, 25 * 5 * 3),
        ((60, 150), FillerParameter.FAN_IN, 150),
        ((60, 150), FillerParameter.FAN_OUT, 60),
        ((9000,), FillerParameter.FAN_IN, 1),
        ((9000,), FillerParameter.FAN_OUT, 9000),
        ((9000,), FillerParameter.AVERAGE, 4500.5),
    ],
)
def test_xavier_and_msra_scale(shape, norm, n):
    values = filled(shape, type="xavier", variance_norm=norm)
    bound = (3 / n) ** 0.5
    assert 0.99 * bound < np.abs(values).max() <= bound
    assert values.std() == pytest.approx(n**-0.5, rel=0.03)
    values = filled(shape, type="msra", variance_norm=norm)
    assert values.std() == pytest.approx((2 / n) ** 0.5, rel=0.03)
    assert np.abs(values).max() > 3 * (2 / n) ** 0.5  # a normal distribution, not a cut one


@pytest.mark.parametrize(
    "size, row", [(3, [0.5, 1, 0.5]), (4, [0.25, 0.75, 0.75, 0.25]), (1, [1]), (2, [0.5, 0.5])]
)
def test_bilinear(size, row):
    values = filled((5, 2, size, size), type="bilinear")
    np.testing.assert_allclose(values, np.broadcast_to(np.outer(row, row), values.shape))


def test_draws_come_from_the_generator():
    for kind in ("uniform", "gaussian", "positive_unitball", "xavier", "msra"):
        torch.manual_seed(1)
        first = filled((3, 4), seed=7, type=kind)
        torch.manual_seed(2)
        np.testing.assert_array_equal(first, filled((3, 4), seed=7, type=kind))
        assert not (first == filled((3, 4), seed=8, type=kind)).any()


@pytest.mark.parametrize(
    "shape, fields, match",
    [
        ((2, 3), {"type": "xaver"}, r"unknown filler type 'xaver'; did you mean 'xavier'\?"),
        (
            (2, 3),
            {"type": "?"},
            "known fillers: bilinear, constant, gaussian, msra, positive_unitball and 2 more",
        ),
        ((2, 3), {"type": "uniform", "min": 2, "max": 1}, "min 2 above max 1; swap them"),
        ((2, 3), {"type": "gaussian", "std": 0}, "std 0, it must be above 0"),
        ((2, 3), {"type": "gaussian", "std": float("nan")}, "std nan, it must be above 0"),
        (
            (2, 3),
            {"type": "gaussian", "sparse": 3},
            "sparse 3, which must be between 0 and the blob's first dimension 2",
        ),
        ((2, 3), {"type": "gaussian", "sparse": -2}, "sparse -2"),
        ((2, 3), {"type": "msra", "sparse": 1}, "sparse is 1, but filler 'msra' has no sparse form"),
        ((2, 0), {}, r"shape \(2, 0\): it has no elements"),
        ((), {"type": "msra"}, "'msra' needs a blob with axes"),
        ((), {"type": "positive_unitball"}, "positive_unitball needs a blob with axes"),
        ((2, 3, 4, 5), {"type": "bilinear"}, r"equal height and width, this one is \(2, 3, 4, 5\)"),
        ((3, 3), {"type": "bilinear"}, r"4-axis blob .* this one is \(3, 3\)"),
    ],
)
def test_refused(shape, fields, match):
    with pytest.raises(Refused, match=match):
        filled(shape, **fields)


def test_every_filler_is_tested():
    types = re.findall(r'type(?:="|": ")(\w+)', Path(__file__).read_text("utf-8"))
    assert set(types) >= set(fillers._REGISTRY) - {"constant"}, "the default, which no test names"


def test_registering_twice_names_both_modules():
    with pytest.raises(ValueError, match=f"'msra' is registered by both caffe_compat.fillers and {__name__}"):

        @fillers.filler("msra")
        def another(blob, param, generator, fail):
            blob.zero_()
