"""Read any Caffe training log: BVLC's since 2013, NVIDIA's, the cyclical forks', this package's.

A line may have glog's prefix (`I0817` or `I20170817`) or, pasted from a terminal, none. Whatever is not
a line of Caffe is passed over, and a log may stop anywhere.
"""

import gc
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from caffe_compat.errors import DataError
from caffe_compat.log.clock import Clock
from caffe_compat.log.runs import LayerLog, NetLog, RunLog, TestRow, TrainRow

_PREFIX = r"([IWEF]\d[^]]*\] )?"  # glog's
_OTHER = re.compile(_PREFIX)
_ITERATION = re.compile(
    _PREFIX + r"\s*(?:\[[\d.]+\] )?Iteration (\d+)(?: \((\S+) iter/s, \S+s/\d+ iters?\))?(?:, [^,=]*ep)?, "
    r"(?:loss = (\S+)|lr = ([^\s,]+)(.*)|Testing net(?: \(#(\d+)\))?)"
)
_TEST_SCORE = re.compile(r"Test score #(\d+): (\S+)")  # Caffe of 2013 and 2014
_MOMENTUM = re.compile(r", (?:momentum|m) = ([^\s,]+)")
_WEIGHT_DECAY = re.compile(r", (?:weight decay|wd) = ([^\s,]+)")
_TEST_NET = re.compile(r"Creating test net \(#(\d+)\) specified by (.*)")
_TRAIN_NET = re.compile(r"Creating training net (?:from |specified in )?(.*)")
_SHAPE = re.compile(r"Top shape: ([\d ]*)\(\d+\)")
_BACKWARD = re.compile(r"(.+) (needs|does not need) backward computation\.")
_SNAPSHOT = re.compile(r"Snapshotting to (?:binary proto file |HDF5 file )?(\S+)")
_RESUMED = re.compile(r"(?:Resuming from|Restoring previous solver status from) (.*)")
_SCORE = re.compile(r"([^,]+?) = (\S+)(?: \(\* .*loss\))?$")
_CUT_NUMBER = re.compile(r"= [-+\d.e]*\Z")


def read_log(source: str | os.PathLike[str] | Iterable[str]) -> RunLog:
    """The last run in a log, given as a file's path or as its lines; see `read_runs`."""
    return read_runs(source)[-1]


