"""A bundle's net run here: first end to end, then, if anything departs, each layer alone on Caffe's own blobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, DataError, some
from caffe_compat.layers.base import Context, Layer
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Report, Row, compare
from caffe_compat.proto import NetParameter

TOLERANCE = 2e-4
GRADIENT_FLOOR = 1e-5  # gradients are small by nature
VALUE, GRADIENT, PARAM_GRADIENT, CHANGED = (
    "value",
    "gradient",
    "parameter gradient",
    "parameter after the pass",
)
_SETTLED = "compared on Caffe's own blobs"
CANCELLED = "rounding noise: the BatchNorm behind takes this bias out again"

# Layers whose last blob is a bias, which a BatchNorm behind them takes out again.
_BIASED = {"Convolution": 2, "Deconvolution": 2, "InnerProduct": 2, "Scale": 2, "Bias": 1}


def validate_net(bundle: Bundle, tolerance: float = TOLERANCE) -> Report:
    """Compare every blob, gradient and learned blob of a net that ran in Caffe; name the layers that depart."""
    report = Report(bundle.path, "net", tolerance, notes=list(bundle.notes))
    add_net_rows(bundle, report)
    return report


def add_net_rows(bundle: Bundle, report: Report) -> None:
    """Replay the net of a bundle (or the first pass of a solver's) into `report`."""
    try:
        replay = Replay(bundle, report.tolerance)
    except CaffeError as error:
        refused(bundle, report, error)
        return
    report.missing += replay.missing
    report.notes += replay.notes
    rows = replay.end_to_end()
    if replay.another_net:  # what departs there is no fault
        for row in rows:
            if not row.agrees:
                row.agrees, row.compared, row.note = True, False, "differs, in another net"
    departing = [row for row in rows if not row.agrees]
    alone: list[Row] = []
    if departing:
        backward = all(row.what in (GRADIENT, PARAM_GRADIENT) for row in departing)
        alone = replay.each_alone({row.layer for row in departing} if backward else None)
        if backward and _settle(rows, alone):
            report.kinks = True
            report.notes.append(
                "gradients end to end differ from Caffe's, though all values agree and every layer by itself gives Caffe's "
                f"gradients: values next to a kink (of ReLU or a maximum) rounded to its other side; {_SETTLED}"
            )
    report.rows += rows
    if bundle.arrays.cut:
        report.missing.append(f"{bundle.path} is cut short")
    if report.first is None:
        return
    bad = [row for row in alone if not row.agrees]
    for layer in dict.fromkeys(row.layer for row in bad):
        rows = [row for row in bad if row.layer == layer]
        what = ", ".join(dict.fromkeys(f"{row.what} of {row.name}" for row in rows))
        report.guilty.append(
            f"layer '{layer}' ({rows[0].type}): {what} (relative {rows[0].relative:.2g})"
            + (f"; {rows[0].note}" if rows[0].note else "")
        )
    if not bad:
        report.notes.append(
            "no layer departs when it is fed Caffe's own blobs: the difference builds up over the layers by rounding, "
            "or comes from a layer whose bottoms or gradients the bundle lacks"
        )


def _settle(rows: list[Row], alone: list[Row]) -> bool:
    """Put each layer's own gradients in the place of departing ones, if every departing one has such and it agrees.

    A ReLU passes a gradient or stops it. Where its bottom is 1e-8 here and -1e-8 in Caffe, both are right, and the
    gradients of all layers before it differ by more than any tolerance. Fed Caffe's own blobs, layers that are right
    agree, and by the chain rule so does the whole.
    """
    own = {(row.layer, row.what, row.name): row for row in alone if row.compared}
    places = [k for k, row in enumerate(rows) if not row.agrees]
    keys = [(rows[k].layer, rows[k].what, rows[k].name) for k in places]
    if not all(row.agrees for row in alone) or not all(key in own for key in keys):
        return False
    for k, key in zip(places, keys, strict=True):
        own[key].note = f"{_SETTLED}; end to end relative {rows[k].relative:.2g}"
        rows[k] = own[key]
    return True


def refused(bundle: Bundle, report: Report, error: CaffeError) -> None:
    """Enter that we cannot build a net which Caffe ran: our fault, unless it is not the bundle's own net."""
    if bundle.given_net or isinstance(error, DataError):
        report.missing.append(f"{error}; is it another net, or a bundle that was cut short?")
        return
    report.guilty.append(f"Caffe ran this net and we do not: {error}")
    report.rows.append(Row("", "", "net", report.source, agrees=False, note=str(error)))


class Replay:
    """One net with Caffe's numbers beside it.

    A version of a blob is a pair (i, k): what top k of layer i wrote. In-place layers make new versions of the
    blob of the same name.
    """

    def __init__(self, bundle: Bundle, tolerance: float):
        self.bundle, self.arrays, self.tolerance = bundle, bundle.arrays, tolerance
        self.missing: list[str] = []
        self.notes: list[str] = []
        self.unknown: dict[str, str] = {}
        self.broken: set[int] = set()  # layers whose tops have another shape than Caffe's
        self.net = self._build()
        self.lw = self.net.layerwise
        self.passes: int = bundle.meta.get("passes", 1)
        self._find_versions()
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

    def _create(self, param: Any, phase: int, context: Any, log: Any) -> Layer:
        """The layer, which claims Caffe's top shapes while the net is built: one wrong shape must not stop us."""
        layer = stand_in.create(param, phase, context, log)
        shapes = self._known_shapes(param)
        reshape = layer.reshape
        if shapes is not None:
            layer.__dict__["reshape"] = lambda *bottom: (reshape(*bottom), shapes)[1]
        return layer

    def _known_shapes(self, param: Any) -> list[tuple[int, ...]] | None:
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

    # -- who wrote what -----------------------------------------------------------------------

    def _find_versions(self) -> None:
        net = self.net
        self.first: dict[str, tuple[int, int]] = {}
        self.last: dict[str, tuple[int, int]] = {}
        self.source: list[list[tuple[int, int]]] = []
        self.reader: dict[tuple[int, int], tuple[int, int]] = {}
        for i, (bottoms, tops) in enumerate(zip(net.bottom_names, net.top_names, strict=True)):
            self.source.append([self.last[name] for name in bottoms])
            for k, version in enumerate(self.source[i]):
                self.reader[version] = (i, k)
            for k, name in enumerate(tops):
                self.first.setdefault(name, (i, k))
                self.last[name] = (i, k)

    def _find_given(self) -> dict[int, str]:
        """Layers whose tops are Caffe's own, and why."""
        given: dict[int, str] = {}
        for i, layer in enumerate(self.net.layers):
            why = self.unknown.get(layer.name, "") or layer.random_reason()
            if why or layer.type == "Input":
                given[i] = why
                if why and layer.name not in self.unknown:
                    self.notes.append(
                        f"layer '{layer.name}' ({layer.type}) {why}: it cannot be compared value by value; Caffe's tops "
                        "were taken for what follows"
                    )
                missing = [n for k, n in enumerate(self.net.top_names[i]) if self._key(i, k) is None]
                if missing:
                    raise DataError(
                        f"{self.bundle.path}: lacks the values of {some(missing)}, made by '{layer.name}'"
                    )
        return given

    def _key(self, i: int, k: int) -> str | None:
        """What Caffe's values of a version are called in the bundle, None if it lacks them."""
        net, name = self.net, self.net.top_names[i][k]
        keys = [f"top.{net.layer_names[i]}.{k}"]
        if net.layers[i].is_data and self.bundle.kind == "net":
            keys.append(f"in.{name}")
        if self.last[name] == (i, k):
            keys.append(f"blob.{name}")
        for key in keys:
            if key in self.arrays:
                return key
        if net.layers[i].type == "Split":
            return self._key(*self.source[i][0])
        return None

    def _theirs(self, i: int, k: int) -> np.ndarray | None:
        """Caffe's values of a version."""
        key = self._key(i, k)
        return None if key is None else self.arrays[key]

    def _their_diff(self, version: tuple[int, int]) -> np.ndarray | None:
        """Caffe's gradient of a version: what the layer that reads it gave back, or what an output was given."""
        i, k = version
        name = self.net.top_names[i][k]
        reader = self.reader.get(version)
        if reader is None:
            return self.arrays.get(f"topdiff.{name}")
        key = f"bottomdiff.{self.net.layer_names[reader[0]]}.{reader[1]}"
        if key in self.arrays:
            return self.arrays[key]
        if self.first[name] != version:
            return None
        return self.arrays.get(f"diff.{name}", self.arrays.get(f"grad.{name}"))

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
            if version not in self.reader:
                self._take_diff(version)
        for i in reversed(range(len(self.net.layers))):
            if self._runs_backward(i) and i not in self.broken:
                self.lw.backward(i, i)
                rows += self._gradient_rows(i)
            if i in self.given or i in self.broken:
                for version in self.source[i]:
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
            key = self._key(i, k)
            if key is not None and self.arrays.shape(key) != tuple(self.lw.data(name).shape):
                self.broken.add(i)
        return i in self.broken

    def _take_tops(self, i: int) -> None:
        tops = ((name, self._theirs(i, k)) for k, name in enumerate(self.net.top_names[i]))
        self.lw.store({name: self._copy(theirs) for name, theirs in tops if theirs is not None})

    def _take_diff(self, version: tuple[int, int]) -> bool:
        diff = self._their_diff(version)
        if diff is None:
            return version not in self.reader  # a loss's own weight stands there
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
            bottoms = [self._theirs(*version) for version in self.source[i]]
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
        if self.net.layers[i].type == "Input":
            return
        for k, name in enumerate(self.net.top_names[i]):
            theirs = self._theirs(i, k)
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
            theirs = self._their_diff(self.source[i][k])
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
            key = f"paramgrad.{layer.name}.{index}"
            if key not in self.arrays or not owned.requires_grad:
                continue
            theirs = self.arrays[key]
            row = self._row(i, PARAM_GRADIENT, f"{layer.name}[{index}]")
            if self.given.get(i):
                row.shape, row.compared, row.note = theirs.shape, False, self.given[i]
            elif (i, index) in self.cancelled:
                row.shape, row.compared, row.note = theirs.shape, False, CANCELLED
            else:
                ours = torch.zeros_like(owned) if owned.grad is None else owned.grad
                compare(row, ours.view(layer.blobs[index].shape), theirs, self.tolerance, GRADIENT_FLOOR)
            yield row


def cancelled_biases(net: Net) -> set[tuple[int, int]]:
    """(layer, blob index) of each bias whose only reader is a BatchNorm that subtracts the batch's mean.

    Its true gradient is 0, so what a program computes for it is rounding noise.
    """
    found = set()
    last: dict[str, int] = {}
    for i, layer in enumerate(net.layers):
        if layer.type == "BatchNorm" and not _uses_global_stats(layer):
            j = last[net.bottom_names[i][0]]
            blobs = net.layers[j].blobs
            if len(blobs) == _BIASED.get(net.layers[j].type) and blobs[-1].dim() == 1:
                found.add((j, len(blobs) - 1))
        for name in net.top_names[i]:
            last[name] = i
    return found


def _uses_global_stats(layer: Layer) -> bool:
    p = layer.param.batch_norm_param
    return p.use_global_stats if p.HasField("use_global_stats") else layer.phase == 1


def learned(net: Net, key: str) -> Tensor | None:
    """The blob that `<layer>.<index>` names, or None."""
    name, _, index = key.rpartition(".")
    layer = net.layer(name)
    if layer is None or not index.isdigit() or int(index) >= len(layer.blobs):
        return None
    return layer.blobs[int(index)]


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
