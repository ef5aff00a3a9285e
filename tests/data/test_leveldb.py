"""LevelDB: files of the real library are read, ours have its format, broken ones are named with the place."""

import os
import random
import shutil
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.data import leveldb, leveldb_format, leveldb_writer
from caffe_compat.data.base import open_source
from caffe_compat.data.leveldb import LevelDb
from caffe_compat.errors import DataError, MissingExtra


@pytest.fixture
def golden(reference, tmp_path):
    """A copy of a LevelDB that Caffe's convert_imageset wrote."""
    folder = tmp_path / "raw_leveldb"
    shutil.copytree(reference / "data" / "raw_leveldb", folder)
    for file in (folder, *folder.iterdir()):
        file.chmod(0o755)
    return folder


def log(*records, first=1):
    """A log of one batch a record; a record is (key, value), value None deletes."""
    data = b""
    for sequence, (key, value) in enumerate(records, first):
        change = (
            bytes([value is not None])
            + leveldb_format.string(key)
            + (b"" if value is None else leveldb_format.string(value))
        )
        data += leveldb_writer.log_bytes(struct.pack("<QI", sequence, 1) + change)
    return data


def edit(folder, number, *says):
    with open(folder / f"MANIFEST-{number:06}", "wb") as file:
        file.write(leveldb_writer.log_bytes(b"".join(says)))
    (folder / "CURRENT").write_bytes(b"MANIFEST-%06d\n" % number)


def test_records_of_the_real_library(reference):
    source = open_source("LEVELDB", str(reference / "data" / "raw_leveldb"))
    twin = open_source("LMDB", str(reference / "data" / "raw_lmdb"))
    assert list(source.keys) == list(twin.keys)
    assert list(source.walk()) == [bytes(value) for value in twin.walk()]
    assert list(source.walk(9)) == [bytes(value) for value in twin.walk(9)]
    assert len(source) == 11
    assert 9 <= source.estimate() <= 13


