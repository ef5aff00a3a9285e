"""Pictures made into records: byte for byte what Caffe's convert_imageset wrote."""

import shutil

import numpy as np
import pytest

from caffe_compat.data import convert, leveldb
from caffe_compat.data.base import open_source
from caffe_compat.data.convert import Options, records
from caffe_compat.data.image_list import read_list
from caffe_compat.data.images import encode, planes, read
from caffe_compat.errors import DataError
from caffe_compat.proto import Datum

SIZE = {"resize_height": 12, "resize_width": 15}


def made(root, lines, **options):
    skipped = []
    return list(records(str(root) + "/", lines, Options(**options), skipped.append)), skipped


@pytest.mark.parametrize(
    "name, options",
    [
        ("raw_lmdb", SIZE),
        ("gray_lmdb", {"gray": True, **SIZE}),
        ("encoded_lmdb", {"encoded": True, "encode_type": "png", **SIZE}),
        ("asis_lmdb", {"encoded": True}),
        ("raw_leveldb", SIZE),
    ],
)
def test_golden_records(reference, monkeypatch, name, options):
    monkeypatch.setattr(convert, "_CHUNK", 4)
    data = reference / "data"
    source = open_source("LEVELDB" if name.endswith("leveldb") else "LMDB", str(data / name))
    wanted = list(zip(source.keys, map(bytes, source.walk()), strict=True))
    assert made(data, read_list(str(data / "list.txt")), **options) == (wanted, [])


def test_a_leveldb_of_golden_records(reference, tmp_path):
    data = reference / "data"
    lines = read_list(str(data / "list.txt"))
    leveldb.write(str(tmp_path / "x"), records(f"{data}/", lines, Options(**SIZE), pytest.fail))
    ours, theirs = (
        open_source("LEVELDB", str(tmp_path / "x")),
        open_source("LEVELDB", str(data / "raw_leveldb")),
    )
    assert list(ours.keys) == list(theirs.keys) and list(ours.walk()) == list(theirs.walk())


@pytest.mark.parametrize("name, kept", [("a.png", True), ("a.PNG", True), ("a.jpg", False)])
def test_a_file_that_needs_no_change_is_stored_as_it_is(reference, tmp_path, name, kept):
    shutil.copy(reference / "data" / "pictures" / "00.png", tmp_path / name)
    content = (tmp_path / name).read_bytes()
    ((_, value),), _ = made(tmp_path, [(name, 3)], encoded=True, encode_type="png")
    assert Datum.FromString(value) == Datum(
        data=content if kept else encode(read(str(tmp_path / name)), "png"), label=3, encoded=True
    )


def test_jpg_means_jpeg_too_but_not_the_other_way(reference, tmp_path):
    shutil.copy(reference / "data" / "pictures" / "03.jpg", tmp_path / "a.jpeg")
    content = (tmp_path / "a.jpeg").read_bytes()
    ((_, value),), _ = made(tmp_path, [("a.jpeg", 3)], encoded=True, encode_type="jpg")
    assert Datum.FromString(value).data == content
    (tmp_path / "a.jpeg").rename(tmp_path / "a.jpg")
    ((_, value),), _ = made(tmp_path, [("a.jpg", 3)], encoded=True, encode_type="jpeg")
    assert Datum.FromString(value).data != content


def test_gray_pictures_are_encoded_anew(reference):
    ((_, value),), _ = made(reference / "data", [("pictures/00.png", 3)], encoded=True, gray=True)
    picture = read(str(reference / "data" / "pictures" / "00.png"), colour=False)
    # As in Caffe the file is kept if its channels are as many as asked for, and gray is asked for here.
    assert picture.ndim == 2
    assert Datum.FromString(value).data == (reference / "data" / "pictures" / "00.png").read_bytes()


def test_pictures_that_cannot_be_read_leave_a_gap_in_the_keys(reference, tmp_path):
    data = reference / "data"
    (found, skipped) = made(
        data, [("none.png", 1), ("pictures/01.png", 2), ("list.txt", 3), ("pictures/02.png", 4)]
    )
    assert [key for key, _ in found] == [b"00000001_pictures/01.png", b"00000003_pictures/02.png"]
    assert skipped == [f"{data}/none.png", f"{data}/list.txt"]


def test_check_size(reference, tmp_path):
    for name, shape in (("a.png", (4, 6, 3)), ("b.png", (6, 4, 3)), ("c.png", (5, 6, 3))):
        (tmp_path / name).write_bytes(encode(np.zeros(shape, np.uint8), "png"))
    lines = [("a.png", 0), ("b.png", 1), ("c.png", 2)]
    assert len(made(tmp_path, lines[:2], check_size=True)[0]) == 2, "Caffe compares the number of values"
    assert len(made(tmp_path, lines)[0]) == 3
    with pytest.raises(
        DataError, match=r"c.png' has 90 values and the first picture 72; give --resize_height"
    ):
        made(tmp_path, lines, check_size=True)


def test_an_encoding_that_opencv_lacks(reference):
    with pytest.raises(
        DataError, match="does not write pictures of type 'docx'; give an --encode_type such as png"
    ):
        made(reference / "data", [("pictures/01.png", 2)], encode_type="docx")


def test_only_both_sizes_resize(reference):
    line = [("pictures/00.png", 0)]
    ((_, value),), _ = made(reference / "data", line, resize_height=5)
    datum = Datum.FromString(value)
    plain = planes(read(str(reference / "data" / "pictures" / "00.png")))
    assert (datum.channels, datum.height, datum.width) == plain.shape and datum.data == plain.tobytes()
