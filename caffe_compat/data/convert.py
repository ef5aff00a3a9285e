"""Pictures in files made into Datum records.

Caffe: tools/convert_imageset.cpp, src/caffe/util/io.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from caffe_compat.data import images
from caffe_compat.data.records import serialize
from caffe_compat.errors import DataError
from caffe_compat.proto import Datum

_CHUNK = 1000  # pictures read ahead of the database


@dataclass(frozen=True)
class Options:
    """Caffe's flags of the same names. Sizes of 0 leave pictures as they are, both are needed to resize."""

    gray: bool = False
    resize_height: int = 0
    resize_width: int = 0
    check_size: bool = False
    encoded: bool = False
    encode_type: str = ""


def records(
    root: str, lines: Sequence[tuple[str, int]], options: Options, skipped: Callable[[str], object]
) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the pictures `root + path` of a list, in its order.

    A picture that cannot be read is left out, as in Caffe, and its path given to `skipped`.

    Raises:
        DataError: pictures differ in size with check_size; an encoding that OpenCV does not know.
    """
    size = None
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(lines), _CHUNK):
            chunk = lines[start : start + _CHUNK]
            made = pool.map(lambda line: _datum(root + line[0], line[1], options), chunk)
            for index, (line, datum) in enumerate(zip(chunk, made, strict=True), start):
                if datum is None:
                    skipped(root + line[0])
                    continue
                value, count = datum
                size = size or count
                if options.check_size and count != size:
                    raise DataError(
                        f"'{root + line[0]}' has {count} values and the first picture {size}; give --resize_height "
                        "and --resize_width, or leave --check_size out"
                    )
                yield f"{index:08}_{line[0]}".encode("utf-8", "surrogateescape"), value


def _datum(path: str, label: int, options: Options) -> tuple[bytes, int] | None:
    """A picture as the bytes of a Datum, and how many values it has; None if it cannot be read."""
    picture = images.read(path, options.resize_height, options.resize_width, not options.gray)
    if picture is None:
        return None
    extension = os.path.basename(path).rpartition(".")[2].lower()
    encoding = options.encode_type or (extension if options.encoded else "")
    if not encoding:
        return serialize(images.planes(picture), label, encoded=False), picture.size
    is_colour = picture.ndim == 3
    untouched = is_colour != options.gray and not options.resize_height and not options.resize_width
    if untouched and (encoding.lower(), extension) in {(extension, extension), ("jpg", "jpeg")}:
        with open(path, "rb") as file:
            data = file.read()
    else:
        data = images.encode(picture, encoding)
    return Datum(data=data, label=label, encoded=True).SerializeToString(deterministic=True), picture.size
