"""The LMDB source: what it reads, what it leaves alone, and how it refuses broken databases."""

import os
import shutil

import lmdb as library
import pytest

from caffe_compat.data import base, lmdb
from caffe_compat.data.base import open_source
from caffe_compat.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """An LMDB of 30 records of many pages."""
    path = str(tmp_path / "some_lmdb")
    assert lmdb.write(path, ((b"%03d" % i, bytes([i]) * (1000 + i)) for i in range(30))) == 30
    return path


def test_records_come_in_key_order(tmp_path):
    lmdb.write(str(tmp_path / "x"), [(b"b", b"2"), (b"c", b"3"), (b"a", b"1")])
    source = open_source("LMDB", "x", str(tmp_path))
    assert (len(source), list(source.keys)) == (3, [b"a", b"b", b"c"])
    assert [bytes(value) for value in source.walk()] == [b"1", b"2", b"3"]
    assert [bytes(value) for value in source.walk(2)] == [b"3"]
    assert list(source.walk(3)) == []
    assert bytes(source.read(1)) == b"2"


def test_a_database_larger_than_the_first_map(tmp_path):
    records = [(b"%05d" % i, os.urandom(5000)) for i in range(2300)]
    assert lmdb.write(str(tmp_path / "x"), records) == 2300
    source = open_source("LMDB", "x", str(tmp_path))
    assert [(key, bytes(value)) for key, value in zip(source.keys, source.walk(), strict=True)] == records


def test_the_file_is_of_the_version_that_caffe_reads(folder):
    with open(os.path.join(folder, "data.mdb"), "rb") as file:
        header = file.read(24)
    assert header[16:24] == bytes.fromhex("dec0efbe 01000000".replace(" ", ""))


def test_a_read_only_folder_is_read_and_nothing_is_written(folder):
    before = sorted(os.listdir(folder))
    os.remove(os.path.join(folder, "lock.mdb"))
    os.chmod(folder, 0o555)
    try:
        source = open_source("LMDB", folder)
        assert len(list(source.walk())) == 30
        assert sorted(os.listdir(folder)) == ["data.mdb"] != before
    finally:
        os.chmod(folder, 0o755)


def test_two_sources_may_share_a_file_and_close_at_different_times(folder):
    first, second = open_source("LMDB", folder), open_source("LMDB", folder)
    first.close()
    assert len(list(second.walk())) == 30
    second.close()
    assert len(list(first.walk())) == 30, "it opens again by itself"
    first.close()
    with library.open(folder, readonly=True, lock=False) as env:  # the process may open the file itself now
        assert env.stat()["entries"] == 30


def test_one_that_the_script_holds_open(folder):
    """Which some versions of the lmdb package refuse."""
    with library.open(folder):
        try:
            open_source("LMDB", folder)
        except DataError as error:
            assert "close() the script's own environment before the net is built" in str(error)
    assert len(open_source("LMDB", folder)) == 30


@pytest.mark.parametrize(
    "name, command",
    [
        ("cifar10_train_lmdb", "caffe-compat data cifar10 {folder}"),
        ("cifar100_test_lmdb", "caffe-compat data cifar100 {folder}"),
        ("train_lmdb", "caffe-compat data shapes {folder}"),
        ("ilsvrc12_lmdb", "caffe-compat convert-imageset ROOTFOLDER/ LISTFILE {folder}/ilsvrc12_lmdb"),
    ],
)
def test_a_missing_one_comes_with_the_command_that_makes_it(tmp_path, name, command):
    with pytest.raises(DataError, match="does not exist; make it with: ") as caught:
        open_source("LMDB", f"examples/{name}", str(tmp_path))
    assert str(caught.value).endswith(command.format(folder=tmp_path / "examples"))


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(DataError, match=r"LMDB source '.*x' is a file, not a folder"):
        open_source("LMDB", "x", str(tmp_path))


def test_an_empty_one(tmp_path):
    lmdb.write(str(tmp_path / "x"), [])
    with pytest.raises(DataError, match=r"LMDB source '.*x' holds no records; make it again with: "):
        open_source("LMDB", "x", str(tmp_path))


def test_a_folder_without_a_database(tmp_path):
    with pytest.raises(
        DataError, match="holds no LMDB database; make one with: caffe-compat convert-imageset"
    ):
        open_source("LMDB", "", str(tmp_path))


def test_the_other_backend_is_found_out(folder, reference):
    with pytest.raises(
        DataError,
        match=r"backend LMDB, but it was to be read as LEVELDB \(the default of data_param\); write `backend: LMDB` "
        "in data_param, or give --backend lmdb",
    ):
        open_source("LEVELDB", folder)
    with pytest.raises(
        DataError, match="backend LEVELDB, but it was to be read as LMDB; write `backend: LEVELDB`"
    ):
        open_source("LMDB", str(reference / "data" / "raw_leveldb"))


def test_an_unknown_backend():
    with pytest.raises(
        DataError, match="unknown backend 'LMBD'; did you mean 'LMDB'.* known backends: LEVELDB, LMDB"
    ):
        open_source("LMBD", "x")


def test_registering_a_backend_twice_names_both_modules():
    with pytest.raises(
        ValueError, match=r"'LMDB' is registered by both caffe_compat\.data\.lmdb and .*test_lmdb"
    ):
        base.source("LMDB")(type("Again", (base.Source,), {"__module__": __name__}))


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.3])
def test_a_truncated_file_is_refused_before_it_is_mapped(folder, keep):
    path = os.path.join(folder, "data.mdb")
    size = os.path.getsize(path)
    os.truncate(path, int(size * keep))
    with pytest.raises(
        DataError, match=rf"is truncated: data.mdb has {int(size * keep)} bytes and .* promises {size}"
    ):
        open_source("LMDB", folder)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 100000])
def test_a_file_that_is_no_lmdb(folder, content):
    with open(os.path.join(folder, "data.mdb"), "wb") as file:
        file.write(content)
    with pytest.raises(
        DataError, match=r"some_lmdb' is not a readable LMDB: .*; copy it again or make it again"
    ):
        open_source("LMDB", folder)


def test_a_database_made_anew_in_the_same_place_is_the_one_that_is_read(tmp_path, folder):
    old = open_source("LMDB", folder)
    shutil.rmtree(folder)
    lmdb.write(folder, [(b"k", b"new")])
    written = open_source("LMDB", folder)
    assert bytes(written.read(0)) == b"new"
    assert len(old) == 30


def test_write_says_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(env, batch):
        raise library.DiskError("No space left on device")

    monkeypatch.setattr(lmdb, "_commit", full)
    with pytest.raises(DataError, match=r"cannot write '.*x': No space left on device; make room"):
        lmdb.write(str(tmp_path / "x"), [(b"k", b"v")])
