"""Files that are whole or not there, whatever the disk does."""

import errno
import os

import pytest

from caffe_compat.errors import SnapshotError
from caffe_compat.proto.binary import (
    write_aside,
    write_atomic,
)


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
