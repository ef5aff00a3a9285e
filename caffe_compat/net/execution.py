"""How a net's graph is run: precision, memory layout, compiled or not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from caffe_compat.net.rounding import rounded
from caffe_compat.net.wiring import Wiring

PRECISIONS = ("fp32", "tf32", "bf16")
COMPILE = ("auto", "off", "on", "capture", "graphs")
CHANNELS_LAST = ("auto", "on", "off")
WORK_OF_A_CORE = 13_000_000_000_000  # multiply-adds of forward passes in half an hour of training


@dataclass(frozen=True)
class Execution:
    """What a run may choose; the defaults give float32 results.

    precision      fp32; tf32: float32 whose products a CUDA device rounds to 10 bits; bf16: products, and what
                   they give, in bfloat16 (torch.autocast). Blobs, statistics and updates stay float32.
    compile        off: as torch runs it; on: through torch.compile, which takes minutes to begin; capture: a GPU's
                   kernels as torch runs them, recorded as a CUDA graph; graphs: as on, recorded too; auto: on a GPU as
                   capture where that can be done, on the CPU off, unless `for_training` finds that on pays
    channels_last  whether pictures lie in memory with their channels innermost; auto: where a CPU convolves
    """

    precision: str = "fp32"
    compile: str = "auto"
    channels_last: str = "auto"
    optional: bool = False
    """Whether a net that cannot be compiled runs as it is, with a warning, instead of failing."""

    def __post_init__(self) -> None:
        for value, known in (
            (self.precision, PRECISIONS),
            (self.compile, COMPILE),
            (self.channels_last, CHANNELS_LAST),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")

    def describe(self, innermost: bool, captured: bool = False, why_not: str = "") -> str:
        """One line for the log; `innermost` is what `channels_last` came to, and `captured` what `captures` did."""
        ran = "compiled" if self.compiles else "not compiled"
        ran += ", captured as a CUDA graph" if captured else f", not captured: {why_not}" if why_not else ""
        return f"precision {self.precision}, channels {'innermost' if innermost else 'outermost'} in memory, {ran}"

    def faster(self, device: torch.device) -> str:
        """What the log says of a choice that this device would run faster; "" where there is none."""
        if (
            self.precision != "fp32"
            or device.type != "cuda"
            or torch.cuda.get_device_capability(device)[0] < 8
        ):
            return ""
        return "products are in whole float32; --precision tf32 is faster on this GPU, and rounds what is multiplied to 10 bits"

    def compiled(self, graph: Callable[..., Any]) -> Callable[..., Any]:
        """`graph`, or what torch.compile makes of it."""
        if not self.compiles:
            return graph
        # Random numbers are drawn as they are without compiling.
        return torch.compile(graph, options={"fallback_random": True})  # type: ignore[no-any-return]

    @property
    def compiles(self) -> bool:
        return self.compile in ("on", "graphs")

    @property
    def captures(self) -> bool:
        """Whether passes on a GPU are to be recorded; with auto those of a net that would not notice, if it works."""
        return self.compile in ("auto", "capture", "graphs")

    def for_training(self, work: int, device: torch.device) -> Execution:
        """What auto comes to for a net that fits, and a training run of so many multiply-adds, forward passes only.

        Compiled training gains a tenth on a CPU, and compiling takes a few minutes: it pays where training takes
        half an hour. The rule asks for nothing that is measured, so that a run can be repeated.
        """
        if self.compile != "auto" or device.type != "cpu" or self.precision != "fp32":
            return self
        enough = work >= WORK_OF_A_CORE * torch.get_num_threads()
        if (
            not enough
            or not sys.platform.startswith("linux")
            or not shutil.which(os.environ.get("CXX", "g++"))
        ):
            return self
        return replace(self, compile="on", optional=True)

    def products(self, device: torch.device) -> AbstractContextManager[None]:
        """Within it products have the precision's bits, whatever the program has set in torch: its own setting lets cuDNN
        round them.

        What else is set in torch.backends (deterministic, benchmark ...) holds, and afterwards all is as it was found.
        """
        return rounded(device, self.precision == "tf32" and device.type == "cuda")

    def casts(self, device: torch.device) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")


@dataclass
class Settings:
    """How a net is run; all of it may change between passes.

    observed    run layer by layer, so that every blob can be read and written
    debug_info  the same, with a log line for every blob
    """

    execution: Execution = field(default_factory=Execution)
    observed: bool = False
    debug_info: bool = False

    def innermost(self, net: Wiring) -> bool:
        """Whether pictures go through with the channels innermost in memory; shapes stay as they are.

        CPU convolutions and normalisations are a quarter faster so.
        """
        if self.execution.channels_last != "auto":
            return self.execution.channels_last == "on"
        return net.device.type == "cpu" and net.wants_innermost


def laid_out(batch: list[Tensor], innermost: bool) -> list[Tensor]:
    """A graph's inputs in the memory layout that is fastest."""
    if not innermost:
        return batch
    return [top.contiguous(memory_format=torch.channels_last) if top.dim() == 4 else top for top in batch]


@contextmanager
def chosen_by_trial(device: torch.device, wanted: bool) -> Iterator[None]:
    """Within it cuDNN tries its ways to convolve, once a shape, and takes the fastest; torch's own setting looks it up.

    Not where the program wants the same way every time (torch.backends.cudnn.deterministic).
    """
    cudnn = torch.backends.cudnn
    if not wanted or device.type != "cuda" or cudnn.benchmark or cudnn.deterministic:
        yield
        return
    cudnn.benchmark = True
    try:
        yield
    finally:
        cudnn.benchmark = False
