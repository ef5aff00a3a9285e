"""What every layer class must have, read off the classes and the tests: who adds one and forgets a part is told here."""

import functools
import inspect
import re
from pathlib import Path

import pytest

from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import registry
from tests.measures import ROOT

# Of the package itself: tests register types of their own.
TYPES = {name: cls for name, cls in sorted(registry().items()) if cls.__module__.startswith("caffe_compat.")}

_QUOTED = re.compile(r"""["']([A-Za-z0-9%{}_]{2,})\\?["']""")
_FILLED_IN = re.compile(r"%s|\{\w*\}")


def folder_of_tests(cls: type[Layer]) -> Path:
    """tests/layers for caffe_compat.layers.relu, tests/forks/yolo for caffe_compat.forks.yolo.region_loss."""
    return ROOT.joinpath("tests", *cls.__module__.split(".")[1:-1])


@functools.cache
def types_in(folder: Path) -> re.Pattern[str]:
    """What the tests of a folder have in quotes; `%s` and `{name}` there stand for any letters."""
    quoted = {word for file in folder.glob("*.py") for word in _QUOTED.findall(file.read_text("utf-8"))}
    named = {word for word in quoted if len(_FILLED_IN.sub("", word)) > 1}
    return re.compile("|".join(r"\w*".join(map(re.escape, _FILLED_IN.split(word))) for word in sorted(named)))


@pytest.mark.parametrize("name", TYPES)
def test_every_layer_is_tested(name):
    folder = folder_of_tests(TYPES[name])
    assert types_in(folder).fullmatch(name), (
        f'no file of {folder.relative_to(ROOT)} has a test of "{name}"; write one'
    )


def makes_blobs(cls: type[Layer]) -> bool:
    return any(
        "add_blob(" in inspect.getsource(base)
        for base in cls.__mro__
        if issubclass(base, Layer) and base is not Layer
    )


@pytest.mark.parametrize("name", [name for name, cls in TYPES.items() if makes_blobs(cls)])
def test_layers_with_weights_say_what_they_multiply(name):
    assert TYPES[name].multiply_adds is not Layer.multiply_adds, (
        f"{TYPES[name].__module__} has blobs and no multiply_adds of its own; `nothing_multiplied` is one, too"
    )


def test_a_layer_with_a_weight_filler_has_it_in_its_message():
    known = {name for name, cls in TYPES.items() if cls.weight_message is not Layer.weight_message}
    assert {"Convolution", "Deconvolution", "InnerProduct", "Embed", "LSTM", "RNN"} <= known


def test_forgotten_parts_are_found():
    class Forgetful(Layer):
        def setup(self, *bottom):
            self.add_blob((2, 3))

    assert makes_blobs(Forgetful) and Forgetful.multiply_adds is Layer.multiply_adds
    assert not types_in(ROOT / "tests" / "layers").fullmatch("NoSuch" + "Layer")
