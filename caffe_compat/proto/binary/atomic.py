"""Files are written under a temporary name and renamed, so a file is whole or not there."""

import errno
import os
from collections.abc import Callable, Iterable

from caffe_compat.errors import SnapshotError
from caffe_compat.proto.binary.wire import Chunk, size_of

Path = str | os.PathLike[str]


def write_atomic(path: Path, chunks: bytes | Iterable[Chunk]) -> None:
    """Write the bytes to `path`, all or nothing. Raises SnapshotError."""
    parts: list[Chunk] = [chunks] if isinstance(chunks, bytes) else list(chunks)

    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            file.writelines(parts)

    write_aside(path, write, size_of(parts))


def write_aside(path: Path, write: Callable[[str], None], size: int = 0) -> None:
    """Have `write` make a temporary file beside `path`, and give it that name when it is whole and on disk.

    Whatever goes wrong, the temporary file is removed and a file that was at `path` stays as it was.
    A link stays a link: what it leads to is replaced. What cannot be replaced, a pipe or a device, is written to.
    `size`, if known, is what the error says was needed. Raises SnapshotError for any OSError.
    """
    name = os.fspath(path)
    target = os.path.realpath(name)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        if is_stream(name):
            write(name)
            return
        try:
            write(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.remove(temporary)
            raise
    except OSError as error:
        needed = f" ({size} bytes needed)" if size else ""
        remedy = {
            errno.ENOENT: "make its folder first",
            errno.ENOSPC: "free some space or write elsewhere",
            errno.EDQUOT: "free some space or write elsewhere",
        }.get(error.errno or 0, "write to a place that you may write to")
        raise SnapshotError(
            f"{name}: cannot be written{needed}: {error.strerror or error}; {remedy}"
        ) from error


def is_stream(path: Path) -> bool:
    """Whether `path` is a pipe or a device, such as /dev/stdout, and no file."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
