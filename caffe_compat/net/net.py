"""Net: the layers of one phase, connected and shaped as Caffe's Net::Init does it.

Nothing is computed here. Building fails before any tensor but the learned blobs is made, so a
wrong net costs no memory; `lower` turns the layer list into the graph that runs.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from caffe_compat.errors import LayerError, NetError
from caffe_compat.layers.base import Context, Layer, Shape, where
from caffe_compat.layers.registry import create_layer
from caffe_compat.log.write import INFO, NULL
from caffe_compat.net.capture import Captured
from caffe_compat.net.execution import Execution
from caffe_compat.net.fuse import fuse
from caffe_compat.net.layerwise import Layerwise
from caffe_compat.net.lower import Lowered, Reshaping, lower, mixing_layer
from caffe_compat.net.random_state import Streams, get_state, set_state
from caffe_compat.net.resolve import filter_net, insert_splits
from caffe_compat.proto import TRAIN, ParamSpec
from caffe_compat.proto.text import to_text

AUTOMATIC = "(automatic)"  # Caffe's name for the top that a loss layer makes for itself


@dataclass
class LearnedBlob:
    """One blob the solver may update: an owner, never a sharer."""

    tensor: nn.Parameter
    layer: int
    index: int
    name: str
    lr_mult: float
    decay_mult: float
    has_lr_mult: bool
    has_decay_mult: bool


class Net:
    """The layers of one NetState, in file order, with Split layers inserted.

    Args:
        param: an upgraded NetParameter whose `state` says phase, level and stages. It is not changed.
        context: random generator, root folder, replica and dtype for the layers.
        log: where Caffe's structure lines go.
        device: where blobs live and batches arrive.
        create: makes the layers; as layers.registry.create_layer.

    Raises:
        NetError: the graph is wrong (unknown bottom, a blob with two sources ...).
        LayerError: a layer's parameters or bottoms are wrong.

    Attributes:
        given: `param` as it came, with the layers of every phase.
        param: the resolved NetParameter, as a caffemodel holds it, without blobs.
        layers, layer_names, bottom_names, top_names: per layer, in order.
        blob_names, blob_shapes: every blob in the order it appears, and its shape.
        learned: the blobs the solver updates, in Caffe's learnable_params order.
        inputs, outputs: names of Input tops, and of blobs nobody reads (alphabetical).
        loss_weights: per layer, one weight a top.
        mixing_layer: the layer because of which replicas in one process run one after the other, or None.
        memory: bytes that Caffe reports as "Memory required for data".
    """

    def __init__(
        self,
        param: Any,
        *,
        context: Context | None = None,
        log: Any = NULL,
        device: Any = "cpu",
        create: Callable[..., Layer] = create_layer,
    ):
        self.context = context or Context()
        self.log = log
        self.device = torch.device(device)
        self.phase: int = param.state.phase
        self.given = param
        filtered = filter_net(param, param.state, log, self.context.ignore_unknown)
        if log.level <= INFO:
            log.initializing_net(to_text(filtered))
        self.param = insert_splits(filtered, param)
        self.name: str = self.param.name
        self.debug_info: bool = self.param.debug_info

        self.layers: list[Layer] = []
        self.layer_names: list[str] = []
        self.bottom_names: list[list[str]] = []
        self.top_names: list[list[str]] = []
        self.blob_names: list[str] = []
        self.blob_shapes: dict[str, Shape] = {}
        self.loss_weights: list[list[float]] = []
        self.inputs: list[str] = []
        self.learned: list[LearnedBlob] = []
        self.layer_need_backward: list[bool] = []
        self.bottom_need_backward: list[list[bool]] = []
        self.blob_need_backward: list[
            list[bool]
        ] = []  # of each layer's blobs, BatchNorm's statistics too, as in Caffe
        self.memory = 0
        self._available: dict[str, None] = {}
        self._needs_gradient: dict[str, bool] = {}
        self._named: dict[str, LearnedBlob] = {}
        for layer_param in self.param.layer:
            self._append(layer_param, create)
        self._find_backward()
        self.outputs: list[str] = sorted(self._available)
        for output in self.outputs:
            log.net_output(output)
        self.output_weights: dict[str, float] = {
            top: weight
            for tops, weights in zip(self.top_names, self.loss_weights, strict=True)
            for top, weight in zip(tops, weights, strict=True)
        }
        self.execution = Execution()
        self.observed = False  # run layer by layer, so that every blob can be read
        self._batch_shapes: list[Shape] = []
        self._convolves = any(layer.type == "Convolution" for layer in self.layers)
        self._graph: Lowered | None = None
        self._turns: list[list[Tensor]] = []  # the layers' buffers of each replica that runs in turn
        self._layerwise: Layerwise | None = None
        self.mixing_layer = mixing_layer(self) if self.context.replicas > 1 else None
        self.context.grouped = self.mixing_layer is None
        self.to(self.device)
        log.net_initialized()

    # -- building -----------------------------------------------------------------------------

    def _append(self, param: Any, create: Callable[..., Layer]) -> None:
        if not param.HasField("phase"):
            param.phase = self.phase
        bottom, top = list(param.bottom), list(param.top)
        if param.propagate_down and len(param.propagate_down) != len(bottom):
            raise LayerError(
                f"{where(param)}: {len(param.propagate_down)} propagate_down for {len(bottom)} bottoms; "
                "give none or one a bottom"
            )
        self.log.creating_layer(param.name)
        layer = create(param, param.phase, self.context, self.log)
        layer.log_creation(self.log)
        self.log.created_layer(param.name)
        # Caffe decides who needs a gradient by the specs in the file, before BatchNorm adds its own.
        given_lr_mults = [spec.lr_mult for spec in param.param]
        needs = False
        bottom_needs = []
        for index, name in enumerate(bottom):
            if name not in self._available:
                layer.fail(f"bottom {index} '{name}' is unknown or already consumed")
            self.log.bottom(param.name, name)
            del self._available[name]
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
            if not in_place and name in self.blob_shapes:
                layer.fail(f"top '{name}' is produced by multiple sources; give one of them another name")
            self._add_top(param.name, name, in_place)
            self._available[name] = None
        if layer.is_loss and not top:
            top.append(AUTOMATIC)
            self._add_top(param.name, AUTOMATIC, False)
        if param.type == "Input":
            self.inputs += top

        self._check_counts(layer, len(bottom), len(top))
        shapes = [self.blob_shapes[name] for name in bottom]
        if layer.is_loss and not param.loss_weight:
            param.loss_weight.append(1.0)
        weights = self._loss_weights(layer, len(top))
        layer.setup(*shapes)
        layer.log_setup(self.log)
        self.log.setting_up(param.name)
        top_shapes = layer.reshape(*shapes)
        for name, shape, weight in zip(top, top_shapes, weights, strict=True):
            layer.check_shape(shape, f"top '{name}'")
            self.blob_shapes[name] = shape
            self.log.top_shape(shape)
            if weight:
                self.log.loss_weight(weight)
            self.memory += 4 * math.prod(shape)
        self.log.memory(self.memory)

        self.layers.append(layer)
        self.layer_names.append(param.name)
        self.bottom_names.append(bottom)
        self.top_names.append(top)
        self.loss_weights.append(weights)
        self.bottom_need_backward.append(bottom_needs)
        if len(given_lr_mults) > len(layer.blobs):
            layer.fail(
                f"{len(given_lr_mults)} `param` blocks for {len(layer.blobs)} blobs; remove the surplus"
            )
        unsaid = [1.0] * (len(layer.blobs) - len(given_lr_mults))
        self.blob_need_backward.append([bool(lr_mult) for lr_mult in given_lr_mults + unsaid])
        needs |= any(self.blob_need_backward[-1])
        self._append_blobs(layer)
        self.layer_need_backward.append(needs)
        for name in top:
            self._needs_gradient[name] |= needs

    def _add_top(self, layer_name: str, name: str, in_place: bool) -> None:
        self.log.top(layer_name, name, in_place)
        if not in_place:
            self.blob_names.append(name)
            self.blob_shapes[name] = ()
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

    def _append_blobs(self, layer: Layer) -> None:
        """Enter the layer's blobs as learned, or alias them to the owner of their name."""
        specs, number = layer.param.param, len(self.layers) - 1
        for index, blob in enumerate(layer.owned_blobs()):
            spec = specs[index] if index < len(specs) else ParamSpec()
            owner = self._named.get(spec.name) if spec.name else None
            if owner is None:
                blob.requires_grad_(spec.lr_mult != 0 and index not in layer.fixed_blobs)
                learned = LearnedBlob(
                    blob, number, index, spec.name or str(index), spec.lr_mult, spec.decay_mult,
                    spec.HasField("lr_mult"), spec.HasField("decay_mult"),
                )  # fmt: skip
                self.learned.append(learned)
                if spec.name:
                    self._named[spec.name] = learned
            else:
                self._share(layer, index, spec, owner)

    def _share(self, layer: Layer, index: int, spec: Any, owner: LearnedBlob) -> None:
        owner_layer = self.layer_names[owner.layer]
        self.log.sharing_parameters(spec.name, owner_layer, owner.index)
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

    def _find_backward(self) -> None:
        """Net::Init's walk from the end: what contributes to a loss, and where gradients may stop."""
        under_loss: set[str] = set()
        skip: set[str] = set()
        for i in reversed(range(len(self.layers))):
            tops, bottoms = self.top_names[i], self.bottom_names[i]
            contributes = any(
                weight or name in under_loss for name, weight in zip(tops, self.loss_weights[i], strict=True)
            )
            if self.layer_need_backward[i] and all(name in skip for name in tops):
                self.layer_need_backward[i] = False
                self.bottom_need_backward[i] = [False] * len(bottoms)
            self.layer_need_backward[i] &= contributes
            self.log.need_backward(self.layer_names[i], self.layer_need_backward[i])
            if contributes:
                under_loss.update(bottoms)
            else:
                self.bottom_need_backward[i] = [False] * len(bottoms)
            skip.update(b for b, need in zip(bottoms, self.bottom_need_backward[i], strict=True) if not need)
        if self.param.force_backward:
            for i, layer in enumerate(self.layers):
                self.layer_need_backward[i] = True
                self.bottom_need_backward[i] = [
                    need or layer.allow_force_backward(j)
                    for j, need in enumerate(self.bottom_need_backward[i])
                ]
                self.blob_need_backward[i] = [True] * len(layer.blobs)
                for index, blob in enumerate(layer.owned_blobs()):
                    blob.requires_grad_(index not in layer.fixed_blobs)
        for layer, needs in zip(self.layers, self.blob_need_backward, strict=True):
            for index, (blob, need) in enumerate(zip(layer.owned_blobs(), needs, strict=True)):
                if blob.requires_grad and not need:  # a layer that shares it has another lr_mult
                    layer.hold_still(index)

    # -- what a net is asked ------------------------------------------------------------------

    @property
    def params(self) -> dict[str, list[Tensor]]:
        """Blobs by layer name, for layers that have any (the first of two layers of one name)."""
        params: dict[str, list[Tensor]] = {}
        for name, layer in zip(self.layer_names, self.layers, strict=True):
            if len(layer.blobs):
                params.setdefault(name, list(layer.blobs))
        return params

    def data_layers(self) -> Iterator[Layer]:
        """The layers whose `load` makes the graph's inputs, in order."""
        return (layer for layer in self.layers if layer.is_data)

    def to(self, device: Any) -> Net:
        """Move the learned blobs; batches follow them."""
        self.device = torch.device(device)
        for layer in self.layers:
            layer.to(self.device)
        return self

    def layer(self, name: str) -> Layer | None:
        """The first layer of that name, or None."""
        return self.layers[self.layer_names.index(name)] if name in self.layer_names else None

    def share_trained_layers_with(self, other: Net) -> None:
        """Alias this net's blobs to those of `other`, matched by layer name (Net::ShareTrainedLayersWith)."""
        for name, source in zip(other.layer_names, other.layers, strict=True):
            target = self.layer(name)
            if target is None:
                self.log.ignoring_source_layer(name, "share")
                continue
            if len(target.blobs) != len(source.blobs):
                target.fail(
                    f"has {len(target.blobs)} blobs and the layer of that name it shares with has {len(source.blobs)}"
                )
            for index, blob in enumerate(source.owned_blobs()):
                if target.owned_blobs()[index] is blob:
                    continue
                if target.blobs[index].shape != source.blobs[index].shape:
                    target.fail(
                        f"cannot share blob {index}: source shape {tuple(source.blobs[index].shape)}, "
                        f"here {tuple(target.blobs[index].shape)}"
                    )
                target.share_blob(index, blob)

    def clear_param_diffs(self) -> None:
        """Forget the gradients of the learned blobs."""
        for blob in self.learned:
            if self.observed and blob.tensor.grad is not None:
                blob.tensor.grad.zero_()  # somebody may hold a view of it
            else:
                blob.tensor.grad = None

    def reshape(self) -> None:
        """Recompute every blob's shape from the inputs' shapes (Net::Reshape)."""
        for layer, bottom, top in zip(self.layers, self.bottom_names, self.top_names, strict=True):
            if layer.is_data:
                continue
            shapes = layer.reshape(*(self.blob_shapes[name] for name in bottom))
            self.blob_shapes.update(zip(top, shapes, strict=True))

    # -- running ------------------------------------------------------------------------------

    @property
    def graph(self) -> Lowered:
        """The fused graph of this net, made on first use; it takes the blobs from the layers at every run."""
        if self._graph is None:
            self._graph = fuse(lower(self))
        return self._graph

    @property
    def execution(self) -> Execution:
        """How the graph is run; may be set at any time."""
        return self._execution

    @execution.setter
    def execution(self, execution: Execution) -> None:
        self._execution = execution
        self._compiled: Callable[..., Any] | None = None
        self._captured: dict[tuple[object, ...], _CapturedPass] = {}
        self._recordable: bool | None = None

    @property
    def layerwise(self) -> Layerwise:
        """The runner that keeps every blob; made on first use."""
        if self._layerwise is None:
            self._layerwise = Layerwise(self)
        return self._layerwise

    def load(self) -> list[Tensor]:
        """The next batch of every data layer, in the order the graph takes them."""
        return self.laid_out([top for layer in self.data_layers() for top in layer.load(self.device)])

    def laid_out(self, batch: list[Tensor]) -> list[Tensor]:
        """The graph's inputs in the memory layout that is fastest."""
        if not self._channels_last:
            return batch
        return [top.contiguous(memory_format=torch.channels_last) if top.dim() == 4 else top for top in batch]

    @property
    def _channels_last(self) -> bool:
        """Whether pictures go through the graph with the channels innermost in memory; shapes stay as they are.

        CPU convolutions and normalisations are a quarter faster so.
        """
        if self.execution.channels_last != "auto":
            return self.execution.channels_last == "on"
        return self.device.type == "cpu" and self._convolves

    def describe_execution(self) -> str:
        """One line that says how the graph is run."""
        return self.execution.describe(self._channels_last, self._captures and not self._awaited)

    def verify(self) -> None:
        """Raise LayerError for faults in the data that the layers saw since the last call; waits for the device."""
        for layer in self.layers:
            layer.verify()

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """One batch through the net: the total loss (0-dim) and the output blobs by name.

        With virtual replicas both are replica 0's, as in Caffe's log.
        """
        if self._by_layer:
            loss = self.layerwise.forward()
            return loss, {name: self.layerwise.data(name) for name in self.outputs}
        _, outputs, shown = self._run()
        return shown, outputs

    def forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """`forward`, then add the loss's gradients to the blobs' `.grad`; all returned values are detached.

        With virtual replicas the gradients are the mean of the replicas'.
        """
        if self._by_layer:
            return self.layerwise.forward_backward()
        _, outputs, shown = self._run(backward=True)
        if self.observed:
            self.layerwise.store(outputs)
        return shown.detach(), {name: value.detach() for name, value in outputs.items()}

    @property
    def _by_layer(self) -> bool:
        return (self.observed or self.debug_info or self._dynamic) and len(self.context.held) == 1

    @property
    def _dynamic(self) -> bool:
        return any(layer.dynamic for layer in self.layers)

    def _run(self, backward: bool = False) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """(loss to train on, outputs, loss to show); with `backward` the gradients are added too."""
        execution = self.execution
        with (
            torch.set_grad_enabled(self.phase == TRAIN and torch.is_grad_enabled()),
            execution.products(self.device),
        ):
            batch = self.load()
            self._follow_shapes(batch)
            if backward:
                self._clear_overwritten()
            if self._captures and batch:
                return self._run_captured(batch, backward)
            return self._pass(batch, backward)

    def _pass(self, batch: list[Tensor], backward: bool) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        if self.in_turn:
            return self._run_in_turn(batch, backward)
        if self._compiled is None:
            self._compiled = self.execution.compiled(self.graph)
            if self.execution.compiles and self.execution.optional:
                return self._try_compiled(batch, backward)
        return self._run_graph(self._compiled, batch, backward)

    @property
    def _captures(self) -> bool:
        """Whether passes may be recorded as CUDA graphs."""
        if self._recordable is None:
            self._recordable = (
                self.execution.captures
                and self.device.type == "cuda"
                and not self._dynamic
                and not (self.in_turn and self._is_random)  # a graph cannot exchange their random numbers
                and not any(layer.on_host for layer in self.layers)
            )
        return self._recordable

    @property
    def _awaited(self) -> bool:
        """Whether somebody is told of every gradient, as other ranks are; a graph tells nobody."""
        return any(blob.tensor._post_accumulate_grad_hooks for blob in self.learned)

    @functools.cached_property
    def _memory(self) -> list[nn.Module]:
        """The modules that hold blobs or buffers."""
        modules = (module for layer in self.layers for module in layer.modules())
        return [module for module in modules if module._parameters or module._buffers]

    def _run_captured(self, batch: list[Tensor], backward: bool) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """A pass as a CUDA graph, which holds for these shapes and while all blobs and buffers are where they are."""
        kind = (backward, torch.is_grad_enabled())
        fixed = [
            tensor.data_ptr()
            for module in self._memory
            for held in (module._parameters, module._buffers)  # parameters() takes ten times as long
            for tensor in held.values()
            if tensor is not None
        ]
        key = (*kind, *((top.shape, top.stride(), top.dtype) for top in batch), *fixed)
        if key not in self._captured:
            self._captured = {old: kept for old, kept in self._captured.items() if old[:2] != kind}
            self._captured[key] = _CapturedPass(self, backward)
        captured = self._captured[key]
        return captured.run(batch) if captured.recorded or not self._awaited else self._pass(batch, backward)

    def _clear_overwritten(self) -> None:
        """Forget the gradients that this backward overwrites (Layer.overwritten_diffs); it adds to all others."""
        for layer in self.layers:
            for index in layer.overwritten_diffs():
                layer.owned_blobs()[index].grad = None

    def _run_graph(
        self, graph: Callable[..., Any], batch: list[Tensor], backward: bool
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        with self.execution.casts(self.device):
            loss, outputs, *first = graph(*batch)
        if backward and loss.requires_grad:
            loss.backward()
        return loss, outputs, first[0] if first else loss

    def _try_compiled(self, batch: list[Tensor], backward: bool) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The first compiled pass; if it fails nothing of it remains, and the net runs as it is from now on."""
        assert self._compiled is not None
        changing = [*self._fixed_blobs(), *(buffer for layer in self.layers for buffer in layer.buffers())]
        kept = [(value, value.detach().clone()) for value in changing]
        random = get_state(self.device)
        began = time.perf_counter()
        self.log.info("compiling the net, which takes a few minutes; --compile off goes without")
        try:
            result = self._run_graph(self._compiled, batch, backward)
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything; what is the net's own comes again below
            why = next(iter(str(error).strip().splitlines()), type(error).__name__)
            self.log.warning(f"the net cannot be compiled and runs as it is: {why}")
            self.execution = replace(self.execution, compile="off")
            self._compiled = self.graph
            with torch.no_grad():
                for value, before in kept:
                    value.copy_(before)
            set_state(random, self.device)
            return self._run_graph(self._compiled, batch, backward)
        self.log.info(f"compiled in {time.perf_counter() - began:.0f} s")
        return result

    @property
    def compilable(self) -> bool:
        """Whether the net runs as one graph whose shapes do not change from batch to batch."""
        return not self._by_layer and not self._dynamic and not self.in_turn

    def _follow_shapes(self, batch: list[Tensor]) -> None:
        """Reshape the net if its data came in other shapes than last time, as Caffe does at every forward."""
        shapes = [tuple(top.shape) for top in batch]
        if shapes == self._batch_shapes:
            return
        replicas = len(self.context.held)
        layers = zip(self.layers, self.top_names, strict=True)
        names = [top for layer, tops in layers if layer.is_data for top in tops]
        one = [(shape[0] // replicas, *shape[1:]) if replicas > 1 else shape for shape in shapes]
        if any(self.blob_shapes[name] != shape for name, shape in zip(names, one, strict=True)):
            self.blob_shapes.update(zip(names, one, strict=True))
            self.reshape()
        self._batch_shapes = shapes

    @functools.cached_property
    def streams(self) -> Streams:
        """The random numbers of the replicas that run in turn here."""
        return Streams(self.device, self.context.held)

    @functools.cached_property
    def _is_random(self) -> bool:
        return any(layer.is_random for layer in self.layers)

    @property
    def in_turn(self) -> bool:
        """Whether this process runs several replicas, one after the other."""
        return self.mixing_layer is not None and len(self.context.held) > 1

    def _run_in_turn(self, batch: list[Tensor], backward: bool) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The virtual replicas one after the other, for nets whose layers mix records."""
        replicas = len(self.context.held)
        run = Reshaping(self.graph).run if self._dynamic else self.graph
        losses, results = [], []
        buffers = [buffer for layer in self.layers for buffer in layer.buffers()]
        self._turns = self._turns or [[buffer.clone() for buffer in buffers] for _ in range(replicas)]
        # What a layer carries on to its next forward is each replica's.
        for replica, own in enumerate(self._turns):
            for buffer, value in zip(buffers, own, strict=True):
                buffer.copy_(value)
            with self.streams.of(self.context.held[replica]) if self._is_random else nullcontext():
                with self.execution.casts(self.device):
                    loss, outputs = run(*self.laid_out([top[replica::replicas] for top in batch]))
                if backward and loss.requires_grad:
                    (loss / replicas).backward()
            losses.append(loss.detach())
            results.append(outputs)
            for buffer, value in zip(buffers, own, strict=True):
                value.copy_(buffer)
            if replica == 0:  # BatchNorm's sums and the like are kept as replica 0 leaves them
                kept = [(blob, blob.detach().clone()) for blob in self._fixed_blobs()]
        with torch.no_grad():
            for blob, value in kept:
                blob.copy_(value)
        return torch.stack(losses).mean(), results[0], losses[0]

    def _fixed_blobs(self) -> list[nn.Parameter]:
        return [layer.owned_blobs()[index] for layer in self.layers for index in sorted(layer.fixed_blobs)]


class _CapturedPass:
    """The forward pass of a net, or its forward and backward pass, as a CUDA graph."""

    def __init__(self, net: Net, backward: bool):
        self._net, self._backward = net, backward
        self._blobs = [blob.tensor for blob in net.learned]
        self._captured = Captured(self._results)
        self._gradients: list[Tensor | None] | None = None  # where the graph leaves them

    @property
    def recorded(self) -> bool:
        return self._captured.recorded

    def _results(self, *batch: Tensor) -> list[Tensor]:
        if self._backward:
            self._net.clear_param_diffs()  # so that each pass makes all of them anew
        loss, outputs, shown = self._net._pass(list(batch), self._backward)
        return [value.detach() for value in (loss, shown, *outputs.values())]

    def run(self, batch: list[Tensor]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """What Net._run gives; gradients are added to those that are there."""
        held = {blob: blob.grad.clone() for blob in self._blobs if self._backward and blob.grad is not None}
        try:
            results = self._captured(batch)
        except RuntimeError as error:
            if not self._captured.recording:
                raise
            why = next(iter(str(error.__context__ or error).strip().splitlines()), type(error).__name__)
            raise NetError(
                f"the net cannot be recorded as a CUDA graph: {why}; give --compile on or off"
            ) from error
        if self._captured.recorded:
            if self._backward:
                self._place_gradients()
            results = [value.clone() for value in results]  # the next pass overwrites them
        for blob, gradient in held.items():
            blob.grad = gradient if blob.grad is None else blob.grad.add_(gradient)
        loss, shown, *outputs = results
        return loss, dict(zip(self._net.outputs, outputs, strict=True)), shown

    def _place_gradients(self) -> None:
        if self._gradients is None:
            self._gradients = [blob.grad for blob in self._blobs]
        for blob, gradient in zip(self._blobs, self._gradients, strict=True):
            blob.grad = gradient
