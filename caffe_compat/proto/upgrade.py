"""Old forms of nets and solvers made new, as Caffe does when it reads a file.

Each upgrade is a (needed, apply) pair, and the list below is their order. `apply` changes the message in
place and returns what it could not carry over, one sentence each; Caffe logs such things and goes on.
Source: src/caffe/util/upgrade_proto.cpp.
"""

import os
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from caffe_compat.errors import ParseError, nearest
from caffe_compat.log import names
from caffe_compat.log.write import WARNING, Log
from caffe_compat.proto import LayerParameter, NetParameter, SolverParameter, V1LayerParameter, is_repeated

_V1 = V1LayerParameter

_V0_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

# A V0 field, and where it goes by V0 type; "*" is any type.
_V0_FIELDS: dict[str, dict[str, str]] = {
    "num_output": {"conv": "convolution_param.num_output", "innerproduct": "inner_product_param.num_output"},
    "biasterm": {"conv": "convolution_param.bias_term", "innerproduct": "inner_product_param.bias_term"},
    "weight_filler": {
        "conv": "convolution_param.weight_filler",
        "innerproduct": "inner_product_param.weight_filler",
    },
    "bias_filler": {
        "conv": "convolution_param.bias_filler",
        "innerproduct": "inner_product_param.bias_filler",
    },
    "pad": {"conv": "convolution_param.pad", "pool": "pooling_param.pad"},
    "kernelsize": {"conv": "convolution_param.kernel_size", "pool": "pooling_param.kernel_size"},
    "group": {"conv": "convolution_param.group"},
    "stride": {"conv": "convolution_param.stride", "pool": "pooling_param.stride"},
    "pool": {"pool": "pooling_param.pool"},
    "dropout_ratio": {"dropout": "dropout_param.dropout_ratio"},
    "local_size": {"lrn": "lrn_param.local_size"},
    "alpha": {"lrn": "lrn_param.alpha"},
    "beta": {"lrn": "lrn_param.beta"},
    "k": {"lrn": "lrn_param.k"},
    "source": {
        "data": "data_param.source",
        "hdf5_data": "hdf5_data_param.source",
        "images": "image_data_param.source",
        "window_data": "window_data_param.source",
        "infogain_loss": "infogain_loss_param.source",
    },
    "scale": {"*": "transform_param.scale"},
    "meanfile": {"*": "transform_param.mean_file"},
    "batchsize": {
        "data": "data_param.batch_size",
        "hdf5_data": "hdf5_data_param.batch_size",
        "images": "image_data_param.batch_size",
        "window_data": "window_data_param.batch_size",
    },
    "cropsize": {"*": "transform_param.crop_size"},
    "mirror": {"*": "transform_param.mirror"},
    "blobs": {"*": "blobs"},
    "blobs_lr": {"*": "blobs_lr"},
    "weight_decay": {"*": "weight_decay"},
    "rand_skip": {"data": "data_param.rand_skip", "images": "image_data_param.rand_skip"},
    "det_fg_threshold": {"window_data": "window_data_param.fg_threshold"},
    "det_bg_threshold": {"window_data": "window_data_param.bg_threshold"},
    "det_fg_fraction": {"window_data": "window_data_param.fg_fraction"},
    "det_context_pad": {"window_data": "window_data_param.context_pad"},
    "det_crop_mode": {"window_data": "window_data_param.crop_mode"},
    "new_height": {"images": "image_data_param.new_height"},
    "new_width": {"images": "image_data_param.new_width"},
    "shuffle_images": {"images": "image_data_param.shuffle"},
    "concat_dim": {"concat": "concat_param.concat_dim"},
    "hdf5_output_param": {"hdf5_output": "hdf5_output_param"},
}

_V1_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
    # forks, where the rule of _v1_type does not hold
    "BN": "BN",
    "DEFORMABLECONVOLUTION": "DeformableConvolution",
    "ELU": "ELU",
    "LINEARTRANSFORM": "LinearTransform",
    "LOCALCONNECT": "LocalConnect",
    "MANUALCROP": "ManualCrop",
    "MCWINDOW_DATA": "MCWindowData",
    "NLU": "NLU",
    "PRELU": "PReLU",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "VOXEL_SOFTMAX_LOSS": "VoxelSoftmaxWithLoss",
}

_SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


class Upgrade(NamedTuple):
    """`name` is what `log.upgraded` calls it."""

    name: str
    needed: Callable[[Any], bool]
    apply: Callable[[Any], list[str]]


def upgrade_net(
    param: Any,
    source: str,
    log: Any = None,
    skip: Collection[str] = (),
    dropped: list[str] | None = None,
) -> list[str]:
    """Bring a NetParameter of any age, read from `source`, to today's form, in place.

    `log` (a log.write.Log; None sends only warnings, to standard error) gets Caffe's lines; upgrades named
    in `skip` are left out; `dropped` gets what could not be carried over, which is logged as an error, too.
    Returns the names of the upgrades done: V0, data, V1, input, batch_norm.
    Raises ParseError where Caffe aborts: `layer` mixed with `layers`, an unknown V0 type, padding that
    feeds no convolution or pooling, an `input` without its dimensions.
    """
    if param.layer and param.layers:
        raise ParseError(
            f"{param.layer[0].origin or source}: the net has {len(param.layer)} 'layer' and {len(param.layers)} "
            "'layers' fields, which cannot be mixed; write all of them as layer { type: \"Type\" ... }"
        )
    return _run(NET_UPGRADES, param, source, log, skip, dropped)


def upgrade_solver(param: Any, source: str, log: Any = None, skip: Collection[str] = ()) -> list[str]:
    """Bring a SolverParameter to today's form, in place, with the nets inside it; as `upgrade_net`.

    The names are solver_type and those of `upgrade_net`. (Caffe leaves nets inside as they are, and so trains
    an empty net where they are of an old form.)
    """
    if param.HasField("solver_type") and param.HasField("type"):
        raise ParseError(
            f"{source}: solver_type (the old field) and type (the new one) are both given; keep `type`"
        )
    done = _run(SOLVER_UPGRADES, param, source, log, skip, None)
    nets = [getattr(param, name) for name in ("net_param", "train_net_param") if param.HasField(name)]
    for net in (*nets, *param.test_net_param):
        done += upgrade_net(net, net.origin or source, log, skip)
    return done


def fill_snapshot_prefix(param: Any, source: str, log: Any = None, root: str = "") -> None:
    """Give a SolverParameter the snapshot_prefix that Caffe does: the solver file's name without extension.

    That name also completes a prefix that is a folder, looked up below `root`.
    """
    log = log or Log(progress=False, level=WARNING)
    stem = names.decode(os.fsencode(os.path.splitext(source)[0]))
    if not param.HasField("snapshot_prefix"):
        param.snapshot_prefix = stem
        log.snapshot_prefix(stem, False)
    elif os.path.isdir(os.path.join(root, names.file_name(param.snapshot_prefix))):
        param.snapshot_prefix = os.path.join(param.snapshot_prefix, os.path.basename(stem))
        log.snapshot_prefix(param.snapshot_prefix, True)


def _run(
    upgrades: list[Upgrade],
    param: Any,
    source: str,
    log: Any,
    skip: Collection[str],
    dropped: list[str] | None,
) -> list[str]:
    log = log or Log(progress=False, level=WARNING)
    done = []
    for upgrade in upgrades:
        if upgrade.name in skip or not upgrade.needed(param):
            continue
        losses = upgrade.apply(param)
        log.upgraded(upgrade.name, source)
        for loss in losses:
            log.error(loss)
        if dropped is not None:
            dropped += losses
        done.append(upgrade.name)
    return done


def _where(layer: Any, name: str, type: str) -> str:
    return f"{layer.origin + ': ' if layer.origin else ''}layer '{name}' ({type})"


def _copy(message: Any, name: str, into: Any, into_name: str) -> None:
    """Set the field `into_name` of `into` (the last item, where it is repeated) to a field of `message`."""
    value = getattr(message, name)
    target = into.DESCRIPTOR.fields_by_name[into_name]
    if is_repeated(target):
        many = is_repeated(message.DESCRIPTOR.fields_by_name[name])
        getattr(into, into_name).extend(value if many else [value])
    elif target.message_type:
        getattr(into, into_name).CopyFrom(value)
    else:
        setattr(into, into_name, value)


