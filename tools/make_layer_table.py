#!/usr/bin/env python3
"""Write caffe_compat/layers/README.md: every layer type, from the docstrings of the classes.

python tools/make_layer_table.py            # write it
python tools/make_layer_table.py --check    # exit 1 if it is not current
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this file is a script; tools is not installed

TARGET = ROOT / "caffe_compat" / "layers" / "README.md"

HEAD = """# Layer types

Written by tools/make_layer_table.py from the docstrings; change those, not this table. Each file holds one layer
type or one family, with its formula, blobs, and what differs from torch.

| type | computes | blobs | file | Caffe's source, or the fork |
|---|---|---|---|---|
"""


def table() -> str:
    """The whole file: one row a registered type, sorted by name without regard to case."""
    from caffe_compat.layers.registry import registry

    ours = [(name, cls) for name, cls in registry().items() if cls.__module__.startswith("caffe_compat.")]
    rows = [_row(name, cls) for name, cls in sorted(ours, key=lambda item: item[0].lower())]
    return HEAD + "\n".join(rows) + "\n"


def _row(name: str, cls: type) -> str:
    text = inspect.cleandoc(cls.__doc__ or "")
    path = cls.__module__.removeprefix("caffe_compat.").replace(".", "/") + ".py"
    shown, link = path.removeprefix("layers/"), os.path.relpath(path, "layers")
    source = _section(text, "Caffe")
    files = ", ".join(path.rpartition("/")[2] for path in re.findall(r"[\w/.]+\.(?:cpp|hpp|cu)", source))
    cells = [
        f"`{name}`",
        text.split("\n\n")[0].replace("\n", " "),
        _section(text, "Blobs"),
        f"[{shown}]({link})",
        files or _section(text, "Fork").partition(",")[0],
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _section(text: str, title: str) -> str:
    """What follows `title:` up to the end of its sentence's line block (the next line that starts a section)."""
    match = re.search(rf"^{title}: (.*?)(?=\n[A-Z][a-z]+:? |\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return " ".join(match[1].split()) if match else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only say whether the file is current")
    args = parser.parse_args()
    if not args.check:
        TARGET.write_text(table(), encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == table():
        return 0
    print(
        f"{TARGET.relative_to(ROOT)} is not current; run: python tools/make_layer_table.py", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
