"""The time command: a line for each layer, and totals that add up."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from caffe_compat.cli import main
from tests import pretended

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(REFERENCE / "data_lmdb", tmp_path / "data_lmdb")
    for name in ("mean.binaryproto", "net.prototxt"):
        shutil.copy(REFERENCE / name, tmp_path)
    monkeypatch.chdir(tmp_path)


def test_every_layer_is_timed_both_ways(folder, capsys):
    assert main(["time", "--model", "net.prototxt", "--iterations", "3"]) == 0
    log = capsys.readouterr().err
    rows = re.findall(r"] +(\S+)\t(forward|backward): (\S+) ms\.", log)
    assert [name for name, way, _ in rows if way == "forward"][:3] == ["data", "label_data_1_split", "conv1"]
    assert len(rows) == 2 * len({name for name, _, _ in rows})
    assert len(re.findall(r"Iteration: \d forward-backward time", log)) == 3
    forward = float(re.search(r"Average Forward pass: (\S+) ms", log)[1])
    both = float(re.search(r"Average Forward-Backward: (\S+) ms", log)[1])
    assert 0 < sum(float(ms) for _, way, ms in rows if way == "forward") <= forward * 1.001 <= both * 1.002
    assert "*** Benchmark ends ***" in log


def test_the_first_passes_are_told_as_they_go(folder, capsys):
    """The lines of debug_info show when each pass runs."""
    Path("net.prototxt").write_text("debug_info: true\n" + Path("net.prototxt").read_text())
    assert main(["time", "--model", "net.prototxt", "--iterations", "1"]) == 0
    heads = (
        "Performing",
        "Initial loss",
        "***",
        "    [Forward] Layer data, top blob label",
        "    [Backward] Layer ip",
    )
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert [re.split(r"[:,]", line)[0].strip() for line in lines if line.startswith(heads)][:5] == [
        "Performing Forward",
        "[Forward] Layer data",
        "Initial loss",
        "Performing Backward",
        "[Backward] Layer ip1_ip1_0_split",
    ]


def test_no_iterations_are_refused(folder, capsys):
    assert main(["time", "--model", "net.prototxt", "--iterations", "0"]) == 2
    assert "--iterations 0 is below 1" in capsys.readouterr().err


@pytest.mark.gpu
def test_a_gpu_is_timed_by_its_own_clock(folder, capsys, monkeypatch):
    """The host's would tell when kernels were launched, or stop the GPU at each layer."""
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: waits.append(device))
    words = ["--gpu", "0", "--iterations", "2", "--compile", "capture", "--precision", "tf32"]
    assert main(["time", "--model", "net.prototxt", *words]) == 0
    log = capsys.readouterr().err
    forward, both = (
        float(re.search(rf"Average {what}: (\S+) ms", log)[1])
        for what in ("Forward pass", "Forward-Backward")
    )
    assert 0 < forward < both and (pretended.real() or not waits)
    whole = re.search(r"Average Forward-Backward as a whole \((.*)\): (\S+) ms\.", log)
    assert (
        whole[1] == "precision tf32, channels outermost in memory, not compiled, captured as a CUDA graph"
        and float(whole[2]) > 0
    )


def test_a_whole_pass_is_timed_if_asked(folder, capsys):
    assert main(["time", "--model", "net.prototxt", "--iterations", "2", "--compile", "off"]) == 0
    assert "] Average Forward-Backward as a whole (precision fp32, " in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_layer_by_layer(folder, precision, capsys):
    words = ["--iterations", "1", "--precision", precision]
    assert main(["time", "--model", "net.prototxt", *words]) == 0
    assert "as a whole" not in capsys.readouterr().err
