"""What the commands share beside their options."""

import argparse
import importlib
import subprocess
import sys

import pytest

from caffe_compat.cli import common, main
from caffe_compat.net.execution import Execution


def test_load_torch_leaves_the_collector_on_and_torch_out_of_it():
    code = """
import gc, sys
from caffe_compat.cli.common import load_torch
assert "torch" not in sys.modules
load_torch()
assert "torch" in sys.modules and gc.isenabled()
frozen = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
load_torch()  # nothing that came since is put out of the collector's sight
assert frozen > 100_000 and gc.get_freeze_count() <= frozen
"""
    subprocess.run([sys.executable, "-c", code], check=True)


SPEED = {
    "train": ["--solver", "s"],
    "estimate-lr": ["--solver", "s"],
    "lr-range": ["--solver", "s"],
    "experiment": ["run", "fig1a"],
    "test": ["--model", "m", "--weights", "w"],
    "classify": ["--model", "m", "--weights", "w", "i"],
    "time": ["--model", "m"],
    "extract-features": ["w", "m", "b", "d", "1", "lmdb"],
}


@pytest.mark.parametrize("name", [*SPEED, "experiment grid"])
def test_every_command_that_runs_nets_takes_the_speed_options(name):
    words = SPEED.get(name) or ["grid", "--solver", "s"]
    command = importlib.import_module(f"caffe_compat.cli.{name.partition(' ')[0].replace('-', '_')}")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = ["--precision", "tf32", "--compile", "graphs", "--channels_last", "on"]
    args = parser.parse_args([*words, *given])
    assert common.execution(args) == Execution("tf32", "graphs", "on")
    assert common.execution_words(args) == given
    plain = parser.parse_args(words)
    assert common.execution(plain) == Execution() and common.execution_words(plain) == []


def test_a_net_is_built_to_run_so(tmp_path, monkeypatch, capsys):
    """As the commands without a solver do it."""
    from caffe_compat.cli import models

    nets, build = [], models.build_net
    monkeypatch.setattr(models, "build_net", lambda *given: nets.append(build(*given)) or nets[-1])
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 1 } } } '
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 '
        "weight_filler { value: 0.7001 } } }"
    )
    shown = []
    for precision in ("fp32", "bf16"):
        assert main(["time", "--model", str(net), "--iterations", "1", "--precision", precision]) == 0
        shown.append(nets[-1].layerwise.data("y"))
    assert nets[0].execution == Execution() and nets[1].execution == Execution("bf16")
    assert shown[0].dtype == shown[1].dtype and shown[0].ne(shown[1]).all()
