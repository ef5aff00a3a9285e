"""The device-query command, with stand-ins for the devices."""

from types import SimpleNamespace

import pytest
import torch

from caffe_compat.cli import main

GPUS = [
    SimpleNamespace(name="Alpha", major=9, minor=0, total_memory=150_000_000_000, multi_processor_count=132),
    SimpleNamespace(name="Beta", major=8, minor=6, total_memory=24_000_000_000, multi_processor_count=82),
]


@pytest.fixture
def gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(GPUS))
    monkeypatch.setattr(torch.cuda, "get_device_properties", GPUS.__getitem__)


def told(capsys):
    return [line.split("] ", 1)[1] for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("words", [["device_query", "-gpu", "1"], ["device-query", "--gpu=1"]])
def test_one_gpu(gpus, capsys, words):
    assert main(words) == 0
    assert told(capsys) == [
        "Querying GPUs 1",
        "Device id:                     1",
        "Major revision number:         8",
        "Minor revision number:         6",
        "Name:                          Beta",
        "Total global memory:           24000000000",
        "Number of multiprocessors:     82",
    ]


def test_all_gpus(gpus, capsys):
    assert main(["device_query", "-gpu", "all"]) == 0
    assert [line for line in told(capsys) if line.startswith("Device id")] == [
        "Device id:                     0",
        "Device id:                     1",
    ]


def test_a_gpu_that_is_not_there(gpus, capsys):
    assert main(["device_query", "-gpu", "5"]) == 2
    assert "--gpu 5: there are 2 CUDA device(s) here" in capsys.readouterr().err


def test_none(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert main(["device_query"]) == 0
    assert told(capsys) == ["Querying GPUs all", "No cuda device present."]
