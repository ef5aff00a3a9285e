"""The fused graph computes what the plain one computes, and the layer-wise run too."""

import pytest
import torch

from caffe_compat.layers.base import Context
from caffe_compat.net.fuse import PASSES, fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, NetParameter, text
from tests.net.block import NET, batch, gradients, make, state


def test_the_pair_becomes_one_node():
    targets = [node.target for node in make().graph.graph.nodes if node.op == "call_module"]
    assert "sc1_fused" in targets and "sc2_fused" in targets
    assert not {"bn1", "sc1", "bn2", "sc2"} & set(targets)


def test_a_normalisation_that_another_layer_reads_stays():
    param = text.parse(
        NET.replace('bottom: "c2" top: "sum"', 'bottom: "raw" bottom: "scaled" top: "sum"'), NetParameter
    )
    for layer in param.layer:
        if layer.name == "bn2":  # the sum reads its top, and so does sc2
            layer.top[0] = "raw"
        elif layer.name == "sc2":
            layer.bottom[0], layer.top[0] = "raw", "scaled"
    param.state.phase = TRAIN
    net = Net(param)
    targets = [node.target for node in net.graph.graph.nodes if node.op == "call_module"]
    assert {"sc1_fused", "bn2_fused", "sc2"} <= set(targets)
    x, label = batch()
    torch.testing.assert_close(
        net.graph(x.float(), label.float())[0],
        fuse(lower(net.wiring), off=PASSES)(x.float(), label.float())[0],
    )


def test_a_layer_may_have_the_name_of_a_fused_node():
    named = NET.replace('name: "ip"', 'name: "sc1_fused"')
    losses = []
    for prototxt in (NET, named):
        param = text.parse(prototxt, NetParameter)
        param.state.phase = TRAIN
        net = Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64))
        losses.append(net.graph(*batch())[0])
    assert losses[0] == losses[1]


def test_sums_and_rectifiers_overwrite_what_nobody_else_reads():
    nodes = list(make().graph.graph.nodes)
    assert [node.target for node in nodes if node.op == "call_function"].count(torch.Tensor.relu_) == 2
    (total,) = (node for node in nodes if node.target is torch.Tensor.add_)
    assert total.args[0].target == "sc2_fused"  # bn1 is read by c2 too


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        ('layer { name: "a" type: "TanH" bottom: "x" top: "a" }', "its backward reads its top"),
        (
            'layer { name: "a" type: "Pooling" bottom: "x" top: "a" pooling_param { kernel_size: 2 } }',
            "as above",
        ),
        (
            'layer { name: "a" type: "Power" bottom: "x" top: "a" power_param { power: 1 } }',
            "it is the bottom itself",
        ),
    ],
)
def test_other_layers_keep_their_tops(head, kept):
    data = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 5 dim: 3 dim: 9 dim: 8 } } }'
    text_ = f'{data} {head} layer {{ name: "r" type: "ReLU" bottom: "a" top: "b" }}'
    param = text.parse(text_, NetParameter)
    param.state.phase = TRAIN
    assert torch.Tensor.relu_ not in {node.target for node in Net(param).graph.graph.nodes}, kept


def test_a_pass_can_be_switched_off():
    net = make()
    plain = fuse(lower(net.wiring), off=PASSES)
    assert {"bn1", "sc1"} <= {node.target for node in plain.graph.nodes}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_virtual_replicas_fused_and_plain_agree_in_float64(layout):
    """3 replicas of 6 records, in both layouts, against the unfused graph of contiguous blobs."""
    runs = []
    for how in ("fused", "plain"):
        net = make(replicas=3)
        graph = net.graph if how == "fused" else fuse(lower(net.wiring), off=PASSES)
        x, label = batch(3)
        loss, *_ = graph(
            x.contiguous(memory_format=layout if how == "fused" else torch.contiguous_format), label
        )
        loss.backward()
        runs.append([loss, *state(net), *gradients(net)])
    for a, b in zip(*runs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_grouped_normalisation_has_gradients_of_gradients():
    draw = torch.Generator().manual_seed(8)
    x = torch.randn(6, 4, 3, 2, generator=draw, dtype=torch.float64).contiguous(
        memory_format=torch.channels_last
    )
    layer = next(layer for layer in make(replicas=3).layers if layer.name == "bn1")
    gamma, beta = (torch.rand(4, generator=draw, dtype=torch.float64) + 0.5 for _ in range(2))
    inputs = [value.requires_grad_() for value in (x, gamma, beta)]
    assert torch.autograd.gradcheck(layer.forward_scaled, inputs)
    assert torch.autograd.gradgradcheck(layer.forward_scaled, inputs)


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_fused_plain_and_layerwise_agree_in_float64(phase):
    runs = []
    for how in ("fused", "plain", "layerwise"):
        net = make(phase)
        for _ in range(3):  # statistics move and are used
            net.clear_param_diffs()
            if how == "layerwise":
                for name, value in zip(("x", "label"), batch(), strict=True):
                    net.layerwise.data(name).copy_(value)
                loss, outputs = net.layerwise.forward_backward()
            else:
                graph = net.graph if how == "fused" else fuse(lower(net.wiring), off=PASSES)
                loss, outputs = graph(*batch())
                loss.backward()
        runs.append([loss, *outputs.values(), *state(net), *gradients(net)])
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_the_graph_exports_and_compiles_without_breaks():
    graph = make(TEST).graph
    with torch.no_grad():
        exported = torch.export.export(graph, batch()).module()
        for a, b in zip(
            torch.utils._pytree.tree_leaves(exported(*batch())),
            torch.utils._pytree.tree_leaves(graph(*batch())),
            strict=True,
        ):
            torch.testing.assert_close(a, b)


CONVOLUTIONS = {
    "dilation 0": ('"Convolution"', "kernel_size: 3 dilation: 0"),
    "one column": ('"Convolution"', "kernel_h: 6 kernel_w: 1"),
    "holes": ('"Convolution"', "kernel_size: 2 hole: 2"),
    "groups": ('"Convolution"', "kernel_size: 2 group: 2 pad: 3 stride: 2"),
    "each channel": ('"DepthwiseConvolution"', "kernel_size: 3"),
    "axis 2": ('"Convolution"', "kernel_size: 2 axis: 2"),
    "another layer": ('"Deconvolution"', "kernel_size: 2"),
    "few bits": ('"BinaryConvolution"', "kernel_size: 2"),
}


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_all_kinds_before_a_normalisation(name, phase):
    kind, fields = CONVOLUTIONS[name]
    shape = (2, 4, 4, 6, 5) if "axis" in name else (2, 4, 6, 5)
    dims = " ".join(f"dim: {size}" for size in shape)
    prototxt = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
      layer {{ name: "c" type: {kind} bottom: "x" top: "c" convolution_param {{ num_output: 4 {fields}
        weight_filler {{ type: "gaussian" std: 0.5 }} bias_filler {{ type: "constant" value: 0.5 }} }} }}
      layer {{ name: "b" type: "BatchNorm" bottom: "c" top: "c" }} layer {{ name: "r" type: "ReLU" bottom: "c" top: "c" }}"""
    param = text.parse(prototxt, NetParameter)
    param.state.phase = phase
    found, x = [], torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for plain in (True, False):
        net = Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64))
        net.layer("b").blobs[0].data += 0.25
        net.layer("b").blobs[1].data += 2
        net.layer("b").blobs[2].data += 1
        net.layer("in").load = lambda device: [x]
        with torch.no_grad():
            outputs = fuse(lower(net.wiring), off=PASSES)(x)[1] if plain else net.forward()[1]
        found.append([outputs["c"], *state(net)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
