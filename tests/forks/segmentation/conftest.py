"""The fixture of the tests of layers over pictures with labels for their pixels."""

import pytest

from caffe_compat.data.images import encode
from tests.forks.segmentation.segmentation_data import plane


@pytest.fixture
def root(tmp_path):
    """A list of 6 gray pictures, 5 x 7, and labels that equal them."""
    for i in range(6):
        for name in (f"{i}.png", f"{i}_labels.png"):
            (tmp_path / name).write_bytes(encode(plane(i), "png"))
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}_labels.png\n" for i in range(6)))
    return str(tmp_path)
