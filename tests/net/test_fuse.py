"""The fused graph computes what the plain one computes, and the layer-wise run too."""

import pytest
import torch

from caffe_compat.layers.base import Context
from caffe_compat.net.fuse import PASSES, fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, NetParameter, SolverParameter, text
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update import UpdateRule
from tests import pretended

NET = """
name: "block"
layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 6 dim: 3 dim: 9 dim: 8 } shape { dim: 6 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "c1" top: "bn1" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "sc1" type: "Scale" bottom: "bn1" top: "bn1" scale_param { bias_term: true filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "r1" type: "ReLU" bottom: "bn1" top: "bn1" }
layer { name: "c2" type: "Convolution" bottom: "bn1" top: "c2"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn2" type: "BatchNorm" bottom: "c2" top: "c2" }
layer { name: "sc2" type: "Scale" bottom: "c2" top: "c2" }
layer { name: "sum" type: "Eltwise" bottom: "bn1" bottom: "c2" top: "sum" }
layer { name: "r2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "acc" type: "Accuracy" bottom: "y" bottom: "label" top: "acc" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""


def make(phase=TRAIN, replicas=1):
    param = text.parse(NET, NetParameter, "net.prototxt")
    param.state.phase = phase
    generator = torch.Generator().manual_seed(3)
    return Net(
        param,
        context=Context(generator, replicas=replicas, rank=None if replicas > 1 else 0, dtype=torch.float64),
    )


def batch(replicas=1):
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(6 * replicas, 3, 9, 8, generator=draw, dtype=torch.float64)
    return x, torch.tensor([0.0, 4, 2, 1, 3, 2], dtype=torch.float64).repeat(replicas)


def state(net):
    return [blob.detach().clone() for layer in net.layers for blob in layer.blobs.parameters()]


def gradients(net):
    """None counts as 0: a bias that a normalisation takes off again has none in the fused graph."""
    return [torch.zeros_like(t) if t.grad is None else t.grad for t in (blob.tensor for blob in net.learned)]


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


DEPLOY = "\n".join(line for line in NET.splitlines() if '"acc"' not in line and '"loss"' not in line).replace(
    'top: "x" top: "label"', 'top: "x"'
).replace("shape { dim: 6 } }", "}")  # fmt: skip


def deploy():
    param = text.parse(DEPLOY, NetParameter, "deploy.prototxt")
    param.state.phase = TEST
    net = Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64))
    draw = torch.Generator().manual_seed(4)
    for layer in net.layers:
        if layer.type == "BatchNorm":
            for blob in layer.blobs:
                blob.detach().uniform_(0.5, 2, generator=draw)
    net.layerwise.data("x").copy_(batch()[0])
    return net


def watched(net):
    """The blobs after a forward pass that a hook watches, so that it goes layer by layer."""
    net.layerwise.before_forward.append(lambda i: None)
    net.layerwise.forward()
    net.layerwise.before_forward.clear()
    return {name: net.layerwise.data(name).clone() for name in net.blob_names}


def test_an_unwatched_forward_pass_shows_every_blob():
    net = deploy()
    expected = watched(net)
    net.layerwise.forward()
    assert {"c1", "bn1", "c2", "sum", "y"} <= set(expected)
    for name, value in expected.items():
        found = net.layerwise.data(name)
        assert found.is_contiguous()
        torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize("layer", ["c1", "bn1", "sc1", "c2"])
@pytest.mark.parametrize("how", ["tensor", "array"])
def test_a_forward_pass_follows_every_change_of_a_blob(layer, how):
    net = deploy()
    blob = net.layer(layer).owned_blobs()[0]
    if how == "array":
        blob.shown = True
    array = blob.detach().numpy()  # a view from before the first pass
    net.layerwise.forward()
    before = net.layerwise.data("y").clone()
    if how == "array":
        array *= 1.5
    else:
        with torch.no_grad():
            blob.mul_(1.5)
    net.layerwise.forward()
    after = net.layerwise.data("y").clone()
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, watched(net)["y"], rtol=1e-9, atol=1e-11)


def test_a_forward_pass_follows_new_shapes():
    net = deploy()
    net.layerwise.forward()
    net.layerwise.reshape_blob("x", (2, 3, 9, 8))
    net.layerwise.forward()
    assert net.layerwise.data("y").shape == (2, 5)
    torch.testing.assert_close(net.layerwise.data("y"), watched(net)["y"], rtol=1e-9, atol=1e-11)


def passes(net, graph, batches=2, replicas=1):
    """What `batches` passes leave: loss, blobs and gradients."""
    for _ in range(batches):
        loss, *_ = graph(*(value.to(net.device) for value in batch(replicas)))
        loss.backward()
    return [value.detach().cpu() for value in (loss, *state(net), *gradients(net))]


def test_scales_are_repeated_for_all_replicas_at_once():
    plain = make(replicas=3)
    wanted = passes(plain, fuse(lower(plain.wiring), off=PASSES), replicas=3)
    with pretended.cuda():
        net = make(replicas=3).to("cuda")
        assert "for_replicas" in {node.target for node in net.graph.graph.nodes}
        found = passes(net, net.graph, replicas=3)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_a_bias_before_a_normalisation_is_in_the_stored_mean_and_has_no_gradient():
    """What is promised of it: Caffe's stored mean, a gradient of 0, and decay and momentum as of any other blob."""
    param = SolverParameter(type="SGD", base_lr=0.5, momentum=0.9, weight_decay=0.1, lr_policy="fixed")
    results = []
    for off in ((), ("bias",)):
        net = make()
        blob = next(layer for layer in net.layers if layer.name == "c1").blobs[1]
        with torch.no_grad():
            blob.copy_(torch.tensor([3.0, -2, 1, 0.5], dtype=torch.float64))
        blobs = [learned.tensor for learned in net.learned]
        rule = UpdateRule(param, blobs, [1.0] * len(blobs), [1.0] * len(blobs))
        graph = fuse(lower(net.wiring), off=off)
        for k in range(3):
            net.clear_param_diffs()
            graph(*batch())[0].backward()
            assert (blob.grad is None) == (not off) and (not off or blob.grad.abs().max() < 1e-14)
            rule.apply(Rates(0.5, 0.9, 0.1), k)
        results.append([blob.detach(), *state(net), *rule.history])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    assert results[0][0].abs().max() < 3


