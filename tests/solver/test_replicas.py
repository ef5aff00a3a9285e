"""Virtual replicas: one batch on one device gives what that many solvers on their own records give."""

import io
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError, SolverError
from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver
from caffe_compat.solver.state import read_state, write_state

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"
REPLICAS, BATCH = 3, 7

DATA = f"""
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ mean_file: "mean.binaryproto" scale: 0.0625 crop_size: 10 mirror: true }}
  data_param {{ source: "data_lmdb" batch_size: {BATCH} backend: LMDB }} }}
layer {{ name: "noise" type: "DummyData" top: "noise"
  dummy_data_param {{ shape {{ dim: {BATCH} dim: 6 dim: 5 dim: 4 }} data_filler {{ type: "gaussian" std: 0.5 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 6 kernel_h: 3 kernel_w: 4 pad_h: 1 stride: 2 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" batch_norm_param {{ moving_average_fraction: 0.9 }} }}
layer {{ name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param {{ bias_term: true }} }}
layer {{ name: "sum" type: "Eltwise" bottom: "bn" bottom: "noise" top: "sum" }}
"""
HEAD = """
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 1.5
  loss_param { ignore_label: 0 } }
layer { name: "small" type: "Reduction" bottom: "sum" top: "small" loss_weight: 0.02
  reduction_param { operation: SUMSQ axis: 1 } }
"""

