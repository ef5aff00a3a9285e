"""A net as a torch.nn.Module, for loops, optimizers and tools that know nothing of Caffe.

Inside a Net a layer's phase is fixed at birth. A module's layers follow train() and eval(): each has the attributes
of two layers, one made in TRAIN and one in TEST, and shows those of the mode it is in. The learned blobs are the
net's own tensors, so `net.save` writes what a loop has trained.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.dummy_data import DummyData
from caffe_compat.layers.python import Python
from caffe_compat.net.fuse import fuse
from caffe_compat.net.lower import cut_by_file, lower
from caffe_compat.net.module_layers import filtered, layers_of
from caffe_compat.net.net import Net
from caffe_compat.net.program import Program
from caffe_compat.net.wiring import Wiring
from caffe_compat.proto import TEST, TRAIN, LayerParameter

_NAMES = {TRAIN: "TRAIN", TEST: "TEST"}
_FULL = (torch.float32, torch.float64)  # the types of Caffe's blobs


class Module(nn.Module):
    """A net as a function of its data layers' tops, in the file's order or by name: (loss, {output name: tensor}).

    Constant tops of DummyData that stand last may be left out. The loss is 0-dim: the sum of the loss tops by their weights. Inputs of any number type become that of the blobs, as
    numbers put into a Caffe blob do. Batches may have any size, and pictures too where the layers allow it.

    train() and eval() give the net's behaviour in TRAIN and in TEST, whichever it was built for; it begins as it was
    built. A layer can be told apart from the rest (`module.bn1.eval()`). Parameters and buffers are named
    `<layer>.blobs.<index>`; blobs that no gradient reaches, such as BatchNorm's statistics, are buffers. All are shared
    with the net. A copy (deepcopy, pickle) has its own: `net.module().load_state_dict(copy.state_dict())`
    brings them back, and `net.save("x.caffemodel")` writes them.

    Raises:
        NetError: the mode asked for has other layers in the file; an input on another device.
        LayerError: inputs whose shapes do not fit; a label that is no class (seen at once on the CPU only).
        TypeError: inputs that are missing, unknown or no tensors.
    """

    def __init__(self, net: Net, arguments: tuple[str, ...], constants: dict[str, float]):
        super().__init__()
        self.training = net.phase == TRAIN
        self._phase: int = net.phase
        self._difference = _difference(net.wiring)
        self._dtype = net.context.dtype
        self._arguments, self._optional = arguments, len(constants)
        self._constants = {name: (net.blob_shapes[name], value) for name, value in constants.items()}
        context = replace(net.context, replicas=1, rank=0, ranks=None, grouped=True)
        # The same connections, of layers of the module's own.
        view = replace(net.wiring, context=context, layers=layers_of(net.wiring, context))
        plain = lower(view, cut=cut_by_file)
        for name, layer in plain.named_children():
            self.add_module(name, layer)
        self._plain = Program(plain.graph)
        self._dynamic = False
        self._fused: Program | None = None
        self._hooks: list[Any] | None = None
        if any(layer.dynamic for layer in view.layers):
            self._reshape_as_it_goes()
        else:
            fused = fuse(lower(view, cut=cut_by_file))
            self._fused = Program(fused.graph)
            # What it calls beside the layers only looks at them, and is no part of the module to torch.
            self.__dict__.update((n, m) for n, m in fused.named_children() if n not in self._modules)
        names = {id(layer): name for name, layer in self._modules.items()}
        self._wiring = [
            (names.get(id(layer), ""), list(bottoms), list(tops), layer.is_data)
            for layer, bottoms, tops in zip(view.layers, net.bottom_names, net.top_names, strict=True)
        ]
        self._inputs = [top for _, _, tops, is_data in self._wiring if is_data for top in tops]
        self._records = (net.blob_shapes[self._inputs[0]] or (0,))[0] if self._inputs else 0
        self._labels = [_is_label(view, name) for name in self._inputs]
        self._shapes: list[Shape] | None = None
        self._holder = next((names[id(layer)] for layer in view.layers if layer.blobs), "")
        self._multipliers = {
            f"{names[id(view.layers[blob.layer])]}.blobs.{blob.index}": (blob.lr_mult, blob.decay_mult)
            for blob in net.learned
        }

    def extra_repr(self) -> str:
        return f"inputs: {', '.join(self._inputs)}"

    # -- modes --------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Behave as in TRAIN, or as in TEST.

        Raises NetError where the file gives that phase other layers, and LayerError where a layer cannot be in it;
        then nothing has changed.
        """
        phase = TRAIN if mode else TEST
        if phase != self._phase and self._difference:
            raise NetError(self._difference)
        for layer in self._layers():
            layer.modes.prepare(layer, phase)
        super().train(mode)
        return self

    def _layers(self) -> list[Layer]:
        """The layers of the file; what lowering puts between them is the same in both modes."""
        return [
            child for child in self._modules.values() if isinstance(child, Layer) and child.modes is not None
        ]

    def __setattr__(self, name: str, value: Tensor | nn.Module) -> None:
        if name in self.__dict__.get("_modules", ()) and value is not self._modules[name]:
            self._fused = None  # it would go on with the old layer
            if not isinstance(value, Layer):
                self._reshape_as_it_goes()  # no other module says shapes in advance
        super().__setattr__(name, value)

    def _reshape_as_it_goes(self) -> None:
        """From now on let each layer know its bottoms' shapes when they come."""
        if not self._dynamic:
            self._dynamic = True
            for layer in self._layers():
                if not isinstance(layer, Python):  # reshapes in every pass itself
                    layer.register_forward_pre_hook(_reshape_first)

    # -- running ------------------------------------------------------------------------------

    def _run(self, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = self._taken(batch)
        if not self._dynamic:
            shapes = [tuple(value.shape) for value in inputs]
            # A size that torch.export leaves open must not be compared.
            is_open = any(type(size) is not int for shape in shapes for size in shape)
            if is_open or shapes != self._shapes:
                self._reshape(shapes)
                self._shapes = None if is_open else shapes
        if self._fused is None or torch.compiler.is_compiling() or self._is_observed():
            return self._plain(self, *inputs)  # type: ignore[no-any-return]
        return self._fused(self, *inputs)  # type: ignore[no-any-return]

    def _is_observed(self) -> bool:
        """Whether hooks want to see layers, which the fused graph does not call one by one."""
        if self._hooks is None:
            kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
            self._hooks = [getattr(layer, kind) for layer in self._modules.values() for kind in kinds]
        return any(self._hooks)

    def _taken(self, batch: tuple[Any, ...]) -> list[Tensor]:
        """The inputs in the type of the blobs; labels stay exact in half precision, too."""
        holder = self._modules[self._holder] if self._holder else None
        blob = holder.blobs[0] if isinstance(holder, Layer) and len(holder.blobs) else None
        taken: list[Tensor] = []
        for name, is_label, value in zip(self._inputs, self._labels, batch, strict=True):
            if value is None and name in self._constants:
                taken.append(self._constant(name, taken, blob))
                continue
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"input '{name}' is of type {type(value).__name__}; give a torch.Tensor (torch.as_tensor makes one)"
                )
            if blob is None:  # a net that has nothing to agree with
                dtype = value.dtype if value.is_floating_point() else self._dtype
            else:
                if blob.device != value.device:
                    raise NetError(
                        f"input '{name}' is on {value.device} and the net on {blob.device}; move one of them"
                    )
                dtype = torch.float32 if is_label and blob.dtype not in _FULL else blob.dtype
            taken.append(value if value.dtype == dtype else value.to(dtype))
        return taken

    def _constant(self, name: str, given: list[Tensor], blob: Tensor | None) -> Tensor:
        """A constant top, of as many records as the first input where both had the same number in the net."""
        (rows, *rest), value = self._constants[name]
        if given and rows == self._records:
            rows = given[0].shape[0]
        dtype, device = (self._dtype, None) if blob is None else (blob.dtype, blob.device)
        return torch.full((rows, *rest), value, dtype=dtype, device=device)

    def _reshape(self, inputs: list[Shape]) -> None:
        """Tell every layer the shapes of its bottoms (Net::Reshape)."""
        self._shapes = None
        given = iter(inputs)
        shapes: dict[str, Shape] = {}
        for name, bottoms, tops, is_data in self._wiring:
            if is_data:
                shapes.update((top, next(given)) for top in tops)
            elif not name:  # a Split
                shapes.update((top, shapes[bottoms[0]]) for top in tops)
            else:
                layer: Any = self._modules[name]
                layer.modes.shapes = bottom = tuple(shapes[b] for b in bottoms)
                shapes.update(zip(tops, layer.reshape(*bottom), strict=True))

    # -- training -----------------------------------------------------------------------------

    def parameter_groups(self, base_lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        """The parameters for a torch optimizer, with `lr` = base_lr lr_mult and `weight_decay` = weight_decay decay_mult.

        Each parameter is in one group, those of lr_mult 0 too; parameters that are not Caffe's count with 1 and 1.
        A group's `lr_mult` and `decay_mult` are at hand for schedules: `group["lr"] = rate * group["lr_mult"]`.

        torch.optim.SGD then makes the steps of Caffe's SGD as long as the rate stays. Caffe's momentum holds the rate:
        V = momentum V + lr gradient, w = w - V, so after a change of the rate old gradients still count with the old
        one; torch's V = momentum V + gradient, w = w - lr V counts all of them with the new one.
        """
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            groups.setdefault(self._multipliers.get(name, (1.0, 1.0)), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": base_lr * lr_mult,
                "weight_decay": weight_decay * decay_mult,
                "lr_mult": lr_mult,
                "decay_mult": decay_mult,
            }
            for (lr_mult, decay_mult), parameters in groups.items()
        ]

    # -- copies -------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        return _bare, (self._arguments, self._optional), self.__getstate__()


