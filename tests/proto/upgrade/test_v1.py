"""V1 nets made new: types, lists, and the transformation of data layers."""

import pytest

from caffe_compat.errors import ParseError
from caffe_compat.log.write import NULL
from caffe_compat.proto import LayerParameter, NetParameter, V1LayerParameter
from caffe_compat.proto.text import parse
from caffe_compat.proto.upgrade import upgrade_net
from tests.proto.upgrade.nets import check, upgraded


def test_v1_types():
    irregular = {
        "NONE": "", "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data", "IM2COL": "Im2col",
        "HDF5_OUTPUT": "HDF5Output", "LRN": "LRN", "MVN": "MVN", "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss",
        "TANH": "TanH",
        "BN": "BN", "PRELU": "PReLU", "MCWINDOW_DATA": "MCWindowData", "VOXEL_SOFTMAX_LOSS": "VoxelSoftmaxWithLoss",
        "DEFORMABLECONVOLUTION": "DeformableConvolution", "ELU": "ELU", "LINEARTRANSFORM": "LinearTransform",
        "LOCALCONNECT": "LocalConnect", "MANUALCROP": "ManualCrop", "NLU": "NLU", "RELU6": "ReLU6",
        "ROIPOOLING": "ROIPooling",
    }  # fmt: skip
    for name in V1LayerParameter.LayerType.keys():  # noqa: SIM118  (an enum wrapper is no dict)
        expected = irregular.get(name, name.title().replace("_", ""))
        net = upgraded(f"layers {{ type: {name} }}")
        assert net.layer[0].type == expected and net.layer[0].HasField("type")
    assert not upgraded("layers { name: 'x' }").layer[0].HasField("type")


def test_every_v1_message_has_its_place_in_a_layer_of_today():
    today = LayerParameter.DESCRIPTOR.fields_by_name
    for field in V1LayerParameter.DESCRIPTOR.fields:
        if field.name not in ("layer", "type", "blobs_lr", "weight_decay", "param", "blob_share_mode"):
            assert today[field.name].message_type == field.message_type, field.name


def test_v1_lists_become_params():
    check(
        "layers { type: CONVOLUTION param: 'w' blobs_lr: 1 blobs_lr: 2 weight_decay: 3 weight_decay: 4 weight_decay: 5 "
        "blob_share_mode: PERMISSIVE }",
        "layer { type: 'Convolution' param { name: 'w' share_mode: PERMISSIVE lr_mult: 1 decay_mult: 3 } "
        "param { lr_mult: 2 decay_mult: 4 } param { decay_mult: 5 } }",
    )


def test_v1_fields_of_the_same_name_stay():
    check(
        "name: 'n' state { stage: 's' } layers { type: LRN name: 'x' bottom: 'a' top: 'b' include { phase: TEST } "
        "exclude { min_level: 2 } loss_weight: 3 lrn_param { k: 2 } blobs { num: 1 channels: 2 data: 5 } "
        "loss_param { normalize: false } }",
        "name: 'n' state { stage: 's' } layer { type: 'LRN' name: 'x' bottom: 'a' top: 'b' include { phase: TEST } "
        "exclude { min_level: 2 } loss_weight: 3 lrn_param { k: 2 } blobs { num: 1 channels: 2 data: 5 } "
        "loss_param { normalize: false } }",
    )


def test_every_v1_field_has_a_place_in_a_layer():
    known = set(LayerParameter.DESCRIPTOR.fields_by_name) | {"blobs_lr", "weight_decay", "blob_share_mode"}
    assert {field.name for field in V1LayerParameter.DESCRIPTOR.fields} - known == {"layer"}


def test_mixing_layer_and_layers_is_refused():
    with pytest.raises(
        ParseError,
        match=r"old.prototxt:1: the net has 1 'layer' and 2 'layers' fields, which cannot be mixed; write all of them as layer",
    ):
        upgraded("layer { name: 'a' } layers { name: 'b' } layers { name: 'c' }")


def test_data_layers_transformation_fields():
    check(
        "layers { type: DATA data_param { source: 's' scale: 0.5 mean_file: 'm' crop_size: 3 mirror: true } }"
        "layers { type: IMAGE_DATA image_data_param { scale: 2 } transform_param { mirror: true } }"
        "layers { type: WINDOW_DATA }"
        "layers { type: RELU }",
        "layer { type: 'Data' data_param { source: 's' } transform_param { scale: 0.5 mean_file: 'm' crop_size: 3 mirror: true } }"
        "layer { type: 'ImageData' image_data_param { } transform_param { scale: 2 mirror: true } }"
        "layer { type: 'WindowData' window_data_param { } transform_param { } }"  # so does Caffe
        "layer { type: 'ReLU' }",
    )  # fmt: skip
    check("layers { type: WINDOW_DATA }", "layer { type: 'WindowData' }")
    check("layer { type: 'Data' data_param { scale: 2 } }", "layer { type: 'Data' data_param { scale: 2 } }")


def test_a_v0_layer_in_a_v1_net_is_told_of():
    """Only with the V0 upgrade left out can one get there."""
    dropped: list[str] = []
    net = parse("layers { name: 'x' type: RELU layer { type: 'relu' } }", NetParameter, "old.prototxt")
    upgrade_net(net, "old.prototxt", NULL, skip=["V0"], dropped=dropped)
    assert dropped == ["old.prototxt:1: layer 'x' (RELU): the V0 layer inside is dropped"]