# Layers between `sum` and the head (which they rebind) that keep the replicas from running as one.
MIXING = {
    "Concat": """layer { name: "a" type: "Slice" bottom: "sum" top: "s1" top: "s2" slice_param { axis: 0 slice_point: 3 } }
        layer { name: "mix" type: "Concat" bottom: "s2" bottom: "s1" top: "mixed" concat_param { axis: 0 } }""",
    "BatchReindex": """layer { name: "order" type: "DummyData" top: "order"
          dummy_data_param { shape { dim: 7 } data_filler { type: "constant" value: 2 } } }
        layer { name: "mix" type: "BatchReindex" bottom: "sum" bottom: "order" top: "mixed" }""",
    "Reshape": f"""layer {{ name: "mix" type: "Reshape" bottom: "sum" top: "mixed"
          reshape_param {{ shape {{ dim: {BATCH} dim: 120 }} }} }}""",
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with the data set of the reference solvers."""
    shutil.copytree(REFERENCE / "data_lmdb", tmp_path / "data_lmdb")
    shutil.copy(REFERENCE / "mean.binaryproto", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(text, replicas=REPLICAS, rank=None, ranks=None, dtype=torch.float64):
    """The TRAIN net of `text`; the same random numbers each time."""
    param = parse(text, NetParameter, "test.prototxt")
    param.state.phase = TRAIN
    generator = torch.Generator().manual_seed(5)
    return Net(param, context=Context(generator, replicas=replicas, rank=rank, ranks=ranks, dtype=dtype))


def gradients(net):
    return {
        (net.layer_names[blob.layer], blob.index): blob.tensor.grad
        for blob in net.learned
        if blob.tensor.grad is not None
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


# -- per_record -------------------------------------------------------------------------------

# (what is in `layer { }`, bottom shapes of one replica, whether records stay apart); the cases of tests/layers all run
# for two replicas at once too, if their layer says `per_record`
PER_RECORD = [
    *((f'type: "{t}"', [(4, 3, 5)], True) for t in
      ("AbsVal", "BNLL", "ELU", "Exp", "Power", "ReLU", "Sigmoid", "Swish", "TanH", "Threshold", "PReLU")),
    ('type: "Log" log_param { shift: 9 }', [(4, 3, 5)], True),
    ('type: "Clip" clip_param { min: -0.3 max: 0.4 }', [(4, 3, 5)], True),
    ('type: "Dropout" dropout_param { dropout_ratio: 0 }', [(4, 3, 5)], True),
    ('type: "Silence"', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { top_k: 2 }', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { axis: 1 out_max_val: true }', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { axis: 0 }', [(4, 3, 5)], False),
    ('type: "ArgMax" argmax_param { axis: -3 }', [(4, 3, 5)], False),
    ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', [(4, 3, 5, 2)], True),
    ('type: "Bias"', [(4, 3, 5)], True),
    ('type: "Bias" bias_param { axis: 0 num_axes: 1 }', [(4, 3, 5)], False),
    ('type: "Bias" bias_param { axis: 0 num_axes: 0 }', [(4, 3, 5)], True),
    ('type: "Bias" bias_param { axis: 0 }', [(4, 3, 5), (4, 3)], True),
    ('type: "Bias" bias_param { axis: 1 }', [(4, 3, 5), (3,)], False),
    ('type: "Scale" scale_param { bias_term: true filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { num_axes: -1 filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { axis: 0 filler { type: "gaussian" } }', [(4, 3, 5)], False),
    ('type: "Scale" scale_param { axis: 0 num_axes: 0 bias_term: true filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { axis: 0 }', [(4, 3, 5), (4,)], True),
    ('type: "Scale" scale_param { axis: 1 }', [(4, 3, 5), (3, 5)], False),
    ('type: "Concat"', [(4, 3, 5), (4, 2, 5)], True),
    ('type: "Concat" concat_param { axis: 0 }', [(4, 3, 5), (6, 3, 5)], False),
    ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 2 weight_filler { type: "gaussian" } }',
     [(3, 4, 5, 7)], True),
    ('type: "Deconvolution" convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "gaussian" } }',
     [(3, 4, 5, 7)], True),
    ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 axis: 0 weight_filler { type: "gaussian" } }',
     [(3, 4)], False),
    ('type: "Im2col" convolution_param { kernel_size: 2 }', [(3, 4, 5, 7)], True),
    ('type: "Crop" crop_param { axis: 2 offset: 1 }', [(3, 4, 7, 6), (3, 2, 5, 3)], True),
    ('type: "Crop" crop_param { axis: 0 }', [(5, 4, 7), (3, 2, 6)], False),
    ('type: "Eltwise"', [(4, 3, 5), (4, 3, 5)], True),
    ('type: "Eltwise" eltwise_param { operation: MAX }', [(4, 3, 5), (4, 3, 5), (4, 3, 5)], True),
    ('type: "Eltwise" eltwise_param { operation: PROD }', [(4, 3, 5), (4, 3, 5)], True),
    ('type: "Embed" embed_param { input_dim: 9 num_output: 4 weight_filler { type: "gaussian" } }', ["index"], True),
    ('type: "Flatten"', [(4, 3, 5)], True),
    ('type: "Flatten" flatten_param { axis: 0 end_axis: 1 }', [(4, 3, 5)], False),
    ('type: "InnerProduct" inner_product_param { num_output: 6 weight_filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "InnerProduct" inner_product_param { num_output: 6 axis: 2 transpose: true weight_filler { type: "gaussian" } }',
     [(4, 3, 5)], True),
    ('type: "InnerProduct" inner_product_param { num_output: 6 axis: 0 }', [(4, 3, 5)], False),
    ('type: "LRN" lrn_param { local_size: 3 }', [(3, 6, 5, 4)], True),
    ('type: "LRN" lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }', [(3, 6, 5, 4)], True),
    ('type: "MVN"', [(3, 4, 5, 7)], True),
    ('type: "MVN" mvn_param { across_channels: true }', [(3, 4, 5, 7)], True),
    *((f'type: "Pooling" pooling_param {{ pool: {pool} kernel_size: 3 stride: 2 }}', [(3, 4, 5, 7)], True)
      for pool in ("MAX", "AVE")),
    ('type: "Pooling" top: "y" top: "mask" pooling_param { kernel_size: 2 }', [(3, 4, 5, 7)], True),
    ('type: "Pooling" pooling_param { pool: AVE global_pooling: true }', [(3, 4, 5, 7)], True),
    ('type: "PReLU" prelu_param { channel_shared: true filler { type: "constant" value: 0.3 } }', [(4, 3, 5)], True),
    ('type: "Reduction" reduction_param { axis: 1 operation: ASUM }', [(4, 3, 5)], True),
    ('type: "Reduction" reduction_param { axis: -1 operation: MEAN }', [(4, 3, 5)], True),
    ('type: "Reduction"', [(4, 3, 5)], False),
    ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { axis: 1 shape { dim: 5 dim: 3 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { axis: 1 num_axes: 0 shape { dim: 1 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { shape { dim: 4 dim: 15 } }', [(4, 3, 5)], False),
    ('type: "Slice" top: "a" top: "b"', [(4, 6, 5)], True),
    ('type: "Slice" top: "a" top: "b" slice_param { axis: 0 }', [(4, 6, 5)], False),
    ('type: "Softmax"', [(4, 3, 5)], True),
    ('type: "Softmax" softmax_param { axis: 0 }', [(4, 3, 5)], False),
    ('type: "SPP" spp_param { pyramid_height: 2 pool: MAX }', [(3, 4, 5, 7)], True),
    ('type: "Tile" tile_param { tiles: 3 }', [(4, 2, 5)], True),
    ('type: "Tile" tile_param { axis: 0 tiles: 3 }', [(4, 2, 5)], False),
]  # fmt: skip


def layer_type(text):
    return re.search(r'type: "(\w+)"', text)[1]


def one_layer(text, shapes):
    """The layer, set up for the bottoms of one replica, in float64."""
    param = parse(f'layer {{ name: "l" {text} }}', NetParameter, "test.prototxt").layer[0]
    param.bottom.extend(f"x{i}" for i in range(len(shapes)))
    if not param.top and layer_type(text) != "Silence":
        param.top.append("y")
    layer = create_layer(param, TRAIN, Context(torch.Generator().manual_seed(2), dtype=torch.float64))
    layer.setup(*shapes)
    layer.reshape(*shapes)
    return layer


@pytest.mark.parametrize(
    ("text", "shapes", "apart"), PER_RECORD, ids=[layer_type(row[0]) for row in PER_RECORD]
)
def test_per_record_is_true(text, shapes, apart):
    """A layer that says per_record gives for the rows of all replicas at once what it gives for each replica's."""
    random = torch.Generator().manual_seed(3)
    sizes = [(5,) if shape == "index" else shape for shape in shapes]
    layer = one_layer(text, sizes)
    assert layer.per_record() is apart
    if not apart:
        return
    bottoms = [
        torch.randint(9, (REPLICAS * size[0], *size[1:]), generator=random).double()
        if shape == "index"
        else torch.randn(REPLICAS * size[0], *size[1:], generator=random, dtype=torch.float64)
        for shape, size in zip(shapes, sizes, strict=True)
    ]
    together = as_tuple(layer(*bottoms))
    for replica in range(REPLICAS):
        alone = as_tuple(layer(*(bottom[replica::REPLICAS] for bottom in bottoms)))
        assert len(alone) == len(together)
        for one, whole in zip(alone, together, strict=True):
            torch.testing.assert_close(whole[replica::REPLICAS], one)


def as_tuple(tops):
    return tops if isinstance(tops, tuple) else (tops,)


# -- the solver -------------------------------------------------------------------------------

SOLVER = """
base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 3 momentum: 0.9 weight_decay: 0.004
display: 1 max_iter: 8 snapshot: 4 snapshot_prefix: "run" random_seed: 11
"""


def solver(text=DATA + HEAD, log=None, extra="", **options):
    param = parse(SOLVER + extra, SolverParameter, "solver.prototxt")
    param.net_param.CopyFrom(parse(text, NetParameter, "net.prototxt"))
    return Solver(param, log=log or Log(io.StringIO(), progress=False), **options)


def blobs(trained):
    return [blob.tensor.detach().clone() for blob in trained.net.learned] + trained.rule.history


def text_of(trained):
    return re.sub(r"(?m)^.*?\] |\(\S+ iter/s, \S+ iters\)", "", trained.log._stream.getvalue())


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


DROPOUT = '\nlayer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" }\n'


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_resume_is_exact(kind, folder):
    extra = f'type: "{kind}" average_loss: 3'  # 4, where it is resumed, is no multiple of 3
    whole = solver(DATA + DROPOUT + HEAD, extra=extra, replicas=REPLICAS)
    whole.solve()
    again = solver(DATA + DROPOUT + HEAD, extra=extra, replicas=REPLICAS)
    again.restore("run_iter_4.solverstate")
    again.solve()
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)

    def tail(trained):
        return text_of(trained).split("Iteration 4 ,")[1]

    assert tail(again) == tail(whole)


