"""Where a file's bytes go, and what it tells of where it comes from."""

import hashlib
import os
import sys

import numpy as np
import onnx
import pytest

from caffe_compat.errors import ExportError
from caffe_compat.export.onnx import export_onnx
from tests.export.nets import (
    SCALED,
    load,
    make_net,
    run,
)


def test_places_that_cannot_be_written(tmp_path):
    net = make_net(SCALED)
    with pytest.raises(
        ExportError, match="cannot be written .*No such file or directory; write to a folder that exists"
    ):
        export_onnx(net, tmp_path / "missing" / "net.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ExportError, match=r"folder.onnx: cannot be written .*: it is a folder"):
        export_onnx(net, tmp_path / "folder.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ExportError, match=r"pipe.onnx: cannot be written .*: it is a device, not a file"):
        export_onnx(net, tmp_path / "pipe.onnx")
    assert sorted(os.listdir(tmp_path)) == ["folder.onnx", "pipe.onnx"]


def test_constants_in_a_file_of_their_own(tmp_path):
    net = make_net(SCALED)
    report = export_onnx(net, tmp_path / "net.onnx", external_data=True)
    assert report.comparisons and sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]
    bare = onnx.load(str(tmp_path / "net.onnx"), load_external_data=False)
    outside = {t.name: t for t in bare.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
    assert set(outside) == {"ip.0"}  # 3.1 kB; the rest is small
    assert {entry.key: entry.value for entry in outside["ip.0"].external_data}["location"] == "net.onnx.data"
    (whole,) = run(tmp_path / "net.onnx", data=np.ones((1, 3, 8, 9), np.float32))
    export_onnx(net, tmp_path / "one.onnx")
    (one,) = run(tmp_path / "one.onnx", data=np.ones((1, 3, 8, 9), np.float32))
    assert (whole == one).all()


def test_constants_above_what_a_file_can_hold_go_beside_it(tmp_path, monkeypatch):
    module = sys.modules["caffe_compat.export.onnx"]
    chunks = module.chunks

    def small_only(model, constants):
        # The limit is that of any message, also of one in the making.
        assert all(array.nbytes < 1024 for array in constants.values())
        assert not any(tensor.raw_data for tensor in model.graph.initializer)
        return chunks(model, constants)

    monkeypatch.setattr(module, "_INLINE", 1500)
    monkeypatch.setattr(module, "chunks", small_only)
    net = make_net(SCALED)
    assert export_onnx(net, tmp_path / "net.onnx").comparisons
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]
    with pytest.raises(
        ExportError,
        match=r"one.onnx: not written: \d{4} bytes of constants are more than the 1500 .*leave external_data out",
    ):
        export_onnx(net, tmp_path / "one.onnx", external_data=False)
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]


def test_metadata_tells_where_a_file_comes_from(tmp_path):
    source = tmp_path / "net.caffemodel"
    source.write_bytes(b"weights")
    text = 'name: "small" state { stage: "deploy" }' + SCALED
    export_onnx(make_net(text), tmp_path / "net.onnx", sources=[str(source)])
    model = load(tmp_path / "net.onnx")
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert entries["source.net.caffemodel"] == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert (entries["caffe.net"], entries["caffe.phase"], entries["caffe.stage"]) == (
        "small",
        "TEST",
        "deploy",
    )
    assert model.graph.name == "small" and model.producer_name == "caffe_compat"
    with pytest.raises(ExportError, match=r"gone.caffemodel: cannot be read: No such file"):
        export_onnx(make_net(text), tmp_path / "net.onnx", sources=[str(tmp_path / "gone.caffemodel")])
