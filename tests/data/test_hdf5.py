"""HDF5 files of rows."""

import builtins
import os
import sys

import h5py
import numpy as np
import pytest

from caffe_compat.data import hdf5
from caffe_compat.errors import DataError, MissingExtra


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
            r"x.h5' has no dataset 'labels', only 'data', 'group', 'label', .*; tops are named like",
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
        DataError, match=r"the HDF5 file 'none' cannot be read: .*; copy it again or make it again"
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
