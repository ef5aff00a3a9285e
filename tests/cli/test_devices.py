"""The device that a command runs on."""

import torch

from caffe_compat.cli.devices import choose_device
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
