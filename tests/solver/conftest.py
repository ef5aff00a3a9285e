"""The working directory of tests that run on a data set of a real Caffe."""

import shutil

import pytest

from tests.solver.small_run import REFERENCE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the data set of the reference solvers."""
    shutil.copytree(REFERENCE / "data_lmdb", tmp_path / "data_lmdb")
    shutil.copy(REFERENCE / "mean.binaryproto", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
