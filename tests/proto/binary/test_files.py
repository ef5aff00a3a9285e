"""Solverstates, means and other messages: the bytes that Caffe writes."""

import numpy as np
import pytest

from caffe_compat.proto import NetParameter, SolverState
from caffe_compat.proto.binary import (
    array_to_blob,
    blob_to_array,
    read,
    read_binaryproto,
    write_binaryproto,
    write_message,
)


def test_every_reference_solverstate_comes_back(reference):
    files = sorted(reference.rglob("*.solverstate"))
    assert len(files) > 40
    for file in files:
        state = read(file, SolverState)
        assert state.iter > 0 and state.SerializeToString() == file.read_bytes()
        for blob in state.history:
            assert array_to_blob(blob_to_array(blob)) == blob


@pytest.mark.parametrize("name", ["solvers/mean.binaryproto", "data/mean.binaryproto"])
def test_means_are_rewritten_byte_for_byte(reference, tmp_path, name):
    mean = read_binaryproto(reference / name)
    assert mean.shape[:2] == (1, 3) and mean.dtype == np.float32 and 0 < mean.min() < mean.max() < 255
    write_binaryproto(tmp_path / "mean", mean[0])
    assert (tmp_path / "mean").read_bytes() == (reference / name).read_bytes()


def test_resume_data_is_skipped_by_caffe():
    """SolverState.resume is an unknown field to Caffe's own schema: number 1000, length-delimited."""
    assert SolverState(resume=b"{}").SerializeToString() == bytes.fromhex("c23e027b7d")


def test_write_message_has_no_origin(tmp_path):
    net = NetParameter(name="n", origin="f", layer=[{"name": "a", "origin": "f:1"}])
    write_message(tmp_path / "m", net)
    assert read(tmp_path / "m", NetParameter) == NetParameter(name="n", layer=[{"name": "a"}])
    assert net.layer[0].origin == "f:1"
