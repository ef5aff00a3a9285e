"""Virtual replicas: one batch on one device gives what that many solvers on their own records give."""

import re

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.solver.small_run import BATCH, DATA, HEAD, MIXING, REPLICAS, make, solver, text_of

pytestmark = pytest.mark.usefixtures("folder")


def gradients(net):
    """None counts as 0: a bias that a normalisation takes off again has none in the fused graph."""
    return {
        (net.layer_names[blob.layer], blob.index): torch.zeros_like(blob.tensor)
        if blob.tensor.grad is None
        else blob.tensor.grad
        for blob in net.learned
    }


def assert_same_as_ranks(net, ranks, passes=3):
    """Losses and outputs of replica 0, mean gradients, and what replica 0 stores, over several batches."""
    for number in range(passes):
        results = [rank.forward_backward() for rank in ranks]
        loss, outputs = net.forward_backward()
        torch.testing.assert_close(loss, results[0][0])
        assert outputs.keys() == results[0][1].keys()
        for name, value in results[0][1].items():
            torch.testing.assert_close(outputs[name], value, msg=f"output {name} of pass {number}")
        ours = gradients(net)
        theirs = [gradients(rank) for rank in ranks]
        assert ours.keys() == theirs[0].keys()
        for key, gradient in ours.items():
            mean = sum(g[key] for g in theirs) / len(ranks)
            torch.testing.assert_close(gradient, mean, msg=lambda m, key=key: f"gradient of {key}: {m}")
    for mine, first in zip(net.layers, ranks[0].layers, strict=True):
        for a, b in zip(mine.blobs, first.blobs, strict=True):
            torch.testing.assert_close(a, b)


# -- equal to separate solvers ----------------------------------------------------------------


def test_one_batch_equals_replicas_on_their_own():
    net = make(DATA + HEAD)
    assert net.mixing_layer is None
    assert_same_as_ranks(net, [make(DATA + HEAD, rank=rank) for rank in range(REPLICAS)])


def test_in_turn_equals_as_one():
    one, turns = make(DATA + HEAD), make(DATA + HEAD)
    turns._runner.mixing_layer, turns.context.grouped = "forced", False
    assert_same_as_ranks(one, [turns])


@pytest.mark.parametrize("layer", MIXING)
def test_layers_that_mix_records_run_in_turn(layer):
    text = DATA + MIXING[layer] + HEAD.replace('bottom: "sum"', 'bottom: "mixed"')
    net = make(text)
    named = "'a' (Slice)" if layer == "Concat" else f"'mix' ({layer})"
    assert net.mixing_layer == named
    assert_same_as_ranks(net, [make(text, rank=rank) for rank in range(REPLICAS)])


def test_shapes_that_are_known_only_in_forward():
    """Filter keeps another number of records in each replica, be they of two blobs or of one."""
    text = (
        DATA
        + """layer { name: "big" type: "Threshold" bottom: "label" top: "big" threshold_param { threshold: 3 } }
        layer { name: "one" type: "Filter" bottom: "bn" bottom: "big" top: "few" }
        layer { name: "squares" type: "Reduction" bottom: "few" top: "squares" loss_weight: 0.03
          reduction_param { operation: SUMSQ } }
        layer { name: "mix" type: "Filter" bottom: "sum" bottom: "label" bottom: "big" top: "mixed" top: "kept" }
        layer { name: "ip" type: "InnerProduct" bottom: "mixed" top: "ip"
          inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
        layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "kept" top: "accuracy" }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "kept" top: "loss"
          propagate_down: true propagate_down: false }"""
    )
    net = make(text)
    assert net.mixing_layer == "'one' (Filter)"
    assert_same_as_ranks(net, [make(text, rank=rank) for rank in range(REPLICAS)])


def test_processes_may_hold_several_replicas_each():
    """Process 0 of 2 runs replicas 0 and 2 of 4, process 1 the others."""
    whole = make(DATA + HEAD, 4)
    parts = [make(DATA + HEAD, 4, rank=rank, ranks=2) for rank in range(2)]
    assert [list(part.context.held) for part in parts] == [[0, 2], [1, 3]]
    assert_same_as_ranks(whole, parts)


