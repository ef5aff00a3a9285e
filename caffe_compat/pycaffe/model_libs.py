"""`caffe.model_libs` of SSD's Caffe: nets and heads that model scripts add to a NetSpec.

    from caffe.model_libs import *
    net = caffe.NetSpec()
    net.data, net.label = CreateAnnotatedDataLayer(source, batch_size=8, label_map_file=..., batch_sampler=...)
    VGGNetBody(net, "data", fully_conv=True, reduced=True, dilated=True, dropout=False)
    layers = CreateMultiBoxHead(net, from_layers=["conv4_3", "fc7"], num_classes=21, min_sizes=[30, 60], ...)

Layers have the names that published weights have. A `bn_param` may be eps, moving_average_fraction or
use_global_stats of the BatchNorm layers. DeconvBNLayer, EltwiseLayer and CreateRefineDetHead are RefineDet's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from caffe_compat import pycaffe as caffe  # noqa: F401 - scripts take it from here, and caffe_pb2
from caffe_compat.errors import nearest
from caffe_compat.proto import TEST, TRAIN, caffe_pb2  # noqa: F401
from caffe_compat.pycaffe.net_spec import NetSpec, Top
from caffe_compat.pycaffe.net_spec import layers as L
from caffe_compat.pycaffe.net_spec import params as P

Pair = int | list[int]  # one number for both axes, or (height, width)


def check_if_exist(path: str) -> bool:
    return os.path.exists(path)


def make_if_not_exist(path: str) -> None:
    os.makedirs(path, exist_ok=True)


def UnpackVariable(var: Any, num: int) -> list[Any]:
    """A list of `num` values out of one value, a list of one, or a list of `num`."""
    values = var if isinstance(var, list) else [var]
    if len(values) not in (1, num):
        raise ValueError(f"{values} has {len(values)} values and must have 1 or {num}")
    return values if len(values) == num else values * num


# -- layers -----------------------------------------------------------------------------------


def _constant(value: float) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def _rates(lr_mult: float, decay_mult: float = 0) -> dict[str, float]:
    return {"lr_mult": lr_mult, "decay_mult": decay_mult}


def _learned(lr_mult: float = 1) -> dict[str, Any]:
    """The parameters of a layer with weights and a bias."""
    return {
        "param": [_rates(lr_mult, 1), _rates(2 * lr_mult)],
        "weight_filler": {"type": "xavier"},
        "bias_filler": _constant(0),
    }


def _before_batch_norm(lr_mult: float) -> dict[str, Any]:
    """The parameters of a layer whose bias BatchNorm would take away again."""
    return {
        "param": [_rates(lr_mult, 1)],
        "weight_filler": {"type": "gaussian", "std": 0.01},
        "bias_term": False,
    }


def ConvBNLayer(
    net: NetSpec,
    from_layer: str,
    out_layer: str,
    use_bn: bool,
    use_relu: bool,
    num_output: int,
    kernel_size: Pair,
    pad: Pair,
    stride: Pair,
    dilation: int = 1,
    use_scale: bool = True,
    lr_mult: float = 1,
    conv_prefix: str = "",
    conv_postfix: str = "",
    bn_prefix: str = "",
    bn_postfix: str = "_bn",
    scale_prefix: str = "",
    scale_postfix: str = "_scale",
    bias_prefix: str = "",
    bias_postfix: str = "_bias",
    **bn_params: Any,
) -> None:
    """A convolution; then, as asked, BatchNorm with Scale (or Bias) after it, and ReLU.

    With use_global_stats BatchNorm's statistics and factors are not learned.
    """
    name = f"{conv_prefix}{out_layer}{conv_postfix}"
    sizes = {"kernel": kernel_size, "pad": pad, "stride": stride}
    (kernel_h, kernel_w), *_ = pairs = [UnpackVariable(size, 2) for size in sizes.values()]
    shape: dict[str, int] = {}
    for field, (height, width) in zip(sizes, pairs, strict=True):
        if kernel_h == kernel_w:
            shape["kernel_size" if field == "kernel" else field] = height
        else:
            shape |= {f"{field}_h": height, f"{field}_w": width}
    if dilation > 1:
        shape["dilation"] = dilation
    given = _before_batch_norm(lr_mult) if use_bn else _learned(lr_mult)
    net[name] = L.Convolution(net[from_layer], num_output=num_output, **shape, **given)
    if use_bn:
        frozen = bn_params.get("use_global_stats", False)
        kept = (
            {"use_global_stats": frozen}
            if frozen
            else {"moving_average_fraction": bn_params.get("moving_average_fraction", 0.999)}
        )
        bn_name = f"{bn_prefix}{out_layer}{bn_postfix}"
        net[bn_name] = L.BatchNorm(
            net[name], in_place=True, param=[_rates(0)] * 3, eps=bn_params.get("eps", 0.001), **kept
        )
        rate = 0 if frozen else lr_mult
        if use_scale:
            net[f"{scale_prefix}{out_layer}{scale_postfix}"] = L.Scale(
                net[bn_name],
                in_place=True,
                bias_term=True,
                param=[_rates(rate)] * 2,
                filler=_constant(1),
                bias_filler=_constant(0),
            )
        else:
            net[f"{bias_prefix}{out_layer}{bias_postfix}"] = L.Bias(
                net[bn_name], in_place=True, param=[_rates(rate)], filler=_constant(0)
            )
    if use_relu:
        net[f"{name}_relu"] = L.ReLU(net[name], in_place=True)


def DeconvBNLayer(
    net: NetSpec,
    from_layer: str,
    out_layer: str,
    use_bn: bool,
    use_relu: bool,
    num_output: int,
    kernel_size: int,
    pad: int,
    stride: int,
    use_scale: bool = True,
    lr_mult: float = 1,
    deconv_prefix: str = "",
    deconv_postfix: str = "",
    bn_prefix: str = "",
    bn_postfix: str = "_bn",
    scale_prefix: str = "",
    scale_postfix: str = "_scale",
    bias_prefix: str = "",
    bias_postfix: str = "_bias",
    **bn_params: Any,
) -> None:
    """A Deconvolution; then, as asked, BatchNorm with Scale (or Bias) after it, and ReLU.

    `bn_params` are taken and mean nothing, as in RefineDet.
    """
    name = f"{deconv_prefix}{out_layer}{deconv_postfix}"
    given = _before_batch_norm(lr_mult) if use_bn else _learned(lr_mult)
    net[name] = L.Deconvolution(
        net[from_layer], num_output=num_output, kernel_size=kernel_size, pad=pad, stride=stride, **given
    )
    if use_bn:
        bn_name = f"{bn_prefix}{out_layer}{bn_postfix}"
        net[bn_name] = L.BatchNorm(net[name], in_place=True)
        if use_scale:
            net[f"{scale_prefix}{out_layer}{scale_postfix}"] = L.Scale(
                net[bn_name], in_place=True, bias_term=True
            )
        else:
            net[f"{bias_prefix}{out_layer}{bias_postfix}"] = L.Bias(
                net[bn_name], in_place=True, param=[_rates(lr_mult)], filler=_constant(0)
            )
    if use_relu:
        net[f"{name}_relu"] = L.ReLU(net[name], in_place=True)


def EltwiseLayer(net: NetSpec, from_layer: Sequence[str], out_layer: str) -> None:
    """The sum of two layers."""
    net[out_layer] = L.Eltwise(net[from_layer[0]], net[from_layer[1]])


def CreateAnnotatedDataLayer(
    source: str,
    batch_size: int = 32,
    backend: int = P.Data.LMDB,
    output_label: bool = True,
    train: bool = True,
    label_map_file: str = "",
    anno_type: int | None = None,
    transform_param: dict[str, Any] | None = None,
    batch_sampler: list[dict[str, Any]] | None = None,
) -> Any:
    """SSD's data layer for the TRAIN or the TEST phase: the top, or with `output_label` (data, label)."""
    annotated: dict[str, Any] = {
        "label_map_file": label_map_file,
        "batch_sampler": [{}] if batch_sampler is None else batch_sampler,
    }
    if anno_type is not None:
        annotated["anno_type"] = anno_type
    return L.AnnotatedData(
        name="data",
        annotated_data_param=annotated,
        data_param={"batch_size": batch_size, "backend": backend, "source": source},
        ntop=2 if output_label else 1,
        include={"phase": TRAIN if train else TEST},
        transform_param=transform_param or {},
    )


