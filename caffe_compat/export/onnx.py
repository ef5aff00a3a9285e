"""Nets as ONNX files: every layer writes its own nodes, under Caffe's names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from caffe_compat.errors import ExportError, MissingExtra
from caffe_compat.export.check import Comparison, Refused, Session, compare, newest_opset
from caffe_compat.export.file import beside, chunks, move_out
from caffe_compat.export.graph import Graph
from caffe_compat.export.model import describe, make_model
from caffe_compat.export.nodes import check_open, write_graph
from caffe_compat.export.plan import Plan
from caffe_compat.export.preprocess import Preprocess
from caffe_compat.export.select import make_plan
from caffe_compat.export.simplify import simplify
from caffe_compat.export.sizes import Open, open_shapes
from caffe_compat.layers.base import Dim
from caffe_compat.net.net import Net

OLDEST_OPSET, USUAL_OPSET = 13, 18
# Bytes of constants that a file can hold itself: protobuf's limit, less some for the rest.
_INLINE = 2**31 - 2**24


@dataclass
class Report:
    """What was written, and how far it is from this package's numbers.

    inputs, outputs  shapes by name; open sizes are words
    comparisons      by ONNX Runtime, empty where it is not installed or was not asked
    why_fixed        why the batch size is fixed although it need not be, or ""
    notes            what else there is to say, a sentence each
    """

    path: str
    nodes: int
    size: int
    opset: int
    inputs: dict[str, tuple[Dim, ...]]
    outputs: dict[str, tuple[Dim, ...]]
    why_fixed: str = ""
    notes: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    runtime: str = ""

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.nodes} nodes, {self.size / 1e6:.1f} MB of constants, opset {self.opset}"
        ]
        lines += [f"input  {name} {_shape(shape)}" for name, shape in self.inputs.items()]
        lines += [f"output {name} {_shape(shape)}" for name, shape in self.outputs.items()]
        if self.why_fixed:
            lines.append(f"the batch size is fixed: {self.why_fixed}")
        lines += self.notes
        lines += [str(comparison) for comparison in self.comparisons]
        lines.append(
            f"checked by onnx and by {self.runtime}"
            if self.comparisons
            else "checked by onnx; not run: "
            + (self.runtime or "pip install onnxruntime to compare the numbers")
        )
        return "\n".join(lines)


class _Wrapper(Protocol):
    """A net as pycaffe shows it, which is none of this folder's."""

    @property
    def core(self) -> Net: ...


