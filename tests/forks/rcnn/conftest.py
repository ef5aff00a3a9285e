"""The fixture of the tests of layers over window files."""

import pytest

from caffe_compat.data.images import encode
from tests.forks.rcnn.scene_data import SCENES, picture, write


@pytest.fixture
def root(tmp_path):
    (tmp_path / "p").mkdir()
    for number in range(len(SCENES)):
        (tmp_path / "p" / f"{number}.png").write_bytes(encode(picture(number), "png"))
    write(tmp_path, True)
    return tmp_path
