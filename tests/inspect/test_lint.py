"""Every rule finds its fault, and nothing once the fault is cured."""

import re
from pathlib import Path
from typing import NamedTuple

import lmdb
import numpy as np
import pytest

from caffe_compat.errors import UsageError
from caffe_compat.inspect.lint import NOTE, WARNING, lint, rule, rules
from caffe_compat.inspect.lint.subject import read_subject
from caffe_compat.proto import TEST, Datum
from caffe_compat.proto.binary import write_binaryproto
from caffe_compat.solver import fields

ROOT = Path(__file__).parents[2]

DATA = """layer { name: "d" type: "Data" top: "x" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 9 } data_param { source: "train" batch_size: 12 backend: LMDB } }
layer { name: "d" type: "Data" top: "x" top: "label" include { phase: TEST }
  transform_param { crop_size: 9 } data_param { source: "test" batch_size: 7 backend: LMDB } }
"""
TRAIN_DATA, TEST_DATA = (f"layer{half}" for half in DATA.split("layer")[1:])
MIRRORED = TRAIN_DATA + TEST_DATA.replace("crop_size: 9", "crop_size: 9 mirror: true")
INPUT = 'layer { name: "d" type: "Input" top: "x" top: "label" input_param { shape { dim: 5 dim: 3 dim: 9 dim: 8 } shape { dim: 5 } } }\n'
HEAD = """layer { name: "f" type: "InnerProduct" bottom: "x" top: "f" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "f" bottom: "label" top: "loss" }
"""
CONV = """layer { name: "c" type: "Convolution" bottom: "x" top: "x1" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "msra" } } }
"""
BN = """layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 6 kernel_size: 1 bias_term: false } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "bn" batch_norm_param { moving_average_fraction: 0.999 } }
"""
EDGES = """layer { name: "d" type: "ImageLabelmapData" top: "x" top: "label"
  image_data_param { source: "pairs.txt" batch_size: 1 } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 1 kernel_size: 1
  weight_filler { type: "msra" } } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "c" bottom: "label" top: "loss" }
"""
FLAT = """layer { name: "v" type: "Flatten" bottom: "f" top: "v" }
layer { name: "r" type: "ReLU" bottom: "v" top: "v" }
layer { name: "s" type: "Silence" bottom: "v" }
"""
FIRST, LOSS = HEAD.split('layer { name: "loss"')
SHARED = DATA + FIRST + FLAT + 'layer { name: "loss"' + LOSS
KEPT = """layer { name: "k" type: "Parameter" top: "k" parameter_param { shape { dim: 3 } } }
layer { name: "p" type: "Power" bottom: "k" top: "k" power_param { scale: 2 } }
layer { name: "s" type: "Silence" bottom: "k" }
"""
SOLVER = """net: "net.prototxt"
base_lr: 0.1
lr_policy: "fixed"
max_iter: 10000
test_iter: 3
test_interval: 100
snapshot_after_train: false
weight_decay: 0.01
"""


class Case(NamedTuple):
    """Files that break a rule; `cure` (old, new) in either file ends it."""

    rule: str
    found: str
    cure: tuple[str, str]
    net: str = DATA + HEAD
    solver: str | None = None


def solver(more, without=""):
    lines = [line for line in SOLVER.splitlines() if not without or not re.match(without, line)]
    return "\n".join([*lines, more, ""])


