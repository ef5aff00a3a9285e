"""Nets as ONNX files: every layer writes its own nodes, under Caffe's names."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from caffe_compat import __version__
from caffe_compat.errors import ExportError, MissingExtra
from caffe_compat.export.check import Comparison, Refused, Session, compare, newest_opset
from caffe_compat.export.graph import Body, Graph, Node, first_difference
from caffe_compat.export.plan import Plan, Value, judges, make_plan
from caffe_compat.export.preprocess import Preprocess
from caffe_compat.export.simplify import simplify
from caffe_compat.export.sizes import Open, open_shapes
from caffe_compat.layers.base import ONNX_FLOAT, Dim, Layer
from caffe_compat.proto.binary import head, is_stream
from caffe_compat.proto.text import to_text

OLDEST_OPSET, USUAL_OPSET = 13, 18
_UINT8 = 2  # TensorProto's data type
_INLINE = (
    2**31 - 2**24
)  # bytes of constants that a file can hold itself: protobuf's limit, less some for the rest
_SMALL = 1024  # constants below this many bytes stay in the file even so


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


def export_onnx(
    net: Any,
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
    onnx = _onnx()
    if not OLDEST_OPSET <= opset <= USUAL_OPSET:
        newest, by = newest_opset()
        if not OLDEST_OPSET <= opset <= newest:
            raise ExportError(
                f"opset {opset} is not known; use {OLDEST_OPSET} to {newest}, the newest of {by}"
            )
    plan = make_plan(getattr(net, "core", net), outputs, inputs, constants)
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
    with _beside(name, total) as temporary:
        data = f"{os.path.basename(name)}.data" if outside else ""
        taken, shapes = _ends(graph, plan, sizes)
        model = _model(onnx, graph, plan, taken, shapes, preprocess)
        inside = graph.constants
        if data:
            inside = _move_out(onnx, graph.constants, model, os.path.join(temporary, data))
        _describe(model, plan, preprocess, sources)
        file = os.path.join(temporary, os.path.basename(name))
        with open(file, "wb") as stream:
            stream.writelines(_chunks(onnx, model, inside))
        try:
            onnx.checker.check_model(file, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ExportError(f"{name}: not written, for onnx refuses it: {error}") from error
        report = Report(name, len(graph.nodes), total, opset, taken, shapes, sizes.why, _notes(plan, sizes))
        if check:
            try:
                report.comparisons, report.runtime = compare(plan, sizes, file, name, preprocess)
            except Refused as refusal:
                report.runtime = str(refusal)
                if older := _taken(onnx, plan, sizes, opset, preprocess):
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


def _taken(onnx: Any, plan: Plan, sizes: Open, opset: int, preprocess: Preprocess | None) -> int:
    """The newest older opset in which ONNX Runtime takes the net, or 0."""
    for older in range(opset - 1, OLDEST_OPSET - 1, -1):
        graph = write_graph(plan, sizes, older, preprocess)
        simplify(graph, list(plan.outputs))
        model = _model(onnx, graph, plan, *_ends(graph, plan, sizes), preprocess)
        with suppress(Refused):
            Session(b"".join(map(bytes, _chunks(onnx, model, graph.constants))))
            return older
    return 0


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.shape_inference
    except ImportError as error:
        raise MissingExtra("onnx", "writing an ONNX file") from error
    return onnx


# -- the layers' nodes --------------------------------------------------------------------------


def write_graph(plan: Plan, sizes: Open, opset: int, preprocess: Preprocess | None = None) -> Graph:
    """Every needed layer's nodes, not yet simplified."""
    net = plan.net
    names: dict[Value, str] = {value: name for name, value in plan.outputs.items()} | plan.inputs
    kept = {*plan.outputs, *plan.inputs.values()}
    last = {name: (i, k) for i in plan.layers for k, name in enumerate(net.top_names[i])}
    graph = Graph(opset, {*net.blob_names, *plan.outputs})
    for value, name in plan.inputs.items():
        graph.shapes[name] = sizes.shapes[value]
    for value, numbers in plan.fills.items():
        graph.layer = net.layers[value[0]]
        names[value] = _fill(graph, plan, sizes, value, numbers)
        graph.values[names[value]] = plan.known[value]
    if preprocess is not None:
        value, name = preprocess.choose(plan)
        graph.layer = net.layers[value[0]]
        names[value] = preprocess.write(graph, name)
        graph.shapes[names[value]] = sizes.shapes[value]
    for i in plan.layers:
        layer = graph.layer = net.layers[i]
        if plan.is_input(i):
            continue
        for k, name in enumerate(net.top_names[i]):
            if (i, k) not in names:  # in place, the last one has the blob's name, unless an input has it
                head = name if last.get(name) == (i, k) and name not in kept else f"{name}_{layer.name}"
                names[i, k] = head if head == name else graph.unique(head)
            graph.shapes[names[i, k]] = sizes.shapes[i, k]
            if (i, k) in plan.known:
                graph.values[names[i, k]] = plan.known[i, k]
        tops = [names[i, k] for k in range(len(net.top_names[i]))]
        tops = [graph.unique(top) if (i, k) in plan.inputs else top for k, top in enumerate(tops)]
        bottoms = [names[value] for value in plan.bottoms(i)]
        try:
            layer.to_onnx(graph, bottoms, tops[-1:] if judges(layer) else tops)
        except TypeError:  # it reckons with sizes that are words
            if not sizes.sizes:
                raise
            _fixes_size(layer)
    for name, value in plan.outputs.items():  # an input as it is, or one value under two names
        if names[value] != name:
            graph.layer = net.layers[value[0]]
            graph.node("Identity", [names[value]], [name])
    graph.layer = None
    return graph


