"""An exported file run by ONNX Runtime beside the net it was made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from caffe_compat.data.base import open_source
from caffe_compat.data.base import registry as backends
from caffe_compat.data.records import parse
from caffe_compat.errors import DataError, ExportError, LayerError, MissingExtra, some
from caffe_compat.export.plan import Plan, Shapes, Value
from caffe_compat.export.sizes import Group, Open, changed, double
from caffe_compat.layers.base import Dim, Shape

if TYPE_CHECKING:
    from caffe_compat.export.preprocess import Preprocess

_LARGE = 1e9  # numbers of boxes whose areas are far from float32's end
LIMIT = 1e-3  # of an output's largest value; what is further off is not the same net


@dataclass
class Comparison:
    """How far one output is from this package's, over all that was tried.

    relative  the absolute error, of the largest value that the output had in that run
    """

    output: str
    absolute: float
    relative: float
    tried: str

    def __str__(self) -> str:
        return f"output {self.output}: max abs error {self.absolute:.2e}, max rel error {self.relative:.2e} ({self.tried})"


def compare(
    plan: Plan, sizes: Open, file: str, name: str, preprocess: Preprocess | None
) -> tuple[list[Comparison], str]:
    """Run `file` on random, zero and extreme inputs, at two batch sizes and several sizes of pictures where it takes any.

    Returns the comparisons, and the runtime's name and version; or none and "" if it is not installed.

    Raises Refused if the runtime does not take the file, and ExportError, calling the file `name`, if an output is off
    by more than LIMIT, or if the shapes that the file declares are not the net's.
    """
    try:
        session = Session(file)
    except MissingExtra:
        return [], ""
    random = np.random.default_rng(0)
    worst = {output: (0.0, 0.0) for output in plan.outputs}
    tried: list[str] = []
    trials = _trials(plan, sizes)
    kinds = [["random"], ["zero and extreme"]] if len(trials) > 1 else [["random", "zero", "extreme"]]
    kinds += [["random"]] * (len(trials) - len(kinds))
    for shapes, words in zip(trials, kinds, strict=True):
        first = " x ".join(map(str, next(iter(shapes.values()), ())))
        _check_declared(session, plan, shapes, name)
        for kind in words:
            feeds, ours, kind = _run_net(plan, sizes, shapes, kind, random, preprocess)
            try:
                results = session.run(list(plan.outputs), feeds)
            except ExportError:
                if _is_smaller(sizes, shapes):  # windows may not fit, where Caffe has one of zeros
                    continue
                raise
            for output, theirs in zip(plan.outputs, results, strict=True):
                numbers = ours[output].double().numpy()
                if kind == "random" and numbers.size and not np.isfinite(numbers).any():
                    raise ExportError(
                        f"{name}: not written, for on random inputs of {first} no value of output '{output}' is finite, "
                        "and there is nothing to compare: look at the weights; give --no-check to write it all the same"
                    )
                absolute, relative = _distance(theirs, numbers)
                if not relative <= LIMIT:
                    raise ExportError(
                        f"{name}: not written, for on {kind} inputs of {first} {session.runtime} gives output "
                        f"'{output}' off by {absolute:.3g}, {relative:.3g} of its largest value; give --no-check to "
                        "write it all the same"
                    )
                worst[output] = (max(absolute, worst[output][0]), max(relative, worst[output][1]))
            tried.append(f"{kind} inputs of {first}")
    return [Comparison(output, *worst[output], "; ".join(tried)) for output in plan.outputs], session.runtime


def _run_net(
    plan: Plan,
    sizes: Open,
    shapes: Shapes,
    kind: str,
    random: np.random.Generator,
    preprocess: Preprocess | None,
) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor], str]:
    """What the file gets, what the net makes of the same, and the kind of values that it was."""
    found_by_value = any(plan.net.layers[i].dynamic for i in plan.layers)
    for largest in (255.0, 25.0, 2.5):
        feeds, values = _feeds(plan, sizes, shapes, kind, random, preprocess, largest)
        try:
            ours = plan.run({n: torch.from_numpy(value) for n, value in values.items()}, shapes)
        except LayerError:  # values that the net refuses, such as numbers of rows that are not there
            if kind == "zero":
                raise
            return _run_net(plan, sizes, shapes, "zero", random, preprocess)
        # Extreme values make boxes, by exp, so large that their areas overflow, and which of them overlap is not defined.
        if not found_by_value or all(bool((ours[output].abs() < _LARGE).all()) for output in plan.outputs):
            break
    return feeds, ours, kind


def agreement(
    plan: Plan, file: str, database: str, count: int, scaling: Preprocess, inside: bool
) -> tuple[int, int]:
    """On how many of the first `count` pictures of a database the file's top class is the net's, and of how many.

    Pictures are cut to their centre and scaled by `scaling`, which is `inside` the file or not.

    Raises:
        ExportError: the net has not one input.
        DataError: the pictures do not fit it.
        MissingExtra: ONNX Runtime is not installed.
    """
    if len(plan.inputs) != 1:
        names = some(plan.inputs.values())
        raise ExportError(f"only a net of one input can be tried on a database; the inputs are: {names}")
    ((value, name),) = plan.inputs.items()
    shape, output = plan.input_shapes()[value], next(iter(plan.outputs))
    session = Session(file)
    found = [backend for backend, cls in backends().items() if cls.is_at(database)]
    source = open_source(found[0] if found else "LMDB", database)
    total, same = min(count, len(source)), 0
    for start in range(0, total, shape[0]):
        numbers = [min(i, total - 1) for i in range(start, start + shape[0])]  # the last batch is filled up
        pictures = _pictures([source.read(i) for i in numbers], shape, database, numbers)
        values = scaling.apply(pictures)
        ours = plan.run({name: torch.from_numpy(values)})[output].numpy()
        theirs = session.run([output], {name: pictures if inside else values})[0]
        best, other = (array.reshape(shape[0], -1).argmax(1)[: total - start] for array in (ours, theirs))
        same += int((best == other).sum())
    return same, total


class Refused(ExportError):
    """ONNX Runtime does not take a file."""


def newest_opset() -> tuple[int, str]:
    """The newest opset that both onnx and ONNX Runtime know, and which of them, with its version, knows no newer one."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    for opset in range(newest, 0, -1):
        try:
            session = Session(_smallest(opset))
        except MissingExtra:
            break
        except Refused:
            continue
        return opset, f"onnx {onnx.__version__}" if opset == newest else session.runtime
    return newest, f"onnx {onnx.__version__}"