def test_states_carried_to_the_next_batch_are_each_replicas_own():
    text = """
    layer { name: "x" type: "DummyData" top: "x" top: "cont" dummy_data_param {
      shape { dim: 4 dim: 3 dim: 5 } shape { dim: 4 dim: 3 }
      data_filler { type: "uniform" } data_filler { type: "constant" value: 1 } } }
    layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
      recurrent_param { num_output: 2 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
    layer { name: "loss" type: "Reduction" bottom: "h" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
    """
    net = make(text)
    assert net.mixing_layer == "'lstm' (LSTM)"
    assert_same_as_ranks(net, [make(text, rank=rank) for rank in range(REPLICAS)])


# -- what is each replica's own ---------------------------------------------------------------


def test_record_i_is_replica_i_mod_n():
    net = make(DATA + HEAD)
    images, labels, _ = net.load()
    assert len(images) == REPLICAS * BATCH
    for rank in range(REPLICAS):
        mine, my_labels, _ = make(DATA + HEAD, rank=rank).load()
        assert torch.equal(images[rank::REPLICAS], mine)
        assert torch.equal(labels[rank::REPLICAS], my_labels)
    one = make(
        DATA[: DATA.index("layer", 9)].replace(f"batch_size: {BATCH}", f"batch_size: {BATCH * REPLICAS}"), 1
    )
    assert torch.equal(labels, one.load()[1])


def test_batch_norm_normalises_each_replica_and_keeps_replica_0s_statistics():
    text = """layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 7 dim: 4 dim: 3 dim: 5 }
        data_filler { type: "gaussian" mean: 2 std: 3 } } }
      layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { eps: 0.01 } }"""
    net = make(text)
    (x,) = make(text).load()
    layer = net.layer("bn")
    y = layer(x).numpy()
    for replica in range(REPLICAS):
        rows = x.numpy()[replica::REPLICAS]
        mean, variance = rows.mean((0, 2, 3), keepdims=True), rows.var((0, 2, 3), keepdims=True)
        np.testing.assert_allclose(y[replica::REPLICAS], (rows - mean) / np.sqrt(variance + 0.01), rtol=1e-9)
    first = x.numpy()[::REPLICAS]
    count = first.size / 4
    np.testing.assert_allclose(layer.blobs[0].numpy(), first.mean((0, 2, 3)))
    np.testing.assert_allclose(layer.blobs[1].numpy(), first.var((0, 2, 3)) * count / (count - 1))
    assert layer.blobs[2].tolist() == [1]


def test_dummy_data_of_each_replica_is_its_own():
    nets = [make(DATA + HEAD)] + [make(DATA + HEAD, rank=rank) for rank in range(REPLICAS)]
    for _ in range(2):
        whole, *parts = (net.load()[2] for net in nets)
        for rank, part in enumerate(parts):
            assert torch.equal(whole[rank::REPLICAS], part)
        assert not torch.equal(parts[0], parts[1])


def test_dropout_masks_differ_between_replicas():
    net = make("""layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 7 dim: 40 }
        data_filler { type: "constant" value: 1 } } }
      layer { name: "drop" type: "Dropout" bottom: "x" top: "y" dropout_param { dropout_ratio: 0.4 } }""")
    assert net.mixing_layer is None
    (x,) = net.load()
    rows = [net.layer("drop")(x)[replica::REPLICAS] for replica in range(REPLICAS)]
    masks = [(row != 0) for row in rows]
    assert all(0.4 < mask.double().mean() < 0.8 for mask in masks)
    assert not torch.equal(masks[0], masks[1]) and not torch.equal(masks[1], masks[2])


