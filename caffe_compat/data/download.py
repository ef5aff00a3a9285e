"""Fetching a file: a progress bar, a checksum, and going on where a broken download stopped."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.log.progress import is_terminal

_BLOCK = 1 << 18
_ATTEMPTS = 4  # in a row that bring no byte
_PAUSE = 1.0  # seconds between attempts
_TIMEOUT = 30  # seconds without a byte


def download(url: str, path: str, md5: str) -> None:
    """Fetch `url` to `path`, through `path`.part, which a later call continues if this one is interrupted.

    Raises:
        DataError: the server cannot be reached or refuses, or what came does not have this MD5.
    """
    part, failures = f"{path}.part", 0
    while True:
        before = _size(part)
        try:
            if _fetch_rest(url, part):
                break
            reason = "the connection broke"
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing is left to fetch
                break
            raise _cannot(url, path, f"the server answers {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
        except OSError as error:
            raise DataError(
                f"cannot write '{part}': {error.strerror}; make room there or choose another place"
            ) from error
        failures = failures + 1 if _size(part) <= before else 0
        if failures == _ATTEMPTS:
            raise _cannot(url, path, reason)
        time.sleep(_PAUSE)
    found = checksum(part)
    if found != md5:
        os.remove(part)
        raise DataError(
            f"{url}: the download has the MD5 {found} and should have {md5}; run the command again"
        )
    os.replace(part, path)


def checksum(path: str) -> str:
    """The MD5 of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _fetch_rest(url: str, part: str) -> bool:
    """Append what is missing of `part`; whether it is complete now."""
    os.makedirs(os.path.dirname(part) or ".", exist_ok=True)
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:  # the server sends all of it
            have = 0
        if "Content-Length" not in response.headers:
            raise _cannot(url, part.removesuffix(".part"), "the server does not say how long the file is")
        total = have + int(response.headers["Content-Length"])
        bar = _Bar(os.path.basename(part).removesuffix(".part"), have, total, sys.stderr)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                have += len(block)
                bar.show(have)
        bar.end()
    return have == total


class _Bar:
    """`name: 42% of 170 MB, 3.1 MB/s, 0:31 left`, redrawn on a terminal, a line each tenth elsewhere."""

    def __init__(self, name: str, have: int, total: int, stream: Any):
        self._name, self._total, self._stream = name, total, stream
        self._first, self._start = have, time.monotonic()
        self._terminal = is_terminal(stream)
        self._shown = have * 10 // total if total else 0
        self._next = 0.0

    def show(self, have: int) -> None:
        now, tenth = time.monotonic(), have * 10 // self._total
        if (now < self._next) if self._terminal else (tenth == self._shown):
            return
        self._next, self._shown = now + 0.1, tenth
        rate = (have - self._first) / max(now - self._start, 1e-6)
        minutes, seconds = divmod(round((self._total - have) / rate), 60)
        line = (
            f"{self._name}: {have / self._total:.0%} of {self._total / 1e6:.0f} MB, "
            f"{rate / 1e6:.1f} MB/s, {minutes}:{seconds:02} left"
        )
        self._stream.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        if self._terminal:
            self._stream.write("\n")


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _cannot(url: str, path: str, reason: str) -> DataError:
    return DataError(
        f"cannot download {url}: {reason}; run the command again to go on from where it stopped, or fetch "
        f"{os.path.basename(path)} by other means and give it with --from"
    )