def test_plateau_watches_the_loss_and_goes_on_after_a_snapshot(folder):
    extra = 'lr_policy: "plateau" plateau_winsize: 1 plateau_winsize: 2'

    def run(snapshot=None):
        param = parse(
            SOLVER.replace('lr_policy: "step" gamma: 0.5 stepsize: 3', f"gamma: 0.5 {extra}"),
            SolverParameter,
            "solver.prototxt",
        )
        param.net_param.CopyFrom(parse(DATA + HEAD, NetParameter, "net.prototxt"))
        trained = Solver(param, log=Log(io.StringIO(), progress=False))
        trained.solve(snapshot)
        return trained

    whole = run()
    found = re.findall(r"Iteration (\d+), (?:loss = |lr = )(\S+)", text_of(whole).replace(" ,", ","))
    least, event, step, rates = math.inf, 0, 0, []
    losses = [float(value) for _, value in found[::2]][:8]
    for i, loss in enumerate(losses):
        if loss < least:
            least, event = loss, i
        if step < 2 and i >= event + (1, 2)[step]:
            step, event = step + 1, i
        rates.append(0.05 * 0.5**step)
    assert step > 0 and [float(value) for _, value in found[1::2]][:8] == pytest.approx(rates)
    again = run("run_iter_4.solverstate")
    assert again.schedule.watched == whole.schedule.watched
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