CASES = [
    # -- rates and runs
    Case("unused-rate-field", "solver.prototxt:9: warning: stepsize does nothing with lr_policy 'fixed'; remove it, or use "
         "one of step, stepdecr, ", ("stepsize: 5", ""), solver=solver("stepsize: 5")),
    Case("unused-rate-field", "stepvalue does nothing with lr_policy 'step'", ("stepvalue: 7", ""),
         solver=solver('lr_policy: "step" stepsize: 5 gamma: 0.1 stepvalue: 7', "lr_policy")),
    Case("steps", "stepsize 20000 is not below max_iter 10000, so the rate never changes", ("20000", "2000"),
         solver=solver('lr_policy: "step" stepsize: 20000 gamma: 0.1', "lr_policy")),
    Case("steps", "solver.prototxt:8: warning: stepvalue 30000 is never reached in 10000 iterations", ("30000", "3000"),
         solver=solver('lr_policy: "multistep" stepvalue: 2000\nstepvalue: 30000', "lr_policy|base_lr")),
    Case("steps", "stepvalue 2000 comes after 3000: steps are taken in the order of the file", ("3000", "300"),
         solver=solver('lr_policy: "multistep" stepvalue: 3000 stepvalue: 2000', "lr_policy")),
    Case("half-cycle", "solver.prototxt:3: warning: max_iter 10000 ends 1.25 cycles of 2 x stepsize 4000; set max_iter to 8000 "
         "or 16000", ("max_iter: 10000", "max_iter: 16000"),
         solver=solver('lr_policy: "triangular" max_lr: 3 stepsize: 4000', "lr_policy")),
    Case("half-cycle", "ends 0.625 cycles of 2 x stepsize 8000; set max_iter to 16000", ("8000", "5000"),
         solver=solver('lr_policy: "triangular2" max_lr: 3 stepsize: 8000', "lr_policy")),
    Case("half-cycle", "max_iter 10000 ends before the cycle of 2 x stepsize 6000 does; set max_iter to 12000 or more",
         ("6000", "4000"), solver=solver('lr_policy: "1cycle" max_lr: 3 stepsize: 6000', "lr_policy")),
    Case("range-test", "note: the run ends at max_lr 3, half a cycle: fine as a range test; to train set max_iter to 20000",
         ("max_iter: 10000", "max_iter: 20000"),
         solver=solver('lr_policy: "triangular" max_lr: 3 stepsize: 10000', "lr_policy")),
    Case("sigmoid-rises", "the rate rises from about 0 to base_lr 0.1 around iteration 5000", ('"sigmoid"', '"step"'),
         solver=solver('lr_policy: "sigmoid" gamma: 0.1 stepsize: 5000', "lr_policy")),
    Case("no-iterations", "max_iter is 0, so nothing is trained", ("max_iter: 0", "max_iter: 1"),
         solver=solver("max_iter: 0", "max_iter")),
    Case("snapshot-folder", "solver.prototxt:8: warning: snapshots go to 'gone', which is no folder",
         ("gone/", ""), solver=solver('snapshot_prefix: "gone/run"', "snapshot_after")),
    Case("no-tests", "the net has layers for TEST and there is no test_iter", ("debug_info: true", "test_iter: 3"),
         solver=solver("debug_info: true", "test_iter")),
    Case("last-test", "display 50 divides max_iter 10000: one more batch passes through BatchNorm", ("display: 50", "display: 51"),
         DATA + BN + HEAD, solver("display: 50")),
    Case("clip-iter-size", "clip_gradients 8 is compared with the sum of iter_size 4 gradients: their mean is clipped at 2",
         ("iter_size: 4", ""), solver=solver("clip_gradients: 8 iter_size: 4")),
    Case("unused-solver-field", "rms_decay does nothing with type 'Adam'; it is for RMSProp", ("rms_decay: 0.9", ""),
         solver=solver('type: "Adam" momentum2: 0.99 rms_decay: 0.9')),
    Case("unused-solver-field", "solver.prototxt:9: note: show_pr: a fork's, about speed or what is printed; ignored",
         ("show_pr: true", ""), solver=solver("show_pr: true")),
    Case("refused-solver-field", "solver.prototxt:9: warning: warm_up_iters: a fork of Caffe's, which this solver does not "
         "act on; remove it, or give --ignore-unknown-fields", ("warm_up_iters: 500", ""), solver=solver("warm_up_iters: 500")),
    Case("refused-solver-field", "solver.prototxt:9: warning: unknown solver type 'Adem'; did you mean 'Adam'", ("Adem", "Adam"),
         solver=solver('type: "Adem"')),
    # -- BatchNorm
    Case("long-moving-average", "net.prototxt:6: warning: layer 'bn' (BatchNorm): moving_average_fraction 0.999 averages the last "
         "1000 forward passes and the run has 10000, so tests use statistics of weights long gone; set it to about 0.95",
         ("0.999", "0.95"), DATA + BN + HEAD, SOLVER),
    Case("long-moving-average", "averages the last 1000 forward passes", ("max_iter: 10000", "max_iter: 80000"),
         DATA + BN + HEAD, SOLVER),
    Case("long-moving-average", "averages the last 1000 forward passes and the run has 10000", ("iter_size: 1", "iter_size: 2"),
         DATA + BN + HEAD, solver("iter_size: 1")),
    Case("global-stats-in-train", "use_global_stats is true in TRAIN", ("use_global_stats: true", ""),
         DATA + BN.replace("{ moving", "{ use_global_stats: true moving") + HEAD, SOLVER),
    Case("global-stats-in-train", "use_global_stats is true in TRAIN", ("debug_info: false", 'weights: "w.caffemodel"'),
         DATA + BN.replace("{ moving", "{ use_global_stats: true moving") + HEAD, solver("debug_info: false")),
    Case("batch-stats-in-test", "use_global_stats is false in TEST: scores depend on what is in the batch",
         ("use_global_stats: false", ""), DATA + BN.replace("{ moving", "{ use_global_stats: false moving") + HEAD, SOLVER),
    Case("decay-on-batch-norm", "layer 's' (Scale): weight decay pulls the scale and bias that follow BatchNorm towards 0",
         ("bias_term: true }", "bias_term: true } param { decay_mult: 0 } param { decay_mult: 0 }"),
         DATA + BN + 'layer { name: "s" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }\n' + HEAD, SOLVER),
    Case("decay-on-batch-norm", "layer 'bn' (BatchNorm): Caffe sets lr_mult and decay_mult of BatchNorm's three statistics to 0",
         ("{ lr_mult: 1 } param { lr_mult: 1 } param { lr_mult: 1 }", "{ lr_mult: 0 }"),
         DATA + BN.replace("batch_norm_param", "param { lr_mult: 1 } param { lr_mult: 1 } param { lr_mult: 1 } batch_norm_param"), SOLVER),
    Case("bias-before-batch-norm", "layer 'c' (Convolution): BatchNorm subtracts this layer's bias", 
         ("kernel_size: 1", "kernel_size: 1 bias_term: false"), DATA + BN.replace(" bias_term: false", "") + HEAD, SOLVER),
    Case("iter-size-batch-norm", "BatchNorm normalises over 12 records, not over iter_size 3 x 12", ("iter_size: 3", ""),
         DATA + BN + HEAD, solver("iter_size: 3")),
    Case("small-batch-norm", "normalises over a batch of 4", ("batch_size: 4", "batch_size: 8"),
         DATA.replace("batch_size: 12", "batch_size: 4") + BN + HEAD, SOLVER),
    # -- data
    Case("unread-message", "layer 'd' (Data): image_data_param does nothing in a layer of type Data",
         ("image_data_param { shuffle: true }", ""), DATA.replace("backend: LMDB }", "backend: LMDB } image_data_param { shuffle: true }", 1)),
    Case("unread-message", "layer 'f' (InnerProduct): pooling_param does nothing", ("pooling_param { }", ""),
         DATA + HEAD.replace("inner_product_param", "pooling_param { } inner_product_param")),
    Case("rand-skip", "rand_skip 9 does nothing in a Data layer", ("rand_skip: 9", ""),
         DATA.replace("backend: LMDB", "rand_skip: 9 backend: LMDB", 1)),
    Case("mirror-in-test", "net.prototxt:3: warning: layer 'd' (Data): mirror: true flips pictures at random in TEST", ("mirror: true", ""),
         MIRRORED),
    Case("crop-without-effect", "crop_size 9 is the whole picture", ("mean.binaryproto", "large.binaryproto"),
         DATA.replace("crop_size: 9", 'crop_size: 9 mean_file: "mean.binaryproto"')),
    Case("crop-without-effect", "crop_size 11 is the whole picture", ("crop_size: 11", "crop_size: 10"),
         DATA.replace("crop_size: 9", "crop_size: 11").replace('"train"', '"real"')),
    Case("transforms-differ", "scale is 1 in TEST and 0.5 in TRAIN (net.prototxt:1)", ("scale: 0.5", ""),
         DATA.replace("crop_size: 9", "crop_size: 9 scale: 0.5", 1)),
    Case("transforms-differ", "mean_value is absent in TEST and 3, 4, 5 in TRAIN", ("mean_value: [3, 4, 5]", ""),
         DATA.replace("crop_size: 9", "crop_size: 9 mean_value: [3, 4, 5]", 1)),
    Case("tests-on-training-data", "reads 'train' in TEST, which the net is trained on (net.prototxt:1)",
         ('"train" batch_size: 7', '"test" batch_size: 7'), DATA.replace('"test"', '"train"') + HEAD, SOLVER),
    Case("unshuffled-list", "the list is read in its order", ("batch_size: 6", "batch_size: 6 shuffle: true"),
         'layer { name: "d" type: "ImageData" top: "x" top: "label" image_data_param { source: "l.txt" batch_size: 6 } } ' + HEAD),
    Case("test-set-size", "solver.prototxt:5: warning: test_iter 3 x batch_size 7 is 21 and 'real' has 28 records: 7 are not looked at, "
         "and the next test begins with them; set test_iter to 4", ("test_iter: 3", "test_iter: 4"), DATA.replace('"test"', '"real"') + HEAD, SOLVER),
    Case("test-set-size", "is 56 and 'real' has 28 records: that is 2 times the set; set test_iter to 4", ("test_iter: 8", "test_iter: 4"),
         DATA.replace('"test"', '"real"') + HEAD, SOLVER.replace("test_iter: 3", "test_iter: 8")),
    Case("test-set-size", "is 27 and 'real' has 28 records: 1 are not looked at, and the next test begins with them; use a batch_size that "
         "divides 28", ('"real"', '"gone"'), DATA.replace('"test" batch_size: 7', '"real" batch_size: 9') + HEAD, SOLVER),
    Case("test-set-size", "that is 1.12 times the set: some count more", ("lines.txt", "gone.txt"),
         'layer { name: "d" type: "ImageData" top: "x" top: "label" include { phase: TEST } image_data_param { source: "lines.txt" batch_size: 6 } }'
         + TRAIN_DATA + HEAD, SOLVER),
    Case("dummy-batch", "its first dimension is 7 and batch_size is 12", ("dim: 7", "dim: 12"),
         TRAIN_DATA + 'layer { name: "z" type: "DummyData" top: "z" dummy_data_param { shape { dim: 7 dim: 3 dim: 9 dim: 9 } } }\n'
         'layer { name: "cat" type: "Concat" bottom: "x" bottom: "z" top: "cat" }'),
    Case("placeholder", "'${DATA}/train' has the placeholder ${DATA}", ("${DATA}", "data"), DATA.replace('"train"', '"${DATA}/train"')),
    Case("placeholder", "'<OUT>/x' has the placeholder <OUT>", ("<OUT>", "out"), solver=solver('snapshot_prefix: "<OUT>/x"')),
    # -- layers
    Case("unused-top", "layer 'c' (Convolution): no layer reads top 'x1' in TRAIN: its 1260 values are outputs of the net",
         ('layer { name: "loss"', 'layer { name: "q" type: "Silence" bottom: "x1" } layer { name: "loss"'), INPUT + CONV + HEAD),
    Case("no-loss", "solver.prototxt: warning: the training net has no loss", ('"Softmax"', '"SoftmaxWithLoss" bottom: "label"'),
         DATA + HEAD.replace('"SoftmaxWithLoss" bottom: "f" bottom: "label"', '"Softmax" bottom: "f"'), SOLVER),
    Case("balanced-elsewhere", "the label 'label' is ImageLabelmapData's", ("EntropyLoss", "EntropyBalanceLoss"),
         net=EDGES),
    Case("loss-without-weight", "loss_weight is 0, so this loss trains nothing", ("loss_weight: 0", "loss_weight: 0.5"),
         INPUT + HEAD.replace('top: "loss"', 'top: "loss" loss_weight: 0')),
    Case("never-trained", "layer 'c' (Convolution): no loss depends on it, so its 168 parameters never change",
         ('bottom: "x" top: "f"', 'bottom: "x1" top: "f"'), INPUT + CONV + HEAD),
    Case("zero-weights", "layer 'f' (InnerProduct): there is no weight_filler", ("num_output: 4", 'num_output: 4 weight_filler { type: "msra" }'),
         DATA + HEAD.replace('weight_filler { type: "xavier" }', ""), SOLVER),
    Case("fan-in", "filler xavier takes the outputs for the inputs here", ('"xavier"', '"xavier" variance_norm: FAN_OUT'),
         INPUT + HEAD.replace("num_output: 4", "num_output: 4 transpose: true")),
    Case("activation-twice", "layer 'loss' (SoftmaxWithLoss): contains a Softmax and reads layer 's', which is one",
         ('"Softmax"', '"ReLU"'), INPUT + HEAD.replace('layer { name: "loss"', 'layer { name: "s" type: "Softmax" bottom: "f" top: "f" }\nlayer { name: "loss"')),
    Case("duplicate-name", "layer 'f' (InnerProduct): 2 layers of this name in TRAIN", ('"f" type: "ReLU"', '"g" type: "ReLU"'),
         INPUT + HEAD.replace('layer { name: "loss"', 'layer { name: "f" type: "ReLU" bottom: "f" top: "f" }\nlayer { name: "loss"')),
    Case("frozen-bias", "lr_mult 0 holds for the weights only", ("param { lr_mult: 0 }", "param { lr_mult: 0 } param { lr_mult: 0 }"),
         INPUT + HEAD.replace("param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }", "param { lr_mult: 0 }")),
    Case("bias-rate", "the bias has lr_mult 1 and decay_mult 1; Caffe's own nets", ("param { lr_mult: 1 }", "param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"),
         INPUT + HEAD.replace("param { lr_mult: 2 decay_mult: 0 }", "")),
    Case("in-place-gradient", "layer 'l' (LRN): works in place, where a real Caffe gets its gradient wrong", ('bottom: "x" top: "x" }', 'bottom: "x" top: "y" }'),
         INPUT + 'layer { name: "l" type: "LRN" bottom: "x" top: "x" }\n' + HEAD),
    Case("in-place-gradient", "layer 'p' (Power): works in place", ("power: 3", "power: 1"),
         INPUT + 'layer { name: "p" type: "Power" bottom: "x" top: "x" power_param { power: 3 } }\n' + HEAD),
    Case("lrn-k", "k 2 does nothing with norm_region WITHIN_CHANNEL", ("WITHIN_CHANNEL", "ACROSS_CHANNELS"),
         INPUT + 'layer { name: "l" type: "LRN" bottom: "x" top: "l" lrn_param { k: 2 norm_region: WITHIN_CHANNEL } }\n'),
    Case("window-outside", "the last window starts at 9, beyond the 9 values of the bottom", ("stride: 3", "stride: 2"),
         INPUT + 'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 2 stride: 3 } }\n'),
    Case("cannot-build", "net.prototxt:1: warning: layer 'd' (Inputt): unknown layer type 'Inputt'", ("Inputt", "Input"), INPUT.replace("Input", "Inputt", 1) + HEAD),
    Case("no-shapes", "net.prototxt:1: note: layer 'd' (Data): the LMDB source 'train' does not exist", 
         ("transform_param {  }", "transform_param { crop_size: 9 }"), DATA.replace("crop_size: 9", "", 1) + HEAD),
    Case("shared-memory", "net.prototxt:8: warning: layer 'r' (ReLU): works in place on 'v', whose memory is also that of 'f': "
         "layer 'loss' (SoftmaxWithLoss) reads 'f' afterwards", ('bottom: "v" top: "v"', 'bottom: "v" top: "w"'), net=SHARED),
    Case("shared-memory", "net.prototxt:8: warning: layer 'k' (Parameter): its next forward reads top 'k' again, which a layer in "
         "place on 'k'", ('bottom: "k" top: "k"', 'bottom: "k" top: "kk"'), net=DATA + HEAD + KEPT),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("".join(f"{i}.jpg {i}\n" for i in range(16)))
    write_binaryproto("mean.binaryproto", np.zeros((3, 9, 9), np.float32))
    write_binaryproto("large.binaryproto", np.zeros((3, 11, 12), np.float32))
    with lmdb.open("real", map_size=1 << 20) as env, env.begin(write=True) as records:
        for i in range(28):
            datum = Datum(channels=3, height=11, width=11, data=bytes(363), label=i % 4)
            records.put(f"{i:08}".encode(), datum.SerializeToString())
    return tmp_path


def findings(net, solver, **kwargs):
    Path("net.prototxt").write_text(net)
    if solver:
        Path("solver.prototxt").write_text(solver)
    name = "solver.prototxt" if solver else "net.prototxt"
    return lint(read_subject(name, ask=fields.sentences), **kwargs)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule}-{i}" for i, case in enumerate(CASES)])
