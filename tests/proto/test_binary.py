"""Binary files: the bytes Caffe writes, old forms, broken files, failing disks."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.errors import ParseError, SnapshotError
from caffe_compat.log.write import NULL
from caffe_compat.proto import BlobProto, LayerParameter, NetParameter, SolverState, V1LayerParameter, binary
from caffe_compat.proto.binary import (
    array_to_blob,
    blob_to_array,
    read,
    read_binaryproto,
    read_caffemodel,
    write_aside,
    write_atomic,
    write_binaryproto,
    write_caffemodel,
    write_message,
)


@pytest.fixture
def model(reference):
    return reference / "solvers/cli/trained_iter_10.caffemodel"


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


def test_every_reference_solverstate_comes_back(reference):
    files = sorted(reference.rglob("*.solverstate"))
    assert len(files) > 40
    for file in files:
        state = read(file, SolverState)
        assert state.iter > 0 and state.SerializeToString() == file.read_bytes()
        for blob in state.history:
            assert array_to_blob(blob_to_array(blob)) == blob


@pytest.mark.parametrize("name", ["solvers/mean.binaryproto", "data/mean.binaryproto"])
def test_means_are_rewritten_byte_for_byte(reference, tmp_path, name):
    mean = read_binaryproto(reference / name)
    assert mean.shape[:2] == (1, 3) and mean.dtype == np.float32 and 0 < mean.min() < mean.max() < 255
    write_binaryproto(tmp_path / "mean", mean[0])
    assert (tmp_path / "mean").read_bytes() == (reference / name).read_bytes()


def test_resume_data_is_skipped_by_caffe():
    """SolverState.resume is an unknown field to Caffe's own schema: number 1000, length-delimited."""
    assert SolverState(resume=b"{}").SerializeToString() == bytes.fromhex("c23e027b7d")


# -- blobs -----------------------------------------------------------------------------------------

SHAPES = [(), (3,), (2, 5), (2, 3, 4), (2, 1, 3, 5), (1, 2, 3, 4, 5), (0, 4), (300, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blobs_come_back(shape, dtype):
    array = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    blob = array_to_blob(array, diff=array + 1)
    values, diff = (blob.double_data, blob.double_diff) if dtype == np.float64 else (blob.data, blob.diff)
    assert list(values) == array.ravel().tolist() and list(diff) == (array + 1).ravel().tolist()
    assert tuple(blob.shape.dim) == shape
    assert blob.HasField("shape") == bool(shape), "Caffe writes no shape for a scalar"
    back = blob_to_array(blob)
    assert back.dtype == (dtype if array.size else np.float32)  # an empty list has no type
    assert back.flags.writeable and np.array_equal(back, array)


def test_legacy_blobs():
    blob = array_to_blob(np.arange(15, dtype=np.float32).reshape(3, 5), legacy=True)
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 1, 3, 5)
    assert not blob.HasField("shape")
    assert blob_to_array(blob).shape == (1, 1, 3, 5)
    with pytest.raises(ValueError, match=r"a legacy blob has at most 4 axes, not the 5 of \(1, 2, 1, 3, 1\)"):
        array_to_blob(np.zeros((1, 2, 1, 3, 1), np.float32), legacy=True)


def test_legacy_numbers_win_over_shape_as_in_caffe():
    blob = BlobProto(num=1, channels=2, height=3, width=1, data=range(6), shape={"dim": [6]})
    assert blob_to_array(blob).shape == (1, 2, 3, 1)


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


def test_double_data_wins_as_in_caffe():
    blob = BlobProto(data=[1, 2], double_data=[3, 4], shape={"dim": [2]})
    assert blob_to_array(blob).tolist() == [3, 4]


@pytest.mark.parametrize(
    "raw_type, stored, read_as",
    [(0, "<f8", "f8"), (1, "<f4", "f4"), (2, "<f2", "f4"), (3, "<i4", "f4"), (4, "<u4", "f4")],
)
def test_raw_data_as_nvidias_caffe_writes_it(tmp_path, raw_type, stored, read_as):
    values = np.array([[1, 2, 3], [4, 5, 60000]], stored)
    blob = BlobProto(shape={"dim": [2, 3]}, raw_data_type=raw_type, raw_data=values.tobytes())
    array = blob_to_array(blob)
    assert array.dtype == read_as and array.shape == (2, 3) and array.tolist() == values.tolist()
    write_message(tmp_path / "mean", blob)
    assert read_binaryproto(tmp_path / "mean").tolist() == values.tolist()
    write_message(
        tmp_path / "m", NetParameter(layer=[{"name": "x", "type": "InnerProduct", "blobs": [blob]}])
    )
    (found,) = read_caffemodel(tmp_path / "m")[1][0][2]
    assert found.dtype == ("f2" if stored == "<f2" else read_as) and found.tolist() == values.tolist()


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"raw_data_type": 2, "raw_data": b"12345"}, "5 bytes of 2-byte numbers"),
        ({"raw_data_type": 2, "raw_data": b"1234"}, r"a blob of shape \(3,\) holds 2 values, not 3"),
        (
            {"raw_data_type": 5, "raw_data": b"123456"},
            "raw_data with raw_data_type 5, where 0 to 4 are known",
        ),
        ({"raw_data": b"123456"}, "raw_data with no raw_data_type"),
    ],
)
def test_raw_data_that_is_damaged(tmp_path, fields, message):
    blob = BlobProto(shape={"dim": [3]}, **fields)
    with pytest.raises(ParseError, match=message):
        blob_to_array(blob)
    write_message(tmp_path / "m", NetParameter(layer=[{"name": "x", "type": "Scale", "blobs": [blob]}]))
    with pytest.raises(ParseError, match=f"m: broken at byte .*{message}"):
        read_caffemodel(tmp_path / "m")
    write_message(tmp_path / "mean", blob)
    with pytest.raises(ParseError, match=f"mean: {message}"):
        read_binaryproto(tmp_path / "mean")


