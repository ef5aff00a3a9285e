"""Run jobs: one after another or several at a time, on the CPU or over GPUs, resumed after a kill, never twice.

A job is a folder with the solver and the net actually used, the log, snapshots and, once it is finished,
result.json. Training is `caffe-compat train` in a process of its own, so a job behaves exactly as the
command line does. A lock file, held by that process too, keeps two runs out of one folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from caffe_compat.errors import CaffeError, DataError
from caffe_compat.experiments import results
from caffe_compat.experiments.prepare import same_settings
from caffe_compat.experiments.tables import clock
from caffe_compat.log.read import read_log
from caffe_compat.log.runs import RunLog
from caffe_compat.proto import NetParameter, SolverParameter, text
from caffe_compat.proto.binary import write_atomic

SOLVER, NET, PREFIX = "solver.prototxt", "net.prototxt", "snapshot"
_KEPT_SNAPSHOTS = 2  # while a run goes on; one when it is finished
_POLL = 0.2  # seconds
_ENDING = 2.0  # seconds that a killed process may need to end
_ELSEWHERE = "another process is running it in {}; wait for it, or stop it"
_M = TypeVar("_M", SolverParameter, NetParameter)
_ERROR = re.compile(r"^caffe-compat: error: (.*)$", re.MULTILINE)


@dataclass
class Job:
    """One run: what to train, where, and what its result says besides what the log does.

    known     fields of the Result that a log does not tell
    estimate  as in a catalogue row
    root      where relative paths in the net start
    options   more words for the command that trains
    """

    folder: Path
    solver: SolverParameter
    net: NetParameter
    known: dict[str, Any]
    replicas: int = 1
    estimate: int = 0
    root: str = ""
    options: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"{self.known['id']} ({self.known['label']}, seed {self.known['seed']})"


@dataclass
class Outcome:
    """What became of a job: `result` if it is finished, else `problem` in words."""

    job: Job
    result: results.Result | None = None
    problem: str = ""
    skipped: bool = False


@dataclass
class _Active:
    job: Job
    process: subprocess.Popen[bytes]
    slot: str
    lock: int  # a file descriptor


def run_jobs(
    jobs: Iterable[Job],
    slots: Sequence[str] = ("",),
    say: Callable[[str], None] = lambda text: None,
    room: Callable[[Sequence[str]], str | None] = lambda running: None,
) -> list[Outcome]:
    """Run the jobs that are not finished, at most one in each slot at a time; returns what became of all.

    A slot is the GPU id that its jobs run on, '' for the CPU; an id may be there several times. `room`, given the
    slots in use while all are, may name a GPU that takes one more job (see sharing.Sharing). A job that
    fails does not hold up the others. Ctrl-C (or SIGTERM) ends the running ones, each with a snapshot, and
    raises KeyboardInterrupt; the next call goes on from there.

    Raises CaffeError where a folder cannot be written, or holds a run with other settings.
    """
    outcomes: list[Outcome] = []
    waiting: list[Job] = []
    for job in jobs:
        finished = _finished(job)
        if finished:
            say(f"{job.name}: finished before")
            outcomes.append(Outcome(job, finished, skipped=True))
        elif _locked(job.folder):
            say(f"{job.name}: {_ELSEWHERE.format(job.folder)}")
            outcomes.append(Outcome(job, problem=_ELSEWHERE.format(job.folder)))
        else:
            _write_inputs(job)
            waiting.append(job)
    total, active = len(waiting), list[_Active]()
    free = list(slots)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or active:
            while waiting and free:
                job, slot = waiting.pop(0), free.pop(0)
                started = _start(job, slot, len(slots))
                if isinstance(started, Outcome):
                    say(f"{job.name}: {started.problem}")
                    outcomes.append(started)
                    free.append(slot)
                    continue
                say(f"{job.name}: {total - len(waiting)} of {total}, log in {job.folder / results.LOG}")
                active.append(started)
            time.sleep(_POLL)
            if waiting and not free and (more := room([one.slot for one in active])) is not None:
                say(f"GPU {more} is idle at times: one more run on it")
                free.append(more)
            for one in list(active):
                prune(one.job.folder, _KEPT_SNAPSHOTS)
                if one.process.poll() is not None:
                    active.remove(one)
                    free.append(one.slot)
                    outcome = _end(one)
                    say(f"{one.job.name}: {_told(outcome)}")
                    outcomes.append(outcome)
    finally:
        for one in active:
            one.process.send_signal(signal.SIGINT)
        for one in active:
            one.process.wait()
            os.close(one.lock)
        signal.signal(signal.SIGTERM, before)
    return outcomes


def _told(outcome: Outcome) -> str:
    if outcome.result is None:
        return outcome.problem
    accuracy = outcome.result.final_accuracy
    what = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
    return f"done in {clock(outcome.result.seconds)}{what}"


def _finished(job: Job) -> results.Result | None:
    """The job's result, also where the run ended but nobody was left to write it down."""
    if (job.folder / results.FILE).exists():
        return results.read(job.folder / results.FILE)
    if not (job.folder / results.LOG).exists() or _locked(job.folder):
        return None
    return _result(job)