STEPEARLY = 'gamma: 0.5 lr_policy: "stepearly" stepearly: 1 test_iter: 1 test_interval: 1'


def stepearly(text=DATA + HEAD, extra=STEPEARLY):
    param = parse(
        SOLVER.replace('lr_policy: "step" gamma: 0.5 stepsize: 3', extra), SolverParameter, "solver.prototxt"
    )
    param.net_param.CopyFrom(parse(text, NetParameter, "net.prototxt"))
    return Solver(param, log=Log(io.StringIO(), progress=False))


def test_stepearly_watches_the_accuracy_and_goes_on_after_a_snapshot(folder):
    whole = stepearly()
    whole.solve()
    tests = [float(a) for a in re.findall(r"Test net output #\d+: accuracy = (\S+)", text_of(whole))]
    rates = [float(lr) for lr in re.findall(r"Iteration \d+, lr = (\S+)", text_of(whole))]
    best, steps, expected = -math.inf, 0, []
    for accuracy in tests[: len(rates)]:  # the last test has no update after it
        steps += accuracy <= best
        best = max(best, accuracy)
        expected.append(0.05 * 0.5**steps)
    assert 0 < steps < len(rates) - 1 and rates == pytest.approx(expected)
    again = stepearly()
    again.solve("run_iter_4.solverstate")
    assert again.schedule.watched == whole.schedule.watched
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("request_", ["stop", "snapshot"])
def test_a_test_that_was_interrupted_is_done_again_from_its_beginning(request_, folder):
    extra = STEPEARLY.replace("test_iter: 1", "test_iter: 3 test_iter: 2")
    whole = stepearly(extra=extra)
    whole.solve()
    first = stepearly(extra=extra)
    first.param.snapshot = 0
    asked = iter([*["none"] * 4, request_])  # in the second test net
    first.action = lambda: next(asked, "none") if first.iter == 4 else "none"
    first.solve()
    assert first.requested_early_exit == (request_ == "stop")
    again = stepearly(extra=extra)
    again.solve("run_iter_4.solverstate")
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)
    assert text_of(again).split("Iteration 4,")[1:] == text_of(whole).split("Iteration 4,")[1:]


MONITOR = """gamma: 0.5 monitor_test: true test_compute_loss: true max_steps_without_improvement: 1
  max_periods_without_improvement: 2 test_iter: 1 test_interval: 1"""


def test_monitor_test_ends_the_training(folder):
    trained = stepearly(extra=MONITOR)
    trained.solve()
    log = text_of(trained)
    tests = [float(loss) for loss in re.findall(r"Test loss: (\S+)", log)]
    rates = [float(lr) for lr in re.findall(r"Iteration \d+, lr = (\S+)", log)]
    least, steps, expected = 100_000, 0, []  # as the fork begins
    for loss in tests:
        steps += loss >= least
        least = min(loss, least)
        expected.append(0.05 * 0.5**steps)
        if steps == 2:
            break
    assert steps == 2 and len(expected) < 8 and rates == pytest.approx(expected)
    assert trained.iter == len(rates) and f"run_iter_{trained.iter}.solverstate" in log
    assert "Stopping Training Early" in log and "Optimization Done." in log


def test_too_many_tests_that_are_not_finite_end_the_training(folder):
    text = DATA + HEAD.replace("loss_weight: 0.02", "loss_weight: 1e38").replace("SUMSQ", "SUMSQ coeff: 1e38")
    trained = stepearly(
        text, MONITOR.replace("monitor_test: true", 'lr_policy: "fixed" max_nonfinite_test_loss: 2')
    )
    trained.solve()
    log = text_of(trained)
    assert "Detected 3 consecutive non-finite test losses" in log and trained.iter == 2
    assert "Optimization stopped early." in log
    again = stepearly(
        text, MONITOR.replace("monitor_test: true", 'lr_policy: "fixed" max_nonfinite_test_loss: 2')
    )
    again.solve("run_iter_2.solverstate")  # which tests once more first
    assert "Detected 4 consecutive non-finite test losses" in text_of(again) and again.iter == 2


