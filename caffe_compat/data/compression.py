"""What LevelDB's files need beyond the standard library: the CRC-32C checksum and Snappy.

Formats: RFC 3720 appendix B.4 (CRC-32C); format_description.txt of google/snappy.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_LANE = 256  # bytes; a long message is cut into lanes that are summed side by side


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of some bytes."""
    one, two, skip = _tables()
    lanes = len(data) // _LANE
    head = len(data) - lanes * _LANE
    state = 0xFFFFFFFF
    for byte in data[:head]:
        state = one[(state ^ byte) & 255] ^ (state >> 8)
    if lanes:
        # A checksum is linear: sum every lane on its own, then shift what came before past each lane.
        columns = np.frombuffer(data, "<u2", offset=head).reshape(lanes, -1).T
        sums = np.zeros(lanes, np.uint32)
        for column in columns:
            sums = two.take((sums ^ column) & 65535) ^ (sums >> 16)
        a, b, c, d = skip
        for lane in sums.tolist():
            state = a[state & 255] ^ b[state >> 8 & 255] ^ c[state >> 16 & 255] ^ d[state >> 24] ^ lane
    return state ^ 0xFFFFFFFF


@cache
def _tables() -> tuple[list[int], np.ndarray, list[list[int]]]:
    """What one byte and what two bytes do to a state of zeros, and what a lane of zeros does to each byte of a state."""
    one = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        one = np.where(one & 1, (one >> 1) ^ np.uint32(_POLYNOMIAL), one >> 1)

    def after_zeros(states: np.ndarray, count: int) -> np.ndarray:
        for _ in range(count):
            states = one[states & 255] ^ (states >> 8)
        return states

    places = np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    return (
        one.tolist(),
        after_zeros(np.arange(65536, dtype=np.uint32), 2),
        after_zeros(places, _LANE).tolist(),
    )


def snappy_decompress(data: bytes) -> bytes:
    """A raw Snappy block unpacked; ValueError if it is malformed."""
    try:
        size, position = _varint(data)
        out = bytearray()
        while position < len(data):
            tag = data[position]
            position += 1
            if tag & 3 == 0:  # literal
                length = (tag >> 2) + 1
                if length > 60:
                    extra = length - 60
                    length = int.from_bytes(data[position : position + extra], "little") + 1
                    position += extra
                out += data[position : position + length]
                position += length
                continue
            if tag & 3 == 1:
                length, offset = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[position]
                position += 1
            else:
                width = 2 if tag & 3 == 2 else 4
                length, offset = (tag >> 2) + 1, int.from_bytes(data[position : position + width], "little")
                position += width
            start = len(out) - offset
            if offset == 0 or start < 0:
                raise ValueError(f"a copy from {offset} bytes back when there are {len(out)}")
            # A copy may run into what it writes: then it repeats its first `offset` bytes.
            piece = out[start : start + length]
            out += piece if len(piece) == length else (piece * (length // offset + 1))[:length]
    except IndexError as error:
        raise ValueError("it ends too soon") from error
    if len(out) != size:
        raise ValueError(f"it unpacks to {len(out)} bytes and promises {size}")
    return bytes(out)


def _varint(data: bytes) -> tuple[int, int]:
    value = shift = position = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position
