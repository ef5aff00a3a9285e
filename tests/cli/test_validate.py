"""`caffe-compat validate`: exit codes, tables, JSON and pages."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.layers.pooling import Pooling
from tests.parity.harness import dump_net

REFERENCE = Path(__file__).parents[1] / "reference"
LAYER = str(REFERENCE / "layers" / "Pooling_004.npz")
LOG = str(REFERENCE / "solvers" / "cli" / "train.log")
LOG_OPTIONS = [
    "--root", str(REFERENCE / "solvers"),
    "--weights", str(REFERENCE / "solvers" / "sgd_triangular" / "init.caffemodel"),
]  # fmt: skip


@pytest.fixture
def broken(monkeypatch):
    setup = Pooling.setup

    def changed(self, bottom):
        setup(self, bottom)
        self.ceil = False

    monkeypatch.setattr(Pooling, "setup", changed)


def test_agreement(capsys):
    assert main(["validate", "--reference", LAYER]) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.match(r"  layer +type +what +name +shape +max abs +relative +cosine", out[1])
    assert re.match(r"  l +Pooling +value +y .* 1\.000000$", out[2])
    assert out[-1] == "verdict: agrees; 2 of 2 arrays within tolerance 0.0002"


def test_a_difference_is_named_and_drawn(broken, tmp_path, capsys):
    files = ["--json", str(tmp_path / "x.json"), "--html", str(tmp_path / "x.html")]
    assert main(["validate", "--reference", LAYER, *files]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^>>  l +Pooling +value +y", out, re.MULTILINE)
    assert "guilty: layer 'l' (Pooling): value of y (relative nan); our shape is (" in out
    assert "verdict: DIFFERS; " in out
    assert "first to depart: value y of layer 'l' (Pooling)" in out
    result = json.loads((tmp_path / "x.json").read_text())
    assert (result["verdict"], result["exit_code"]) == ("differs", 1)
    assert result["first_departure"]["layer"] == "l"
    assert result["first_departure"]["max_abs"] is None  # JSON knows no nan
    assert result["guilty"][0].startswith("layer 'l' (Pooling)")
    page = (tmp_path / "x.html").read_text()
    assert '<tr class="first"><td>l</td><td>Pooling</td>' in page
    assert "<rect " in page
    assert "Guilty" in page


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_a_terminals(broken, monkeypatch, capsys, variables):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["validate", "--reference", LAYER]) == 1
    assert ("\x1b[" in capsys.readouterr().out) == (not variables)


def test_tolerance_decides(tmp_path, capsys):
    folder = dump_net(tmp_path)
    path = folder / "bundle.npz"
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    arrays["blob.norm"] = arrays["blob.norm"] * np.float32(1.001)
    np.savez(path, **arrays)
    assert main(["validate", "--reference", str(folder)]) == 1
    assert main(["validate", "--reference", str(folder), "--tolerance", "0.01"]) == 0


def test_a_cut_bundle_has_its_own_code(tmp_path, capsys):
    folder = dump_net(tmp_path)
    data = (folder / "bundle.npz").read_bytes()
    (folder / "bundle.npz").write_bytes(data[: len(data) * 2 // 3])
    assert main(["validate", "--reference", str(folder)]) == 3
    out = capsys.readouterr().out
    assert "cut short" in out
    assert "verdict: partly compared; " in out


def test_solver_and_data_bundles(capsys):
    assert main(["validate", "--reference", str(REFERENCE / "solvers" / "replicas_4"), "--replicas=4"]) == 0
    assert "rounding noise: the BatchNorm behind takes this bias out again" in capsys.readouterr().out
    assert main(["validate", "--reference", str(REFERENCE / "data" / "lmdb_crop.npz"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["max_abs"] == 0


def test_a_log(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page, plot = tmp_path / "x.html", tmp_path / "x.png"
    assert (
        main(["validate", "--log", LOG, "--run", LOG, *LOG_OPTIONS, "--html", str(page), "--plot", str(plot)])
        == 0
    )
    out = capsys.readouterr().out
    assert "rates: agrees: triangular: 5 of lr rows" in out
    assert out.endswith("checks agree\n")
    assert page.read_text().count("<polyline") == 8
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_short_log_has_its_own_code(tmp_path, capsys):
    short = tmp_path / "short.log"
    text = Path(LOG).read_text()
    short.write_text(text[: text.index("Iteration 4, Testing net")])
    assert main(["validate", "--log", str(short), *LOG_OPTIONS]) == 3
    assert "the log ends at iteration 2 of 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "one of the arguments --reference --log is required"),
        (["--reference", "a", "--log", "b"], "not allowed with argument"),
        (["--reference", LAYER, "--run", LOG], "--run goes with --log"),
        (["--log", LOG, "--tolerance", "1"], "--tolerance goes with --reference"),
        (["--reference", LAYER, "--tolerance", "-1"], "--tolerance -1 must be 0 or more"),
        (["--reference", LAYER, "--replicas", "0"], "--replicas 0 is below 1"),
    ],
)
def test_usage(words, message, capsys):
    assert main(["validate", *words]) == 2
    assert message in capsys.readouterr().err


def test_files_that_cannot_be_used(tmp_path, capsys):
    assert main(["validate", "--reference", str(tmp_path)]) == 1
    assert "give a bundle's folder or its .npz" in capsys.readouterr().err
    assert main(["validate", "--reference", LAYER, "--html", str(tmp_path / "no" / "x.html")]) == 1
    assert "x.html: cannot be written: No such file or directory" in capsys.readouterr().err


def test_help_explains_the_exit_codes(capsys):
    assert main(["validate", "--help"]) == 0
    assert "3 nothing differs, but something could" in " ".join(capsys.readouterr().out.split())


def test_layers_of_the_users_own_are_imported(tmp_path, capsys):
    net = """
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "half" type: "Power" bottom: "x" top: "half" power_param { scale: 0.5 } }
    """
    folder = dump_net(tmp_path, net, "--phase", "TEST")
    net = net.replace('"Power"', '"HalvedForValidate"').replace("power_param { scale: 0.5 }", "")
    (folder / "net.prototxt").write_text(net)
    validate = ["validate", "--reference", str(folder)]
    assert main(validate) == 3
    assert "type HalvedForValidate is not one of this package's" in capsys.readouterr().out
    (tmp_path / "halved.py").write_text(
        "from caffe_compat.layers.base import Layer, layer\n"
        "@layer('HalvedForValidate')\n"
        "class Halved(Layer):\n"
        "    '''top = bottom / 2'''\n"
        "    num_bottom = num_top = 1\n"
        "    def reshape(self, bottom):\n"
        "        return [bottom]\n"
        "    def forward(self, bottom):\n"
        "        return bottom / 2\n"
    )
    assert main([*validate, "--import", str(tmp_path / "halved.py")]) == 0
    assert "verdict: agrees; 1 of 1 arrays" in capsys.readouterr().out
