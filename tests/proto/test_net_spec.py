"""NetSpec, layers and params."""

import copy

import pytest

from caffe_compat.proto import LayerParameter, NetParameter, PoolingParameter
from caffe_compat.proto.net_spec import NetSpec, assign_proto, param_name_dict, to_proto
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.proto.text import parse


def spec():
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [5, 3, 8, 9]}, {"dim": [5]}], ntop=2)
    n.conv = L.Convolution(n.data, kernel_size=3, num_output=4, weight_filler={"type": "xavier"})
    n.relu = L.ReLU(n.conv, in_place=True)
    n.pool = L.Pooling(n.relu, pool=P.Pooling.AVE, kernel_size=2, stride=2, param=[])
    n["fc/1"] = L.InnerProduct(n.pool, num_output=7, param=[{"lr_mult": 1}, {"lr_mult": 2, "decay_mult": 0}])
    n.loss = L.SoftmaxWithLoss(n["fc/1"], n.label, include={"phase": 0}, loss_weight=2)
    n.quiet = L.Silence(n.label, ntop=0)
    return n


WANTED = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 5 dim: 3 dim: 8 dim: 9 } shape { dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "fc/1" type: "InnerProduct" bottom: "pool" top: "fc/1"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 } inner_product_param { num_output: 7 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc/1" bottom: "label" top: "loss"
  include { phase: TRAIN } loss_weight: 2 }
layer { name: "quiet" type: "Silence" bottom: "label" }
"""


def plain(net):
    for layer in net.layer:
        layer.ClearField("origin")
    net.ClearField("origin")
    return net


def test_named_tops():
    assert plain(spec().to_proto()) == plain(parse(WANTED, NetParameter))


def test_names_made_up_from_types():
    data = L.Input(shape={"dim": [2, 3]})
    a = L.InnerProduct(data, num_output=4)
    b = L.InnerProduct(L.ReLU(a, in_place=True), num_output=5)
    slices = L.Slice(b, ntop=2, slice_param={"axis": 1, "slice_point": (2,)})
    net = to_proto(slices[0], L.Concat(*slices))
    assert [(layer.name, *layer.top) for layer in net.layer] == [
        ("Input1", "Input1"),
        ("InnerProduct1", "InnerProduct1"),
        ("ReLU1", "InnerProduct1"),
        ("InnerProduct2", "InnerProduct2"),
        ("Slice1", "Slice1", "Slice2"),
        ("Concat1", "Concat1"),
    ]
    assert list(net.layer[-1].bottom) == ["Slice1", "Slice2"]
    assert list(net.layer[4].slice_param.slice_point) == [2]
    assert [layer.name for layer in a.to_proto().layer] == ["Input1", "InnerProduct1"]


def test_a_top_may_be_taken_back():
    n = spec()
    del n.quiet
    del n["loss"]
    assert [layer.name for layer in n.to_proto().layer] == ["data", "conv", "relu", "pool", "fc/1"]
    with pytest.raises(AttributeError, match="no top 'pol'; did you mean 'pool'"):
        _ = n.pol
    assert not hasattr(n, "other")
    assert copy.copy(n).tops == n.tops


def test_whole_messages_are_the_layers():
    layer = L.Data(
        transform_param={"scale": 0.5, "mean_value": [1, 2]}, data_param={"source": "x"}, batch_size=3
    )
    (proto,) = layer.to_proto().layer
    assert proto.transform_param.scale == 0.5
    assert list(proto.transform_param.mean_value) == [1, 2]
    assert (proto.data_param.source, proto.data_param.batch_size) == ("x", 3)


def test_errors():
    data = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(data, ntop=0)
    with pytest.raises(
        AttributeError, match="a Convolution layer has no parameter 'kernal_size'.*'kernel_size'"
    ):
        L.Convolution(kernal_size=3).to_proto()
    with pytest.raises(AttributeError, match="a Unheard layer has no parameter 'x'"):
        L.Unheard(x=3).to_proto()
    with pytest.raises(AttributeError, match="FillerParameter has no field 'typ'; did you mean 'type'"):
        L.Convolution(weight_filler={"typ": "xavier"}).to_proto()
    with pytest.raises(AttributeError):
        _ = P.Pooling.NONE_SUCH


def test_assign_proto():
    layer = LayerParameter()
    assign_proto(layer, "top", "one")
    assign_proto(layer, "top", ["two", "three"])
    assign_proto(layer, "pooling_param", {"pool": P.Pooling.MAX, "kernel_size": 3})
    assert list(layer.top) == ["one", "two", "three"]
    assert layer.pooling_param.pool == PoolingParameter.MAX
    assert param_name_dict()["InnerProduct"] == "inner_product"


def test_the_sub_package_is_pycaffes_layers_too():
    import caffe_compat as caffe

    top = caffe.layers.InnerProduct(caffe.layers.Input(shape={"dim": [2, 3]}), num_output=4)
    assert [layer.type for layer in top.to_proto().layer] == ["Input", "InnerProduct"]
    with pytest.raises(AttributeError, match="module 'caffe_compat.layers' has no attribute 'convolutions'"):
        _ = caffe.layers.convolutions


def test_layers_that_use_another_layers_message():
    (deconv,) = L.Deconvolution(num_output=3, kernel_size=4).to_proto().layer
    assert (deconv.convolution_param.num_output, list(deconv.convolution_param.kernel_size)) == (3, [4])
    (lstm,) = L.LSTM(num_output=3).to_proto().layer
    assert lstm.recurrent_param.num_output == 3


def test_a_layers_own_message_is_caffes_not_a_forks_field_of_the_same_message():
    assert param_name_dict()["ReLU"] == "relu" and param_name_dict()["Transformation"] == "transform"
    (layer,) = to_proto(L.ReLU(negative_slope=0.5)).layer
    assert layer.relu_param.negative_slope == 0.5 and not layer.HasField("relu6_param")


def test_tops_by_name_in_the_order_of_their_assignment():
    """As SSD's model scripts use a NetSpec."""
    net = NetSpec()
    net.data = L.Input(shape={"dim": [1, 3, 8, 8]})
    net["conv"] = L.Convolution(net.data, num_output=4, kernel_size=3, pad=1)
    net.quiet = L.Silence(net.conv, ntop=0)
    assert net.keys() == ["data", "conv", "quiet"]
    assert net.vals() == [net.data, net.conv, net.quiet]
    net.update("conv", {"pad": 2, "dilation": 2, "param": [{"lr_mult": 0}]})
    net.update("quiet", {"propagate_down": False})
    _, conv, quiet = net.to_proto().layer
    p = conv.convolution_param
    assert (p.num_output, list(p.pad), list(p.dilation), conv.param[0].lr_mult) == (4, [2], [2], 0)
    assert list(quiet.propagate_down) == [False]


@pytest.mark.parametrize(
    "message, field",
    [
        ("ReLU", "relu"),
        ("Normalize", "norm"),
        ("OneHot", "onehot"),
        ("Augmentation", "aug"),
        ("SoftmaxLoss", "softmaxloss"),
    ],
)
def test_of_several_fields_with_a_message_the_lowest_number_is_the_layers(message, field):
    """Wherever in the schema they stand."""
    assert param_name_dict()[message] == field
