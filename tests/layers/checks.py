"""What every `Case` of a layer is held against."""

import itertools
import pickle
import re
import zlib
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from caffe_compat.errors import LayerError
from caffe_compat.export.onnx import export_onnx
from caffe_compat.export.plan import judges, writes
from caffe_compat.layers.base import TEST, TRAIN, Context, Layer
from caffe_compat.net import Net, weights
from caffe_compat.net.capture import Captured
from caffe_compat.net.lower import Reshaping
from caffe_compat.net.module import module
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests import pretended
from tests.layers.making import Arrays, Case, assert_equal, draws, layer_param, make, run


def check(case: Case) -> None:
    """Shapes, formula, float32 against float64, gradients, caffemodel round trip, in place, ONNX."""
    seed = zlib.crc32(case.name.encode())
    arrays = _bottoms(case)
    shapes = [array.shape for array in arrays]
    layer = make(case.layer, *shapes, phase=case.phase)
    for i, blob in enumerate(layer.blobs.parameters()):
        value = case.blobs[i] if case.blobs is not None else draws(blob.shape, seed + 100 + i)
        assert np.shape(value) == tuple(blob.shape), f"blob {i}"
        blob.data.copy_(torch.as_tensor(value))
    blobs = [blob.detach().clone().numpy() for blob in layer.blobs.parameters()]
    counted = type(layer).multiply_adds is not Layer.multiply_adds
    assert counted or not blobs, "has blobs and does not say what it multiplies: see Layer.multiply_adds"
    wanted = case.formula(*arrays, *blobs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    kept = [array.copy() for array in arrays]

    declared = layer.reshape(*shapes)
    random = torch.get_rng_state()
    tops = run(layer, *map(torch.from_numpy, arrays))
    drew = not torch.equal(torch.get_rng_state(), random)
    assert not drew or (layer.is_random and layer.random_reason()), "draws numbers: see Layer.random_reason"
    assert [tuple(top.shape) for top in tops] == [tuple(shape) for shape in declared]
    assert len(tops) == len(wanted)
    for i, (top, want) in enumerate(zip(tops, wanted, strict=True)):
        assert top.dtype == torch.float64
        np.testing.assert_allclose(top.detach().numpy(), want, rtol=1e-9, atol=1e-11, err_msg=f"top {i}")
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before, err_msg="forward changed a bottom")

    single = make(case.layer, *shapes, phase=case.phase, dtype=torch.float32)
    for blob, value in zip(single.blobs.parameters(), blobs, strict=True):
        blob.data.copy_(torch.from_numpy(value))
    for i, (top, want) in enumerate(
        zip(run(single, *(torch.tensor(a, dtype=torch.float32) for a in arrays)), wanted, strict=True)
    ):
        assert top.dtype == torch.float32
        assert_equal(top, want, f"float32 top {i}")

    _check_device(case, arrays, blobs)
    if case.diffs is not None:
        _check_diffs(case, layer, arrays, blobs)
    elif case.gradient != ():
        _check_gradient(case, layer, arrays)
    if blobs:
        _check_round_trip(case, shapes, blobs)
    if layer.in_place and len(arrays) == len(tops) == 1 and tops[0].shape == shapes[0]:
        _check_in_place(case, arrays[0], blobs)
    if layer.per_record() and all(array.ndim for array in arrays):
        _check_records_apart(case, arrays, blobs)
    if case.onnx and writes(layer) and not judges(layer):
        _check_onnx(case, arrays, blobs, wanted)


def check_compiles(case: Case) -> None:
    """torch.compile takes the layer as one graph, without reading a value, and gives the same tops."""

    def backend(graph: Any, _: Any) -> Any:
        for node in graph.graph.nodes:
            if "argmax" in str(node.target) and node.args[0].meta["example_value"].dtype.itemsize == 1:
                raise AssertionError(
                    "torch 2.13 compiles the argmax of bytes so that it is any number if all are 0"
                )
        return graph

    arrays = _bottoms(case)
    layer = make(case.layer, *(array.shape for array in arrays), phase=case.phase)
    torch.compiler.reset()
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    results = []
    for function in (layer, compiled):
        torch.manual_seed(1)
        tops = function(*_leaves(case, arrays))
        results.append((tops,) if isinstance(tops, Tensor) else tops)
    for eager, top in zip(*results, strict=True):
        torch.testing.assert_close(top, eager, equal_nan=True)


