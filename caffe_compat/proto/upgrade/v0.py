"""V0, Caffe's first form: one message for the fields of every type, and padding a layer of its own."""

from caffe_compat.errors import ParseError, nearest
from caffe_compat.proto import NetParameter, V1LayerParameter
from caffe_compat.proto.upgrade.common import copy, where

TYPES = {
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
_FIELDS: dict[str, dict[str, str]] = {
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


def needed(param: NetParameter) -> bool:
    return any(layer.HasField("layer") for layer in param.layers)


def apply(param: NetParameter) -> list[str]:
    problems = []
    layers = _fold_padding(param)
    new = NetParameter()
    for field, _ in param.ListFields():
        if field.name in ("name", "input", "input_dim", "force_backward", "origin"):
            copy(param, field.name, new, field.name)
        elif field.name != "layers":
            problems.append(f"{param.origin}: the net's {field.name} is dropped: V0 nets do not have it")
    for layer in layers:
        problems += _upgrade_layer(layer, new.layers.add())
    param.CopyFrom(new)
    return problems


def _fold_padding(param: NetParameter) -> list[V1LayerParameter]:
    """The layers without those of type padding, whose pad goes to the convolution or pooling that reads it."""
    made_by: dict[str, V1LayerParameter | None] = dict.fromkeys(
        param.input
    )  # blob: the layer that made it last, None for an input
    kept = []
    for layer in param.layers:
        new = V1LayerParameter()
        new.CopyFrom(layer)
        if layer.layer.type != "padding":
            kept.append(new)
        here = where(layer, layer.layer.name, layer.layer.type)
        for i, blob in enumerate(layer.bottom):
            if blob not in made_by:
                raise ParseError(f"{here}: bottom {i} '{blob}' is unknown{nearest(blob, made_by)}")
            pad = made_by[blob]
            if pad is None or pad.layer.type != "padding":
                continue
            if layer.layer.type not in ("conv", "pool"):
                raise ParseError(
                    f"{here}: bottom '{blob}' comes from padding layer '{pad.layer.name}', which only conv and "
                    "pool layers may read"
                )
            for count, what in (
                (len(layer.bottom), f"{here}: this layer has"),
                (len(pad.bottom), f"{here}: its padding layer '{pad.layer.name}' has"),
            ):
                if count != 1:
                    raise ParseError(f"{what} {count} bottoms; padding needs exactly 1")
            if len(pad.top) != 1:
                raise ParseError(
                    f"{here}: its padding layer '{pad.layer.name}' has {len(pad.top)} tops; it needs 1"
                )
            new.layer.pad = pad.layer.pad
            new.bottom[i] = pad.bottom[0]
        for blob in layer.top:
            made_by[blob] = layer
    return kept


def _upgrade_layer(old: V1LayerParameter, new: V1LayerParameter) -> list[str]:
    v0 = old.layer
    here = where(old, v0.name, v0.type)
    problems = []
    for field, _ in old.ListFields():
        if field.name in ("bottom", "top", "origin"):
            copy(old, field.name, new, field.name)
        elif field.name != "layer":
            problems.append(f"{here}: {field.name} is dropped: V0 layers do not have it")
    for field, _ in v0.ListFields():
        if field.name == "name":
            new.name = v0.name
        elif field.name == "type":
            if v0.type not in TYPES:
                raise ParseError(f"{here}: unknown V0 layer type {v0.type!r}{nearest(v0.type, TYPES)}")
            new.type = V1LayerParameter.LayerType.Value(TYPES[v0.type])
        else:
            places = _FIELDS.get(field.name, {})
            place = places.get("*") or places.get(v0.type)
            if place is None:
                problems.append(f"{here}: unknown parameter {field.name} for layer type {v0.type}; dropped")
                continue
            *outer, last = place.split(".")
            copy(v0, field.name, getattr(new, outer[0]) if outer else new, last)
    return problems
