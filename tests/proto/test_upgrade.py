"""Old nets and solvers made new: Caffe's own results, each rule text in and text out, and what it refuses."""

import pytest

from caffe_compat.errors import ParseError
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import (
    LayerParameter,
    NetParameter,
    SolverParameter,
    V0LayerParameter,
    V1LayerParameter,
)
from caffe_compat.proto.text import messages_equal, parse, parse_file, to_text
from caffe_compat.proto.upgrade import _V0_TYPES, NET_UPGRADES, upgrade_net, upgrade_solver


def upgraded(text, log=NULL, **kwargs):
    net = parse(text, NetParameter, "old.prototxt")
    upgrade_net(net, "old.prototxt", log, **kwargs)
    again = NetParameter()
    again.CopyFrom(net)
    if "skip" not in kwargs:
        assert upgrade_net(again, "old.prototxt", NULL) in ([], ["batch_norm"])
        assert again == net, "an upgraded net stays as it is"
    return net


def check(old, new, **kwargs):
    net = upgraded(old, **kwargs)
    assert messages_equal(net, parse(new, NetParameter)), to_text(net)


@pytest.mark.parametrize("name", ["v0", "v1", "inputs", "solver_adam", "solver_nesterov"])
def test_as_caffes_upgrade_tools(reference, name):
    solver = name.startswith("solver")
    message = parse_file(
        reference / f"upgrade/{name}.in.prototxt", SolverParameter if solver else NetParameter
    )
    assert (upgrade_solver if solver else upgrade_net)(message, name, NULL)
    assert to_text(message) == (reference / f"upgrade/{name}.out.prototxt").read_text()


# -- V0 --------------------------------------------------------------------------------------------

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
    for type in _V0_TYPES:
        assert upgraded(f"layers {{ layer {{ type: '{type}' }} top: 'x' }}").layer[0].type
    assert len(_V0_TYPES) == 24


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


# -- V1 --------------------------------------------------------------------------------------------


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


# -- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new",
    [
        ("input: 'a' input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4",
         "layer { name: 'input' type: 'Input' top: 'a' input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }"),
        ("input: 'a' input: 'b' input_dim: [1, 2, 3, 4, 5, 6, 7, 8]",
         ("layer { name: 'input' type: 'Input' top: 'a' top: 'b' input_param { "
         "shape { dim: [1, 2, 3, 4] } shape { dim: [5, 6, 7, 8] } } }")),
        ("input: 'a' input: 'b' input_shape { dim: [2, 3] } input_shape { dim: 5 }",
         "layer { name: 'input' type: 'Input' top: 'a' top: 'b' input_param { shape { dim: [2, 3] } shape { dim: 5 } } }"),
        ("input: 'a' input_shape { dim: 6 } input_dim: [1, 2, 3, 4]",
         "layer { name: 'input' type: 'Input' top: 'a' input_param { shape { dim: 6 } } }"),
        ("input: 'a'", ""),
    ],
    ids=["dim", "dims", "shapes", "shape wins", "old caffemodel"],
)  # fmt: skip
def test_inputs_become_a_layer_in_front(old, new):
    check(
        f"name: 'n' {old} layer {{ name: 'x' bottom: 'a' }}",
        f"name: 'n' {new} layer {{ name: 'x' bottom: 'a' }}",
    )


@pytest.mark.parametrize(
    "old, message",
    [
        ("input: 'a' input: 'b' input_dim: [1, 2, 3, 4]",
         "old.prototxt: 2 input fields need 8 input_dim, found 4; give four each, or use input_shape"),
        ("input: 'a' input: 'b' input_shape { dim: 4 }", "old.prototxt: 2 input fields but 1 input_shape; give one each"),
    ],
)  # fmt: skip
def test_inputs_without_all_their_dimensions(old, message):
    with pytest.raises(ParseError, match=message):
        upgraded(old)


# -- BatchNorm and solvers -------------------------------------------------------------------------


