"""pycaffe on a GPU: the CPU's numbers through its views, and the device that set_device names."""

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.errors import NetError
from tests import pretended
from tests.layers.harness import golden, golden_cases

NET = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return str(path)


@pytest.fixture
def gpu_mode():
    caffe.set_mode_gpu()
    yield
    caffe.set_mode_cpu()
    caffe.set_device(0)


@pytest.mark.parametrize("name", golden_cases()[::7])
def test_what_a_real_caffe_gave(name, gpu_mode):
    with pretended.cuda():
        golden(name)


def test_views_of_a_gpu_write_through(file, gpu_mode):
    with pretended.cuda():
        net = caffe.Net(file, caffe.TEST)
        assert net.core.learned[0].tensor.is_cuda
        view = net.blobs["y"].data
        net.blobs["x"].data[...] = [[1, 2, 3], [4, 5, 6]]
        net.params["ip"][0].data[...] = np.arange(12).reshape(4, 3)
        net.forward()
        assert view.tolist() == [[8, 26, 44, 62], [17, 62, 107, 152]]


def test_a_gpu_that_is_not_there(file, gpu_mode, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    caffe.set_device(1)
    message = r"set_mode_gpu with device 1: there is 1 CUDA device\(s\) here; call set_device with 0 to 0"
    with pytest.raises(NetError, match=message):
        caffe.Net(file, caffe.TEST)


def test_no_gpu_at_all(file, gpu_mode, monkeypatch, capsys):
    """One warning, and the CPU."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(caffe.pycaffe.state, "_warned", False)
    caffe.set_device(2)
    nets = [caffe.Net(file, caffe.TEST), caffe.Net(file, caffe.TRAIN)]
    assert [net.core.learned[0].tensor.device.type for net in nets] == ["cpu", "cpu"]
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("W")]
    assert len(warnings) == 1
    assert warnings[0].endswith("set_mode_gpu was called and there is no CUDA device here: using the CPU")


def test_the_timer_waits_for_the_device_in_use(gpu_mode, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    told = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: told.append(("current", device)))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: told.append(("waited", device)))
    caffe.set_device(2)
    timer = caffe.Timer()
    timer.start()
    assert told == [("current", 2), ("waited", torch.device("cuda", 2))]


def test_a_driver_that_cannot_be_used(file, gpu_mode, monkeypatch):
    def refuse(device):
        raise RuntimeError("The NVIDIA driver on your system is too old\n  (found version 11040).")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", refuse)
    with pytest.raises(
        NetError, match=r"cannot be used: The NVIDIA .* too old \(found version 11040\).; see what"
    ):
        caffe.Net(file, caffe.TEST)