SHARED = NET.replace('"BatchNorm" bottom: "c2" top: "c2" }', '"BatchNorm" bottom: "c2" top: "c2" param { name: "m" lr_mult: 0 } param { name: "v" lr_mult: 0 } param { name: "n" lr_mult: 0 } }').replace(
    'batch_norm_param { moving_average_fraction: 0.9 }', 'param { name: "m" lr_mult: 0 } param { name: "v" lr_mult: 0 } param { name: "n" lr_mult: 0 }'
)  # fmt: skip


def test_sums_that_two_layers_share_are_updated_one_after_the_other():
    found = []
    for together in (True, False):
        param = text.parse(SHARED, NetParameter)
        param.state.phase = TRAIN
        net = Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64))
        for name, layer in zip(net.layer_names, net.layers, strict=True):
            if name == "in":
                layer.load = lambda device: list(batch())
        if together:
            net.forward()
            net.forward()
        else:
            for _ in range(2):
                net.graph(*batch())
        found.append(state(net))
    counter = next(value for value in found[0] if value.shape == (1,))
    assert counter.item() == pytest.approx(sum(0.999**k for k in range(4)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_a_pass_that_breaks_off_adds_nothing_to_the_sums(monkeypatch):
    net = make()
    net.layer("in").load = lambda device: list(batch())
    net.forward()
    before = state(net)
    monkeypatch.setattr(type(net.layer("ip")), "forward", lambda self, bottom: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        net.forward()
    monkeypatch.undo()
    assert net.context.statistics is None
    for a, b in zip(state(net), before, strict=True):
        assert torch.equal(a, b)
    net.forward()
    assert net.layer("bn1").blobs[2].item() == pytest.approx(1 + 0.9)


@pytest.mark.parametrize(
    "loss",
    ["", "loss_param { normalization: BATCH_SIZE }", "loss_param { ignore_label: 3 }", "loss_weight: 0.5"],
)
def test_the_loss_of_all_replicas_at_once_is_the_mean_of_each_ones(loss):
    """Where nothing is ignored; else each replica has a normalizer of its own."""
    found = []
    for together in (True, False):
        param = text.parse(NET.replace('top: "loss" }', f'top: "loss" {loss} }}'), NetParameter)
        param.state.phase = TRAIN
        context = Context(torch.Generator().manual_seed(3), replicas=3, rank=None, dtype=torch.float64)
        net = Net(param, context=context)
        layer = net.layer("loss")
        assert layer.averages_replicas() == ("ignore" not in loss)
        if not together:
            layer.averages_replicas = lambda: False
        x, label = batch(3)
        total, outputs, shown = net.graph(x, label.roll(1))
        calls = [node for node in net.graph.graph.nodes if node.target == "loss"]
        assert len(calls) == (2 if together and "ignore" not in loss else 3)
        total.backward()
        found.append([total, outputs["loss"], shown, *gradients(net)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_what_a_program_writes_to_a_blobs_data_is_seen():
    net = deploy()
    net.layer("in").load = lambda device: list(batch()[:1])
    first = net.forward()[1]["y"]
    net.layer("c1").blobs[0].data.mul_(1.5)
    net.layer("bn1").blobs[0].data.add_(0.5)
    second = net.forward()[1]["y"]
    torch.testing.assert_close(
        second, fuse(lower(net.wiring), off=PASSES)(batch()[0])[1]["y"], rtol=1e-9, atol=0
    )
    assert not torch.allclose(first, second)
    with net.steady():
        net.forward()
        net.layer("c1").blobs[0].data.zero_()
        assert torch.equal(net.forward()[1]["y"], second)
    assert not torch.allclose(net.forward()[1]["y"], second)
