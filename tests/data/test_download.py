"""Downloads from a server on this machine: whole, resumed, broken, wrong."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from caffe_compat.data import download
from caffe_compat.errors import DataError

CONTENT = bytes(range(256)) * 5000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path and notes the Range headers; `stop_after` breaks answers off, a byte count each."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.stop_after = [], []
        self.resumes = self.tells_length = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/set.tar.gz"

    def handle_error(self, request, address):
        """A client that hangs up is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if "missing" in self.path:
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.server.resumes else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.stop_after:
            body = body[: self.server.stop_after.pop(0)]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_whole(server, tmp_path, capsys):
    download.download(server.url, str(tmp_path / "set.tar.gz"), MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["set.tar.gz"]
    assert server.ranges == [None]
    assert "set.tar.gz: 100% of 1 MB, " in capsys.readouterr().err


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    server.stop_after = [300_000, 0, 500_000]
    download.download(server.url, str(tmp_path / "x"), MD5)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=300000-", "bytes=800000-"]


def test_an_interrupted_run_is_continued_by_the_next(server, tmp_path):
    (tmp_path / "x.part").write_bytes(CONTENT[:1_000_000])
    download.download(server.url, str(tmp_path / "x"), MD5)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000000-"]


def test_a_part_that_is_whole_already(server, tmp_path):
    (tmp_path / "x.part").write_bytes(CONTENT)
    download.download(server.url, str(tmp_path / "x"), MD5)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_sends_all_again(server, tmp_path):
    server.resumes = False
    (tmp_path / "x.part").write_bytes(b"something else entirely")
    download.download(server.url, str(tmp_path / "x"), MD5)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    (tmp_path / "x.part").write_bytes(b"?" * 1000)
    with pytest.raises(
        DataError, match=rf"the download has the MD5 [0-9a-f]{{32}} and should have {MD5}; run the command"
    ):
        download.download(server.url, str(tmp_path / "x"), MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_sends_is_given_up(server, tmp_path):
    server.stop_after = [0] * 9
    with pytest.raises(
        DataError, match=r"cannot download http://127\.0\.0\.1:\d+/set.tar.gz: the connection broke; run the"
    ):
        download.download(server.url, str(tmp_path / "x"), MD5)
    assert len(server.ranges) == 4


def test_a_refusal_is_final(server, tmp_path):
    with pytest.raises(
        DataError, match="the server answers 404 Not Found; run the command again .* fetch x by other means"
    ):
        download.download(server.url + "/missing", str(tmp_path / "x"), MD5)
    assert len(server.ranges) == 1


def test_a_place_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"cannot write '.*file/x.part': (Not a directory|File exists); make room there"
    ):
        download.download(server.url, str(tmp_path / "file" / "x"), MD5)


def test_a_server_that_does_not_tell_the_length(server, tmp_path):
    server.tells_length = False
    with pytest.raises(
        DataError, match="set.tar.gz: the server does not say how long the file is; .* fetch x by other"
    ):
        download.download(server.url, str(tmp_path / "x"), MD5)


def test_no_server(server, tmp_path):
    with pytest.raises(
        DataError, match=r"cannot download http://127.0.0.1:9/x: .*[Rr]efused; run the command again"
    ):
        download.download("http://127.0.0.1:9/x", str(tmp_path / "x"), MD5)


def test_bar_of_a_terminal(monkeypatch):
    import io

    stream = io.StringIO()
    stream.isatty = lambda: True
    seconds = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: seconds[0])
    with download._begin("x", 0, 100_000_000, stream) as bar:
        for seconds[0], new in ((2.0, 20_000_000), (2.05, 1_000_000), (4.0, 29_000_000)):
            bar.update(new)
    shown = stream.getvalue().split("\r")
    assert shown[1] == "x: 20% of 100 MB, 10.0 MB/s, 00:08 left"
    assert {line.rstrip() for line in shown[2:]} == {"x: 50% of 100 MB, 12.5 MB/s, 00:04 left"}
    assert shown[-1].endswith("\n")


def test_lines_off_a_terminal(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(download, "_BLOCK", 100_000)
    download.download(server.url, str(tmp_path / "x"), MD5)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of ")[0] for line in lines] == [
        f"x: {done}%" for done in (16, 23, 31, 47, 55, 62, 70, 86, 94, 100)
    ]
    assert all(" of 1 MB, " in line and line.endswith(" left") for line in lines)
