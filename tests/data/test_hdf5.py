"""HDF5 files of rows."""

import builtins
import os
import sys

import h5py
import numpy as np
import pytest
import torch

from caffe_compat.data import hdf5
from caffe_compat.data.hdf5 import native, read_names, read_rows
from caffe_compat.errors import DataError, MissingExtra
from caffe_compat.log import names


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.arange(24.0).reshape(4, 2, 3)
        file["label"] = np.arange(4)
        file["short"] = np.arange(3)
        file["number"] = 7.0
        file["text"] = np.array([b"a", b"b"])
        file["none"] = np.zeros((0, 2))
        file.create_group("group")
    return str(tmp_path / "x.h5")


def test_rows(path):
    data, label = hdf5.read_rows(path, ["data", "label"])
    np.testing.assert_array_equal(data, np.arange(24.0).reshape(4, 2, 3))
    np.testing.assert_array_equal(label, np.arange(4))


@pytest.mark.parametrize(
    "datasets, message",
    [
        (
            ["data", "labels"],
            r"x.h5' has no dataset 'labels', only 'data', 'label', .* and 2 more; tops are named like",
        ),
        (["group"], "has no dataset 'group'"),
        (["number"], "dataset 'number' of '.*x.h5' is a single number; it needs a row"),
        (["text"], r"dataset 'text' of '.*x.h5' holds \|S1; only integers and floats"),
        (["data", "short"], "x.h5' has 4 rows of 'data' and 3 of 'short'"),
        (["none"], "x.h5' has no rows; take it off the list"),
    ],
)
def test_refusals(path, datasets, message):
    with pytest.raises(DataError, match=message):
        hdf5.read_rows(path, datasets)


def test_missing_and_broken_files(path):
    with pytest.raises(
        DataError,
        match="the HDF5 file 'none' cannot be read: No such file or directory; make it, or correct the list; it is looked for",
    ):
        hdf5.read_rows("none", ["data"])
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(DataError, match=r"x.h5' cannot be read: .*truncated"):
        hdf5.read_rows(path, ["data"])


def test_lists_of_files(tmp_path):
    (tmp_path / "list").write_text("a.h5\n  b.h5 c.h5\n\n")
    assert hdf5.read_names(str(tmp_path / "list")) == ["a.h5", "b.h5", "c.h5"]
    (tmp_path / "list").write_text(" \n")
    with pytest.raises(DataError, match="list' names no file"):
        hdf5.read_names(str(tmp_path / "list"))
    with pytest.raises(DataError, match="the list '.*none' cannot be read: No such file"):
        hdf5.read_names(str(tmp_path / "none"))


def test_without_h5py(monkeypatch):
    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "h5py":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        MissingExtra, match="HDF5 files needs the package h5py; install it with: pip install h5py"
    ):
        hdf5.read_rows("x", ["data"])


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_is_one_error(tmp_path, seed):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.arange(12.0).reshape(4, 3)
        file.create_dataset("label", data=np.arange(4.0), chunks=(2,), compression="gzip")
    good, random = (tmp_path / "a.h5").read_bytes(), np.random.default_rng(seed)
    failed = 0
    for _ in range(60):
        data = bytearray(good)
        for at in random.integers(0, len(data), 20):
            data[at] = random.integers(256)
        (tmp_path / "b.h5").write_bytes(data)
        try:
            read_rows(str(tmp_path / "b.h5"), ["data", "label"])
        except DataError:
            failed += 1
    assert failed


def test_names_that_are_no_utf8(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(b"caf\xe9", data=np.ones((2, 3)))
    (tmp_path / "list").write_bytes(b"caf\xe9.h5\n")
    os.rename(tmp_path / "a.h5", os.fsencode(tmp_path) + b"/caf\xe9.h5")
    (name,) = read_names(str(tmp_path / "list"))
    (rows,) = read_rows(str(tmp_path / name), [names.decode(b"caf\xe9")])
    assert rows.shape == (2, 3)


def test_native():
    for dtype in (">f4", "<f2", ">f8", np.longdouble, ">i8", "u4"):
        found = native(np.array([1, 2], dtype))
        assert torch.from_numpy(found).tolist() == [1, 2]
    with pytest.raises(ValueError, match="holds object"):
        native(np.array(["a"], object))
