"""Speed changed no number: the graph that trains gives what the plain one gives, and so does the one that tests, on the project's nets and random ones."""

import os

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from caffe_compat.layers.base import Context
from caffe_compat.net.fuse import PASSES, fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, NetParameter, text

PROTOTXT = os.path.join(os.path.dirname(__file__), "..", "..", "prototxt")
NETS = sorted(name for name in os.listdir(PROTOTXT) if name.endswith(".prototxt") and "solver" not in name)


def numbers(param, phase, layout, plain, replicas=1, gradients=True):
    """Loss, outputs, blobs and gradients after two passes over fixed records."""
    dtype = torch.float64
    param.state.phase = phase
    context = Context(
        torch.Generator().manual_seed(1), replicas=replicas, rank=None if replicas > 1 else 0, dtype=dtype
    )
    net = Net(param, context=context)
    graph = fuse(lower(net.wiring), off=PASSES if plain else (), gradients=gradients)
    draw = torch.Generator().manual_seed(2)
    found = []
    for _ in range(2):
        shapes = [
            net.blob_shapes[top]
            for layer, tops in zip(net.layers, net.top_names, strict=True)
            if layer.is_data
            for top in tops
        ]
        inputs = [
            torch.randn(replicas * shape[0], *shape[1:], generator=draw, dtype=dtype)
            if len(shape) == 4
            else torch.randint(0, 3, (replicas * shape[0], *shape[1:]), generator=draw).to(dtype)
            for shape in shapes
        ]
        with torch.set_grad_enabled(gradients):
            loss, outputs, *_ = graph(
                *(x.contiguous(memory_format=layout) if x.dim() == 4 else x for x in inputs)
            )
        if loss.requires_grad:
            loss.backward()
        found += [loss.detach(), *(value.detach() for value in outputs.values())]
    found += [blob.detach() for layer in net.layers for blob in layer.owned_blobs()]
    if not gradients:
        return found
    # A bias that a normalisation takes off again has no gradient in the fused graph, and one of 0 in the plain one.
    learned = [blob.tensor for blob in net.learned]
    return found + [torch.zeros_like(blob) if blob.grad is None else blob.grad for blob in learned]


def check(param, phase, replicas=1):
    def copy():
        return NetParameter.FromString(param.SerializeToString())

    plain = numbers(copy(), phase, torch.contiguous_format, True, replicas)
    assert all(torch.isfinite(value).all() for value in plain)
    for gradients in (True, False) if phase == TEST else (True,):
        for layout in (torch.contiguous_format, torch.channels_last):
            found = numbers(copy(), phase, layout, False, replicas, gradients)
            assert len(found) == len(plain) or not gradients
            for ours, theirs in zip(found, plain, strict=False):
                scale = max(1.0, float(theirs.abs().max())) if theirs.numel() else 1.0
                torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * scale)


def with_inputs(param, batch):
    """The net with Input layers in the place of its data sources, and small batches of zeros beside them."""
    for layer in param.layer:
        if layer.type == "Data":
            shapes = [
                (
                    batch,
                    1 if "mnist" in layer.data_param.source else 3,
                    *(2 * [28 if "mnist" in layer.data_param.source else 32]),
                ),
                (batch,),
            ]
            layer.type = "Input"
            layer.ClearField("data_param")
            layer.ClearField("transform_param")
            for shape in shapes:
                layer.input_param.shape.add(dim=shape)
        elif layer.type == "DummyData":
            for shape in layer.dummy_data_param.shape:
                shape.dim[0] = batch
    return param


@pytest.mark.parametrize("name", [n for n in NETS if n in ("lenet.prototxt", "resnet20.prototxt")])
@pytest.mark.parametrize(("phase", "replicas"), [(TRAIN, 1), (TEST, 1), (TRAIN, 2)])
def test_nets(name, phase, replicas):
    check(with_inputs(text.read_net(os.path.join(PROTOTXT, name)), 4), phase, replicas)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_all_nets(name):
    param = with_inputs(text.read_net(os.path.join(PROTOTXT, name)), 3)
    for layer in param.layer:  # random masks differ from run to run
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    check(param, TRAIN)


CONVOLUTION = 'convolution_param { num_output: %d kernel_size: %d pad: %d stride: %d bias_term: %s weight_filler { type: "msra" } }'


