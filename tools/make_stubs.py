#!/usr/bin/env python3
"""Write the stubs from which editors and type checkers know the messages and their fields.

    python tools/make_stubs.py           # writes caffe_compat/proto/messages.pyi and caffe_compat/proto/stubs/
    python tools/make_stubs.py --check   # writes nothing; fails if a file is missing or out of date

Everything comes from the compiled schema. stubs/stock.pyi has Caffe's messages; what forks add to them is in the
classes XOfForks of stubs/on_stock.pyi and stubs/on_layers.pyi, which X of stock.pyi inherits. The forks' own
messages follow in the order of the alphabet. stubs/base.pyi is written by hand.
"""

import argparse
import itertools
import keyword
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from caffe_compat.proto import messages
from caffe_compat.proto.messages import SCHEMA
from caffe_compat.proto.schema import LABELS, compile_schema

OUT = ROOT / "caffe_compat" / "proto"
WRITTEN_BY = "# Written by tools/make_stubs.py; change that file or the schema, not this one.\n# fmt: off\n# ruff: noqa\n"
LINES = 1900  # of a file, about
ON_LAYERS = ("LayerParameter", "V1LayerParameter")  # to which forks add the most, so in a file of their own
EMPTY = ["    ..."]
KINDS = {1: "float", 2: "float", 8: "bool", 9: "str", 12: "bytes"}  # else an int
PACKAGE = "caffe_compat.proto.stubs"
BY_HAND = ("__init__.pyi", "base.pyi")
OWN = """
from google.protobuf.descriptor_pool import DescriptorPool
from caffe_compat.proto.schema import Schema

EXTENSION_RANGE: tuple[int, int]
POOL: DescriptorPool
SCHEMA: Schema

""".splitlines()  # what else messages.py has
MESSAGES = {message.name: message for message in SCHEMA.file.message_type}
for message in MESSAGES.values():  # in an order that does not depend on the forks' rooms
    message.field.sort(key=lambda field: field.number)
    message.enum_type.sort(key=lambda enum: enum.name)
    for enum in message.enum_type:
        enum.value.sort(key=lambda value: value.number)


def kind(field: FieldDescriptorProto) -> str:
    """The Python type of a field's value, or of one of its values."""
    if field.type_name in MESSAGES:
        return field.type_name
    return "int" if field.type_name else KINDS.get(field.type, "int")  # an enum's value is an int


def attribute(field: FieldDescriptorProto) -> str:
    of = kind(field)
    if field.label == LABELS["repeated"]:
        of = f"{'Messages' if of in MESSAGES else 'Scalars'}[{of}]"
    return f"    {field.name}: {of}"


def argument(field: FieldDescriptorProto) -> str:
    """What the constructor takes for a field: for a message a dict, too, for an enum's value its name, too."""
    of = kind(field)
    if of in MESSAGES:
        of += " | Fields"
    elif field.type_name:
        of += " | str"
    if field.label == LABELS["repeated"]:
        of = f"Iterable[{of}]"
    return f"{field.name}: {of} = ..."


def method(name: str, arguments: Iterable[str], result: str) -> list[str]:
    """The lines of a method."""
    kept = (argument.replace(" ", "~") for argument in arguments)
    return wrapped(f"    def {name}({', '.join(kept)})~->~{result}:~...")


def wrapped(text: str) -> list[str]:
    """A statement in lines that end where they are full, within its brackets; `~` is a space to keep."""
    lines = textwrap.wrap(
        text, 110, subsequent_indent="        ", break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("~", " ") for line in lines]


def usable(fields: Iterable[FieldDescriptorProto]) -> list[FieldDescriptorProto]:
    """Those that Python can name: `lambda` is got with getattr."""
    return [field for field in fields if not keyword.iskeyword(field.name)]


def attributes(fields: Iterable[FieldDescriptorProto], enums: Iterable[tuple[str, list[str]]]) -> list[str]:
    lines = []
    for name, values in enums:
        lines += [*([f"    {name}: Enum"] if name else []), *(f"    {value}: int" for value in values)]
    return [*lines, *map(attribute, usable(fields))]


def constructor(message: DescriptorProto) -> list[str]:
    fields = usable(message.field)
    return method("__init__", ["self", "*", *map(argument, fields)], "None") if fields else []


def own_class(message: DescriptorProto) -> list[str]:
    """A fork's message."""
    body = attributes(
        message.field, [(enum.name, [v.name for v in enum.value]) for enum in message.enum_type]
    )
    return [f"class {message.name}(Message):", *(body + constructor(message) or EMPTY)]