def test_dropout_masks_differ_between_replicas_that_run_in_turn():
    net = make("""layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 7 dim: 40 }
        data_filler { type: "constant" value: 1 } } }
      layer { name: "mix" type: "Reshape" bottom: "x" top: "m" reshape_param { shape { dim: 14 dim: 20 } } }
      layer { name: "drop" type: "Dropout" bottom: "m" top: "y" }""")
    assert net.in_turn
    masks = []
    net.layer("drop").register_forward_hook(lambda layer, bottoms, top: masks.append(top != 0))
    for _ in range(2):
        net.forward()
    assert len(masks) == 2 * REPLICAS
    for i, mask in enumerate(masks):
        assert not any(torch.equal(mask, other) for other in masks[:i])


def test_ignored_labels_normalise_each_replica():
    """The loss is the mean over replicas of each one's mean over its own labels that count, not the batch's."""
    net = make(DATA + HEAD)
    other = make(DATA + HEAD)
    images, labels, noise = other.load()
    counts = [(labels[r::REPLICAS] != 0).sum().item() for r in range(REPLICAS)]
    assert len(set(counts)) > 1, "this batch would not tell the two apart"
    net.forward_backward()
    x = other.layer("bn")(other.layer("conv")(images))
    scores = other.layer("ip")(other.layer("scale")(x) + noise).detach().requires_grad_()
    total = sum(
        1.5 * torch.nn.functional.cross_entropy(scores[r::REPLICAS], labels[r::REPLICAS].long(), ignore_index=0)
        for r in range(REPLICAS)
    )  # fmt: skip
    (total / REPLICAS).backward()
    torch.testing.assert_close(gradients(net)["ip", 1], scores.grad.sum(0))


def test_the_log_says_what_runs():
    log = text_of(solver(replicas=REPLICAS))
    assert (
        "3 replicas on one device: batch_size 7 each, 21 records a forward pass, gradients averaged, "
        "replica 0's BatchNorm statistics kept" in log
    )
    assert "mixes records" not in log
    assert "replicas" not in text_of(solver())
    mixing = solver(
        DATA + MIXING["Reshape"] + HEAD.replace('bottom: "sum"', 'bottom: "mixed"'), replicas=REPLICAS
    )
    assert "layer 'mix' (Reshape) mixes records, so the replicas run one after the other" in text_of(mixing)


def test_displayed_outputs_are_replica_0s():
    trained = solver(replicas=REPLICAS)
    trained.step(1)
    net = make(DATA + HEAD, rank=0, dtype=torch.float32)
    for mine, initial in zip(net.learned, solver(replicas=REPLICAS).net.learned, strict=True):
        mine.tensor.data.copy_(initial.tensor)
    data = net.layer("data")
    fresh = solver(replicas=REPLICAS).net
    for layer, like in zip(net.data_layers(), fresh.data_layers(), strict=True):
        layer.set_state(like.get_state())
    assert data.position == 0
    loss, outputs = net.forward()
    lines = [line for line in text_of(trained).splitlines() if "Train net output" in line]
    assert len(lines) == 1 + 1 + BATCH  # accuracy, loss and the values of `small`, which has a row a record
    shown = [float(re.search(r" = (\S+)", line)[1]) for line in lines]
    expected = [value for name in net.outputs for value in outputs[name].reshape(-1).tolist()]
    assert shown == pytest.approx(expected, rel=1e-4)
    assert float(re.search("Iteration 0 , loss = (.+)", text_of(trained))[1]) == pytest.approx(
        loss.item(), rel=1e-4
    )


def test_the_displayed_loss_is_the_mean_of_the_sub_batches():
    run, losses = solver(extra="iter_size: 3"), []
    passed = run.net.forward_backward

    def noted():
        loss, outputs = passed()
        losses.append(loss.item())
        return loss, outputs

    run.net.forward_backward = noted
    run.step(1)
    assert len(set(losses)) == 3 and run.smoothed_loss == pytest.approx(sum(losses) / 3)
    assert float(re.search("Iteration 0 , loss = (.+)", text_of(run))[1]) == pytest.approx(
        sum(losses) / 3, rel=1e-4
    )


def test_blobs_that_the_caller_fills_cannot_be_shared():
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 6 dim: 4 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }"""
    with pytest.raises(LayerError, match=r"layer 'x' \(Input\): is filled by the caller, which 2 replicas"):
        solver(text, replicas=2)
    solver(text)
