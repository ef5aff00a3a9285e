"""The train command: exact resume, signals, overrides, and input that cannot be used."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import caffe_compat
from caffe_compat.cli import main
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import SolverState, binary

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"

# Everything random at once: mirrored and cropped pictures, Dropout, a random filler in a data layer.
NET = """
name: "random"
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { mean_file: "mean.binaryproto" scale: 0.0625 crop_size: 10 mirror: true }
  data_param { source: "data_lmdb" batch_size: 7 backend: LMDB } }
layer { name: "noise" type: "DummyData" top: "noise"
  dummy_data_param { shape { dim: 7 dim: 6 dim: 5 dim: 5 } data_filler { type: "gaussian" std: 0.1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "sum" type: "Eltwise" bottom: "bn" bottom: "noise" top: "sum" }
layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "random.prototxt"
test_iter: 2 test_interval: 4
base_lr: 0.05 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 8
momentum: 0.9 weight_decay: 0.004
display: 1 average_loss: 5 max_iter: 12 snapshot: 6 snapshot_prefix: "out/run"
random_seed: 11
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with data, a net full of random numbers and its solver."""
    shutil.copytree(REFERENCE / "data_lmdb", tmp_path / "data_lmdb")
    shutil.copy(REFERENCE / "mean.binaryproto", tmp_path)
    (tmp_path / "random.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*arguments):
    return main(["train", "--solver", "solver.prototxt", *arguments])


def numbers(log, first=0):
    """The lines with results from iteration `first` on, without their time figures."""
    kept, on = [], False
    for line in log.splitlines():
        text = re.sub(r"^.*?\] ", "", line)
        match = re.match(r"Iteration (\d+)", text)
        on = int(match[1]) >= first if match else on
        if on and re.match(r"(Iteration|    T\w+ net output|MultiStep)", text):
            kept.append(re.sub(r"\(.* iters\)", "", text))
    return kept


@pytest.mark.parametrize(
    "extra", [(), ("--set", "snapshot_format=HDF5"), ("--set", "type=Adam", "--set", "momentum2=0.99")]
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(folder, capsys, extra):
    suffix = ".h5" if "snapshot_format=HDF5" in extra else ""
    assert train(*extra) == 0
    whole = capsys.readouterr().err
    weights = Path(f"out/run_iter_12.caffemodel{suffix}").read_bytes()
    Path(f"out/run_iter_12.caffemodel{suffix}").unlink()
    assert train(*extra, "--snapshot", f"out/run_iter_6.solverstate{suffix}") == 0
    resumed = capsys.readouterr().err
    assert Path(f"out/run_iter_12.caffemodel{suffix}").read_bytes() == weights
    assert numbers(resumed, 6) == numbers(whole, 6)


def test_another_seed_is_another_run(folder, capsys):
    train()
    one = numbers(capsys.readouterr().err)
    train("--set", "random_seed=12")
    assert numbers(capsys.readouterr().err) != one


def test_resume_data_restart_begins_at_record_0(folder, capsys):
    train("--set", "layer[data].transform_param.mirror=false")
    whole = capsys.readouterr().err
    arguments = (
        "--snapshot",
        "out/run_iter_6.solverstate",
        "--set",
        "layer[data].transform_param.mirror=false",
    )
    train(*arguments, "--resume-data", "restart")
    assert numbers(capsys.readouterr().err, 7) != numbers(whole, 7)


def test_iterations_stops_on_the_solvers_own_schedule(folder, capsys):
    assert train("--iterations", "4") == 0
    log = capsys.readouterr().err
    assert "Iteration 3, lr = 0.025" in log and "Iteration 4, lr" not in log
    assert Path("out/run_iter_4.solverstate").exists()


def test_caffes_single_dash_spelling_and_set(folder, capsys):
    assert main(["train", "-solver=solver.prototxt", "-set", "max_iter=2", "-sigint_effect=none"]) == 0
    log = capsys.readouterr().err
    assert "--set max_iter: 12 -> 2" in log
    assert "max_iter: 2\n" in log
    assert "Optimization Done." in log


@pytest.mark.parametrize("prefix", ["out", "out/"])
def test_a_prefix_that_is_a_folder_is_completed_when_set_too(prefix, folder):
    assert train("--set", f"snapshot_prefix={prefix}", "--iterations", "1") == 0
    assert [path.name for path in Path("out").glob("*.solverstate")] == ["solver_iter_1.solverstate"]


def test_solver_type_is_no_setting(folder, capsys):
    """The old field is upgraded when the file is read; setting it afterwards would change nothing."""
    assert train("--set", "solver_type=ADAM") == 2
    assert "--set 'solver_type=ADAM': solver_type is the old form of type; write" in capsys.readouterr().err


def test_net_replaces_the_net_and_root_moves_the_start(folder, capsys, monkeypatch):
    (folder / "other.prototxt").write_text(NET.replace('name: "random"', 'name: "other"'))
    monkeypatch.chdir(folder.parent)
    root = folder.name
    solver = str(Path(root) / "solver.prototxt")
    assert (
        main(["train", "--solver", solver, "--root", root, "--net", "other.prototxt", "--set", "max_iter=1"])
        == 0
    )
    assert "Solving other" in capsys.readouterr().err
    assert (folder / "out/run_iter_1.caffemodel").exists()


def test_finetuning_starts_from_the_weights(folder, capsys):
    train("--set", "max_iter=3")
    capsys.readouterr()
    assert (
        train(
            "--weights",
            "out/run_iter_3.caffemodel",
            "--set",
            "base_lr=0",
            "--set",
            "snapshot_prefix=out/two",
            "--set",
            "max_iter=1",
        )
        == 0
    )
    assert "Finetuning from out/run_iter_3.caffemodel" in capsys.readouterr().err
    _, before = binary.read_caffemodel("out/run_iter_3.caffemodel")
    _, after = binary.read_caffemodel("out/two_iter_1.caffemodel")
    assert [a.tobytes() for n, _, arrays in before for a in arrays if n in ("conv", "ip")] == [
        a.tobytes() for n, _, arrays in after for a in arrays if n in ("conv", "ip")
    ]


@pytest.fixture
def start_long_run(folder):
    """Starts training that goes on until it is stopped; its standard error is a pipe."""
    long_run = "display: 1 max_iter: 100000 snapshot: 0"
    (folder / "solver.prototxt").write_text(
        re.sub(r"display: 1 .*max_iter: 12 snapshot: 6", long_run, SOLVER)
    )
    command = [sys.executable, "-m", "caffe_compat", "train", "--solver", "solver.prototxt"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return lambda: subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def test_a_log_that_nobody_reads_any_more(start_long_run):
    """`2>&1 | tee FILE`: Ctrl-C ends tee first. The run stops, with its snapshot."""
    with start_long_run() as run:
        for line in run.stderr:
            if "Iteration 3, lr" in line:
                break
        run.stderr.close()
        assert run.wait(60) == 141
    (state,) = (binary.read(str(path), SolverState) for path in Path("out").glob("*.solverstate"))
    assert state.iter >= 3 and Path(state.learned_net).exists()


@pytest.mark.parametrize(
    ("number", "left_over", "said"),
    [(signal.SIGINT, 1, "Optimization stopped early."), (signal.SIGHUP, 2, "Optimization Done.")],
)
def test_signals_stop_or_snapshot(start_long_run, number, left_over, said):
    """SIGINT: snapshot and stop. SIGHUP: snapshot and go on."""
    with start_long_run() as run:
        lines, since = [], None
        for line in run.stderr:
            lines.append(line)
            if "Iteration 3, lr" in line:
                run.send_signal(number)
            if since is not None and ", lr = " in line:
                since += 1
                if since == 3:  # not in the iteration of the first snapshot, which a second one would replace
                    run.send_signal(signal.SIGINT)
                    said = "Optimization stopped early."
            if number == signal.SIGHUP and since is None and "Snapshotting solver state" in line:
                since = 0
        assert run.wait(60) == 0
    assert any(said in line for line in lines)
    states = sorted(Path("out").glob("*.solverstate"))
    assert len(states) == left_over
    state = binary.read(str(states[0]), SolverState)
    assert state.iter >= 3 and Path(state.learned_net).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--set", "layer[data].data_param.source=examples/cifar10/cifar10_train_lmdb"), 1,
         "layer 'data' (Data): the LMDB source 'examples/cifar10/cifar10_train_lmdb' does not exist; make it with: caffe-compat data cifar10 examples/cifar10"),
        (("--set", "snapshot_prefix=nowhere/x"), 1, "cannot write to snapshot prefix 'nowhere/x': there is no such folder"),
        (("--set", "layer[ip].inner_product_param.num_output=3"), 1, "is outside 0 to 2 (there are 3 classes)"),
        (("--set", "max_lrr=3"), 2, "did you mean 'max_lr'"),
        (("--set", "lr_policy=triangle"), 1, "unknown lr_policy 'triangle'; did you mean 'triangular'"),
        (("--gpu", "0"), 2, "there are 0 CUDA device(s) here"),
        (("--phase", "TEST"), 2, "train runs the TRAIN phase"),
        (("--iterations", "-3"), 2, "--iterations -3 is below 0"),
        (("--snapshot", "a", "--weights", "b"), 2, "not allowed with argument"),
        (("--net", "nope.prototxt"), 1, "--net nope.prototxt cannot be read: no such file; it is looked for from "),
        (("--net", os.devnull), 1, "the TRAIN net has no layers; look at its file, and at the include and exclude rules"),
    ],
)  # fmt: skip
def test_refusals(folder, capsys, arguments, code, said, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert train(*arguments) == code
    assert said in capsys.readouterr().err
    assert not list((folder / "out").iterdir())


def test_only_what_writes_a_snapshot_needs_a_place_for_it(folder, capsys):
    """A solver that is merely stepped is no reason to look for the folder; one that would snapshot at its end is."""
    (folder / "solver.prototxt").write_text(
        SOLVER.replace("snapshot: 6", "snapshot: 0").replace("out/run", "gone/run")
    )
    solver = caffe_compat.get_solver("solver.prototxt")
    solver.step(1)
    capsys.readouterr()
    assert train() == 1
    log = capsys.readouterr().err
    assert "cannot write to snapshot prefix 'gone/run'" in log and "Iteration 0" not in log


def test_all_replicas_count_in_whether_compiling_pays(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(Execution, "for_training", lambda self, work, device: seen.append(work) or self)
    for replicas in ("1", "3"):
        assert train("--replicas", replicas, "--iterations", "1") == 0
    assert 0 < 3 * seen[0] == seen[1]


def test_a_diverged_run_is_named_once_and_goes_on(folder, capsys):
    assert train("--set", "base_lr=1e30") == 0
    log = capsys.readouterr().err
    assert len(re.findall(r"Iteration \d+: the loss is 87.3365, so the net has diverged", log)) == 1
    assert "Optimization Done." in log


def test_gpu_solver_mode_without_a_gpu_warns_and_trains(folder, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert train("--set", "solver_mode=GPU", "--set", "max_iter=1") == 0
    assert re.search(
        r"solver_mode is GPU and there is no CUDA device here( \(.*\))?: using the CPU",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("replicas", "lower"), [(1, "batch_size 7"), (2, "batch_size 7 and 2 replicas in this process")]
)
def test_out_of_memory_says_what_to_lower_and_what_is_kept(folder, capsys, monkeypatch, replicas, lower):
    import torch

    passes, run = [], Net.forward_backward

    def lacks(net):
        passes.append(1)
        if len(passes) == 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore")
        return run(net)

    monkeypatch.setattr(Net, "forward_backward", lacks)
    assert train("--replicas", str(replicas)) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "caffe-compat: error: out of memory in iteration 7: CUDA out of memory. Tried to allocate 2 GiB.; lower "
        f"{lower}, which iter_size makes up for; go on with --snapshot out/run_iter_6.solverstate"
    )
    monkeypatch.setattr(Net, "forward_backward", run)
    assert train("--replicas", str(replicas), "--snapshot", "out/run_iter_6.solverstate") == 0
