"""Rules about layers, their weights and how they are connected."""

from __future__ import annotations

from collections import Counter
from math import ceil, prod

from caffe_compat.inspect.lint import NOTE, Found, rule
from caffe_compat.inspect.lint.questions import has_bias, is_accuracy, is_loss, mults, weight_message
from caffe_compat.inspect.lint.subject import Subject
from caffe_compat.layers.base import Shape
from caffe_compat.net.sharing import rereads, written_kept_blobs
from caffe_compat.proto import FillerParameter, LayerParameter, LRNParameter, PoolingParameter

_SQUASHED_TWICE = {
    "SoftmaxWithLoss": "Softmax",
    "InfogainLoss": "Softmax",
    "SigmoidCrossEntropyLoss": "Sigmoid",
}
_WRONG_IN_PLACE = ("Clip", "Log", "BNLL", "LRN")


@rule("unused-top")
def unused_top(subject: Subject) -> Found:
    """A blob that no layer reads: every one of its values is logged at every display and test."""
    for view in subject.views:
        if not any(map(is_loss, view.layers)):
            continue
        for blob, i in view.unread.items():
            layer, shape = view.layers[i], view.shape(blob)
            if is_loss(layer) or is_accuracy(layer) or shape is None or prod(shape) < 2:
                continue
            yield (
                layer,
                (
                    f"no layer reads top '{blob}' in {view.name}: its {prod(shape)} values are outputs of the net; read it, or add a "
                    "Silence layer"
                ),
            )


@rule("no-loss")
def no_loss(subject: Subject) -> Found:
    """There is nothing to train towards."""
    for view in subject.train if subject.solver is not None else ():
        if view.layers and not any(is_loss(layer) or any(layer.loss_weight) for layer in view.layers):
            yield subject.path, "the training net has no loss; add a loss layer, or a loss_weight to some top"


@rule("loss-without-weight")
def loss_without_weight(subject: Subject) -> Found:
    """A loss whose loss_weight is 0 is only shown."""
    for view in subject.train:
        for layer in view.layers:
            if is_loss(layer) and layer.loss_weight and not any(layer.loss_weight):
                yield (
                    layer,
                    "loss_weight is 0, so this loss trains nothing; remove the field for a weight of 1",
                )


@rule("balanced-elsewhere")
def balanced_elsewhere(subject: Subject) -> Found:
    """HED's Caffe weighs edges against the rest in SigmoidCrossEntropyLoss itself, and its files do not say so."""
    for view in subject.train:
        maps = {top for layer in view.layers if layer.type == "ImageLabelmapData" for top in layer.top[1:]}
        for layer in view.layers:
            if layer.type == "SigmoidCrossEntropyLoss" and maps & set(layer.bottom[1:]):
                yield (
                    layer,
                    (
                        f"the label '{layer.bottom[1]}' is ImageLabelmapData's, and HED's Caffe, which has that layer, balances "
                        "the classes in this loss; for its numbers call the type SigmoidCrossEntropyBalanceLoss"
                    ),
                )


@rule("never-trained")
def never_trained(subject: Subject) -> Found:
    """A layer has parameters to learn, and no loss depends on it."""
    for view in subject.train:
        net = view.outline.net if view.outline else None
        if net is None or not any(any(weights) for weights in net.loss_weights):
            continue
        for i, layer in enumerate(net.layers):
            learned = [
                k for k in range(len(layer.blobs)) if k not in layer.fixed_blobs and mults(layer.param, k)[0]
            ]
            if learned and not net.layer_need_backward[i]:
                count = sum(layer.blobs[k].numel() for k in learned)
                yield (
                    layer.param,
                    f"no loss depends on it, so its {count} parameters never change; connect it to a loss, or set lr_mult: 0",
                )


@rule("zero-weights")
def zero_weights(subject: Subject) -> Found:
    """Weights without a filler start at 0, and most then stay equal."""
    if subject.solver is None or subject.solver.weights:
        return
    for view in subject.train:
        for layer in view.layers:
            message = weight_message(layer)
            named = layer.param[0].name if layer.param else ""
            if message is None or named or not mults(layer, 0)[0]:
                continue
            if not message.HasField("weight_filler"):
                yield (
                    layer,
                    (
                        "there is no weight_filler, so the weights start at 0; give one, such as weight_filler { type: "
                        '"msra" }, unless they come from --weights'
                    ),
                )


@rule("fan-in", NOTE)
def fan_in(subject: Subject) -> Found:
    """xavier and msra count a fan-in that is another layer's: Caffe divides by count / shape[0] whatever the layer."""
    for view in subject.train:
        for layer in view.layers:
            message = weight_message(layer)
            turned = layer.type in ("Deconvolution", "Embed") or (
                layer.type == "InnerProduct" and layer.inner_product_param.transpose
            )
            if message is None or not turned:
                continue
            filler = message.weight_filler
            if filler.type in ("xavier", "msra") and filler.variance_norm == FillerParameter.FAN_IN:
                yield (
                    layer,
                    (
                        f"filler {filler.type} takes the outputs for the inputs here, as shape[0] counts the inputs; set "
                        "variance_norm: FAN_OUT"
                    ),
                )


@rule("activation-twice")
def activation_twice(subject: Subject) -> Found:
    """A loss that contains its activation reads what has passed through one already."""
    for view in subject.views:
        for i, layer in enumerate(view.layers):
            maker = view.maker(i)
            if maker is not None and _SQUASHED_TWICE.get(layer.type) == maker.type:
                yield (
                    layer,
                    (
                        f"contains a {maker.type} and reads layer '{maker.name}', which is one: gradients are tiny; read what that "
                        "layer reads"
                    ),
                )