def module(net: Net) -> Module:
    """`net` as a module, whose forward names the inputs as its arguments."""
    nodes = lower(net.wiring).graph.nodes
    arguments = tuple(str(node.target) for node in nodes if node.op == "placeholder")
    constants = _trailing_constants(net)
    return _class(arguments, len(constants))(net, arguments, constants)


def _trailing_constants(net: Net) -> dict[str, float]:
    """The last inputs as far as they are DummyData's constants, with their values."""
    found: dict[str, float] = {}
    for layer in reversed([layer for layer in net.layers if layer.is_data]):
        for index, top in reversed(list(enumerate(layer.param.top))):
            if not (isinstance(layer, DummyData) and layer.is_constant(index) and net.blob_shapes[top]):
                return found
            found[top] = layer.fillers[index].value
    return found


@functools.cache
def _class(arguments: tuple[str, ...], optional: int) -> type[Module]:
    """The class of modules with these inputs: torch's tools read their names from the signature of forward."""
    required = len(arguments) - optional
    signature = ", ".join(["self", *arguments[:required], *(f"{name}=None" for name in arguments[required:])])
    space: dict[str, Any] = {}
    body = f"def forward({signature}):\n    return self._run({', '.join(arguments)})"
    exec(body, space)  # noqa: S102 - identifiers only
    space["forward"].__qualname__ = "Module.forward"
    return type("Module", (Module,), {"forward": space["forward"], "__module__": __name__})


