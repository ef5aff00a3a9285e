"""Reference bundles: what tools/dump_caffe_reference.py wrote inside a real Caffe.

Three kinds are read, told apart by what is in the .npz: a net that ran once, a solver that made some
iterations, and batches that data layers served. That tool explains the arrays' names. The golden data of
tests/reference are bundles, too; `param.` (blobs before the pass), `grad.` (gradients of inputs) and
`batch<k>.` (what data layers served) are theirs.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np

from caffe_compat.data.npy import read_array, read_header
from caffe_compat.errors import DataError
from caffe_compat.log.write import OFF, Log
from caffe_compat.proto import TEST, TRAIN, NetParameter, SolverParameter, text, upgrade

_LOCAL = struct.Struct("<4s5H3I2H")  # the head of a zip member
_KINDS = "fiubUS"  # of arrays: numbers and texts
_ARRAYS = ("bundle.npz", "trajectory.npz")
_WEIGHTS = ("weights.caffemodel", "init.caffemodel")


_M = TypeVar("_M")  # a message


class _Member(NamedTuple):
    """Where in the file an array is, how long, how packed, and the sum over its bytes before packing."""

    at: int
    size: int
    packing: int
    crc: int


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of an .npz, read one by one; of a cut file those that are whole (`cut` is True then).

    Raises DataError where nothing can be read.
    """

    def __init__(self, path: Path):
        self._path = path
        self._checked: set[str] = set()
        try:
            self.cut = not zipfile.is_zipfile(path)
            members = _whole_members(path) if self.cut else _listed_members(path)
            self._members = {name.removesuffix(".npy"): member for name, member in members}
        except (OSError, ValueError, NotImplementedError, struct.error, zipfile.BadZipFile) as error:
            what = getattr(error, "strerror", None) or error
            raise DataError(
                f"{path}: cannot be read: {what}; give a bundle of tools/dump_caffe_reference.py"
            ) from None
        if not self._members:
            raise DataError(f"{path}: holds no array; give a bundle of tools/dump_caffe_reference.py")

    def __getitem__(self, key: str) -> np.ndarray:
        member = self._members[key]
        try:
            with open(self._path, "rb") as file:
                file.seek(member.at)
                if key not in self._checked:
                    _check(file, member)
                    self._checked.add(key)
                file.seek(member.at)
                if member.packing == zipfile.ZIP_STORED:  # straight into the array
                    return read_array(file, member.size, _KINDS)
                data = zlib.decompress(file.read(member.size), -15)
                return read_array(io.BytesIO(data), len(data), _KINDS)
        except (OSError, ValueError, zlib.error) as error:
            raise self._broken(key, error) from None

    def _broken(self, key: str, error: Exception) -> DataError:
        return DataError(f"{self._path}: the array '{key}' is broken: {error}; dump it again")

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of an array, without reading its numbers where that can be."""
        member = self._members[key]
        if member.packing == zipfile.ZIP_STORED:
            try:
                with open(self._path, "rb") as file:
                    file.seek(member.at)
                    return read_header(file, _KINDS)[0]
            except (OSError, ValueError) as error:
                raise self._broken(key, error) from None
        return self[key].shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members


def _check(file: BinaryIO, member: _Member) -> None:
    """Raise ValueError if the bytes are not those that were written."""
    file.seek(member.at)
    data = file.read(member.size)
    if member.packing != zipfile.ZIP_STORED:
        data = zlib.decompress(data, -15)
    if zlib.crc32(data) != member.crc:
        raise ValueError("its checksum is another")


def _listed_members(path: Path) -> Iterator[tuple[str, _Member]]:
    """The members of a zip by its directory."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset)
            *_, name_size, extra_size = _LOCAL.unpack(file.read(_LOCAL.size))
            at = info.header_offset + _LOCAL.size + name_size + extra_size
            yield info.filename, _Member(at, info.compress_size, info.compress_type, info.CRC)


def _whole_members(path: Path) -> Iterator[tuple[str, _Member]]:
    """The members of a zip that are complete, from the heads before them: a cut zip has no directory."""
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        while len(head := file.read(_LOCAL.size)) == _LOCAL.size:
            mark, _, _, packing, _, _, crc, packed, _, name_size, extra_size = _LOCAL.unpack(head)
            if mark != b"PK\x03\x04":
                return
            name, extra = file.read(name_size), file.read(extra_size)
            if packed == 0xFFFFFFFF and len(extra) >= 20:  # zip64: two 8-byte sizes behind a 4-byte head
                packed = struct.unpack("<Q", extra[12:20])[0]
            at = file.tell()
            if at + packed > end:
                return
            yield name.decode(), _Member(at, packed, packing, crc)
            file.seek(at + packed)


