"""What `import caffe` gives besides nets: its modules under their names, and the log."""

import io
import os
import subprocess
import sys

import pytest

import caffe_compat as caffe


def test_install_as_caffe_gives_every_submodule():
    code = (
        "import caffe_compat; caffe_compat.install_as_caffe()\n"
        "import caffe, caffe.io, caffe.draw\n"
        "from caffe import layers as L, params as P\n"
        "from caffe.proto import caffe_pb2\n"
        "net = caffe.NetSpec(); net.x = L.DummyData(shape=dict(dim=[2, 3])); net.y = L.ReLU(net.x)\n"
        "assert isinstance(net.to_proto(), caffe_pb2.NetParameter)\n"
        "import caffe.pycaffe\n"
        "from caffe._caffe import BlobVec, RawBlobVec, layer_type_list\n"
        "assert caffe.pycaffe.Net is caffe._caffe.Net is caffe.Net and caffe.pycaffe.SGDSolver\n"
        "from caffe.model_libs import *\n"
        "assert VGGNetBody and caffe.model_libs.L is not None\n"
        "assert 'Convolution' in caffe.layer_type_list() and P.Pooling.MAX == 0\n"
    )
    root = os.path.dirname(os.path.dirname(caffe.__file__))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


@pytest.mark.parametrize(
    ("environment", "arguments", "printed"),
    [
        (None, None, True),
        (None, (), True),
        (None, (1,), False),
        ("0", (0, True), True),
        ("2", None, False),
        ("2", (), False),
        ("2", (0,), True),
        ("loud", None, True),
    ],
)
def test_the_log(net, tmp_path, monkeypatch, environment, arguments, printed):
    """Printed, as by pycaffe, unless GLOG_minloglevel or init_log says otherwise."""
    monkeypatch.setattr(caffe.log.process, "_log", None)
    monkeypatch.setattr("sys.stderr", stream := io.StringIO())
    if environment is None:
        monkeypatch.delenv("GLOG_minloglevel", raising=False)
    else:
        monkeypatch.setenv("GLOG_minloglevel", environment)
    if arguments is not None:
        caffe.init_log(*arguments)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert ("Creating Layer low" in stream.getvalue()) is printed
    assert stream.getvalue() == "" or printed


def test_what_is_old_is_said(net, tmp_path, monkeypatch, capsys):
    """The first versions' Net(file, weights, phase), and a file that has to be upgraded."""
    monkeypatch.setattr(caffe.log.process, "_log", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.prototxt").write_text('input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4')
    caffe.Net("old.prototxt", caffe.TEST).save("w")
    monkeypatch.setenv("GLOG_minloglevel", "2")
    capsys.readouterr()
    caffe.Net("old.prototxt", "w", caffe.TEST)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GLOG_minloglevel", "1")
    caffe.Net("old.prototxt", "w", caffe.TEST)
    lines = [line.split("] ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines[:3] == [
        "DEPRECATION WARNING - deprecated use of Python interface",
        'Use this instead (with the named "weights" parameter):',
        "Net('old.prototxt', 1, weights='w')",
    ]
    assert lines[-1].startswith("Note that future Caffe releases will only support input layers")


def test_modules_are_attributes_without_being_imported():
    """As after pycaffe's `import caffe`; and the import alone brings no torch."""
    code = (
        "import sys, caffe_compat as caffe\n"
        "assert 'torch' not in sys.modules\n"
        "assert caffe.proto.caffe_pb2.Datum(label=3).label == 3 and caffe.proto.caffe_pb2.TEST == caffe.TEST\n"
        "assert 'torch' not in sys.modules\n"
        "assert caffe.io.Transformer and caffe.net_spec.Top and caffe.to_proto and caffe.params.Pooling.MAX == 0\n"
        "assert caffe.pycaffe.Net is caffe._caffe.Net is caffe.Net and caffe.classifier.Classifier\n"
        "assert caffe.detector.Detector and caffe.draw and caffe.coord_map.coord_map and caffe.layers.ReLU\n"
        "assert caffe.model_libs.check_if_exist\n"
        "assert {'_caffe', 'model_libs', 'pycaffe', 'proto', 'io'} <= set(dir(caffe))\n"
    )
    root = os.path.dirname(os.path.dirname(caffe.__file__))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


def test_log_writes_a_line_under_both_names(monkeypatch):
    for log in (caffe.log, caffe.pycaffe.log):
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        log("hello")
        assert stream.getvalue().rstrip().endswith(" _caffe.cpp:68] hello")
