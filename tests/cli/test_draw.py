"""The draw command."""

import shutil
from pathlib import Path

import pytest

from caffe_compat.cli import main

ROOT = Path(__file__).parents[2]
NET = """layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 6 kernel_size: 2 } }
layer { name: "odd" type: "ReLU" bottom: "c" top: "d" include { phase: TEST } }
layer { name: "p" type: "Softmax" bottom: "c" top: "p" }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.prototxt").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return tmp_path


def test_every_format(folder, capsys):
    for name, begins in (("n.svg", b"<svg"), ("n.dot", b"digraph")):
        assert main(["draw", "net.prototxt", name]) == 0
        assert (folder / name).read_bytes().startswith(begins)
        assert capsys.readouterr().err == f"Wrote {name}: 3 boxes\n"
    assert "2×6×8×7" in (folder / "n.svg").read_text()
    pytest.importorskip("cv2")
    assert main(["draw", "net.prototxt", "n.png", "--phase", "TEST", "--rankdir", "LR"]) == 0
    assert (folder / "n.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err == "Wrote n.png: 4 boxes\n"


def test_a_net_that_cannot_be_built_is_drawn_without_shapes(folder, capsys):
    (folder / "net.prototxt").write_text(NET.replace('"Softmax"', '"Sofmax"'))
    assert main(["draw", "net.prototxt", "n.dot"]) == 0
    error = capsys.readouterr().err
    assert "drawn without shapes: net.prototxt:4: layer 'p' (Sofmax): unknown layer type 'Sofmax'" in error
    assert '"1" -> "2" [label="c"];' in (folder / "n.dot").read_text()


def test_fold_and_input(folder, capsys):
    net = str(ROOT / "prototxt" / "resnet56.prototxt")
    assert main(["draw", net, "r.svg", "--fold", "--input", "data_top=125,3,32,32"]) == 0
    assert capsys.readouterr().err == "Wrote r.svg: 27 boxes\n"
    text = (folder / "r.svg").read_text()
    assert "9 times, to L1_b9_cbr1_conv" in text
    assert "125×64×8×8" in text


@pytest.mark.parametrize(
    "out, code, message",
    [
        ("picture", 2, "picture: no format; name the picture .svg, .png or .dot"),
        ("n.pdf", 1, "cannot draw the net as 'pdf' without Graphviz"),
        ("gone/n.svg", 1, "gone/n.svg: cannot be written: No such file or directory"),
    ],
)
def test_refusals(folder, capsys, out, code, message):
    pytest.importorskip("cv2")
    assert main(["draw", "net.prototxt", out]) == code
    assert message in capsys.readouterr().err
