"""Data sets appear whole or not at all, and are not overwritten unasked."""

import os

import numpy as np
import pytest

from caffe_compat.data import stage as module
from caffe_compat.data.base import open_source
from caffe_compat.data.records import parse
from caffe_compat.data.stage import require_room, stage, write_set
from caffe_compat.errors import DataError
from caffe_compat.proto.binary import read_binaryproto

RNG = np.random.default_rng(2)
NAMES = ["train_lmdb", "test_lmdb", "mean.binaryproto"]


def chunk(count):
    return RNG.integers(0, 256, (count, 3, 4, 5), np.uint8), RNG.integers(0, 10, count)


def make(folder, text):
    with open(os.path.join(folder, "a"), "w") as file:
        file.write(text)
    os.mkdir(os.path.join(folder, "b"))


def test_what_is_made_is_moved(tmp_path):
    folder = str(tmp_path / "new" / "place")
    with stage(folder, ["a", "b"]) as temporary:
        make(temporary, "1")
        assert os.listdir(folder) == [os.path.basename(temporary)]
    assert sorted(os.listdir(folder)) == ["a", "b"]


def test_a_failure_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "a.binaryproto").write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        stage(str(tmp_path), ["a.binaryproto", "b"], force=True) as temporary,
    ):
        make(temporary, "new")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["a.binaryproto"] and (tmp_path / "a.binaryproto").read_text() == "old"


@pytest.mark.parametrize("inside", [["data.mdb", "lock.mdb"], ["CURRENT", "LOCK", "000004.ldb"], []])
def test_force_replaces_databases_and_means(tmp_path, inside):
    (tmp_path / "mean.binaryproto").write_text("old")
    (tmp_path / "b").mkdir()
    for name in inside:
        (tmp_path / "b" / name).write_text("old")
    with stage(str(tmp_path), ["mean.binaryproto", "b"], force=True) as temporary:
        make(temporary, "new")
        os.rename(os.path.join(temporary, "a"), os.path.join(temporary, "mean.binaryproto"))
    assert (tmp_path / "mean.binaryproto").read_text() == "new" and os.listdir(tmp_path / "b") == []
    assert sorted(os.listdir(tmp_path)) == ["b", "mean.binaryproto"]


def test_force_does_not_replace_anything_else(tmp_path):
    for files in (["notes.txt"], ["data.mdb", "sub/notes.txt"]):
        for name in files:
            (tmp_path / "b" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "b" / name).write_text("precious")
        with (
            pytest.raises(
                DataError, match="b' is a folder with other things in it and no database, so --force does not"
            ),
            stage(str(tmp_path), ["b"], force=True),
        ):
            pytest.fail("the body ran")
        (tmp_path / "b" / "notes.txt").unlink(missing_ok=True)
    with pytest.raises(
        DataError, match=r"data.mdb' is a file and no database, so --force does not replace it"
    ):
        require_room(str(tmp_path / "b"), ["data.mdb"], force=True)


def test_what_cannot_be_moved_leaves_the_old_one(tmp_path):
    (tmp_path / "a.binaryproto").write_text("old")
    with (
        pytest.raises(DataError, match=r"cannot write to '.*': No such file or directory"),
        stage(str(tmp_path), ["a.binaryproto"], force=True),
    ):
        pass  # nothing is made
    assert os.listdir(tmp_path) == ["a.binaryproto"] and (tmp_path / "a.binaryproto").read_text() == "old"


def test_without_force_nothing_is_begun(tmp_path):
    (tmp_path / "b").write_text("old")
    with (
        pytest.raises(
            DataError, match=r"'.*b' exists already; remove it, choose another place or give --force"
        ),
        stage(str(tmp_path), ["a", "b"]),
    ):
        pytest.fail("the body ran")
    with pytest.raises(DataError, match="b' exists already"):
        require_room(str(tmp_path), ["a", "b"])
    require_room(str(tmp_path), ["a", "c"])


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(
            DataError, match=r"cannot write to '.*file/below': Not a directory; make room there or choose"
        ),
        stage(str(tmp_path / "file" / "below"), ["a"]),
    ):
        pytest.fail("the body ran")


def test_a_set(tmp_path):
    train, test = [chunk(7), chunk(4)], [chunk(5)]
    write_set(str(tmp_path), NAMES, iter(train), iter(test))
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)
    for name, parts in (("train_lmdb", train), ("test_lmdb", test)):
        source = open_source("LMDB", name, str(tmp_path))
        pictures, labels = parse(list(source.walk()))
        np.testing.assert_array_equal(pictures, np.concatenate([p for p, _ in parts]))
        np.testing.assert_array_equal(labels, np.concatenate([numbers for _, numbers in parts]))
        assert list(source.keys) == [b"%05d" % i for i in range(len(labels))]
    mean = read_binaryproto(tmp_path / "mean.binaryproto")
    assert mean.shape == (1, 3, 4, 5)
    np.testing.assert_allclose(mean[0], np.concatenate([p for p, _ in train]).mean(0), rtol=1e-6)


def test_a_set_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(images):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "mean_image", fail)
    with pytest.raises(DataError, match=r"cannot write to '.*': No space left on device; make room"):
        write_set(str(tmp_path), NAMES, [chunk(7)], [chunk(5)])
    assert os.listdir(tmp_path) == []
