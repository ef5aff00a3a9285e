"""Zeiler and Fergus's net, and VGG's of 16 layers."""

from __future__ import annotations

from collections.abc import Iterable

from caffe_compat.proto.net_spec import NetSpec, Top
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.pycaffe.ssd_nets.blocks import learned, rates, start


def _conv_relu(net: NetSpec, top: Top, name: str, **given: int) -> Top:
    """Layers conv<name> and relu<name>; the latter's top."""
    conv, relu = f"conv{name}", f"relu{name}"
    net[conv] = L.Convolution(top, **given, **learned())
    net[relu] = L.ReLU(net[conv], in_place=True)
    return net[relu]


def _fc(net: NetSpec, name: str, top: Top, dropout: bool, **convolution: int) -> Top:
    """Layers fc<n>, relu<n> and drop<n>; fc is a convolution if its parameters are given."""
    fc, relu = f"fc{name}", f"relu{name}"
    if convolution:
        net[fc] = L.Convolution(top, **convolution, **learned())
    else:
        net[fc] = L.InnerProduct(top, num_output=4096)
    net[relu] = L.ReLU(net[fc], in_place=True)
    if dropout:
        net[f"drop{name}"] = L.Dropout(net[relu], dropout_ratio=0.5, in_place=True)
    return net[relu]


def _freeze(net: NetSpec, names: Iterable[str]) -> None:
    for name in names:
        if name in net.keys():  # noqa: SIM118 - a NetSpec is no mapping
            net.update(name, {**learned(), "param": [rates(0), rates(0)]})


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
    top = start(net, from_layer)
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
            net.fc8 = L.Convolution(top, num_output=1000, kernel_size=1, **learned())
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
    top = start(net, from_layer)
    dilation = 2 if dilate_pool4 and not nopool else 1
    for stage, (width, depth) in enumerate(_VGG, 1):
        given: dict[str, int] = {"num_output": width, "pad": 1, "kernel_size": 3}
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
                top, num_output=width, pad=1, kernel_size=3, stride=1 if keeps_size else 2, **learned()
            )
        else:
            name = f"pool{stage}"
            size = (
                {"kernel_size": 3, "stride": 1, "pad": 1} if keeps_size else {"kernel_size": 2, "stride": 2}
            )
            net[name] = L.Pooling(top, pool=P.Pooling.MAX, **size)
        top = net[name]
    if need_fc:
        fc6: dict[str, int] = {}
        fc7: dict[str, int] = {}
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
