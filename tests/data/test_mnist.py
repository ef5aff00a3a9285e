"""MNIST's four files, packed or not, and the command that converts them."""

import gzip
import struct

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.data import mnist
from caffe_compat.data.base import open_source
from caffe_compat.data.records import parse
from caffe_compat.errors import DataError

RNG = np.random.default_rng(5)
COUNTS = {"train": 6, "t10k": 4}


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def copy(tmp_path):
    """A small copy, and its arrays by the files' names."""
    arrays = {}
    for part, count in COUNTS.items():
        arrays[f"{part}-images-idx3-ubyte"] = RNG.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = RNG.integers(0, 10, count, np.uint8)
    folder = tmp_path / "copy"
    folder.mkdir()
    for name, array in arrays.items():
        (folder / name).write_bytes(idx(array))
    return folder, arrays


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_the_files_are_read(copy, packed, dotted):
    folder, arrays = copy
    for path in list(folder.iterdir()):
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        content = path.read_bytes()
        path.unlink()
        (folder / f"{name}{'.gz' * packed}").write_bytes(gzip.compress(content) if packed else content)
    train, test = mnist.load(str(folder))
    np.testing.assert_array_equal(train[0], arrays["train-images-idx3-ubyte"][:, None])
    np.testing.assert_array_equal(train[1], arrays["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(test[0], arrays["t10k-images-idx3-ubyte"][:, None])
    np.testing.assert_array_equal(test[1], arrays["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t10k-labels-idx1-ubyte",
            None,
            "lacks t10k-labels-idx1-ubyte .with or without .gz.; give the folder",
        ),
        ("train-images-idx3-ubyte", b"\0\0\x08", "is no IDX file of bytes in 3 dimensions; fetch it again"),
        (
            "train-labels-idx1-ubyte",
            idx(np.zeros((2, 3), np.uint8)),
            "is no IDX file of bytes in 1 dimension; fetch",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(np.zeros(6, np.uint8))[:-1],
            "has 5 bytes and its head promises 6; fetch it",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(np.zeros(5, np.uint8)),
            "has 6 train pictures and 5 labels; fetch them again",
        ),
        (
            "t10k-labels-idx1-ubyte",
            idx(np.full(4, 26, np.uint8)),
            "t10k record 0 has the label 26 and there are 10",
        ),
    ],
)
def test_files_that_cannot_be_used(copy, name, content, message):
    folder, _ = copy
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        mnist.load(str(folder))


def test_a_broken_archive(copy):
    folder, _ = copy
    path = folder / "train-labels-idx1-ubyte"
    (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes())[:-9])
    path.unlink()
    with pytest.raises(DataError, match="ubyte.gz' cannot be read: .*; fetch it again"):
        mnist.load(str(folder))


def test_the_command(copy, tmp_path, capsys, monkeypatch):
    folder, arrays = copy
    monkeypatch.chdir(tmp_path)
    assert main(["data", "mnist", "--from", str(folder), "--subset", "5", "data/mnist"]) == 0
    assert "next: caffe-compat train --solver prototxt/lenet_solver.prototxt" in capsys.readouterr().out
    for part, count, name in (("train", 5, "mnist_train_lmdb"), ("t10k", 4, "mnist_test_lmdb")):
        source = open_source("LMDB", name, "data/mnist")
        pictures, labels = parse([bytes(value) for value in source.walk()])
        np.testing.assert_array_equal(np.asarray(pictures)[:, 0], arrays[f"{part}-images-idx3-ubyte"][:count])
        np.testing.assert_array_equal(labels, arrays[f"{part}-labels-idx1-ubyte"][:count])


def test_the_command_downloads_what_is_missing(copy, tmp_path, monkeypatch, capsys):
    folder, _ = copy
    fetched = []

    def download(url, path, md5):
        fetched.append((url, md5))
        name = url.rpartition("/")[2].removesuffix(".gz")
        with open(path, "wb") as file:
            file.write(gzip.compress((folder / name).read_bytes()))

    monkeypatch.setattr("caffe_compat.data.download.download", download)
    (tmp_path / "out").mkdir()
    assert main(["data", "mnist", str(tmp_path / "out")]) == 0
    assert fetched == [(f"{mnist.URL}{name}.gz", md5) for name, md5 in mnist.FILES.items()]
    assert (tmp_path / "out" / "mnist_test_lmdb").is_dir()
