"""A bundle's net run here, end to end or a layer at a time, with the rows that compare it with Caffe's numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import DataError, some
from caffe_compat.layers.base import Context, Layer
from caffe_compat.layers.input import Input
from caffe_compat.log.write import Log
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Row, compare
from caffe_compat.parity.learned import CANCELLED, cancelled_biases, learned
from caffe_compat.parity.versions import Version, Versions
from caffe_compat.proto import LayerParameter, NetParameter

GRADIENT_FLOOR = 1e-5  # gradients are small by nature
VALUE, GRADIENT, PARAM_GRADIENT = "value", "gradient", "parameter gradient"
CHANGED = "parameter after the pass"


class Replay:
    """One net with Caffe's numbers beside it."""

    def __init__(self, bundle: Bundle, tolerance: float):
        self.bundle, self.arrays, self.tolerance = bundle, bundle.arrays, tolerance
        self.missing: list[str] = []
        self.notes: list[str] = []
        self.unknown: dict[str, str] = {}
        self.broken: set[int] = set()  # layers whose tops have another shape than Caffe's
        self.net = self._build()
        self.lw = self.net.layerwise
        self.passes: int = bundle.meta.get("passes", 1)
        self.theirs = Versions(bundle, self.net)
        self.before = [[blob.detach().clone() for blob in layer.owned_blobs()] for layer in self.net.layers]
        self.given = self._find_given()
        self.cancelled = cancelled_biases(self.net)
        # A shared blob's gradient is the sum over its layers, and says nothing of one of them.
        self.shared = len(self.net.learned) < sum(len(layer.blobs) for layer in self.net.layers)
        known = {name for names in self.net.top_names for name in names}
        strange = [name for name in bundle.names("blob") if name not in known]
        self.another_net = bool(strange) and bundle.given_net
        if strange:
            self.missing.append(
                f"{len(strange)} of the bundle's blobs are not in this net ({some(strange)}); is it another net?"
            )

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> Net:
        param = NetParameter()
        param.CopyFrom(self.bundle.net_param)
        self.unknown = stand_in.replace(param, self._known_shapes, self.bundle.notes)
        for name, why in self.unknown.items():
            self.missing.append(f"layer '{name}': {why}; Caffe's tops were taken for it")
        net = Net(param, context=Context(root=self.bundle.root), create=self._create)
        for layer in net.layers:
            layer.__dict__.pop("reshape", None)
        if self.bundle.weights:
            weights.copy_trained_layers_from(net, self.bundle.weights)
        for key in self.bundle.names("param"):
            blob = learned(net, key)
            if blob is None or blob.numel() != self.arrays[f"param.{key}"].size:
                self.missing.append(f"parameter {key} does not fit into this net; is it another net?")
                continue
            with torch.no_grad():
                blob.copy_(_tensor(self.arrays[f"param.{key}"]).view(blob.shape))
        return net

    def _create(self, param: LayerParameter, phase: int, context: Context, log: Log) -> Layer:
        """The layer, which claims Caffe's top shapes while the net is built: one wrong shape must not stop us."""
        layer = stand_in.create(param, phase, context, log)
        shapes = self._known_shapes(param)
        reshape = layer.reshape
        if shapes is not None:
            layer.__dict__["reshape"] = lambda *bottom: (reshape(*bottom), shapes)[1]
        return layer

    def _known_shapes(self, param: LayerParameter) -> list[tuple[int, ...]] | None:
        """The shapes of a layer's tops in the bundle."""
        shapes = []
        for k, top in enumerate(param.top):
            keys = (f"top.{param.name}.{k}", f"blob.{top}", f"in.{top}")
            key = next((key for key in keys if key in self.arrays), None)
            if key is None:
                return None
            shape = self.arrays.shape(key)
            shapes.append(shape[1:] if key.startswith("in.") and self.bundle.kind == "solver" else shape)
        return shapes

    # -- what is Caffe's own here ---------------------------------------------------------------

    def _find_given(self) -> dict[int, str]:
        """Layers whose tops are Caffe's own, and why."""
        given: dict[int, str] = {}
        for i, layer in enumerate(self.net.layers):
            why = self.unknown.get(layer.name, "") or layer.random_reason()
            if why or isinstance(layer, Input):
                given[i] = why
                if why and layer.name not in self.unknown:
                    self.notes.append(
                        f"layer '{layer.name}' ({layer.type}) {why}: it cannot be compared value by value; Caffe's tops "
                        "were taken for what follows"
                    )
                missing = [n for k, n in enumerate(self.net.top_names[i]) if self.theirs.key(i, k) is None]
                if missing:
                    raise DataError(
                        f"{self.bundle.path}: lacks the values of {some(missing)}, made by '{layer.name}'"
                    )
        return given

    # -- end to end ---------------------------------------------------------------------------

    def end_to_end(self) -> list[Row]:
        """Rows in the order of computation: values forward, changed parameters, gradients backward."""
        rows: list[Row] = []
        self._reset()
        for number in range(self.passes):
            for i in range(len(self.net.layers)):
                self._forward(i)
                if number == self.passes - 1:
                    rows += self._value_rows(i)
                if i in self.given or self._misshapen(i):
                    self._take_tops(i)
        for i in range(len(self.net.layers)):
            rows += self._changed_rows(i)
        if not self.bundle.meta.get("backward", any(self.bundle.names("diff"))):
            return rows
        for version in ((i, k) for i, tops in enumerate(self.net.top_names) for k in range(len(tops))):
            if version not in self.theirs.reader:
                self._take_diff(version)
        for i in reversed(range(len(self.net.layers))):
            if self._runs_backward(i) and i not in self.broken:
                self.lw.backward(i, i)
                rows += self._gradient_rows(i)
            if i in self.given or i in self.broken:
                for version in self.theirs.source[i]:
                    self._take_diff(version)
        for i in range(len(self.net.layers)):
            rows += self._param_gradient_rows(i)
        return rows

    def _forward(self, i: int) -> None:
        if self.net.layers[i].is_data and i in self.given:
            self._take_tops(i)
        else:
            self.lw.forward(i, i)

    def _misshapen(self, i: int) -> bool:
        """Whether a top of layer i has another shape than Caffe's; what follows gets Caffe's then."""
        for k, name in enumerate(self.net.top_names[i]):
            key = self.theirs.key(i, k)
            if key is not None and self.arrays.shape(key) != tuple(self.lw.data(name).shape):
                self.broken.add(i)
        return i in self.broken

    def _take_tops(self, i: int) -> None:
        tops = ((name, self.theirs.values(i, k)) for k, name in enumerate(self.net.top_names[i]))
        self.lw.store({name: self._copy(theirs) for name, theirs in tops if theirs is not None})

    def _take_diff(self, version: Version) -> bool:
        diff = self.theirs.diff(version)
        if diff is None:
            return version not in self.theirs.reader  # a loss's own weight stands there
        mine = self.lw.diff(self.net.top_names[version[0]][version[1]])
        if tuple(mine.shape) == diff.shape:
            mine.copy_(_tensor(diff))
        return True

    def _copy(self, array: np.ndarray) -> Tensor:
        return _tensor(array).to(self.net.context.dtype)

    def _runs_backward(self, i: int) -> bool:
        return self.net.layer_need_backward[i] and not self.net.layers[i].is_data

    # -- each layer alone ---------------------------------------------------------------------

    def each_alone(self, only: set[str] | None = None) -> list[Row]:
        """Every layer whose bottoms (and top gradients) the bundle has, run on Caffe's numbers only.

        Of the layers named in `only`, if given, the gradients alone.
        """
        rows: list[Row] = []
        for i, layer in enumerate(self.net.layers):
            if only is not None and layer.name not in only:
                continue
            bottoms = [self.theirs.values(*version) for version in self.theirs.source[i]]
            if layer.is_data or layer.name in self.unknown or any(b is None for b in bottoms):
                continue
            self._reset(i)
            for _ in range(self.passes):
                names = self.net.bottom_names[i]
                self.lw.store(
                    {n: self._copy(b) for n, b in zip(names, bottoms, strict=True) if b is not None}
                )
                self.lw.forward(i, i)
            if only is None:
                rows += self._value_rows(i)
                rows += self._changed_rows(i)
            if not self._runs_backward(i) or not self.bundle.meta.get("backward", True):
                continue
            if i in self.given or self._misshapen(i):
                continue
            taken = [self._take_diff((i, k)) for k in range(len(self.net.top_names[i]))]
            if all(taken):
                self.lw.backward(i, i)
                rows += self._gradient_rows(i)
                if not self.shared:
                    rows += self._param_gradient_rows(i)
        return rows

    def _reset(self, *layers: int) -> None:
        """Learned blobs as they were before the pass, without gradients."""
        for i in layers or range(len(self.net.layers)):
            for blob, value in zip(self.net.layers[i].owned_blobs(), self.before[i], strict=True):
                with torch.no_grad():
                    blob.copy_(value)
                blob.grad = None

    # -- rows ---------------------------------------------------------------------------------

    def _row(self, i: int, what: str, name: str) -> Row:
        return Row(self.net.layer_names[i], self.net.layers[i].type, what, name)

    def _value_rows(self, i: int) -> Iterator[Row]:
        if isinstance(self.net.layers[i], Input):
            return
        for k, name in enumerate(self.net.top_names[i]):
            theirs = self.theirs.values(i, k)
            row = self._row(i, VALUE, name)
            if theirs is None:
                row.compared, row.note = False, "not in the bundle"
            elif i in self.given:
                self._random_row(i, row, theirs)
            else:
                compare(row, self.lw.data(name), theirs, self.tolerance)
            yield row

    def _random_row(self, i: int, row: Row, theirs: np.ndarray) -> None:
        """Of a layer that drops values: where both kept one it must be the same, scale included."""
        layer = self.net.layers[i]
        row.shape, row.note = theirs.shape, self.given[i]
        ours = self.lw.data(row.name)
        both = (ours != 0) & (_tensor(theirs) != 0) if ours.shape == theirs.shape else torch.zeros(0)
        if not layer.drops_values or not bool(both.any()):
            row.compared = False
            return
        compare(row, ours[both], _tensor(theirs)[both], self.tolerance)
        row.shape, row.note = theirs.shape, "random: compared where both kept the value"

    def _changed_rows(self, i: int) -> Iterator[Row]:
        for index, blob in enumerate(self.net.layers[i].blobs):
            key = f"after.{self.net.layer_names[i]}.{index}"
            if key in self.arrays:
                row = self._row(i, CHANGED, f"{self.net.layer_names[i]}[{index}]")
                yield compare(row, blob, self.arrays[key], self.tolerance)

    def _gradient_rows(self, i: int) -> Iterator[Row]:
        for k, name in enumerate(self.net.bottom_names[i]):
            if not self.net.bottom_need_backward[i][k]:
                continue
            theirs = self.theirs.diff(self.theirs.source[i][k])
            if theirs is None:
                continue
            row = self._row(i, GRADIENT, name)
            if i in self.given:
                row.shape, row.compared, row.note = theirs.shape, False, self.given[i]
            else:
                compare(row, self.lw.diff(name), theirs, self.tolerance, GRADIENT_FLOOR)
            yield row

    def _param_gradient_rows(self, i: int) -> Iterator[Row]:
        layer = self.net.layers[i]
        for index, owned in enumerate(layer.owned_blobs()):
            name = f"{layer.name}.{index}"
            key = f"paramgrad.{name}"
            if key not in self.arrays or not owned.requires_grad:
                continue
            theirs = self.arrays[key]
            row = self._row(i, PARAM_GRADIENT, f"{layer.name}[{index}]")
            if self.given.get(i):
                row.shape, row.compared, row.note = theirs.shape, False, self.given[i]
            elif name in self.cancelled:
                row.shape, row.compared, row.note = theirs.shape, False, CANCELLED
            else:
                ours = torch.zeros_like(owned) if owned.grad is None else owned.grad
                compare(row, ours.view(layer.blobs[index].shape), theirs, self.tolerance, GRADIENT_FLOOR)
            yield row


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
