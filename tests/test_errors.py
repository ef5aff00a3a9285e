"""Names in messages: the nearest, and few of many."""

import re

import pytest

from caffe_compat.errors import NetError, some
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import TRAIN, LayerParameter


def test_a_long_list_is_cut_to_the_five_nearest():
    names = ["alpha", "beta", "conv1", "conv2", "conv3", "conv4", "conv5"]
    assert some(names[:5], "conv") == "alpha, beta, conv1, conv2, conv3"
    assert some(names, "conv9") == "conv1, conv2, conv3, conv4, conv5 and 2 more"
    assert some(names) == "alpha, beta, conv1, conv2, conv3 and 2 more"
    assert some([]) == ""


def test_an_unknown_layer_type_names_five(tmp_path):
    with pytest.raises(NetError) as raised:
        create_layer(LayerParameter(name="c", type="Convolutoin"), TRAIN)
    known = re.search(r"known types: (.*?);", str(raised.value))[1]
    assert "Convolution" in known and known.count(",") == 4 and re.search(r" and \d+ more$", known)
