"""caffe.model_libs: the nets that SSD's scripts make, by the facts of published prototxt files."""

import pytest

import caffe_compat as caffe
from caffe_compat import model_libs as m
from caffe_compat.proto import PoolingParameter

L = caffe.layers


def spec(shape=(1, 3, 300, 300)):
    net = caffe.NetSpec()
    net.data = L.Input(shape={"dim": shape})
    return net


def layers(net):
    return {layer.name: layer for layer in net.to_proto().layer}


def conv(net, name):
    p = layers(net)[name].convolution_param
    return p.num_output, *p.kernel_size, *p.pad, *p.stride, *p.dilation


def test_names_a_script_takes_from_it():
    assert {"L", "P", "caffe", "caffe_pb2", "os", "check_if_exist", "UnpackVariable", "ResBody"} <= set(
        dir(m)
    )
    assert not hasattr(m, "__all__")  # with one, `import *` would leave L and P out


def test_folders(tmp_path):
    folder = tmp_path / "a" / "b"
    assert not m.check_if_exist(str(folder))
    m.make_if_not_exist(str(folder))
    m.make_if_not_exist(str(folder))
    assert m.check_if_exist(str(folder)) and folder.is_dir()


def test_one_value_for_both_axes():
    assert m.UnpackVariable(3, 2) == m.UnpackVariable([3], 2) == [3, 3]
    assert m.UnpackVariable([1, 2], 2) == [1, 2]
    with pytest.raises(ValueError, match=r"\[1, 2, 3\] has 3 values and must have 1 or 2"):
        m.UnpackVariable([1, 2, 3], 2)


def test_vgg_as_ssd_uses_it():
    net = m.VGGNetBody(
        spec(),
        "data",
        fully_conv=True,
        reduced=True,
        dilated=True,
        dropout=False,
        freeze_layers=["conv1_1", "x"],
    )
    assert net.keys()[-2:] == ["fc7", "relu7"] and "drop6" not in net.keys()  # noqa: SIM118
    assert conv(net, "fc6") == (1024, 3, 6, 6) and conv(net, "fc7") == (1024, 1)
    assert conv(net, "conv5_3") == (512, 3, 1, 1) and conv(net, "conv4_3") == (512, 3, 1)
    pool5 = layers(net)["pool5"].pooling_param
    assert (pool5.pool, pool5.kernel_size, pool5.stride, pool5.pad) == (PoolingParameter.MAX, 3, 1, 1)
    assert [[p.lr_mult for p in layers(net)[n].param] for n in ("conv1_1", "conv1_2")] == [[0, 0], [1, 2]]
    assert list(layers(net)["relu1_1"].top) == ["conv1_1"] and layers(net)["conv1_2"].bottom == ["conv1_1"]


def test_vgg_in_its_other_forms():
    plain = m.VGGNetBody(spec(), "data")
    assert layers(plain)["fc6"].type == "InnerProduct" and layers(plain)["drop7"].top == ["fc7"]
    full = m.VGGNetBody(spec(), "data", fully_conv=True, dilate_pool4=True)
    assert conv(full, "fc6") == (4096, 7, 6, 2) and conv(full, "conv5_1") == (512, 3, 2, 2)
    strided = m.VGGNetBody(spec(), "data", nopool=True, need_fc=False)
    assert conv(strided, "conv4_4") == (512, 3, 1, 2) and strided.keys()[-1] == "relu5_3"
    with pytest.raises(ValueError, match="the net has no layer 'dat' to begin from; did you mean 'data'"):
        m.VGGNetBody(spec(), "dat")


@pytest.mark.parametrize(
    ("given", "fc6", "stride"),
    [
        ({"dilated": True, "reduced": True}, (1024, 3, 5, 5), 1),
        ({"dilated": True}, (4096, 6, 5, 2), 1),
        ({"reduced": True}, (1024, 3, 2, 2), 2),
        ({}, (4096, 6, 2), 2),
    ],
)
def test_zf(given, fc6, stride):
    net = m.ZFNetBody(spec(), "data", fully_conv=True, need_fc8=True, **given)
    assert (conv(net, "fc6"), layers(net)["pool5"].pooling_param.stride) == (fc6, stride)
    assert conv(net, "fc8") == (1000, 1) and layers(net)["norm2"].lrn_param.local_size == 3
    assert layers(m.ZFNetBody(spec(), "data", need_fc8=True))["fc8"].inner_product_param.num_output == 1000


