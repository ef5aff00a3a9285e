"""What the commands share beside their options."""

import subprocess
import sys


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
