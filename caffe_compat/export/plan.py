"""What of a net goes into a file: which layers, which inputs and which outputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import NetError, nearest, some
from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.dummy_data import DummyData
from caffe_compat.layers.recurrent import Recurrent
from caffe_compat.net.net import Net
from caffe_compat.net.sharing import resolved

Value = tuple[int, int]  # top k of layer i
Shapes = dict[Value, Shape]


@dataclass
class Plan:
    """The part of a net that makes some outputs.

    layers   indices of the layers that are needed, in order; data layers among them
    sources  per layer of the net, the values that are its bottoms; Split layers are looked through
    inputs   what data layers make, or was asked to be an input, and its blob's name
    fills    what DummyData layers fill with one number, beside real inputs, and the number; or what was asked to be
             constant, and its numbers along axis 0
    known    values that are the same whatever the inputs hold, as the net stands
    outputs  names in the file, and what they are; a loss layer has what a trained net shows in its place
    unread   inputs that were asked for, and that no output needs
    renamed  blobs that are outputs, and their names in the file, which has an input of that name
    """

    net: Net
    layers: list[int] = field(default_factory=list)
    sources: list[list[Value]] = field(default_factory=list)
    inputs: dict[Value, str] = field(default_factory=dict)
    fills: dict[Value, np.ndarray] = field(default_factory=dict)
    known: dict[Value, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def bottoms(self, i: int) -> list[Value]:
        """What layer i reads: of a loss or a metric, only what it judges."""
        return self.sources[i][:1] if judges(self.net.layers[i]) else self.sources[i]

    # -- shapes ---------------------------------------------------------------------------------

    def input_shapes(self) -> Shapes:
        """The shapes of the inputs and fills as the net stands."""
        return {value: self.net.blob_shapes[self.name(value)] for value in (*self.inputs, *self.fills)}

    def name(self, value: Value) -> str:
        """The blob's name."""
        return self.net.top_names[value[0]][value[1]]

    def propagate(self, inputs: Shapes, stretched: int | None = None) -> Shapes:
        """The shape of every value for inputs of these; raises LayerError where they do not fit.

        Top sizes that only a run tells are the largest there can be, those of layer `stretched` twice that.
        """
        shapes = dict(inputs)
        for i in self.layers:
            layer = self.net.layers[i]
            if self.is_input(i):
                continue
            bottoms = [shapes[value] for value in self.bottoms(i)]
            if judges(layer):
                tops = bottoms * len(self.net.top_names[i])
            else:
                tops = layer.reshape(*bottoms)
            if layer.dynamic and i == stretched:
                at = layer.dynamic_axis
                tops = [(*top[:at], 2 * top[at], *top[at + 1 :]) for top in tops]
            made = {(i, k): tuple(top) for k, top in enumerate(tops)}
            shapes.update({value: top for value, top in made.items() if value not in inputs})
        return shapes

    def is_input(self, i: int) -> bool:
        return is_source(self.net.layers[i])

    # -- values ---------------------------------------------------------------------------------

    def run(self, feeds: dict[str, Tensor], shapes: Shapes | None = None) -> dict[str, Tensor]:
        """The outputs for these inputs, by this package. The net is left as it was.

        `shapes` are those of inputs and fills, if they are not as the net stands.
        """
        net, shapes = self.net, self.input_shapes() if shapes is None else shapes
        values = {value: feeds[name].to(net.device, net.context.dtype) for value, name in self.inputs.items()}
        for value, numbers in self.fills.items():
            filled = torch.from_numpy(numbers).to(net.device, net.context.dtype)
            values[value] = filled.expand(shapes[value])
        with self.undisturbed(), torch.no_grad():
            self.propagate({value: tuple(data.shape) for value, data in values.items()})
            for i in self.layers:
                if self.is_input(i):
                    continue
                tops = self._tops(i, [values[value] for value in self.bottoms(i)])
                made = {(i, k): top for k, top in enumerate(tops)}
                values.update({value: top for value, top in made.items() if value not in shapes})
        return {name: values[value].cpu() for name, value in self.outputs.items()}

    def _tops(self, i: int, bottoms: Sequence[Tensor]) -> Sequence[Tensor]:
        layer = self.net.layers[i]
        if layer.dynamic:
            layer.reshape(*(tuple(bottom.shape) for bottom in bottoms))
        if judges(layer):
            return [layer.prediction(*bottoms)] * len(self.net.top_names[i])
        tops = layer(*bottoms)
        return [tops] if isinstance(tops, Tensor) else tops

    def find_known(self) -> None:
        """Compute the values that do not depend on the inputs."""
        context = self.net.context
        with self.undisturbed(), torch.no_grad():
            shapes = self.propagate(self.input_shapes())
            values = {
                value: torch.from_numpy(numbers).to(context.dtype).expand(shapes[value])
                for value, numbers in self.fills.items()
            }
            for i in self.layers:
                layer, bottoms = self.net.layers[i], self.bottoms(i)
                whole = all(value in values for value in bottoms)
                count = len(self.net.top_names[i])
                told = [k for k in (range(count) if whole else layer.shape_tops) if k < count]
                if self.is_input(i) or layer.is_random or not told:
                    continue
                zeros = [torch.zeros(shapes[value], dtype=context.dtype) for value in bottoms]
                given = [values.get(value, zero) for value, zero in zip(bottoms, zeros, strict=True)]
                tops = self._tops(i, [value.to(self.net.device) for value in given])
                values.update({(i, k): tops[k].cpu() for k in told if (i, k) not in self.inputs})
        self.known = {value: top.detach().double().numpy() for value, top in values.items()}

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Afterwards the layers have the shapes, carried states and statistics that they had before."""
        layers = [self.net.layers[i] for i in self.layers]
        buffers = [layer._buffers for layer in layers]
        kept = [
            (blob, blob.detach().clone())
            for layer in layers
            for blob in (layer.owned_blobs()[index] for index in layer.fixed_blobs)
        ]
        try:
            for layer in layers:
                layer._buffers = {
                    name: None if buffer is None else buffer.clone()
                    for name, buffer in layer._buffers.items()
                }
                if isinstance(layer, Recurrent):
                    layer.reset()
            yield
        finally:
            for layer, own in zip(layers, buffers, strict=True):
                layer._buffers = own
            with torch.no_grad():
                for blob, value in kept:
                    blob.copy_(value)
            self.propagate(self.input_shapes())
            for layer, own in zip(layers, buffers, strict=True):
                layer._buffers = own


def judges(layer: Layer) -> bool:
    """Whether a file has something else in the layer's place."""
    return layer.is_loss or layer.is_metric


