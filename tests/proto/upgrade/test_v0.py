"""V0 nets made V1: each field and type, padding, and what is refused."""

import pytest

from caffe_compat.errors import ParseError
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import NetParameter, V0LayerParameter
from caffe_compat.proto.text import messages_equal, parse
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.proto.upgrade.v0 import TYPES
from tests.proto.upgrade.nets import check, upgraded

DATA_V0 = "layers { layer { name: 'data' type: 'data' source: 'db' batchsize: 7 } top: 'data' top: 'label' } "
DATA_V2 = (
    "layer { name: 'data' type: 'Data' top: 'data' top: 'label' data_param { source: 'db' batch_size: 7 } } "
)


@pytest.mark.parametrize(
    "old, new",
    [
        ("type: 'conv' num_output: 9 biasterm: false kernelsize: 3 group: 4 stride: 2 pad: 1",
         "type: 'Convolution' convolution_param { num_output: 9 bias_term: false kernel_size: 3 group: 4 stride: 2 pad: 1 }"),
        ("type: 'conv' weight_filler { type: 'xavier' } bias_filler { value: 2 } blobs_lr: 1 blobs_lr: 2 weight_decay: 3",
         ("type: 'Convolution' param { lr_mult: 1 decay_mult: 3 } param { lr_mult: 2 } "
         "convolution_param { weight_filler { type: 'xavier' } bias_filler { value: 2 } }")),
        ("type: 'innerproduct' num_output: 9 biasterm: true weight_filler { std: 4 }",
         "type: 'InnerProduct' inner_product_param { num_output: 9 bias_term: true weight_filler { std: 4 } }"),
        ("type: 'pool' pool: STOCHASTIC kernelsize: 3 stride: 2 pad: 1",
         "type: 'Pooling' pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 pad: 1 }"),
        ("type: 'lrn' local_size: 3 alpha: 2 beta: 0.5 k: 4",
         "type: 'LRN' lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 4 }"),
        ("type: 'dropout' dropout_ratio: 0.25", "type: 'Dropout' dropout_param { dropout_ratio: 0.25 }"),
        ("type: 'concat' concat_dim: 2", "type: 'Concat' concat_param { concat_dim: 2 }"),
        ("type: 'hdf5_output' hdf5_output_param { file_name: 'f' }",
         "type: 'HDF5Output' hdf5_output_param { file_name: 'f' }"),
        ("type: 'infogain_loss' source: 'h'", "type: 'InfogainLoss' infogain_loss_param { source: 'h' }"),
        ("type: 'softmax_loss'", "type: 'SoftmaxWithLoss'"),
        ("type: 'multinomial_logistic_loss'", "type: 'MultinomialLogisticLoss'"),
    ],
)  # fmt: skip
def test_v0_layers(old, new):
    check(
        f"{DATA_V0} layers {{ layer {{ name: 'x' {old} }} bottom: 'data' top: 'x' }}",
        f"{DATA_V2} layer {{ name: 'x' bottom: 'data' top: 'x' {new} }}",
    )


@pytest.mark.parametrize(
    "old, new",
    [
        ("type: 'data' source: 's' batchsize: 3 rand_skip: 5 scale: 0.5 meanfile: 'm' cropsize: 9 mirror: true",
         ("type: 'Data' data_param { source: 's' batch_size: 3 rand_skip: 5 } "
         "transform_param { scale: 0.5 mean_file: 'm' crop_size: 9 mirror: true }")),
        ("type: 'images' source: 's' batchsize: 3 rand_skip: 5 shuffle_images: true new_height: 8 new_width: 9",
         "type: 'ImageData' image_data_param { source: 's' batch_size: 3 rand_skip: 5 shuffle: true new_height: 8 new_width: 9 }"),
        ("type: 'hdf5_data' source: 's' batchsize: 3", "type: 'HDF5Data' hdf5_data_param { source: 's' batch_size: 3 }"),
        (("type: 'window_data' source: 's' batchsize: 3 det_fg_threshold: 0.6 det_bg_threshold: 0.4 det_fg_fraction: 0.3 "
         "det_context_pad: 16 det_crop_mode: 'square'"),
         ("type: 'WindowData' window_data_param { source: 's' batch_size: 3 fg_threshold: 0.6 bg_threshold: 0.4 "
         "fg_fraction: 0.3 context_pad: 16 crop_mode: 'square' }")),
    ],
)  # fmt: skip
def test_v0_data_layers(old, new):
    check(f"layers {{ layer {{ name: 'd' {old} }} top: 'd' }}", f"layer {{ name: 'd' top: 'd' {new} }}")


def test_every_v0_type_has_a_layer():
    for type in TYPES:
        assert upgraded(f"layers {{ layer {{ type: '{type}' }} top: 'x' }}").layer[0].type
    assert len(TYPES) == 24


