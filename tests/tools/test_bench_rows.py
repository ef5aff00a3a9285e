"""tools/bench: the rows that start other programs, with small nets and a stand-in for Caffe's program."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tools.bench import forward_passes, handwritten, pictures, real_caffe, run, training

PROGRAM = """#!/bin/sh
case "$1 $2" in
"time -model="*.prototxt) echo "I1122 caffe.cpp:408] Average Forward pass: 12.5 ms." >&2 ;;
"train -solver="*) cat "${2#-solver=}" > "$0.solver"; for i in 0 1 2 3 4; do
    echo "I1122 solver.cpp:239] Iteration $i (9.9 iter/s, 0.${i}5s/1 iters), loss = 1" >&2; done ;;
*) echo "Check failed: no such command" >&2; exit 3 ;;
esac
"""


@pytest.fixture
def caffe(tmp_path):
    program = tmp_path / "caffe"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def setup(tmp_path):
    setup = run.Setup(net="resnet8", batch=6, records=40, repeat=2, against=("eager",), folder=str(tmp_path))
    run.make_data(setup)
    return setup


def test_times_are_read_from_caffes_log(caffe, tmp_path):
    net = str(tmp_path / "net.prototxt")
    assert real_caffe.forward(caffe, net)() == 0.0125
    assert real_caffe.batches(caffe, net, batch=100, iterations=3)() == 8000
    assert real_caffe.step(caffe, net)() == 0.35  # the median of 0.25, 0.35 and 0.45
    assert f'net: "{net}"' in (tmp_path / "caffe.solver").read_text()


def test_peak_memory_is_the_programs_own(caffe, tmp_path):
    Path(caffe).write_text("#!/bin/sh\nexec sleep 0.2\n")
    held = bytearray(200 << 20)  # the starting process has more
    assert 0.3 < real_caffe.peak_memory(caffe, str(tmp_path / "net.prototxt"))() < 100
    assert len(held) == 200 << 20


def test_a_caffe_that_fails_says_why(caffe, tmp_path):
    with pytest.raises(
        RuntimeError, match=r"caffe device_query ended with 3:\nCheck failed: no such command"
    ):
        real_caffe.log_of(caffe, "device_query")
    with pytest.raises(RuntimeError, match="no line 'Average Backward pass'"):
        real_caffe.milliseconds("Average Forward pass: 1 ms", "Average Backward pass")


@pytest.mark.slow
def test_a_step_beside_caffe(setup, caffe):
    row = training.step(replace(setup, caffe=caffe))
    assert {name: len(values) for name, values in row.samples.items()} == {
        run.OURS: 2,
        "eager": 2,
        "Caffe": 2,
    }
    assert row.base == "eager"
    assert row.samples["Caffe"] == [0.35, 0.35]
    assert os.path.exists(f"{setup.folder}/resnet8_6.prototxt")


@pytest.mark.slow
def test_replicas_beside_one_batch(setup):
    row = training.replicas(setup, 2, 3)
    assert list(row.samples) == ["2 replicas of 3", "one batch of 6"]
    assert len(row.ratio("one batch of 6")) == 2


@pytest.mark.slow
def test_growth_is_time_by_work(setup):
    setups = {"batch 3": replace(setup, batch=3), "batch 6": setup}
    work = [training.multiply_adds(setup) for setup in setups.values()]
    assert work[1] == 2 * work[0]
    row = training.growth("growth", "by batch", setups, 2)
    assert row.ours == "batch 6" and row.base == "batch 3"
    assert all(1 < value < 1e6 for values in row.samples.values() for value in values)


def test_a_child_that_dies_is_an_error(setup, capfd):
    with (
        training.children({"x": (replace(setup, net="resnet9"), run.OURS)}) as made,
        pytest.raises(RuntimeError, match="a process that trains ended with 1"),
    ):
        training.answer(made["x"])
    assert "depth must be 6n + 2" in capfd.readouterr().err


def test_names_of_nets():
    assert handwritten.sizes("wide_resnet32_4") == ("wide_resnet", [32, 4])
    for wrong in ("resnet", "vgg16", "resnet56x"):
        with pytest.raises(ValueError, match=f"no net '{wrong}'"):
            handwritten.sizes(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_published_nets_train_in_both_forms(setup, name):
    setup = replace(setup, net=name, batch=2)
    training.make_pictures(setup, name, count=4)
    ours, theirs = training.step_of(setup, run.OURS), training.hand_written(setup, "eager")
    ours()
    assert theirs.images.shape[2] == pictures.SIZES[name]
    assert torch.isfinite(theirs.step())


@pytest.mark.slow
def test_a_forward_pass_gives_the_same_everywhere(setup, monkeypatch):
    """The ResNet-56 written twice, and what ONNX Runtime and OpenCV, if here, are timed on."""
    seen = {}
    in_turns = forward_passes.in_turns
    monkeypatch.setattr(
        forward_passes, "in_turns", lambda repeat, runs: seen.update(runs) or in_turns(repeat, runs)
    )
    row = forward_passes.forward(setup, "resnet56", 2)
    assert list(seen)[:3] == [run.OURS, "torch.nn", "torch.nn, channels_last"]
    assert all(len(values) == 2 for values in row.samples.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "resnet56"])
def test_a_deploy_net_and_its_module_agree(tmp_path, name):
    import caffe_compat as caffe

    write, module = pictures.NETS[name]
    path = tmp_path / "deploy.prototxt"
    path.write_text(write(2))
    net, by_hand = caffe.Net(str(path), caffe.TEST), module().eval()
    forward_passes.copy_weights(net, by_hand)
    x = torch.randn(net.blobs["data"].shape[:])
    net.blobs["data"].data[...] = x.numpy()
    (top,) = net.forward().values()
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(top), by_hand(x), rtol=1e-3, atol=1e-6)
