"""Caffemodels: the bytes that Caffe writes, and forms of all ages and forks."""

import numpy as np
import pytest

from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.log.write import NULL
from caffe_compat.proto import LayerParameter, NetParameter, V1LayerParameter, binary
from caffe_compat.proto.binary import array_to_blob, read, read_caffemodel, write_caffemodel, write_message


def test_every_reference_caffemodel_is_rewritten_byte_for_byte(reference, tmp_path):
    files = sorted(reference.rglob("*.caffemodel"))
    assert len(files) > 40
    for file in files:
        net, layers = read_caffemodel(file)
        expected = read(file, NetParameter)
        assert [(name, type) for name, type, _ in layers] == [(x.name, x.type) for x in expected.layer]
        for (_, _, arrays), layer in zip(layers, expected.layer, strict=True):
            for array, blob in zip(arrays, layer.blobs, strict=True):
                assert array.shape == tuple(blob.shape.dim) and array.dtype == np.float32
                assert array.ravel().tolist() == list(blob.data)
        write_caffemodel(tmp_path / "again", net, [arrays for _, _, arrays in layers])
        assert (tmp_path / "again").read_bytes() == file.read_bytes(), file


def as_in_a_fork(tmp_path, layer_type, number, message):
    """A caffemodel of one layer whose `message` has a number of its fork's."""
    layer = LayerParameter(name="x", type=layer_type).SerializeToString()
    layer += binary.head(number, len(message)) + message
    path = tmp_path / "fork.caffemodel"
    path.write_bytes(binary.head(100, len(layer)) + layer)  # NetParameter.layer
    return read_caffemodel(path)[0].layer[0]


def test_a_number_that_forks_share_means_what_the_layers_type_takes(tmp_path):
    """143 is input_param in Caffe and interp_param in PSPNet's, 151 roi_pooling_param, box_output_param and others."""
    interp = LayerParameter(interp_param={"zoom_factor": 3}).interp_param
    layer = as_in_a_fork(tmp_path, "Interp", 143, interp.SerializeToString())
    assert (layer.interp_param, layer.HasField("input_param")) == (interp, False)
    shape = LayerParameter(input_param={"shape": [{"dim": [3, 4]}]}).input_param
    layer = as_in_a_fork(tmp_path, "Input", 143, shape.SerializeToString())
    assert (layer.input_param, layer.HasField("interp_param")) == (shape, False)


def test_a_forks_message_that_is_none_of_ours_is_left_out(tmp_path):
    layer = as_in_a_fork(tmp_path, "Convolution", 151, b"\xff\xff")
    assert (layer.name, layer.type, layer.ByteSize()) == ("x", "Convolution", 3 + 13)
    with pytest.raises(ParseError, match="convolution_param"):  # Caffe's own have one meaning
        as_in_a_fork(tmp_path, "Convolution", 106, b"\xff\xff")


def test_unpacked_file(tmp_path):
    wire = b"".join(b"\x2d" + np.float32(x).tobytes() for x in (1, 2)) + b"\x2a\x04" + np.float32(3).tobytes()
    layer = (
        LayerParameter(name="a").SerializeToString()
        + b"\x3a"
        + bytes([len(wire) + 4])
        + wire
        + b"\x3a\x02\x08\x03"
    )
    (tmp_path / "m").write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    assert read_caffemodel(tmp_path / "m")[1][0][2][0].tolist() == [1, 2, 3]


def test_v0_and_v1_caffemodels(tmp_path):
    weight = array_to_blob(np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1), legacy=True)
    bias = array_to_blob(np.float32([5, 6]), legacy=True)
    net = NetParameter(name="old", input=["data"])
    v1 = net.layers.add(
        name="c", type=V1LayerParameter.CONVOLUTION, bottom=["data"], top=["c"], blobs=[weight, bias]
    )
    v1.blobs_lr.extend([1, 2])
    net.layers.add(name="r", type=V1LayerParameter.RELU, bottom=["c"], top=["c"])
    write_message(tmp_path / "v1", net)
    upgraded, layers = read_caffemodel(tmp_path / "v1", NULL)
    assert [(name, type, [a.shape for a in arrays]) for name, type, arrays in layers] == [
        ("c", "Convolution", [(2, 3, 4, 1), (1, 1, 1, 2)]),
        ("r", "ReLU", []),
    ]
    assert layers[0][2][0].ravel().tolist() == list(range(24)) and layers[0][2][1].ravel().tolist() == [5, 6]
    assert not upgraded.layers and not upgraded.layer[0].blobs and upgraded.layer[0].param[1].lr_mult == 2

    net = NetParameter(name="older", input=["data"])
    net.layers.add(bottom=["data"], top=["p"]).layer.MergeFrom(net.layers.add().layer)
    del net.layers[1]
    net.layers[0].layer.name, net.layers[0].layer.type, net.layers[0].layer.pad = "p", "padding", 1
    v0 = net.layers.add(bottom=["p"], top=["c"]).layer
    v0.name, v0.type, v0.num_output = "c", "conv", 2
    v0.blobs.extend([weight, bias])
    write_message(tmp_path / "v0", net)
    upgraded, layers = read_caffemodel(tmp_path / "v0", NULL)
    assert [(name, type, [a.shape for a in arrays]) for name, type, arrays in layers] == [
        ("c", "Convolution", [(2, 3, 4, 1), (1, 1, 1, 2)])
    ]
    assert upgraded.layer[0].convolution_param.pad == [1]


def test_written_caffemodel_has_what_protobuf_would_write(tmp_path):
    """Fields on both sides of the blobs, diffs, doubles, no name: the same bytes as one serialised message."""
    net = NetParameter(origin="n.prototxt")
    net.layer.add(name="a", type="X", top=["t"], phase=1, include=[{"phase": 1}], origin="n.prototxt:2")
    net.layer.add(name="b", type="Y", bottom=["t"], relu_param={"negative_slope": 0.5})
    blobs = [[np.ones((2, 3), np.float32), np.zeros(3, np.float32)], [np.full((1, 4), 0.1)]]
    diffs = [[np.full((2, 3), 7, np.float32), np.ones(3, np.float32)], [np.full((1, 4), 0.2)]]
    write_caffemodel(tmp_path / "m", net, blobs, diffs)
    expected = NetParameter(name="", layer=net.layer)
    for layer, arrays, grads in zip(expected.layer, blobs, diffs, strict=True):
        layer.ClearField("origin")
        layer.blobs.extend(map(array_to_blob, arrays, grads))
    assert (tmp_path / "m").read_bytes() == expected.SerializeToString(deterministic=True)
    net.layer[0].blobs.add()  # whatever blobs the messages hold are not written
    write_caffemodel(tmp_path / "n", net, blobs, diffs)
    assert (tmp_path / "n").read_bytes() == (tmp_path / "m").read_bytes()


def test_more_than_caffe_can_read(tmp_path, monkeypatch):
    net = NetParameter(layer=[{"name": "a"}])
    monkeypatch.setattr(binary, "LIMIT", 30)
    monkeypatch.setattr(binary.caffemodel, "LIMIT", 30)
    with pytest.raises(
        SnapshotError,
        match="m: 4[0-9] bytes are more than the 30 that Caffe reads; use snapshot_format: HDF5",
    ):
        write_caffemodel(tmp_path / "m", net, [[np.zeros((2, 3), np.float32)]])
    (tmp_path / "r").write_bytes(bytes(31))
    with pytest.raises(ParseError, match="r: 31 bytes are more than the 30 that protobuf reads"):
        read(tmp_path / "r", NetParameter)
    assert not (tmp_path / "m").exists()
