"""How layers are tested: a case is data, and one function runs every check on it.

    CASES = [Case("slope", 'type: "ReLU" relu_param { negative_slope: 0.1 }', [(2, 3, 5)], formula)]
    ERRORS = [Error('type: "Concat" concat_param { axis: 4 }', [(2, 3)], "axis 4 is out of range")]

    test_case = cases(CASES)
    test_error = errors(ERRORS)

`golden(name)` replays one case that a real Caffe computed (tests/reference/layers).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from tests.layers.checks import check, check_captures, check_compiles, check_module
from tests.layers.golden import REFERENCE, golden, golden_cases
from tests.layers.making import Case, assert_equal, compiling, draws, layer_param, make, run

__all__ = [
    "REFERENCE",
    "TEST",
    "TRAIN",
    "Case",
    "Error",
    "assert_equal",
    "cases",
    "check",
    "compiling",
    "draws",
    "errors",
    "golden",
    "golden_cases",
    "layer_param",
    "make",
    "run",
]


@dataclass(frozen=True)
class Error:
    """A layer that must be refused in setup or reshape; `match` is a regular expression."""

    layer: str
    bottoms: Sequence[Sequence[int]]
    match: str
    phase: int = TRAIN


def cases(table: Sequence[Case]) -> Callable[[Case], None]:
    """The test function that checks every case of `table`, and compiles, captures and makes a module of the first one of each layer type."""
    first = {_kind(case.layer): case for case in reversed(table)}

    @pytest.mark.parametrize("case", table, ids=[case.name for case in table])
    @compiling
    @pytest.mark.gpu(entered=True)
    def test_case(case: Case) -> None:
        check(case)
        if case is first[_kind(case.layer)]:
            check_compiles(case)
            check_captures(case)
            check_module(case)

    return test_case


def errors(table: Sequence[Error]) -> Callable[[Error], None]:
    """The test function that checks every refusal of `table`: message, place, layer and type."""

    @pytest.mark.parametrize("error", table, ids=[re.sub(r"\W+", "_", error.match)[:50] for error in table])
    def test_error(error: Error) -> None:
        with pytest.raises(LayerError, match=error.match) as caught:
            make(error.layer, *error.bottoms, phase=error.phase)
        place = rf"test\.prototxt:\d+: layer 'l' \({_kind(error.layer)}\): "
        assert re.match(place, str(caught.value))

    return test_error


def _kind(text: str) -> str:
    return re.search(r'type: "(\w+)"', text)[1]
