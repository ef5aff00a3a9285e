"""The READMEs: every command line in them is one that the program takes, and every file they name is there."""

import argparse
import importlib
import re
import shlex
import textwrap
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from caffe_compat import cli
from caffe_compat.export.graph import Graph
from caffe_compat.layers.registry import registry
from caffe_compat.proto import NetParameter

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "prototxt/README.md", "tests/README.md", "tools/WILD.md"]


def command_lines(page):
    """The words after `caffe-compat`, for each line that starts with it; pipes and redirections cut off."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    lines = re.findall(r"^ +(?:\$ )?caffe-compat (.*)$", text, re.MULTILINE)
    return [shlex.split(re.split(r" 2>|\| ", line)[0], comments=True) for line in lines]


@pytest.mark.parametrize("words", [words for page in PAGES for words in command_lines(page)], ids=" ".join)
def test_a_command_line_is_understood(words):
    command = importlib.import_module(f"caffe_compat.cli.{cli.command_files()[words[0]].stem}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    args = parser.parse_args(words[1:])
    for option in ("solver", "net"):
        path = getattr(args, option, None)
        assert not path or not path.startswith("prototxt/") or (ROOT / path).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_links_and_scripts_exist(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    scripts = re.findall(r"(?:bash|python) (tools/[\w/.]+)", text)
    assert links or scripts
    assert all((ROOT / page).parent.joinpath(link).is_file() for link in links)
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_example_of_a_layer_works():
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    try:
        exec(example, {})  # noqa: S102 (the text under test)
        layer = registry()["Double"]
        assert layer.reshape(None, (2, 3)) == [(2, 3)]
        assert layer.forward(None, 21) == 42
        graph = Graph(18)
        layer.to_onnx(None, graph, ["x"], ["y"])
        assert [(node.op_type, node.outputs) for node in graph.nodes] == [("Mul", ["y"])]
    finally:
        registry().pop("Double", None)


def test_the_example_of_a_layer_of_ones_own_works(tmp_path, monkeypatch):
    """As a file that a command imports: its field is read, it runs, and it is exported."""
    text = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"^    # times.py\n((?: {4}.*\n|\n)+)", text, re.MULTILINE)
    (line,) = re.findall(r"`(layer \{ name: \"y\" .*?\} \})`", text)
    monkeypatch.chdir(tmp_path)
    Path("times.py").write_text(textwrap.dedent(example))
    data = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
    Path("net.prototxt").write_text(data + line)
    Path("none.caffemodel").write_bytes(NetParameter(name="none").SerializeToString())
    try:
        words = "export --model net.prototxt --weights none.caffemodel --onnx y.onnx --import times.py"
        assert cli.main(words.split()) == 0
        (y,) = onnxruntime.InferenceSession("y.onnx").run(None, {"x": np.ones((1, 3), np.float32)})
        assert y.tolist() == [[3, 3, 3]]
    finally:
        registry().pop("Times", None)


def test_the_folders_of_the_package_are_listed():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = {path.parent.name for path in (ROOT / "caffe_compat").glob("*/__init__.py")}
    listed = set(re.findall(r"^ {8}(\w+)/ ", text, re.MULTILINE))
    assert listed == folders