def test_batch_norm_with_three_params():
    check(
        "layer { type: 'BatchNorm' param { name: 'm' lr_mult: 1 } param { } param { decay_mult: 2 } }"
        "layer { type: 'BatchNorm' param { lr_mult: 1 } }"
        "layer { type: 'Scale' param { } param { } param { } }",
        "layer { type: 'BatchNorm' param { name: 'm' lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } "
        "param { lr_mult: 0 decay_mult: 0 } }"
        "layer { type: 'BatchNorm' param { lr_mult: 1 } }"
        "layer { type: 'Scale' param { } param { } param { } }",
    )


@pytest.mark.parametrize(
    "old, new",
    [("SGD", "SGD"), ("NESTEROV", "Nesterov"), ("ADAGRAD", "AdaGrad"), ("RMSPROP", "RMSProp"), ("ADADELTA", "AdaDelta"),
     ("ADAM", "Adam")],
)  # fmt: skip
def test_solver_types(old, new):
    solver = parse(f"net: 'n' solver_type: {old}", SolverParameter)
    assert upgrade_solver(solver, "s.prototxt", NULL) == ["solver_type"]
    assert messages_equal(solver, SolverParameter(net="n", type=new))
    assert upgrade_solver(solver, "s.prototxt", NULL) == []


def test_solver_with_both_types():
    with pytest.raises(
        ParseError, match=r"s.prototxt: solver_type \(the old field\) and type \(the new one\) are both given"
    ):
        upgrade_solver(SolverParameter(solver_type=1, type="Adam"), "s.prototxt")


def test_nets_inside_a_solver(capsys):
    old = "input: 'i' input_dim: [2, 3, 4, 5] layers { name: 'r' type: RELU bottom: 'i' top: 'i' }"
    new = """layer { name: 'input' type: 'Input' top: 'i' input_param { shape { dim: [2, 3, 4, 5] } } }
        layer { name: 'r' type: 'ReLU' bottom: 'i' top: 'i' }"""
    solver = parse(
        f"train_net_param {{ {old} }}\ntest_net_param {{ {old} }} test_net_param {{ {new} }}",
        SolverParameter,
        "s",
    )
    assert upgrade_solver(solver, "s", Log(progress=False)) == ["V1", "input", "V1", "input"]
    assert messages_equal(
        solver,
        parse(
            f"train_net_param {{ {new} }} test_net_param {{ {new} }} test_net_param {{ {new} }}",
            SolverParameter,
        ),
    )
    assert "deprecated V1LayerParameter: s:2" in capsys.readouterr().err
    with pytest.raises(ParseError, match="s:1: the net has 1 'layer' and 1 'layers' fields"):
        upgrade_solver(parse("net_param { layer { } layers { } }", SolverParameter, "s"), "s")


# -- order, log, refusals --------------------------------------------------------------------------


def test_order_names_and_log(capsys):
    net = parse(
        "input: 'i' input_dim: [2, 3, 4, 5] layers { layer { type: 'data' } top: 'x' }",
        NetParameter,
    )
    assert upgrade_net(net, "old.prototxt", Log(progress=False)) == ["V0", "V1", "input"]
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert [line for line in lines if line.startswith("Attempting")] == [
        "Attempting to upgrade input file specified using deprecated V0LayerParameter: old.prototxt",
        "Attempting to upgrade input file specified using deprecated V1LayerParameter: old.prototxt",
        "Attempting to upgrade input file specified using deprecated input fields: old.prototxt",
    ]
    assert [layer.type for layer in net.layer] == ["Input", "Data"]
    assert [upgrade.name for upgrade in NET_UPGRADES] == ["V0", "data", "V1", "input", "batch_norm"]


def test_each_upgrade_can_be_left_out():
    net = upgraded(
        "input: 'i' layer { type: 'BatchNorm' param { } param { } param { } }", skip=["batch_norm"]
    )
    assert not net.input and not net.layer[0].param[0].HasField("lr_mult")


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


def test_a_v0_layer_in_a_v1_net_is_told_of():
    """Only with the V0 upgrade left out can one get there."""
    dropped: list[str] = []
    net = parse("layers { name: 'x' type: RELU layer { type: 'relu' } }", NetParameter, "old.prototxt")
    upgrade_net(net, "old.prototxt", NULL, skip=["V0"], dropped=dropped)
    assert dropped == ["old.prototxt:1: layer 'x' (RELU): the V0 layer inside is dropped"]