# -- V0: one message for every type -----------------------------------------------------------------


def _needs_v0(param: Any) -> bool:
    return any(layer.HasField("layer") for layer in param.layers)


def _upgrade_v0(param: Any) -> list[str]:
    problems = []
    layers = _fold_padding(param)
    new = NetParameter()
    for field, _ in param.ListFields():
        if field.name in ("name", "input", "input_dim", "force_backward", "origin"):
            _copy(param, field.name, new, field.name)
        elif field.name != "layers":
            problems.append(f"{param.origin}: the net's {field.name} is dropped: V0 nets do not have it")
    for layer in layers:
        problems += _upgrade_v0_layer(layer, new.layers.add())
    param.CopyFrom(new)
    return problems


def _fold_padding(param: Any) -> list[Any]:
    """The layers without those of type padding, whose pad goes to the convolution or pooling that reads it."""
    made_by: dict[str, Any] = dict.fromkeys(
        param.input
    )  # blob: the layer that made it last, None for an input
    kept = []
    for layer in param.layers:
        new = _V1()
        new.CopyFrom(layer)
        if layer.layer.type != "padding":
            kept.append(new)
        where = _where(layer, layer.layer.name, layer.layer.type)
        for i, blob in enumerate(layer.bottom):
            if blob not in made_by:
                raise ParseError(f"{where}: bottom {i} '{blob}' is unknown{nearest(blob, made_by)}")
            pad = made_by[blob]
            if pad is None or pad.layer.type != "padding":
                continue
            if layer.layer.type not in ("conv", "pool"):
                raise ParseError(
                    f"{where}: bottom '{blob}' comes from padding layer '{pad.layer.name}', which only conv and "
                    "pool layers may read"
                )
            for count, what in (
                (len(layer.bottom), f"{where}: this layer has"),
                (len(pad.bottom), f"{where}: its padding layer '{pad.layer.name}' has"),
            ):
                if count != 1:
                    raise ParseError(f"{what} {count} bottoms; padding needs exactly 1")
            if len(pad.top) != 1:
                raise ParseError(
                    f"{where}: its padding layer '{pad.layer.name}' has {len(pad.top)} tops; it needs 1"
                )
            new.layer.pad = pad.layer.pad
            new.bottom[i] = pad.bottom[0]
        for blob in layer.top:
            made_by[blob] = layer
    return kept


def _upgrade_v0_layer(old: Any, new: Any) -> list[str]:
    v0 = old.layer
    where = _where(old, v0.name, v0.type)
    problems = []
    for field, _ in old.ListFields():
        if field.name in ("bottom", "top", "origin"):
            _copy(old, field.name, new, field.name)
        elif field.name != "layer":
            problems.append(f"{where}: {field.name} is dropped: V0 layers do not have it")
    for field, _ in v0.ListFields():
        if field.name == "name":
            new.name = v0.name
        elif field.name == "type":
            if v0.type not in _V0_TYPES:
                raise ParseError(f"{where}: unknown V0 layer type {v0.type!r}{nearest(v0.type, _V0_TYPES)}")
            new.type = _V1.LayerType.Value(_V0_TYPES[v0.type])
        else:
            places = _V0_FIELDS.get(field.name, {})
            place = places.get("*") or places.get(v0.type)
            if place is None:
                problems.append(f"{where}: unknown parameter {field.name} for layer type {v0.type}; dropped")
                continue
            *outer, last = place.split(".")
            _copy(v0, field.name, getattr(new, outer[0]) if outer else new, last)
    return problems


# -- transformation fields of V1 data layers --------------------------------------------------------

_DATA_PARAMS = {
    _V1.DATA: "data_param",
    _V1.IMAGE_DATA: "image_data_param",
    _V1.WINDOW_DATA: "window_data_param",
}
_TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")


def _needs_data(param: Any) -> bool:
    return any(
        getattr(layer, _DATA_PARAMS[layer.type]).HasField(name)
        for layer in param.layers
        if layer.type in _DATA_PARAMS
        for name in _TRANSFORMS
    )


