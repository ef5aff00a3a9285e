"""What a source of records is, the registry that finds one by the backend a prototxt names, and what writes one.

A source is a read-only sequence of serialized Datum messages in key order, as Caffe's db::Cursor
walks them. Nothing here imports torch.
"""

from __future__ import annotations

import importlib.util
import os
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from caffe_compat.errors import DataError, from_where, nearest, some
from caffe_compat.log import names

if TYPE_CHECKING:
    from typing_extensions import Self

_REGISTRY: dict[str, type[Source]] = {}
_S = TypeVar("_S", bound="type[Source]")


class Source(ABC):
    """A read-only sequence of serialized Datum messages, in key order.

    Args:
        path: the folder of the database. Nothing is ever written in or beside it.

    Raises:
        DataError: it is missing, of another kind, empty, truncated or corrupt.
    """

    backend: ClassVar[str]

    def __init__(self, path: str):
        self.path = path

    @abstractmethod
    def __len__(self) -> int:
        """How many records there are."""

    def estimate(self) -> int:
        """About how many records there are, at once; 0 only if there are none."""
        return len(self)

    @property
    @abstractmethod
    def keys(self) -> Sequence[bytes]:
        """The key of every record, by position."""

    @abstractmethod
    def walk(self, position: int = 0) -> Iterator[bytes]:
        """The records from `position` to the last, in order."""

    def read(self, position: int) -> bytes:
        """The record at `position`, which is below len(self)."""
        return next(self.walk(position))

    def close(self) -> None:  # noqa: B027  # a source without open files has nothing to release
        """Release the files."""

    @classmethod
    @abstractmethod
    def is_at(cls, path: str) -> bool:
        """Whether the folder `path` looks like a database of this kind."""


class Writer(ABC):
    """A new database that takes record after record; a context manager, whole after an end without an error.

    count  how many records it was given
    """

    count = 0

    @abstractmethod
    def __init__(self, path: str):
        """Make the folder; FileExistsError if there is something at `path`."""

    @abstractmethod
    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; raises DataError where it cannot be."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the database, or after an error only close it."""

    @classmethod
    def write(cls, path: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Make a database of (key, value) records; returns how many. Raises as the class does."""
        with cls(path) as database:
            for key, value in records:
                database.put(key, value)
        return database.count


def source(backend: str) -> Callable[[_S], _S]:
    """Register the decorated class as the source of this backend."""

    def register(cls: _S) -> _S:
        if backend in _REGISTRY:
            raise ValueError(
                f"backend {backend!r} is registered by both {_REGISTRY[backend].__module__} and {cls.__module__}"
            )
        _REGISTRY[backend] = cls
        cls.backend = backend
        return cls

    return register


def registry() -> dict[str, type[Source]]:
    """All sources by backend name; imports every module of this folder the first time."""
    package = importlib.import_module("caffe_compat.data")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"caffe_compat.data.{module.name}")
    return _REGISTRY


def open_source(backend: str, path: str, root: str = "") -> Source:
    """The records at `path` (relative to `root`), read by the backend of that name ("LMDB", "LEVELDB").

    Raises:
        DataError: unknown backend; nothing at the path (the message gives the command that makes it);
            a database of another kind; an empty or broken one.
    """
    cls = _find(backend)
    if cls is None:
        raise DataError(
            f"unknown backend {backend!r}{nearest(backend, _REGISTRY)} known backends: {some(sorted(_REGISTRY), backend)}"
        )
    full = os.path.join(root, names.file_name(path))
    if not os.path.isdir(full):
        what = "is a file, not a folder" if os.path.exists(full) else "does not exist"
        raise DataError(
            f"the {backend} source '{full}' {what}; make it with: {command_that_makes(full)}{from_where(full)}"
        )
    if not cls.is_at(full):
        for other in registry().values():
            if other.is_at(full):
                raise DataError(
                    f"'{full}' holds a database of backend {other.backend}, but it was to be read as {backend}"
                    f"{' (the default of data_param)' if backend == 'LEVELDB' else ''}; write `backend: {other.backend}` "
                    f"in data_param, or give --backend {other.backend.lower()} to a command that has it"
                )
        raise DataError(
            f"the folder '{full}' holds no {backend} database; make one with: {command_that_makes(full)}"
        )
    opened = cls(full)
    if not opened.estimate():
        opened.close()
        raise DataError(
            f"the {backend} source '{full}' holds no records; make it again with: {command_that_makes(full)}"
        )
    return opened


def _find(backend: str) -> type[Source] | None:
    """The source of this backend; its module is tried first, since others import torch."""
    module = f"caffe_compat.data.{backend.lower()}"
    if backend not in _REGISTRY and backend.isidentifier() and importlib.util.find_spec(module):
        importlib.import_module(module)
    return _REGISTRY.get(backend) or registry().get(backend)


def command_that_makes(path: str) -> str:
    """The command line that makes a database called `path`, judged by the names our own commands use."""
    folder, name = os.path.split(os.path.normpath(path))
    for dataset in ("cifar100", "cifar10"):
        if name.startswith(f"{dataset}_"):
            return f"caffe-compat data {dataset} {folder or '.'}"
    if name in ("train_lmdb", "test_lmdb"):
        return f"caffe-compat data shapes {folder or '.'}"
    return f"caffe-compat convert-imageset ROOTFOLDER/ LISTFILE {path}"