def is_source(layer: Layer) -> bool:
    """Whether the layer's tops are inputs of a file: data layers, those written in Python among them."""
    return layer.is_data or (layer.type == "Python" and not layer.param.bottom)


def writes(layer: Layer) -> bool:
    """Whether the layer knows how to write itself."""
    return type(layer).to_onnx is not Layer.to_onnx


def make_plan(
    net: Net,
    wanted: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    constants: Mapping[str, Sequence[float]] | None = None,
) -> Plan:
    """The plan for the outputs `wanted` (blob names), or for those that a trained net is there for.

    Without `wanted`: the blobs that nobody reads, and in place of each loss and metric what it judges. With `given`
    (blob names) those are the inputs, wherever in the net they are made, and by default the outputs depend on them.
    `constants` has numbers for inputs that are none then: those along axis 0, of which the last goes on to the end.

    Raises:
        NetError: a wanted or given blob does not exist, the net has no output, or one needs other inputs.
        LayerError: a layer that is needed cannot be exported.
    """
    net = resolved(net, net.blob_names)
    plan = Plan(net)
    last: dict[str, Value] = {}
    origin: dict[Value, Value] = {}  # of a Split's tops
    for i, layer in enumerate(net.layers):
        sources = [origin.get(last[name], last[name]) for name in net.bottom_names[i]]
        plan.sources.append(sources)
        for k, name in enumerate(net.top_names[i]):
            last[name] = (i, k)
            if layer.type == "Split":
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
            if not is_source(layer):
                used.update(plan.bottoms(i))
        named = tops if is_source(layer) else [value for value in tops if value in starts]
        plan.inputs = {**{value: plan.name(value) for value in named}, **plan.inputs}
    plan.unread = [name for value, name in starts.items() if value not in plan.inputs]
    for i in plan.layers:
        if not is_source(net.layers[i]) and not writes(net.layers[i]):
            Layer.to_onnx(net.layers[i], None, [], [])  # type: ignore[arg-type]  # says that it cannot


def _check_given(plan: Plan, starts: dict[Value, str]) -> None:
    """Raise NetError for an input that is needed and was not asked for, unless it is constant."""
    other = [
        (value, name)
        for value, name in plan.inputs.items()
        if value not in starts and not _constant(plan, value)
    ]
    if other:
        (value, name), *_ = other
        reached = _dependents(plan, {value})
        output = next(name for name, value in plan.outputs.items() if value in reached)
        raise NetError(f"output '{output}' needs '{name}', which is not among the inputs; add it to --inputs")
    if not any(value in starts for value in plan.inputs):
        raise NetError(f"no output needs {some(starts.values())}; name blobs that depend on the inputs")


def _constant(plan: Plan, value: Value) -> bool:
    layer = plan.net.layers[value[0]]
    return isinstance(layer, DummyData) and layer.is_constant(value[1])


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
    for i, k in plan.inputs:
        layer = plan.net.layers[i]
        if isinstance(layer, DummyData) and layer.is_constant(k) and (i, k) not in starts:
            fills[i, k] = np.array(layer.fillers[k].value, np.float32)
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
        if value not in judged and not is_source(net.layers[value[0]]) and not judges(net.layers[value[0]]):
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
                if value in judged or is_source(net.layers[value[0]]):
                    continue
                if value not in read and value not in outputs.values():
                    outputs[net.top_names[value[0]][value[1]]] = value
                break
    return outputs
