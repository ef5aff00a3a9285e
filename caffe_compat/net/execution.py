"""How a net's graph is run: precision, memory layout, compiled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

PRECISIONS = ("fp32", "tf32", "bf16")
COMPILE = ("auto", "off", "on", "graphs")
CHANNELS_LAST = ("auto", "on", "off")


@dataclass(frozen=True)
class Execution:
    """What a run may choose; the defaults give float32 results.

    precision      fp32; tf32: float32 whose products a CUDA device rounds to 10 bits; bf16: products, and what
                   they give, in bfloat16 (torch.autocast). Blobs, statistics and updates stay float32.
    compile        off: as torch runs it; on: through torch.compile, which takes minutes to begin; graphs: as on, and
                   captured as CUDA graphs; auto is off
    channels_last  whether pictures lie in memory with their channels innermost; auto: where a CPU convolves
    """

    precision: str = "fp32"
    compile: str = "auto"
    channels_last: str = "auto"

    def __post_init__(self) -> None:
        for value, known in (
            (self.precision, PRECISIONS),
            (self.compile, COMPILE),
            (self.channels_last, CHANNELS_LAST),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")

    def describe(self, innermost: bool) -> str:
        """One line for the log; `innermost` is what `channels_last` came to."""
        ran = {"on": "compiled", "graphs": "compiled and captured"}.get(self.compile, "not compiled")
        return f"precision {self.precision}, channels {'innermost' if innermost else 'outermost'} in memory, {ran}"

    def compiled(self, graph: Callable[..., Any]) -> Callable[..., Any]:
        """`graph`, or what torch.compile makes of it."""
        if self.compile in ("auto", "off"):
            return graph
        mode = "reduce-overhead" if self.compile == "graphs" else None
        return torch.compile(graph, mode=mode)  # type: ignore[no-any-return]

    @contextmanager
    def products(self, device: torch.device) -> Iterator[None]:
        """Within it, products on a CUDA device have the precision's bits; torch's own setting lets cuDNN round them."""
        if device.type != "cuda":
            yield
            return
        matmul = torch.backends.cuda.matmul
        before, matmul.allow_tf32 = matmul.allow_tf32, self.precision == "tf32"
        try:
            cudnn = torch.backends.cudnn
            with cudnn.flags(
                cudnn.enabled, cudnn.benchmark, cudnn.deterministic, allow_tf32=self.precision == "tf32"
            ):
                yield
        finally:
            matmul.allow_tf32 = before

    def casts(self, device: torch.device) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")
