"""A one-line progress bar that lives below the log lines of a terminal."""

import os
import shutil
import time
from collections.abc import Callable
from typing import TextIO

_REDRAW_EVERY = 0.1  # seconds; a step may take a fraction of a millisecond
_MEMORY = 30.0  # seconds of the past that the rate is measured over


def is_terminal(stream: TextIO) -> bool:
    """Whether lines of `stream` can be drawn over and coloured."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class ProgressBar:
    """`42% |####      | 4200/10000 8.1 iter/s, ETA 11:55, loss 0.312, lr 2.52` under the last log line.

    `update` redraws at most ten times a second. The log calls `clear` before it writes a line and
    `draw` after it. `facts` are the figures shown at the end, by name, in the order first set.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self.facts: dict[str, str] = {}
        self._stream = stream
        self._clock = clock
        self._iter = self._stop = 0
        self._start: int | None = None
        self._note = ""
        self._marks: list[tuple[float, int]] = []  # (when, iteration), oldest first
        self._next_draw = 0.0
        self._shown = False

    def update(self, iter: int, start: int, stop: int, note: str = "") -> None:
        """The run from iteration `start` to `stop` has done `iter`; `note` says what it does just now.

        The first call's `start` holds for the whole bar.
        """
        now = self._clock()
        self._iter, self._stop, self._note = iter, stop, note
        if self._start is None:
            self._start = start
        if now < self._next_draw:
            return
        self._next_draw = now + _REDRAW_EVERY
        if not self._marks or iter > self._marks[-1][1]:
            self._marks.append((now, iter))
            while len(self._marks) > 2 and self._marks[0][0] < now - _MEMORY:
                self._marks.pop(0)
        self.clear()
        self.draw()

    def clear(self) -> None:
        """Take the bar off the screen, so that a log line can be written in its place."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._shown = False

    def draw(self) -> None:
        """Put the bar on the screen, once there has been an update."""
        if self._marks:
            columns = shutil.get_terminal_size().columns
            self._stream.write(self.text(columns - 1))
            self._stream.flush()
            self._shown = True

    def text(self, width: int) -> str:
        """The bar in at most `width` characters."""
        start = self._start or 0
        share = (self._iter - start) / (self._stop - start) if self._stop > start else 1.0
        rate = self._rate()
        parts = [f"{rate:.3g} iter/s" if rate >= 1 or not rate else f"{1 / rate:.3g} s/iter"]
        if rate:
            parts.append(f"ETA {_clock_time((self._stop - self._iter) / rate)}")
        parts += [f"{name} {value}" for name, value in self.facts.items()]
        if self._note:
            parts.append(self._note)
        head, tail = f"{share:4.0%} ", f" {self._iter}/{self._stop} " + ", ".join(parts)
        room = min(30, width - len(head) - len(tail) - 2)
        if room >= 5:
            head += f"|{'#' * round(share * room):{room}}|"
        return (head + tail)[:width]

    def _rate(self) -> float:
        """Iterations a second over the recent past; 0 before the second mark."""
        if len(self._marks) < 2:
            return 0.0
        (t0, i0), (t1, i1) = self._marks[0], self._marks[-1]
        return (i1 - i0) / (t1 - t0)


def _clock_time(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
