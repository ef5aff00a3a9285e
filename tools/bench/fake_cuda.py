"""Lets FakeTensorMode trace tensors on "cuda" in a torch without CUDA; import it before torch.

The C++ part is built with CXX (g++) at the first use, into a folder that `FAKE_CUDA` names or torch's own cache.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".cpp")


def build(torch: Path) -> Path:
    """The shared library for the torch in this folder, built unless it is there."""
    version = (torch / "version.py").read_bytes() + SOURCE.read_bytes()
    name = f"fake_cuda_{hashlib.sha256(version).hexdigest()[:12]}.so"
    folder = Path(os.environ.get("FAKE_CUDA", Path(tempfile.gettempdir(), f"fake_cuda_{os.getuid()}")))
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / name
    if not library.exists():
        made = library.with_suffix(f".{os.getpid()}")
        command = [
            os.environ.get("CXX", "g++"),
            "-O1",
            "-std=c++20",
            "-fPIC",
            "-shared",
            f"-I{torch}/include",
        ]
        libraries = [f"-L{torch}/lib", "-lc10", "-ltorch_cpu"]
        subprocess.run([*command, str(SOURCE), "-o", str(made), *libraries], check=True)
        made.replace(library)
    return library


def install() -> None:
    assert "torch" not in sys.modules, "fake_cuda must be imported before torch"
    spec = importlib.util.find_spec("torch")
    assert spec and spec.origin
    torch = Path(spec.origin).parent
    library = build(torch)
    ctypes.CDLL(str(torch / "lib" / "libtorch_cpu.so"), mode=ctypes.RTLD_GLOBAL)
    loaded = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    import torch as _  # noqa: F401

    loaded.install()


install()
