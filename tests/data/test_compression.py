"""CRC-32C and Snappy against published values and plain formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.data.compression import crc32c, snappy_decompress


@pytest.mark.parametrize(
    "data, checksum",
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (b"\0" * 32, 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (bytes(range(32)) * 40, 0x73CBECAD),
    ],
)
def test_crc_of_known_messages(data, checksum):
    assert crc32c(data) == checksum


@given(st.integers(0, 1200), st.integers(0, 255))
def test_crc_bit_by_bit(length, start):
    data = bytes((start + 7 * i + i * i) % 256 for i in range(length))
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    "packed, plain",
    [
        (b"\x00", b""),
        (b"\x03\x08abc", b"abc"),
        (b"\x07\x08abc\x01\x03", b"abcabca"),  # a 1-byte copy of 4 from 3 back, which runs into itself
        (b"\x09\x08abc\x16\x03\x00", b"abcabcabc"),  # a 2-byte copy of 6
        (b"\x08\x08abc\x13\x01\x00\x00\x00", b"abcccccc"),  # a 4-byte copy of 5
        (b"\x64\xf0\x63" + b"x" * 100, b"x" * 100),  # a literal with a length byte
        (b"\xac\x02\xf4\x2b\x01" + b"y" * 300, b"y" * 300),  # with two
    ],
)
def test_snappy(packed, plain):
    assert snappy_decompress(packed) == plain


@pytest.mark.parametrize(
    "packed, message",
    [
        (b"", "ends too soon"),
        (b"\x80", "ends too soon"),
        (b"\x04\x08abc", "unpacks to 3 bytes and promises 4"),
        (b"\x07\x08abc\x01\x04", "a copy from 4 bytes back when there are 3"),
        (b"\x07\x08abc\x01\x00", "a copy from 0 bytes back"),
        (b"\x07\x08abc\x01", "ends too soon"),
    ],
)
def test_malformed_snappy(packed, message):
    with pytest.raises(ValueError, match=message):
        snappy_decompress(packed)
