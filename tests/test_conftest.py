"""A run of the tests that has nothing to test with does not pass."""

import sys

import numpy as np
import pytest

from tests.conftest import REFERENCE, REFERENCE_FILES, lacking
from tests.layers.harness import Case, check


def test_an_empty_or_partial_reference_is_named(tmp_path):
    assert lacking(REFERENCE) == []
    assert len(lacking(tmp_path)) == len(REFERENCE_FILES) and "layers/*.npz: 0 of 255 files" in lacking(
        tmp_path
    )
    for pattern, count in REFERENCE_FILES.items():
        for number in range(count - (pattern == "data/*.npz")):
            file = tmp_path / pattern.replace("*", str(number))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    assert lacking(tmp_path) == ["data/*.npz: 15 of 16 files"]


def test_a_table_without_cases_fails(request):
    assert request.config.getini("empty_parameter_set_mark") == "fail_at_collect"


def test_a_missing_package_fails_the_test_that_needs_it(monkeypatch):
    assert pytest.importorskip("json").__name__ == "json"
    with pytest.raises(pytest.fail.Exception, match="the tests need no_such_package: pip install"):
        pytest.importorskip("no_such_package")
    for name in ["onnxruntime", *(name for name in sys.modules if name.startswith("onnxruntime."))]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(pytest.fail.Exception, match=r"the tests need onnxruntime.quantization"):
        pytest.importorskip("onnxruntime.quantization")
    with pytest.raises(ImportError, match="onnxruntime"):
        check(Case("plain", 'type: "ReLU"', [(2, 3, 5)], lambda x: np.maximum(x, 0)))
