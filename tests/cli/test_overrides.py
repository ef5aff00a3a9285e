"""`--set`, on messages read from prototxt."""

import io

import pytest

from caffe_compat.cli.overrides import apply_overrides
from caffe_compat.errors import UsageError
from caffe_compat.log import Log
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse, to_text

SOLVER = """
net: "net.prototxt"  base_lr: 0.1  max_lr: 3  lr_policy: "multistep"  stepvalue: 50  stepvalue: 70
test_iter: 9  solver_mode: CPU  train_state { level: 1 }
"""
NET = """
name: "n"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 8 } }
layer { name: "L1_conv" type: "Convolution" bottom: "data" top: "L1_conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 16 weight_filler { type: "msra" } } }
layer { name: "L1_bn" type: "BatchNorm" bottom: "L1_conv" top: "L1_bn" }
layer { name: "L1_relu" type: "ReLU" bottom: "L1_bn" top: "L1_bn" }
layer { name: "L2/3x3" type: "Convolution" bottom: "L1_bn" top: "L2" convolution_param { num_output: 32 kernel_size: 3 } }
layer { name: "L2_bn[0]" type: "BatchNorm" bottom: "L2" top: "L2_bn" batch_norm_param { moving_average_fraction: 0.95 } }
layer { name: "pool.1" type: "Pooling" bottom: "L2_bn" top: "pool" pooling_param { pool: AVE } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool" bottom: "label" top: "loss" }
"""


@pytest.fixture
def solver():
    return parse(SOLVER, SolverParameter, "solver.prototxt")


@pytest.fixture
def net():
    return parse(NET, NetParameter, "net.prototxt")


