"""Fetching a file: a progress bar, a checksum, and going on where a broken download stopped."""

from __future__ import annotations

import hashlib
import http.client
import math
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, TextIO

from caffe_compat.errors import DataError
from caffe_compat.log.progress import is_terminal

if TYPE_CHECKING:
    from tqdm import tqdm

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
        name, terminal = os.path.basename(part).removesuffix(".part"), is_terminal(sys.stderr)
        with open(part, "ab" if have else "wb") as file, _begin(name, have, total, sys.stderr) as bar:
            while block := response.read(_BLOCK):
                file.write(block)
                tenth, have = have * 10 // total, have + len(block)
                bar.update(len(block))
                if have * 10 // total != tenth and not terminal:
                    print(bar, file=sys.stderr, flush=True)
    return have == total


def _begin(name: str, have: int, total: int, stream: TextIO) -> tqdm:
    """`name: 42% of 170 MB, 3.1 MB/s, 00:31 left`: redrawn on a terminal, to be printed elsewhere."""
    from tqdm import tqdm

    return tqdm(
        desc=name,
        initial=have,
        total=total,
        file=stream,
        delay=1e-6 if is_terminal(stream) else math.inf,
        position=0,
        miniters=1,
        ncols=1000,  # no terminal's width: the line is never cut, and a terminal may not tell its size
        nrows=24,
        smoothing=0,  # the rate is that of the whole fetch
        unit_scale=1e-6,
        bar_format="{desc}: {percentage:.0f}% of {total:.0f} MB, {rate_noinv:.1f} MB/s, {remaining} left",
    )


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _cannot(url: str, path: str, reason: str) -> DataError:
    return DataError(
        f"cannot download {url}: {reason}; run the command again to go on from where it stopped, or fetch "
        f"{os.path.basename(path)} by other means and give it with --from"
    )
