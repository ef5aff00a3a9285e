"""Gather."""

import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, cases, make

CASES = [
    Case("one", 'type: "Gather"', [(2, 3, 4)], lambda x: x),
    Case("two", 'type: "Gather" top: "a" top: "b"', [(2, 3, 4), (2,)], lambda x, label: (x, label)),
]

test_case = cases(CASES)


def test_replicas_are_refused():
    with pytest.raises(
        LayerError, match="not done here, and there are 2 replicas; use one with a batch as large"
    ):
        make('type: "Gather"', (2, 3), replicas=2)