@pytest.mark.parametrize(
    ("setting", "line", "value"),
    [
        ("max_lr=3.5", "max_lr: 3 -> 3.5", "s.max_lr == 3.5"),
        ("gamma=.5", "gamma: unset -> 0.5", "s.gamma == 0.5"),
        ("base_lr=1e-2", "base_lr: 0.1 -> 0.01", "abs(s.base_lr - 0.01) < 1e-8"),
        ("lr_policy=fixed", 'lr_policy: "multistep" -> "fixed"', "s.lr_policy == 'fixed'"),
        ('lr_policy="a=b, c"', 'lr_policy: "multistep" -> "a=b, c"', "s.lr_policy == 'a=b, c'"),
        ("net=b.prototxt", 'net: "net.prototxt" -> "b.prototxt"', "s.net == 'b.prototxt'"),
        ("solver_mode=GPU", "solver_mode: CPU -> GPU", "s.solver_mode == 1"),
        ("solver_mode=gpu", "solver_mode: CPU -> GPU", "s.solver_mode == 1"),
        ("random_seed=-1", "random_seed: default -1 -> -1", "s.HasField('random_seed')"),
        (
            "test_initialization=false",
            "test_initialization: default true -> false",
            "not s.test_initialization",
        ),
        ("debug_info=T", "debug_info: default false -> true", "s.debug_info"),
        ("stepvalue=100, 200", "stepvalue: [50, 70] -> [100, 200]", "list(s.stepvalue) == [100, 200]"),
        ("stepvalue=", "stepvalue: [50, 70] -> []", "not s.stepvalue"),
        ("stepvalue[1]=300", "stepvalue[1]: [50, 70] -> [50, 300]", "list(s.stepvalue) == [50, 300]"),
        ("stepvalue[2]=90", "stepvalue[2]: [50, 70] -> [50, 70, 90]", "list(s.stepvalue) == [50, 70, 90]"),
        (
            "train_state.stage=a,b",
            'train_state.stage: [] -> ["a", "b"]',
            "list(s.train_state.stage) == ['a', 'b']",
        ),
        ("test_state[0].level=2", "test_state[0].level: default 0 -> 2", "s.test_state[0].level == 2"),
        ("net_param.name=x", 'net_param.name: unset -> "x"', "s.net_param.name == 'x'"),
        ("name=x", 'name: "n" -> "x"', "n.name == 'x'"),
        ("net.name=x", 'net.name: "n" -> "x"', "n.name == 'x'"),
        ("net.debug_info=true", "net.debug_info: default false -> true", "n.debug_info and not s.debug_info"),
        (
            "layer.batch_norm_param.moving_average_fraction=0.9",
            "layer.batch_norm_param.moving_average_fraction: default 0.999, 0.95 -> 0.9 (2 layers)",
            "all(abs(n.layer[i].batch_norm_param.moving_average_fraction - 0.9) < 1e-6 for i in (2, 5))",
        ),
        (
            "layer.convolution_param.num_output=8",
            "layer.convolution_param.num_output: 16, 32 -> 8 (2 layers)",
            "n.layer[4].convolution_param.num_output == 8",
        ),
        (
            "layer[L1_*].convolution_param.num_output=8",
            "layer[L1_*].convolution_param.num_output: 16 -> 8 (1 layer)",
            "not n.layer[3].HasField('convolution_param')",
        ),
        (
            "net.layer[L1_*].convolution_param.num_output=8",
            "net.layer[L1_*].convolution_param.num_output: 16 -> 8 (1 layer)",
            "n.layer[1].convolution_param.num_output == 8 and n.layer[4].convolution_param.num_output == 32",
        ),
        (
            "layer[L2/3x3].convolution_param.kernel_size=5",
            "layer[L2/3x3].convolution_param.kernel_size: [3] -> [5] (1 layer)",
            "list(n.layer[4].convolution_param.kernel_size) == [5]",
        ),
        (
            "layer[L2_bn[0]].batch_norm_param.use_global_stats=1",
            "layer[L2_bn[0]].batch_norm_param.use_global_stats: unset -> true (1 layer)",
            "n.layer[5].batch_norm_param.use_global_stats",
        ),
        (
            "layer[pool.1].pooling_param.pool=max",
            "layer[pool.1].pooling_param.pool: AVE -> MAX (1 layer)",
            "n.layer[6].pooling_param.pool == 0",
        ),
        (
            'layer[L1_conv].convolution_param.weight_filler={type: "gaussian" std: 0.01}',
            'layer[L1_conv].convolution_param.weight_filler: { type: "msra" } -> { type: "gaussian" std: 0.01 } (1 layer)',
            "n.layer[1].convolution_param.weight_filler.type == 'gaussian'",
        ),
        (
            "layer[L1_conv].param[0].lr_mult=0",
            "layer[L1_conv].param[0].lr_mult: 1 -> 0 (1 layer)",
            "[p.lr_mult for p in n.layer[1].param] == [0, 2]",
        ),
        (
            "layer[L1_conv].param.decay_mult=0",
            "layer[L1_conv].param.decay_mult: default 1 -> 0 (1 layer)",
            "[p.decay_mult for p in n.layer[1].param] == [0, 0]",
        ),
        (
            "layer[L*].param[0].lr_mult=0",
            "layer[L*].param[0].lr_mult: 1, default 1 -> 0 (4 layers)",
            "len(n.layer[4].param) == 1 and not n.layer[3].param",
        ),
        (
            "layer[L2/3x3].param[0]=lr_mult: 3",
            "layer[L2/3x3].param[0]: [] -> [{ lr_mult: 3 }] (1 layer)",
            "n.layer[4].param[0].lr_mult == 3",
        ),
        (
            "layer[L1_conv].param=",
            "layer[L1_conv].param: [{ lr_mult: 1 }, { lr_mult: 2 }] -> [] (1 layer)",
            "1",
        ),
        (
            "layer[loss].loss_weight=0.5",
            "layer[loss].loss_weight: [] -> [0.5] (1 layer)",
            "n.layer[7].loss_weight",
        ),
        (
            "layer.transform_param.mirror=true",
            "layer.transform_param.mirror: default false -> true (1 layer)",
            "n.layer[0].transform_param.mirror",
        ),
        (
            "layer.loss_param.ignore_label=255",
            "layer.loss_param.ignore_label: unset -> 255 (1 layer)",
            "n.layer[7].loss_param.ignore_label == 255",
        ),
    ],
)
def test_setting(solver, net, setting, line, value):
    assert apply_overrides(solver, net, [setting]) == [line]
    assert eval(value, {"s": solver, "n": net})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_lr", r"'max_lr' is not FIELD=VALUE; write, say, max_lr=3\.5"),
        ("=3", "is not FIELD=VALUE"),
        ("layer[x]=3", "is not FIELD=VALUE"),
        ("max_lrr=1", r"no field 'max_lrr' in SolverParameter and NetParameter; did you mean 'max_lr'"),
        ("origin=x", "no field 'origin' in SolverParameter and NetParameter"),
        ("net.layr=1", r"NetParameter has no field 'layr'; did you mean 'layer'"),
        (
            "layer.batch_norm_parm.eps=1",
            r"LayerParameter has no field 'batch_norm_parm'; did you mean 'batch_norm_param'",
        ),
        ("layer[L1_bn].batch_norm_param.epsilon=1", r"BatchNormParameter has no field 'epsilon'"),
        ("layer[L9*].type=x", r"no layer's name matches 'L9\*'"),
        ("layer[L1_con].type=x", r"no layer's name matches 'L1_con'; did you mean 'L1_conv'"),
        (
            "layer[L1_relu].convolution_param.num_output=3",
            r"none of the 1 layers that match 'L1_relu' has convolution_param or a type that takes it; the types are ReLU",
        ),
        (
            "layer.dropout_param.dropout_ratio=0.1",
            r"no layer has dropout_param or a type that takes it; the types are",
        ),
        ("base_lr=fast", r"'fast' does not fit; base_lr wants a number"),
        ("base_lr=", r"'' does not fit; base_lr wants a number"),
        ("max_iter=2.5", r"'2\.5' does not fit; max_iter wants a whole number"),
        ("iter_size=99999999999", r"'99999999999' does not fit; iter_size wants a whole number"),
        ("layer.convolution_param.num_output=-1", r"num_output wants a whole number from 0 on"),
        ("solver_mode=TPU", r"'TPU' does not fit; solver_mode wants one of CPU, GPU"),
        ("debug_info=maybe", r"'maybe' does not fit; debug_info wants true or false"),
        ("stepvalue=1,x", r"'x' does not fit; stepvalue wants a whole number"),
        ("stepvalue[9]=1", r"stepvalue has 2 elements; an index may be 0 to 2, not 9"),
        ("layer[L1_conv].param[5].lr_mult=1", r"param has 2 elements; an index may be 0 to 2, not 5"),
        ("layer[L2/3x3].param.lr_mult=1", r"param has no elements; give an index, param\[0\], to make one"),
        ("layer[L1_conv].param={lr_mult: 1}", r"param is a repeated message; set one element, param\[0\]="),
        ("base_lr.x=1", r"base_lr is a number and has no fields"),
        ("base_lr[0]=1", r"base_lr is not a repeated field; leave \[0\] out"),
        ("layer[L1_conv].convolution_param.weight_filler={typ: 1}", r"weight_filler=\{typ: 1\}'.*typ"),
    ],
)
def test_settings_that_cannot_be(solver, net, setting, message):
    with pytest.raises(UsageError, match=message) as caught:
        apply_overrides(solver, net, [setting])
    assert str(caught.value).startswith(f"--set '{setting}'")


