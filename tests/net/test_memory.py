"""Memory of freed blobs stays in the process."""

import ctypes
from types import SimpleNamespace

from caffe_compat.net.memory import keep_freed_memory


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