def test_other_dtypes_and_layouts_are_written_as_float32():
    array = np.arange(6).reshape(2, 3).T
    assert list(array_to_blob(array).data) == [0, 3, 1, 4, 2, 5]


def test_floats_that_are_not_packed_are_read():
    """Numbers one by one, and a packed list in two parts: protobuf allows both."""
    wire = b"".join(b"\x2d" + np.float32(x).tobytes() for x in (1, 2)) + b"\x2a\x04" + np.float32(3).tobytes()
    assert list(BlobProto.FromString(wire + b"\x3a\x02\x08\x03").data) == [1, 2, 3]
    with pytest.raises(ParseError):
        blob_to_array(BlobProto.FromString(wire))  # no shape: one value


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


def test_shape_and_values_that_disagree():
    with pytest.raises(ParseError, match=r"a blob of shape \(2, 3\) holds 5 values, not 6"):
        blob_to_array(BlobProto(shape={"dim": [2, 3]}, data=range(5)))


def test_diff_of_another_shape():
    with pytest.raises(ValueError, match=r"diff has shape \(3, 2\), its blob \(2, 3\)"):
        array_to_blob(np.zeros((2, 3)), np.zeros((3, 2)))


# -- caffemodels of all ages -----------------------------------------------------------------------


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
    monkeypatch.setattr(binary, "_LIMIT", 30)
    with pytest.raises(
        SnapshotError,
        match="m: 4[0-9] bytes are more than the 30 that Caffe reads; use snapshot_format: HDF5",
    ):
        write_caffemodel(tmp_path / "m", net, [[np.zeros((2, 3), np.float32)]])
    (tmp_path / "r").write_bytes(bytes(31))
    with pytest.raises(ParseError, match="r: 31 bytes are more than the 30 that protobuf reads"):
        read(tmp_path / "r", NetParameter)
    assert not (tmp_path / "m").exists()


# -- broken files ----------------------------------------------------------------------------------


