"""Shapes of data that a collection of prototxt files does not hold."""

from __future__ import annotations

import re
from typing import Any

from tools.wild_layers import Shape

# What a source, a mean file or a list is named after tells the pictures' shape where no parameter does.
DATA_SETS: tuple[tuple[str, Shape], ...] = (
    ("mnist_siamese", (2, 28, 28)),  # Caffe's example puts a pair into the channels
    ("mnist", (1, 28, 28)),
    ("cifar", (3, 32, 32)),
    ("camvid|segnet", (3, 360, 480)),  # the SegNet tutorial's pictures, CamVid and SUN RGB-D
)
PICTURE = (3, 224, 224)  # of all others


def input_shape(param: Any, blob: str) -> Shape:
    """The shape of the pictures `blob` of a net, of which no parameter tells the size, by the name of their data."""
    layer = _maker(param, blob)
    messages = [value for field, value in layer.ListFields() if field.name.endswith("_param")]
    names = " ".join(getattr(message, name, "") for message in messages for name in ("source", "mean_file"))
    shape = next((shape for pattern, shape in DATA_SETS if re.search(pattern, names, re.IGNORECASE)), PICTURE)
    return (*_batch(layer), *shape)


def fit(param: Any, message: str, known: dict[str, Shape]) -> dict[str, Shape] | None:
    """The shape of data that no parameter tells, as the first layer that fails says it must be; None if none is.

    Such data are rows of HDF5 files, and pictures that are in `known` already. Labels take the shape of what a loss
    compares them with, as do pictures that are added to others; what is cut into slices is as long as they are.
    """
    match = re.search(r"layer '([^']*)' \((\w+)\): ", message)
    shapes = {int(index): _shape(text) for index, text in _BOTTOM.findall(message)}
    if match is None:
        return None
    failed = (item for item in param.layer if (item.name, item.type) == match.groups() and item.bottom)
    layer = next(failed, None)
    if layer is None:  # it makes data itself
        return None
    for index, blob in enumerate(layer.bottom):
        cut = next((item for item in param.layer if item.type == "Slice" and blob in item.top), None)
        if cut is not None and layer.type.endswith("Loss") and cut.bottom[0] in known:  # columns of labels
            fitting = {cut.bottom[0]: (*known[cut.bottom[0]][:1], _length(cut))}
            return fitting if fitting.items() - known.items() else None
        maker = _maker(param, blob)
        if maker is None or not (maker.type == "HDF5Data" or blob in known):
            continue
        first = known.get(maker.top[0], (*_batch(maker), *PICTURE))
        shape = _wanted(layer, index, shapes, first)
        if shape and shape != known.get(blob):
            return {blob: shape}
    return None


_BOTTOM = re.compile(r"bottom (\d) (?:of shape|has shape|has) (\([\d, ]*\))")


def _wanted(layer: Any, index: int, shapes: dict[int, Shape], first: Shape) -> Shape | None:
    """What shape bottom `index` of a layer that failed must have, given what its message says of the others.

    first: the shape of the first top of the data layer that makes it.
    """
    other = shapes.get(1 - index)
    if other and layer.type == "Eltwise":
        return other
    if other and index == 1 and layer.type in ("SoftmaxWithLoss", "Accuracy"):
        return (*other[:1], 1, *other[2:]) if len(other) > 2 else other[:1]
    if other and index == 1 and layer.type.endswith("Loss"):
        return other
    if other and index == 1 and layer.type == "GuidedDropout":
        return other
    if layer.type == "Slice":
        length = _length(layer)
        return (*first[:1], length, *PICTURE[1:]) if length % PICTURE[0] == 0 else (*first[:1], length)
    return first if index == 0 and layer.type in ("Convolution", "Flatten") else None


def _length(layer: Any) -> int:
    """How long the axis is that a Slice layer cuts, if its last piece is as long as the one before."""
    points = [0, *(layer.slice_param.slice_point or range(1, len(layer.top)))]
    return 2 * points[-1] - points[-2]


def _shape(text: str) -> Shape:
    return tuple(int(size) for size in re.findall(r"\d+", text))


def _maker(param: Any, blob: str) -> Any:
    """The data layer that makes a blob in the net's phase."""
    for layer in param.layer:
        wrong = any(rule.HasField("phase") and rule.phase != param.state.phase for rule in layer.include)
        if blob in layer.top and not layer.bottom and not wrong:
            return layer
    return None


def _batch(layer: Any) -> Shape:
    """(batch_size,), as one of a data layer's messages says it."""
    sizes = [
        getattr(value, "batch_size", 0)
        for field, value in layer.ListFields()
        if field.name.endswith("_param")
    ]
    return (max([1, *sizes]),)
