"""The layers that bodies and heads are made of, with the parameters that SSD and RefineDet give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from caffe_compat.errors import nearest
from caffe_compat.proto import TEST, TRAIN
from caffe_compat.proto.net_spec import NetSpec, Top
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P

T = TypeVar("T")
Pair = int | list[int]  # one number for both axes, or (height, width)


def UnpackVariable(var: T | list[T], num: int) -> list[T]:
    """A list of `num` values out of one value, a list of one, or a list of `num`."""
    values = var if isinstance(var, list) else [var]
    if len(values) not in (1, num):
        raise ValueError(f"{values} has {len(values)} values and must have 1 or {num}")
    return values if len(values) == num else values * num


def constant(value: float) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def rates(lr_mult: float, decay_mult: float = 0) -> dict[str, float]:
    return {"lr_mult": lr_mult, "decay_mult": decay_mult}


def learned(lr_mult: float = 1) -> dict[str, Any]:
    """The parameters of a layer with weights and a bias."""
    return {
        "param": [rates(lr_mult, 1), rates(2 * lr_mult)],
        "weight_filler": {"type": "xavier"},
        "bias_filler": constant(0),
    }


def _before_batch_norm(lr_mult: float) -> dict[str, Any]:
    """The parameters of a layer whose bias BatchNorm would take away again."""
    return {
        "param": [rates(lr_mult, 1)],
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
    **bn_params: float,
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
    given = _before_batch_norm(lr_mult) if use_bn else learned(lr_mult)
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
            net[name], in_place=True, param=[rates(0)] * 3, eps=bn_params.get("eps", 0.001), **kept
        )
        rate = 0 if frozen else lr_mult
        if use_scale:
            net[f"{scale_prefix}{out_layer}{scale_postfix}"] = L.Scale(
                net[bn_name],
                in_place=True,
                bias_term=True,
                param=[rates(rate)] * 2,
                filler=constant(1),
                bias_filler=constant(0),
            )
        else:
            net[f"{bias_prefix}{out_layer}{bias_postfix}"] = L.Bias(
                net[bn_name], in_place=True, param=[rates(rate)], filler=constant(0)
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
    **bn_params: float,
) -> None:
    """A Deconvolution; then, as asked, BatchNorm with Scale (or Bias) after it, and ReLU.

    `bn_params` are taken and mean nothing, as in RefineDet.
    """
    name = f"{deconv_prefix}{out_layer}{deconv_postfix}"
    given = _before_batch_norm(lr_mult) if use_bn else learned(lr_mult)
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
                net[bn_name], in_place=True, param=[rates(lr_mult)], filler=constant(0)
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


def start(net: NetSpec, from_layer: str) -> Top:
    if from_layer not in net.keys():  # noqa: SIM118
        raise ValueError(
            f"the net has no layer {from_layer!r} to begin from{nearest(from_layer, net.keys())}"
        )
    return net[from_layer]
