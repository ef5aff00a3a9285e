"""What editors and type checkers know of the package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import caffe_compat

ROOT = Path(__file__).parents[1]

SNIPPET = """# mypy: enable-error-code="misc"
import caffe_compat as caffe
from caffe_compat.export import export_onnx
from caffe_compat.net import Net
from caffe_compat.proto import BlobProto
from caffe_compat.proto.binary import read
from caffe_compat.proto.text import read_net
from caffe_compat.solver import Solver

net = caffe.Net("deploy.prototxt", caffe.TEST)
reveal_type(net)
reveal_type(net.module())
reveal_type(caffe.SGDSolver)
reveal_type(Net)
reveal_type(Solver)
reveal_type(export_onnx)
param = read_net("deploy.prototxt")
reveal_type(param.layer[0].name)
reveal_type(read("mean.binaryproto", BlobProto))
count: int = net.forward()
print(caffe.no_such_name, caffe.layers, caffe.proto, caffe.export_onnx, caffe.NetSpec)
print(param.layer[0].convolution_params)
"""


@pytest.mark.slow
def test_a_users_script_is_checked(tmp_path):
    (tmp_path / "script.py").write_text(SNIPPET)
    # The settings and the cache of the package's own check, which spare minutes of reading torch.
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", tmp_path / "script.py"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    found = re.findall(r"script\.py:(\d+): (?:note|error): (.*)", done.stdout)
    assert done.returncode == 1, done.stdout + done.stderr
    revealed = [text for _, text in found if text.startswith("Revealed")]
    for text, want in zip(
        revealed,
        [
            '"caffe_compat.pycaffe.net.Net"',
            '"caffe_compat.net.module.Module"',
            "-> caffe_compat.pycaffe.solvers.SGDSolver",
            "-> caffe_compat.net.net.Net",
            "-> caffe_compat.solver.solver.Solver",
            "def (net: ",
            '"str"',
            "BlobProto",
        ],
        strict=True,
    ):
        assert want in text
    wrong = [(int(line), text) for line, text in found if not text.startswith("Revealed")]
    assert [line for line, _ in wrong] == [20, 21, 22]
    for (_, text), want in zip(wrong, ("int", "no_such_name", "convolution_params"), strict=True):
        assert f'"{want}"' in text


def test_every_public_name_is_there_at_run_time():
    assert len(set(caffe_compat.__all__)) == len(caffe_compat.__all__)
    assert {"Net", "SGDSolver", "TRAIN", "export_onnx", "install_as_caffe"} <= set(caffe_compat.__all__)
    for name in caffe_compat.__all__:
        assert getattr(caffe_compat, name) is not None
    assert set(caffe_compat.__all__) <= set(dir(caffe_compat))
    with pytest.raises(AttributeError, match="'caffe_compat' has no attribute 'no_such_name'"):
        _ = caffe_compat.no_such_name


def test_the_mark_of_typed_packages_is_shipped():
    assert (ROOT / "caffe_compat" / "py.typed").is_file()
    assert '"py.typed"' in (ROOT / "setup.py").read_text(encoding="utf-8")
    assert "py.typed" in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()