def check_captures(case: Case) -> None:
    """As a CUDA graph the layer gives the same for one batch after another, with what it carries on between them."""
    arrays = _bottoms(case)
    if not arrays or (pretended.real() and _draws_at_random(case, arrays)):
        return
    wanted = [leaf.requires_grad for leaf in _leaves(case, arrays)]
    results: list[list[Tensor]] = []
    for captured in (False, True):
        with pretended.cuda():
            layer = make(case.layer, *(array.shape for array in arrays), phase=case.phase).to("cuda")
            if layer.dynamic or layer.on_host:
                return

            def passes(*bottoms: Tensor, layer: Layer = layer) -> list[Tensor]:
                leaves = [b.detach().requires_grad_(want) for b, want in zip(bottoms, wanted, strict=True)]
                layer.zero_grad()
                tops = run(layer, *leaves)
                live = [] if case.gradient == () else [top for top in tops if top.requires_grad]
                torch.autograd.backward(live, [torch.ones_like(top) for top in live])
                values = [*tops, *(t.grad for t in (*leaves, *layer.parameters()) if t.grad is not None)]
                return [value.detach() for value in values]

            call = Captured(passes) if captured else lambda batch: passes(*batch)
            torch.manual_seed(5)
            found: list[Tensor] = []
            for count in range(5):
                batch = [torch.from_numpy(a[::-1].copy() if a.ndim and count % 2 else a) for a in arrays]
                found += [value.cpu() for value in call([bottom.to("cuda") for bottom in batch])]
            results.append(found + [blob.detach().cpu() for blob in layer.parameters()])
    torch.testing.assert_close(*results, equal_nan=True)


def check_module(case: Case) -> None:
    """In a module the layer gives in either mode what it gives in a net of that phase; a pickled copy does, too."""
    arrays = _bottoms(case)
    nets: dict[int, Net] = {}
    for phase in (TRAIN, TEST):
        with suppress(LayerError):  # some layers are for one phase only
            nets[phase] = _net_of(case, arrays, phase)
    for born, phase in itertools.product(nets, repeat=2):
        made = module(nets[born]).train(phase == TRAIN)
        made = pickle.loads(pickle.dumps(made))  # has blobs of its own
        net = _net_of(case, arrays, phase)
        results = []
        for function in (made, Reshaping(net.graph).run):
            torch.manual_seed(3)
            results.append(function(*map(torch.from_numpy, arrays)))
        torch.testing.assert_close(*results, equal_nan=True)
        torch.testing.assert_close(made.state_dict(), module(net).state_dict(), equal_nan=True)


def _net_of(case: Case, arrays: Arrays, phase: int) -> Net:
    """The layer behind Input layers, with the same blobs in every phase."""
    net_param = NetParameter()
    net_param.state.phase = phase
    param = layer_param(case.layer, len(arrays))
    for name, array in zip(param.bottom, arrays, strict=True):
        source = net_param.layer.add(name=f"in_{name}", type="Input", top=[name])
        source.input_param.shape.add(dim=array.shape)
    net_param.layer.add().CopyFrom(param)
    net = Net(net_param, context=Context(torch.Generator().manual_seed(1), dtype=torch.float64))
    for i, blob in enumerate(net.layers[-1].owned_blobs()):
        value = draws(blob.shape, i) if case.blobs is None else case.blobs[i]
        blob.data.copy_(torch.as_tensor(value))
    return net


def _bottoms(case: Case) -> list[np.ndarray]:
    seed = zlib.crc32(case.name.encode())
    return [
        draws(b, seed + i) if isinstance(b, tuple) else np.asarray(b, np.float64)
        for i, b in enumerate(case.bottoms)
    ]


def _leaves(case: Case, arrays: Arrays) -> list[Tensor]:
    wanted = range(len(arrays)) if case.gradient is None else case.gradient
    return [torch.tensor(array, requires_grad=i in wanted) for i, array in enumerate(arrays)]