def read_runs(source: str | os.PathLike[str] | Iterable[str]) -> list[RunLog]:
    """All runs in a log. A run that resumes the one before it becomes one with it.

    Raises DataError where the file cannot be read or holds no line of Caffe.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                reader = _Reader(name).read(file)
        except OSError as error:
            raise DataError(
                f"{name}: cannot read the log: {error.strerror}; give the log of a training run"
            ) from None
    else:
        name = "<lines>"
        reader = _Reader(name).read(source)
    runs: list[RunLog] = []
    for run in reader.runs:
        if run.empty:
            continue
        if runs and run.resumed_from and runs[-1].train and run.train:
            runs[-1] = _join(runs[-1], run)
        else:
            runs.append(run)
    if not runs:
        raise DataError(f"{name}: none of its {reader.count} lines is of a Caffe log")
    return runs


def _join(first: RunLog, second: RunLog) -> RunLog:
    """`second` took up `first`, whose rows from there on were in vain."""
    later: list[TrainRow | TestRow] = [*second.train, *second.test]
    start = min(row.iteration for row in later)
    kept_train = [row for row in first.train if row.iteration < start]
    kept_test = [row for row in first.test if row.iteration < start]
    kept: list[TrainRow | TestRow] = [*kept_train, *kept_test]
    spent = max((row.seconds or 0.0 for row in kept), default=0.0)
    for row in later:
        if row.seconds is not None:
            row.seconds += spent
    return replace(
        second,
        line=first.line,
        resumed_from=first.resumed_from,
        train=kept_train + second.train,
        test=kept_test + second.test,
        losses=first.losses | second.losses,
        snapshots=first.snapshots + second.snapshots,
    )


def _number(text: str) -> float | None:
    """A printed number, None where the text is none (a line cut short); Windows' 1.#QNAN is nan."""
    try:
        return float(text)
    except ValueError:
        return math.nan if "#" in text else None


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows hold no cycles, and while there are ever more of them looking for some takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    """Goes through the lines once, filling `runs`."""

    def __init__(self, source: str) -> None:
        self.run = RunLog(source)
        self.runs = [self.run]
        self.count = 0
        self._source = source
        self._echo: list[str] | None = None  # the lines of a message in the middle of being echoed
        self._echo_of: RunLog | NetLog | None = None
        self._net: NetLog | None = None
        self._layer: LayerLog | None = None
        self._layers: dict[str, LayerLog] = {}
        self._next_net = ("", 0, "")  # role, index and source of the net that is announced
        self._clock = Clock()
        self._start: int | None = None
        self._head = ""

    def read(self, lines: Iterable[str]) -> "_Reader":
        with _without_collector():
            self._read(lines)
        return self

    def _read(self, lines: Iterable[str]) -> None:
        for self.count, line in enumerate(whole_lines(lines), 1):
            if line[:1] == "\x1b":
                line = line.removeprefix("\x1b[K")  # a terminal's log, where a progress bar was
            # Rows make up most of a log: plain string operations take half as long as an expression on them.
            if " net output #" in line:
                self._begin_line(line)
                self._output(line)
            elif "Iteration " in line and (match := _ITERATION.match(line)):
                head, number, speed, loss, lr, rest, test = match.groups()
                self._begin_line(head)
                self._iteration(number, speed, loss, lr, rest, test)
            else:
                self._other(line)
        if self._echo is not None:
            self._end_echo()

    def _begin_line(self, head: str | None) -> None:
        self._head = head or ""
        if self._echo is not None:
            self._end_echo()

    def _other(self, line: str) -> None:
        """A line that is no row."""
        match = _OTHER.match(line)
        assert match is not None
        if self._echo is not None and match[1] is None:
            self._echo.append(line)
            return
        self._begin_line(match[1])
        text = line[match.end() :].strip()
        if self._net is None:
            self._event(text)
        else:
            self._structure(text)

    # -- rows ---------------------------------------------------------------------------------

    def _seconds(self) -> float | None:
        now = self._clock.microseconds(self._head)
        if now is None:
            return None
        if self._start is None:
            self._start = now
        return (now - self._start) / 1e6

    def _iteration(
        self,
        number: str,
        speed: str | None,
        loss: str | None,
        lr: str | None,
        rest: str | None,
        net: str | None,
    ) -> None:
        """`Iteration 100 (50 iter/s, 2s/100 iters), loss = 2.3`, `..., lr = 0.1, m = 0.9` or `..., Testing net (#0)`."""
        iteration = int(number)
        self._net = None
        if loss is None and lr is None:
            self.run.test.append(TestRow(iteration, self.count, self._seconds(), int(net or 0)))
            return
        value = _number(loss or lr or "")
        if value is None:
            return
        train = self.run.train
        row = train[-1] if train else None
        # loss and rate come in either order
        if row is None or row.iteration != iteration or (loss is not None and row.loss is not None):
            row = TrainRow(iteration, self.count, self._seconds())
            train.append(row)
        if loss is not None:
            row.loss = value
            row.speed = _number(speed) if speed else None
        else:
            row.lr = value
            if rest:
                momentum, decay = _MOMENTUM.search(rest), _WEIGHT_DECAY.search(rest)
                row.momentum = _number(momentum[1]) if momentum else None
                row.weight_decay = _number(decay[1]) if decay else None

    def _output(self, line: str) -> None:
        """`    Train net output #0: loss = 2.3 (* 1 = 2.3 loss)`."""
        head, _, rest = line.partition(" net output #")
        name, _, rest = rest.partition(": ")[2].partition(" = ")
        number, _, weight = rest.partition(" (* ")
        is_test = head.endswith("Test")
        rows: list[TrainRow] | list[TestRow] = self.run.test if is_test else self.run.train
        value = _number(number)
        if not rows or value is None:
            return
        row = rows[-1]
        outputs = row.outputs
        if weight:
            self.run.losses[name] = _number(weight.partition(" ")[0]) or 0.0
        if is_test and not outputs:
            row.seconds = self._seconds()  # when the test was over
        if name in outputs:
            elements = (f"{name}[{k}]" for k in itertools.count(1))
            name = next(element for element in elements if element not in outputs)
        outputs[name] = value

    # -- everything between the nets and the rows ---------------------------------------------

    def _event(self, text: str) -> None:
        run = self.run
        if text.startswith(("Initializing solver from parameters", "Use CPU.", "Use GPU with", "Using GPUs")):
            if not run.empty:
                self.run = RunLog(self._source, self.count)
                self.runs.append(self.run)
                self._start = None
            if text.startswith("Initializing"):
                self._begin_echo(self.run)
        elif text.startswith("Initializing net from parameters"):
            self._begin_echo(self._begin_net())
        elif text.startswith("Creating Layer ") and self._next_net[0]:
            self._begin_net()  # somebody took the echo out
            self._structure(text)
        elif match := _TRAIN_NET.match(text):
            self._next_net = ("train", 0, match[1])
        elif match := _TEST_NET.match(text):
            self._next_net = ("test", int(match[1]), match[2])
        elif text.startswith("Solving "):
            run.net_name = text[8:]
            self._start = self._clock.microseconds(self._head)
        elif text.startswith("Learning Rate Policy: "):
            run.lr_policy = text[22:]
        elif text.startswith("Finetuning from "):
            if text[16:] not in run.weights:  # once for each net
                run.weights.append(text[16:])
        elif match := _RESUMED.match(text):
            run.resumed_from = match[1]
        elif match := _SNAPSHOT.match(text):
            run.snapshots.append(match[1])
        elif text.startswith("Optimization Done"):
            run.done = not run.stopped  # the train command says it of a run stopped early too
        elif text.startswith("Optimization stopped early"):
            run.stopped = True
        elif text.startswith("Test loss: "):
            if run.test:
                run.test[-1].loss = _number(text[11:])
        elif match := _TEST_SCORE.match(text):
            if run.test and (value := _number(match[2])) is not None:
                run.test[-1].outputs[f"#{match[1]}"] = value
        elif match := re.match(r"GPU (\d+): (.*)", text):
            run.gpus[int(match[1])] = match[2]
        elif " caffe.cpp:" in self._head:
            self._command(text)

    def _command(self, text: str) -> None:
        """What the test command prints; its batches are not kept, its means are."""
        if text.startswith("Loss: "):
            name, number = "Loss", text[6:]
        elif match := _SCORE.match(text):
            name, number = match[1], match[2]
        else:
            return
        if not name.startswith("Batch ") and (value := _number(number)) is not None:
            self.run.scores[name] = value

    def _begin_net(self) -> NetLog:
        self._net = NetLog(*self._next_net)
        self._layers, self._layer = {}, None
        self.run.nets.append(self._net)
        self._next_net = ("", 0, "")
        return self._net

    def _begin_echo(self, of: RunLog | NetLog) -> None:
        if self._head:  # without prefixes there is no telling where the text ends
            self._echo, self._echo_of = [], of

    def _end_echo(self) -> None:
        text = "".join(line if line.endswith("\n") else line + "\n" for line in self._echo or ())
        if isinstance(self._echo_of, RunLog):
            self._echo_of.solver = text
        elif self._echo_of is not None:
            self._echo_of.text = text
            if not self._echo_of.role:
                self._echo_of.role = "test" if re.search(r"^  phase: TEST$", text, re.MULTILINE) else "train"
        self._echo = self._echo_of = None

    # -- a net being built --------------------------------------------------------------------

    def _structure(self, text: str) -> None:
        net, layer = self._net, self._layer
        assert net is not None
        if text.startswith("Creating Layer "):
            self._layer = self._layers[text[15:]] = LayerLog(text[15:])
            net.layers.append(self._layer)
        elif text == "Network initialization done.":
            net.initialized = True
            self._net = None
        elif text.startswith("This network produces output "):
            net.outputs.append(text[29:])
        elif match := _BACKWARD.fullmatch(text):
            if match[1] in self._layers:
                self._layers[match[1]].needs_backward = match[2] == "needs"
        elif re.match(r"Input \d+ -> ", text):
            net.inputs.append(text.split(" -> ", 1)[1])
        elif text.startswith(("Initializing ", "Creating t", "Solving ", "Use ", "Using ")):
            self._net = None  # it was never finished
            self._event(text)
        elif layer is None:
            return
        elif match := _SHAPE.match(text):
            layer.top_shapes.append(tuple(map(int, match[1].split())))
        elif text.startswith("with loss weight "):
            weight = _number(text[17:])
            if weight is not None:
                layer.loss_weights[len(layer.top_shapes) - 1] = weight
        elif text.startswith("Memory required for data: ") and text[26:].isdigit():
            layer.memory = int(text[26:])
        elif text.startswith(f"{layer.name} <- "):
            layer.bottoms.append(text[len(layer.name) + 4 :])
        elif text.startswith(f"{layer.name} -> "):
            top = text[len(layer.name) + 4 :]
            layer.tops.append(top.removesuffix(" (in-place)"))
            layer.in_place.append(top.endswith(" (in-place)"))


def whole_lines(lines: Iterable[str]) -> list[str]:
    """The lines without a last one that was cut in the middle of a number."""
    whole = list(lines)
    if len(whole) > 1 and whole[0].endswith("\n") and _CUT_NUMBER.search(whole[-1]):
        whole.pop()
    return whole
