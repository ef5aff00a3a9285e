"""Precision, memory layout and compilation change how a net runs and not, beyond what they say, what it gives."""

import shutil

import pytest
import torch

from caffe_compat.cli.common import add_execution
from caffe_compat.layers.base import Context
from caffe_compat.log.write import NULL, Log
from caffe_compat.net.execution import CHANNELS_LAST, COMPILE, PRECISIONS, WORK_OF_A_CORE, Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, NetParameter, text
from tests import pretended

NET = """
layer { name: "in" type: "DummyData" top: "x" top: "label"
  dummy_data_param { shape { dim: 6 dim: 3 dim: 9 dim: 8 } shape { dim: 6 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 2 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "sc" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "pool" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""


def run(execution=None, replicas=1, log=NULL):
    param = text.parse(NET, NetParameter)
    param.state.phase = TRAIN
    generator = torch.Generator().manual_seed(3)
    net = Net(param, context=Context(generator, replicas=replicas, rank=None if replicas > 1 else 0), log=log)
    if execution:
        net.execution = execution
    loss, _ = net.forward_backward()
    return net, [loss, *(blob.tensor.grad for blob in net.learned if blob.tensor.grad is not None)]


def errors(found, expected):
    return max(
        float((a - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True) if b.norm() > 1e-3
    )


@pytest.mark.parametrize("channels_last", ["on", "off"])
def test_memory_layout(channels_last):
    net, found = run(Execution(channels_last=channels_last))
    assert errors(found, run()[1]) < 1e-5
    innermost = channels_last == "on"
    assert net.load()[0].is_contiguous(memory_format=torch.channels_last) == innermost
    assert net.describe_execution() == (
        f"precision fp32, channels {'innermost' if innermost else 'outermost'} in memory, not compiled"
    )


@pytest.mark.parametrize("replicas", [1, 2])
def test_bf16_is_coarser_and_keeps_blobs_in_float32(replicas):
    net, found = run(Execution(precision="bf16"), replicas)
    error = errors(found, run(replicas=replicas)[1])
    assert 1e-4 < error < 0.2
    assert all(value.dtype == torch.float32 for value in found)
    assert all(blob.dtype == torch.float32 for layer in net.layers for blob in layer.owned_blobs())


def test_tf32_changes_nothing_on_a_cpu():
    assert errors(run(Execution(precision="tf32"))[1], run()[1]) == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler imports its own old parts
@pytest.mark.parametrize("replicas", [1, 2])
def test_compiled(replicas):
    net, found = run(Execution(compile="on"), replicas)
    assert net.layer("pool").edges[1] == 1  # a window reaches beyond the picture, where torch's compiler errs
    plain, expected = run(replicas=replicas)
    assert errors(found, expected) < 1e-5
    assert net.describe_execution().endswith(", compiled")
    statistics, wanted = (n.layer("bn").owned_blobs() for n in (net, plain))
    for blob, other in zip(statistics, wanted, strict=True):
        torch.testing.assert_close(blob, other)
    assert statistics[2].item() == 1  # the sums moved on, once


@pytest.mark.parametrize(("precision", "rounds"), [("fp32", False), ("tf32", True)])
@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_a_gpu_rounds_only_if_told_to_layer_by_layer_too(precision, rounds, phase):
    """pycaffe, debug_info and nets whose shapes change run so; torch's own setting lets cuDNN round."""
    param = text.parse(NET, NetParameter)
    param.state.phase = phase
    seen = []

    def look(*_):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))

    with pretended.cuda():
        net = Net(param, context=Context(torch.Generator().manual_seed(3)), device="cuda")
        net.execution = Execution(precision=precision)
        net.layer("c").register_forward_hook(look)
        net.layer("c").blobs[0].register_hook(look)
        net.layerwise.forward()
        net.layerwise.backward()
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (True, False)
    assert seen == [(rounds, rounds)] * 2


def backends():
    """What is set in torch.backends; None for what torch refuses to tell."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    found = {
        name: getattr(cudnn, name) for name in ("enabled", "benchmark", "benchmark_limit", "deterministic")
    }
    for name, ask in (
        ("cudnn", lambda: cudnn.allow_tf32),
        ("matmul", lambda: matmul.allow_tf32),
        ("level", torch.get_float32_matmul_precision),
        ("of operators", lambda: [place.fp32_precision for place in (matmul, cudnn.conv, cudnn.rnn)]),
    ):
        try:
            found[name] = ask()
        except (AttributeError, RuntimeError):
            found[name] = None
    return found


@pytest.fixture
def as_before():
    """What a test sets in torch.backends is set back."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    found = backends()
    yield
    cudnn.benchmark, cudnn.deterministic = found["benchmark"], found["deterministic"]
    torch.set_float32_matmul_precision(found["level"])
    cudnn.allow_tf32 = found["cudnn"]
    if found["of operators"]:
        for place, precision in zip((matmul, cudnn.conv, cudnn.rnn), found["of operators"], strict=True):
            place.fp32_precision = precision
    assert backends() == found


def set_operators(matmul, conv):
    if not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("this torch has no setting an operator")
    torch.backends.cuda.matmul.fp32_precision = matmul
    torch.backends.cudnn.conv.fp32_precision = conv


def set_flags():
    torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = True