def _check_diffs(case: Case, layer: Layer, arrays: Arrays, blobs: Arrays) -> None:
    leaves = _leaves(case, arrays)
    tops = run(layer, *leaves)
    diffs = [draws(top.shape, 7 + i) for i, top in enumerate(tops)]
    live = [i for i, top in enumerate(tops) if top.requires_grad]
    torch.autograd.backward([tops[i] for i in live], [torch.from_numpy(diffs[i]) for i in live])
    wanted = case.diffs(diffs, *arrays, *blobs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for i, (leaf, want) in enumerate(zip([t for t in leaves if t.requires_grad], wanted, strict=True)):
        np.testing.assert_allclose(leaf.grad.numpy(), want, rtol=1e-9, atol=1e-11, err_msg=f"gradient {i}")


def _check_gradient(case: Case, layer: Layer, arrays: Arrays) -> None:
    leaves = _leaves(case, arrays)
    names = [name for name, blob in layer.named_parameters() if blob.requires_grad]

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        bottoms, values = tensors[: len(leaves)], tensors[len(leaves) :]
        tops = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), bottoms)
        return (tops,) if isinstance(tops, Tensor) else tuple(tops)

    values = [blob.detach().clone().requires_grad_() for blob in layer.parameters() if blob.requires_grad]
    state = [blob.detach().clone() for blob in layer.parameters()]
    assert torch.autograd.gradcheck(function, (*leaves, *values), fast_mode=False)
    for blob, value in zip(layer.parameters(), state, strict=True):
        blob.data.copy_(value)


def _check_device(case: Case, arrays: Arrays, blobs: Arrays) -> None:
    """On a GPU the layer gives the same, forward and backward; it waits for the GPU only where it must."""
    results = []
    for place in (nullcontext(), pretended.cuda()):
        with place as device:
            layer = make(case.layer, *(array.shape for array in arrays), phase=case.phase)
            for blob, value in zip(layer.blobs.parameters(), blobs, strict=True):
                blob.data.copy_(torch.from_numpy(value))
            leaves = _leaves(case, arrays)
            if device is not None:
                layer.to("cuda")
                leaves = [leaf.detach().to("cuda").requires_grad_(leaf.requires_grad) for leaf in leaves]
            torch.manual_seed(5)
            with nullcontext() if device is None or layer.dynamic else device.no_waiting():
                tops = run(layer, *leaves)
                live = [] if case.gradient == () else [top for top in tops if top.requires_grad]
                torch.autograd.backward(live, [torch.ones_like(top) for top in live])
            learned = list(layer.parameters())
            values = [*tops, *learned, *(t.grad for t in (*leaves, *learned) if t.grad is not None)]
            assert device is None or all(value.device.type == "cuda" for value in values)
            results.append([value.detach().cpu() for value in values])
    if pretended.real() and _draws_at_random(case, arrays):
        return  # a GPU draws other numbers
    for alone, there in zip(*results, strict=True):
        torch.testing.assert_close(there, alone, equal_nan=True)


def _draws_at_random(case: Case, arrays: Arrays) -> bool:
    found = []
    for seed in (5, 6):
        layer = make(case.layer, *(array.shape for array in arrays), phase=case.phase)
        torch.manual_seed(seed)
        found.append(run(layer, *map(torch.from_numpy, arrays)))
    return not all(map(torch.equal, *found))


def _check_round_trip(case: Case, shapes: Sequence[Sequence[int]], blobs: Arrays) -> None:
    """The blobs come back from a caffemodel bit for bit."""
    nets = []
    for _ in range(2):
        param = _net_param(case.layer, shapes)
        param.state.phase = case.phase
        nets.append(Net(param))
    saved, loaded = (net.layers[-1].blobs.parameters() for net in nets)
    for blob, value in zip(nets[0].layers[-1].blobs.parameters(), blobs, strict=True):
        blob.data.copy_(torch.from_numpy(value))
    with TemporaryDirectory() as folder:
        weights.save(nets[0], f"{folder}/case.caffemodel")
        weights.copy_trained_layers_from(nets[1], f"{folder}/case.caffemodel")
    for blob, want in zip(loaded, saved, strict=True):
        assert torch.equal(blob, want)


