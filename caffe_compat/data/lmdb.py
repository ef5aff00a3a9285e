"""LMDB: the database most Caffe nets read.

Caffe: src/caffe/util/db_lmdb.cpp. Opened read-only and without a lock file, so a source may lie on a
read-only disk and be shared by any number of runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from weakref import WeakValueDictionary

import lmdb

from caffe_compat.data import base
from caffe_compat.data.base import Source, source
from caffe_compat.errors import DataError

_PUTS_PER_TRANSACTION = 1000  # as Caffe's converters commit
# LMDB forbids a process to open a file twice, and a TRAIN and a TEST net may well read the same one.
_OPEN: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()


@source("LMDB")
class Lmdb(Source):
    """The records of an LMDB folder (`data.mdb` inside)."""

    def __init__(self, path: str):
        super().__init__(path)
        self._count: int = self._transaction.stat()["entries"]

    def __len__(self) -> int:
        return self._count

    @cached_property
    def keys(self) -> Sequence[bytes]:
        """The key of every record, by position; the first use walks the whole database."""
        with self._transaction.cursor() as cursor:
            return [bytes(key) for key in cursor.iternext(keys=True, values=False)]

    def walk(self, position: int = 0) -> Iterator[memoryview]:
        """The records from `position` on, each a memoryview valid until `close`."""
        with self._transaction.cursor() as cursor:
            try:
                # LMDB has no jump to a position: step over the keys, which reads no values.
                if cursor.first() and all(cursor.next() for _ in range(position)):
                    yield from cursor.iternext(keys=False, values=True)
            except lmdb.Error as error:
                raise DataError(
                    f"the LMDB '{self.path}' is corrupt: {error}; copy it again or make it again"
                ) from error

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        if "_transaction" in self.__dict__:
            self._transaction.abort()
            del self._transaction

    @classmethod
    def is_at(cls, path: str) -> bool:
        return os.path.isfile(os.path.join(path, "data.mdb"))

    @cached_property
    def _transaction(self) -> lmdb.Transaction:
        try:
            return _environment(self.path).begin(buffers=True)
        except lmdb.Error as error:
            if "already open" in str(error):  # not by this module, which shares what it opens
                raise DataError(
                    f"the LMDB '{self.path}' is open in this process, and the lmdb package opens none twice; "
                    "close() the script's own environment before the net is built"
                ) from error
            raise DataError(
                f"'{self.path}' is not a readable LMDB: {error}; copy it again or make it again"
            ) from error


def _environment(path: str) -> lmdb.Environment:
    file = os.stat(os.path.join(path, "data.mdb"))
    env = _OPEN.get((file.st_dev, file.st_ino))
    if env is None:
        env = lmdb.open(path, readonly=True, lock=False, create=False)
        # LMDB maps the file: touching a page beyond its end would kill the process, so look first.
        needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
        if file.st_size < needed:
            raise DataError(
                f"the LMDB '{path}' is truncated: data.mdb has {file.st_size} bytes and its header promises "
                f"{needed}; copy it again or make it again"
            )
        _OPEN[file.st_dev, file.st_ino] = env
    return env


class Writer(base.Writer):
    """A new LMDB folder that takes record after record, committed a thousand at a time.

    The map starts at LMDB's own default of 1 MiB and doubles when it is full, as Caffe's does.

    Raises:
        DataError: the disk is full or cannot be written.
        FileExistsError: there is something at `path`.
    """

    def __init__(self, path: str):
        os.mkdir(path)
        self.path = path
        self._waiting: list[tuple[bytes, bytes]] = []
        with self._naming_errors():
            self._env = lmdb.open(path, map_size=1 << 20, mode=0o664, sync=False)

    def put(self, key: bytes, value: bytes) -> None:
        self._waiting.append((key, value))
        self.count += 1
        if len(self._waiting) == _PUTS_PER_TRANSACTION:
            self._commit()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._commit()
                with self._naming_errors():
                    self._env.sync(True)
        finally:
            self._env.close()

    def _commit(self) -> None:
        with self._naming_errors():
            _commit(self._env, self._waiting)
        self._waiting = []

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise DataError(
                f"cannot write '{self.path}': {error}; make room there or choose another place"
            ) from error


write = Writer.write


def _commit(env: lmdb.Environment, batch: list[tuple[bytes, bytes]]) -> None:
    while True:
        try:
            with env.begin(write=True) as txn:
                for key, value in batch:
                    txn.put(key, value)
            return
        except lmdb.MapFullError:
            env.set_mapsize(env.info()["map_size"] * 2)
