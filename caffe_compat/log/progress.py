"""A one-line progress bar that lives below the log lines of a terminal."""

import os
import shutil
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

_REDRAW_EVERY = 0.1  # seconds; a step may take a fraction of a millisecond


def is_terminal(stream: TextIO) -> bool:
    """Whether lines of `stream` can be drawn over and coloured."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class ProgressBar:
    """`42% |####      | 4200/10000 8.10iter/s, ETA 11:55, loss 0.312, lr 2.52` under the last log line.

    `update` redraws at most ten times a second. The log calls `clear` before it writes a line and
    `draw` after it. `facts` are the figures shown at the end, by name, in the order first set.
    """

    def __init__(self, stream: TextIO):
        self.facts: dict[str, str] = {}
        self._stream = stream
        self._bar: tqdm | None = None
        self._iter = self._start = self._stop = 0
        self._note = ""
        self._next_draw = 0.0

    def update(self, iter: int, start: int, stop: int, note: str = "") -> None:
        """The run from iteration `start` to `stop` has done `iter`; `note` says what it does just now.

        The first call's `start` holds for the whole bar.
        """
        now = time.monotonic()
        self._iter, self._stop, self._note = iter, stop, note
        if now < self._next_draw:
            return
        self._next_draw = now + _REDRAW_EVERY
        if self._bar is None:
            self._start, self._bar = start, _begin(self._stream)
        self.draw()

    def clear(self) -> None:
        """Take the bar off the screen, so that a log line can be written in its place."""
        if self._bar is not None:
            self._bar.clear()

    def draw(self) -> None:
        """Put the bar on the screen, once there has been an update."""
        bar = self._bar
        if bar is None:
            return
        bar.ncols = shutil.get_terminal_size().columns - 1
        bar.desc = f"{self._iter}/{self._stop}"
        facts = [f"{name} {value}" for name, value in self.facts.items()]
        bar.set_postfix_str(", ".join([*facts, self._note] if self._note else facts), refresh=False)
        bar.total = max(self._stop - self._start, 1)
        new = (self._iter - self._start if self._iter < self._stop else bar.total) - bar.n
        if new:
            bar.update(new)
        else:  # inside an iteration: the rate is of whole ones, and their time
            bar.refresh()

    def close(self) -> None:
        """Take the bar off the screen for good."""
        if self._bar is not None:
            self._bar.close()


def _begin(stream: TextIO) -> "tqdm":
    from tqdm import tqdm

    return tqdm(
        total=1,
        file=stream,
        leave=False,
        position=0,
        ncols=80,  # asked for whenever it is drawn: a terminal that does not tell its size has a bar, too
        nrows=24,
        miniters=1,
        mininterval=0,
        smoothing=0.05,  # the rate is that of about the last twenty times it was drawn
        unit="iter",
        ascii=" #",
        bar_format="{percentage:3.0f}% |{bar}| {desc} {rate_fmt}, ETA {remaining}{postfix}",
    )
