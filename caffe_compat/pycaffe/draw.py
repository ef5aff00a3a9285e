"""Pictures of nets: pycaffe's caffe.draw.

inspect.graph makes the pictures.

Source: python/caffe/draw.py.
"""

from __future__ import annotations

from caffe_compat.errors import nearest
from caffe_compat.inspect.graph import Graph
from caffe_compat.proto import LayerParameter, NetParameter, PoolingParameter
from caffe_compat.proto.upgrade import upgrade_net

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_LAYER_COLORS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the pooling methods, those of Caffe's forks too, by their numbers."""
    return {
        value.number: value.name
        for value in PoolingParameter.DESCRIPTOR.enum_types_by_name["PoolMethod"].values
    }


def get_edge_label(layer: LayerParameter) -> str:
    """What stands on the edge from a layer to its top: the batch size or the number of outputs, or nothing."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return ""


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """The lr_mult of the weights and of the bias of a Convolution, Deconvolution or InnerProduct.

    Raises ValueError for another layer, or more than two `param`.
    """
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    given = [spec.lr_mult for spec in layer.param]
    if len(given) > 2:
        raise ValueError(
            f"Could not parse the learning rate multiplier: layer '{layer.name}' has {len(given)} params"
        )
    weights, bias = given + [1.0] * (2 - len(given))
    return weights, bias


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """What stands in a layer's box: name, type, and what there is of kernel, stride, pad and rate multipliers.

    Lines where the graph runs across (rankdir LR), one line where it runs up or down (TB, BT).
    """
    separator = " " if rankdir in ("TB", "BT") else "\n"
    kind = layer.type
    if kind == "Pooling":
        kind = f"Pooling {get_pooling_types_dict()[layer.pooling_param.pool]}"
    words = [layer.name, f"({kind})"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        if layer.type == "Pooling":
            pool = layer.pooling_param
            sizes = pool.kernel_size, pool.stride, pool.pad
        else:
            conv = layer.convolution_param
            sizes = [*conv.kernel_size, 1][0], [*conv.stride, 1][0], [*conv.pad, 0][0]
        words += [
            f"{name}: {size}" for name, size in zip(("kernel size", "stride", "pad"), sizes, strict=True)
        ]
    if display_lrm and layer.type in _LEARNING and any(get_layer_lr_mult(layer)):
        words.append("lr mult: {:.1f}, {:.1f}".format(*get_layer_lr_mult(layer)))
    return separator.join(words)


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return _LAYER_COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Graph:
    """The graph of a NetParameter: a box a layer, an octagon a blob.

    Args:
        rankdir: where data flows: "LR" to the right, "RL", "TB" down, "BT".
        label_edges: write get_edge_label on the edges.
        phase: only the layers of this phase (TRAIN or TEST); None for all.
        display_lrm: write the rate multipliers into the boxes.

    Raises ValueError if a layer has both include and exclude rules and a phase is asked for.
    """
    if rankdir not in ("LR", "RL", "TB", "BT"):
        raise ValueError(
            f"rankdir {rankdir!r} is none of LR, RL, TB, BT{nearest(rankdir, ('LR', 'RL', 'TB', 'BT'))}"
        )
    if caffe_net.layers:  # a net in an old form
        old, caffe_net = caffe_net, NetParameter()
        caffe_net.CopyFrom(old)
        upgrade_net(caffe_net, "<net to draw>")
    graph = Graph(caffe_net.name or "Net", rankdir)
    for layer in caffe_net.layer:
        if phase is not None and not _included(layer, phase):
            continue
        key = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        for bottom in layer.bottom:
            graph.nodes.setdefault(f"{bottom}_blob", (bottom, BLOB_STYLE))
            graph.edges.append((f"{bottom}_blob", key, ""))
        graph.nodes[key] = (
            get_layer_label(layer, rankdir, display_lrm),
            NEURON_LAYER_STYLE if in_place else style,
        )
        for top in layer.top:
            graph.nodes.setdefault(f"{top}_blob", (top, BLOB_STYLE))
            graph.edges.append((key, f"{top}_blob", get_edge_label(layer) if label_edges else ""))
    return graph


def _included(layer: LayerParameter, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise ValueError(f"layer {layer.name} has both include and exclude specified.")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def draw_net(
    caffe_net: NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """The picture of a NetParameter as the bytes of a file of format `ext`; see get_pydot_graph."""
    return get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).create(format=ext)


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draw a NetParameter into a file, in the format that its name ends with; `.raw` is Graphviz's language."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    graph.write(filename, filename[filename.rfind(".") + 1 :])
