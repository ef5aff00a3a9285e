"""What a step of ResNet-56 launches and moves on CUDA, counted without one, stays below what it was brought down to."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.measures import ROOT

# Of the pass and the update: kernels, GB; of a test batch the same.
LIMITS = {
    "ours, 1 x 125, fp32, channels outermost": (550, 5.9),
    "ours, 8 x 125, fp32, channels outermost": (580, 46.4),
    "ours, 8 x 125, bf16, channels outermost": (710, 23.7),
    "ours, 8 x 125, bf16, channels innermost": (710, 23.7),
    "ours, test batch of 125, fp32": (120, 0.7),
    "by hand, eager, one batch of 1000": (640, 52.7),
}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
def test_the_counts_hold(tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "tools.bench.kernels", "--json"]
    environment = {**os.environ, "FAKE_CUDA": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    steps = {line["step"]: line["parts"] for line in map(json.loads, run.stdout.splitlines())}
    found = {
        name: (sum(part["kernels"] for part in parts), sum(part["GB"] for part in parts))
        for name, parts in steps.items()
    }
    assert LIMITS.keys() <= found.keys()
    for name, (kernels, gigabytes) in LIMITS.items():
        assert 0.9 * kernels < found[name][0] <= kernels, name
        assert 0.9 * gigabytes < found[name][1] <= gigabytes, name
    flop = {name: parts[0]["GFLOP"] for name, parts in steps.items()}
    assert flop["ours, 8 x 125, fp32, channels outermost"] == flop["by hand, eager, one batch of 1000"]
