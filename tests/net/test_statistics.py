"""What normalisations of a pass share: statistics, sums, scales for replicas, biases in the mean, one loss."""

import pytest
import torch

from caffe_compat.layers.base import Context
from caffe_compat.net.fuse import PASSES, fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.proto import TRAIN, NetParameter, SolverParameter, text
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update import UpdateRule
from tests import pretended
from tests.net.block import NET, batch, gradients, make, state


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
