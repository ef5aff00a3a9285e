"""glog's lines: a letter, when, which thread, where in Caffe's source; a progress bar may run below them.

Every line has the classic prefix, `Immdd hh:mm:ss.uuuuuu tid file:line] `, so that Caffe's parse_log.py and
extract_seconds.py, and people's own scripts, read our logs.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from caffe_compat.log.names import printable
from caffe_compat.log.progress import ProgressBar, is_terminal

DEBUG, INFO, WARNING, ERROR, OFF = -1, 0, 1, 2, 3  # glog's severities; DEBUG lines print with an I
_LETTERS = {DEBUG: "I", INFO: "I", WARNING: "W", ERROR: "E"}


class Glog:
    """Writes log lines to `stream` (standard error unless given).

    stream    where lines go
    progress  whether a progress bar runs below them; None means: on a terminal
    level     the least severity that is written (DEBUG, INFO, WARNING, ERROR, OFF)
    outlive_reader   when nobody reads the pipe that `stream` is any more, set `reader_gone` and write no more; without
              it that is a BrokenPipeError

    A line that cannot be written for another reason (a full disk, a closed terminal) is lost: as in Caffe, a run is
    worth more than its log.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        progress: bool | None = None,
        level: int = INFO,
        outlive_reader: bool = False,
    ):
        self.level = level
        self.reader_gone = False
        self._outlive_reader = outlive_reader
        self._stream = sys.stderr if stream is None else stream
        if progress is None:
            progress = level <= INFO and is_terminal(self._stream)
        self._bar = ProgressBar(self._stream) if progress else None
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def _line(self, severity: int, where: str, text: str) -> None:
        if severity < self.level or self.reader_gone:
            return
        text = printable(text)
        now = time.time()
        prefix = (
            f"{_LETTERS[severity]}{time.strftime('%m%d %H:%M:%S', time.localtime(now))}"
            f".{int(now % 1 * 1e6):06} {threading.get_native_id():5} {where}] "
        )
        with self._writing():
            if self._bar:
                self._bar.clear()
            self._stream.write(prefix + text + ("" if text.endswith("\n") else "\n"))
            self._stream.flush()
            if self._bar:
                self._bar.draw()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except BrokenPipeError:
                if not self._outlive_reader:
                    raise
                self.reader_gone = True
            except OSError:
                pass

    # -- lines Caffe has no word for ----------------------------------------------------------

    def info(self, text: str) -> None:
        self._line(INFO, "caffe_compat:0", text)

    def warning(self, text: str) -> None:
        self._line(WARNING, "caffe_compat:0", text)

    def warn_once(self, text: str) -> None:
        """A warning that several readings of one file would repeat."""
        if text not in self._warned:
            self._warned.add(text)
            self.warning(text)

    def error(self, text: str) -> None:
        self._line(ERROR, "caffe_compat:0", text)

    # -- the progress bar ---------------------------------------------------------------------

    def progress(self, iter: int, start: int, stop: int, note: str = "") -> None:
        """The run from iteration `start` to `stop` has done `iter`; costs nothing off a terminal.

        Loss and rate are those of the last `iteration` and `learning_rate` lines. `note` says what
        goes on inside the iteration, such as `testing 12/200`.
        """
        if self._bar:
            with self._writing():
                self._bar.update(iter, start, stop, note)

    def end_progress(self) -> None:
        """Take the bar off the screen: the run is over."""
        if self._bar:
            with self._writing():
                self._bar.close()
                self._stream.flush()
                self._bar = ProgressBar(self._stream)

    def _fact(self, name: str, value: str) -> None:
        if self._bar:
            self._bar.facts[name] = value