@rule("duplicate-name")
def duplicate_name(subject: Subject) -> Found:
    """Two layers of one name in one phase, with weights: these are loaded and shared by name, for the first."""
    for view in subject.views:
        counts = Counter(layer.name for layer in view.layers)
        built = view.outline.net.layers if view.outline else []
        weighted = {layer.name for layer in built if layer.blobs}
        for layer in view.layers:
            if counts[layer.name] > 1 and layer.name in weighted:
                yield (
                    layer,
                    (
                        f"{counts[layer.name]} layers of this name in {view.name}: weights are found by name, for the "
                        "first only; give each its own"
                    ),
                )


@rule("frozen-bias")
def frozen_bias(subject: Subject) -> Found:
    """One `param` with lr_mult: 0 freezes the weights alone; the bias goes on learning."""
    for view in subject.train:
        for layer in view.layers:
            if has_bias(layer) and len(layer.param) == 1 and mults(layer, 0)[0] == 0:
                yield (
                    layer,
                    "lr_mult 0 holds for the weights only, the bias is still trained; add a second param { lr_mult: 0 }",
                )


@rule("bias-rate", NOTE)
def bias_rate(subject: Subject) -> Found:
    """A bias learns and decays as the weights do; Caffe's own nets give it lr_mult 2 and decay_mult 0."""
    decay = subject.solver is None or subject.solver.weight_decay > 0
    for view in subject.train:
        for layer in view.layers:
            weight_rate, (rate, decay_mult) = mults(layer, 0)[0], mults(layer, 1)
            if not has_bias(layer) or not weight_rate or not rate:
                continue
            plain = [f"lr_mult {rate:g}"] if rate != 2 * weight_rate else []
            plain += [f"decay_mult {decay_mult:g}"] if decay and decay_mult else []
            if plain:
                yield (
                    layer,
                    (
                        f"the bias has {' and '.join(plain)}; Caffe's own nets give biases twice the weights' lr_mult, and "
                        "decay_mult 0, in a second `param`"
                    ),
                )


@rule("in-place-gradient", NOTE)
def in_place_gradient(subject: Subject) -> Found:
    """Layers whose gradient a real Caffe computes from the wrong values when they work in place."""
    for view in subject.train:
        for layer in view.layers:
            power = layer.type == "Power" and layer.power_param.power not in (0, 1)
            if (power or layer.type in _WRONG_IN_PLACE) and layer.bottom[:1] == layer.top[:1] != []:
                yield (
                    layer,
                    "works in place, where a real Caffe gets its gradient wrong; give the top another name",
                )


@rule("lrn-k")
def lrn_k(subject: Subject) -> Found:
    """LRN within channels has no k."""
    for view in subject.views:
        for layer in view.of("LRN"):
            p = layer.lrn_param
            if p.norm_region == LRNParameter.WITHIN_CHANNEL and p.k != 1:
                yield (
                    layer,
                    f"k {p.k:g} does nothing with norm_region WITHIN_CHANNEL, which uses 1; remove it",
                )


@rule("window-outside")
def window_outside(subject: Subject) -> Found:
    """A pooling window that lies beyond the picture: its maximum is -3.4e38."""
    for view in subject.views:
        for layer in view.of("Pooling"):
            shape = view.shape(layer.bottom[0]) if layer.bottom else None
            for size, kernel, stride in _windows(layer, shape):
                last = ceil((size - kernel) / stride) * stride
                if last >= size:
                    yield (
                        layer,
                        (
                            f"the last window starts at {last}, beyond the {size} values of the bottom: MAX gives -3.4e38 there and "
                            "AVE 0; use round_mode: FLOOR or a stride up to the kernel"
                        ),
                    )


def _windows(layer: LayerParameter, shape: Shape | None) -> list[tuple[int, int, int]]:
    """(size, kernel, stride) of each axis of a pooling that rounds up and does not pad."""
    p = layer.pooling_param
    if shape is None or len(shape) != 4 or p.global_pooling or p.round_mode != PoolingParameter.CEIL:
        return []
    if p.pad or p.pad_h or p.pad_w:
        return []
    kernels = (p.kernel_h or p.kernel_size, p.kernel_w or p.kernel_size)
    strides = (p.stride_h or p.stride, p.stride_w or p.stride)
    return list(zip(shape[2:], kernels, strides, strict=True))


@rule("shared-memory")
def shared_memory(subject: Subject) -> Found:
    """A layer in place on memory that has another name, too (Flatten, Reshape, Split ...): later readers of that see it."""
    for view in subject.views:
        if view.outline is None:
            continue
        net = view.outline.net
        split = {
            top: bottoms[0]
            for layer, bottoms, tops in zip(net.layers, net.bottom_names, net.top_names, strict=True)
            if layer.is_alias
            for top in tops
        }
        for found in rereads(net.wiring, net.outputs):
            blob, written = split.get(found.blob, found.blob), split.get(found.written, found.written)
            reader = net.layers[found.reader] if found.reader is not None else None
            who = f"layer '{reader.name}' ({reader.type}) reads" if reader else "the net's output shows"
            yield (
                net.layers[found.writer].param,
                (
                    f"works in place on '{written}', whose memory is also that of '{blob}': {who} '{blob}' afterwards, and gets "
                    "the new values; give this layer's top a name of its own, unless that is meant"
                ),
            )
        for blob, (origin, _, written) in written_kept_blobs(net.wiring).items():
            yield (
                origin.param,
                (
                    f"its next forward reads top '{blob}' again, which a layer in place on '{split.get(written, written)}' has "
                    "changed by then; give that layer's top a name of its own, unless that is meant"
                ),
            )
