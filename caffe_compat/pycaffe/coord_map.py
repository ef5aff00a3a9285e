"""How the coordinates of one blob lie on another's, and the Crop layer that aligns the two.

A map is (axis, scale, shift) and takes a coordinate x to scale * x + shift, on every axis after `axis`;
scale and shift are numbers or arrays with one value an axis. Axis None means any, as in pointwise layers.

Source: python/caffe/coord_map.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.proto.net_spec import Function, Top, layers

PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Log", "LRN", "Exp", "MVN", "Power",
    "ReLU", "PReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
]  # fmt: skip

Map = tuple[Any, Any, Any]
IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(Exception):
    """A layer, such as InnerProduct, whose top's coordinates do not come from its bottom's."""


class AxisMismatchException(Exception):
    """Two maps that are about different axes."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(axis, stride, kernel with its dilation, pad) of a Convolution, Deconvolution, Im2col or Pooling.

    Raises AssertionError for parameters in the _h and _w form, UndefinedMapException without kernel_size.
    """
    params = fn.params.get("pooling_param" if fn.type_name == "Pooling" else "convolution_param", fn.params)
    pairs = {f"{name}_{side}" for name in ("kernel", "stride", "pad") for side in "hw"}
    if found := sorted(pairs & {*fn.params, *params}):
        raise AssertionError(
            f"cropping does not support {', '.join(found)}; write kernel_size, stride and pad"
        )
    if "kernel_size" not in params:
        raise UndefinedMapException(f"a {fn.type_name} layer without kernel_size does not map coordinates")
    kernel, dilation = (np.array(params.get(name, 1), ndmin=1) for name in ("kernel_size", "dilation"))
    return (
        params.get("axis", 1),
        np.array(params.get("stride", 1), ndmin=1),
        (kernel - 1) * dilation + 1,
        np.array(params.get("pad", 0), ndmin=1),
    )


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """(axis, offset) of a Crop."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map from a layer's bottom to its top.

    Raises UndefinedMapException if there is none.
    """
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset  # a Crop's axis is the first that moves, a map's the last that does not
    if fn.type_name not in ("Convolution", "Pooling", "Im2col", "Deconvolution"):
        raise UndefinedMapException(f"a {fn.type_name} layer does not map coordinates")
    axis, stride, kernel, pad = conv_params(fn)
    middle = (kernel - 1) / 2
    if fn.type_name == "Deconvolution":
        return axis, stride, middle - pad
    return axis, 1 / stride, (pad - middle) / stride


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that does next_map first, then base_map.

    Raises AxisMismatchException if they are about different axes.
    """
    ax1, a1, b1 = base_map
    ax2, a2, b2 = next_map
    if ax1 is not None and ax2 is not None and ax1 != ax2:
        raise AxisMismatchException(
            f"one map is about the axes after {ax1}, the other about those after {ax2}"
        )
    return ax2 if ax1 is None else ax1, a1 * a2, a1 * b2 + b1


def inverse(coord_map: Map) -> Map:
    """The map back."""
    ax, a, b = coord_map
    return ax, 1 / a, -b / a


def _mapped_bottoms(top: Top) -> list[tuple[Top, Map]]:
    """The tops below whose coordinates decide `top`'s, with the map from each to `top`."""
    try:
        step = coord_map(top.fn)
    except UndefinedMapException:
        return []
    # A Crop takes only the size of its second bottom.
    inputs = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
    return [(bottom, step) for bottom in inputs]


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from one top's coordinates to another's, through a top that both come from.

    Raises RuntimeError if no layers that map coordinates connect them.
    """
    from_maps = {top_from: IDENTITY}
    frontier = [top_from]
    while frontier:
        top = frontier.pop()
        for bottom, step in _mapped_bottoms(top):
            from_maps[bottom] = compose(from_maps[top], step)
            frontier.append(bottom)

    to_maps = {top_to: IDENTITY}
    frontier = [top_to]
    while frontier:
        top = frontier.pop()
        if top in from_maps:
            return compose(to_maps[top], inverse(from_maps[top]))
        for bottom, step in _mapped_bottoms(top):
            to_maps[bottom] = compose(to_maps[top], step)
            frontier.append(bottom)
    raise RuntimeError("Could not compute map between tops; are they connected by spatial layers?")


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop of `top_from` that lies on `top_to`.

    Raises AssertionError if their scales differ or the crop would begin outside or between pixels.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if not np.all(scale == 1):
        raise AssertionError(f"scale mismatch on crop (a = {scale}); the strides up and down must cancel out")
    if not np.all(shift <= 0):
        raise AssertionError(f"cannot crop negative offset (b = {shift}); pad the cropped blob's layers more")
    if not np.all(np.round(shift) == shift):
        raise AssertionError(f"cannot crop noninteger offset (b = {shift}); change a pad or kernel by one")
    offset = [int(-value) for value in np.atleast_1d(shift)]
    return layers.Crop(
        top_from, top_to, crop_param={"axis": 2 if axis is None else axis + 1, "offset": offset}
    )