@pytest.mark.parametrize(
    ("body", "convolutions", "last"),
    [
        (m.ResNet50Body, 53, "res4b5"),
        (m.ResNet101Body, 104, "res4b22"),
        (m.ResNet152Body, 155, "res4b35"),
    ],
)
def test_resnet(body, convolutions, last):
    net = body(spec(), "data", use_dilation_conv5=True, use_global_stats=True)
    found = layers(net)
    assert sum(layer.type == "Convolution" for layer in found.values()) == convolutions
    assert list(found["res5a_branch1"].bottom) == [last]
    assert conv(net, "res5a_branch2b") == (512, 3, 2, 1, 2) and conv(net, "res4a_branch1") == (1024, 1, 0, 2)
    bn, scale = found["bn2a_branch1"], found["scale2a_branch1"]
    assert bn.batch_norm_param.use_global_stats and [p.lr_mult for p in scale.param] == [0, 0]
    assert not bn.batch_norm_param.HasField("moving_average_fraction")
    assert found["pool5"].pooling_param.global_pooling
    assert conv(body(spec(), "data"), "res5a_branch1") == (2048, 1, 0, 2)


def test_inception_v3():
    net = m.InceptionV3Body(spec((1, 3, 299, 299)), "data", output_pred=True)
    joined = [name for name in net.keys() if name.endswith("/join")]  # noqa: SIM118
    assert joined == ["mixed/join", *(f"mixed_{i}/join" for i in range(1, 11))]
    found = layers(net)
    assert list(found["mixed_9/join"].bottom) == [
        "mixed_9/conv", "mixed_9/tower/mixed", "mixed_9/tower_1/mixed", "mixed_9/tower_2/conv"
    ]  # fmt: skip
    p = found["mixed_6/tower_1/conv_1"].convolution_param
    assert (p.kernel_h, p.kernel_w, p.pad_h, p.pad_w) == (7, 1, 3, 0)
    assert found["mixed/conv_bias"].type == "Bias" and found["softmax"].inner_product_param.num_output == 1008
    assert [found[f"mixed_{i}/tower_2/pool"].pooling_param.pool for i in (9, 10)] == [1, 0]


def test_convolutions_with_and_without_batch_norm():
    net = spec()
    m.ConvBNLayer(net, "data", "a", True, True, 8, 3, 1, 1, eps=1e-5, moving_average_fraction=0.9, lr_mult=2)
    m.ConvBNLayer(net, "a", "b", False, False, 8, [1, 3], [0, 1], 1, dilation=2, conv_postfix="x")
    m.DeconvBNLayer(net, "bx", "c", True, True, 8, 4, 1, 2, use_scale=False)
    m.DeconvBNLayer(net, "bx", "d", True, False, 8, 4, 1, 2)
    m.DeconvBNLayer(net, "bx", "e", False, False, 8, 4, 1, 2)
    m.EltwiseLayer(net, ["c", "d"], "sum")
    found = layers(net)
    assert [*found][1:] == ["a", "a_bn", "a_scale", "a_relu", "bx", "c", "c_bn", "c_bias", "c_relu", "d", "d_bn",
                            "d_scale", "e", "sum"]  # fmt: skip
    assert (found["a_bn"].batch_norm_param.eps, found["a"].convolution_param.bias_term) == (
        pytest.approx(1e-5),
        False,
    )
    assert [(p.lr_mult, p.decay_mult) for p in found["a_scale"].param] == [(2, 0), (2, 0)]
    p = found["bx"].convolution_param
    assert (p.kernel_h, p.kernel_w, p.stride_h, list(p.dilation)) == (1, 3, 1, [2])
    assert found["e"].convolution_param.num_output == 8 and len(found["e"].param) == 2


@pytest.mark.parametrize("train", [True, False])
def test_the_data_layer(train):
    data, label = m.CreateAnnotatedDataLayer(
        "db", 4, train=train, label_map_file="map", anno_type=0,
        transform_param={"mirror": True}, batch_sampler=[{"max_sample": 1}, {"max_trials": 50}],
    )  # fmt: skip
    net = caffe.NetSpec()
    net.data, net.label = data, label
    (layer,) = net.to_proto().layer
    assert (layer.name, list(layer.top), layer.include[0].phase) == (
        "data",
        ["data", "label"],
        0 if train else 1,
    )
    p = layer.annotated_data_param
    assert (p.label_map_file, p.anno_type, len(p.batch_sampler)) == ("map", 0, 2)
    assert (layer.data_param.batch_size, layer.data_param.source) == (
        4,
        "db",
    ) and layer.transform_param.mirror
    (alone,) = caffe.to_proto(m.CreateAnnotatedDataLayer("db", output_label=False)).layer
    assert len(alone.top) == 1 and len(alone.annotated_data_param.batch_sampler) == 1