def _upgrade_data(param: Any) -> list[str]:
    for layer in param.layers:
        if layer.type in _DATA_PARAMS:
            data = getattr(layer, _DATA_PARAMS[layer.type])
            data.SetInParent()  # Caffe leaves both messages in every data layer, empty or not
            layer.transform_param.SetInParent()
            for name in _TRANSFORMS:
                if data.HasField(name):
                    _copy(data, name, layer.transform_param, name)
                    data.ClearField(name)
    return []


# -- V1: types are an enum, and blobs_lr, weight_decay and param are lists --------------------------


def _needs_v1(param: Any) -> bool:
    return len(param.layers) > 0


def _upgrade_v1(param: Any) -> list[str]:
    problems = []
    for layer in param.layers:
        problems += _upgrade_v1_layer(layer, param.layer.add())
    param.ClearField("layers")
    return problems


# A list of V1 and the ParamSpec field that its item i becomes.
_V1_SPECS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}


def _v1_type(name: str) -> str:
    """The type of today: VIDEO_DATA is VideoData."""
    return _V1_TYPES.get(name, name.title().replace("_", ""))


def _upgrade_v1_layer(old: Any, new: Any) -> list[str]:
    problems = []
    for field, value in old.ListFields():
        if field.name == "type":
            new.type = _v1_type(_V1.LayerType.Name(value))
        elif field.name in _V1_SPECS:
            for i, item in enumerate(value):
                while len(new.param) <= i:
                    new.param.add()
                setattr(new.param[i], _V1_SPECS[field.name], item)
        elif field.name == "layer":
            problems.append(
                f"{_where(old, old.name, _V1.LayerType.Name(old.type))}: the V0 layer inside is dropped"
            )
        else:
            _copy(old, field.name, new, field.name)
    return problems


# -- input fields ---------------------------------------------------------------------------------


def _needs_input(param: Any) -> bool:
    return len(param.input) > 0


def _upgrade_input(param: Any) -> list[str]:
    """Make one Input layer of input and its dimensions; without dimensions (old caffemodels) just drop it."""
    count = len(param.input)
    if param.input_shape:
        if len(param.input_shape) < count:
            raise ParseError(
                f"{param.origin or 'the net'}: {count} input fields but {len(param.input_shape)} input_shape; give one each"
            )
        shapes = [list(shape.dim) for shape in param.input_shape[:count]]
    elif param.input_dim:
        if len(param.input_dim) < 4 * count:
            raise ParseError(
                f"{param.origin or 'the net'}: {count} input fields need {4 * count} input_dim, found "
                f"{len(param.input_dim)}; give four each, or use input_shape"
            )
        shapes = [param.input_dim[4 * i : 4 * i + 4] for i in range(count)]
    else:
        shapes = []
    if shapes:
        layer = LayerParameter(name="input", type="Input", top=param.input, origin=param.origin)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        param.layer.insert(0, layer)
    for name in ("input", "input_shape", "input_dim"):
        param.ClearField(name)
    return []


# -- BatchNorm layers that say lr_mult: 0 three times -----------------------------------------------


def _old_batch_norms(param: Any) -> list[Any]:
    return [layer for layer in param.layer if layer.type == "BatchNorm" and len(layer.param) == 3]


def _needs_batch_norm(param: Any) -> bool:
    return bool(_old_batch_norms(param))


def _upgrade_batch_norm(param: Any) -> list[str]:
    for layer in _old_batch_norms(param):
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    return []


# -- solvers --------------------------------------------------------------------------------------


def _needs_solver_type(param: Any) -> bool:
    return param.HasField("solver_type")


def _upgrade_solver_type(param: Any) -> list[str]:
    param.type = _SOLVER_TYPES[SolverParameter.SolverType.Name(param.solver_type)]
    param.ClearField("solver_type")
    return []


NET_UPGRADES = [
    Upgrade("V0", _needs_v0, _upgrade_v0),
    Upgrade("data", _needs_data, _upgrade_data),
    Upgrade("V1", _needs_v1, _upgrade_v1),
    Upgrade("input", _needs_input, _upgrade_input),
    Upgrade("batch_norm", _needs_batch_norm, _upgrade_batch_norm),
]
SOLVER_UPGRADES = [Upgrade("solver_type", _needs_solver_type, _upgrade_solver_type)]
