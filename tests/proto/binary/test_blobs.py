"""Arrays in blobs: shapes, legacy numbers, doubles, halves."""

import numpy as np
import pytest

from caffe_compat.errors import ParseError
from caffe_compat.proto import BlobProto, NetParameter
from caffe_compat.proto.binary import (
    array_to_blob,
    blob_to_array,
    read_binaryproto,
    read_caffemodel,
    write_message,
)

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


def test_shape_and_values_that_disagree():
    with pytest.raises(ParseError, match=r"a blob of shape \(2, 3\) holds 5 values, not 6"):
        blob_to_array(BlobProto(shape={"dim": [2, 3]}, data=range(5)))


def test_diff_of_another_shape():
    with pytest.raises(ValueError, match=r"diff has shape \(3, 2\), its blob \(2, 3\)"):
        array_to_blob(np.zeros((2, 3)), np.zeros((3, 2)))
