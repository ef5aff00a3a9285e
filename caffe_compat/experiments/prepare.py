"""A row of the catalogue, or any solver file, as the solver and the net to train, with the changes asked for."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message

from caffe_compat.errors import CaffeError, DataError, UsageError, nearest
from caffe_compat.experiments.catalogue import DATASETS, Row
from caffe_compat.proto import (
    TEST,
    TRAIN,
    DataParameter,
    HDF5DataParameter,
    ImageDataParameter,
    LayerParameter,
    NetParameter,
    SolverParameter,
    WindowDataParameter,
    is_repeated,
    text,
)
from caffe_compat.solver.lr_policy import POLICIES

TESTS = 20  # how many times a scaled run tests
_LEAST_TESTED = 20  # below so many iterations a scaled run tests at its beginning and its end only
_NET_FIELDS = ("batch_size", "dropout", "moving_average_fraction")  # `set` takes them beside solver fields
_ITERATIONS = ("stepsize", "start_lr_policy", "warmup_iter", "rampup_interval")
_READERS = {  # where a data layer's source and batch size stand
    "Data": "data_param", "ImageData": "image_data_param", "HDF5Data": "hdf5_data_param", "WindowData": "window_data_param",
}  # fmt: skip
_PLACES = ("net", "snapshot_prefix", "random_seed")  # what tells runs of the same settings apart


@dataclass(frozen=True)
class Changes:
    """How a run differs from its row.

    scale     of the number of iterations and all that is counted in iterations
    replicas  instead of the row's; 0 leaves it
    set       solver fields, batch_size, dropout (the ratio) and moving_average_fraction, by name
    precision of products
    """

    scale: float = 1
    replicas: int = 0
    set: Mapping[str, str] = field(default_factory=dict)
    precision: str = "fp32"

    def label(self, row_replicas: int) -> str:
        """What is different, in one word that can name a folder: `full` where nothing is."""
        words = [f"x{self.scale:g}"] if self.scale != 1 else []
        if self.replicas and self.replicas != row_replicas:
            words.append(f"r{self.replicas}")
        words += [self.precision] if self.precision != "fp32" else []
        words += [f"{name}={value}" for name, value in sorted(self.set.items())]
        return "-".join(words).replace("/", "_") or "full"


def prepare(row: Row, changes: Changes, seed: int, data: str) -> tuple[SolverParameter, NetParameter]:
    """The SolverParameter and the NetParameter of a run; the solver still lacks `net` and `snapshot_prefix`.

    `data` is the folder of the data sets. Raises UsageError for changes that do not fit and CaffeError
    where the nets of the catalogue are not at hand.
    """
    net = NetParameter()
    net.CopyFrom(_read(net_file(row.net)))
    dataset = DATASETS[row.data]
    _use_data(net, dataset.prefix, os.path.abspath(os.path.join(data, dataset.folder(row.train))))
    if dataset.classes != 10:
        last = [layer for layer in net.layer if layer.type == "InnerProduct"][-1]
        last.inner_product_param.num_output = dataset.classes
    if row.batch:
        set_net(net, "batch_size", str(row.batch))
    if any(layer.type == "BatchNorm" for layer in net.layer):
        set_net(net, "moving_average_fraction", str(row.fraction))
    solver = solver_of(row)
    return solver, change(solver, net, changes, seed, dataset.test)


def solver_of(row: Row) -> SolverParameter:
    """The fields of a row as a SolverParameter."""
    solver = SolverParameter()
    for name, value in row.solver.items():
        if isinstance(value, list):
            getattr(solver, name).extend(value)
        else:
            setattr(solver, name, value)
    return solver


def change(
    solver: SolverParameter, net: NetParameter, changes: Changes, seed: int, test_records: int = 0
) -> NetParameter:
    """Carry out `changes` on both messages and return the net.

    A scaled run tests once over `test_records`, if given, instead of the paper's 2.5 times.
    """
    scale(solver, changes.scale)
    for name, value in changes.set.items():
        if name in _NET_FIELDS:
            tested = batch_size(net, TEST)
            set_net(net, name, value)
            share = tested / batch_size(net, TEST)  # as many records in a test as before
            solver.test_iter[:] = [math.ceil(count * share) for count in solver.test_iter]
    if changes.scale != 1 and test_records and solver.test_iter:
        solver.test_iter[:] = [math.ceil(test_records / batch_size(net))] * len(solver.test_iter)
    for name, value in changes.set.items():
        if name not in _NET_FIELDS:
            set_solver(solver, name, value)
    solver.random_seed = seed
    return net


def scale(solver: SolverParameter, factor: float) -> None:
    """Multiply what is counted in iterations; a scaled run tests up to `TESTS` times, the last time at its end.

    Where its length would have no divisor for that, it is made a multiple of TESTS.
    """
    if factor == 1:
        return
    if not 0 < factor < math.inf:
        raise UsageError(f"--scale {factor:g} must be a number above 0")
    before, wanted = solver.max_iter, round(solver.max_iter * factor)
    few = wanted < _LEAST_TESTED
    tests = max(count for count in range(1, TESTS + 1) if wanted % count == 0)
    if tests < TESTS / 2 and not few:
        wanted, tests = round(wanted / TESTS) * TESTS, TESTS
    solver.max_iter = max(2, wanted)
    exact = solver.max_iter / before

    def scaled(value: float) -> int:
        return max(1, round(value * exact))

    for name in _ITERATIONS:
        if value := getattr(solver, name):
            setattr(solver, name, scaled(value))
    for values in (solver.stepvalue, solver.stageiter, solver.plateau_winsize):
        values[:] = [scaled(value) for value in values]
    policy = POLICIES.get(solver.lr_policy)
    if policy is not None and policy.stretched:
        solver.gamma = policy.stretched(solver.gamma, exact)
    if len(solver.cyclical_momentum) == 2:
        solver.cyclical_momentum[1] = scaled(solver.cyclical_momentum[1])
    if solver.test_interval:
        solver.test_interval = solver.max_iter if few else solver.max_iter // tests
    if solver.display:
        solver.display = 1 if few else max(1, solver.max_iter // (5 * TESTS))
    if solver.snapshot:
        solver.snapshot = solver.max_iter if few else solver.max_iter // tests * 2


def set_solver(solver: SolverParameter, name: str, value: str) -> None:
    """Set a plain field of the solver from text; a repeated one from words with commas."""
    fields = SolverParameter.DESCRIPTOR.fields_by_name
    if name in _PLACES:
        raise UsageError(f"'{name}' is each run's own; --out chooses the folder and --seeds the seeds")
    if name not in fields or fields[name].message_type is not None or name == "origin":
        known = [*_NET_FIELDS, *(n for n, f in fields.items() if f.message_type is None and n != "origin")]
        raise UsageError(
            f"'{name}' is neither a field of the solver nor of the nets here{nearest(name, known)}"
        )
    quoted = fields[name].cpp_type == fields[name].CPPTYPE_STRING and not value.startswith(('"', "'"))
    words = value.split(",") if is_repeated(fields[name]) else [f'"{value}"' if quoted else value]
    given = text.parse("\n".join(f"{name}: {word}" for word in words), SolverParameter, f"{name}={value}")
    solver.ClearField(name)
    solver.MergeFrom(given)
    solver.origin = ""


def set_net(net: NetParameter, name: str, value: str) -> None:
    """Set batch_size, dropout or moving_average_fraction in every layer that has it."""
    try:
        number = int(value) if name == "batch_size" else float(value)
    except ValueError:
        number = -1
    if number < 0 or (name == "batch_size" and number < 1):
        least = "a whole number above 0" if name == "batch_size" else "a number from 0 on"
        raise UsageError(f"{name}={value}: {name} wants {least}")
    if name == "batch_size":
        found = set_batch(net, int(number))
    elif name == "dropout":
        layers = [layer for layer in net.layer if layer.type == "Dropout"]
        for layer in layers:
            layer.dropout_param.dropout_ratio = number
        found = bool(layers)
    else:
        layers = [layer for layer in net.layer if layer.type == "BatchNorm"]
        for layer in layers:
            layer.batch_norm_param.moving_average_fraction = number
        found = bool(layers)
    if not found:
        kind = {"batch_size": "data", "dropout": "Dropout"}.get(name, "BatchNorm")
        raise UsageError(f"{name}={value}: the net '{net.name}' has no {kind} layer to set it in")


def set_batch(net: NetParameter, batch: int) -> bool:
    """Give every data layer this batch, and DummyData layers of the old batch too; tells if there were any."""
    params = [param for layer in net.layer if (param := reader(layer))]
    old = {param.batch_size for param in params}
    for param in params:
        param.batch_size = batch
    for layer in net.layer:
        if layer.type == "DummyData":
            for shape in layer.dummy_data_param.shape:
                if shape.dim and shape.dim[0] in old:
                    shape.dim[0] = batch
    return bool(old)


def batch_size(net: NetParameter, phase: int = TRAIN) -> int:
    """Of the first data layer that is there in this phase; 1 where there is none."""
    layers = [
        layer
        for layer in net.layer
        if not layer.include or any(not r.HasField("phase") or r.phase == phase for r in layer.include)
    ]
    return next((param.batch_size for layer in layers if (param := reader(layer))), 1)


def reader(
    layer: LayerParameter,
) -> DataParameter | ImageDataParameter | HDF5DataParameter | WindowDataParameter | None:
    """The message of a data layer that says its source and batch size; None for other layers."""
    name = _READERS.get(layer.type)
    return getattr(layer, name) if name else None


_read = functools.cache(text.read_net)  # a table has many runs of one net


def _use_data(net: NetParameter, prefix: str, folder: str) -> None:
    for layer in net.layer:
        if layer.type == "Data":
            part = "test" if Path(layer.data_param.source).name.endswith("test_lmdb") else "train"
            layer.data_param.source = os.path.join(folder, f"{prefix}{part}_lmdb")
            if layer.transform_param.mean_file:
                layer.transform_param.mean_file = os.path.join(folder, "mean.binaryproto")


def require_data(row: Row, net: NetParameter, data: str) -> None:
    """Raise DataError with the command that makes the data, if any of what the net reads is missing."""
    for layer in net.layer:
        for path in (layer.data_param.source, layer.transform_param.mean_file):
            if path and not os.path.exists(path):
                dataset = DATASETS[row.data]
                command = dataset.command(os.path.join(data, dataset.folder(row.train)), row.train)
                raise DataError(f"{row.id} needs {path}, which is not there; make it with: {command}")


def net_file(name: str) -> str:
    """The path of a net of prototxt/: in the source tree this package is of, or else in the working directory."""
    for folder in (Path(__file__).parents[2], Path()):
        path = folder / "prototxt" / f"{name}.prototxt"
        if path.is_file():
            return str(path)
    raise CaffeError(
        f"prototxt/{name}.prototxt is not here: the catalogue's nets are in prototxt/ of the source tree; "
        f"run this in that folder"
    )


def same_settings(a: tuple[SolverParameter, NetParameter], b: tuple[SolverParameter, NetParameter]) -> str:
    """'' if two (solver, net) train alike, else the first difference; places of files and the seed are not looked at."""
    for one, other in zip(map(_settings, a), map(_settings, b), strict=True):
        mine, theirs = one.splitlines(), other.splitlines()
        for x, y in zip(mine, theirs, strict=False):
            if x != y:
                return f"'{x.strip()}' and '{y.strip()}'"
        if len(mine) != len(theirs):
            longer = (mine if len(mine) > len(theirs) else theirs)[min(len(mine), len(theirs))]
            return f"'{longer.strip()}' and nothing"
    return ""


def _settings(message: Message) -> str:
    copy = type(message)()
    copy.CopyFrom(message)
    if isinstance(copy, NetParameter):
        for layer in copy.layer:
            layer.data_param.ClearField("source")
            layer.transform_param.ClearField("mean_file")
    else:
        for name in _PLACES:
            copy.ClearField(name)
    return text.to_text(copy)