def _check_in_place(case: Case, bottom: np.ndarray, blobs: Arrays) -> None:
    """A net where the layer writes over a blob that another layer made gives the same values and gradients."""
    results = []
    for top in ("y", "x0"):
        text = re.sub(r'(bottom|top): "\w+"', "", case.layer) + f' bottom: "x0" top: "{top}"'
        param = _net_param(text, [bottom.shape], through="Power")
        param.state.phase = case.phase
        net = Net(param, context=Context(dtype=torch.float64))
        for blob, value in zip(net.layers[-1].blobs.parameters(), blobs, strict=True):
            blob.data.copy_(torch.from_numpy(value))
        runner = net.layerwise
        runner.data("in0").copy_(torch.as_tensor(bottom))
        torch.manual_seed(3)
        runner.forward()
        runner.diff(top).copy_(torch.from_numpy(draws(bottom.shape, 5)))
        if case.gradient != ():
            runner.backward()
        results.append((runner.data(top), runner.diff("in0")))
    (apart, apart_diff), (placed, placed_diff) = results
    assert torch.equal(apart, placed)
    assert torch.equal(apart_diff, placed_diff)


def _check_records_apart(case: Case, arrays: Arrays, blobs: Arrays) -> None:
    """A layer that says `per_record` gives the rows of two replicas at once what it gives each one's alone."""
    shapes = [array.shape for array in arrays]
    layers = []
    for rank in (None, 0, 1):
        layers.append(make(case.layer, *shapes, phase=case.phase, replicas=2, rank=rank))
        for blob, value in zip(layers[-1].blobs.parameters(), blobs, strict=True):
            blob.data.copy_(torch.from_numpy(value))
    both, *ranks = layers
    each = [[torch.from_numpy(array[::step].copy()) for array in arrays] for step in (1, -1)]
    torch.manual_seed(7)
    together = run(both, *(torch.stack(rows, 1).flatten(0, 1) for rows in zip(*each, strict=True)))
    tops = []
    for alone, bottoms in zip(ranks, each, strict=True):
        torch.manual_seed(7)
        tops.append(run(alone, *bottoms))
    for replica, own in enumerate(tops):
        for top, whole in zip(own, together, strict=True):
            torch.testing.assert_close(whole[replica::2], top, equal_nan=True)


def _check_onnx(case: Case, arrays: Arrays, blobs: Arrays, wanted: Arrays) -> None:
    """ONNX Runtime gets the formula's numbers out of an exported file; or the export is refused, as the case says."""
    import onnxruntime  # late: files that only use other parts of this module do not need it

    param = _net_param(case.layer, [array.shape for array in arrays])
    param.state.phase = case.phase
    net = Net(param)
    for blob, value in zip(net.layers[-1].blobs.parameters(), blobs, strict=True):
        blob.data.copy_(torch.from_numpy(value))
    tops = list(param.layer[-1].top)
    with TemporaryDirectory() as folder:
        if isinstance(case.onnx, str):
            with pytest.raises(LayerError, match=case.onnx):
                export_onnx(net, f"{folder}/case.onnx", outputs=tops, check=False)
            return
        export_onnx(net, f"{folder}/case.onnx", outputs=tops, check=False)
        session = onnxruntime.InferenceSession(f"{folder}/case.onnx")
    feeds = {value.name: arrays[int(value.name[1:])].astype(np.float32) for value in session.get_inputs()}
    for i, (top, want) in enumerate(zip(session.run(tops, feeds), wanted, strict=True)):
        assert_equal(top, want, f"ONNX Runtime's top {i}")


def _net_param(text: str, shapes: Sequence[Sequence[int]], through: str = "Input") -> Any:
    """A net of the layer `text` on inputs x0 x1 ..., or on what a layer of type `through` makes of in0."""
    layers = ["force_backward: true"]
    for i, shape in enumerate(shapes):
        dims = " ".join(f"dim: {n}" for n in shape)
        name = f"x{i}" if through == "Input" else f"in{i}"
        layers.append(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        )
    if through != "Input":
        layers.append(f'layer {{ name: "before" type: "{through}" bottom: "in0" top: "x0" }}')
    net = parse("\n".join(layers), NetParameter, "test.prototxt")
    net.layer.append(layer_param(text, len(shapes)))
    return net
