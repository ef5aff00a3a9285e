"""Which layers, inputs and outputs go into a file."""

import os

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError, NetError
from caffe_compat.export.onnx import export_onnx
from caffe_compat.pycaffe import Net as PycaffeNet
from tests.export.nets import IP, LABELLED, SCALED, data, layer, load, make_net, operators, run


def test_losses_give_way_to_what_a_trained_net_shows(tmp_path):
    net = make_net(LABELLED)
    report = export_onnx(net, tmp_path / "net.onnx")
    assert report.outputs == {"prob": ("N", 7)} and list(report.inputs) == ["data"]
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 9)).astype(np.float32)
    (prob,) = run(tmp_path / "net.onnx", data=x)
    view = PycaffeNet.over(net)
    view.forward(data=x, label=np.zeros(2))
    np.testing.assert_allclose(prob, torch.softmax(torch.tensor(view.blobs["ip"].data), 1), rtol=1e-4)


def test_a_metric_alone_gives_way_to_what_it_judges(tmp_path):
    net = make_net(SCALED + data(2, name="label") + layer("Accuracy", "ip label", "accuracy"))
    assert list(export_onnx(net, tmp_path / "net.onnx").outputs) == ["ip"]


def test_two_losses_name_what_they_show(tmp_path):
    text = (
        LABELLED
        + layer("InnerProduct", "pool", "aux", IP)
        + layer("SoftmaxWithLoss", "aux label", "aux_loss")
    )
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert list(report.outputs) == ["loss_prob", "aux_loss_prob"]


def test_the_second_top_of_a_loss_is_its_probability(tmp_path):
    text = SCALED + data(2, name="label")
    text += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" top: "p" loss_weight: 1 loss_weight: 0 }\n'
    text += layer("ArgMax", "p", "best")
    report = export_onnx(make_net(text), tmp_path / "net.onnx", outputs=["best", "p"])
    assert report.outputs == {"best": ("N", 1, 1), "p": ("N", 7)}
    best, p = run(tmp_path / "net.onnx", data=np.ones((4, 3, 8, 9), np.float32))
    assert (best.reshape(-1) == p.argmax(1)).all()


def test_chosen_outputs_prune_the_rest(tmp_path):
    report = export_onnx(make_net(LABELLED), tmp_path / "net.onnx", outputs=["pool", "conv"])
    assert report.outputs == {"pool": ("N", 4, 4, 4), "conv": ("N", 4, 8, 9)}
    assert operators(load(tmp_path / "net.onnx")) == ["Conv", "Relu", "MaxPool"]


def test_outputs_that_are_not_there(tmp_path):
    net = make_net(LABELLED)
    with pytest.raises(
        NetError,
        match=r"no blob 'pol' to be an output; did you mean 'pool'.* it has: conv, pool, ip, loss, prob and 3 more",
    ):
        export_onnx(net, tmp_path / "net.onnx", outputs=["pol"])
    with pytest.raises(
        LayerError, match=r"layer 'loss' \(SoftmaxWithLoss\): cannot be exported: 'loss' judges .* 'ip'"
    ):
        export_onnx(net, tmp_path / "net.onnx", outputs=["loss"])
    with pytest.raises(NetError, match="has no output to export; name blobs with --outputs"):
        export_onnx(
            make_net(data(2, 3) + layer("Silence", "data", "x").replace('top: "x"', "")), tmp_path / "n.onnx"
        )
    assert os.listdir(tmp_path) == []


def test_an_input_may_be_an_output(tmp_path):
    net = make_net(data(2, 3) + layer("ReLU", "data", "y"))
    report = export_onnx(net, tmp_path / "net.onnx", outputs=["data", "y"])
    assert report.outputs == {"data": ("N", 3), "y": ("N", 3)}
    x = np.array([[1, -2, 3]], np.float32)
    same, rectified = run(tmp_path / "net.onnx", data=x)
    assert same.tolist() == [[1, -2, 3]] and rectified.tolist() == [[1, 0, 3]]
