"""`caffe-compat convert-imageset`: Caffe's flags, Caffe's records."""

import os

import pytest

from caffe_compat.cli import main
from caffe_compat.data.base import open_source


def contents(path, backend="LMDB"):
    source = open_source(backend, str(path))
    return list(zip(source.keys, map(bytes, source.walk()), strict=True))


@pytest.fixture
def pictures(reference, monkeypatch):
    monkeypatch.chdir(reference / "data")


@pytest.mark.parametrize(
    "flags, wanted",
    [
        ("-resize_height=12 -resize_width=15", "raw_lmdb"),
        ("--gray --resize_height 12 --resize_width 15 --check_size", "gray_lmdb"),
        ("-encoded -encode_type=png -resize_height 12 -resize_width 15", "encoded_lmdb"),
        ("--encoded=true --gray=false -noshuffle", "asis_lmdb"),
        ("--backend=leveldb -resize_height=12 -resize_width=15", "raw_leveldb"),
    ],
)
def test_golden_databases(pictures, tmp_path, capsys, flags, wanted):
    out = tmp_path / "sub" / "made"
    assert main(["convert_imageset", *flags.split(), "./", "list.txt", str(out)]) == 0
    backend = wanted.rpartition("_")[2].upper()
    assert contents(out, backend) == contents(wanted, backend)
    assert capsys.readouterr().out.splitlines() == ["A total of 11 images.", "Processed 11 files."]


def test_shuffle_changes_the_order_and_keeps_the_pairs(pictures, tmp_path):
    found = []
    for k in range(3):
        out = tmp_path / str(k)
        assert main(["convert-imageset", "--shuffle", "--encoded", "./", "list.txt", str(out)]) == 0
        found.append(contents(out))
    wanted = {key[9:]: value for key, value in contents("asis_lmdb")}
    for one in found:
        assert {key[9:]: value for key, value in one} == wanted
        assert [key[:9] for key, _ in one] == [b"%08d_" % i for i in range(11)]
    assert len({tuple(key for key, _ in one) for one in found}) > 1


def test_skipped_pictures_are_named(pictures, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("none.png 1\npictures/00.png 2\n")
    assert main(["convert-imageset", "./", str(tmp_path / "list.txt"), str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "skipped: cannot open or decode ./none.png",
        "1 of 2 files were skipped, the first is ./none.png",
    ]
    assert [key for key, _ in contents(tmp_path / "out")] == [b"00000001_pictures/00.png"]


def test_no_picture_at_all(reference, tmp_path, capsys):
    """The usual slip: ROOTFOLDER without its slash."""
    data = reference / "data"
    assert main(["convert-imageset", str(data), str(data / "list.txt"), str(tmp_path / "out")]) == 1
    assert "none of the 11 pictures of '" in (message := capsys.readouterr().err)
    assert f"the first is '{data}pictures/00.png'; check ROOTFOLDER, which goes before every path" in message
    assert os.listdir(tmp_path) == []


def test_what_is_there_stays_without_force(pictures, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["convert-imageset", "--encoded", "./", "list.txt", out]) == 0
    assert main(["convert-imageset", "--gray", "./", "list.txt", out]) == 1
    assert "out' exists already" in capsys.readouterr().err
    assert contents(out) == contents("asis_lmdb")
    assert (
        main(
            ["convert-imageset", "--force", "--resize_height=12", "--resize_width=15", "./", "list.txt", out]
        )
        == 0
    )
    assert contents(out) == contents("raw_lmdb")


def test_progress_is_told_every_thousand(pictures, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("pictures/00.png 2\n" * 2001)
    assert (
        main(["convert-imageset", "--encoded", "./", str(tmp_path / "list.txt"), str(tmp_path / "out")]) == 0
    )
    told = [f"Processed {n} files." for n in (1000, 2000, 2001)]
    assert capsys.readouterr().out.splitlines() == ["A total of 2001 images.", *told]


def test_a_missing_list(tmp_path, capsys):
    assert main(["convert-imageset", "./", str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    assert "the list '" in capsys.readouterr().err