# -- bodies: VGG, ZF --------------------------------------------------------------------------


def _conv_relu(net: NetSpec, top: Top, name: str, **given: Any) -> Top:
    """Layers conv<name> and relu<name>; the latter's top."""
    conv, relu = f"conv{name}", f"relu{name}"
    net[conv] = L.Convolution(top, **given, **_learned())
    net[relu] = L.ReLU(net[conv], in_place=True)
    return net[relu]


def _fc(net: NetSpec, name: str, top: Top, dropout: bool, **convolution: Any) -> Top:
    """Layers fc<n>, relu<n> and drop<n>; fc is a convolution if its parameters are given."""
    fc, relu = f"fc{name}", f"relu{name}"
    if convolution:
        net[fc] = L.Convolution(top, **convolution, **_learned())
    else:
        net[fc] = L.InnerProduct(top, num_output=4096)
    net[relu] = L.ReLU(net[fc], in_place=True)
    if dropout:
        net[f"drop{name}"] = L.Dropout(net[relu], dropout_ratio=0.5, in_place=True)
    return net[relu]


def _freeze(net: NetSpec, names: Iterable[str]) -> None:
    for name in names:
        if name in net.keys():  # noqa: SIM118 - a NetSpec is no mapping
            net.update(name, {**_learned(), "param": [_rates(0), _rates(0)]})


