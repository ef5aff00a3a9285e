"""What of a net goes into a file: which layers, which inputs and which outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from caffe_compat.errors import NetError, nearest, some
from caffe_compat.export.plan import Plan, Value, judges, writes
from caffe_compat.layers.base import Layer
from caffe_compat.net.net import Net
from caffe_compat.net.sharing import resolved


def make_plan(
    network: Net,
    wanted: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    constants: Mapping[str, Sequence[float]] | None = None,
) -> Plan:
    """The plan of a net for the outputs `wanted` (blob names), or for those that a trained net is there for.

    Without `wanted`: the blobs that nobody reads, and in place of each loss and metric what it judges. With `given`
    (blob names) those are the inputs, wherever in the net they are made, and by default the outputs depend on them.
    `constants` has numbers for inputs that are none then: those along axis 0, of which the last goes on to the end.

    Raises:
        NetError: a wanted or given blob does not exist, the net has no output, or one needs other inputs.
        LayerError: a layer that is needed cannot be exported.
    """
    net = resolved(network.wiring, network.blob_names)
    plan = Plan(net)
    last: dict[str, Value] = {}
    origin: dict[Value, Value] = {}  # of tops that are a bottom under another name
    for i, layer in enumerate(net.layers):
        sources = [origin.get(last[name], last[name]) for name in net.bottom_names[i]]
        plan.sources.append(sources)
        for k, name in enumerate(net.top_names[i]):
            last[name] = (i, k)
            if layer.is_alias:
                origin[i, k] = sources[0]
    blobs = {name: origin.get(value, value) for name, value in last.items()}
    own = [name for name, value in last.items() if value not in origin]
    starts = {_known(plan, blobs, own, name, "be an input"): name for name in given or ()}
    shown = _offered(plan)
    if wanted is None:
        plan.outputs = _default_outputs(plan, blobs, shown)
        if given is not None:
            reached = _dependents(plan, set(starts))
            plan.outputs = {name: value for name, value in plan.outputs.items() if value in reached}
    else:
        for name in wanted:
            plan.outputs[name] = (
                shown[name] if name in shown else _known(plan, blobs, [*own, *shown], name, "be an output")
            )
            i, k = plan.outputs[name]
            if (i, k) in starts or name in shown or not judges(net.layers[i]):
                continue
            if not _is_probability(net.layers[i], k):
                net.layers[i].fail(
                    f"cannot be exported: '{name}' judges other blobs and needs labels; ask for what it reads, "
                    f"'{plan.name(plan.sources[i][0])}'"
                )
    if not plan.outputs:
        raise NetError(f"{net.name or 'the net'} has no output to export; name blobs with --outputs")
    _collect(plan, starts)
    if given is not None:
        _check_given(plan, starts)
    plan.fills = {**_fills(plan, starts), **_constants(plan, constants or {})}
    _rename(plan)
    for value, shape in plan.input_shapes().items():
        if 0 in shape:
            net.layers[value[0]].fail(
                f"cannot be exported: input '{plan.name(value)}' has the shape {shape}; give it one, in input_param"
            )
    return plan


def _known(plan: Plan, blobs: dict[str, Value], known: list[str], name: str, role: str) -> Value:
    """The value of a blob that the user named."""
    if name not in blobs:
        raise NetError(
            f"{plan.net.name or 'the net'} has no blob '{name}' to {role}"
            f"{nearest(name, known) or ';'} it has: {some(known, name)}"
        )
    return blobs[name]


def _dependents(plan: Plan, values: set[Value]) -> set[Value]:
    """These values and all that are made of them."""
    reached = set(values)
    for i, tops in enumerate(plan.net.top_names):
        if reached.intersection(plan.bottoms(i)):
            reached.update((i, k) for k in range(len(tops)))
    return reached


def _collect(plan: Plan, starts: dict[Value, str]) -> None:
    """Find the layers and inputs that the outputs need, back to `starts` or the data."""
    net = plan.net
    used = set(plan.outputs.values())
    for i in reversed(range(len(net.layers))):
        layer = net.layers[i]
        tops = [(i, k) for k in range(len(net.top_names[i])) if (i, k) in used]
        made = [value for value in tops if value not in starts]
        if made:
            plan.layers.insert(0, i)
            if not layer.is_source():
                used.update(plan.bottoms(i))
        named = tops if layer.is_source() else [value for value in tops if value in starts]
        plan.inputs = {**{value: plan.name(value) for value in named}, **plan.inputs}
    plan.unread = [name for value, name in starts.items() if value not in plan.inputs]
    for i in plan.layers:
        if not net.layers[i].is_source() and not writes(net.layers[i]):
            Layer.to_onnx(net.layers[i], None, [], [])  # type: ignore[arg-type]  # says that it cannot


def _check_given(plan: Plan, starts: dict[Value, str]) -> None:
    """Raise NetError for an input that is needed and was not asked for, unless it is constant."""
    other = [
        (value, name)
        for value, name in plan.inputs.items()
        if value not in starts and _constant(plan, value) is None
    ]
    if other:
        (value, name), *_ = other
        reached = _dependents(plan, {value})
        output = next(name for name, value in plan.outputs.items() if value in reached)
        raise NetError(f"output '{output}' needs '{name}', which is not among the inputs; add it to --inputs")
    if not any(value in starts for value in plan.inputs):
        raise NetError(f"no output needs {some(starts.values())}; name blobs that depend on the inputs")


def _constant(plan: Plan, value: Value) -> float | None:
    return plan.net.layers[value[0]].constant_top(value[1])


def _rename(plan: Plan) -> None:
    """Give outputs that layers write over inputs names of their own: in a file a name is one value."""
    taken = {*plan.net.blob_names, *plan.outputs}
    names = set(plan.inputs.values())
    for name, value in plan.outputs.items():
        if name in names and value not in plan.inputs:
            new = f"{name}_{plan.net.layer_names[value[0]]}"
            while new in taken:
                new += "_"
            plan.renamed[name] = new
    plan.outputs = {plan.renamed.get(name, name): value for name, value in plan.outputs.items()}


def _fills(plan: Plan, starts: dict[Value, str]) -> dict[Value, np.ndarray]:
    """Take what is constant out of the inputs, unless nothing else is left."""
    fills = {}
    for value in plan.inputs:
        if value not in starts and (number := _constant(plan, value)) is not None:
            fills[value] = np.array(number, np.float32)
    if len(fills) == len(plan.inputs):
        return {}
    for value in fills:
        del plan.inputs[value]
    return fills


def _constants(plan: Plan, constants: Mapping[str, Sequence[float]]) -> dict[Value, np.ndarray]:
    """Take the inputs that are to be constant out of them."""
    values = {name: value for value, name in plan.inputs.items()}
    fills = {}
    for name, numbers in constants.items():
        if name not in values:
            raise NetError(
                f"'{name}' is to be constant and is no input that is needed{nearest(name, values) or ';'} the inputs "
                f"are: {some(values, name)}"
            )
        shape = plan.net.blob_shapes[name]
        rows = shape[0] if shape else 1
        if not 1 <= len(numbers) <= rows:
            raise NetError(
                f"'{name}' of shape {shape} cannot be constant with {len(numbers)} numbers; give 1 to {rows}"
            )
        whole = [*numbers, *[numbers[-1]] * (rows - len(numbers))]
        same = len(set(numbers)) == 1
        fills[values[name]] = (
            np.array(numbers[0], np.float32)
            if same
            else np.array(whole, np.float32).reshape(-1, *[1] * (len(shape) - 1))
        )
        del plan.inputs[values[name]]
    if fills and not plan.inputs:
        raise NetError("all inputs are to be constant; leave one")
    return fills


def _is_probability(layer: Layer, top: int) -> bool:
    return writes(layer) and top == 1


def _offered(plan: Plan) -> dict[str, Value]:
    net = plan.net
    judging = [i for i, layer in enumerate(net.layers) if judges(layer) and writes(layer)]
    return offered(judging, net.layer_names, net.top_names, net.blob_names)


def offered(
    judging: Sequence[int], layers: Sequence[str], tops: Sequence[Sequence[str]], blobs: Collection[str]
) -> dict[str, Value]:
    """What is there in place of the losses that show something: the second top if they have it, or `prob`.

    `judging` are the indices of those losses among all `layers` and their `tops`.
    """
    found: dict[str, Value] = {}
    for i in judging:
        alone = len(judging) == 1 and "prob" not in blobs
        name = tops[i][1] if len(tops[i]) > 1 else "prob" if alone else f"{layers[i]}_prob"
        found[name] = (i, len(tops[i]) - 1)
    return found


def _default_outputs(plan: Plan, blobs: dict[str, Value], offered: dict[str, Value]) -> dict[str, Value]:
    net = plan.net
    judged: set[Value] = set()  # values that depend on a loss or a metric
    for i, layer in enumerate(net.layers):
        if judges(layer):
            judged.update((i, k) for k in range(len(net.top_names[i])) if not _is_probability(layer, k))
        elif judged.intersection(plan.sources[i]):
            judged.update((i, k) for k in range(len(net.top_names[i])))
    outputs = {}
    for name in net.outputs:
        value = blobs[name]
        if value not in judged and not net.layers[value[0]].is_source() and not judges(net.layers[value[0]]):
            outputs[name] = value
    shown: set[tuple[Value, str]] = set()
    for name, (i, k) in offered.items():
        judgement = (plan.sources[i][0], net.layers[i].type)
        if plan.sources[i][0] not in judged and judgement not in shown:
            shown.add(judgement)
            outputs[name] = (i, k)
    kept = [i for i, layer in enumerate(net.layers) if net.top_names[i] and not judges(layer)]
    kept += [i for i, _ in outputs.values()]
    read = {value for i in kept for value in plan.bottoms(i)}
    for i, layer in enumerate(net.layers):
        if judges(layer) and not writes(layer):
            for value in plan.sources[i]:
                if value in judged or net.layers[value[0]].is_source():
                    continue
                if value not in read and value not in outputs.values():
                    outputs[net.top_names[value[0]][value[1]]] = value
                break
    return outputs
