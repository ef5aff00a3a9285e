"""What of a net goes into a file: which layers, which inputs and outputs, and which sizes stay open."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import LayerError, NetError, nearest
from caffe_compat.layers.base import Dim, Layer, Shape
from caffe_compat.layers.dummy_data import DummyData
from caffe_compat.layers.recurrent import Recurrent
from caffe_compat.net.net import Net

Value = tuple[int, int]  # top k of layer i
Shapes = dict[Value, Shape]


@dataclass
class Plan:
    """The part of a net that makes some outputs.

    layers   indices of the layers that are needed, in order; data layers among them
    sources  per layer of the net, the values that are its bottoms; Split layers are looked through
    inputs   what data layers make, and its blob's name
    fills    what DummyData layers fill with one number, beside real inputs, and the number
    outputs  names in the file, and what they are; a loss layer has what a trained net shows in its place
    """

    net: Net
    layers: list[int] = field(default_factory=list)
    sources: list[list[Value]] = field(default_factory=list)
    inputs: dict[Value, str] = field(default_factory=dict)
    fills: dict[Value, float] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)

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
                tops = [_doubled(shape, layer.dynamic_axis) for shape in tops]
            shapes.update({(i, k): tuple(top) for k, top in enumerate(tops)})
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
        for value, number in self.fills.items():
            values[value] = torch.full(shapes[value], number, device=net.device, dtype=net.context.dtype)
        with self.undisturbed(), torch.no_grad():
            self.propagate({value: tuple(data.shape) for value, data in values.items()})
            for i in self.layers:
                layer = net.layers[i]
                if self.is_input(i):
                    continue
                bottoms = [values[value] for value in self.bottoms(i)]
                if layer.dynamic:
                    layer.reshape(*(tuple(bottom.shape) for bottom in bottoms))
                if judges(layer):
                    tops: Any = (layer.prediction(*bottoms),) * len(net.top_names[i])
                else:
                    tops = layer(*bottoms)
                tops = (tops,) if isinstance(tops, Tensor) else tops
                values.update({(i, k): top for k, top in enumerate(tops)})
        return {name: values[value].cpu() for name, value in self.outputs.items()}

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


def make_plan(net: Net, wanted: Sequence[str] | None = None) -> Plan:
    """The plan for the outputs `wanted` (blob names), or for those that a trained net is there for.

    Without `wanted`: the blobs that nobody reads, and in place of each loss and metric what it judges.

    Raises:
        NetError: a wanted blob does not exist, or the net has no output.
        LayerError: a layer that is needed cannot be exported.
    """
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
    offered = _offered(plan)
    if wanted is None:
        plan.outputs = _default_outputs(plan, blobs, offered)
    else:
        for name in wanted:
            if name not in blobs and name not in offered:
                known = [blob for blob, value in last.items() if value not in origin] + list(offered)
                raise NetError(
                    f"{net.name or 'the net'} has no blob '{name}' to be an output"
                    f"{nearest(name, known) or ';'} it has: {', '.join(known)}"
                )
            plan.outputs[name] = offered[name] if name in offered else blobs[name]
            i, k = plan.outputs[name]
            if name not in offered and judges(net.layers[i]) and not _is_probability(net.layers[i], k):
                net.layers[i].fail(
                    f"cannot be exported: '{name}' judges other blobs and needs labels; ask for what it reads, "
                    f"'{plan.name(plan.sources[i][0])}'"
                )
    if not plan.outputs:
        raise NetError(f"{net.name or 'the net'} has no output to export; name blobs with --outputs")
    needed = {i for i, _ in plan.outputs.values()}
    for i in reversed(range(len(net.layers))):
        if i in needed:
            needed.update(value[0] for value in plan.bottoms(i))
    plan.layers = sorted(needed)
    used = {value for i in plan.layers for value in plan.bottoms(i)} | set(plan.outputs.values())
    for i in plan.layers:
        layer = net.layers[i]
        if is_source(layer):
            tops = enumerate(net.top_names[i])
            plan.inputs.update({(i, k): name for k, name in tops if (i, k) in used})
        elif not writes(layer):
            Layer.to_onnx(layer, None, [], [])  # type: ignore[arg-type]  # says that it cannot
    plan.fills = _fills(plan)
    for value, shape in plan.input_shapes().items():
        if 0 in shape:
            net.layers[value[0]].fail(
                f"cannot be exported: input '{plan.name(value)}' has the shape {shape}; give it one, in input_param"
            )
    return plan


def _fills(plan: Plan) -> dict[Value, float]:
    """Take what is constant out of the inputs, unless nothing else is left."""
    fills = {}
    for i, k in plan.inputs:
        layer = plan.net.layers[i]
        if isinstance(layer, DummyData) and layer.fillers[k].type == "constant":
            fills[i, k] = float(layer.fillers[k].value)
    if len(fills) == len(plan.inputs):
        return {}
    for value in fills:
        del plan.inputs[value]
    return fills


def _is_probability(layer: Layer, top: int) -> bool:
    return writes(layer) and top == 1


def _offered(plan: Plan) -> dict[str, Value]:
    """What is there in place of the losses that show something: the second top if they have it, or `prob`."""
    net = plan.net
    judging = [i for i, layer in enumerate(net.layers) if judges(layer) and writes(layer)]
    offered: dict[str, Value] = {}
    for i in judging:
        tops = net.top_names[i]
        alone = len(judging) == 1 and "prob" not in net.blob_names
        offered[tops[1] if len(tops) > 1 else "prob" if alone else f"{net.layer_names[i]}_prob"] = (
            i,
            len(tops) - 1,
        )
    return offered


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


# -- sizes that stay open -----------------------------------------------------------------------


@dataclass
class Open:
    """Shapes in which sizes are words where they change from run to run.

    axes   per input, the axis that is the batch's; none where the batch is fixed
    why    what keeps the batch fixed, if anything does
    """

    shapes: dict[Value, tuple[Dim, ...]]
    axes: dict[Value, int]
    words: dict[Value, str]
    why: str = ""

    def resized(self, shapes: Shapes, size: Callable[[str], int]) -> Shapes:
        """Input shapes with the sizes that `size` gives each word."""
        return {
            value: _with(shape, self.axes[value], size(self.words[value])) if value in self.axes else shape
            for value, shape in shapes.items()
        }


def open_shapes(plan: Plan, dynamic: bool | None) -> Open:
    """Find by trial which sizes depend on the batch's: some are doubled, and what doubles with them is open.

    `dynamic` None keeps the batch fixed if layers do not allow another; True fails then; False always does.
    """
    base = plan.input_shapes()
    with plan.undisturbed():
        known = plan.propagate(base)
        groups: list[tuple[str, dict[Value, int]]] = []  # a word, and the axes it is the size of
        why = ""
        if dynamic is not False:
            try:
                groups = _groups(plan, base)
            except LayerError as error:
                if dynamic:
                    raise
                why = str(error)
        probes = [
            (word, axis[next(iter(axis))], next(iter(axis)), plan.propagate(double(base, axis)))
            for word, axis in groups
        ]
        sizes = [(word, base[value][at], trial) for word, at, value, trial in probes]
        for i in plan.layers:
            layer = plan.net.layers[i]
            if layer.dynamic and not plan.is_input(i):
                word = f"N_{plan.net.top_names[i][0]}"
                sizes.append((word, known[i, 0][layer.dynamic_axis], plan.propagate(base, stretched=i)))
    shapes: dict[Value, tuple[Dim, ...]] = {}
    for value, shape in known.items():
        dims: list[Dim] = list(shape)
        for axis, n in enumerate(shape):
            for word, size, trial in sizes:
                if trial[value][axis] == n:
                    continue
                if trial[value][axis] == 2 * n and n % size == 0:
                    dims[axis] = word if n == size else f"{n // size}*{word}"
                else:
                    dims[axis] = f"{plan.name(value)}_{axis}"
        shapes[value] = tuple(dims)
    axes = {value: axis for _, group in groups for value, axis in group.items()}
    words = {value: word for word, group in groups for value in group}
    return Open(shapes, axes, words, why)


def _groups(plan: Plan, base: Shapes) -> list[tuple[str, dict[Value, int]]]:
    """Inputs whose batch axes change together, or none. Raises LayerError if none can change."""
    able = [value for value, shape in base.items() if shape]
    alone = [value for value in able if value not in plan.fills and _fits(plan, base, {value: 0})]
    tied = [value for value in able if value not in alone and value not in plan.fills]
    filled = [value for value in able if value in plan.fills]
    groups = [(plan.name(value), {value: 0}) for value in alone]
    # Recurrent layers have the streams on axis 1, and some inputs are the same for every batch: None.
    choices = itertools.product((0, 1, None), repeat=len(tied)) if len(tied) < 6 else [(0,) * len(tied)]
    for choice in sorted(choices, key=lambda axes: (axes.count(None), [axis or 0 for axis in axes])):
        for fill in (0, None) if filled else (None,):
            given = zip([*tied, *filled], [*choice, *[fill] * len(filled)], strict=True)
            trial = {value: axis for value, axis in given if axis is not None}
            real = any(value not in plan.fills for value in trial)
            if real and all(axis < len(base[v]) for v, axis in trial.items()) and _fits(plan, base, trial):
                groups.insert(0, ("", trial))
                return _named(groups)
    if able and not groups:
        plan.propagate(double(base, dict.fromkeys(able, 0)))  # raises what keeps them from changing
    return _named(groups)


def _named(groups: list[tuple[str, dict[Value, int]]]) -> list[tuple[str, dict[Value, int]]]:
    return [("N" if n == 0 else f"N_{name}", axes) for n, (name, axes) in enumerate(groups)]


def _fits(plan: Plan, base: Shapes, axes: dict[Value, int]) -> bool:
    try:
        plan.propagate(double(base, axes))
    except LayerError:
        return False
    return True


def double(shapes: Shapes, axes: dict[Value, int]) -> Shapes:
    return {v: _doubled(shape, axes[v]) if v in axes else shape for v, shape in shapes.items()}


def _doubled(shape: Sequence[int], axis: int) -> Shape:
    return _with(shape, axis, 2 * shape[axis])


def _with(shape: Sequence[int], axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
