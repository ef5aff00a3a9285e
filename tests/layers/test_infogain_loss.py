"""InfogainLoss."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto.binary import write_binaryproto
from tests.layers.harness import Case, Error, cases, draws, errors, layer_param, make

H = np.abs(draws((4, 4), 9))
SPATIAL = np.array([[[0, 3, 1], [2, 2, 0]], [[1, 1, 3], [0, 2, 3]]])  # labels of a (2, 4, 2, 3) prediction


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def infogain(axis=1, ignore=None, divide=None):
    """`divide` maps (how many labels count, how many there are, batch size) to the normalizer."""

    def formula(x, label, h):
        p = np.moveaxis(softmax(x, axis), axis, -1).reshape(-1, x.shape[axis])
        loss, count = 0.0, 0
        for row, k in zip(p, label.astype(int).flat, strict=True):
            if k == ignore:
                continue
            count += 1
            loss -= sum(h.reshape(len(row), -1)[k, j] * np.log(max(row[j], 1e-20)) for j in range(len(row)))
        normalizer = count if divide is None else divide(count, len(p), int(np.prod(x.shape[:axis])))
        return np.float64(loss / max(1, normalizer))

    return formula


def case(name, params, bottoms, formula):
    return Case(name, f'type: "InfogainLoss" {params}', bottoms, formula, gradient=(0,))


IGNORE = np.where(SPATIAL == 2, 255, SPATIAL)

CASES = [
    case("plain", "", [(3, 4), np.array([3, 0, 1.8]), H], infogain()),
    case("spatial", "", [(2, 4, 2, 3), SPATIAL, H.reshape(1, 1, 4, 4)], infogain()),
    case("last_axis", "infogain_loss_param { axis: -1 }", [(2, 3, 4), SPATIAL[:, 0], H], infogain(2)),
    case("ignore", "loss_param { ignore_label: 255 }", [(2, 4, 2, 3), IGNORE, H], infogain(1, 255)),
    case(
        "ignore_full",
        "loss_param { ignore_label: 255 normalization: FULL }",
        [(2, 4, 2, 3), IGNORE, H],
        infogain(1, 255, lambda valid, full, batch: full),
    ),
    case(
        "batch_size",
        "loss_param { normalization: BATCH_SIZE }",
        [(2, 4, 2, 3), SPATIAL, H],
        infogain(1, None, lambda valid, full, batch: batch),
    ),
    case(
        "none",
        "loss_param { normalization: NONE }",
        [(2, 4, 2, 3), SPATIAL, H],
        infogain(1, None, lambda valid, full, batch: 1),
    ),
    case("all_ignored", "loss_param { ignore_label: 7 }", [(3, 4), np.full(3, 7), H], infogain(1, 7)),
    Case(
        "floor",
        'type: "InfogainLoss"',
        [np.array([[100.0, 0, 1, 2], [0, 200, 3, 1], [5, 0, 0, -90]]), np.array([3, 1, 0]), H],
        infogain(),
        # Not floored: p sum(H row) - H row.
        lambda top, x, label, h: (
            top[0] / 3 * (softmax(x, 1) * h[[3, 1, 0]].sum(1, keepdims=True) - h[[3, 1, 0]])
        ),
        gradient=(0,),
    ),
    case(
        "probabilities",
        'top: "loss" top: "p"',
        [(2, 4, 2, 3), SPATIAL, H],
        lambda x, label, h: (infogain()(x, label, h), softmax(x, 1)),
    ),
]

TWO = 'type: "InfogainLoss" infogain_loss_param { source: "nowhere" }'
THREE = 'type: "InfogainLoss"'
ERRORS = [
    Error('type: "InfogainLoss"', [(3, 4), (3,)], "has 2 bottoms and no infogain_loss_param.source"),
    Error(THREE + " loss_param { normalize: true }", [(3, 4), (3,), (4, 4)], "write `normalization: VALID`"),
    Error(THREE + " loss_param { normalize: false }", [(3, 4), (3,), (4, 4)], "`normalization: BATCH_SIZE`"),
    Error(THREE, [(3, 4), (2,), (4, 4)], "differ in their first dimension"),
    Error(THREE, [(3, 4, 5), (3,), (4, 4)], r"has 15 predictions \(4 classes on axis 1\) .* has 3 labels"),
    Error(THREE, [(3, 4), (3,), (4, 3)], r"matrix of shape \(4, 3\) has 12 values and must have 4 x 4 = 16"),
    Error(THREE + " infogain_loss_param { axis: 2 }", [(3, 4), (3,), (4, 4)], "axis 2 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_matrix_from_a_file(tmp_path):
    write_binaryproto(tmp_path / "h.binaryproto", H.astype(np.float32).reshape(1, 1, 4, 4))
    param = layer_param('type: "InfogainLoss" infogain_loss_param { source: "h.binaryproto" }', 2)
    layer = create_layer(param, TRAIN, Context(root=str(tmp_path), dtype=torch.float64))
    layer.setup((3, 4), (3,))
    assert layer.reshape((3, 4), (3,)) == [()]
    x, label = draws((3, 4)), np.array([3, 0, 1])
    loss = layer(torch.from_numpy(x), torch.from_numpy(label))
    np.testing.assert_allclose(loss.item(), infogain()(x, label, H.astype(np.float32)), rtol=1e-12)
    with pytest.raises(LayerError, match=r"has 16 values and must have 5 x 5 = 25"):
        layer.reshape((3, 5), (3,))


def test_only_the_prediction_takes_a_gradient():
    layer = make('type: "InfogainLoss"', (3, 4), (3,), (4, 4))
    assert [layer.allow_force_backward(i) for i in range(3)] == [True, False, False]
    x, label, h = torch.ones(3, 4), torch.zeros(3), torch.ones(4, 4)
    with pytest.raises(LayerError, match="cannot backpropagate to label inputs"):
        layer(x, label.clone().requires_grad_(), h)
    with pytest.raises(LayerError, match="cannot backpropagate to the infogain matrix"):
        layer(x, label, h.clone().requires_grad_())
    with pytest.raises(LayerError, match="label 4 is outside 0 to 3"):
        layer(x, label + 4, h)
