"""The device that a command runs on."""

import warnings

import pytest
import torch

from caffe_compat.cli import main
from caffe_compat.cli.devices import choose_device, existing
from caffe_compat.errors import UsageError
from caffe_compat.log.commands import CommandLog
from caffe_compat.log.write import OFF

SILENT = CommandLog(level=OFF)


def test_the_chosen_device_becomes_the_current_one(monkeypatch):
    """Each of several processes takes its own; page-locked memory is then not the first one's."""
    current = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device}")
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert choose_device("3", None, SILENT) == torch.device("cuda", 3)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert choose_device("0,2", None, SILENT) == torch.device("cuda", 2)
    assert choose_device("", None, SILENT) == torch.device("cpu")
    assert current == [3, 2]


OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver "
    "by downloading\n  and installing a new version."
)


@pytest.fixture
def built(monkeypatch):
    """This torch is built for GPUs."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_why_there_is_no_gpu(built, monkeypatch):
    def none():
        warnings.warn(OLD, stacklevel=1)
        return 0

    monkeypatch.setattr(torch.cuda, "device_count", none)
    with pytest.raises(UsageError) as caught:
        existing("0")
    assert str(caught.value) == (
        "--gpu 0: there are 0 CUDA device(s) here (The NVIDIA driver on your system is too old (found version 11040)); "
        "leave --gpu out to use the CPU"
    )
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match=r"there are 0 CUDA device\(s\) here; leave"):
        existing("0")
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    with pytest.raises(UsageError, match=r"here \(this torch is built without CUDA\); leave"):
        existing("0")


@pytest.mark.parametrize(("chosen", "count"), [("2", 1), ("GPU-8f3c", 1), ("", 0)])
def test_numbers_count_the_visible_gpus(built, chosen, count, monkeypatch, capsys):
    """As in Caffe; the message tells them from the machine's."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert existing("all") == list(range(count)) if count else True
    with pytest.raises(UsageError, match=rf"CUDA device\(s\) here \(CUDA_VISIBLE_DEVICES={chosen}\); leave"):
        existing("2")
    if not count:
        assert main(["device-query"]) == 0
        assert "No cuda device present (CUDA_VISIBLE_DEVICES=)." in capsys.readouterr().err


@pytest.mark.parametrize("error", [RuntimeError(OLD), AssertionError("Torch not compiled with CUDA enabled")])
def test_a_gpu_that_cannot_be_used_is_one_line(built, error, monkeypatch, tmp_path, capsys):
    """Found by the driver's library, and refused by the driver."""

    def refuse(device):
        raise error

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", refuse)
    (tmp_path / "net.prototxt").write_text("")
    assert main(["time", "--model", str(tmp_path / "net.prototxt"), "--gpu", "0"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    what = "The NVIDIA driver on your system is too old (found version 11040)"
    assert told == (
        f"caffe-compat: error: the GPU cannot be used: {what if isinstance(error, RuntimeError) else error}; see what "
        "nvidia-smi says, or leave --gpu and solver_mode: GPU out to use the CPU"
    )
