"""Inception v3, whose blocks are tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from caffe_compat.proto.net_spec import NetSpec, Top
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.pycaffe.ssd_nets.blocks import ConvBNLayer, Pair


def InceptionTower(
    net: NetSpec, from_layer: str, tower_name: str, layer_params: Iterable[dict[str, Any]], **bn_param: Any
) -> Top:
    """Layers <tower_name>/<name> one after the other; the last one's top.

    Each of `layer_params` has a `name` and the parameters of ConvBNLayer or, if the layer's name has "pool" in it,
    of a Pooling layer.
    """
    for given in layer_params:
        given = dict(given)
        name = f"{tower_name}/{given.pop('name')}"
        if "pool" in name:
            net[name] = L.Pooling(net[from_layer], **given)
        else:
            ConvBNLayer(
                net, from_layer, name, use_bn=True, use_relu=True, use_scale=False, **{**given, **bn_param}
            )
        from_layer = name
    return net[from_layer]


_AVE, _MAX = P.Pooling.AVE, P.Pooling.MAX


def _chain(
    *convolutions: tuple[int, Pair, Pair, Pair], pool: tuple[int, int, int] | None = None
) -> list[Any]:
    """What InceptionTower takes: (pool, pad, stride) of a 3 x 3 pooling, then (outputs, kernel, pad, stride)s."""
    rows: list[dict[str, Any]] = []
    if pool:
        kind, pad, stride = pool
        rows.append({"name": "pool", "pool": kind, "kernel_size": 3, "pad": pad, "stride": stride})
    for i, (width, kernel, pads, strides) in enumerate(convolutions):
        name = f"conv_{i}" if i else "conv"
        rows.append(
            {"name": name, "num_output": width, "kernel_size": kernel, "pad": pads, "stride": strides}
        )
    return rows


def _one(width: int) -> tuple[int, Pair, Pair, Pair]:
    return width, 1, 0, 1


def _row(width: int, size: int) -> tuple[int, Pair, Pair, Pair]:
    return width, [1, size], [0, size // 2], [1, 1]


def _column(width: int, size: int) -> tuple[int, Pair, Pair, Pair]:
    return width, [size, 1], [size // 2, 0], [1, 1]


# A block: its towers' names, less the block's, and their layers; a tower whose top is split has these ends, too.
_Block = list[tuple[str, list[Any], Sequence[list[Any]]]]


def _mixed_5(pooled: int) -> _Block:
    return [
        ("", _chain(_one(64)), ()),
        ("/tower", _chain(_one(48), (64, 5, 2, 1)), ()),
        ("/tower_1", _chain(_one(64), (96, 3, 1, 1), (96, 3, 1, 1)), ()),
        ("/tower_2", _chain(_one(pooled), pool=(_AVE, 1, 1)), ()),
    ]


def _mixed_6(width: int) -> _Block:
    rows_and_columns = (_column(width, 7), _row(width, 7), _column(width, 7), _row(192, 7))
    return [
        ("", _chain(_one(192)), ()),
        ("/tower", _chain(_one(width), _row(width, 7), _column(192, 7)), ()),
        ("/tower_1", _chain(_one(width), *rows_and_columns), ()),
        ("/tower_2", _chain(_one(192), pool=(_AVE, 1, 1)), ()),
    ]


def _mixed_7(pool: int) -> _Block:
    row, column = _chain(_row(384, 3), _column(384, 3))
    return [
        ("", _chain(_one(320)), ()),
        ("/tower", _chain(_one(384)), ([row], [column])),
        ("/tower_1", _chain(_one(448), (384, 3, 1, 1)), ([row], [column])),
        ("/tower_2", _chain(_one(192), pool=(pool, 1, 1)), ()),
    ]


_INCEPTION_V3: dict[str, _Block] = {
    "mixed": _mixed_5(32),
    "mixed_1": _mixed_5(64),
    "mixed_2": _mixed_5(64),
    "mixed_3": [
        ("", _chain((384, 3, 0, 2)), ()),
        ("/tower", _chain(_one(64), (96, 3, 1, 1), (96, 3, 0, 2)), ()),
        ("", _chain(pool=(_MAX, 0, 2)), ()),
    ],
    "mixed_4": _mixed_6(128),
    "mixed_5": _mixed_6(160),
    "mixed_6": _mixed_6(160),
    "mixed_7": _mixed_6(192),
    "mixed_8": [
        ("/tower", _chain(_one(192), (320, 3, 0, 2)), ()),
        ("/tower_1", _chain(_one(192), _row(192, 7), _column(192, 7), (192, 3, 0, 2)), ()),
        ("", _chain(pool=(_MAX, 0, 2)), ()),
    ],
    "mixed_9": _mixed_7(_AVE),
    "mixed_10": _mixed_7(_MAX),
}


def InceptionV3Body(net: NetSpec, from_layer: str, output_pred: bool = False, **bn_param: Any) -> NetSpec:
    """Inception v3 up to mixed_10/join; with `output_pred` pool_3, softmax (1008 outputs) and softmax_prob."""

    def conv(source: str, name: str, width: int, kernel: int, pad: int, stride: int) -> None:
        ConvBNLayer(net, source, name, True, True, width, kernel, pad, stride, use_scale=False, **bn_param)

    conv(from_layer, "conv", 32, 3, 0, 2)
    conv("conv", "conv_1", 32, 3, 0, 1)
    conv("conv_1", "conv_2", 64, 3, 1, 1)
    net.pool = L.Pooling(net.conv_2, pool=_MAX, kernel_size=3, stride=2, pad=0)
    conv("pool", "conv_3", 80, 1, 0, 1)
    conv("conv_3", "conv_4", 192, 3, 0, 1)
    net.pool_1 = L.Pooling(net.conv_4, pool=_MAX, kernel_size=3, stride=2, pad=0)
    source = "pool_1"
    for block, towers in _INCEPTION_V3.items():
        tops = []
        for suffix, tower, ends in towers:
            name = block + suffix
            top = InceptionTower(net, source, name, tower, **bn_param)
            if ends:
                last = f"{name}/{tower[-1]['name']}"
                split = [InceptionTower(net, last, f"{name}/mixed", rows, **bn_param) for rows in ends]
                net[f"{name}/mixed"] = top = L.Concat(*split, axis=1)
            tops.append(top)
        source = f"{block}/join"
        net[source] = L.Concat(*tops, axis=1)
    if output_pred:
        net.pool_3 = L.Pooling(net[source], pool=_AVE, kernel_size=8, pad=0, stride=1)
        net.softmax = L.InnerProduct(net.pool_3, num_output=1008)
        net.softmax_prob = L.Softmax(net.softmax)
    return net
