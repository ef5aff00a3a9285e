"""What rules ask of a layer's message."""

from __future__ import annotations

from typing import TypeAlias

from caffe_compat.layers.facts import WeightMessage
from caffe_compat.layers.registry import class_for
from caffe_compat.proto import (
    TEST,
    DataParameter,
    HDF5DataParameter,
    ImageDataParameter,
    LayerParameter,
    MemoryDataParameter,
    Message,
    WindowDataParameter,
)

DataMessage: TypeAlias = (
    DataParameter | ImageDataParameter | HDF5DataParameter | WindowDataParameter | MemoryDataParameter
)
_DATA_MESSAGES = (
    "data_param",
    "image_data_param",
    "hdf5_data_param",
    "window_data_param",
    "memory_data_param",
)


def messages_of(layer: LayerParameter) -> list[tuple[str, Message]]:
    """The parameter messages that a layer sets, by name."""
    return [
        (f.name, value) for f, value in layer.ListFields() if f.name.endswith("_param") and f.message_type
    ]


def data_messages(layer: LayerParameter) -> dict[str, DataMessage]:
    """Those of them that say where records come from and how many make a batch, by name."""
    return {name: getattr(layer, name) for name, _ in messages_of(layer) if name in _DATA_MESSAGES}


def is_loss(layer: LayerParameter) -> bool:
    """Whether the layer has a loss_weight of 1 if none is given."""
    cls = class_for(layer)
    return cls.is_loss if cls else layer.type.endswith("Loss")


def is_accuracy(layer: LayerParameter) -> bool:
    """Whether the layer only tells how good the net is."""
    cls = class_for(layer)
    return cls is not None and cls.is_accuracy


def has_bias(layer: LayerParameter) -> bool:
    """Whether a layer of weights has a bias as its second blob."""
    return bool(getattr(weight_message(layer), "bias_term", False))


def weight_message(layer: LayerParameter) -> WeightMessage | None:
    """Where the layer says how its weights are filled; None of one without, or of an unknown type."""
    cls = class_for(layer)
    return cls.weight_message(layer) if cls else None


def mults(layer: LayerParameter, blob: int) -> tuple[float, float]:
    """lr_mult and decay_mult of a blob."""
    return (
        (layer.param[blob].lr_mult, layer.param[blob].decay_mult) if blob < len(layer.param) else (1.0, 1.0)
    )


def uses_stored_statistics(layer: LayerParameter, phase: int) -> bool:
    p = layer.batch_norm_param
    return p.use_global_stats if p.HasField("use_global_stats") else phase == TEST