def check_open(plan: Plan, sizes: Open, graph: Graph, preprocess: Preprocess | None) -> None:
    """Raise LayerError for a layer whose nodes hold sizes that are to stay open: of other sizes it writes others."""
    if not sizes.sizes:
        return
    base = plan.input_shapes()
    for larger in (1, 2, 5):
        with plan.undisturbed():
            plan.propagate(sizes.resized(base, lambda group, n=larger: group.base + n * group.step))  # type: ignore[misc]
            other = write_graph(plan, sizes, graph.opset, preprocess)
        node = first_difference(graph, other)
        if node is not None:
            _fixes_size(node.layers[0])


def _fixes_size(layer: Layer) -> NoReturn:
    layer.fail(
        "cannot be exported for pictures of any size: what its `to_onnx` writes is for one size; leave --dynamic-size out"
    )


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


def _fill(graph: Graph, plan: Plan, sizes: Open, value: Value, numbers: np.ndarray) -> str:
    """One number, or one for each row, in the shape of a blob, as large as the inputs that it goes with."""
    name, shape = plan.name(value), sizes.shapes[value]
    lengths = [graph.constant([size]) if isinstance(size, int) else "" for size in shape]
    if value in sizes.axes:
        other = next(v for v in plan.inputs if sizes.word(v) == sizes.word(value))
        lengths[sizes.axes[value]] = graph.size(plan.inputs[other], sizes.axes[other])
        whole = graph.node("Concat", lengths, axis=0)
    else:
        whole = graph.constant([int(size) for size in shape])
    graph.shapes[name] = shape
    if not numbers.ndim:
        graph.fills[name] = float(numbers)
    return graph.node("Expand", [graph.constant(numbers), whole], [name])


# -- ONNX's messages ----------------------------------------------------------------------------


def _model(
    onnx: Any,
    graph: Graph,
    plan: Plan,
    inputs: dict[str, tuple[Dim, ...]],
    outputs: dict[str, tuple[Dim, ...]],
    preprocess: Preprocess | None,
) -> Any:
    """The model without its constants."""
    helper = onnx.helper
    pictures = preprocess.choose(plan)[1] if preprocess is not None else None
    values = {
        name: helper.make_tensor_value_info(name, _UINT8 if name == pictures else ONNX_FLOAT, shape)
        for name, shape in {**graph.shapes, **inputs, **outputs}.items()
    }
    made = {name for node in graph.nodes for name in node.outputs}
    body = helper.make_graph(
        [_node(onnx, node, name) for node, name in zip(graph.nodes, _node_names(graph), strict=True)],
        plan.net.name or "net",
        [values[name] for name in inputs],
        [values[name] for name in outputs],
        value_info=[info for name, info in values.items() if name in made and name not in outputs],
    )
    imports = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(
        body,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="caffe_compat",
        producer_version=__version__,
    )


def _node(onnx: Any, node: Node, name: str) -> Any:
    attributes = {
        key: _body(onnx, value, f"{name}/{key}") if isinstance(value, Body) else value
        for key, value in node.attributes.items()
    }
    words = "; ".join(_describe_layer(layer) for layer in node.layers)
    return onnx.helper.make_node(node.op_type, node.inputs, node.outputs, name, words, **attributes)


def _body(onnx: Any, body: Body, name: str) -> Any:
    helper = onnx.helper
    nodes = [_node(onnx, node, f"{name}/{i}") for i, node in enumerate(body.nodes)]
    inputs, outputs = (
        [helper.make_value_info(value, helper.make_tensor_type_proto(ONNX_FLOAT, None)) for value in values]
        for values in (body.inputs, body.outputs)
    )
    return helper.make_graph(nodes, name, inputs, outputs)