def test_rule(case, folder):
    found = findings(case.net, case.solver, only=[case.rule])
    assert any(case.found in str(finding) for finding in found), "\n".join(map(str, found)) or "nothing found"
    assert {(f.rule, f.severity) for f in found} == {(case.rule, rules()[case.rule].severity)}
    old, new = case.cure
    assert old in case.net + (case.solver or "")
    cured = findings(
        case.net.replace(old, new), case.solver and case.solver.replace(old, new), only=[case.rule]
    )
    assert not [str(finding) for finding in cured if case.found in str(finding)]


def test_every_rule_has_a_case_and_a_reason():
    assert {case.rule for case in CASES} == set(rules())
    assert all(one.reason and one.severity in (WARNING, NOTE) for one in rules().values())


def test_a_good_solver_has_no_warnings(folder):
    net = DATA.replace('"test"', '"real"') + HEAD
    found = findings(net, SOLVER.replace("test_iter: 3", "test_iter: 4"))
    assert [str(finding) for finding in found] == []


def test_what_is_said_of_many_layers_is_said_once(folder):
    many = "".join(CONV.replace('"c"', f'"c{i}"').replace('"x1"', f'"y{i}"') for i in range(6))
    (found,) = findings(INPUT + many + HEAD, None, only=["never-trained"])
    assert "layer 'c0' (Convolution)" in str(found)
    assert str(found).endswith("(and 5 more: c1, c2, c3, ...) [never-trained]")
    assert found.others == ["c1", "c2", "c3", "c4", "c5"]


