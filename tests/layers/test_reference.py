"""Every layer case that a real Caffe computed: values, gradients and changed parameters agree."""

import pytest

from tests.layers.harness import golden, golden_cases


@pytest.mark.parametrize("name", golden_cases())
def test_golden(name):
    golden(name)
