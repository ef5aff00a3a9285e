"""A logged net beside the one that its text makes here: layers, blobs, shapes, memory, what runs backward.

glog cuts a message off after 30,000 characters: of the layers whose text is lost, order and shapes are in the log
all the same, and stand-ins carry them on.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from caffe_compat.errors import CaffeError
from caffe_compat.layers.base import TEST, TRAIN, Context
from caffe_compat.log.read import read_log
from caffe_compat.log.runs import LayerLog, NetLog, RunLog
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.net.resolve import filter_net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import parse_fork, quiet, read_fork
from caffe_compat.parity.compare import DIFFERS, PARTLY, Check, judged, with_gaps
from caffe_compat.proto import NetParameter, NetState, SolverParameter, upgrade

_GLOG_CUT = 29_000  # characters of an echoed net from which on its end is lost because glog cut it


def check_structure(
    theirs: NetLog, log: RunLog, solver: SolverParameter | None, net_file: str | None, notes: list[str]
) -> tuple[Check, NetParameter | None]:
    """What a logged net's lines say against the net that we build of its text, or of `net_file`; and its whole message.

    The message is None where nobody knows all of it. `notes` get what cannot be helped.
    """
    name = f"structure of the {'training' if theirs.role == 'train' else f'test (#{theirs.index})'} net"
    ignored: list[str] = []  # what the reader passed over
    if not theirs.layers:
        return Check(name, PARTLY, "the log has no line about its layers"), None
    try:
        param, whole = _net_param(theirs, log.source, solver, net_file, ignored)
    except CaffeError as error:
        return Check(name, PARTLY, f"its text cannot be read: {error}"), None
    if param is None:
        return Check(name, PARTLY, "the log does not echo its text; give the net with --net FILE"), None
    named = {layer.name for layer in theirs.layers}
    strangers = [layer.name for layer in param.layer if layer.name not in named and whole]
    strangers = [n for n in strangers if n != "input"] if theirs.inputs else strangers
    if net_file is not None and (
        strangers or len(param.layer) < sum(not _is_split(x) for x in theirs.layers)
    ):
        text = f"{net_file} is another net than the log's"
        return Check(name, PARTLY, text, _other(param, theirs)), None
    known = None
    if whole:
        known = NetParameter()
        known.CopyFrom(param)
    shapes = {layer.name: layer.top_shapes for layer in theirs.layers}
    unknown = stand_in.replace(param, lambda layer: shapes.get(layer.name), ignored)
    stubs = set() if whole else _complete(param, theirs)
    try:
        ours = _built(param)
    except CaffeError as error:
        return Check(name, DIFFERS, f"Caffe built this net and we do not: {error}"), known
    cut = not theirs.initialized and not log.train and not log.test
    details = _departures(theirs, ours, stubs | unknown.keys(), cut)
    count = sum(layer.name not in stubs and layer.name not in unknown for layer in theirs.layers)
    total = len(ours.layers) if cut else len(theirs.layers)
    text = f"{count} of {total} layers: order, blobs, shapes, memory, backward"
    if theirs.memory is not None and not details:
        text += f"; {theirs.memory:,} bytes"
    check = judged(name, details, text)
    gaps = [f"layer '{layer}': {why}; Caffe's shapes were taken for it" for layer, why in unknown.items()]
    if stubs:
        lost = (
            f"the text of {len(stubs)} layers is cut off: of these only order, splits and memory were compared; "
            "--net FILE gives the whole net"
        )
        if len(theirs.text) >= _GLOG_CUT:
            notes.append(
                f"{name}: {lost} (glog keeps 30,000 characters of a message, so all logs of such nets lack it)"
            )
        else:
            gaps.append(lost)
    if cut:
        gaps.append("the log ends before the net was finished")
    return with_gaps(check, gaps), known


def _net_param(
    theirs: NetLog, source: str, solver: SolverParameter | None, net_file: str | None, notes: list[str]
) -> tuple[NetParameter | None, bool]:
    """The net's message and whether it is whole; None where the log has no text of it."""
    if net_file is not None:
        param = read_fork(net_file, NetParameter, notes)
        upgrade.upgrade_net(param, net_file, quiet())
        state = NetState(phase=TEST if theirs.role == "test" else TRAIN)
        state.MergeFrom(param.state)
        if solver is not None:
            states = solver.test_state
            if theirs.role == "train":
                state.MergeFrom(solver.train_state)
            elif theirs.index < len(states):
                state.MergeFrom(states[theirs.index])
        param.state.CopyFrom(state)
        return filter_net(param, param.state), True
    if not theirs.parsable:
        return None, False
    source = f"{source} ({theirs.role} net)"
    param = parse_fork(theirs.parsable, NetParameter, source, notes)
    upgrade.upgrade_net(param, source, quiet())
    if not param.state.HasField("phase"):
        param.state.phase = TEST if theirs.role == "test" else TRAIN
    return param, theirs.whole


def _is_split(layer: LayerLog) -> bool:
    """Whether Caffe inserted this layer; a log without lines about blobs shows only the name."""
    named = layer.name.endswith("_split")
    return named and (not layer.tops or (len(layer.bottoms) == 1 and f"{layer.name}_0" in layer.tops))


def _other(param: NetParameter, theirs: NetLog) -> list[str]:
    named = [layer.name for layer in theirs.layers if not _is_split(layer)]
    mine = [layer.name for layer in param.layer]
    pairs = zip([*named, *[""] * len(mine)], [*mine, *[""] * len(named)], strict=False)
    place, (a, b) = next((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1])
    return [f"layer {place}: the log has '{a}', the file '{b}'"]


def _complete(param: NetParameter, theirs: NetLog) -> set[str]:
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


def _built(param: NetParameter) -> NetLog:
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


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