def _bare(arguments: tuple[str, ...], optional: int) -> Module:
    cls = _class(arguments, optional)
    return cls.__new__(cls)


def _difference(net: Wiring) -> str:
    """Why the net cannot be in its other phase: a message that says which layers differ, or "" if none does."""
    here = net.phase
    there = TEST if here == TRAIN else TRAIN
    found = []
    for phase, other in ((here, there), (there, here)):
        others = [_said(layer) for layer in filtered(net, other).layer]
        alone = [layer for layer in filtered(net, phase).layer if _said(layer) not in others]
        if alone:
            names = ", ".join(f"'{layer.name}' ({layer.type})" for layer in alone)
            found.append(f"{_NAMES[phase]} alone has {names}")
    if not found:
        return ""
    return (
        f"{net.given.origin or 'the net'}: this module is the net in {_NAMES[here]}, and it has other layers in "
        f"{_NAMES[there]} ({'; '.join(found)}); build that net, other = caffe.Net(file, caffe.{_NAMES[there]}), let it "
        "have this one's blobs, other.share_with(net), and call other.module()"
    )


def _said(layer: LayerParameter) -> bytes:
    """A layer's parameters but for the rules that say in which phase it is, and where it stands in its file."""
    param = type(layer)()
    param.CopyFrom(layer)
    for name in ("include", "exclude", "origin"):
        param.ClearField(name)
    said: bytes = param.SerializeToString(deterministic=True)
    return said


def _is_label(net: Wiring, name: str) -> bool:
    """Whether an input is only read where Caffe wants no gradient, as the labels of a loss are."""
    names, read = {name}, False
    for layer, bottoms, tops in zip(net.layers, net.bottom_names, net.top_names, strict=True):
        for index in (i for i, bottom in enumerate(bottoms) if bottom in names):
            if layer.is_alias:
                names.update(tops)
            elif layer.allow_force_backward(index):
                return False
            else:
                read = True
    return read


def _reshape_first(layer: Layer, bottoms: tuple[Tensor, ...]) -> None:
    layer.modes.shapes = shapes = tuple(tuple(bottom.shape) for bottom in bottoms)
    layer.reshape(*shapes)
