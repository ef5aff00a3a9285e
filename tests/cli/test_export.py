"""The export command: from Caffe's files to one ONNX file, and what stops it."""

import os
import re

import numpy as np
import onnx
import onnxruntime
import pytest

from caffe_compat.cli import main
from caffe_compat.net import Net, weights
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse

WEIGHTS = "sgd_fixed/init.caffemodel"
TRAINED = ["export", "--model", "net.prototxt", "--weights", "sgd_fixed/snap_iter_12.caffemodel"]


def test_a_trained_net_becomes_a_file(solvers, capsys):
    assert main([*TRAINED, "--onnx", "net.onnx", "--check-data", "data_lmdb", "-n", "25"]) == 0
    out = capsys.readouterr().out
    assert "net.onnx: 6 nodes" in out and "input  data N x 3 x 12 x 12" in out and "output prob N x 10" in out
    assert "output prob: max abs error" in out and "checked by onnx and by ONNX Runtime" in out
    assert "top-1 agreement on data_lmdb: 25 of 25" in out
    model = onnx.load("net.onnx")
    assert [node.name for node in model.graph.node] == [
        "conv1",
        "relu1",
        "pool1",
        "ip1/Flatten",
        "ip1",
        "loss",
    ]
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert {"source.net.prototxt", "source.snap_iter_12.caffemodel"} <= set(entries)
    assert 'mean_file: "mean.binaryproto"' in entries["caffe.transform_param.data"]


def test_pictures_as_bytes(solvers, capsys):
    words = ["--onnx", "net.onnx", "--preprocess", "--check-data", "data_lmdb", "-n", "15"]
    assert main([*TRAINED, *words]) == 0
    assert "top-1 agreement on data_lmdb: 15 of 15" in capsys.readouterr().out
    session = onnxruntime.InferenceSession("net.onnx")
    assert session.get_inputs()[0].type == "tensor(uint8)"
    assert session.run(None, {"data": np.zeros((2, 3, 12, 12), np.uint8)})[0].shape == (2, 10)


def test_the_test_net_of_a_solver(solvers, capsys):
    words = ["export", "--solver", "sgd_fixed/solver.prototxt", "--weights", WEIGHTS, "--onnx", "net.onnx"]
    assert main([*words, "--outputs", "ip1,pool1", "--static-batch", "--opset", "13"]) == 0
    out = capsys.readouterr().out
    assert "opset 13" in out and "output ip1 10 x 10" in out and "output pool1 10 x 6 x 3 x 3" in out


def test_without_the_data(solvers, capsys):
    words = [*TRAINED, "--onnx", "net.onnx", "--set", "layer.data_param.source=gone"]
    assert main(words) == 1
    assert "gone" in capsys.readouterr().err
    assert (
        main([*words, "--input", "data=1,3,12,12", "--mean-value", "1,2,3", "--scale", "0.5", "--preprocess"])
        == 0
    )
    assert "input  data N x 3 x 12 x 12" in capsys.readouterr().out
    assert main([*words, "--input", "dta=1,3,12,12"]) == 1
    assert main([*words, "--input", "data=1,3,12,12", "--input", "dta=1,3"]) == 1
    assert "--input dta: the net has no such blob; did you mean 'data'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["--weights", "gone.caffemodel"], 1, "gone.caffemodel: .*cannot be read"),
        (
            ["--weights", "other.caffemodel"],
            1,
            r"other.caffemodel: no values for 4 of the layers .*'conv1' \(6, 3, 3, 3\)",
        ),
        (
            ["--weights", WEIGHTS, "--set", "layer[ip1].inner_product_param.num_output=9"],
            1,
            r"\(10, 54\).*\(9, 54\)",
        ),
        (["--weights", WEIGHTS, "--outputs", "ip2"], 1, "no blob 'ip2' to be an output; did you mean 'ip1'"),
        (["--weights", WEIGHTS, "--onnx", "gone/net.onnx"], 1, "gone/net.onnx: cannot be written"),
        (["--weights", WEIGHTS, "--opset", "7"], 1, "opset 7 is not known; use 13 to"),
        (["--weights", WEIGHTS, "--phase", "TRAIN", "--outputs", "loss"], 1, "'loss' judges other blobs"),
        (
            ["--weights", WEIGHTS, "--solver", "sgd_fixed/solver.prototxt"],
            2,
            "give --model or --solver, one of them",
        ),
        (["--weights", WEIGHTS, "-n", "0"], 2, "-n 0 is below 1"),
        (["--weights", WEIGHTS, "--mean-value", "a"], 2, "--mean-value 'a' is not numbers"),
        (
            ["--weights", WEIGHTS, "--mean-value", "1", "--mean-file", "mean.binaryproto"],
            2,
            "are both given; keep one",
        ),
        (["--weights", WEIGHTS, "--check-data", "gone"], 1, "'gone' does not exist"),
        ([], 2, "--weights"),
    ],
)
def test_what_stops_it(words, code, message, solvers, capsys):
    other = 'layer { name: "other" type: "Parameter" top: "x" parameter_param { shape { dim: 2 } } }'
    weights.save(Net(parse(other, NetParameter, "other.prototxt")), "other.caffemodel")
    before = sorted(os.listdir("."))
    onnx_file = [] if "--onnx" in words else ["--onnx", "net.onnx"]
    assert main(["export", "--model", "net.prototxt", *onnx_file, *words]) == code
    assert re.search(message, capsys.readouterr().err)
    left = sorted(set(os.listdir(".")) - set(before))
    assert left == (["net.onnx"] if "gone" in words and "--check-data" in words else [])
