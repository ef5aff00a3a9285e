"""Commands that look at a net answer without torch what they answer with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli import main, without_torch
from caffe_compat.layers.registry import registry
from caffe_compat.proto.binary import write_binaryproto

ROOT = Path(__file__).parents[2]
NETS = sorted((ROOT / "prototxt").glob("*.prototxt"))[::4]
MANY = """name: "many"
layer { name: "in" type: "Input" top: "data" top: "cont"
  input_param { shape { dim: 2 dim: 6 dim: 15 dim: 17 } shape { dim: 2 dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { name: "w" } convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" }
layer { name: "prelu" type: "PReLU" bottom: "norm" top: "norm" }
layer { name: "boxes" type: "PriorBox" bottom: "norm" bottom: "data" top: "boxes" prior_box_param { min_size: 5 } }
layer { name: "bn" type: "BN" bottom: "norm" top: "bn" }
layer { name: "pool" type: "Pooling" bottom: "bn" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "flat" type: "Reshape" bottom: "pool" top: "flat" reshape_param { shape { dim: 2 dim: 1 dim: -1 } } }
layer { name: "one" type: "Slice" bottom: "cont" top: "left" top: "right" slice_param { axis: 1 slice_point: 1 } }
layer { name: "lstm" type: "LSTM" bottom: "flat" bottom: "left" top: "lstm" recurrent_param { num_output: 5 } }
layer { name: "ip" type: "InnerProduct" bottom: "lstm" top: "ip" inner_product_param { num_output: 9 axis: 2 } }
"""
INDICATOR = """layer { name: "marks" type: "ContinuationIndicator" top: "marks"
  continuation_indicator_param { time_step: 3 batch_size: 4 } }
"""
OWN = """import torch
from caffe_compat.layers.base import Layer, layer

@layer("Own")
class Own(Layer):
    extra = int(torch.ones(2, 3).sum())
    def reshape(self, bottom):
        return [(*bottom, self.extra)]
"""


def in_a_new_process(*words, stdin=""):
    """Exit code, standard output, standard error, and what became of torch: absent, or its version."""
    program = (
        "import sys\nfrom caffe_compat.cli import main\n"
        f"code = main({[str(word) for word in words]!r})\n"
        "torch = sys.modules.get('torch')\nsys.stdout.flush()\n"
        "print('\\0' + (torch.__version__ if torch else 'absent'))\nsys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        input=stdin,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    out, _, torch = ran.stdout.partition("\0")
    return ran.returncode, out, ran.stderr, torch.strip()


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(MANY)
    return path


@pytest.mark.parametrize("command", ["show", "lint"])
def test_the_answer_is_that_of_torch(command, net, capsys):
    words = [command, net, "--format", "json"]
    assert main([str(word) for word in words]) == 0
    with_torch = capsys.readouterr()
    code, out, err, torch = in_a_new_process(*words)
    assert (code, torch) == (0, "absent")
    assert out == with_torch.out and err == with_torch.err
    assert command == "lint" or len(json.loads(out)["layers"]) == 11


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_our_nets_and_solvers(path, capsys):
    words = ["show", str(path), "--format", "csv"]
    code = main(words)
    with_torch = capsys.readouterr()
    assert in_a_new_process(*words) == (code, with_torch.out, with_torch.err, "absent")


def test_draw(net, tmp_path):
    pictures = [tmp_path / "with.dot", tmp_path / "without.dot"]
    assert main(["draw", str(net), str(pictures[0])]) == 0
    code, out, err, torch = in_a_new_process("draw", net, pictures[1])
    assert (code, out, torch) == (0, "", "absent") and err == f"Wrote {pictures[1]}: 10 boxes\n"
    assert pictures[1].read_text() == pictures[0].read_text() and "2×1×5" in pictures[1].read_text()


def test_errors_are_errors(net, capsys):
    net.write_text(MANY.replace("num_output: 9 axis: 2", "num_output: 9 axis: 5"))
    assert main(["show", str(net)]) == 1
    with_torch = capsys.readouterr()
    assert "axis 5 is out of range" in with_torch.err
    assert in_a_new_process("show", net) == (1, with_torch.out, with_torch.err, "absent")


def test_what_needs_torch_gets_it(net, capsys):
    import torch

    net.write_text(INDICATOR)
    assert main(["show", str(net)]) == 0
    shown = capsys.readouterr().out
    assert "marks 3x4" in shown
    assert in_a_new_process("show", net) == (0, shown, "", torch.__version__)


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="no /dev/stdin on this system")
def test_a_net_from_a_pipe_is_there_for_torch_too(net, capsys):
    net.write_text(INDICATOR)
    assert main(["show", str(net)]) == 0
    code, out, err, torch = in_a_new_process("show", "/dev/stdin", stdin=INDICATOR)
    assert (code, out, err) == (0, capsys.readouterr().out, "") and torch != "absent"


def test_a_mean_file_needs_no_torch(net, tmp_path):
    write_binaryproto(tmp_path / "mean", np.zeros((1, 3, 6, 7), np.float32))
    source = f'data_param {{ source: "none" backend: LMDB batch_size: 2 }} transform_param {{ mean_file: "{tmp_path}/mean" }}'
    net.write_text(f'layer {{ name: "data" type: "Data" top: "data" {source} }}')
    code, out, _, torch = in_a_new_process("show", net, "--input", "data=2,3,6,7")
    assert (code, torch) == (0, "absent") and "data 2x3x6x7" in out


def test_code_of_the_users_gets_torch(net, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    net.write_text(MANY + 'layer { name: "own" type: "Own" bottom: "ip" top: "own" }')
    code, out, err, torch = in_a_new_process("show", net, "--import", tmp_path / "own.py")
    assert (code, err) == (0, "") and torch != "absent" and "own 2x1x9x6" in out


def test_every_layer_can_be_defined_without_torch():
    program = (
        "from caffe_compat.cli import without_torch\n"
        "with without_torch._stand_in():\n"
        "    from caffe_compat.layers.registry import registry\n    print(' '.join(sorted(registry())))\n"
        "import sys; print([name for name in sys.modules if name.startswith(('torch', 'caffe_compat.layers', 'caffe_compat.forks'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    types, left = ran.stdout.splitlines()
    ours = {name for name, cls in registry().items() if cls.__module__.startswith("caffe_compat.")}
    assert set(types.split()) == ours and left == "[]"


@pytest.mark.parametrize(
    "line",
    [
        "torch.nn.Linear(2, 3)",
        "torch.Size([2])",
        "-torch.ones(2)",
        "torch.ones(2).__setitem__(0, 3)",
        "1 + torch.pi",
        "next(iter(torch.zeros(3)))",
        "torch.zeros(2).mean()",
        "torch.device('cpu').index + 1",
        "torch.nn.ParameterList().train()",
        "torch.autograd.Function.apply(1)",
        "isinstance(3, torch.float32)",
        "f'{torch.float32}'",
    ],
)
def test_a_name_that_is_used_needs_torch(line):
    with pytest.raises(without_torch.NeedsTorch, match=r"^torch\."):
        eval(line, {"torch": without_torch._Module("torch")})


@pytest.mark.parametrize(
    "line, error",
    [
        ("torch.zeros(2, 3).shape[1:].numel(), torch.nn.Linear, torch.float32.is_complex", ""),
        ("torch.zeros(2).numel() + 'x'", "TypeError"),
        ("torch.zeros(2).shape.misspelt", "AttributeError"),
        ("torch.nn.Module().misspelt", "AttributeError"),
        ("{}['key']", "KeyError"),
    ],
)
def test_mistakes_of_our_own_are_not_hidden(line, error):
    program = (
        "import argparse, sys\nfrom caffe_compat.cli import without_torch\n"
        f"def command(args):\n    import torch\n    {line}\n    return 0\n"
        "try:\n    without_torch.run(command, argparse.Namespace(imports=[], allow_python_layers=False))\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert ran.stdout.strip() == error
