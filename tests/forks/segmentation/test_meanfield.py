"""MultiStageMeanfield: the lattice against one kept in a dictionary and against Gaussians, the layer by its formula."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.forks.segmentation.meanfield import Lattice
from tests.layers.harness import Error, draws, errors, make

HEIGHT, WIDTH, CLASSES, N = 4, 5, 3, 2
TEXT = (
    'type: "MultiStageMeanfield" multi_stage_meanfield_param { num_iterations: 3 theta_alpha: 8 theta_beta: 2 '
    "theta_gamma: 1.5 threshold: 2 spatial_filter_weight: 3 bilateral_filter_weight: 5 %s }"
)
UNARY = (N, CLASSES, HEIGHT, WIDTH)
SHAPES = [UNARY, UNARY, (N, 3, HEIGHT, WIDTH)]


def simplex(point):
    """The corners (d + 1 whole numbers each, without the last) around a point, and its weights."""
    d = len(point)
    lifted, total = [0.0] * (d + 1), 0.0
    for j in range(d, 0, -1):
        c = point[j - 1] * math.sqrt(2 / 3) * (d + 1) / math.sqrt(j * (j + 1))
        lifted[j], total = total - j * c, total + c
    lifted[0] = total
    base = [round(v / (d + 1)) * (d + 1) for v in lifted]
    excess = sum(base) // (d + 1)
    order = sorted(range(d + 1), key=lambda i: base[i] - lifted[i])
    rank = [order.index(i) + excess for i in range(d + 1)]
    for i in range(d + 1):
        turn = (d + 1) * ((rank[i] < 0) - (rank[i] > d))
        rank[i], base[i] = rank[i] + turn, base[i] + turn
    share = sorted(((lifted[i] - base[i]) / (d + 1) for i in range(d + 1)), reverse=True)  # by rank
    weights = [1 - share[0] + share[d]] + [share[d - k] - share[d - k + 1] for k in range(1, d + 1)]
    corners = [tuple(base[i] + k - (d + 1) * (rank[i] > d - k) for i in range(d + 1)) for k in range(d + 1)]
    return corners, weights


def filtered(features, values):
    d, mass = features.shape[1], {}
    spread = [simplex(point) for point in features.tolist()]
    for (corners, weights), value in zip(spread, values, strict=True):
        for corner, weight in zip(corners, weights, strict=True):
            mass[corner] = mass.get(corner, 0) + weight * value
    for axis in range(d + 1):
        step = [d if i == axis else -1 for i in range(d + 1)]
        mass = {
            corner: value
            + sum(
                mass.get(tuple(c + sign * s for c, s in zip(corner, step, strict=True)), 0)
                for sign in (1, -1)
            )
            / 2
            for corner, value in mass.items()
        }
    sums = [sum(w * mass[c] for c, w in zip(*each, strict=True)) for each in spread]
    return np.array(sums) / (1 + 2.0**-d)


def places():
    return np.array([(j, i) for i in range(HEIGHT) for j in range(WIDTH)], float)


def meanfield(unary, guess, picture, spatial, bilateral, compatibility):
    top = np.empty_like(unary)
    for n in range(N):
        near = places() / 1.5
        alike = np.concatenate((places() / 8, picture[n].reshape(3, -1).T / 2), 1)
        q = guess[n].reshape(CLASSES, -1).T
        for _ in range(3):
            q = np.exp(q) / np.exp(q).sum(1, keepdims=True)
            message = 0
            for features, weights in ((near, spatial), (alike, bilateral)):
                ones = filtered(features, np.ones((len(features), 1)))
                message = message + filtered(features, q) / ones @ weights[0, 0].T
            q = unary[n].reshape(CLASSES, -1).T - message @ compatibility[0, 0].T
        top[n] = q.T.reshape(unary.shape[1:])
    return top


@pytest.mark.parametrize("size", [1, 2, 5])
def test_lattice(size):
    features, values = draws((40, size), 3) * 3, draws((40, 4), 4)
    lattice = Lattice(torch.from_numpy(features))
    np.testing.assert_allclose(lattice.weight.sum(1), 1, rtol=1e-5)
    assert lattice.weight.min() > -1e-5
    np.testing.assert_allclose(
        lattice(torch.from_numpy(values)), filtered(features, values), rtol=1e-3, atol=1e-5
    )


def test_the_lattice_is_nearly_a_gaussian():
    points = np.array([(j, i) for i in range(24) for j in range(24)]) / 3
    values = np.zeros((576, 1))
    values[12 * 24 + 11] = 1
    lattice = Lattice(torch.from_numpy(points))
    ours = (lattice(torch.from_numpy(values)) / lattice.normal()).numpy()[:, 0]
    distance = ((points - points[12 * 24 + 11]) ** 2).sum(1)
    wanted = np.exp(-distance / 2)
    wanted /= wanted.sum()
    inner = distance < 4
    assert np.corrcoef(ours[inner], wanted[inner])[0, 1] > 0.98 and abs(ours.sum() - 1) < 0.1


def blobs():
    return [
        np.eye(CLASSES)[None, None] * scale + draws((1, 1, CLASSES, CLASSES), 3) / 5 for scale in (1, 2, -1)
    ]


def made():
    layer = make(TEXT % "", *SHAPES)
    for blob, value in zip(layer.blobs.parameters(), blobs(), strict=True):
        blob.data.copy_(torch.from_numpy(value))
    return layer


def bottoms():
    return [draws(UNARY, 1), draws(UNARY, 2), draws(SHAPES[2], 3) * 2]


def test_inference():
    layer = made()
    top = layer(*map(torch.from_numpy, bottoms()))
    np.testing.assert_allclose(top.detach(), meanfield(*bottoms(), *blobs()), rtol=1e-3, atol=1e-4)
    assert layer.reshape(*SHAPES) == [top.shape]


def test_gradients():
    layer = made()
    unary, guess, picture = (torch.tensor(b, requires_grad=True) for b in bottoms())
    names = [name for name, _ in layer.named_parameters()]

    def function(unary, guess, *values):
        return torch.func.functional_call(
            layer, dict(zip(names, values, strict=True)), (unary, guess, picture)
        )

    values = [blob.detach().clone().requires_grad_() for blob in layer.parameters()]
    assert torch.autograd.gradcheck(function, (unary, guess, *values), fast_mode=True)
    layer(unary, guess, picture).sum().backward()
    assert picture.grad is None


def test_another_size():
    layer = made()
    first = layer(*map(torch.from_numpy, bottoms()))
    smaller = [torch.from_numpy(b[:, :, :3].copy()) for b in bottoms()]
    layer.reshape(*(b.shape for b in smaller))
    assert layer(*smaller).shape == (N, CLASSES, 3, WIDTH)
    torch.testing.assert_close(layer(*map(torch.from_numpy, bottoms())), first)


def test_weights(tmp_path, monkeypatch):
    def diagonals():
        return [blob[0, 0].diagonal().tolist() for blob in make(TEXT % "", *SHAPES).blobs]

    monkeypatch.chdir(tmp_path)
    assert diagonals() == [[3] * 3, [5] * 3, [-1] * 3]
    (tmp_path / "spatial.par").write_text("1 2 4 9\n")
    assert diagonals() == [[1, 2, 4], [5] * 3, [-1] * 3]
    assert make(TEXT % "", *SHAPES).blobs[0].shape == (1, 1, CLASSES, CLASSES)


@pytest.mark.parametrize(
    "text, match", [("1 2", "holds 2 numbers for 3 classes"), ("1 a 2", "it must hold a number a class")]
)
def test_weights_that_do_not_fit(tmp_path, monkeypatch, text, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bilateral.par").write_text(text)
    test = errors([Error(TEXT % "", SHAPES, f"bilateral.par.*{match}")])
    test(Error(TEXT % "", SHAPES, f"bilateral.par.*{match}"))


ERRORS = [
    Error(
        TEXT.replace("num_iterations: 3", "num_iterations: 1") % "",
        SHAPES,
        "num_iterations is 1 and must be above 1",
    ),
    Error(TEXT.replace("theta_beta: 2", "theta_beta: 0") % "", SHAPES, "theta_beta is 0 and must be above 0"),
    Error(TEXT % "", [UNARY[:3], *SHAPES[1:]], r"\(2, 3, 4\) has 3 axes, 4 are needed"),
    Error(
        TEXT % "",
        [UNARY, (N, CLASSES, 5, 4), SHAPES[2]],
        r"bottom 1 of shape \(2, 3, 5, 4\) must be as bottom 0",
    ),
    Error(
        TEXT % "", [UNARY, UNARY, (N, 1, 4, 5)], r"bottom 2 of shape \(2, 1, 4, 5\) must be \(2, 3, 4, 5\)"
    ),
]
test_error = errors(ERRORS)


def test_other_classes():
    layer = made()
    with pytest.raises(Exception, match="has 4 channels, but the weights were made for 3"):
        layer.reshape((N, 4, 4, 5), (N, 4, 4, 5), SHAPES[2])


def test_features_that_spread_too_far():
    with pytest.raises(OverflowError, match="its features spread over"):
        Lattice(torch.tensor([[0.0] * 5, [1e5] * 5]))
    layer = make(TEXT.replace("theta_beta: 2", "theta_beta: 0.00001") % "", *SHAPES)
    with pytest.raises(Exception, match="more than can be numbered; use larger thetas"):
        layer(*(100 * torch.from_numpy(b) for b in bottoms()))