def test_rules_can_be_chosen_and_left_out(folder):
    net = INPUT + CONV + HEAD
    assert {f.rule for f in findings(net, None)} >= {"never-trained", "unused-top"}
    assert {f.rule for f in findings(net, None, only=["unused-top"])} == {"unused-top"}
    assert "unused-top" not in {f.rule for f in findings(net, None, ignore=["unused-top"])}
    with pytest.raises(UsageError, match="no rule 'unusd-top'; did you mean 'unused-top'"):
        findings(net, None, only=["unusd-top"])
    with pytest.raises(
        ValueError, match="rule 'unused-top' is registered by both caffe_compat.inspect.lint.layers and"
    ):
        rule("unused-top")(lambda subject: iter(()))


def test_a_net_alone_is_looked_at_in_the_phases_it_tells_apart(folder):
    Path("net.prototxt").write_text(DATA + HEAD)
    assert [view.name for view in read_subject("net.prototxt").views] == ["TRAIN", "TEST"]
    assert [view.name for view in read_subject("net.prototxt", phases=[TEST]).views] == ["TEST"]
    Path("net.prototxt").write_text(INPUT + HEAD)
    assert [view.name for view in read_subject("net.prototxt").views] == ["TRAIN"]
    Path("net.prototxt").write_text(INPUT)
    assert [view.name for view in read_subject("net.prototxt").views] == ["TEST"]


@pytest.mark.parametrize("path", sorted((ROOT / "prototxt").glob("*.prototxt")), ids=lambda path: path.stem)
def test_our_own_files(path, monkeypatch):
    """They have no warnings but those that the paper's nets deserve, and the data that is not there."""
    monkeypatch.chdir(ROOT)
    found = lint(read_subject(str(path)), ignore=["snapshot-folder"])
    warned = {finding.rule for finding in found if finding.severity == WARNING}
    assert warned <= ({"batch-stats-in-test"} if path.stem in ("bottleneck_resnet56", "resnext56") else set())
