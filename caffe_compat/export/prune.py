"""The part of a net that an export needs, cut out before the net is built."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from caffe_compat.export.plan import Value
from caffe_compat.export.select import offered
from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.registry import class_for
from caffe_compat.net.resolve import filter_net
from caffe_compat.proto import NetParameter


def prune(
    param: NetParameter,
    wanted: Sequence[str] | None,
    starts: Mapping[str, Shape],
    ignore_unknown: bool = False,
) -> NetParameter:
    """The net with only the layers that the blobs `wanted` need, begun at the blobs `starts`.

    Args:
        param: an upgraded NetParameter whose `state` says phase, level and stages.
        wanted: the outputs; None: all that depends on `starts`.
        starts: shapes of blobs to begin with; Input layers take the place of those that make them. Blobs of layers
            that have no bottoms stay theirs.

    The net comes back as it is if it is to be whole, and if it has not these blobs, for who builds it to say so.
    """
    filtered = filter_net(param, param.state, ignore_unknown=ignore_unknown)
    made: dict[str, Value] = {}
    sources: list[list[Value]] = []
    for i, layer in enumerate(filtered.layer):
        if any(name not in made for name in layer.bottom):
            return param
        sources.append([made[name] for name in layer.bottom])
        made.update({name: (i, k) for k, name in enumerate(layer.top)})
    shown = _shown(filtered, made)
    if any(name not in made for name in starts) or any(
        name not in {**made, **shown} for name in wanted or ()
    ):
        return param
    cut = {made[name]: shape for name, shape in starts.items() if filtered.layer[made[name][0]].bottom}
    if wanted is None and not cut:
        return param
    if wanted is not None:
        used = {shown[name] if name in shown else made[name] for name in wanted}
    else:
        used = _dependents(filtered, sources, set(cut))
    needed: set[int] = set()
    for i in reversed(range(len(sources))):
        if any(value[0] == i and value not in cut for value in used):
            needed.add(i)
            used.update(sources[i])
    return _only(filtered, needed, {value: shape for value, shape in cut.items() if value in used})


def _shown(param: NetParameter, blobs: Collection[str]) -> dict[str, Value]:
    """What is there in place of losses: export.plan.offered, for a net that is not built."""
    judging = []
    for i, layer in enumerate(param.layer):
        cls = class_for(layer) or Layer
        if (cls.is_loss or cls.is_metric) and cls.to_onnx is not Layer.to_onnx:
            judging.append(i)
    tops = [list(layer.top) or [""] for layer in param.layer]
    return offered(judging, [layer.name for layer in param.layer], tops, blobs)


def _dependents(param: NetParameter, sources: list[list[Value]], values: set[Value]) -> set[Value]:
    """These values and all that are made of them; of a layer without tops, one that is not there."""
    reached = set(values)
    for i, layer in enumerate(param.layer):
        if reached.intersection(sources[i]):
            reached.update((i, k) for k in range(len(layer.top) or 1))
    return reached


def _only(param: NetParameter, needed: set[int], cut: dict[Value, Shape]) -> NetParameter:
    """The net of the layers `needed`, with an Input layer for each value of `cut`."""
    pruned = NetParameter()
    pruned.CopyFrom(param)
    del pruned.layer[:]
    for i, layer in enumerate(param.layer):
        if i in needed:
            pruned.layer.add().CopyFrom(layer)
        for k, name in enumerate(layer.top):
            if (i, k) not in cut:
                continue
            if i in needed:
                pruned.layer[-1].top[k] = f"{name}_of_{layer.name}"  # made, and not what is read
            new = pruned.layer.add(name=f"input {name}", type="Input", top=[name], origin=layer.origin)
            new.input_param.shape.add().dim.extend(cut[i, k])
    return pruned