class Bundle:
    """One bundle; see `open_bundle`.

    Attributes:
        path: the .npz.
        kind: "net", "solver" or "data".
        root: the folder that paths inside net and solver start from.
        meta: what the tool noted down: phase, passes, layers ...
        arrays: key -> array, read when asked for.
        net_param: the (training) net, upgraded, with its state set.
        solver: the SolverParameter, upgraded, or None.
        weights: the caffemodel of the weights before anything ran, or None.
        given_net: whether the net is not the bundle's own but one that the caller gave.
        notes: what is missing or was left out, in words.
    """

    def __init__(self, path: Path, root: str, net: str | None, solver: str | None):
        self.path = str(path)
        self.notes: list[str] = []
        self.arrays = Arrays(path)
        if self.arrays.cut:
            self.notes.append(
                f"{path}: cut short; {len(self.arrays)} arrays are whole, the others are missing"
            )
        self.meta: dict[str, Any] = json.loads(_string(self.arrays["meta"])) if "meta" in self.arrays else {}

        own_solver = solver is None
        if solver is None and path.name in _ARRAYS and (path.parent / "solver.prototxt").exists():
            solver = str(path.parent / "solver.prototxt")
        self.solver: SolverParameter | None = None
        if solver is not None:
            self.solver = read_fork(solver, SolverParameter, self.notes)
            upgrade.upgrade_solver(self.solver, solver, quiet())
        self.kind = "net"
        if any(key.startswith("batch0.") for key in self.arrays):
            self.kind = "data"
        elif self.solver is not None:
            self.kind = "solver"

        self.given_net = net is not None or not own_solver
        self.root = root or self._find_root(path.parent)
        self.net_param = self._find_net(net, path)
        self.net_param.state.phase = self._phase()
        self.net_param.state.level = self.meta.get("level", 0)
        self.net_param.state.stage.extend(self.meta.get("stages", ()))
        self.weights = None
        if path.name in _ARRAYS:
            self.weights = next((str(path.parent / n) for n in _WEIGHTS if (path.parent / n).exists()), None)

    def names(self, kind: str) -> list[str]:
        """What stands behind `kind.` in the arrays' names."""
        return [key[len(kind) + 1 :] for key in self.arrays if key.startswith(f"{kind}.")]

    def _phase(self) -> int:
        """A solver's net is in TRAIN; the golden batches were served in TEST."""
        default = "TEST" if self.kind == "data" else "TRAIN"
        return {"TRAIN": TRAIN, "TEST": TEST}[self.meta.get("phase", default)]

    def _find_root(self, folder: Path) -> str:
        """Where a solver's net is: the bundle's folder, the one above, or the working directory."""
        if self.solver is None:
            return str(folder)
        name = self.solver.net or self.solver.train_net
        return next((str(f) for f in (folder, folder.parent) if name and (f / name).exists()), "")

    def _find_net(self, net: str | None, path: Path) -> NetParameter:
        param = self.solver
        if net is None and param is not None:
            for field in ("net_param", "train_net_param"):
                if param.HasField(field):
                    inside = NetParameter()
                    inside.CopyFrom(getattr(param, field))
                    return inside
            name = param.net or param.train_net
            places = [os.path.join(folder, name) for folder in (self.root, path.parent)]
            net = next((place for place in places if os.path.exists(place)), places[0])
        if net is None:
            beside = (path.with_suffix(".prototxt"), path.parent / "net.prototxt")
            net = next((str(file) for file in beside if file.exists()), None)
            if net is None:
                names = " nor ".join(file.name for file in beside)
                raise DataError(f"{path}: no net beside it, neither {names}; give it with --net FILE")
        net_param = read_fork(net, NetParameter, self.notes)
        upgrade.upgrade_net(net_param, net, quiet())
        return net_param


def open_bundle(
    path: str | os.PathLike[str], root: str = "", net: str | None = None, solver: str | None = None
) -> Bundle:
    """The bundle in a folder, or the .npz of one. `net` and `solver` are files to use instead of its own.

    Raises:
        DataError: there is no bundle, or nothing of it can be read.
        ParseError: its net or solver cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        found = [file / name for name in _ARRAYS if (file / name).exists()]
        if not found:
            raise DataError(
                f"{path}: no {' or '.join(_ARRAYS)} in this folder; give a bundle's folder or its .npz"
            )
        file = found[0]
    return Bundle(file, root, net, solver)


def read_fork(path: str, cls: type[_M], notes: list[str]) -> _M:
    """The message in the prototxt `path`, whatever fork wrote it: fields nobody knows are left out, with notes."""
    warnings = io.StringIO()
    message = text.parse_file(path, cls, ignore_unknown=True, log=Log(warnings, progress=False))
    notes += _messages(warnings)
    return message


def parse_fork(content: str, cls: type[_M], source: str, notes: list[str]) -> _M:
    """`read_fork` for a prototxt that is no file."""
    warnings = io.StringIO()
    message = text.parse(content, cls, source, ignore_unknown=True, log=Log(warnings, progress=False))
    notes += _messages(warnings)
    return message


def quiet() -> Log:
    """A log for upgrades, which would else print what they do."""
    return Log(progress=False, level=OFF)


def _messages(log: io.StringIO) -> list[str]:
    return [line.split("] ", 1)[1] for line in log.getvalue().splitlines()]


def _string(array: np.ndarray) -> str:
    value = array.item()  # Python 2 writes bytes
    return value.decode() if isinstance(value, bytes) else value
