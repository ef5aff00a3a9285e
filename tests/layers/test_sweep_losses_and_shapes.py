"""A random sweep: layers with drawn shapes and parameters against the numpy formulas of their own tests."""

import numpy as np
import pytest

from tests.layers import test_argmax as argmax
from tests.layers import test_crop as crop
from tests.layers import test_infogain_loss as infogain
from tests.layers import test_losses as loss
from tests.layers import test_mvn as mvn
from tests.layers import test_recurrent as recurrent
from tests.layers import test_reduction as reduction
from tests.layers import test_sigmoid_cross_entropy_loss as sigmoid
from tests.layers import test_spp as spp
from tests.layers import test_tile as tile
from tests.layers.harness import Case, check, draws


def shape(rng, axes):
    """Different dimensions, 1 among them now and then."""
    return tuple(int(n) for n in rng.permutation(7)[:axes] + 1)


def a_reduction(rng):
    dims = shape(rng, int(rng.integers(1, 5)))
    axis = int(rng.integers(-len(dims), len(dims)))
    name, fold = [("SUM", np.sum), ("ASUM", reduction.asum), ("SUMSQ", reduction.sumsq), ("MEAN", np.mean)][
        rng.integers(4)
    ]
    coeff = float(rng.integers(-3, 4)) / 2
    text = f"operation: {name} axis: {axis} coeff: {coeff}"
    return f"reduction_param {{ {text} }}", [dims], reduction.reduction(fold, axis % len(dims), coeff), None


def a_tile(rng):
    dims = shape(rng, int(rng.integers(1, 5)))
    axis, tiles = int(rng.integers(-len(dims), len(dims))), int(rng.integers(1, 4))
    return f"tile_param {{ axis: {axis} tiles: {tiles} }}", [dims], tile.tile(axis, tiles), None


def an_mvn(rng):
    across, variance = bool(rng.integers(2)), bool(rng.integers(2))
    # One value alone, whose deviation is 0, has no derivative to compare with.
    dims = tuple(n + 1 for n in shape(rng, 4))
    text = f"across_channels: {str(across).lower()} normalize_variance: {str(variance).lower()}"
    return f"mvn_param {{ {text} }}", [dims], mvn.mvn(across, variance), None


def an_argmax(rng):
    dims = tuple(n + 1 for n in shape(rng, int(rng.integers(2, 5))))
    values = bool(rng.integers(2))
    text = f"out_max_val: {str(values).lower()} "
    # Few distinct values, so that many are equal.
    bottom = rng.integers(0, 3, dims).astype(float)
    if rng.integers(2):
        axis = int(rng.integers(len(dims)))
        k = int(rng.integers(1, dims[axis] + 1))
        return (
            f"argmax_param {{ {text} axis: {axis} top_k: {k} }}",
            [bottom],
            argmax.along(axis, k, values),
            (),
        )
    k = int(rng.integers(1, np.prod(dims[1:]) + 1))
    return f"argmax_param {{ {text} top_k: {k} }}", [bottom], argmax.flat(k, values), ()


def a_crop(rng):
    dims = shape(rng, int(rng.integers(2, 5)))
    axis = int(rng.integers(len(dims)))
    like = [int(rng.integers(1, n + 1)) for n in dims]
    offsets = [int(rng.integers(0, n - m + 1)) for n, m in zip(dims[axis:], like[axis:], strict=True)]
    if rng.integers(2):
        offsets = [min(offsets)]
    text = " ".join(f"offset: {o}" for o in offsets)
    return f"crop_param {{ axis: {axis} {text} }}", [dims, tuple(like)], crop.crop(axis, *offsets), (0,)


def an_spp(rng):
    levels, method = int(rng.integers(1, 4)), ("MAX", "AVE")[rng.integers(2)]
    size = rng.permutation(6)[:2] + 2 ** (levels - 1) * 2
    dims = (*shape(rng, 2), *(int(n) for n in size))
    return f"spp_param {{ pyramid_height: {levels} pool: {method} }}", [dims], spp.spp(levels, method), None


def a_euclidean_loss(rng):
    dims = shape(rng, int(rng.integers(1, 5)))
    return "", [dims, (dims[0], int(np.prod(dims[1:])))], loss.euclidean, None


def a_hinge_loss(rng):
    dims = shape(rng, int(rng.integers(2, 5)))
    labels = rng.uniform(0, np.prod(dims[1:]), dims[0])
    power = int(rng.integers(1, 3))
    return f"hinge_loss_param {{ norm: L{power} }}", [dims, labels], loss.hinge(power), (0,)


def a_multinomial_loss(rng):
    dims = shape(rng, int(rng.integers(2, 5)))
    labels = rng.uniform(0, np.prod(dims[1:]), (dims[0], 1))
    return "", [np.abs(draws(dims, int(rng.integers(100)))), labels], loss.multinomial, (0,)


NORMALIZATION = {
    "FULL": lambda valid, full, batch: full,
    "VALID": lambda valid, full, batch: valid,
    "BATCH_SIZE": lambda valid, full, batch: batch,
    "NONE": lambda valid, full, batch: 1,
}


def an_infogain_loss(rng):
    dims = shape(rng, int(rng.integers(2, 5)))
    axis = int(rng.integers(1, len(dims)))
    labels = rng.integers(0, dims[axis], (*dims[:axis], *dims[axis + 1 :]))
    matrix = np.abs(draws((dims[axis],) * 2, int(rng.integers(100))))
    mode = list(NORMALIZATION)[rng.integers(4)]
    ignore = int(rng.integers(dims[axis]))
    text = f"infogain_loss_param {{ axis: {axis} }} loss_param {{ ignore_label: {ignore} normalization: {mode} }}"
    return text, [dims, labels, matrix], infogain.infogain(axis, ignore, NORMALIZATION[mode]), (0,)


def a_sigmoid_loss(rng):
    dims = shape(rng, int(rng.integers(1, 5)))
    mode = list(NORMALIZATION)[rng.integers(4)]
    text = f"loss_param {{ ignore_label: -1 normalization: {mode} }}"
    return text, [dims, rng.integers(-1, 2, dims)], sigmoid.cross_entropy(NORMALIZATION[mode], -1), (0,)


def a_recurrent(kind, formula):
    def draw(rng):
        steps, streams, size, outputs, other = shape(rng, 5)
        static = bool(rng.integers(2))
        cont = rng.integers(0, 2, (steps, streams))
        cont[0] = 0
        bottoms = [(steps, streams, size), cont, *[(streams, other)] * static]
        return (
            f"recurrent_param {{ num_output: {outputs} }}",
            bottoms,
            lambda *arrays: formula(*arrays, static=static),
            (0, 2) if static else (0,),
        )

    return draw


DRAW = {
    "Reduction": a_reduction,
    "Tile": a_tile,
    "MVN": an_mvn,
    "ArgMax": an_argmax,
    "Crop": a_crop,
    "SPP": an_spp,
    "EuclideanLoss": a_euclidean_loss,
    "HingeLoss": a_hinge_loss,
    "MultinomialLogisticLoss": a_multinomial_loss,
    "InfogainLoss": an_infogain_loss,
    "SigmoidCrossEntropyLoss": a_sigmoid_loss,
    "LSTM": a_recurrent("LSTM", recurrent.lstm),
    "RNN": a_recurrent("RNN", recurrent.rnn),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", DRAW)
def test_sweep(kind, seed):
    params, bottoms, formula, gradient = DRAW[kind](np.random.default_rng([seed, *kind.encode()]))
    check(Case(f"{kind}_{seed}", f'type: "{kind}" {params}', bottoms, formula, gradient=gradient))