def _tensor(onnx: Any, name: str, array: np.ndarray, **values: Any) -> Any:
    """The message about a constant, without its numbers; `values` may say where they are."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.TensorProto(name=name, dims=array.shape, data_type=kind, **values)


def _chunks(onnx: Any, model: Any, constants: dict[str, np.ndarray]) -> list[Any]:
    """The bytes of the model's file, `constants` added to its own.

    Their numbers come straight from the arrays: through messages they would be copied four times.
    """
    initializer = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
    raw_data = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
    body = [model.graph.SerializeToString()]
    for name, array in constants.items():
        numbers = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        words = _tensor(onnx, name, array).SerializeToString() + head(raw_data, array.nbytes)
        body += [head(initializer, len(words) + array.nbytes), words, numbers]
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    rest.ClearField("graph")
    graph = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
    return [rest.SerializeToString(), head(graph, sum(map(len, body))), *body]


def _node_names(graph: Graph) -> list[str]:
    """A layer's name for the last of its nodes, `layer/Operator` for those before."""
    last = {node.layers[0].name: i for i, node in enumerate(graph.nodes) if node.layers}
    names: list[str] = []
    taken: set[str] = set()
    for i, node in enumerate(graph.nodes):
        layer = node.layers[0].name if node.layers else "preprocess"
        name = layer if last.get(layer) == i else f"{layer}/{node.op_type}"
        count, candidate = 1, name
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate)
        names.append(candidate)
    return names


def _describe_layer(layer: Layer) -> str:
    place = f", {layer.param.origin}" if layer.param.origin else ""
    return f"{layer.name} ({layer.type}){place}"


def _describe(model: Any, plan: Plan, preprocess: Preprocess | None, sources: Sequence[str]) -> None:
    """What the file came from, as metadata."""
    net = plan.net
    entries = {"caffe.net": net.name, "caffe.phase": "TRAIN" if net.phase == 0 else "TEST"}
    if net.param.state.level:
        entries["caffe.level"] = str(net.param.state.level)
    if any(net.param.state.stage):
        entries["caffe.stage"] = ",".join(net.param.state.stage)
    if plan.inputs:
        entries["caffe.channels"] = "BGR, as Caffe reads pictures"
    for value, name in plan.inputs.items():
        param = net.layers[value[0]].param
        if param.HasField("transform_param"):
            entries[f"caffe.transform_param.{name}"] = to_text(param.transform_param).strip()
    if preprocess is not None:
        entries["caffe.preprocess"] = str(preprocess)
    for path in sources:
        entries[f"source.{os.path.basename(path)}"] = f"sha256:{_sha256(path)}"
    for key, words in entries.items():
        model.metadata_props.add(key=key, value=words)


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise ExportError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def _move_out(onnx: Any, constants: dict[str, np.ndarray], model: Any, path: str) -> dict[str, np.ndarray]:
    """Write the large constants to the file `path` and note in the model where each is; returns the small ones."""
    small = {}
    with open(path, "wb") as file:
        for name, array in constants.items():
            if array.nbytes < _SMALL:
                small[name] = array
                continue
            tensor = _tensor(onnx, name, array, data_location=onnx.TensorProto.EXTERNAL)
            file.write(b"\0" * (-file.tell() % 64))
            place = {"location": os.path.basename(path), "offset": file.tell(), "length": array.nbytes}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(np.ascontiguousarray(array).data)
            model.graph.initializer.append(tensor)
    return small


# -- the file -----------------------------------------------------------------------------------


@contextmanager
def _beside(path: str, size: int) -> Iterator[str]:
    """A folder beside `path` whose files take their places there at the end, if all went well.

    Raises ExportError for any OSError; then nothing has changed.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        if os.path.isdir(path) or is_stream(path):
            raise OSError(f"it is a {'folder' if os.path.isdir(path) else 'device, not a file'}")
        temporary = tempfile.mkdtemp(prefix=".onnx-", dir=folder)
        try:
            yield temporary
            # The constants first: a file without them would be broken, one with others is not there yet.
            for name in sorted(os.listdir(temporary), key=lambda name: not name.endswith(".data")):
                with open(os.path.join(temporary, name), "rb") as file:
                    os.fsync(file.fileno())
                os.replace(os.path.join(temporary, name), os.path.join(folder, name))
        finally:
            shutil.rmtree(temporary)
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be written ({size} bytes of constants): {error.strerror or error}; "
            "write to a folder that exists, that you may write to, with enough space"
        ) from error


def _shape(shape: tuple[Dim, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
