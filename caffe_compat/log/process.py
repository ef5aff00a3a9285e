"""The log of this process, as glog has one: what pycaffe's nets and solvers write to."""

import os

from caffe_compat.log.write import INFO, Log

_log: Log | None = None  # what init_log made


def init_log(prefix: object = None, level: int | None = None, stderr: bool = False) -> None:
    """Print Caffe's log lines from `level` on (0 info, 1 warning, 2 error); `prefix` may be the level.

    Without a level GLOG_minloglevel decides, as it does before this is called.
    """
    global _log
    if isinstance(prefix, int):
        level = prefix
    _log = Log(progress=False, level=_environment_level() if level is None else level)


def log(message: object = None) -> Log:
    """With a message: write it as an info line. Always: the log that new nets write to."""
    # Standard error may be another one at the next call.
    current = Log(progress=False, level=_environment_level()) if _log is None else _log
    if message is not None:
        current.script(str(message))
    return current


def _environment_level() -> int:
    """The least severity that GLOG_minloglevel lets through, all without it; scripts set it before `import caffe`."""
    try:
        return int(os.environ.get("GLOG_minloglevel", INFO))  # noqa: SIM112 - as glog spells it
    except ValueError:
        return INFO
