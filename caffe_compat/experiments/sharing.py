"""Which GPU has room for one more run: small nets leave it idle while their kernels are launched."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MOST = 4  # runs on one GPU
BUSY = 75  # percent of the time; above it another run would only slow the others down
SETTLING = 60.0  # seconds that a run needs until it trains steadily
PERIOD = 5.0  # seconds between two looks
LOOKS = 6  # whose mean counts
_MIB = 1 << 20


class Use(NamedTuple):
    """What a GPU does: percent of the time that kernels ran, and memory in MiB."""

    percent: float
    used: float
    free: float


def uses() -> dict[str, Use]:
    """The use of each GPU by the index that --gpu takes; empty where the driver does not tell, or nvidia-ml-py is not
    installed."""
    try:
        import pynvml as nvml
    except ImportError:
        return {}
    try:
        nvml.nvmlInit()
        found = {}
        for index, gpu in enumerate(_visible(nvml)):
            memory = nvml.nvmlDeviceGetMemoryInfo(
                gpu, nvml.nvmlMemory_v2
            )  # "used" is without what is reserved
            percent = nvml.nvmlDeviceGetUtilizationRates(gpu).gpu
            found[str(index)] = Use(percent, memory.used // _MIB, memory.free // _MIB)
        nvml.nvmlShutdown()
        return found
    except nvml.NVMLError:
        return {}


def _visible(nvml: Any) -> list[Any]:
    """The driver's handles of the GPUs that CUDA_VISIBLE_DEVICES leaves to a program, in the order it gives them.

    None of them if CUDA may number them otherwise: without CUDA_DEVICE_ORDER=PCI_BUS_ID it begins with the fastest.
    """
    gpus = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    same = len({_text(nvml.nvmlDeviceGetName(gpu)) for gpu in gpus}) < 2
    if not same and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return gpus
    uuids = [_text(nvml.nvmlDeviceGetUUID(gpu)) for gpu in gpus]
    found: list[Any] = []
    for word in map(str.strip, chosen.split(",")):
        if word.isdecimal():
            matching = [int(word)] if int(word) < len(gpus) else []
        else:  # the beginning of a UUID is enough, if only one begins so
            matching = [i for i, uuid in enumerate(uuids) if word and uuid.lower().startswith(word.lower())]
        if len(matching) != 1:  # CUDA, too, stops at the first that is not there
            break
        found.append(gpus[matching[0]])
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Sharing:
    """Looks after the GPUs and finds one for another run.

    Args:
        look: what tells the GPUs' use; now: the time in seconds.
    """

    def __init__(
        self, look: Callable[[], dict[str, Use]] = uses, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._now = look, now
        self._looked = self._settled = now()
        self._running: list[str] = []
        self._seen: dict[str, deque[float]] = {}

    def room(self, running: Sequence[str]) -> str | None:
        """A GPU that has time and memory for one more run beside those that run on `running`, or None; to be asked
        again and again."""
        now = self._now()
        if list(running) != self._running:
            self._running, self._settled = list(running), now + SETTLING
            self._seen.clear()
        if now < max(self._settled, self._looked + PERIOD):
            return None
        self._looked = now
        counts = Counter(running)
        for index, use in self._look().items():
            seen = self._seen.setdefault(index, deque(maxlen=LOOKS))
            seen.append(use.percent)
            count = counts[index]
            fits = count and use.free > 1.2 * use.used / count
            if 0 < count < MOST and fits and len(seen) == LOOKS and sum(seen) / LOOKS < BUSY:
                return index
        return None
