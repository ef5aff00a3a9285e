"""Net::Init: the layers of a resolved net, made, connected and shaped one after the other.

Nothing is computed here. Building fails before any tensor but the learned blobs is made, so a wrong net costs no memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import Layer, where
from caffe_compat.log.write import Log
from caffe_compat.net.wiring import LearnedBlob, Wiring
from caffe_compat.proto import LayerParameter, ParamSpec

AUTOMATIC = "(automatic)"  # Caffe's name for the top that a loss layer makes for itself


def build(wiring: Wiring, create: Callable[..., Layer], log: Log) -> None:
    """Make the layers of `wiring.param` with `create` and enter them, with Caffe's log lines.

    Raises:
        NetError: the graph is wrong (unknown bottom, a blob with two sources ...).
        LayerError: a layer's parameters or bottoms are wrong.
    """
    builder = _Builder(wiring, create, log)
    for layer_param in wiring.param.layer:
        builder.append(layer_param)
    builder.find_backward()
    wiring.outputs += sorted(builder.unread)
    for output in wiring.outputs:
        log.net_output(output)


class _Builder:
    def __init__(self, wiring: Wiring, create: Callable[..., Layer], log: Log):
        self.wiring = wiring
        self._create, self._log = create, log
        self.unread: dict[str, None] = {}  # blobs that nobody has read so far
        self._needs_gradient: dict[str, bool] = {}
        self._named: dict[str, LearnedBlob] = {}

    def append(self, param: LayerParameter) -> None:
        """Layer::SetUp and what goes before and after it in Net::Init."""
        if not param.HasField("phase"):
            param.phase = self.wiring.phase
        bottom, top = list(param.bottom), list(param.top)
        if param.propagate_down and len(param.propagate_down) != len(bottom):
            raise LayerError(
                f"{where(param)}: {len(param.propagate_down)} propagate_down for {len(bottom)} bottoms; "
                "give none or one a bottom"
            )
        self._log.creating_layer(param.name)
        layer = self._create(param, param.phase, self.wiring.context, self._log)
        layer.log_creation(self._log)
        self._log.created_layer(param.name)
        # Caffe decides who needs a gradient by the specs in the file, before BatchNorm adds its own.
        given_lr_mults = [spec.lr_mult for spec in param.param]
        needs = False
        bottom_needs = []
        for index, name in enumerate(bottom):
            if name not in self.unread:
                layer.fail(f"bottom {index} '{name}' is unknown or already consumed")
            self._log.bottom(param.name, name)
            del self.unread[name]
            needs |= self._needs_gradient[name]
            bottom_needs.append(
                bool(param.propagate_down[index]) if param.propagate_down else self._needs_gradient[name]
            )
        for index, name in enumerate(top):
            in_place = index < len(bottom) and bottom[index] == name
            if in_place and not layer.in_place:
                layer.fail(
                    f"top '{name}' is in place, which this layer does not allow; give the top another name"
                )
            if not in_place and name in self.wiring.blob_shapes:
                layer.fail(f"top '{name}' is produced by multiple sources; give one of them another name")
            self._add_top(param.name, name, in_place)
            self.unread[name] = None
        if layer.is_loss and not top:
            top.append(AUTOMATIC)
            self._add_top(param.name, AUTOMATIC, False)
        if layer.is_input:
            self.wiring.inputs += top

        self._check_counts(layer, len(bottom), len(top))
        shapes = [self.wiring.blob_shapes[name] for name in bottom]
        if layer.is_loss and not param.loss_weight:
            param.loss_weight.append(1.0)
        weights = self._loss_weights(layer, len(top))
        layer.setup(*shapes)
        layer.log_setup(self._log)
        self._log.setting_up(param.name)
        top_shapes = layer.reshape(*shapes)
        for name, shape, weight in zip(top, top_shapes, weights, strict=True):
            layer.check_shape(shape, f"top '{name}'")
            self.wiring.blob_shapes[name] = shape
            self._log.top_shape(shape)
            if weight:
                self._log.loss_weight(weight)
            self.wiring.memory += 4 * math.prod(shape)
        self._log.memory(self.wiring.memory)

        self.wiring.layers.append(layer)
        self.wiring.layer_names.append(param.name)
        self.wiring.bottom_names.append(bottom)
        self.wiring.top_names.append(top)
        self.wiring.loss_weights.append(weights)
        self.wiring.bottom_need_backward.append(bottom_needs)
        if len(given_lr_mults) > len(layer.blobs):
            layer.fail(
                f"{len(given_lr_mults)} `param` blocks for {len(layer.blobs)} blobs; remove the surplus"
            )
        unsaid = [1.0] * (len(layer.blobs) - len(given_lr_mults))
        self.wiring.blob_need_backward.append([bool(lr_mult) for lr_mult in given_lr_mults + unsaid])
        needs |= any(self.wiring.blob_need_backward[-1])
        self._enter_blobs(layer)
        self.wiring.layer_need_backward.append(needs)
        for name in top:
            self._needs_gradient[name] |= needs

    def _add_top(self, layer_name: str, name: str, in_place: bool) -> None:
        self._log.top(layer_name, name, in_place)
        if not in_place:
            self.wiring.blob_names.append(name)
            self.wiring.blob_shapes[name] = ()
            self._needs_gradient[name] = False

    def _check_counts(self, layer: Layer, bottoms: int, tops: int) -> None:
        for kind, count, rule in (("bottom", bottoms, layer.num_bottom), ("top", tops, layer.num_top)):
            if rule is None:
                continue
            least, most = (rule, rule) if isinstance(rule, int) else rule
            if count < least or (most is not None and count > most):
                wanted = (
                    f"{least}"
                    if most == least
                    else f"{least} or more"
                    if most is None
                    else f"{least} to {most}"
                )
                layer.fail(f"takes {wanted} {kind} blob(s) and has {count}; add or remove `{kind}:` lines")
        if layer.equal_num_bottom_top and bottoms != tops:
            layer.fail(f"needs as many tops as bottoms and has {bottoms} bottom(s) and {tops} top(s)")

    def _loss_weights(self, layer: Layer, tops: int) -> list[float]:
        given = list(layer.param.loss_weight)
        if given and len(given) != tops:
            layer.fail(f"{len(given)} loss_weight for {tops} top(s); give none or one a top")
        return given or [0.0] * tops

    def _enter_blobs(self, layer: Layer) -> None:
        """Enter the layer's blobs as learned, or alias them to the owner of their name."""
        specs, number = layer.param.param, len(self.wiring.layers) - 1
        for index, blob in enumerate(layer.owned_blobs()):
            spec = specs[index] if index < len(specs) else ParamSpec()
            owner = self._named.get(spec.name) if spec.name else None
            if owner is None:
                blob.requires_grad_(spec.lr_mult != 0 and index not in layer.fixed_blobs)
                learned = LearnedBlob(
                    blob, number, index, spec.name or str(index), spec.lr_mult, spec.decay_mult,
                    spec.HasField("lr_mult"), spec.HasField("decay_mult"),
                )  # fmt: skip
                self.wiring.learned.append(learned)
                if spec.name:
                    self._named[spec.name] = learned
            else:
                self._share(layer, index, spec, owner)

    def _share(self, layer: Layer, index: int, spec: ParamSpec, owner: LearnedBlob) -> None:
        owner_layer = self.wiring.layer_names[owner.layer]
        self._log.sharing_parameters(spec.name, owner_layer, owner.index)
        mine, theirs = tuple(layer.blobs[index].shape), tuple(owner.tensor.shape)
        permissive = spec.share_mode == ParamSpec.PERMISSIVE
        if math.prod(mine) != math.prod(theirs) if permissive else mine != theirs:
            layer.fail(
                f"cannot share param '{spec.name}' owned by layer '{owner_layer}': "
                f"{'count' if permissive else 'shape'} mismatch, owner {theirs}, here {mine}; "
                "make them equal or give this param another name"
            )
        for field in ("lr_mult", "decay_mult"):
            if not spec.HasField(field):
                continue
            value = getattr(spec, field)
            if not getattr(owner, f"has_{field}"):
                setattr(owner, field, value)
                setattr(owner, f"has_{field}", True)
            elif getattr(owner, field) != value:
                layer.fail(
                    f"shared param '{spec.name}' has {field} {value} here and {getattr(owner, field)} in layer "
                    f"'{owner_layer}'; give it once or the same"
                )
        if spec.lr_mult != 0:
            owner.tensor.requires_grad_(True)
        layer.share_blob(index, owner.tensor)

    def find_backward(self) -> None:
        """Net::Init's walk from the end: what contributes to a loss, and where gradients may stop."""
        under_loss: set[str] = set()
        skip: set[str] = set()
        for i in reversed(range(len(self.wiring.layers))):
            tops, bottoms = self.wiring.top_names[i], self.wiring.bottom_names[i]
            contributes = any(
                weight or name in under_loss
                for name, weight in zip(tops, self.wiring.loss_weights[i], strict=True)
            )
            if self.wiring.layer_need_backward[i] and all(name in skip for name in tops):
                self.wiring.layer_need_backward[i] = False
                self.wiring.bottom_need_backward[i] = [False] * len(bottoms)
            self.wiring.layer_need_backward[i] &= contributes
            self._log.need_backward(self.wiring.layer_names[i], self.wiring.layer_need_backward[i])
            if contributes:
                under_loss.update(bottoms)
            else:
                self.wiring.bottom_need_backward[i] = [False] * len(bottoms)
            skip.update(
                b for b, need in zip(bottoms, self.wiring.bottom_need_backward[i], strict=True) if not need
            )
        if self.wiring.param.force_backward:
            for i, layer in enumerate(self.wiring.layers):
                self.wiring.layer_need_backward[i] = True
                self.wiring.bottom_need_backward[i] = [
                    need or layer.allow_force_backward(j)
                    for j, need in enumerate(self.wiring.bottom_need_backward[i])
                ]
                self.wiring.blob_need_backward[i] = [True] * len(layer.blobs)
                for index, blob in enumerate(layer.owned_blobs()):
                    blob.requires_grad_(index not in layer.fixed_blobs)
        for layer, needs in zip(self.wiring.layers, self.wiring.blob_need_backward, strict=True):
            for index, (blob, need) in enumerate(zip(layer.owned_blobs(), needs, strict=True)):
                if blob.requires_grad and not need:  # a layer that shares it has another lr_mult
                    layer.hold_still(index)
