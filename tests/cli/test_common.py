"""What the commands share beside their options."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

from caffe_compat.cli.common import keep_freed_memory


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


def test_memory_is_kept_with_older_c_libraries_too(monkeypatch):
    """They refuse a threshold above 32 MiB; then every larger or smaller block would go back to the system at once."""
    accepted = {}

    def mallopt(option, value):
        if option == -3 and value > 32 << 20:
            return 0
        accepted[option] = value
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    keep_freed_memory()
    assert accepted == {-3: 32 << 20, -1: (1 << 31) - 1}
