"""`caffe-compat python`: scripts written for pycaffe run as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.cli import main

SCRIPT = """
import sys
import caffe
import caffe.io
from caffe.proto import caffe_pb2
import google.protobuf
import PIL
import beside

PIL.Image, google.protobuf.text_format  # both loaded by pycaffe itself
net = caffe.Net("net.prototxt", caffe.TEST)
print(__name__, sys.argv, net.blobs["x"].data.shape, caffe_pb2.Datum(label=beside.LABEL).label)
sys.exit(SCRIPT_EXIT)
"""
NET = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'


@pytest.mark.parametrize(
    ("exit", "code", "error"), [("None", 0, ""), ("3", 3, ""), ("'no good'", 1, "no good\n")]
)
def test_a_script_sees_this_package_as_caffe(tmp_path, exit, code, error):
    """In a process of its own, with its own options; a `caffe` folder beside it is not taken."""
    folder = tmp_path / "scripts"
    (folder / "caffe").mkdir(parents=True)
    (folder / "caffe" / "__init__.py").write_text("raise ImportError('a pycaffe that is not built')")
    (folder / "beside.py").write_text("LABEL = 7")
    (folder / "s.py").write_text(SCRIPT.replace("SCRIPT_EXIT", exit))
    (tmp_path / "net.prototxt").write_text(NET)
    words = ["python", "scripts/s.py", "-gpu=0", "--unknown", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "GLOG_minloglevel": "1"}
    command = [sys.executable, "-m", "caffe_compat", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, error)
    assert done.stdout == "__main__ ['scripts/s.py', '-gpu=0', '--unknown', '--help'] (2, 3) 7\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "give the script to run first"),
        (["--gpu"], 2, "unrecognized arguments: --gpu"),
        (["no.py"], 1, "no.py: no such file"),
    ],
)
def test_no_script(words, code, message, capsys):
    assert main(["python", *words]) == code
    assert message in capsys.readouterr().err
