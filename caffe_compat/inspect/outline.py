"""A net built for its shapes alone: without data, and without a value in any learned blob."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from caffe_compat.errors import CaffeError, DataError, LayerError, MissingExtra, NetError, nearest
from caffe_compat.layers.base import Context, Layer, Shape, where
from caffe_compat.layers.common.base_data import DataLayer
from caffe_compat.layers.registry import create_layer
from caffe_compat.log.write import NULL, Log
from caffe_compat.net.net import Net
from caffe_compat.net.resolve import filter_net
from caffe_compat.proto import TEST, TRAIN, LayerParameter, NetParameter, NetState, SolverParameter
from caffe_compat.proto.text import HERE, Reader


class StandIn(Layer):
    """A layer of which only the tops' shapes are known."""

    is_data = True

    def __init__(self, param: LayerParameter, phase: int, context: Context, shapes: list[Shape]):
        super().__init__(param, phase, context)
        self.shapes = shapes

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return self.shapes


class Outline:
    """A net of shapes.

    Args:
        param: an upgraded NetParameter whose `state` says phase, level and stages.
        inputs: shapes of blobs by name. A layer all of whose tops are named is not built, whatever its type.
        reader: says where relative paths start, what an unknown field is, and which log gets warnings.

    Raises NetError, LayerError or DataError where the net cannot be built, naming the layer.

    Attributes:
        net: the built Net; its learned blobs are on the meta device, its data layers are stand-ins.
        notes: what had to be assumed, a sentence each.
        rows: indices of the layers that stand in the file; the Split layers that Caffe inserts are left out.
        source: for a blob that an inserted Split layer makes, the blob that it copies.
    """

    def __init__(
        self,
        param: NetParameter,
        *,
        inputs: Mapping[str, Shape] | None = None,
        reader: Reader = HERE,
    ):
        self.notes: list[str] = []
        self._inputs = dict(inputs or {})
        context = Context(root=reader.root, device="meta", ignore_unknown=reader.ignore_unknown)
        self.net = net = Net(param, context=context, log=reader.log, device="meta", create=self._create)
        for name in self._inputs:
            if name not in net.blob_shapes:
                raise NetError(f"--input {name}: the net has no such blob{nearest(name, net.blob_names)}")
        own = {layer.name for layer in filter_net(param, param.state).layer}
        self.rows = [i for i, name in enumerate(net.layer_names) if name in own]
        self.source = {
            top: net.bottom_names[i][0]
            for i, name in enumerate(net.layer_names)
            if name not in own
            for top in net.top_names[i]
        }

    def bottoms(self, index: int) -> list[str]:
        """The blobs that a layer reads, by the names of the file."""
        return [self.source.get(name, name) for name in self.net.bottom_names[index]]

    def _create(self, param: LayerParameter, phase: int, context: Context, log: Log) -> Layer:
        layer = stand_in(param, phase, context, self._inputs, self.notes, log)
        if layer is None:
            layer = create_layer(param, phase, context, log)
            if layer.is_data:
                shapes = shapes_of_tops(cast(DataLayer, layer), self._inputs, self.notes)
                layer = StandIn(param, phase, context, shapes)
        return layer


def stand_in(
    param: LayerParameter,
    phase: int,
    context: Context,
    inputs: Mapping[str, Shape],
    notes: list[str],
    log: Log = NULL,
    read: Collection[str] | None = None,
) -> Layer | None:
    """What takes the place of a layer of which `inputs` gives the shape of a top, or None where it gives none.

    A layer all of whose tops are given is not built, whatever its type. Of data the other tops keep their shapes, but
    for the batch size of those that hold the same records. What had to be assumed is added to `notes`. With `read`
    the tops that are not in it have no need of a shape.

    Raises LayerError for a layer that is no data layer, with a top that is not given.
    """
    tops = list(param.top)
    given = [top for top in tops if top in inputs]
    if not given:
        return None
    if all(top in inputs or (read is not None and top not in read) for top in tops):
        return StandIn(param, phase, context, [inputs.get(top, (1,)) for top in tops])
    layer = create_layer(param, phase, context, log)
    if not layer.is_data:
        layer.fail(f"--input gives {given[0]} of the tops {', '.join(tops)}; give all of them or none")
    return StandIn(param, phase, context, shapes_of_tops(cast(DataLayer, layer), inputs, notes))


def shapes_of_tops(layer: DataLayer, inputs: Mapping[str, Shape], notes: list[str]) -> list[Shape]:
    """The shapes of a data layer's tops, without its data if that is not there; see `stand_in`."""
    tops = list(layer.param.top)
    try:
        layer.setup()
        shapes = layer.reshape()
        records = layer.batch_size > 0
    except (DataError, LayerError, MissingExtra) as error:
        shapes, records = _guess(layer, error, inputs, notes), True
    given = [(top, shape) for top, shape in zip(tops, shapes, strict=False) if top in inputs]
    if given and records:
        (top, shape), *_ = given  # its new batch size is that of the other tops, too
        batch = inputs[top][:1]
        shapes = [(*batch, *s[1:]) if s[:1] == shape[:1] else s for s in shapes]
    return [inputs.get(top, shape) for top, shape in zip(tops, shapes, strict=False)]


def _guess(layer: DataLayer, error: CaffeError, inputs: Mapping[str, Shape], notes: list[str]) -> list[Shape]:
    tops = list(layer.param.top)
    try:
        shapes = layer.guess()
    except DataError:
        if tops[0] not in inputs:
            raise DataError(
                f"{error}; to go on without it give the shape: --input {tops[0]}=N,C,H,W"
            ) from error
        shape = inputs[tops[0]]
        shapes = [shape, *layer.guess_others(shape)]
    assumed = ", ".join(
        f"{top} {' x '.join(map(str, shape))}"
        for top, shape in zip(tops, shapes, strict=False)
        if top not in inputs
    )
    why = str(error).removeprefix(f"{where(layer.param)}: ").partition("; ")[0]
    what = f"assumed {assumed}" if assumed else "took the shape from --input"
    notes.append(f"{where(layer.param)}: {what}, as there is no data to look at: {why}")
    return shapes


def state_of(solver: SolverParameter, net: NetParameter, phase: int, index: int = 0) -> NetState:
    """The NetState of a net that a solver runs: the phase, what the net says, and what the solver says."""
    state = NetState(phase=phase)
    state.MergeFrom(net.state)
    if phase == TRAIN:
        state.MergeFrom(solver.train_state)
    elif index < len(solver.test_state):
        state.MergeFrom(solver.test_state[index])
    state.phase = phase
    return state


def copy_of(net: NetParameter, state: NetState) -> NetParameter:
    """The NetParameter with another state."""
    copy = NetParameter()
    copy.CopyFrom(net)
    copy.state.CopyFrom(state)
    return copy


def sources(solver: SolverParameter, phase: int) -> list[str | NetParameter]:
    """The nets that a solver trains or tests: names of files (str) or NetParameters, in Caffe's order."""
    generic = [getattr(solver, field) for field in ("net_param", "net") if solver.HasField(field)]
    if phase == TRAIN:
        own = [getattr(solver, field) for field in ("train_net_param", "train_net") if solver.HasField(field)]
        return (own + generic)[:1]
    assert phase == TEST
    tests: list[str | NetParameter] = [*solver.test_net_param, *solver.test_net]
    return tests + generic[:1] * (len(solver.test_iter) - len(tests))
