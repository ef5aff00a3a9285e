"""tools/bench: the hand-written loop trains the same net, and the report says what was measured."""

import json
from dataclasses import replace

import pytest
import torch

from caffe_compat.net.execution import Execution
from tools import make_prototxt
from tools.bench import handwritten, run, training

SMALL = run.Setup(net="resnet8", batch=6, build_depth=14, records=40, repeat=2)


@pytest.fixture
def setup(tmp_path):
    setup = run.Setup(**{**run.asdict(SMALL), "folder": str(tmp_path)})
    run.make_data(setup)
    return setup


def without_mirror(write):
    def changed(*args):
        net = write(*args)
        del net["layer"][0]["transform_param"]["mirror"]
        return net

    return changed


@pytest.fixture
def unmirrored(monkeypatch):
    """Nothing random in the pictures: no `mirror` in our net, and every coin of the hand-written loop says no."""
    for family in handwritten.FAMILIES:
        monkeypatch.setattr(make_prototxt, family, without_mirror(getattr(make_prototxt, family)))
    monkeypatch.setattr(torch, "rand", torch.ones)


@pytest.mark.parametrize(
    "net, variant",
    [
        ("resnet8", "eager"),
        ("resnet8", "channels_last"),
        ("wide_resnet14_2", "eager"),
        ("densenet10_5", "eager"),
    ],
)
def test_the_hand_written_loop_trains_the_same_net(setup, unmirrored, net, variant):
    setup = replace(setup, net=net)
    solver = training.our_solver(setup)
    by_hand = training.hand_written(setup, variant)
    ours = [blob.tensor for blob in solver.net.learned if blob.lr_mult]  # BatchNorm's stored sums have 0
    theirs = list(by_hand.model.parameters())
    assert [blob.shape for blob in ours] == [blob.shape for blob in theirs]
    with torch.no_grad():
        for source, target in zip(ours, theirs, strict=True):
            target.copy_(source)
    for _ in range(3):
        solver.net.clear_param_diffs()
        loss, _ = solver.net.forward_backward()
        solver.apply_update()
        assert by_hand.step().item() == pytest.approx(loss.item(), rel=2e-3)


def test_learning_rates_and_decay_of_the_hand_written_loop(setup):
    by_hand = training.hand_written(setup, "eager")
    groups = {
        id(parameter): group for group in by_hand.optimizer.param_groups for parameter in group["params"]
    }
    of = {name: groups[id(parameter)] for name, parameter in by_hand.model.named_parameters()}
    assert {of[n]["scale"] for n in ("conv.weight", "bn.bias", "fc.weight", "blocks.0.bn1.weight")} == {1}
    assert [
        (of[n]["scale"], of[n]["weight_decay"]) for n in ("conv.bias", "blocks.1.conv2.bias", "fc.bias")
    ] == [
        (2, 0),
        (2, 0),
        (2, 1e-4),
    ]


def test_runs_are_taken_in_turns():
    order = []

    def run_of(name):
        def sample():
            order.append(name)
            return float(len(order))

        return sample

    samples = run.in_turns(3, {"a": run_of("a"), "b": run_of("b")}, warm_up=False)
    assert "".join(order) == "abbaab"
    assert samples == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_a_ratio_is_of_samples_taken_side_by_side():
    row = run.Row(
        "step", "a step", "s", {run.OURS: [1, 20, 3], "eager": [1, 10, 2]}, base="eager", limit=1.05
    )
    assert row.ratio("eager") == [1, 2, 1.5]
    assert row.verdict() == "MISSED (<= 1.05x)"
    row.limit = 1.5
    assert row.verdict() == "ok (<= 1.5x)"


def test_a_limit_without_a_base_bounds_our_own_value():
    row = run.Row("help", "start", "s", {run.OURS: [0.4, 0.6, 0.5]}, limit=0.5)
    assert row.verdict() == "ok (<= 0.5 s)"
    row.more_is_better, row.limit = True, 0.55
    assert row.verdict() == "MISSED (>= 0.55 s)"


def test_the_report_has_a_line_for_each_series():
    row = run.Row("data", "batches", "images/s", {run.OURS: [8000, 6000, 7000], "eager": [4000, 2000, 7000]})
    heading, ours, theirs, *rest = run.report([row], {"cores": 2}).splitlines()
    assert heading.split() == ["row", "what", "n", "median", "min", "max", "unit", "ours", "/", "this"]
    assert ours.split() == ["data", run.OURS, "3", "7000", "6000", "8000", "images/s"]
    assert theirs.split()[:7] == ["data", "eager", "3", "4000", "2000", "7000", "images/s"]
    assert theirs.endswith("2.000 (1.000 to 3.000)")
    assert rest == ["", "data: batches", "cores 2"]


def test_an_unknown_row_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        run.main(["stpe"])
    assert stop.value.code == 2
    assert "no row stpe; there are " in capsys.readouterr().err


@pytest.mark.slow
def test_every_row_of_training_is_measured(tmp_path, capfd):
    words = [
        f"--{name}={getattr(SMALL, name)}" for name in ("net", "batch", "build_depth", "records", "repeat")
    ]
    file = tmp_path / "bench.json"
    assert run.main(["step", "memory", "build", "help", "data", *words, "--json", str(file)]) == 0
    told = json.loads(file.read_text())
    assert {row["name"]: sorted(row["samples"]) for row in told["rows"]} == {
        "step": [run.OURS, "channels_last", "eager"],
        "memory": [run.OURS, "channels_last", "eager"],
        "build": [run.OURS],
        "help": [run.OURS, "python -c pass"],
        "data": [run.OURS, "eager"],
    }
    assert all(
        len(values) == 2 and min(values) > 0 for row in told["rows"] for values in row["samples"].values()
    )
    memory = next(row for row in told["rows"] if row["name"] == "memory")
    assert 50 < min(memory["samples"][run.OURS]) < 2000  # MiB
    assert told["machine"]["torch"] == torch.__version__
    assert "MiB" in capfd.readouterr().out


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "rounds"), [("fp32", False), ("tf32", True)])
def test_the_hand_written_loop_has_the_precision_of_ours_on_a_gpu(setup, precision, rounds):
    setup = replace(setup, device="cuda", precision=precision)
    training.step_of(setup, run.OURS)()
    with Execution(precision="fp32" if rounds else "tf32").products(torch.device("cuda")):  # it puts all back
        training.step_of(setup, "eager")()
        assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == rounds