@pytest.mark.parametrize(
    "text, extra, what",
    [
        (DATA + HEAD, STEPEARLY.replace("test_iter: 1 test_interval: 1", ""), "there is no test net"),
        (
            DATA
            + HEAD.replace('"Accuracy"', '"ArgMax"').replace(
                ' bottom: "label" top: "accuracy"', ' top: "accuracy"'
            ),
            STEPEARLY,
            "the first test net has no Accuracy layer",
        ),
    ],
    ids=["no test net", "no accuracy"],
)
def test_stepearly_needs_an_accuracy(text, extra, what):
    with pytest.raises(
        SolverError, match=f"solver.prototxt: lr_policy 'stepearly' watches the accuracy.*{what}; give"
    ):
        stepearly(text, extra)


def test_resume_in_turn_is_exact():
    text = DATA + DROPOUT + MIXING["Reshape"] + HEAD.replace('bottom: "sum"', 'bottom: "mixed"')
    whole = solver(text, replicas=2)
    whole.solve()
    again = solver(text, replicas=2)
    again.solve("run_iter_4.solverstate")
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_resume_with_another_number_of_replicas():
    solver(replicas=REPLICAS).solve()
    other = solver(replicas=2)
    other.restore("run_iter_4.solverstate")
    assert (
        "run_iter_4.solverstate was written with 3 replicas and this run has 2: an iteration takes 2 x batch_size "
        "records from now on" in text_of(other)
    )
    assert other.iter == 4
    data = other.net.layer("data")
    assert data.position == 4 * REPLICAS * BATCH  # records served, whoever they went to
    other.step(1)
    assert data.position == 4 * REPLICAS * BATCH + 2 * BATCH


def test_caffes_solverstate_goes_on_at_the_record_its_iteration_implies(folder):
    shutil.copytree(REFERENCE, folder / "solvers")
    param = parse(
        (folder / "solvers/sgd_fixed/solver.prototxt").read_text(), SolverParameter, "solver.prototxt"
    )
    for replicas, batch in ((1, 8), (4, 8)):
        resumed = Solver(param, root="solvers", replicas=replicas)
        resumed.restore("sgd_fixed/snap_iter_6.solverstate")
        assert next(resumed.net.data_layers()).position == 6 * batch * replicas


def test_what_tests_draw_leaves_the_training_alone():
    drawn = 'layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" dropout_param { sample_weights_test: true } }'
    with_tests = solver(DATA + drawn + HEAD, extra="test_iter: 2 test_interval: 1")
    without = solver(DATA + drawn + HEAD)
    for run in (with_tests, without):
        torch.manual_seed(5)
        run.step(3)
    for ours, theirs in zip(blobs(with_tests), blobs(without), strict=True):
        assert torch.equal(ours, theirs)


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


def nets_of(run):
    return [run.net, *run.test_nets]


@pytest.mark.parametrize("first", ["true", "false"])
@pytest.mark.parametrize(("done", "interval"), [(4, 2), (5, 2), (3, 3), (2, 7)])
def test_caffes_solverstate_lets_each_net_go_on_where_it_stood(done, interval, first):
    """What a run without it would have read: one batch an iteration and sub-batch, and test_iter a test."""
    extra = f"test_iter: 3 test_interval: {interval} test_initialization: {first} iter_size: 2"
    run = solver(DATA + HEAD, extra=extra, replicas=1)
    run.step(done)
    _, path = run.snapshot()
    state = read_state(path)
    write_state(path, replace(state, resume=None))  # as Caffe writes it
    resumed = solver(DATA + HEAD, extra=extra, replicas=1)
    resumed.restore(path)
    for mine, theirs in zip(nets_of(resumed), nets_of(run), strict=True):
        assert mine.layer("data").position == theirs.layer("data").position
    assert run.test_nets[0].layer("data").position % (3 * BATCH) == 0


def test_blobs_that_the_caller_fills_cannot_be_shared():
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 6 dim: 4 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }"""
    with pytest.raises(LayerError, match=r"layer 'x' \(Input\): is filled by the caller, which 2 replicas"):
        solver(text, replicas=2)
    solver(text)
