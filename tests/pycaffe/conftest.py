"""The net that several tests of pycaffe begin with."""

import pytest

from caffe_compat.pycaffe import blob
from tests.pycaffe.nets import NET, build


@pytest.fixture(params=["host", "device"])
def net(request, tmp_path, monkeypatch):
    """A small net; as "device" its tensors count as a GPU's, so that views are copies kept in step."""
    if request.param == "device":
        monkeypatch.setattr(blob, "_on_host", lambda tensor: False)
    return build(tmp_path, NET)
