"""tools/gpu_check.sh: its whole flow, tried on a CPU."""

import os
import subprocess
import sys

import pytest

from tests.measures import ROOT


def check(folder, **environment):
    command = ["bash", str(ROOT / "tools/gpu_check.sh")]
    given = {
        **os.environ,
        "DEVICE": "cpu",
        "TINY": "1",
        "OUT": str(folder),
        "PYTHON": sys.executable,
        **environment,
    }
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_step_runs_on_a_cpu(tmp_path):
    run = check(tmp_path, BUDGET="300", CIFAR=str(tmp_path / "none"))
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    found = {path.stem: path.read_text() for path in tmp_path.glob("*.txt")}
    assert found.keys() == {"versions", "parity", "tests", "steps", "compiled", "run", "summary"}
    assert found["versions"].startswith("caffe_compat ") and "missing packages: " in found["versions"]
    assert found["parity"].count("PASS") == 6 and "FAIL" not in found["parity"]
    assert " passed" in found["tests"]
    assert "ours 2x4 fp32 off auto" in found["steps"] and "by hand 8 fp32 eager" in found["steps"]
    assert "FAIL" not in found["steps"] + found["compiled"]
    assert "exit code 0 after" in found["run"] and "drawn shapes" in found["run"]
    assert "Optimization Done" in (tmp_path / "run.log").read_text()
    assert "parity: PASS" in found["summary"] and "for fig1a-clr's steps" in found["summary"]


def test_what_does_not_fit_into_the_time_is_left_out(tmp_path):
    run = check(tmp_path, BUDGET="16")
    assert run.returncode in (0, 1)
    assert "== run: left out" in run.stdout and "please send what is in" in run.stdout
    assert (tmp_path / "versions.txt").read_text().startswith("caffe_compat ")