@given(
    st.dictionaries(st.binary(max_size=40), st.binary(max_size=3000), max_size=60),
    st.sampled_from([100, 5000, 1 << 20]),
    st.sampled_from([500, 10000, 1 << 20]),
)
def test_what_is_written_is_read(tmp_path_factory, records, block, table):
    folder = str(tmp_path_factory.mktemp("level") / "db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leveldb_writer, "_BLOCK_BYTES", block)
        patch.setattr(leveldb_writer, "_TABLE_BYTES", table)
        assert leveldb.write(folder, sorted(records.items())) == len(records)
    source = LevelDb(folder)
    assert list(zip(source.keys, source.walk(), strict=True)) == sorted(records.items())
    assert bool(source.estimate()) == bool(records)


def test_keys_must_rise(tmp_path):
    with pytest.raises(
        DataError, match=r"key b'a' does not come after b'a'; LevelDB tables need rising keys"
    ):
        leveldb.write(str(tmp_path / "x"), [(b"a", b"1"), (b"a", b"2")])


def test_the_newest_version_of_a_key_wins_and_deleted_ones_are_gone(tmp_path):
    """Records in the log hide those of tables, whatever the level."""
    folder = tmp_path / "x"
    leveldb.write(str(folder), [(b"a", b"old"), (b"b", b"old"), (b"c", b"old")])
    (folder / "000009.log").write_bytes(
        log((b"b", b"new"), (b"a", None), (b"d", b"added"), (b"d", b"twice"), first=9)
    )
    source = LevelDb(str(folder))
    assert list(zip(source.keys, source.walk(), strict=True)) == [
        (b"b", b"new"),
        (b"c", b"old"),
        (b"d", b"twice"),
    ]


def test_logs_that_are_in_tables_already_are_left_out(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "000003.log").write_bytes(log((b"a", b"stale")))
    (folder / "000007.log").write_bytes(log((b"b", b"fresh")))
    edit(folder, 2, leveldb_format.varints(2, 7))
    assert list(LevelDb(str(folder)).keys) == [b"b"]
    edit(folder, 2, leveldb_format.varints(2, 7, 9, 3))  # a "previous log" still counts
    assert list(LevelDb(str(folder)).keys) == [b"a", b"b"]


def test_a_record_longer_than_a_log_block(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    value = bytes(range(256)) * 400
    (folder / "000003.log").write_bytes(log((b"a", value)))
    edit(folder, 2, leveldb_format.varints(2, 3))
    assert list(LevelDb(str(folder)).walk()) == [value]


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-000004", "000005.ldb"])
def test_a_missing_file_is_named(golden, name):
    os.remove(golden / name)
    with pytest.raises(
        DataError, match=rf"lacks the file {name[:6]}.*No such file|holds no LEVELDB database"
    ):
        list(open_source("LEVELDB", str(golden)).walk())


def test_tables_may_have_the_old_ending(golden):
    (golden / "000005.ldb").rename(golden / "000005.sst")
    assert len(LevelDb(str(golden))) == 11


def test_every_flipped_byte_of_a_table_is_noticed(golden):
    """But those of the metaindex, which nobody reads, and of the padding and the metaindex handle in the footer."""
    path = golden / "000005.ldb"
    good = path.read_bytes()
    wanted = list(LevelDb(str(golden)).walk())
    silent = 0
    for at in range(0, len(good), 37):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        try:
            assert list(LevelDb(str(golden)).walk()) == wanted
            silent += 1
        except DataError as error:
            assert "is corrupt: 000005.ldb, byte " in str(error)
    assert silent <= 2


def test_a_truncated_table_is_named(golden):
    path = golden / "000005.ldb"
    size = path.stat().st_size
    os.truncate(path, size - 100)
    with pytest.raises(
        DataError, match=rf"000005.ldb, byte {size - 100}: it is truncated: .* manifest says {size}"
    ):
        list(LevelDb(str(golden)).walk())


def test_a_truncated_or_changed_log_is_named(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    good = log((b"a", b"1" * 50), (b"b", b"2" * 50))
    edit(folder, 2, leveldb_format.varints(2, 3))
    (folder / "000003.log").write_bytes(good[:-1])
    second = len(good) // 2
    with pytest.raises(
        DataError, match=rf"000003.log, byte {second}: it is truncated: .* its {len(good) - 1} bytes"
    ):
        list(LevelDb(str(folder)).walk())
    (folder / "000003.log").write_bytes(good[:-1] + b"x")
    with pytest.raises(DataError, match=rf"000003.log, byte {second}: the checksum is wrong; copy it again"):
        list(LevelDb(str(folder)).walk())
    (folder / "000003.log").write_bytes(good[: second + 3])
    with pytest.raises(DataError, match=rf"000003.log, byte {second}: it is truncated"):
        list(LevelDb(str(folder)).walk())


def test_other_faults_are_named(golden, tmp_path):
    (golden / "CURRENT").write_bytes(b"hello\n")
    with pytest.raises(DataError, match="CURRENT, byte 0: it names 'hello', which is no manifest"):
        LevelDb(str(golden))
    edit(golden, 9, leveldb_format.varints(1) + leveldb_format.string(b"mine"))
    with pytest.raises(
        DataError, match=r"sorts its keys by mine and only leveldb\.BytewiseComparator can be read"
    ):
        LevelDb(str(golden))
    edit(golden, 9, leveldb_format.varints(44))
    with pytest.raises(DataError, match="MANIFEST-000009, byte 0: a version edit is malformed"):
        LevelDb(str(golden))
    edit(golden, 9, leveldb_format.varints(2, 3))
    (golden / "000005.log").write_bytes(leveldb_writer.log_bytes(struct.pack("<QI", 1, 2) + b"\1\1a\1b"))
    with pytest.raises(DataError, match="000005.log, byte 0: a batch of changes is malformed"):
        list(LevelDb(str(golden)).walk())


def test_an_unknown_compression_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(leveldb_writer, "RAW", 4)
    leveldb.write(str(tmp_path / "x"), [(b"a", b"1")])
    with pytest.raises(
        DataError, match=r"000004.ldb, byte \d+: compression 4 is not known, only none \(0\) and Snappy \(1\)"
    ):
        list(LevelDb(str(tmp_path / "x")).walk())


def test_an_empty_one(tmp_path):
    leveldb.write(str(tmp_path / "x"), [])
    with pytest.raises(DataError, match="LEVELDB source '.*x' holds no records"):
        open_source("LEVELDB", "x", str(tmp_path))


SNAPPY = [
    (b"\x00", b""),
    (b"\x03\x08abc", b"abc"),
    (b"\x07\x08abc\x01\x03", b"abcabca"),  # a 1-byte copy of 4 from 3 back, which runs into itself
    (b"\x09\x08abc\x16\x03\x00", b"abcabcabc"),  # a 2-byte copy of 6
    (b"\x08\x08abc\x13\x01\x00\x00\x00", b"abcccccc"),  # a 4-byte copy of 5
    (b"\x64\xf0\x63" + b"x" * 100, b"x" * 100),  # a literal with a length byte
    (b"\xac\x02\xf4\x2b\x01" + b"y" * 300, b"y" * 300),  # with two
    (b"\xe8\x07\x00z" + b"\xfe\x01\x00" * 15 + b"\x9a\x01\x00", b"z" * 1000),  # as dense as it can be
]


@pytest.mark.parametrize("packed, plain", SNAPPY)
def test_snappy(packed, plain):
    assert leveldb_format.unpack(packed) == plain


@pytest.mark.parametrize(
    "packed, message",
    [
        (b"", "corrupt input"),
        (b"\x80", "corrupt input"),
        (b"\x04\x08abc", "expected 4 decompressed bytes but got 3"),
        (b"\x07\x08abc\x01\x04", "offset 4"),
        (b"\x07\x08abc\x01\x00", "offset 0"),
        (b"\x07\x08abc\x01", "corrupt input"),
        (b"\xff\xff\xff\xff\x0f\x08abc", "9 bytes promise 4294967295"),
    ],
)
def test_malformed_snappy(packed, message):
    with pytest.raises(ValueError, match=message):
        leveldb_format.unpack(packed)


def test_the_checksum_is_the_masked_crc_of_rfc_3720():
    def masked(checksum):
        return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % 2**32

    assert leveldb_format.checksum_of(b"123456789") == masked(0xE3069283)
    assert leveldb_format.checksum_of(b"\0" * 32) == masked(0x8A9136AA)


def test_a_block_that_is_no_snappy_data_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(leveldb_writer, "RAW", 1)
    leveldb.write(str(tmp_path / "x"), [(b"a", b"1")])
    with pytest.raises(DataError, match=r"000004.ldb, byte \d+: a block is no Snappy data: .*corrupt input"):
        list(LevelDb(str(tmp_path / "x")).walk())


@pytest.mark.parametrize(
    "package, what", [("crc32c", "a LevelDB"), ("cramjam", "a LevelDB with Snappy blocks")]
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, package, what):
    monkeypatch.setattr(leveldb_writer, "RAW", 1)
    leveldb.write(str(tmp_path / "x"), [(b"a", b"1")])
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtra, match=rf"^{what} needs the package {package}; .* pip install {package}$"
    ):
        list(LevelDb(str(tmp_path / "x")).walk())


def good_checksums(data, name):
    """The file with a checksum that fits at every block or record that can be found: what a liar would write."""
    data = bytearray(data)
    if name.startswith("MANIFEST"):
        at = 0
        while at + 7 <= len(data):
            length = int.from_bytes(data[at + 4 : at + 6], "little")
            data[at : at + 4] = struct.pack(
                "<I", leveldb_format.checksum_of(bytes(data[at + 6 : at + 7 + length]))
            )
            at += 7 + length
        return bytes(data)
    footer = leveldb_format.Reader(bytes(data[-48:]))
    try:
        places = [(footer.varint(), footer.varint()) for _ in range(2)]
    except IndexError:
        return bytes(data)
    for offset, length in [(0, places[0][0] - 5), *places]:
        end = offset + length + 1
        if end + 4 <= len(data):
            checksum = leveldb_format.checksum_of(bytes(data[offset:end]))
            data[end : end + 4] = struct.pack("<I", checksum)
    return bytes(data)


@pytest.mark.parametrize("checksums", ["as they were", "made to fit"])
def test_damage_of_every_kind_is_an_error_in_words(golden, checksums):
    draw = random.Random(7)
    for name in ("CURRENT", "MANIFEST-000004", "000005.ldb"):
        path = golden / name
        good = path.read_bytes()
        for _ in range(150):
            data = bytearray(good)
            for _ in range(draw.choice([1, 1, 3, 20])):
                at = draw.choice([draw.randrange(len(good)), max(0, len(good) - draw.randrange(1, 60))])
                data[at : at + draw.choice([0, 1, 1, 4])] = draw.randbytes(draw.choice([0, 1, 1, 8]))
            path.write_bytes(bytes(data) if checksums == "as they were" else good_checksums(data, name))
            try:
                list(LevelDb(str(golden)).walk())
            except DataError as error:
                assert "LevelDB" in str(error)
        path.write_bytes(good)
