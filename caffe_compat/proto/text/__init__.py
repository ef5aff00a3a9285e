"""Prototxt: read with errors that say where and what instead, written as Caffe's C++ writes it.

The reader takes the text format of protobuf 2 as Caffe's own reader does: `#` comments, both kinds of
quotes, strings that continue in the next string, `{ }` and `< >`, `:` optional before a message, `,` and
`;` between fields, `[a, b]` for repeated fields. It is not google.protobuf.text_format because that
forgets where things stood: in one pass ours notes the line of every layer, lists what it was told to
ignore, and names message, field and the nearest known word in each error, whatever protobuf is installed.
"""

import os
import stat
from collections.abc import Callable
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from caffe_compat.errors import ParseError, from_where
from caffe_compat.log import names
from caffe_compat.log.write import NULL, WARNING, Log
from caffe_compat.proto import NetParameter, SolverParameter, upgrade
from caffe_compat.proto.text.fields import fields_of
from caffe_compat.proto.text.parse import M, Parser
from caffe_compat.proto.text.print import clear_origin, messages_equal, to_text
from caffe_compat.proto.text.tokens import top_fields

__all__ = [
    "HERE",
    "Reader",
    "clear_origin",
    "content",
    "messages_equal",
    "named_by",
    "parse",
    "parse_file",
    "read_net",
    "read_solver",
    "to_text",
    "top_fields",
]

Path = str | os.PathLike[str]
P = ParamSpec("P")
T = TypeVar("T")

_TOLD: dict[tuple[int, int], bytes] = {}  # what pipes told, by device and inode


class Reader(NamedTuple):
    """How the files of a run are read.

    root            where paths in files start ("" is the working directory)
    ignore_unknown  whether a field that nobody here knows is warned of, and no error
    log             gets Caffe's lines about upgrades and our warnings
    """

    root: str = ""
    ignore_unknown: bool = False
    log: Log = NULL

    def path(self, name: str) -> str:
        """Where the file is that a field names."""
        return os.path.join(self.root, names.file_name(name))

    def net(self, path: Path) -> NetParameter:
        return read_net(path, self.log, self.ignore_unknown)

    def solver(self, path: Path) -> SolverParameter:
        return read_solver(path, self.log, self.ignore_unknown, self.root)

    def read(self, path: Path) -> NetParameter | SolverParameter:
        """A net or a solver: what the first field at the top of the file that only one of them has speaks for."""
        net, solver = (set(fields_of(cls.DESCRIPTOR)) for cls in (NetParameter, SolverParameter))
        try:
            text = content(path).decode(errors="replace")
            first = next((name for name, _ in top_fields(text) if name in net ^ solver), "")
        except OSError:
            first = ""  # read_net says what is wrong
        if first in solver:
            return self.solver(path)
        return self.net(path)

    def message(self, path: Path, cls: type[M]) -> M:
        return parse_file(path, cls, self.ignore_unknown, self.log)


HERE = Reader()


def read_net(path: Path, log: Log | None = None, ignore_unknown: bool = False) -> NetParameter:
    """The NetParameter in the prototxt `path`, of any age, in today's form.

    Each layer's `origin` is its "path:line". `log` (a log.write.Log) gets Caffe's lines about upgrades and
    our warnings; without one, warnings go to standard error. `ignore_unknown` as for `parse`.
    Raises ParseError. Source: ReadNetParamsFromTextFileOrDie in src/caffe/util/upgrade_proto.cpp.
    """
    param = parse_file(path, NetParameter, ignore_unknown, log)
    upgrade.upgrade_net(param, os.fspath(path), log)
    return param


def read_solver(
    path: Path, log: Log | None = None, ignore_unknown: bool = False, root: str = ""
) -> SolverParameter:
    """The SolverParameter in the prototxt `path` in today's form, its snapshot_prefix filled in.

    Arguments as for `read_net`; a snapshot_prefix is looked up below `root`. Raises ParseError.
    Source: ReadSolverParamsFromTextFileOrDie in src/caffe/util/upgrade_proto.cpp.
    """
    param = parse_file(path, SolverParameter, ignore_unknown, log)
    upgrade.upgrade_solver(param, os.fspath(path), log)
    upgrade.fill_snapshot_prefix(param, os.fspath(path), log, root)
    return param


def named_by(
    solver: SolverParameter,
    name: str,
    path: str,
    read: Callable[Concatenate[str, P], T],
    *arguments: P.args,
    **options: P.kwargs,
) -> T:
    """What `read` makes of the net file at `path`, which a solver names so. Raises ParseError; of a missing file it says
    who asked for it.
    """
    try:
        return read(path, *arguments, **options)
    except ParseError as error:
        if os.path.exists(path):
            raise
        where = solver.origin
        named = {field: getattr(solver, field) for field in ("net", "train_net", "test_net")}
        field = next(
            (field for field, value in named.items() if name == value or (value and name in value)), "net"
        )
        if os.path.isfile(where):
            lines = dict(reversed(list(top_fields(content(where).decode(errors="replace")))))
            where += f":{lines[field]}" if field in lines else ""
        raise ParseError(
            f"{where or 'the solver'}: {field} '{path}' cannot be read: no such file{from_where(path)}; check the path"
        ) from error


def parse_file(path: Path, cls: type[M], ignore_unknown: bool = False, log: Log | None = None) -> M:
    """The message of class `cls` in the prototxt `path`; not upgraded. Raises ParseError."""
    name = os.fspath(path)
    try:
        data = content(path)
    except OSError as error:
        remedy = "give a prototxt file" if os.path.isdir(path) else "check the path"
        raise ParseError(f"{name}: cannot be read: {error.strerror}; {remedy}") from error
    if b"\0" in data:
        raise ParseError(
            f"{name}: this is a binary file, not prototxt; give the text file of the {cls.__name__}"
        )
    return parse(data.decode(errors="surrogateescape"), cls, name, ignore_unknown, log)


def content(path: Path) -> bytes:
    """What a file holds; of a pipe, which tells it once, what it told. Raises OSError."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            return file.read()
        key = status.st_dev, status.st_ino
        if key not in _TOLD:
            _TOLD[key] = file.read()
        return _TOLD[key]


def parse(
    text: str, cls: type[M], source: str = "<string>", ignore_unknown: bool = False, log: Log | None = None
) -> M:
    """The message of class `cls` (such as NetParameter) that `text` holds; not upgraded.

    `source` is the name for errors and origins. With `ignore_unknown`, fields that the message does not
    have are skipped, each with a warning to `log` (a log.write.Log; None is standard error).

    Raises:
        ParseError: "source:line:column: what is wrong, and what would be right".
    """
    parser = Parser(text.removeprefix("\ufeff"), source, ignore_unknown)
    message = parser.parse(cls)
    if parser.ignored:
        log = log or Log(progress=False, level=WARNING)
        for line in parser.ignored:
            log.warn_once(line)
    return message
