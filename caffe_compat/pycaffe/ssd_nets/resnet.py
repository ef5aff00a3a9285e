"""ResNets of bottleneck blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe_compat.proto.net_spec import NetSpec
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.pycaffe.ssd_nets.blocks import ConvBNLayer


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

    def conv(
        source: str,
        branch: str,
        width: int,
        use_relu: bool,
        kernel: int = 1,
        pad: int = 0,
        stride: int = 1,
        dilation: int = 1,
    ) -> str:
        ConvBNLayer(
            net,
            source,
            branch,
            use_bn=True,
            use_relu=use_relu,
            num_output=width,
            kernel_size=kernel,
            pad=pad,
            stride=stride,
            dilation=dilation,
            conv_prefix=f"res{block_name}_",
            bn_prefix=f"bn{block_name}_",
            bn_postfix="",
            scale_prefix=f"scale{block_name}_",
            scale_postfix="",
            **bn_param,
        )
        return f"res{block_name}_{branch}"

    shortcut = from_layer
    if use_branch1:
        shortcut = conv(from_layer, "branch1", out2c, False, stride=stride)
    name = conv(from_layer, "branch2a", out2a, True, stride=stride)
    name = conv(name, "branch2b", out2b, True, 3, pad=dilation, dilation=dilation)
    name = conv(name, "branch2c", out2c, False)
    block = f"res{block_name}"
    net[block] = L.Eltwise(net[shortcut], net[name])
    net[f"{block}_relu"] = L.ReLU(net[block], in_place=True)


def _resnet(
    net: NetSpec,
    from_layer: str,
    depths: Sequence[int],
    pool5: bool,
    dilated: bool,
    bn_param: dict[str, Any],
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