def test_cut_short_anywhere(model, tmp_path):
    """Every beginning of the file either is refused with a place in it, or ends between two layers."""
    data, layers = model.read_bytes(), len(read_caffemodel(model)[1])
    whole = set()
    for size in [*range(20, 700), *range(700, len(data), 23)]:
        (tmp_path / "m").write_bytes(data[:size])
        try:
            whole.add(len(read_caffemodel(tmp_path / "m")[1]))
        except ParseError as error:
            assert "m: broken at byte" in str(error) or "there are no layers in it" in str(error)
    assert max(whole) < layers


@given(st.binary(min_size=1, max_size=60))
def test_garbage(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("garbage") / "m"
    path.write_bytes(data)
    for attempt in (read_caffemodel, read_binaryproto, lambda p: read(p, SolverState)):
        try:
            attempt(path)
        except ParseError as error:
            assert str(error).startswith(f"{path}: ")


def test_flipped_bits(model, tmp_path):
    data = model.read_bytes()
    rng = np.random.default_rng(3)
    for position in rng.integers(0, 700, 400):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "m").write_bytes(flipped)
        try:
            read_caffemodel(tmp_path / "m", NULL)
        except ParseError as error:
            assert str(error).startswith(f"{tmp_path}/m: ")


def test_the_place_of_a_break(model, tmp_path):
    (tmp_path / "m").write_bytes(model.read_bytes()[:303])
    with pytest.raises(
        ParseError,
        match="m: broken at byte 234 of 303: layer 'conv1': blobs: data should go on for 648 bytes, but 66 are "
        "left; the file is cut short, damaged or no NetParameter: copy or write it again",
    ):
        read_caffemodel(tmp_path / "m")
    with pytest.raises(
        ParseError, match="m: broken at byte 234 of 303: layer 'conv1': blobs: data should go on"
    ):
        read(tmp_path / "m", NetParameter)


def test_a_blob_whose_values_are_missing(tmp_path):
    net = NetParameter(layer=[{"name": "a", "blobs": [{"shape": {"dim": [2, 3]}, "data": [1, 2]}]}])
    write_message(tmp_path / "m", net)
    with pytest.raises(
        ParseError, match=r"m: broken at byte 8 of 24: a blob of shape \(2, 3\) holds 2 values, not 6"
    ):
        read_caffemodel(tmp_path / "m")


