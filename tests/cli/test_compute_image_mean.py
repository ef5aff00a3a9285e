"""`caffe-compat compute-image-mean`: the file and the figures of Caffe's tool."""

import subprocess
import sys

import pytest

from caffe_compat.cli import main


@pytest.mark.parametrize("flags, source", [([], "raw_lmdb"), (["-backend=leveldb"], "raw_leveldb")])
def test_golden_mean(reference, tmp_path, capsys, flags, source):
    out = tmp_path / "mean.binaryproto"
    assert main(["compute_image_mean", *flags, str(reference / "data" / source), str(out)]) == 0
    assert out.read_bytes() == (reference / "data" / "mean.binaryproto").read_bytes()
    assert capsys.readouterr().out.splitlines() == [
        f"Write to {out}",
        "Number of channels: 3",
        "mean_value channel [0]: 123.001",
        "mean_value channel [1]: 123.894",
        "mean_value channel [2]: 125.461",
    ]


def test_encoded_records_and_no_file(reference, capsys):
    assert main(["compute-image-mean", str(reference / "data" / "encoded_lmdb")]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"mean_value channel [{c}]: {v}" for c, v in enumerate(("123.001", "123.894", "125.461"))
    ]


def test_pictures_of_several_sizes(reference, tmp_path, capsys):
    out = tmp_path / "mean.binaryproto"
    assert main(["compute-image-mean", str(reference / "data" / "asis_lmdb"), str(out)]) == 1
    assert "a mean needs pictures of one size" in capsys.readouterr().err
    assert not out.exists()


def test_a_missing_database(tmp_path, capsys):
    assert main(["compute-image-mean", str(tmp_path / "none")]) == 1
    assert "does not exist; make it with: caffe-compat convert-imageset" in capsys.readouterr().err


def test_it_needs_no_torch(reference):
    code = """
import sys
from caffe_compat.cli import main
assert main(["compute-image-mean", sys.argv[1]]) == 0
assert "torch" not in sys.modules
"""
    source = str(reference / "data" / "raw_lmdb")
    subprocess.run([sys.executable, "-c", code, source], check=True, stdout=subprocess.DEVNULL)