def two_layers():
    net = spec((2, 3, 12, 16))
    net.low = L.Convolution(net.data, num_output=4, kernel_size=1)
    net.high = L.Pooling(net.low, kernel_size=4, stride=4)
    return net


SIZES = {"min_sizes": [3, [6, 7]], "max_sizes": [[], [8, 9]], "aspect_ratios": [2, [2, 3]], "steps": [1, 0]}


def test_multi_box_head(tmp_path):
    """Boxes and scores are as many as priors: 3 a place of 12 x 16, and 2 * (2 + 2 * 2) a place of 3 x 4."""
    net = two_layers()
    tops = m.CreateMultiBoxHead(
        net, num_classes=5, from_layers=["low", "high"], use_batchnorm=False, normalizations=[20, -1],
        inter_layer_depth=[0, 6], use_objectness=True, img_height=12, img_width=16, kernel_size=3, pad=1, **SIZES,
    )  # fmt: skip
    assert tops == [net.mbox_loc, net.mbox_conf, net.mbox_priorbox, net.mbox_objectness]
    assert "low_norm_mbox_loc_flat" in net.tops and "high_inter_mbox_priorbox" in net.tops
    first = layers(net)["low_norm_mbox_priorbox"].prior_box_param
    assert (first.step, first.img_h, first.img_w, list(first.aspect_ratio)) == (1, 12, 16, [2])
    assert not layers(net)["high_inter_mbox_priorbox"].prior_box_param.HasField("step")
    (tmp_path / "n").write_text(str(net.to_proto()))
    built = caffe.Net(str(tmp_path / "n"), caffe.TEST)
    priors = 12 * 16 * 3 + 3 * 4 * 12
    assert built.blobs["mbox_priorbox"].shape == (1, 2, priors * 4)
    shapes = [built.blobs[f"mbox_{name}"].shape for name in ("loc", "conf", "objectness")]
    assert shapes == [(2, priors * n) for n in (4, 5, 2)]


def test_refine_det_head(tmp_path):
    net = two_layers()
    net.low2 = L.ReLU(net.low)
    net.high2 = L.ReLU(net.high)
    tops = m.CreateRefineDetHead(
        net, num_classes=5, from_layers=["low", "high"], from_layers2=["low2", "high2"], use_batchnorm=False,
        inter_layer_depth=[1, 0], share_location=False, flip=False, **SIZES,
    )  # fmt: skip
    assert tops == [net.arm_loc, net.arm_conf, net.arm_priorbox, net.odm_loc, net.odm_conf]
    assert "reslow_inter_mbox_loc" in net.tops and "reslow2_inter_mbox_conf_perm" in net.tops
    (tmp_path / "n").write_text(str(net.to_proto()))
    built = caffe.Net(str(tmp_path / "n"), caffe.TEST)
    priors = 12 * 16 * 2 + 3 * 4 * 8
    assert built.blobs["arm_priorbox"].shape == (1, 2, priors * 4)
    shapes = [built.blobs[name].shape for name in ("arm_loc", "arm_conf", "odm_loc", "odm_conf")]
    assert shapes == [(2, priors * n) for n in (8, 2, 20, 5)]


@pytest.mark.parametrize("head", [m.CreateMultiBoxHead, m.CreateRefineDetHead])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_classes": 0}, "num_classes is 0 and must be above 0"),
        ({"steps": [1]}, "from_layers has 2 layers and steps 1 values: as many are needed"),
        ({"max_sizes": [5, [6]]}, "layer 'high' has 2 values of min_sizes and 1 of max_sizes"),
        ({"data_layer": "dota"}, "the net has no layer 'dota' to begin from; did you mean 'data'"),
    ],
)
def test_errors(head, given, message):
    with pytest.raises(ValueError, match=message):
        head(two_layers(), **{"num_classes": 5, "from_layers": ["low", "high"], **SIZES, **given})