def _start(net: NetSpec, from_layer: str) -> Top:
    if from_layer not in net.keys():  # noqa: SIM118
        raise ValueError(
            f"the net has no layer {from_layer!r} to begin from{nearest(from_layer, net.keys())}"
        )
    return net[from_layer]


def ZFNetBody(
    net: NetSpec,
    from_layer: str,
    need_fc: bool = True,
    fully_conv: bool = False,
    reduced: bool = False,
    dilated: bool = False,
    dropout: bool = True,
    need_fc8: bool = False,
    freeze_layers: Iterable[str] = (),
) -> NetSpec:
    """Zeiler and Fergus's net, from conv1 to fc7.

    Args:
        need_fc: with pool5, fc6 and fc7; fully_conv: these are convolutions, reduced: with 1024 outputs.
        dilated: pool5 keeps the size, and fc6 is dilated instead.
        need_fc8: with fc8 (1000 outputs) and prob.
        freeze_layers: the layers that are not to learn.
    """
    top = _start(net, from_layer)
    for stage, (width, kernel, pad) in enumerate([(96, 7, 3), (256, 5, 2)], 1):
        top = _conv_relu(net, top, f"{stage}", num_output=width, pad=pad, kernel_size=kernel, stride=2)
        net[f"norm{stage}"] = L.LRN(
            top, local_size=3, alpha=0.00005, beta=0.75, norm_region=P.LRN.WITHIN_CHANNEL, engine=P.LRN.CAFFE
        )
        net[f"pool{stage}"] = top = L.Pooling(
            net[f"norm{stage}"], pool=P.Pooling.MAX, pad=1, kernel_size=3, stride=2
        )
    for stage, width in ((3, 384), (4, 384), (5, 256)):
        top = _conv_relu(net, top, f"{stage}", num_output=width, pad=1, kernel_size=3)
    if need_fc:
        net.pool5 = L.Pooling(top, pool=P.Pooling.MAX, pad=1, kernel_size=3, stride=1 if dilated else 2)
        fc6, fc7 = {}, {}
        if fully_conv:
            width = 1024 if reduced else 4096
            fc6 = {"num_output": width, "pad": 5 if dilated else 2, "kernel_size": 3 if reduced else 6}
            if dilated or reduced:
                fc6["dilation"] = (5 if reduced else 2) if dilated else 2
            fc7 = {"num_output": width, "kernel_size": 1}
        _fc(net, "7", _fc(net, "6", net.pool5, dropout, **fc6), dropout, **fc7)
    if need_fc8:
        top = net[net.keys()[-1]]
        if fully_conv:
            net.fc8 = L.Convolution(top, num_output=1000, kernel_size=1, **_learned())
        else:
            net.fc8 = L.InnerProduct(top, num_output=1000)
        net.prob = L.Softmax(net.fc8)
    _freeze(net, freeze_layers)
    return net