def _result(job: Job) -> results.Result | None:
    run = _log(job.folder)
    if run is None or not run.done:
        return None
    result = results.from_log(run, **job.known)
    results.write(job.folder, result)
    prune(job.folder, 1)
    return result


def _log(folder: Path) -> RunLog | None:
    """The run that a folder's log tells of; None where the log stops before the first of Caffe's lines."""
    try:
        return read_log(folder / results.LOG)
    except DataError:
        return None


def _write_inputs(job: Job) -> None:
    """Write solver and net; a folder with a run that has begun must be of the same settings."""
    solver, net = job.folder / SOLVER, job.folder / NET
    job.solver.net = os.path.abspath(net)
    job.solver.snapshot_prefix = os.path.abspath(job.folder / PREFIX)
    if solver.exists() and net.exists() and snapshots(job.folder):
        begun = text.read_solver(str(solver)), text.read_net(str(net))
        difference = same_settings(begun, (_again(job.solver), _again(job.net)))
        if difference:
            raise CaffeError(
                f"{job.folder} holds a run of {job.known['id']} with other settings ({difference}); remove it, or "
                f"choose another --out"
            )
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaffeError(
            f"{job.folder}: cannot make the folder: {error.strerror}; choose another --out"
        ) from None
    write_atomic(solver, text.to_text(job.solver).encode())
    write_atomic(net, text.to_text(job.net).encode())


def _again(message: _M) -> _M:
    """The message as it is when written and read: floats in their printed precision."""
    return text.parse(text.to_text(message), type(message))


def _start(job: Job, slot: str, running: int) -> _Active | Outcome:
    """Start a job's process, from its last snapshot if there is one."""
    log_path = job.folder / results.LOG
    lock = os.open(job.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return Outcome(job, problem=_ELSEWHERE.format(job.folder))
    state = next(iter(snapshots(job.folder)), None)
    words = ["estimate-lr", "--every", str(job.estimate)] if job.estimate else ["train"]
    words += ["--solver", str(job.folder / SOLVER), "--replicas", str(job.replicas), *job.options]
    if job.estimate:
        words += ["--out", str(job.folder / results.ESTIMATE)]
    if slot:
        words += ["--gpu", slot]
    if job.root:
        words += ["--root", job.root]
    if state:
        words += ["--snapshot", os.path.abspath(state)]
    try:
        with open(log_path, "ab" if state else "wb") as log:
            if state:
                log.write(b"\n")  # a killed run may have left half a line
                log.flush()
            share = 0 if slot else running
            process = command(words, share, stdout=log, stderr=log, pass_fds=(lock,))
    except OSError as error:
        os.close(lock)
        return Outcome(job, problem=f"{log_path}: cannot be written: {error.strerror}; make room")
    return _Active(job, process, slot, lock)


def command(words: Sequence[str], share: int = 0, **options: Any) -> subprocess.Popen[bytes]:
    """Start `caffe-compat WORDS` with this Python and this package; `share` jobs at a time share the processors."""
    environment = dict(os.environ)
    package = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    if share > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // share)))
    return subprocess.Popen([sys.executable, "-c", _START, *words], env=environment, **options)


# With -m, and with -c until it says otherwise, modules in the working folder would be taken for those of the same name.
_START = """import sys
sys.path[:] = [folder for folder in sys.path if folder]
from caffe_compat.cli import main
sys.exit(main())"""


def _end(one: _Active) -> Outcome:
    os.close(one.lock)
    job, code = one.job, one.process.returncode
    result = _result(job) if code == 0 else None
    if result:
        return Outcome(job, result)
    log = (job.folder / results.LOG).read_text(encoding="utf-8", errors="replace")
    errors = _ERROR.findall(log[-20000:])
    if code == 0 or code == 130:
        problem = "stopped before its end; run it again and it goes on"
    elif code < 0:
        problem = f"ended by signal {-code}; run it again and it goes on from its last snapshot"
    elif errors:
        problem = errors[-1]
    else:
        tail = log.rstrip().rsplit("\n", 1)[-1]
        problem = f"ended with exit code {code}: {tail}; see {job.folder / results.LOG}"
    return Outcome(job, problem=problem)


def _locked(folder: Path) -> bool:
    """Whether a process is training in this folder, and goes on: a killed one takes a moment to end."""
    deadline = time.monotonic() + _ENDING
    while time.monotonic() < deadline:
        try:
            with open(folder / "lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_ENDING / 50)
        except OSError:
            return False  # there is no folder yet
        else:
            return False
    return True


def snapshots(folder: Path) -> list[Path]:
    """The solverstates of a job that have their caffemodel, newest first."""
    found = [
        path
        for path in folder.glob(f"{PREFIX}_iter_*.solverstate")
        if path.with_suffix(".caffemodel").exists()
    ]
    return sorted(found, key=lambda path: int(path.stem.rpartition("_")[2]), reverse=True)


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest snapshots."""
    for state in snapshots(folder)[keep:]:
        state.unlink(missing_ok=True)
        state.with_suffix(".caffemodel").unlink(missing_ok=True)