@st.composite
def nets(draw):
    """A chain of layers, each perhaps in place, with sums of equal shapes and concatenations of earlier blobs on the way."""
    batch, channels, size = draw(st.integers(3, 5)), draw(st.integers(2, 6)), draw(st.integers(6, 9))
    shape = f"dim: {batch} dim: {channels} dim: {size} dim: {size + 1}"
    shapes = f"shape {{ {shape} }} shape {{ dim: {batch} }}"
    lines = [f'layer {{ name: "in" type: "Input" top: "x" top: "label" input_param {{ {shapes} }} }}']
    top, history = "x", [("x", channels, size, size + 1)]
    for i in range(draw(st.integers(2, 9))):
        kind = draw(
            st.sampled_from(
                [
                    "Convolution",
                    "BatchNorm",
                    "BatchNorm+Scale",
                    "ReLU",
                    "Leaky",
                    "Eltwise",
                    "Concat",
                    "Pooling",
                    "Power",
                    "Scale",
                ]
            )
        )
        _, c, h, w = history[-1]
        bottoms, param, shape = [top], "", (c, h, w)
        name, new = f"l{i}", f"b{i}"
        in_place = top != "x" and draw(st.booleans())
        if kind == "Convolution":
            kernel, stride = draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 1, 2]))
            outputs, pad = draw(st.integers(2, 6)), kernel // 2
            param = CONVOLUTION % (outputs, kernel, pad, stride, draw(st.sampled_from(["true", "false"])))
            shape, in_place = (outputs, *((n + 2 * pad - kernel) // stride + 1 for n in (h, w))), False
        elif kind == "BatchNorm":
            param = "batch_norm_param { moving_average_fraction: 0.9 }"
        elif kind == "BatchNorm+Scale":
            lines.append(
                f'layer {{ name: "{name}n" type: "BatchNorm" bottom: "{top}" top: "{top if in_place else new}" }}'
            )
            kind, bottoms, in_place = "Scale", [top if in_place else new], True
            bias = draw(st.sampled_from(["true", "false"]))
            param = f'scale_param {{ bias_term: {bias} filler {{ type: "uniform" min: 0.5 max: 2 }} }}'
        elif kind == "Scale":
            param = 'scale_param { filler { type: "uniform" min: 0.5 max: 2 } }'
        elif kind == "Leaky":
            kind, param = "ReLU", "relu_param { negative_slope: 0.1 }"
        elif kind == "Power":
            param = f"power_param {{ scale: {draw(st.sampled_from([1, 0.5]))} shift: {draw(st.sampled_from([0, 1]))} }}"
        elif kind == "Eltwise":
            equal = [n for n, *s in history if tuple(s) == shape]
            bottoms, in_place = [top, draw(st.sampled_from(equal))], False
            param = draw(
                st.sampled_from(
                    ["", "eltwise_param { coeff: 1 coeff: -0.5 }", "eltwise_param { operation: MAX }"]
                )
            )
        elif kind == "Concat":
            other, c2, *_ = draw(st.sampled_from([s for s in history if tuple(s[2:]) == (h, w)]))
            bottoms, shape, in_place = [top, other], (c + c2, h, w), False
        elif kind == "Pooling":
            if min(h, w) < 3:
                continue
            method = draw(st.sampled_from(["MAX", "AVE"]))
            param = f"pooling_param {{ pool: {method} kernel_size: 2 stride: 2 }}"
            shape, in_place = (c, -(-(h - 2) // 2) + 1, -(-(w - 2) // 2) + 1), False
        target = bottoms[0] if in_place else new
        inputs = " ".join(f'bottom: "{b}"' for b in bottoms)
        lines.append(f'layer {{ name: "{name}" type: "{kind}" {inputs} top: "{target}" {param} }}')
        if in_place:
            history = [s for s in history if s[0] != target]
        history.append((target, *shape))
        top = target
    lines.append(
        f'layer {{ name: "ip" type: "InnerProduct" bottom: "{top}" top: "y" '
        'inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }'
    )
    lines.append('layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }')
    return "\n".join(lines)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nets(), st.sampled_from([(TRAIN, 1), (TEST, 1), (TRAIN, 3)]))
def test_random_nets(text_, how):
    check(text.parse(text_, NetParameter, "random.prototxt"), *how)
