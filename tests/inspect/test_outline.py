"""Nets built for their shapes alone."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError, LayerError
from caffe_compat.inspect.outline import Outline, StandIn, copy_of, sources, state_of
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import TEST, TRAIN, NetParameter, NetState, SolverParameter
from caffe_compat.proto.binary import write_binaryproto
from caffe_compat.proto.text import Reader, parse
from tests.layers.harness import Case, layer_param

LAYER_TESTS = sorted(path.stem for path in (Path(__file__).parents[1] / "layers").glob("test_*.py"))


def layer_cases():
    for name in LAYER_TESTS:
        module = importlib.import_module(f"tests.layers.{name}")
        yield from (case for case in getattr(module, "CASES", ()) if isinstance(case, Case))


@pytest.mark.slow
def test_every_layer_has_the_same_shapes_without_values():
    """Of all the cases of the layer tests."""
    count = 0
    for case in layer_cases():
        shapes = [tuple(b.shape) if hasattr(b, "shape") else tuple(b) for b in case.bottoms]
        found = []
        for device in ("cpu", "meta"):
            layer = create_layer(layer_param(case.layer, len(shapes)), case.phase, Context(device=device))
            layer.setup(*shapes)
            tops = layer.reshape(*shapes)
            layer.to(device)
            assert {blob.device.type for blob in layer.owned_blobs()} <= {device}, case.name
            found.append((tops, [tuple(blob.shape) for blob in layer.blobs], sorted(layer.fixed_blobs)))
        assert found[0] == found[1], case.name
        count += 1
    assert count > 200


def test_large_weights_take_no_memory():
    net = parse(
        """layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 1000000 } } }
        layer { name: "f" type: "InnerProduct" bottom: "x" top: "f" inner_product_param { num_output: 1000000
          weight_filler { type: "gaussian" } } }""",
        NetParameter,
    )
    blob = Outline(net).net.layer("f").blobs[0]
    assert blob.is_meta
    assert blob.numel() == 10**12


PICTURES = [
    ("type: 'Data' transform_param { crop_size: 9 } data_param { source: 'gone' batch_size: 5 }", (5, 3, 9, 9)),
    ("type: 'Data' transform_param { crop_size: 9 force_gray: true } data_param { batch_size: 5 }", (5, 1, 9, 9)),
    ("type: 'Data' transform_param { mean_file: 'mean' } data_param { source: 'gone' batch_size: 5 }", (5, 4, 6, 7)),
    ("type: 'ImageData' image_data_param { source: 'gone' batch_size: 5 new_height: 8 new_width: 9 }", (5, 3, 8, 9)),
    ("type: 'ImageData' image_data_param { source: 'gone' batch_size: 5 new_height: 8 new_width: 9 is_color: false }",
     (5, 1, 8, 9)),
    ("type: 'WindowData' transform_param { crop_size: 9 } window_data_param { source: 'gone' batch_size: 5 }", (5, 3, 9, 9)),
]  # fmt: skip


@pytest.mark.parametrize("text, shape", PICTURES)
def test_parameters_tell_the_shapes_of_pictures(text, shape, tmp_path):
    write_binaryproto(str(tmp_path / "mean"), np.zeros((4, 6, 7), np.float32))
    outline = Outline(
        parse(f"layer {{ name: 'd' top: 'x' top: 'y' {text} }}", NetParameter), reader=Reader(str(tmp_path))
    )
    assert outline.net.blob_shapes == {"x": shape, "y": (5,)}
    assert isinstance(outline.net.layers[0], StandIn)
    (note,) = outline.notes
    assert f"assumed x {' x '.join(map(str, shape))}, y 5, as there is no data to look at" in note


def test_parameters_that_do_not_tell():
    rows = "layer { name: 'd' type: 'HDF5Data' top: 'x' top: 'y' hdf5_data_param { source: 'gone' batch_size: 5 } }"
    with pytest.raises(
        DataError, match="layer 'd' .HDF5Data.: .*gone.* to go on without it give the shape: --input x="
    ):
        Outline(parse(rows, NetParameter))
    outline = Outline(parse(rows, NetParameter), inputs={"x": (4, 6)})
    assert outline.net.blob_shapes == {"x": (4, 6), "y": (4,)}


def test_labels_of_pixels_are_as_large_as_the_pictures_that_are_given():
    net = parse(
        """layer { name: "d" type: "DenseImageData" top: "x" top: "y"
        dense_image_data_param { source: "gone" batch_size: 2 } }""",
        NetParameter,
    )
    assert Outline(net, inputs={"x": (2, 3, 5, 7)}).net.blob_shapes == {"x": (2, 3, 5, 7), "y": (2, 1, 5, 7)}


def test_inputs_of_a_layer_that_is_no_data_layer():
    net = parse(
        """layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 6 dim: 4 } } }
        layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "b" slice_param { axis: 0 } }""",
        NetParameter,
    )
    with pytest.raises(
        LayerError, match=r"layer 's' \(Slice\): --input gives a of the tops a, b; give all of them or none"
    ):
        Outline(net, inputs={"a": (3, 4)})
    shapes = Outline(net, inputs={"a": (3, 5), "b": (2, 5)}).net.blob_shapes
    assert (shapes["a"], shapes["b"]) == ((3, 5), (2, 5))


def test_names_are_those_of_the_file():
    net = parse(
        """layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 6 dim: 4 } } }
        layer { name: "a" type: "ReLU" bottom: "x" top: "a" }
        layer { name: "s" type: "Split" bottom: "x" top: "b" top: "c" }""",
        NetParameter,
    )
    outline = Outline(net)
    assert [outline.net.layer_names[i] for i in outline.rows] == ["i", "a", "s"]
    assert [outline.bottoms(i) for i in outline.rows] == [[], ["x"], ["x"]]
    assert torch.Size([6, 4]) == outline.net.blob_shapes["c"]


def test_the_nets_and_states_of_a_solver():
    solver = parse(
        """net: "n" test_net: "t" test_iter: [1, 2, 3] train_state { stage: "a" }
        test_state { stage: "b" } test_state { level: 4 } test_state { }""",
        SolverParameter,
    )
    assert (sources(solver, TRAIN), sources(solver, TEST)) == (["n"], ["t", "n", "n"])
    own = parse('train_net_param { name: "own" } net: "n"', SolverParameter)
    assert [net.name for net in sources(own, TRAIN)] == ["own"]
    net = parse('state { phase: TEST stage: "mine" }', NetParameter)
    assert state_of(solver, net, TRAIN) == NetState(phase=TRAIN, stage=["mine", "a"])
    assert state_of(solver, net, TEST, 1) == NetState(phase=TEST, stage=["mine"], level=4)
    assert copy_of(net, NetState(level=2)).state == NetState(level=2)
    assert net.state.stage == ["mine"]