def test_without_a_net_or_a_solver(solver, net):
    with pytest.raises(UsageError, match="there is no net here to change"):
        apply_overrides(solver, None, ["layer.loss_weight=1"])
    with pytest.raises(UsageError, match="there is no net here to change"):
        apply_overrides(solver, None, ["net.name=x"])
    with pytest.raises(UsageError, match="no field 'max_lr' in NetParameter"):
        apply_overrides(None, net, ["max_lr=1"])
    with pytest.raises(UsageError, match="the net has no layers"):
        apply_overrides(None, NetParameter(), ["layer.loss_weight=1"])
    assert apply_overrides(None, net, ["debug_info=1"]) == ["debug_info: default false -> true"]


def test_several_nets(solver, net):
    other = NetParameter()
    other.CopyFrom(net)
    other.layer[1].name = "only here"
    lines = apply_overrides(
        solver, [net, other], ["layer.convolution_param.num_output=8", "layer[only*].type=X"]
    )
    assert lines[0].endswith("(4 layers)")
    assert lines[1].endswith("(1 layer)")
    assert other.layer[1].convolution_param.num_output == 8


def test_in_order_and_logged(solver, net):
    stream = io.StringIO()
    apply_overrides(solver, net, ["max_lr=1", "max_lr=2"], Log(stream, progress=False))
    first, second = stream.getvalue().splitlines()
    assert first.endswith("--set max_lr: 3 -> 1")
    assert second.endswith("--set max_lr: 1 -> 2")


def test_nothing_else_changes(solver, net):
    before = to_text(net)
    apply_overrides(solver, net, ["max_lr=1"])
    assert to_text(net) == before