def test_every_v0_field_goes_somewhere_or_is_named():
    """Set one field at a time on a layer of each type: it is carried over, or told of."""
    for field in V0LayerParameter.DESCRIPTOR.fields:
        if field.name in ("name", "type"):
            continue
        carried = 0
        for type in ("conv", "innerproduct", "pool", "lrn", "dropout", "concat", "data", "images", "hdf5_data",
                     "window_data", "infogain_loss", "hdf5_output"):  # fmt: skip
            net = NetParameter()
            v0 = net.layers.add(top=["x"]).layer
            v0.type = type
            value = {field.CPPTYPE_STRING: "s", field.CPPTYPE_BOOL: True}.get(field.cpp_type, 1)
            if field.message_type:
                target = getattr(v0, field.name)
                (target.add() if field.name == "blobs" else target).SetInParent()
            elif field.name in ("blobs_lr", "weight_decay"):
                getattr(v0, field.name).append(value)
            else:
                setattr(v0, field.name, value)
            dropped: list[str] = []
            upgrade_net(net, "old.prototxt", NULL, dropped=dropped)
            plain = NetParameter(layer=[{"top": ["x"], "type": net.layer[0].type}])
            if dropped:
                assert dropped == [
                    f"layer '' ({type}): unknown parameter {field.name} for layer type {type}; dropped"
                ]
                assert net == plain
            else:
                assert net != plain, field.name
                carried += 1
        assert (carried > 0) == (field.name not in ("new_num", "new_channels")), field.name


def test_v0_padding_goes_to_who_reads_it():
    check(
        DATA_V0 + "layers { layer { name: 'p' type: 'padding' pad: 2 } bottom: 'data' top: 'p' }"
        "layers { layer { name: 'c' type: 'conv' kernelsize: 5 } bottom: 'p' top: 'c' }"
        "layers { layer { name: 'q' type: 'padding' pad: 1 } bottom: 'c' top: 'q' }"
        "layers { layer { name: 'm' type: 'pool' } bottom: 'q' top: 'm' }",
        DATA_V2 + "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { kernel_size: 5 pad: 2 } }"
        "layer { name: 'm' type: 'Pooling' bottom: 'c' top: 'm' pooling_param { pad: 1 } }",
    )  # fmt: skip


def test_v0_padding_read_twice():
    check(
        DATA_V0 + "layers { layer { name: 'p' type: 'padding' pad: 2 } bottom: 'data' top: 'p' }"
        "layers { layer { name: 'c' type: 'conv' } bottom: 'p' top: 'c' }"
        "layers { layer { name: 'd' type: 'conv' } bottom: 'p' top: 'd' }",
        DATA_V2
        + "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { pad: 2 } }"
        "layer { name: 'd' type: 'Convolution' bottom: 'data' top: 'd' convolution_param { pad: 2 } }",
    )


def test_v0_nets_lose_what_v0_did_not_have(capsys):
    dropped: list[str] = []
    net = upgraded(
        "name: 'n' force_backward: true debug_info: true state { level: 3 }"
        "layers { layer { name: 'd' type: 'data' kernelsize: 3 } top: 'd' include { phase: TEST } }",
        Log(progress=False),
        dropped=dropped,
    )
    assert messages_equal(
        net, parse("name: 'n' force_backward: true layer { name: 'd' type: 'Data' top: 'd' }", NetParameter)
    )
    assert dropped == [
        "old.prototxt: the net's state is dropped: V0 nets do not have it",
        "old.prototxt: the net's debug_info is dropped: V0 nets do not have it",
        "old.prototxt:1: layer 'd' (data): include is dropped: V0 layers do not have it",
        "old.prototxt:1: layer 'd' (data): unknown parameter kernelsize for layer type data; dropped",
    ]
    assert all(line in capsys.readouterr().err for line in dropped[:1])


@pytest.mark.parametrize(
    "layers, message",
    [
        ("layers { layer { name: 'x' type: 'convolution' } }",
         r"old.prototxt:1: layer 'x' \(convolution\): unknown V0 layer type 'convolution'"),
        ("layers { layer { name: 'x' type: 'rely' } }", "unknown V0 layer type 'rely'; did you mean 'relu'"),
        (DATA_V0 + "layers { layer { name: 'r' type: 'relu' } bottom: 'dada' }",
         r"old.prototxt:1: layer 'r' \(relu\): bottom 0 'dada' is unknown; did you mean 'data'"),
        (DATA_V0 + "layers { layer { name: 'p' type: 'padding' } bottom: 'data' top: 'p' }"
         "layers { layer { name: 'r' type: 'relu' } bottom: 'p' }",
         r"layer 'r' \(relu\): bottom 'p' comes from padding layer 'p', which only conv and pool layers may read"),
        (DATA_V0 + "layers { layer { name: 'p' type: 'padding' } bottom: 'data' top: 'p' }"
         "layers { layer { name: 'c' type: 'conv' } bottom: 'p' bottom: 'data' }",
         r"layer 'c' \(conv\): this layer has 2 bottoms; padding needs exactly 1"),
        (DATA_V0 + "layers { layer { name: 'p' type: 'padding' } bottom: 'data' bottom: 'label' top: 'p' }"
         "layers { layer { name: 'c' type: 'conv' } bottom: 'p' }",
         "its padding layer 'p' has 2 bottoms; padding needs exactly 1"),
        (DATA_V0 + "layers { layer { name: 'p' type: 'padding' } bottom: 'data' top: 'p' top: 'q' }"
         "layers { layer { name: 'c' type: 'conv' } bottom: 'p' }",
         "its padding layer 'p' has 2 tops; it needs 1"),
    ],
)  # fmt: skip
def test_v0_refusals(layers, message):
    with pytest.raises(ParseError, match=message):
        upgraded(layers)
