"""A Caffe log checked line by line: the nets it built, its rates, when it displayed and tested, its first losses.

What the log echoes (solver and nets) is parsed and built here, with our own log kept, so that both sides are
read by the same reader (log.read). glog cuts a message off after 30,000 characters: of the layers whose text is
lost, order and shapes are in the log all the same, and stand-ins carry them on.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch

from caffe_compat.errors import CaffeError
from caffe_compat.layers.base import TEST, TRAIN, Context
from caffe_compat.layers.input import Input
from caffe_compat.log.read import LayerLog, NetLog, RunLog, read_log, read_runs
from caffe_compat.log.write import Log
from caffe_compat.net import weights as weight_files
from caffe_compat.net.net import Net
from caffe_compat.net.resolve import filter_net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import parse_fork, quiet, read_fork
from caffe_compat.parity.compare import AGREES, DIFFERS, PARTLY, Check, Report
from caffe_compat.parity.curves import curve_checks, curves_of
from caffe_compat.proto import NetParameter, NetState, SolverParameter, upgrade
from caffe_compat.solver.lr_policy import Schedule

RATE_TOLERANCE = 1e-5  # a log prints six digits
LOSS_TOLERANCE = 2e-3  # of a start that has no chance in it
LOSS_FACTOR = (
    3.0  # of a random start: losses of two draws differ, but a wrong normalisation by the batch's size
)
_SHOWN = 5  # departures listed of each check
_GLOG_CUT = 29_000  # characters of an echoed net from which on its end is lost because glog cut it
_HEAVY = 300_000_000  # bytes of tops from which on a net is not run for its first loss alone

# Solver fields that may differ between two runs of the same training.
_HARMLESS = (
    "net", "train_net", "test_net", "snapshot_prefix", "snapshot", "snapshot_format", "solver_mode", "device_id",
    "random_seed", "train_state", "test_state", "debug_info", "origin", "layer_wise_reduce", "weights",
)  # fmt: skip

# Which bottom of a layer holds class numbers.
_LABELLED = ("SoftmaxWithLoss", "Accuracy", "HingeLoss", "MultinomialLogisticLoss", "InfogainLoss")


def validate_log(
    path: str,
    solver: str | None = None,
    net: str | None = None,
    run: str | None = None,
    weights: str | None = None,
    root: str = "",
) -> Report:
    """Check what the log of a real Caffe says against what this package makes of the same files.

    Args:
        path: the log, of any Caffe.
        solver, net: files to use instead of what the log echoes.
        run: the log of our run, whose curves are compared with Caffe's.
        weights: the caffemodel that Caffe's run started from.
        root: the folder that paths in solver and net start from, to find the data.

    Raises:
        DataError: the log cannot be read or holds no line of Caffe.
        ParseError: a given file cannot be read.
    """
    report = Report(path, "log", LOSS_TOLERANCE)
    runs = read_runs(path)
    if len(runs) > 1:
        report.notes.append(
            f"{path}: holds {len(runs)} runs; the last, from line {runs[-1].line} on, is compared"
        )
    _Validation(report, runs[-1], solver, net, weights, root).run()
    if run is not None:
        ours = read_log(run)
        report.checks += curve_checks(runs[-1], ours)
        report.curves = curves_of(runs[-1], ours)
    return report


class _Validation:
    def __init__(
        self, report: Report, log: RunLog, solver: str | None, net: str | None, weights: str | None, root: str
    ):
        self.report, self.log, self.net_file, self.weights, self.root = report, log, net, weights, root
        self.echo = self._parse_echo()
        self.solver = self.echo
        if solver is not None:
            self.solver = read_fork(solver, SolverParameter, report.notes)
            upgrade.upgrade_solver(self.solver, solver, quiet())
            if self.net_file is None and (named := self.solver.net or self.solver.train_net):
                self.net_file = os.path.join(root, named)
        self.params: dict[int, Any] = {}  # whole net messages by position in log.nets

    def run(self) -> None:
        checks = self.report.checks
        if self.solver is not self.echo and self.echo is not None:
            checks.append(self._same_solver())
        for index, net in enumerate(self.log.nets):
            checks.append(self._structure(index, net))
        if not self.log.nets:
            checks.append(Check("structure", PARTLY, "the log builds no net"))
        if self.solver is None:
            checks.append(Check("schedule", PARTLY, "the log echoes no solver; give it with --solver FILE"))
            return
        checks.append(self._rates())
        checks.append(self._displays())
        checks.append(self._tests())
        checks += self._first_losses()

    def _parse_echo(self) -> Any:
        if not self.log.solver:
            return None
        source = f"{self.log.source} (solver)"
        param = parse_fork(self.log.solver, SolverParameter, source, self.report.notes)
        upgrade.upgrade_solver(param, source, quiet())
        return param

    def _same_solver(self) -> Check:
        a, b = ({f.name: v for f, v in param.ListFields()} for param in (self.echo, self.solver))
        names = sorted((a.keys() | b.keys()) - set(_HARMLESS))
        details = [
            f"{name}: the log has {_short(self.echo, name)}, the file {_short(self.solver, name)}"
            for name in names
            if getattr(self.echo, name) != getattr(self.solver, name)
        ]
        return _check("solver", details, f"{len(names)} fields of the echoed solver and the file")

    # -- structure ----------------------------------------------------------------------------

    def _structure(self, index: int, theirs: NetLog) -> Check:
        name = f"structure of the {'training' if theirs.role == 'train' else f'test (#{theirs.index})'} net"
        notes: list[str] = []
        if not theirs.layers:
            return Check(name, PARTLY, "the log has no line about its layers")
        try:
            param, whole = self._net_param(theirs, notes)
        except CaffeError as error:
            return Check(name, PARTLY, f"its text cannot be read: {error}")
        if param is None:
            return Check(name, PARTLY, "the log does not echo its text; give the net with --net FILE")
        named = {layer.name for layer in theirs.layers}
        strangers = [layer.name for layer in param.layer if layer.name not in named and whole]
        strangers = [n for n in strangers if n != "input"] if theirs.inputs else strangers
        if self.net_file is not None and (
            strangers or len(param.layer) < sum(not _is_split(x) for x in theirs.layers)
        ):
            return Check(
                name, PARTLY, f"{self.net_file} is another net than the log's", _other(param, theirs)
            )
        if whole:
            self.params[index] = NetParameter()
            self.params[index].CopyFrom(param)
        shapes = {layer.name: layer.top_shapes for layer in theirs.layers}
        unknown = stand_in.replace(param, lambda layer: shapes.get(layer.name), notes)
        stubs = set() if whole else _complete(param, theirs)
        try:
            ours = _built(param)
        except CaffeError as error:
            return Check(name, DIFFERS, f"Caffe built this net and we do not: {error}")
        cut = not theirs.initialized and not self.log.train and not self.log.test
        details = _departures(theirs, ours, stubs | unknown.keys(), cut)
        count = sum(layer.name not in stubs and layer.name not in unknown for layer in theirs.layers)
        total = len(ours.layers) if cut else len(theirs.layers)
        text = f"{count} of {total} layers: order, blobs, shapes, memory, backward"
        if theirs.memory is not None and not details:
            text += f"; {theirs.memory:,} bytes"
        check = _check(name, details, text)
        gaps = [f"layer '{layer}': {why}; Caffe's shapes were taken for it" for layer, why in unknown.items()]
        if stubs:
            lost = (
                f"the text of {len(stubs)} layers is cut off: of these only order, splits and memory were compared; "
                "--net FILE gives the whole net"
            )
            if len(theirs.text) >= _GLOG_CUT:
                self.report.notes.append(
                    f"{name}: {lost} (glog keeps 30,000 characters of a message, so all logs of such nets lack it)"
                )
            else:
                gaps.append(lost)
        if cut:
            gaps.append("the log ends before the net was finished")
        return _with_gaps(check, gaps)

    def _net_param(self, theirs: NetLog, notes: list[str]) -> tuple[Any, bool]:
        """The net's message and whether it is whole; None where the log has no text of it."""
        if self.net_file is not None:
            param = read_fork(self.net_file, NetParameter, notes)
            upgrade.upgrade_net(param, self.net_file, quiet())
            state = NetState(phase=TEST if theirs.role == "test" else TRAIN)
            state.MergeFrom(param.state)
            if self.solver is not None:
                states = self.solver.test_state
                if theirs.role == "train":
                    state.MergeFrom(self.solver.train_state)
                elif theirs.index < len(states):
                    state.MergeFrom(states[theirs.index])
            param.state.CopyFrom(state)
            return filter_net(param, param.state), True
        if not theirs.parsable:
            return None, False
        source = f"{self.log.source} ({theirs.role} net)"
        param = parse_fork(theirs.parsable, NetParameter, source, notes)
        upgrade.upgrade_net(param, source, quiet())
        if not param.state.HasField("phase"):
            param.state.phase = TEST if theirs.role == "test" else TRAIN
        return param, theirs.whole

    # -- rates, displays, tests ---------------------------------------------------------------

    def _rates(self) -> Check:
        name, rows = "rates", self.log.train
        columns = {
            "lr": [row.lr for row in rows],
            "momentum": [row.momentum for row in rows],
            "weight_decay": [row.weight_decay for row in rows],
        }
        if not any(value is not None for values in columns.values() for value in values):
            return Check(name, PARTLY, "the log shows no learning rate")
        try:
            table = Schedule(self.solver).table(max(row.iteration for row in rows) + 1)
        except CaffeError as error:
            return Check(name, PARTLY, f"the schedule cannot be computed: {error}")
        details, counts = [], []
        iterations = np.array([row.iteration for row in rows])
        for column, logged in columns.items():
            theirs = np.array([math.nan if value is None else value for value in logged])
            ours = getattr(table, column)[iterations].astype(np.float64)
            known = ~np.isnan(theirs)
            wrong = known & ~(np.abs(ours - theirs) <= RATE_TOLERANCE * np.abs(theirs))
            counts += [f"{known.sum()} of {column.replace('_', ' ')}"] if known.any() else []
            details += [
                f"line {rows[k].line}: iteration {rows[k].iteration}: {column.replace('_', ' ')} is {theirs[k]:g} in the "
                f"log, ours {ours[k]:g}"
                for k in np.flatnonzero(wrong)
            ]
        x = [float(i) for i in iterations]
        self.report.curves["learning rate"] = [
            ("Caffe", x, [float("nan") if lr is None else lr for lr in columns["lr"]]),
            ("ours", x, table.lr[iterations].astype(float).tolist()),
        ]
        return _check(name, details, f"{self.solver.lr_policy}: {', '.join(counts)} rows")

    def _displays(self) -> Check:
        display, rows = self.solver.display, self.log.train
        name, found = "displays", [row.iteration for row in rows]
        if not found or not display:
            odd = ["the solver displays nothing, the log does"] if found else []
            return _check(name, odd, "") if odd else Check(name, "", "nothing is displayed")
        first = found[0]
        details = []
        if not self.log.resumed_from and first not in (
            0,
            display,
        ):  # Caffe of 2013 began after the first update
            details.append(f"the first is iteration {first}, not 0")
        expected = range(first - first % display, self._last(found[-1]) + 1, display)
        details += _sequence(found, [i for i in expected if i >= first], "displayed")
        return self._ending(_check(name, details, f"{len(found)} iterations, every {display}"), found[-1])

    def _tests(self) -> Check:
        param, rows = self.solver, self.log.test
        name, nets = "tests", max(len(param.test_iter), 1)
        if not param.test_interval or not param.test_iter:
            odd = [f"line {row.line}: a test, and the solver has none" for row in rows[:1]]
            return _check(name, odd, "") if odd else Check(name, "", "no tests")
        first = self.log.train[0].iteration if self.log.train else 0
        resumed = bool(self.log.resumed_from)
        displayed = max((row.iteration for row in self.log.train), default=-1)
        last = self._last(max([displayed, *(row.iteration for row in rows)]))
        begin = -(-first // param.test_interval) * param.test_interval if resumed else 0
        if not resumed and not param.test_initialization:
            begin = param.test_interval
        details: list[str] = []
        for net in range(nets):
            found = [row.iteration for row in rows if row.net == net]
            expected = list(range(begin, last + 1, param.test_interval))
            if not self.log.done and displayed < last and last not in found:
                expected = [i for i in expected if i < last]  # the log ends before this net's turn
            details += _sequence(found, expected, f"tests of net #{net}")
        return _check(name, details, f"{len(rows)} tests, every {param.test_interval}")

    def _last(self, reached: int) -> int:
        """The last iteration that the log should speak of."""
        return self.solver.max_iter if self.log.done and self.solver.max_iter else reached

    def _ending(self, check: Check, reached: int) -> Check:
        most = self.solver.max_iter
        if self.log.done or reached >= most:
            return check
        return _with_gaps(check, [f"the log ends at iteration {reached} of {most}"])

    # -- the first losses ---------------------------------------------------------------------

    def _first_losses(self) -> list[Check]:
        """Iteration 0 of the training net, and the tests before it where no chance is involved."""
        name, log = "loss at iteration 0", self.log
        row = log.train[0] if log.train else None
        if log.resumed_from or row is None or row.iteration or (row.loss is None and not row.outputs):
            return [Check(name, "", "the log has none")]
        index = next((i for i, net in enumerate(log.nets) if net.role == "train"), None)
        if index is None or index not in self.params:
            return [Check(name, "", "not run: the training net is not known wholly")]
        if log.weights and not self.weights:
            text = f"the run started from {', '.join(log.weights)}; give it with --weights FILE"
            return [Check(name, PARTLY, text)]
        try:
            net, certain, how = self._start(index)
            if net is None:
                return [Check(name, "", how)]
            passes = self.solver.iter_size if self.solver else 1
            with (
                torch.no_grad()
            ):  # the loss shown is the mean over the passes, the outputs are the last one's
                results = [net.forward() for _ in range(passes)]
            total, outputs = sum(loss for loss, _ in results) / passes, results[-1][1]
        except CaffeError as error:
            return [Check(name, "", f"not run: {error}")]
        theirs = {key: value for key, value in row.outputs.items() if key in log.losses and key in outputs}
        ours = {key: float(outputs[key].sum()) for key in theirs}
        if not theirs and row.loss is not None:
            theirs, ours = {"loss": row.loss}, {"loss": float(total)}
        checks = [_losses(name, theirs, ours, certain, how)]
        if certain:
            checks += self._first_tests()
        return checks

    def _start(self, index: int, phase: str = "train") -> tuple[Net | None, bool, str]:
        """The net as it starts, whether nothing in it is random, and in words how it was fed."""
        param = self.params[index]
        problem = ""
        try:
            net = Net(param, context=Context(root=self.root))
        except CaffeError as error:
            problem = str(error)
            if (self.log.nets[index].memory or 0) > _HEAVY:
                return None, False, f"not run: too large to run on noise, and {problem}"
            shapes = {layer.name: layer.top_shapes for layer in self.log.nets[index].layers}
            stripped = NetParameter()
            stripped.CopyFrom(param)
            stand_in.replace(stripped, lambda layer: shapes.get(layer.name), [])
            net = Net(stripped, context=Context(), create=stand_in.create)
            if any(layer.type == stand_in.GIVEN for layer in net.layers):
                return None, False, "not run: some of its layers are unknown"
            _fill_with_noise(net)
        if self.weights:
            weight_files.copy_trained_layers_from(net, self.weights)
        chance = any(layer.random_reason() for layer in net.layers)
        certain = bool(self.weights) and not problem and not chance
        how = "on the data" if not problem else "on noise, as the data are not here"
        return net, certain, how

    def _first_tests(self) -> list[Check]:
        checks = []
        for index, theirs in enumerate(self.log.nets):
            rows = [r for r in self.log.test if r.iteration == 0 and r.net == theirs.index]
            if theirs.role != "test" or not rows or index not in self.params:
                continue
            net, certain, how = self._start(index)
            if net is None or not certain:
                continue
            names = [key for key in rows[0].outputs if key in net.outputs]
            sums = dict.fromkeys(names, 0.0)
            batches = self.solver.test_iter[theirs.index]
            with torch.no_grad():
                for _ in range(batches):
                    _, outputs = net.forward()
                    for key in names:
                        sums[key] += float(outputs[key].sum()) / batches
            wanted = {key: rows[0].outputs[key] for key in names}
            checks.append(_losses(f"test (#{theirs.index}) at iteration 0", wanted, sums, True, how))
        return checks


def _check(name: str, details: Sequence[str], text: str) -> Check:
    """AGREES without departures, else DIFFERS with the first ones."""
    shown = list(details[:_SHOWN])
    if len(details) > _SHOWN:
        shown.append(f"... and {len(details) - _SHOWN} more")
    return Check(name, DIFFERS if details else AGREES, text, shown)


def _with_gaps(check: Check, gaps: Sequence[str]) -> Check:
    """The same check, PARTLY done because of the gaps if it does not differ anyway."""
    if gaps and check.status == AGREES:
        check.status = PARTLY
    check.details += gaps
    return check


def _short(param: Any, name: str) -> str:
    value = getattr(param, name)
    return " ".join(
        str(value if not hasattr(value, "__len__") or isinstance(value, str) else list(value)).split()
    )


def _is_split(layer: LayerLog) -> bool:
    """Whether Caffe inserted this layer; a log without lines about blobs shows only the name."""
    named = layer.name.endswith("_split")
    return named and (not layer.tops or (len(layer.bottoms) == 1 and f"{layer.name}_0" in layer.tops))


def _other(param: Any, theirs: NetLog) -> list[str]:
    named = [layer.name for layer in theirs.layers if not _is_split(layer)]
    mine = [layer.name for layer in param.layer]
    pairs = zip([*named, *[""] * len(mine)], [*mine, *[""] * len(named)], strict=False)
    place, (a, b) = next((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1])
    return [f"layer {place}: the log has '{a}', the file '{b}'"]


def _complete(param: Any, theirs: NetLog) -> set[str]:
    """Append stand-ins for the logged layers whose text is lost; returns their names."""
    copies = {top: layer.bottoms[0] for layer in theirs.layers if _is_split(layer) for top in layer.tops}
    known = {layer.name for layer in param.layer}
    stubs = set()
    for layer in theirs.layers:
        if layer.name in known or _is_split(layer) or len(layer.top_shapes) < len(layer.tops):
            if _is_split(layer):
                stubs.add(layer.name)
            continue
        stubs.add(layer.name)
        stub = param.layer.add(name=layer.name, type=stand_in.GIVEN if layer.bottoms else "Input")
        stub.bottom.extend(copies.get(bottom, bottom) for bottom in layer.bottoms)
        stub.top.extend(layer.tops)
        for shape in layer.top_shapes:
            stub.input_param.shape.add().dim.extend(shape)
        if layer.loss_weights:
            stub.loss_weight.extend(layer.loss_weights.get(k, 0.0) for k in range(len(layer.tops)))
    made_here = {top for layer in param.layer if layer.name not in stubs for top in layer.top}
    return {
        n
        for n in stubs
        if not any(_is_split(x) and x.name == n and x.bottoms[0] in made_here for x in theirs.layers)
    }


def _built(param: Any) -> NetLog:
    """What our log says of a net that is built from `param`; no learned blob gets values."""
    log = Log(lines := io.StringIO(), progress=False)
    Net(param, context=Context(device="meta"), device="meta", log=log, create=stand_in.create)
    return read_log(lines.getvalue().splitlines(keepends=True)).nets[0]


def _departures(theirs: NetLog, ours: NetLog, unsure: Iterable[str], cut: bool) -> list[str]:
    """In words, where the two logs of building a net differ; `cut`: theirs ends in the middle of it."""
    unsure = set(unsure)
    mine = [
        layer for layer in ours.layers if not (theirs.inputs and layer.name == "input" and not layer.bottoms)
    ]
    shapes = [shape for layer in theirs.layers for shape in layer.top_shapes]
    padded = bool(shapes) and all(len(shape) == 4 for shape in shapes)  # Caffe before 2015 knew no other
    found, seen = [], set()
    for number, layer in enumerate(theirs.layers):
        if number >= len(mine):
            found.append(f"layer {number}, '{layer.name}', is missing in ours")
            break
        our = mine[number]
        if cut and layer is theirs.layers[-1]:
            break  # some of its own lines may be missing
        if layer.name != our.name:
            found.append(f"layer {number} is '{layer.name}' in the log and '{our.name}' in ours")
            break
        pairs = {
            "bottoms": (layer.bottoms, our.bottoms),
            "tops": (layer.tops, our.tops),
            "in-place tops": (layer.in_place, our.in_place),
            "top shapes": (
                layer.top_shapes,
                [_pad(shape) for shape in our.top_shapes] if padded else our.top_shapes,
            ),
            "memory so far": (layer.memory, our.memory),
        }
        if layer.loss_weights:
            pairs["loss weights"] = (layer.loss_weights, our.loss_weights)
        if layer.needs_backward is not None and layer.name not in unsure:
            pairs["needs backward"] = (layer.needs_backward, our.needs_backward)
        for what, (a, b) in pairs.items():
            unsaid = a is None or (isinstance(a, list) and not a)  # a log need not have all lines
            if unsaid or a == b or what in seen:
                continue
            if what == "memory so far":
                seen.add(what)  # a running sum: all that follow differ, too
            found.append(f"layer '{layer.name}': {what} {_words(a)} in the log, {_words(b)} in ours")
    else:
        if not cut:
            found += [f"layer '{layer.name}' is in ours only" for layer in mine[len(theirs.layers) :]]
    if theirs.outputs and not found and theirs.outputs != ours.outputs:
        found.append(f"outputs are {', '.join(theirs.outputs)} in the log, {', '.join(ours.outputs)} in ours")
    return found


def _pad(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape + (1,) * (4 - len(shape))


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _sequence(found: list[int], expected: list[int], what: str) -> list[str]:
    """Where two rising lists of iterations differ."""
    missing, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    details = [f"{what}: iteration {i} is missing in the log" for i in missing]
    details += [f"{what}: iteration {i} is not expected" for i in more]
    if not details and found != sorted(found):
        details.append(f"{what}: the iterations do not rise")
    return details


def _losses(name: str, theirs: dict[str, float], ours: dict[str, float], certain: bool, how: str) -> Check:
    details, texts = [], []
    for key, value in theirs.items():
        our = ours[key]
        if certain:
            good = abs(our - value) <= LOSS_TOLERANCE * max(1e-3, abs(value))
        else:
            good = value == our or (value * our > 0 and 1 / LOSS_FACTOR <= our / value <= LOSS_FACTOR)
        texts.append(f"{key} {value:g} in the log, {our:g} here")
        if not good:
            bound = f"{LOSS_TOLERANCE:g} relative" if certain else f"a factor of {LOSS_FACTOR:g}"
            details.append(f"{key}: {value:g} in the log, ours {our:g}; allowed: {bound}")
    kind = "from the same weights" if certain else f"random start: within a factor of {LOSS_FACTOR:g}"
    return _check(name, details, f"{', '.join(texts)} ({how}; {kind})")


def _fill_with_noise(net: Net) -> None:
    """Unit noise in the Input layers, and class numbers where scores are judged."""
    origin: dict[str, str] = {}
    classes: dict[str, int] = {}
    for layer, bottoms, tops in zip(net.layers, net.bottom_names, net.top_names, strict=True):
        if layer.type == "Split":
            origin.update(dict.fromkeys(tops, origin.get(bottoms[0], bottoms[0])))
        elif layer.type in _LABELLED and len(bottoms) > 1:
            shape = net.blob_shapes[bottoms[0]]
            classes[origin.get(bottoms[1], bottoms[1])] = shape[1] if len(shape) > 1 else 1
    generator = torch.Generator().manual_seed(1)
    for layer, tops in zip(net.layers, net.top_names, strict=True):
        if layer.type != "Input":
            continue
        cast(Input, layer).tops = [
            torch.randint(classes[top], net.blob_shapes[top], generator=generator).float()
            if top in classes
            else torch.randn(net.blob_shapes[top], generator=generator)
            for top in tops
        ]
