"""What SSD and RefineDet predict boxes and classes with, out of several layers of a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from caffe_compat.proto.net_spec import NetSpec, Top
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.pycaffe.ssd_nets.blocks import ConvBNLayer, Pair, constant, start
from caffe_compat.pycaffe.ssd_nets.resnet import ResBody

T = TypeVar("T")


def _list(value: T | list[T]) -> list[T]:
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
                self.net[name], scale_filler=constant(scale), across_spatial=False, channel_shared=False
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
    net: NetSpec,
    data_layer: str,
    clip: bool,
    variance: Sequence[float],
    offset: float,
    height: int,
    width: int,
) -> Callable[[str, dict[str, Any]], Top]:
    """What makes the layer <source>_mbox_priorbox."""
    start(net, data_layer)
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
    min_sizes: Sequence[float | list[float]] = (),
    max_sizes: Sequence[float | list[float]] = (),
    prior_variance: Sequence[float] = (0.1,),
    aspect_ratios: Sequence[float | list[float]] = (),
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
    min_sizes: Sequence[float | list[float]] = (),
    max_sizes: Sequence[float | list[float]] = (),
    prior_variance: Sequence[float] = (0.1,),
    aspect_ratios: Sequence[float | list[float]] = (),
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