def export_onnx(
    net: Net | _Wrapper,
    path: str | os.PathLike[str],
    *,
    outputs: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    constants: Mapping[str, Sequence[float]] | None = None,
    opset: int = USUAL_OPSET,
    dynamic_batch: bool | None = None,
    dynamic_size: bool = False,
    held: Sequence[str] = (),
    preprocess: Preprocess | None = None,
    external_data: bool | None = None,
    check: bool = True,
    sources: Sequence[str] = (),
) -> Report:
    """Write a net as an ONNX file, all or nothing.

    Args:
        net: a `caffe_compat.Net` (or the core net behind one), best of the TEST phase.
        path: the file to write.
        outputs: blobs to be the outputs; by default those nobody reads, with a softmax or what it judges in
            place of each loss and metric. What they do not need is left out.
        inputs: blobs to be the inputs, wherever in the net they are made, with their shapes as the net stands; by
            default what the data layers make.
        constants: inputs that are none in the file, and their numbers along axis 0, of which the last one goes on to the
            end: {"cont": [0, 1]} where every run begins a sequence.
        opset: the version of ONNX's operators, 13 to the newest that onnx and ONNX Runtime, if installed, know.
        dynamic_batch: whether the batch size stays open. None: where every layer allows it; True: or else fail.
        dynamic_size: leave the height and width of pictures open (the last two of four axes or more), or else fail.
        held: inputs whose batch size stays as it is, unless it can change on its own or `dynamic_batch` is True.
        preprocess: take uint8 pictures and subtract mean and multiply by scale inside the file.
        external_data: put the constants into `<path>.data`; None: if they are too large for one file.
        check: run the file with ONNX Runtime, if it is installed, and compare; see Report.
        sources: files that the net came from; their names and hashes become metadata.

    Raises:
        LayerError: a layer cannot be expressed, or fixes a size that is to be open; names it and the reason.
        NetError: an unknown output or input, or an output that needs other inputs.
        ExportError: the file cannot be written, or its numbers are not the net's.
        MissingExtra: onnx is not installed.

    Source: none in Caffe.
    """
    try:
        from onnx import checker, shape_inference
    except ImportError as error:
        raise MissingExtra("onnx", "writing an ONNX file") from error
    if not OLDEST_OPSET <= opset <= USUAL_OPSET:
        newest, by = newest_opset()
        if not OLDEST_OPSET <= opset <= newest:
            raise ExportError(
                f"opset {opset} is not known; use {OLDEST_OPSET} to {newest}, the newest of {by}"
            )
    plan = make_plan(net if isinstance(net, Net) else net.core, outputs, inputs, constants)
    plan.find_known()
    sizes = open_shapes(plan, dynamic_batch, dynamic_size, held)
    graph = write_graph(plan, sizes, opset, preprocess)
    check_open(plan, sizes, graph, preprocess)
    simplify(graph, list(plan.outputs))
    total = sum(array.nbytes for array in graph.constants.values())
    name = os.fspath(path)
    outside = total > _INLINE if external_data is None else external_data
    if total > _INLINE and not outside:
        raise ExportError(
            f"{name}: not written: {total} bytes of constants are more than the {_INLINE} that one file can hold; "
            "leave external_data out, and they go into a file beside it"
        )
    with beside(name, total) as temporary:
        data = f"{os.path.basename(name)}.data" if outside else ""
        taken, shapes = _ends(graph, plan, sizes)
        model = make_model(graph, plan, taken, shapes, preprocess)
        inside = graph.constants
        if data:
            inside = move_out(graph.constants, model, os.path.join(temporary, data))
        describe(model, plan, preprocess, sources)
        file = os.path.join(temporary, os.path.basename(name))
        with open(file, "wb") as stream:
            stream.writelines(chunks(model, inside))
        try:
            checker.check_model(file, full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise ExportError(f"{name}: not written, for onnx refuses it: {error}") from error
        report = Report(name, len(graph.nodes), total, opset, taken, shapes, sizes.why, _notes(plan, sizes))
        if check:
            try:
                report.comparisons, report.runtime = compare(plan, sizes, file, name, preprocess)
            except Refused as refusal:
                report.runtime = str(refusal)
                if older := _taken(plan, sizes, opset, preprocess):
                    raise ExportError(
                        f"{name}: not written, for {refusal}; use an opset of {OLDEST_OPSET} to {older}, or give "
                        "--no-check"
                    ) from refusal
        else:
            report.runtime = "no check was asked for"
    return report


def _ends(
    graph: Graph, plan: Plan, sizes: Open
) -> tuple[dict[str, tuple[Dim, ...]], dict[str, tuple[Dim, ...]]]:
    """The shapes of the inputs that are read, and of the outputs, by name."""
    read = {value for node in graph.nodes for value in node.reads()} | {*plan.outputs}
    inputs = {name: sizes.shapes[value] for value, name in plan.inputs.items() if name in read}
    return inputs, {name: sizes.shapes[value] for name, value in plan.outputs.items()}


def _taken(plan: Plan, sizes: Open, opset: int, preprocess: Preprocess | None) -> int:
    """The newest older opset in which ONNX Runtime takes the net, or 0."""
    for older in range(opset - 1, OLDEST_OPSET - 1, -1):
        graph = write_graph(plan, sizes, older, preprocess)
        simplify(graph, list(plan.outputs))
        model = make_model(graph, plan, *_ends(graph, plan, sizes), preprocess)
        with suppress(Refused):
            Session(b"".join(map(bytes, chunks(model, graph.constants))))
            return older
    return 0


def _notes(plan: Plan, sizes: Open) -> list[str]:
    notes = [
        f"height and width of {', '.join(plan.name(value) for value in group.axes)}: {group.base} more or less a "
        f"multiple of {group.step}"
        for group in sizes.sizes[::2]
        if group.step > 1
    ]
    notes += [
        f"output '{name}' is called '{new}': an input has its name" for name, new in plan.renamed.items()
    ]
    if plan.unread:
        notes.append(f"left out, as no output needs them: {', '.join(plan.unread)}")
    return notes


def _shape(shape: tuple[Dim, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
