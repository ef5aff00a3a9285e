"""The table of owners against the classes of the layers."""

import inspect

import pytest

from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import STOCK, registry
from caffe_compat.proto import owners

# HDF5Data names the message to refuse it; of MultinomialLogisticLoss's, nothing changes a number.
OTHERWISE = {("HDF5Data", "transform_param"), ("MultinomialLogisticLoss", "loss_param")}


def source(cls: type) -> str:
    """The code of a layer's class and of those it inherits from, less Layer."""
    own = cls.__mro__[: cls.__mro__.index(Layer)]
    return "".join(inspect.getsource(base) for base in own)


@pytest.mark.parametrize(
    "field", ["convolution_param", "loss_param", "recurrent_param", "softmax_param", "transform_param"]
)
def test_a_layer_takes_the_messages_that_its_class_reads(field):
    found = {}
    for name, cls in registry().items():
        if cls.__module__.startswith(STOCK) and (name, field) not in OTHERWISE:
            found[name] = f"param.{field}" in source(cls)
    assert len(found) > 50
    assert found == {name: owners.takes(name, field) for name in found}


def test_names():
    assert owners.takes("BatchNorm", "batch_norm_param") and not owners.takes("BatchNorm", "scale_param")
    assert owners.takes("LSTM", "param") and not owners.takes("ReLU", "param")
    assert owners.shared("loss_param") and not owners.shared("lrn_param")