_VGG = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # outputs and convolutions of the stages


def VGGNetBody(
    net: NetSpec,
    from_layer: str,
    need_fc: bool = True,
    fully_conv: bool = False,
    reduced: bool = False,
    dilated: bool = False,
    nopool: bool = False,
    dropout: bool = True,
    freeze_layers: Iterable[str] = (),
    dilate_pool4: bool = False,
) -> NetSpec:
    """VGG's net of 16 layers, from conv1_1 to fc7.

    Args:
        need_fc: with pool5, fc6 and fc7; fully_conv: these are convolutions, reduced: with 1024 outputs.
        dilated: pool5 keeps the size, and fc6 is dilated instead; dilate_pool4: pool4 and conv5 likewise.
        nopool: convolutions of stride 2 take the place of the poolings.
        freeze_layers: the layers that are not to learn.
    """
    top = _start(net, from_layer)
    dilation = 2 if dilate_pool4 and not nopool else 1
    for stage, (width, depth) in enumerate(_VGG, 1):
        given: dict[str, Any] = {"num_output": width, "pad": 1, "kernel_size": 3}
        if stage == 5:
            given |= {"pad": dilation, "dilation": dilation}
        for i in range(depth):
            top = _conv_relu(net, top, f"{stage}_{i + 1}", **given)
        if stage == 5 and not need_fc:
            break
        keeps_size = dilated if stage == 5 else dilation > 1 and stage == 4
        if nopool:
            name = f"conv{stage}_{depth + 1}"
            net[name] = L.Convolution(
                top, num_output=width, pad=1, kernel_size=3, stride=1 if keeps_size else 2, **_learned()
            )
        else:
            name = f"pool{stage}"
            size = (
                {"kernel_size": 3, "stride": 1, "pad": 1} if keeps_size else {"kernel_size": 2, "stride": 2}
            )
            net[name] = L.Pooling(top, pool=P.Pooling.MAX, **size)
        top = net[name]
    if need_fc:
        fc6: dict[str, Any] = {}
        fc7: dict[str, Any] = {}
        if fully_conv:
            width, kernel = (1024, 3) if reduced else (4096, 7)
            if reduced:
                dilation *= 6 if dilated else 3
            elif dilated:
                dilation *= 2
            fc6 = {"num_output": width, "kernel_size": kernel, "dilation": dilation}
            fc6["pad"] = dilation * (kernel - 1) // 2
            fc7 = {"num_output": width, "kernel_size": 1}
        _fc(net, "7", _fc(net, "6", top, dropout, **fc6), dropout, **fc7)
    _freeze(net, freeze_layers)
    return net


# -- bodies: ResNet ---------------------------------------------------------------------------


def ResBody(
    net: NetSpec,
    from_layer: str,
    block_name: str,
    out2a: int,
    out2b: int,
    out2c: int,
    stride: int,
    use_branch1: bool,
    dilation: int = 1,
    **bn_param: Any,
) -> None:
    """Block res<block_name> of three convolutions beside a shortcut, which with `use_branch1` is a convolution."""

    def conv(source: str, branch: str, width: int, use_relu: bool, kernel: int = 1, **given: Any) -> str:
        ConvBNLayer(
            net,
            source,
            branch,
            use_bn=True,
            use_relu=use_relu,
            num_output=width,
            kernel_size=kernel,
            conv_prefix=f"res{block_name}_",
            bn_prefix=f"bn{block_name}_",
            bn_postfix="",
            scale_prefix=f"scale{block_name}_",
            scale_postfix="",
            **given,
            **bn_param,
        )
        return f"res{block_name}_{branch}"

    shortcut = from_layer
    if use_branch1:
        shortcut = conv(from_layer, "branch1", out2c, False, pad=0, stride=stride)
    name = conv(from_layer, "branch2a", out2a, True, pad=0, stride=stride)
    name = conv(name, "branch2b", out2b, True, 3, pad=dilation, stride=1, dilation=dilation)
    name = conv(name, "branch2c", out2c, False, pad=0, stride=1)
    block = f"res{block_name}"
    net[block] = L.Eltwise(net[shortcut], net[name])
    net[f"{block}_relu"] = L.ReLU(net[block], in_place=True)