def stock_class(message: DescriptorProto, stock: DescriptorProto) -> list[str]:
    """Caffe's message with its own fields; those of forks are inherited."""
    added = len(message.field) > len(stock.field) or extended_enums(message, stock)
    body = attributes(stock.field, [(enum.name, [v.name for v in enum.value]) for enum in stock.enum_type])
    base = f"{message.name}OfForks" if added else "Message"
    return [f"class {message.name}({base}):", *(body + constructor(message) or EMPTY)]


def added_class(message: DescriptorProto, stock: DescriptorProto) -> list[str]:
    """What forks add to a message of Caffe's."""
    known = {field.name for field in stock.field}
    body = attributes((f for f in message.field if f.name not in known), extended_enums(message, stock))
    return [f"class {message.name}OfForks(Message):", *(body or EMPTY)]


def extended_enums(message: DescriptorProto, stock: DescriptorProto) -> list[tuple[str, list[str]]]:
    """The enums that forks add ("" for one that is Caffe's) and their values."""
    known = {enum.name: {value.name for value in enum.value} for enum in stock.enum_type}
    found = []
    for enum in message.enum_type:
        values = [value.name for value in enum.value if value.name not in known.get(enum.name, ())]
        if values:
            found.append(("" if enum.name in known else enum.name, values))
    return found


def classes() -> dict[str, list[list[str]]]:
    """The classes of each file, as lines."""
    schema = (OUT / "caffe.proto").read_text(encoding="utf-8")
    stock = {message.name: message for message in compile_schema(schema).file.message_type}
    files: dict[str, list[list[str]]] = {"stock": [], "on_stock": [], "on_layers": []}
    for name, its in stock.items():
        message = MESSAGES[name]
        files["stock"].append(stock_class(message, its))
        if "(Message)" not in files["stock"][-1][0]:
            files["on_layers" if name in ON_LAYERS else "on_stock"].append(added_class(message, its))
    room = 0
    for name in sorted(MESSAGES.keys() - stock.keys(), key=lambda name: (name.lower(), name)):
        lines = own_class(MESSAGES[name])
        if room < len(lines):
            file = files[f"from_{name[0].lower()}"] = []
            room = LINES
        file.append(lines)
        room -= len(lines) + 1
    return files


def imports(file: str, lines: list[str], homes: dict[str, str]) -> list[str]:
    """What a file's classes need of other files."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    base = [name for name in ("Enum", "Fields", "Message", "Messages", "Scalars") if name in words]
    needed: dict[str, list[str]] = {"base": base}
    for name in sorted(words & homes.keys()):
        if homes[name] != file:
            needed.setdefault(homes[name], []).append(name)
    found = ["from collections.abc import Iterable"] if "Iterable" in words else []
    for home, names in sorted(needed.items()):
        found += wrapped(f"from {PACKAGE}.{home} import ({', '.join(names)})")
    return found


def exports(files: Iterable[str]) -> list[str]:
    """messages.pyi: the classes and, from outside messages, the enums and their values."""
    lines = [f"from {PACKAGE}.{file} import *" for file in files if file not in ("on_stock", "on_layers")]
    lines += [f"from {PACKAGE}.base import Descriptor as Descriptor, FieldDescriptor as FieldDescriptor"]
    lines += [f"from {PACKAGE}.base import Enum, Message as Message", ""]
    for enum in SCHEMA.file.enum_type:
        lines += [f"{enum.name}: Enum", *(f"{value.name}: int" for value in enum.value)]
    public = ", ".join(f'"{name}"' for name in sorted(messages.__all__))
    return [*lines, *OWN, *wrapped(f"__all__ = [{public}]")]


def stubs() -> dict[Path, str]:
    files = classes()
    homes = {
        re.match(r"class (\w+)", lines[0])[1]: file  # type: ignore[index]
        for file, its in files.items()
        for lines in its
    }
    made = {OUT / "messages.pyi": exports(files)}
    for file, its in files.items():
        lines = list(itertools.chain(*([*part, ""] for part in its)))
        made[OUT / "stubs" / f"{file}.pyi"] = [*imports(file, lines, homes), "", *lines[:-1]]
    return {path: WRITTEN_BY + "\n".join(lines) + "\n" for path, lines in made.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file is not current"
    )
    args = parser.parse_args()
    made = stubs()
    written = {path for path in (OUT / "stubs").glob("*.pyi") if path.name not in BY_HAND} | {
        OUT / "messages.pyi"
    }
    wrong = [
        path for path in made.keys() | written if not path.exists() or path.read_text() != made.get(path)
    ]
    if args.check:
        for path in wrong:
            print(f"{path}: not current; run python tools/make_stubs.py", file=sys.stderr)
        return bool(wrong)
    for path in written - made.keys():
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
