"""The show command: shapes, parameters and costs without data and weights."""

import csv
import io
import json
import time
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.proto.binary import write_caffemodel

ROOT = Path(__file__).parents[2]
NET = """name: "small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 12 mean_value: 3 } data_param { source: "gone" batch_size: 5 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST not_stage: "deploy" }
  data_param { source: "gone" batch_size: 7 backend: LMDB } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "f" type: "InnerProduct" bottom: "c" top: "f" inner_product_param { num_output: 4 } }
layer { name: "g" type: "InnerProduct" bottom: "f" top: "g" param { name: "w" } inner_product_param { num_output: 4 } }
layer { name: "h" type: "InnerProduct" bottom: "g" top: "h" param { name: "w" } inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "h" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "h" bottom: "label" top: "accuracy" include { phase: TEST } }
"""
SOLVER = """net: "net.prototxt"
test_iter: 3
test_interval: 9
base_lr: 0.1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys, *words):
    assert main(["show", *words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_shapes_and_costs(folder, capsys):
    net = shown(capsys, "net.prototxt")
    layers = {layer["layer"]: layer for layer in net["layers"]}
    assert (net["name"], net["phase"]) == ("small", "TRAIN")
    assert list(layers) == ["data", "c", "bn", "f", "g", "h", "loss"]
    assert layers["data"]["shapes"] == [[5, 3, 12, 12], [5]]
    assert layers["c"]["shapes"] == [[5, 6, 10, 10]]
    assert layers["c"]["parameters"] == 6 * 3 * 9 + 6
    assert layers["c"]["multiply_adds"] == 5 * 6 * 100 * 27
    assert layers["c"]["memory"] == 4 * 5 * 6 * 100
    assert (layers["bn"]["parameters"], layers["bn"]["statistics"], layers["bn"]["memory"]) == (0, 13, 0)
    assert [layers[name]["parameters"] for name in "fgh"] == [4 * 600 + 4, 4 * 4 + 4, 4]
    assert layers["loss"]["bottoms"] == ["h", "label"]
    totals = net["totals"]
    assert totals["parameters"] == sum(layer["parameters"] for layer in net["layers"]) == 168 + 2404 + 20 + 4
    assert totals["statistics"] == 13
    assert totals["memory"] == 4 * (5 * 432 + 5 + 3000 + 20 + 20 + 20 + 1)
    assert net["notes"] == [
        (
            "net.prototxt:2: layer 'data' (Data): assumed data 5 x 3 x 12 x 12, label 5, as there is no data to look at: "
            "the LMDB source 'gone' does not exist"
        )
    ]


def test_input_gives_shapes_and_the_batch_of_all_tops(folder, capsys):
    net = shown(capsys, "net.prototxt", "--phase", "TEST", "--input", "data=1,3,14,13")
    assert [layer["shapes"] for layer in net["layers"][:2]] == [[[1, 3, 14, 13], [1]], [[1, 6, 12, 11]]]
    assert net["layers"][-1]["layer"] == "accuracy"
    net = shown(capsys, "net.prototxt", "--input", "data=2x3x14x13", "--input", "label=2")
    assert net["notes"] == []
    assert net["layers"][0]["shapes"] == [[2, 3, 14, 13], [2]]


def test_the_nets_of_a_solver(folder, capsys):
    assert shown(capsys, "solver.prototxt")["phase"] == "TRAIN"
    net = shown(capsys, "solver.prototxt", "--phase", "TEST", "--input", "data=7,3,14,13")
    assert (net["phase"], len(net["layers"])) == ("TEST", 8)
    (folder / "inside.prototxt").write_text(f"test_iter: 1 base_lr: 0.1 net_param {{ {NET} }}")
    assert shown(capsys, "inside.prototxt")["layers"] == shown(capsys, "net.prototxt")["layers"]
    (folder / "none.prototxt").write_text("base_lr: 0.1")
    assert main(["show", "none.prototxt"]) == 1
    assert "none.prototxt: the solver names no net for the phase TRAIN; give a net" in capsys.readouterr().err


def test_stages_and_set(folder, capsys):
    words = ["net.prototxt", "--phase", "TEST", "--stage", "deploy"]
    assert main(["show", *words]) == 1
    assert "layer 'c' (Convolution): bottom 0 'data' is unknown" in capsys.readouterr().err
    net = shown(capsys, "net.prototxt", "--set", "layer[c].convolution_param.num_output=9")
    assert net["layers"][1]["shapes"] == [[5, 9, 10, 10]]


def test_table_and_csv(folder, capsys):
    assert main(["show", "net.prototxt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "type", "bottoms", "tops", "parameters", "multiply-adds", "memory"]
    assert lines[2].split() == ["c", "Convolution", "data", "c", "5x6x10x10", "168", "81,000", "11.7", "KiB"]
    assert "net 'small', phase TRAIN: 7 layers" in lines
    assert "parameters: 2,596 (10.1 KiB), and 13 stored statistics" in lines
    assert lines[-1].startswith("note: net.prototxt:2: layer 'data' (Data): assumed")
    assert main(["show", "net.prototxt", "--format=csv"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0]["tops"] == "data label"
    assert rows[0]["shapes"] == "5x3x12x12 5"
    assert rows[1]["multiply_adds"] == "81000"
    assert err.startswith("note: net.prototxt:2: ")


def test_weights_are_matched_by_name(folder, capsys):
    from caffe_compat.proto import LayerParameter, NetParameter

    blobs = {"c": [(6, 3, 3, 3), (6,)], "f": [(4, 500), (4,)], "g": [(4, 4)], "old": [(2, 3)], "loss": []}
    layers = [LayerParameter(name=name, type="X") for name in blobs]
    arrays = [[np.zeros(shape, np.float32) for shape in shapes] for shapes in blobs.values()]
    write_caffemodel("w.caffemodel", NetParameter(layer=layers), arrays)
    net = shown(capsys, "net.prototxt", "--weights", "w.caffemodel")
    assert {layer["layer"]: layer["weights"] for layer in net["layers"] if layer["weights"]} == {
        "c": "copied",
        "bn": "not in the file",
        "f": "blob 0 is 4x500 in the file, 4x600 here",
        "g": "1 blobs in the file, 2 here",
        "h": "not in the file",
    }
    assert net["notes"][1:] == ["w.caffemodel: 1 layers that the net lacks: old"]
    assert main(["show", "net.prototxt", "--weights", "w.caffemodel"]) == 0
    assert "weights" in capsys.readouterr().out.splitlines()[0]


def test_weights_in_hdf5(folder, capsys):
    h5py = pytest.importorskip("h5py")
    with h5py.File("w.caffemodel.h5", "w") as file:
        file["data/c/0"], file["data/c/1"] = np.zeros((6, 3, 3, 3)), np.zeros(6)
        file["data/f/0"], file["data/f/1"] = np.zeros((4, 601)), np.zeros(4)
    net = shown(capsys, "net.prototxt", "--weights", "w.caffemodel.h5")
    found = {layer["layer"]: layer["weights"] for layer in net["layers"]}
    assert found["c"] == "copied"
    assert found["f"] == "blob 0 is 4x601 in the file, 4x600 here"


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["--phase", "TEST"],
            "source 'gone' does not exist.*to go on without it give the shape: --input data=N,C,H,W",
        ),
        (["--input", "dta=1,3,14,14"], "--input dta: the net has no such blob; did you mean 'data'"),
        (["--input", "data=1,a"], "--input 'data=1,a' is not BLOB=SHAPE; write, say, data=1,3,224,224"),
        (["--input", "1,3,4,5"], "--input '1,3,4,5' is not BLOB=SHAPE"),
        (["--weights", "gone.caffemodel"], "gone.caffemodel: cannot be read"),
    ],
)
def test_refusals(folder, capsys, words, message):
    import re

    assert main(["show", "net.prototxt", *words]) in (1, 2)
    assert re.search(message, capsys.readouterr().err)


def test_a_layer_is_not_built_where_all_its_tops_are_given(folder, capsys):
    (folder / "odd.prototxt").write_text(
        "layer { name: 'p' type: 'NobodyKnows' top: 'rois' top: 'more' }"
        "layer { name: 'f' type: 'InnerProduct' bottom: 'rois' top: 'f' inner_product_param { num_output: 4 } }"
    )
    assert main(["show", "odd.prototxt", "--input", "rois=9,5"]) == 1
    assert "unknown layer type 'NobodyKnows'" in capsys.readouterr().err
    net = shown(capsys, "odd.prototxt", "--input", "rois=9,5", "--input", "more=3")
    assert net["layers"][1]["shapes"] == [[9, 4]]


def test_resnet_56_has_the_papers_parameters(capsys):
    totals = shown(capsys, str(ROOT / "prototxt" / "resnet56.prototxt"))["totals"]
    assert totals["parameters"] == 808_682


def test_a_thousand_layers_take_about_a_second_at_most(folder, capsys):
    block = (
        "layer {{ name: 'c{0}' type: 'Convolution' bottom: '{1}' top: 'c{0}' convolution_param {{ num_output: 256 "
        "kernel_size: 3 pad: 1 weight_filler {{ type: 'msra' }} }} }}"
        "layer {{ name: 'r{0}' type: 'ReLU' bottom: 'c{0}' top: 'c{0}' }}"
        "layer {{ name: 's{0}' type: 'Eltwise' bottom: 'c{0}' bottom: '{1}' top: 's{0}' }}"
        "layer {{ name: 'n{0}' type: 'BatchNorm' bottom: 's{0}' top: 's{0}' }}"
    )
    text = "layer { name: 'i' type: 'Input' top: 's0' input_param { shape { dim: 2 dim: 256 dim: 15 dim: 13 } } }\n"
    text += "\n".join(block.format(i, f"s{i - 1}") for i in range(1, 251))
    (folder / "deep.prototxt").write_text(text)
    shown(capsys, "deep.prototxt")  # imports what it needs
    began = time.process_time()
    net = shown(capsys, "deep.prototxt")
    assert time.process_time() - began < 2  # 1 on a machine that does nothing else
    assert len(net["layers"]) == 1001
    assert net["totals"]["parameters"] == 250 * (256 * 256 * 9 + 256)
