"""Datum records as arrays: the fast way for records of one layout gives what protobuf gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.data import lmdb, records
from caffe_compat.data.base import open_source
from caffe_compat.data.images import encode, planes
from caffe_compat.data.records import is_encoded, parse, pictures, serialize
from caffe_compat.errors import DataError
from caffe_compat.proto import Datum

RNG = np.random.default_rng(3)


def raw(label=1, shape=(3, 4, 5), **fields):
    data = RNG.integers(0, 256, int(np.prod(shape)), np.uint8).tobytes()
    return Datum(channels=shape[0], height=shape[1], width=shape[2], data=data, label=label, **fields)


def assert_parsed(datums, values=None):
    images, labels = parse(values or [datum.SerializeToString() for datum in datums])
    assert labels.dtype == np.int32
    assert labels.tolist() == [datum.label for datum in datums]
    for image, datum in zip(images, datums, strict=True):
        assert image.dtype == np.uint8
        assert image.shape == (datum.channels, datum.height, datum.width)
        assert image.tobytes() == datum.data
    return images


def test_records_of_one_layout_share_one_buffer():
    datums = [raw(label) for label in (0, 1, 127, 5)]
    images = assert_parsed(datums)
    assert isinstance(images, np.ndarray) and images.shape == (4, 3, 4, 5)
    assert images.base is not None and images.flags.writeable


@pytest.mark.parametrize(
    "datums",
    [
        [raw(127), raw(128), raw(300)],
        [raw(-1), raw(2)],
        [raw(3, encoded=False), raw(4)],
        [raw(1, (3, 4, 5)), raw(1, (3, 5, 4))],
        [raw(1, (1, 2, 3)), raw(2, (2, 1, 3))],
    ],
    ids=["long labels", "negative label", "field more", "sides exchanged", "channels"],
)
def test_records_of_several_layouts(datums):
    images = assert_parsed(datums)
    sizes = {(datum.channels, datum.height, datum.width) for datum in datums}
    assert isinstance(images, list) == (len(sizes) > 1)


def test_fields_in_another_order_and_unknown_ones():
    datum = raw(9)
    value = b"".join(
        Datum(**{name: getattr(datum, name)}).SerializeToString()
        for name in ("label", "data", "width", "height", "channels")
    )
    assert_parsed([datum, datum], [value, value])
    assert_parsed([datum, datum], [value + b"\x78\x01"] * 2)
    assert_parsed([datum, datum], [value + b"\x7d1234"] * 2)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5))
def test_any_labels(labels):
    assert_parsed([raw(label) for label in labels])


def test_the_last_of_a_repeated_field_counts():
    value = raw(3).SerializeToString()
    assert parse([value + b"\x28\x04"])[1].tolist() == [4]


def test_float_data():
    numbers = RNG.normal(size=24).astype(np.float32)
    datum = Datum(channels=2, height=3, width=4, label=2, float_data=numbers)
    images, labels = parse([datum.SerializeToString()] * 2)
    np.testing.assert_array_equal(images, np.stack([numbers.reshape(2, 3, 4)] * 2))
    assert images.dtype == np.float32 and labels.tolist() == [2, 2]


def test_encoded():
    grey, colour = RNG.integers(0, 256, (4, 5), np.uint8), RNG.integers(0, 256, (4, 5, 3), np.uint8)
    datums = [Datum(data=encode(p, "png"), label=i, encoded=True) for i, p in enumerate((grey, colour))]
    values = [datum.SerializeToString() for datum in datums]
    images, _ = parse(values)
    for image, picture in zip(images, (grey, colour), strict=True):
        np.testing.assert_array_equal(image, planes(picture))
    assert parse(values, colour=True)[0].shape == (2, 3, 4, 5)
    assert parse(values, colour=False)[0].shape == (2, 1, 4, 5)
    assert is_encoded(values[0]) and not is_encoded(raw().SerializeToString())


@pytest.mark.parametrize(
    "value, message",
    [
        (b"\x0a\x05ab", "record 7 is not a Datum: "),
        (b"", r"record 7 has the shape \(0, 0, 0\); every side must be above 0"),
        (
            Datum(channels=3, height=4, width=5, data=b"x" * 59).SerializeToString(),
            r"record 7 has 59 values for its shape \(3, 4, 5\), which needs 60",
        ),
        (
            Datum(channels=1, height=2, width=3).SerializeToString(),
            r"record 7 has 0 values for its shape \(1, 2, 3\)",
        ),
        (
            Datum(data=b"no picture", encoded=True).SerializeToString(),
            "record 7: its 10 bytes are no picture that OpenCV",
        ),
        (Datum(encoded=True).SerializeToString(), "record 7: its 0 bytes are no picture"),
        (
            Datum(data=encode(np.zeros((2, 3), np.uint16), "png"), encoded=True).SerializeToString(),
            "record 7: its picture has uint16 pixels and only 8-bit ones can be used",
        ),
    ],
)
def test_bad_records(value, message):
    with pytest.raises(DataError, match=message):
        parse([raw().SerializeToString(), value], name=lambda i: f"record {i + 6}")


def test_serialize_is_what_protobuf_writes():
    datum = raw(300, (2, 3, 4))
    image = np.frombuffer(datum.data, np.uint8).reshape(2, 3, 4)
    assert serialize(image, 300) == datum.SerializeToString()
    datum.encoded = False
    assert serialize(image, 300, encoded=False) == datum.SerializeToString()


def test_all_pictures_of_a_source(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_CHUNK", 3)
    datums = [raw(i, (1, 2, 3 + i % 2)) for i in range(8)]
    lmdb.write(str(tmp_path / "x"), [(b"%d" % i, d.SerializeToString()) for i, d in enumerate(datums)])
    found = list(pictures(open_source("LMDB", "x", str(tmp_path))))
    assert [p.tobytes() for p in found] == [d.data for d in datums]
    lmdb.write(
        str(tmp_path / "y"), [(b"%d" % i, datums[0].SerializeToString()) for i in range(4)] + [(b"9", b"bad")]
    )
    with pytest.raises(DataError, match="record 4 of '.*y' is not a Datum"):
        list(pictures(open_source("LMDB", "y", str(tmp_path))))
