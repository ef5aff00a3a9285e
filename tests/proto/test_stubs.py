"""The stubs: they are current, say what the classes have, and a misspelt field is an error of mypy."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat import proto
from caffe_compat.proto import messages
from tests import measures

ROOT = Path(__file__).parents[2]
STUBS = ROOT / "caffe_compat" / "proto" / "stubs"

SNIPPET = """
from caffe_compat.proto import TEST, LayerParameter, NetParameter, Phase, PoolingParameter

net = NetParameter(name="a", layer=[LayerParameter(name="b"), {"name": "c"}])
layer = net.layer.add(name="d", phase=TEST)
layer.convolution_param.kernel_size.extend([3, 3])
layer.interp_param.zoom_factor = PoolingParameter.MAX + Phase.Value("TEST")
assert layer.HasField("phase") and [field.name for field, _ in layer.ListFields()] and Phase.Name(layer.phase)
net.CopyFrom(NetParameter.FromString(net.SerializeToString()))
layer.convolution_params
layer.convolution_param.kernel_sice
layer.interp_param.zoom = 2
layer.name = 2
net.layer = [layer]
NetParameter(layers_=[])
PoolingParameter.MEAN
net.CopyFrom(layer)
"""
WRONG = [
    (10, 'has no attribute "convolution_params"; maybe "convolution_param"?'),
    (11, 'has no attribute "kernel_sice"; maybe "kernel_size"?'),
    (12, 'has no attribute "zoom"'),
    (13, 'variable has type "str"'),
    (14, 'variable has type "Messages[LayerParameter]"'),
    (15, 'Unexpected keyword argument "layers_"'),
    (16, 'has no attribute "MEAN"'),
    (17, 'expected "NetParameter"'),
]


def test_the_stubs_are_current():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_stubs.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_stubs_are_shipped():
    assert '"**/*.pyi"' in (ROOT / "setup.py").read_text(encoding="utf-8")
    assert "*.pyi" in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()


def test_a_misspelt_field_is_an_error(tmp_path):
    (tmp_path / "misspelt.py").write_text(SNIPPET)
    # The settings and the cache of the package's own check.
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        ROOT / "pyproject.toml",
        tmp_path / "misspelt.py",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    found = [(int(line), text) for line, text in re.findall(r"misspelt\.py:(\d+): error: (.*)", done.stdout)]
    assert [line for line, _ in found] == [line for line, _ in WRONG], done.stdout + done.stderr
    for (_, text), (_, want) in zip(found, WRONG, strict=True):
        assert want in text


@pytest.mark.parametrize("path", sorted(STUBS.glob("*.pyi")), ids=lambda path: path.stem)
def test_what_a_stub_has_is_there_at_run_time(path):
    """Every attribute of its classes, and every argument of their constructors."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        cls = (
            getattr(proto, node.name.removesuffix("OfForks"), None)
            if isinstance(node, ast.ClassDef)
            else None
        )
        if cls is None or path.stem == "base":
            continue
        fields = set(cls.DESCRIPTOR.fields_by_name)
        for member in node.body:
            if isinstance(member, ast.AnnAssign):
                assert hasattr(cls(), member.target.id), member.target.id
            elif isinstance(member, ast.FunctionDef):
                assert {arg.arg for arg in member.args.kwonlyargs} == fields - {"lambda"}, node.name


def test_names_given_to_has_field_are_fields():
    """To mypy they are strings."""
    fields = {
        name
        for message in messages.NetParameter.DESCRIPTOR.file.message_types_by_name.values()
        for name in message.fields_by_name
    }
    for module, tree in measures.sources().items():
        if module.startswith("export/"):  # asks onnx's messages, too
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("HasField", "ClearField"):
                for name in node.args:
                    if isinstance(name, ast.Constant):
                        assert name.value in fields, f"caffe_compat/{module}.py:{node.lineno}: {name.value}"