def _smallest(opset: int) -> bytes:
    """A file that does nothing."""
    from onnx import helper

    values = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    imports = [helper.make_opsetid("", opset)]
    version = helper.find_min_ir_version_for(imports)
    return bytes(helper.make_model(graph, opset_imports=imports, ir_version=version).SerializeToString())


class Session:
    """An ONNX file, or what one holds, in ONNX Runtime on the CPU.

    Raises MissingExtra if that is not installed, Refused if it does not take the file.
    """

    def __init__(self, file: str | bytes):
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise MissingExtra("onnxruntime", "running an ONNX file") from error
        self.runtime = f"ONNX Runtime {onnxruntime.__version__}"
        self._refusals = (
            state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException
        )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it refuses is raised, and told in our words
        try:
            self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except self._refusals as error:
            raise Refused(f"{self.runtime} does not take the file: {error}") from error
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.shapes = {
            value.name: tuple(value.shape)
            for value in (*self.session.get_inputs(), *self.session.get_outputs())
        }

    def run(self, outputs: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs; feeds that the file does not read are left out."""
        try:
            return self.session.run(outputs, {name: feeds[name] for name in self.inputs})
        except self._refusals as error:
            raise ExportError(f"{self.runtime} cannot run the file: {error}") from error


def _trials(plan: Plan, sizes: Open) -> list[Shapes]:
    """Input shapes to try: two batch sizes where any will do, and heights and widths around the net's."""
    base = plan.input_shapes()
    # Batches of their own get sizes of their own.
    trials = [sizes.resized(base, lambda group, n=n: _size(group, sizes, n)) for n in (0, 1)]  # type: ignore[misc]
    if sizes.batch and not all(_fits(plan, shapes) for shapes in trials):  # some sizes only: multiples, say
        trials = [base, double(base, sizes.axes)]
    first = trials[0]
    for n in (2, 3, 4) if sizes.sizes else ():
        shapes = first
        for group in sizes.sizes:
            shapes = changed(shapes, group.axes, _size(group, sizes, n))
        if min(n for shape in shapes.values() for n in shape) > 0 and _fits(plan, shapes):
            trials.append(shapes)
    return trials if sizes.batch or sizes.sizes else trials[:1]


def _size(group: Group, sizes: Open, trial: int) -> int:
    """What a size is in the first trials: another one in each, and in each its own."""
    if group in sizes.batch:
        return 1 + trial if group is sizes.batch[0] else 2 + trial
    if trial < 4:
        return group.base + group.step * trial * (1 + 2 * group.place)
    least = min(other.base // other.step for other in sizes.sizes if other.place == group.place)
    return group.base - group.step * (least // 3 + group.place)


def _is_smaller(sizes: Open, shapes: Shapes) -> bool:
    """Whether a picture is smaller than the net's."""
    return any(shapes[v][axis] < group.base for group in sizes.sizes for v, axis in group.axes.items())


def _fits(plan: Plan, shapes: Shapes) -> bool:
    try:
        with plan.undisturbed():
            plan.propagate(shapes)
    except LayerError:
        return False
    return True


def _check_declared(session: Session, plan: Plan, shapes: Shapes, name: str) -> None:
    """Raise ExportError unless what the file says of its shapes is the net's, a word being one size wherever it stands."""
    with plan.undisturbed():
        known = plan.propagate(shapes)
    values = {name: value for value, name in plan.inputs.items()} | plan.outputs
    words: dict[str, int] = {}
    for blob, declared in session.shapes.items():
        shape = known[values[blob]]
        dims: list[Dim] = [
            words.setdefault(dim, n) if isinstance(dim, str) else dim
            for dim, n in zip(declared, shape, strict=False)
        ]
        if len(declared) != len(shape) or tuple(dims) != shape:
            raise ExportError(
                f"{name}: not written, for it declares '{blob}' as {declared}, and for inputs of "
                f"{list(shapes.values())} the net has {shape}"
            )


def _feeds(
    plan: Plan,
    sizes: Open,
    shapes: Shapes,
    kind: str,
    random: np.random.Generator,
    preprocess: Preprocess | None,
    largest: float,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What the file gets, and what the net gets; extreme values are `largest` and its negative."""
    with plan.undisturbed():
        plan.propagate(shapes)
        values = {
            name: _values(plan, value, shapes[value], kind, sizes.axes.get(value), random, largest)
            for value, name in plan.inputs.items()
        }
    feeds = dict(values)
    if preprocess is not None:
        value, name = preprocess.choose(plan)
        feeds[name] = random.integers(0, 256, shapes[value], np.uint8)
        if kind == "zero":
            feeds[name][...] = 0
        elif kind != "random":
            feeds[name] = np.where(feeds[name] < 128, 0, 255).astype(np.uint8)
        values[name] = preprocess.apply(feeds[name])
    return feeds, values


def _values(
    plan: Plan,
    value: Value,
    shape: Shape,
    kind: str,
    batch: int | None,
    random: np.random.Generator,
    largest: float,
) -> np.ndarray:
    """Values of one input; of "zero and extreme" ones the first record has the zeros."""
    if kind == "zero":
        return np.zeros(shape, np.float32)
    for i in plan.layers:
        for index, read in enumerate(plan.bottoms(i)):
            example = plan.net.layers[i].example(index, shape, random) if read == value else None
            if example is not None:
                return example.astype(np.float32)
    if kind == "random":
        return random.standard_normal(shape, np.float32)
    values = np.where(random.random(shape) < 0.5, -largest, largest).astype(np.float32)
    if batch is not None:
        np.moveaxis(values, batch, 0)[0] = 0
    return values


def _distance(theirs: np.ndarray, ours: np.ndarray) -> tuple[float, float]:
    """The largest error, absolute and of the largest value; infinite where shapes, NaNs or infinities differ."""
    finite = np.isfinite(ours)
    if theirs.shape != ours.shape or not np.array_equal(theirs[~finite], ours[~finite], equal_nan=True):
        return math.inf, math.inf
    error = float(np.abs(theirs[finite] - ours[finite]).max(initial=0))
    return error, error / max(1e-5, float(np.abs(ours[finite]).max(initial=0)))


def _pictures(values: list[bytes], shape: Shape, database: str, numbers: list[int]) -> np.ndarray:
    pictures, _ = parse(values, None, lambda i: f"record {numbers[i]} of '{database}'")
    if not isinstance(pictures, np.ndarray):
        raise DataError(
            f"{database}: pictures {numbers[0]} to {numbers[-1]} differ in size; make them of one size"
        )
    top, left = ((n - m) // 2 for n, m in zip(pictures.shape[2:], shape[2:], strict=False))
    if pictures.shape[1] != shape[1] or min(top, left) < 0:
        raise DataError(
            f"{database}: its pictures {pictures.shape[1:]} do not fit the net's input {shape[1:]}"
        )
    return pictures[:, :, top : top + shape[2], left : left + shape[3]]
