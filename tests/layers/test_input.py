"""Input: blobs that the caller fills."""

import numpy as np
import pytest
import torch

from caffe_compat.cli import main
from caffe_compat.errors import LayerError
from caffe_compat.net import Net
from caffe_compat.proto import text
from tests.layers.data_harness import CPU, load, make

TWO = 'type: "Input" input_param { shape { dim: 2 dim: 3 } shape { dim: 5 } }'


def test_shapes():
    assert make(TWO).reshape() == [(2, 3), (5,)]
    assert make('type: "Input" input_param { shape { dim: 2 dim: 3 } }').reshape() == [(2, 3), (2, 3)]
    assert make('type: "Input"').reshape() == [(0,), (0,)]


def test_zeros_at_first_then_what_was_written():
    layer = make(TWO, dtype=torch.float64)
    for top, shape in zip(load(layer)[0], [(2, 3), (5,)], strict=True):
        np.testing.assert_array_equal(top, np.zeros(shape))
    layer.tops[0][1, 2] = 7
    layer.tops[1] = torch.arange(4.0, dtype=torch.float64)
    assert layer.reshape() == [(2, 3), (4,)]
    first, second = layer.load(CPU)
    assert first[1, 2] == 7 and second.tolist() == [0, 1, 2, 3]


def test_nothing_to_resume():
    layer = make(TWO)
    layer.set_state(layer.get_state())
    assert layer.get_state() == {}


def test_too_many_shapes():
    with pytest.raises(
        LayerError,
        match=r"layer 'd' \(Input\): 2 shapes for 3 tops; give none, one for all tops, or one a top",
    ):
        make(TWO, top=3)


@pytest.mark.parametrize(
    "shape, problem",
    [
        ("dim: 1 dim: -1", r"\(1, -1\) has a size below 0"),
        (
            "dim: 65536 dim: 65536",
            r"\(65536, 65536\) has 4294967296 values, and a blob has at most 2147483647",
        ),
    ],
)
@pytest.mark.parametrize(
    "layer",
    [
        'type: "Input" input_param { shape { DIMS } }',
        'type: "DummyData" dummy_data_param { shape { DIMS } }',
        'type: "Parameter" parameter_param { shape { DIMS } }',
    ],
)
def test_sizes_that_no_blob_has(tmp_path, capsys, layer, shape, problem):
    file = tmp_path / "n.prototxt"
    file.write_text(f'layer {{ name: "x" top: "x" {layer.replace("DIMS", shape)} }}')
    param = text.read_net(file)
    with pytest.raises(
        LayerError, match=rf"n.prototxt:1: layer 'x' \(\w+\): (top 'x'|blob 0) of shape {problem}"
    ):
        Net(param)
    if "below" in problem:
        assert main(["show", str(file)]) == 1
        assert "has a size below 0" in capsys.readouterr().err