SETTINGS = {
    "none": lambda: None,
    "deterministic": set_flags,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "no rounding": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "operators rounded": lambda: set_operators("tf32", "tf32"),
    "operators exact": lambda: set_operators("ieee", "ieee"),
}


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_set_in_torch_backends_survives_a_pass(setting, precision, as_before):
    SETTINGS[setting]()
    before, within = backends(), []
    with pretended.cuda():
        net = Net(
            text.parse(NET, NetParameter), context=Context(torch.Generator().manual_seed(3)), device="cuda"
        )
        net.execution = Execution(precision=precision)
        net.layer("ip").register_forward_hook(lambda *_: within.append(backends()))
        net.forward_backward()
        net.layerwise.forward()
        net.layerwise.backward()
    assert backends() == before
    assert within and all((now["cudnn"], now["matmul"]) == (precision == "tf32",) * 2 for now in within)
    flags = ("enabled", "benchmark", "benchmark_limit", "deterministic")
    assert all([now[name] for name in flags] == [before[name] for name in flags] for now in within)


def test_what_is_set_within_a_pass_stays(as_before):
    def change(*_):
        set_flags()
        torch.backends.cuda.matmul.allow_tf32 = True

    with pretended.cuda():
        net = Net(
            text.parse(NET, NetParameter), context=Context(torch.Generator().manual_seed(3)), device="cuda"
        )
        net.layer("c").register_forward_hook(change)
        net.layerwise.forward()
    now = backends()
    assert now["deterministic"] and now["benchmark"] and now["matmul"] and now["cudnn"]


def test_cudnn_tries_its_ways_while_shapes_stand(as_before):
    cudnn = torch.backends.cudnn
    cudnn.benchmark = cudnn.deterministic = False
    seen = []
    with pretended.cuda():
        net = Net(text.parse(NET, NetParameter), device="cuda")
        net.layer("ip").register_forward_hook(lambda *_: seen.append(cudnn.benchmark))
        net.forward()
        net.forward()
        cudnn.deterministic = True
        net.forward()
        assert not cudnn.benchmark
    assert seen == [False, True, False]


def test_auto_compiles_long_training_on_a_cpu(monkeypatch):
    cpu, much = torch.device("cpu"), WORK_OF_A_CORE * torch.get_num_threads()
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("sys.platform", "linux")
    chosen = Execution().for_training(much, cpu)
    assert (chosen.compile, chosen.optional) == ("on", True)
    assert chosen.describe(True).endswith("compiled")
    for execution, work, device in (
        (Execution(), much - 1, cpu),
        (Execution(), much, torch.device("cuda")),
        (Execution(compile="off"), much, cpu),
        (Execution(precision="bf16"), much, cpu),
    ):
        assert execution.for_training(work, device) is execution
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert Execution().for_training(much, cpu).compile == "auto"


def test_replicas_that_run_in_turn_are_not_compiled():
    assert run(replicas=2)[0].compilable
    param = text.parse(NET, NetParameter)
    param.layer.add(name="reads the loss of a replica", type="Power", bottom=["loss"], top=["p2"])
    for replicas in (1, 2):
        net = Net(param, context=Context(replicas=replicas, rank=None))
        assert net.in_turn == (replicas == 2)
        assert net.compilable == (replicas == 1)


def test_a_net_that_cannot_be_compiled_runs_as_it_is(monkeypatch, capsys):
    expected = run()[1]

    def compile(graph, **_):
        def compiled(*batch):
            graph(*batch)  # moves BatchNorm's sums and the random numbers on
            raise RuntimeError("no such kernel\nat line 3")

        return compiled

    monkeypatch.setattr(torch, "compile", compile)
    net, found = run(Execution(compile="on", optional=True), log=Log(progress=False))
    assert errors(found, expected) == 0
    assert net.layer("bn").owned_blobs()[2].item() == 1
    assert "the net cannot be compiled and runs as it is: no such kernel\n" in capsys.readouterr().err
    assert net.describe_execution().endswith("not compiled")
    net.forward_backward()
    with pytest.raises(RuntimeError, match="no such kernel"):
        run(Execution(compile="on"))


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler imports its own old parts
@pytest.mark.parametrize("compile", ["off", "on", "capture", "graphs"])
def test_on_a_gpu(compile):
    """Longer than it takes until the passes are recorded."""
    if compile in ("on", "graphs") and not pretended.real():
        pytest.skip("no CUDA device to compile for")
    param = text.parse(NET, NetParameter)
    param.state.phase = TRAIN
    nets = [
        Net(param, context=Context(torch.Generator().manual_seed(3)), device=where)
        for where in ("cpu", "cuda")
    ]
    nets[1].execution = Execution(compile=compile)
    for _ in range(6):
        results = []
        for net in nets:
            net.clear_param_diffs()
            loss, _ = net.forward_backward()
            results.append(
                [loss, *(blob.tensor.grad for blob in net.learned if blob.tensor.grad is not None)]
            )
        expected, found = results
        assert errors([value.cpu() for value in found], expected) < 1e-4
    for blob, other in zip(*(net.layer("bn").owned_blobs() for net in nets), strict=True):
        torch.testing.assert_close(other.cpu(), blob, rtol=1e-4, atol=1e-5)
    assert not torch.backends.cuda.matmul.allow_tf32


def test_unknown_words():
    with pytest.raises(ValueError, match="'fp64' is none of fp32, tf32, bf16"):
        Execution(precision="fp64")


def test_the_command_line_knows_the_same_words():
    from argparse import ArgumentParser

    parser = ArgumentParser()
    add_execution(parser)
    choices = {action.dest: tuple(action.choices) for action in parser._actions if action.choices}
    assert choices == {"precision": PRECISIONS, "compile": COMPILE, "channels_last": CHANNELS_LAST}
