"""DummyData: shapes and fillers, once for all tops or once a top."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.data_harness import assert_resumes, load, make

FILLED = 'type: "DummyData" dummy_data_param { shape { dim: 2 dim: 3 } %s }'
NORMAL = 'data_filler { type: "gaussian" std: 2 }'


def test_shapes():
    one = 'type: "DummyData" dummy_data_param { shape { dim: 2 dim: 3 dim: 4 } }'
    assert make(one, top=2).reshape() == [(2, 3, 4), (2, 3, 4)]
    each = 'type: "DummyData" dummy_data_param { shape { dim: 2 } shape { dim: 5 dim: 4 } }'
    assert make(each, top=2).reshape() == [(2,), (5, 4)]
    old = 'type: "DummyData" dummy_data_param { num: 2 num: 6 channels: 3 height: 4 width: 5 width: 7 }'
    assert make(old, top=2).reshape() == [(2, 3, 4, 5), (6, 3, 4, 7)]


def test_zeros_without_a_filler():
    (tops,) = load(make(FILLED % "", top=1))
    np.testing.assert_array_equal(tops[0], np.zeros((2, 3)))


def test_constants_stay_and_others_change():
    layer = make(FILLED % ("data_filler { value: 7 }" + NORMAL), top=2)
    first, second = load(layer, 2)
    assert (first[0] == 7).all() and (second[0] == 7).all()
    assert not (first[1] == second[1]).any()
    assert layer.load(torch.device("cpu"))[0] is layer.load(torch.device("cpu"))[0]


def test_one_filler_for_all_tops_fills_each_anew():
    ((a, b),) = load(make(FILLED % NORMAL, top=2))
    assert not (a == b).any()


def test_resumes_exactly():
    assert_resumes(lambda seed: make(FILLED % NORMAL, top=2, seed=seed))


def test_rows_of_all_replicas():
    ((rows,),) = load(make(FILLED % NORMAL, top=1, replicas=3, rank=None))
    assert rows.shape == (6, 3) and len(np.unique(rows)) == 18
    ((alone,),) = load(make(FILLED % NORMAL, top=1))
    np.testing.assert_array_equal(rows[0::3], alone)
    ((one,),) = load(make(FILLED % NORMAL, top=1, replicas=3, rank=1))
    assert one.shape == (2, 3)


def test_double_precision():
    assert load(make(FILLED % NORMAL, top=1, dtype=torch.float64))[0][0].dtype == np.float64


@pytest.mark.parametrize(
    "text, message",
    [
        (FILLED % (NORMAL * 2), "2 data_filler for 3 tops; give none, one for all tops, or one a top"),
        (
            'type: "DummyData" dummy_data_param { shape { dim: 1 } shape { dim: 2 } }',
            "2 shape for 3 tops; give one for all",
        ),
        ('type: "DummyData"', "0 shape for 3 tops; give one for all tops or one a top"),
        ('type: "DummyData" dummy_data_param { num: 1 channels: 1 height: 1 }', "0 width for 3 tops"),
        (
            'type: "DummyData" dummy_data_param { num: 1 shape { dim: 2 } }',
            "both shape and the old num, channels",
        ),
    ],
)
def test_refusals_name_the_layer(text, message):
    with pytest.raises(LayerError, match=message) as caught:
        make(text, top=3)
    assert str(caught.value).startswith("test.prototxt:1: layer 'd' (DummyData): ")