def _resnet(
    net: NetSpec, from_layer: str, depths: Sequence[int], pool5: bool, dilated: bool, bn_param: dict[str, Any]
) -> NetSpec:
    """A ResNet of bottleneck blocks; `depths` are the numbers of blocks of stages 3 and 4."""
    ConvBNLayer(
        net,
        from_layer,
        "conv1",
        use_bn=True,
        use_relu=True,
        num_output=64,
        kernel_size=7,
        pad=3,
        stride=2,
        bn_prefix="bn_",
        bn_postfix="",
        scale_prefix="scale_",
        scale_postfix="",
        **bn_param,
    )
    net.pool1 = L.Pooling(net.conv1, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    source = "pool1"
    three, four = ([f"{stage}a", *(f"{stage}b{i}" for i in range(1, n))] for stage, n in enumerate(depths, 3))
    for width, names in ((64, ["2a", "2b", "2c"]), (128, three), (256, four), (512, ["5a", "5b", "5c"])):
        spread = dilated and width == 512
        for name in names:
            first = name == names[0]
            stride = 2 if first and width > 64 and not spread else 1
            ResBody(net, source, name, width, width, 4 * width, stride, first, 2 if spread else 1, **bn_param)
            source = f"res{name}"
    if pool5:
        net.pool5 = L.Pooling(net[source], pool=P.Pooling.AVE, global_pooling=True)
    return net


def ResNet50Body(
    net: NetSpec, from_layer: str, use_pool5: bool = True, use_dilation_conv5: bool = False, **bn_param: Any
) -> NetSpec:
    """ResNet-50 up to res5c, and pool5; with `use_dilation_conv5` stage 5 is dilated and keeps the size."""
    return _resnet(net, from_layer, (4, 6), use_pool5, use_dilation_conv5, bn_param)


def ResNet101Body(
    net: NetSpec, from_layer: str, use_pool5: bool = True, use_dilation_conv5: bool = False, **bn_param: Any
) -> NetSpec:
    """ResNet-101; see ResNet50Body."""
    return _resnet(net, from_layer, (4, 23), use_pool5, use_dilation_conv5, bn_param)


def ResNet152Body(
    net: NetSpec, from_layer: str, use_pool5: bool = True, use_dilation_conv5: bool = False, **bn_param: Any
) -> NetSpec:
    """ResNet-152; see ResNet50Body."""
    return _resnet(net, from_layer, (8, 36), use_pool5, use_dilation_conv5, bn_param)


# -- bodies: Inception v3 ---------------------------------------------------------------------


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


# -- heads ------------------------------------------------------------------------------------


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Head:
    """Predictions of boxes and classes out of several layers of a net.

    `each` are lists with one value a layer, by name; an empty one gives every layer None.
    """

    def __init__(
        self, net: NetSpec, names: Sequence[str], each: dict[str, Sequence[Any]], conv: dict[str, Any]
    ):
        for what, values in each.items():
            if values and len(values) != len(names):
                raise ValueError(
                    f"from_layers has {len(names)} layers and {what} {len(values)} values: as many are needed"
                )
        self.net, self.names, self.conv = net, names, conv
        self.each = {what: list(values) or [None] * len(names) for what, values in each.items()}

    def source(self, i: int, intermediate: Callable[[str, int], str]) -> str:
        """The layer that layer `i` is predicted from: itself, or what normalizes it and goes between."""
        name, scale, depth = (
            self.names[i],
            self.each["normalizations"][i],
            self.each["inter_layer_depth"][i],
        )
        if scale is not None and scale != -1:
            self.net[f"{name}_norm"] = L.Normalize(
                self.net[name], scale_filler=_constant(scale), across_spatial=False, channel_shared=False
            )
            name = f"{name}_norm"
        return intermediate(name, depth) if depth else name

    def priors(self, i: int, flip: bool) -> tuple[dict[str, Any], int]:
        """PriorBox's sizes for layer `i`, and how many boxes these are at each place."""
        sizes = {what: _list(self.each[f"{what}s"][i]) for what in ("min_size", "max_size", "aspect_ratio")}
        least, most, ratios = ([v for v in values if v is not None] for values in sizes.values())
        if most and len(most) != len(least):
            raise ValueError(
                f"layer {self.names[i]!r} has {len(least)} values of min_sizes and {len(most)} of max_sizes: as many "
                "are needed"
            )
        given: dict[str, Any] = {"min_size": least}
        if most:
            given["max_size"] = most
        if ratios:
            given |= {"aspect_ratio": ratios, "flip": flip}
        if self.each["steps"][i]:
            given["step"] = self.each["steps"][i]
        return given, len(least) * (1 + bool(most) + len(ratios) * (1 + bool(flip)))

    def predict(self, source: str, what: str, outputs: int) -> Top:
        """A convolution <source>_mbox_<what>, its channels last and flat."""
        name = f"{source}_mbox_{what}"
        ConvBNLayer(self.net, source, name, use_relu=False, num_output=outputs, stride=1, **self.conv)
        self.net[f"{name}_perm"] = L.Permute(self.net[name], order=[0, 2, 3, 1])
        self.net[f"{name}_flat"] = L.Flatten(self.net[f"{name}_perm"], axis=1)
        return self.net[f"{name}_flat"]


def _join(net: NetSpec, tops: dict[str, list[Top]]) -> list[Top]:
    """Concat layers of these names; boxes lie along axis 2 of a PriorBox's top, along axis 1 of the others."""
    for name, parts in tops.items():
        net[name] = L.Concat(*parts, axis=2 if name.endswith("priorbox") else 1)
    return [net[name] for name in tops]


def _prior_box(
    net: NetSpec, data_layer: str, clip: bool, variance: Any, offset: float, height: int, width: int
) -> Callable[[str, dict[str, Any]], Top]:
    """What makes the layer <source>_mbox_priorbox."""
    _start(net, data_layer)
    size: dict[str, int] = {}
    if height and width:
        size = {"img_size": height} if height == width else {"img_h": height, "img_w": width}

    def add(source: str, given: dict[str, Any]) -> Top:
        net[f"{source}_mbox_priorbox"] = top = L.PriorBox(
            net[source], net[data_layer], clip=clip, variance=variance, offset=offset, **given, **size
        )
        return top

    return add


def CreateMultiBoxHead(
    net: NetSpec,
    data_layer: str = "data",
    num_classes: int = 0,
    from_layers: Sequence[str] = (),
    use_objectness: bool = False,
    normalizations: Sequence[float] = (),
    use_batchnorm: bool = True,
    lr_mult: float = 1,
    use_scale: bool = True,
    min_sizes: Sequence[Any] = (),
    max_sizes: Sequence[Any] = (),
    prior_variance: Sequence[float] = (0.1,),
    aspect_ratios: Sequence[Any] = (),
    steps: Sequence[float] = (),
    img_height: int = 0,
    img_width: int = 0,
    share_location: bool = True,
    flip: bool = True,
    clip: bool = True,
    offset: float = 0.5,
    inter_layer_depth: Sequence[int] = (),
    kernel_size: Pair = 1,
    pad: Pair = 0,
    conf_postfix: str = "",
    loc_postfix: str = "",
    **bn_param: Any,
) -> list[Top]:
    """SSD's predictions out of `from_layers`: the tops mbox_loc, mbox_conf, mbox_priorbox (and mbox_objectness).

    Args:
        num_classes: with the background.
        normalizations: the scale of a Normalize layer before each prediction, -1 for none.
        min_sizes, max_sizes, aspect_ratios: of the boxes of each layer, numbers or lists; steps: their distances.
        inter_layer_depth: the outputs of a convolution before each prediction, 0 for none.
        use_scale: taken, and means nothing, as in SSD; a batch-normalized layer has a Scale.

    Raises ValueError for lists that are not as long as `from_layers` and for layers that are not there.
    """
    if num_classes <= 0:
        raise ValueError(f"num_classes is {num_classes} and must be above 0")
    conv = {"use_bn": use_batchnorm, "lr_mult": lr_mult, **bn_param}
    each = {"normalizations": normalizations, "min_sizes": min_sizes, "max_sizes": max_sizes}
    each |= {"aspect_ratios": aspect_ratios, "steps": steps, "inter_layer_depth": inter_layer_depth}
    head = _Head(net, from_layers, each, {"kernel_size": kernel_size, "pad": pad, **conv})
    prior_box = _prior_box(net, data_layer, clip, prior_variance, offset, img_height, img_width)

    def intermediate(source: str, depth: int) -> str:
        name = f"{source}_inter"
        ConvBNLayer(
            net, source, name, use_relu=True, num_output=depth, kernel_size=3, pad=1, stride=1, **conv
        )
        return name

    tops: dict[str, list[Top]] = {"mbox_loc": [], "mbox_conf": [], "mbox_priorbox": []}
    if use_objectness:
        tops["mbox_objectness"] = []
    for i in range(len(from_layers)):
        source = head.source(i, intermediate)
        sizes, boxes = head.priors(i, flip)
        located = boxes * 4 * (1 if share_location else num_classes)
        tops["mbox_loc"].append(head.predict(source, f"loc{loc_postfix}", located))
        tops["mbox_conf"].append(head.predict(source, f"conf{conf_postfix}", boxes * num_classes))
        tops["mbox_priorbox"].append(prior_box(source, sizes))
        if use_objectness:
            tops["mbox_objectness"].append(head.predict(source, "objectness", boxes * 2))
    return _join(net, tops)


def CreateRefineDetHead(
    net: NetSpec,
    data_layer: str = "data",
    num_classes: int = 0,
    from_layers: Sequence[str] = (),
    from_layers2: Sequence[str] = (),
    normalizations: Sequence[float] = (),
    use_batchnorm: bool = True,
    lr_mult: float = 1,
    min_sizes: Sequence[Any] = (),
    max_sizes: Sequence[Any] = (),
    prior_variance: Sequence[float] = (0.1,),
    aspect_ratios: Sequence[Any] = (),
    steps: Sequence[float] = (),
    img_height: int = 0,
    img_width: int = 0,
    share_location: bool = True,
    flip: bool = True,
    clip: bool = True,
    offset: float = 0.5,
    inter_layer_depth: Sequence[int] = (),
    kernel_size: Pair = 1,
    pad: Pair = 0,
    conf_postfix: str = "",
    loc_postfix: str = "",
    **bn_param: Any,
) -> list[Top]:
    """RefineDet's predictions: the tops arm_loc, arm_conf and arm_priorbox, which tell objects from background, out of
    `from_layers`; and odm_loc and odm_conf, with all classes, out of `from_layers2`.

    An inter_layer_depth above 0 puts a ResBody before the prediction. See CreateMultiBoxHead for the rest.
    """
    if num_classes <= 0:
        raise ValueError(f"num_classes is {num_classes} and must be above 0")
    conv = {
        "use_bn": use_batchnorm, "lr_mult": lr_mult, "kernel_size": kernel_size, "pad": pad, **bn_param
    }  # fmt: skip
    each = {"normalizations": normalizations, "min_sizes": min_sizes, "max_sizes": max_sizes}
    each |= {"aspect_ratios": aspect_ratios, "steps": steps, "inter_layer_depth": inter_layer_depth}
    prior_box = _prior_box(net, data_layer, clip, prior_variance, offset, img_height, img_width)

    def intermediate(source: str, depth: int) -> str:
        ResBody(net, source, f"{source}_inter", 256, 256, 1024, 1, True)
        return f"res{source}_inter"

    made: list[Top] = []
    for kind, names, classes in (("arm", from_layers, 2), ("odm", from_layers2, num_classes)):
        head = _Head(net, names, each, conv)
        tops: dict[str, list[Top]] = {f"{kind}_loc": [], f"{kind}_conf": []}
        if kind == "arm":
            tops["arm_priorbox"] = []
        for i in range(len(names)):
            source = head.source(i, intermediate)
            sizes, boxes = head.priors(i, flip)
            located = boxes * 4 * (1 if share_location else classes)
            tops[f"{kind}_loc"].append(head.predict(source, f"loc{loc_postfix}", located))
            tops[f"{kind}_conf"].append(head.predict(source, f"conf{conf_postfix}", boxes * classes))
            if kind == "arm":
                tops["arm_priorbox"].append(prior_box(source, sizes))
        made += _join(net, tops)
    return made