@pytest.mark.parametrize(
    "content, cls, message",
    [
        (b"", NetParameter, "the file is empty, not a "),
        (b'name: "a"\nlayer { }', NetParameter, "this is a text file, not a binary NetParameter; give the binary file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), NetParameter, "this is an HDF5 file, not a binary NetParameter; end its name in .h5"),
        (b"\x08\x05", NetParameter, "field 1 is not the name of a NetParameter"),
        (b"\x0a\x01a", SolverState, "field 1 is not the iter of a SolverState"),
        (b"\x0a\x01a", BlobProto, "field 1 is not the num of a BlobProto"),
        (b"\xff" * 11, NetParameter, "broken at byte 0 of 11: a number has more than 10 bytes"),
        (b"\x07\xff", NetParameter, "broken at byte 0 of 2: no field begins with the byte 0x07"),
        (b"\x00\x01\x80", NetParameter, "broken at byte 0 of 3: no field begins with the byte 0x00"),
        (b"\x0a\x01a\x0a\x80", NetParameter, "broken at byte 4 of 5: a number is cut short"),
    ],
)  # fmt: skip
def test_files_of_another_kind(tmp_path, content, cls, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ParseError) as caught:
        read(tmp_path / "f", cls)
    assert str(caught.value).startswith(f"{tmp_path}/f: ") and message in str(caught.value)
    if cls is NetParameter:
        with pytest.raises(ParseError) as caught:
            read_caffemodel(tmp_path / "f")
        assert message in str(caught.value)


def test_a_solverstate_is_no_caffemodel(reference, tmp_path):
    state = reference / "solvers/cli/trained_iter_10.solverstate"
    with pytest.raises(
        ParseError, match="solverstate: broken at byte 0 of .*field 1 is not the name of a NetParameter"
    ):
        read_caffemodel(state)
    write_message(tmp_path / "m", NetParameter(name="n"))
    with pytest.raises(ParseError, match="m: there are no layers in it; give a caffemodel"):
        read_caffemodel(tmp_path / "m")


def test_a_mean_without_values(tmp_path):
    write_message(tmp_path / "mean", BlobProto(num=1, channels=3, height=2, width=5))
    with pytest.raises(
        ParseError, match=r"mean: a blob of shape \(1, 3, 2, 5\) holds 0 values, not 30; is it a mean file\?"
    ):
        read_binaryproto(tmp_path / "mean")


@pytest.mark.parametrize("reader", [read_caffemodel, read_binaryproto])
def test_files_that_are_none(tmp_path, reader):
    with pytest.raises(
        ParseError, match="nowhere: cannot be read: No such file or directory; check the path"
    ):
        reader(tmp_path / "nowhere")
    with pytest.raises(ParseError, match="cannot be read: Is a directory; give a file"):
        reader(tmp_path)


# -- writing ---------------------------------------------------------------------------------------


def test_write_atomic(tmp_path):
    write_atomic(tmp_path / "f", b"abc")
    assert (tmp_path / "f").read_bytes() == b"abc"
    write_atomic(str(tmp_path / "f"), (part for part in (b"de", b"", b"f")))
    assert (tmp_path / "f").read_bytes() == b"def"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(
    "number, remedy",
    [
        (errno.ENOSPC, "No space left on device; free some space or write elsewhere"),
        (errno.EACCES, "Permission denied; write to a place that you may write to"),
    ],
)
def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch, number, remedy):
    write_atomic(tmp_path / "f", b"old")

    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SnapshotError) as caught:
        write_atomic(tmp_path / "f", [b"new", b"er"])
    assert str(caught.value) == f"{tmp_path}/f: cannot be written (5 bytes needed): {remedy}"
    assert os.listdir(tmp_path) == ["f"] and (tmp_path / "f").read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def write(temporary):
        with open(temporary, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_aside(tmp_path / "f", write)
    assert os.listdir(tmp_path) == []


def test_a_writer_without_error_number(tmp_path):
    def write(temporary):
        raise OSError("h5py cannot")

    with pytest.raises(SnapshotError, match="f: cannot be written: h5py cannot; write to a place"):
        write_aside(tmp_path / "f", write)


def test_a_link_leads_to_the_new_file(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/f")
    for content in (b"new", b"newer"):
        write_atomic(tmp_path / "link", content)
        assert os.readlink(tmp_path / "link") == "elsewhere/f"
        assert (tmp_path / "elsewhere/f").read_bytes() == content
    assert os.listdir(tmp_path / "elsewhere") == ["f"]


def test_a_pipe_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(tmp_path / "pipe", [b"ab", b"c"])
        assert os.read(reader, 8) == b"abc"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_no_folder_to_write_to(tmp_path):
    with pytest.raises(
        SnapshotError,
        match=r"none/f: cannot be written \(1 bytes needed\): No such file or directory; make its folder",
    ):
        write_atomic(tmp_path / "none" / "f", b"a")
    (tmp_path / "d").mkdir()
    with pytest.raises(SnapshotError, match="d: cannot be written"):
        write_atomic(tmp_path / "d", b"a")
    assert os.listdir(tmp_path) == ["d"]


def test_write_message_has_no_origin(tmp_path):
    net = NetParameter(name="n", origin="f", layer=[{"name": "a", "origin": "f:1"}])
    write_message(tmp_path / "m", net)
    assert read(tmp_path / "m", NetParameter) == NetParameter(name="n", layer=[{"name": "a"}])
    assert net.layer[0].origin == "f:1"


def test_messages_without_end(tmp_path):
    data = b""
    for _ in range(1000):  # layer { moe_param { gating_net { layer { ...
        for number in (1, 15150, 100):
            data = binary.head(number, len(data)) + data
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(ParseError, match="m: broken at byte"):
        read(tmp_path / "m", NetParameter)
    assert read_caffemodel(tmp_path / "m")[1] == [
        ("", "", [])
    ]  # what a fork means that our schema cannot say
