"""Binary files that are broken, cut short, or something else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.errors import ParseError
from caffe_compat.log.write import NULL
from caffe_compat.proto import BlobProto, NetParameter, SolverState, binary
from caffe_compat.proto.binary import read, read_binaryproto, read_caffemodel, write_message


@pytest.fixture
def model(reference):
    return reference / "solvers/cli/trained_iter_10.caffemodel"


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
