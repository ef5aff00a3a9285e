"""Lines on a stream: how severe, from which thread, and where nobody can write or read."""

import errno
import io
import threading

import pytest

from caffe_compat.log import NULL, Log
from caffe_compat.log.write import DEBUG, ERROR, OFF, WARNING


def lines(log):
    return log._stream.getvalue().splitlines()


def test_severities():
    log = Log(io.StringIO(), progress=False)
    log.warning("w")
    log.error("e")
    log.debug_norms(1, 2, 3, 4)
    log.upgraded("data", "a")
    assert [line[0] for line in lines(log)] == ["W", "E", "E", "I", "I", "W"]
    assert "L1 norm = (1, 2); L2 norm = (3, 4)" in log._stream.getvalue()


@pytest.mark.parametrize(
    ("level", "letters"), [(DEBUG, "IIWE"), (0, "IWE"), (WARNING, "WE"), (ERROR, "E"), (OFF, "")]
)
def test_level_leaves_out_what_is_below_it(level, letters):
    log = Log(io.StringIO(), progress=False, level=level)
    log.copying_source_layer("x")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert "".join(line[0] for line in lines(log)) == letters


def test_null_writes_nothing(capsys):
    NULL.error("e")
    NULL.progress(1, 0, 2)
    NULL.end_progress()
    assert capsys.readouterr() == ("", "")


def test_default_stream_is_standard_error(capsys):
    Log().info("here")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("caffe_compat:0] here\n")


class FullDisk(io.StringIO):
    error = OSError(errno.ENOSPC, "No space left on device")

    def write(self, text):
        raise self.error


def test_a_full_disk_ends_no_run():
    log = Log(FullDisk(), progress=True)
    log.info("lost")
    log.progress(1, 0, 10)
    log.info("lost, and the bar with it")
    log.end_progress()


def test_a_closed_terminal_ends_no_run(monkeypatch):
    monkeypatch.setattr(FullDisk, "error", OSError(errno.EIO, "Input/output error"))
    Log(FullDisk()).info("lost")


def test_a_reader_that_goes_away(monkeypatch):
    monkeypatch.setattr(FullDisk, "error", BrokenPipeError(errno.EPIPE, "Broken pipe"))
    with pytest.raises(BrokenPipeError):
        Log(FullDisk()).info("nobody reads")
    log = Log(FullDisk(), outlive_reader=True)
    assert not log.reader_gone
    log.info("nobody reads")
    assert log.reader_gone
    log.info("nor this")


def test_lines_of_threads_do_not_mix():
    log = Log(io.StringIO(), progress=False)
    threads = [
        threading.Thread(target=lambda i=i: [log.info(f"{i}" * 50) for _ in range(50)]) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.partition("] ")[2] for line in lines(log)) == sorted(
        f"{i}" * 50 for i in range(4) for _ in range(50)
    )
