"""How a net's passes run, and which way is taken when."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from caffe_compat.layers.base import Shape
from caffe_compat.layers.common.batch_statistics import Statistics
from caffe_compat.log.write import Log
from caffe_compat.net.before import Before
from caffe_compat.net.capture import CapturedPass, Result, reason
from caffe_compat.net.execution import Execution, Settings, chosen_by_trial, laid_out
from caffe_compat.net.fuse import fuse
from caffe_compat.net.inference import Inference
from caffe_compat.net.layerwise import Layerwise
from caffe_compat.net.lower import Lowered, lower
from caffe_compat.net.turns import Turns
from caffe_compat.net.wiring import Wiring, mixing_layer
from caffe_compat.proto import TRAIN


class Runner:
    """Runs the passes of a net. The way is chosen here and nowhere else, anew for every pass:

    | way | when | why |
    |---|---|---|
    | layer by layer | observed, debug_info, or shapes that are known only as the net runs; one replica here | every blob can be read and written |
    | captured | --compile auto, capture or graphs, on CUDA (`_captures`) | one launch for all kernels of one of the ways below |
    | in turn | several replicas here, and a layer mixes records | such layers must see one replica's records |
    | compiled | --compile on or graphs | fewer passes over memory |
    | graph | all else | the fused graph, as torch runs it |

    Attributes:
        mixing_layer: the layer because of which replicas in one process run one after the other, or None.
    """

    def __init__(self, net: Wiring, log: Log):
        self._net, self._log = net, log
        self.settings = Settings(debug_info=net.param.debug_info)
        self.mixing_layer = mixing_layer(net) if net.context.replicas > 1 else None
        net.context.grouped = self.mixing_layer is None
        self.turns = Turns(net, self.settings)
        self.inference = Inference(net, self.settings)
        self._batch_shapes: list[Shape] = []
        self._statistics = Statistics()
        self._forget()

    def _forget(self) -> None:
        self._compiled: Callable[..., Any] | None = None
        self._captured: dict[tuple[object, ...], CapturedPass] = {}
        self._recordable: bool | None = None

    def set_execution(self, execution: Execution) -> None:
        """From now on run so; what was compiled or recorded is made anew."""
        self.settings.execution = execution
        self._forget()
        if layerwise := self.__dict__.get("layerwise"):
            layerwise.follow_execution()

    # -- which way ----------------------------------------------------------------------------

    @property
    def by_layer(self) -> bool:
        """Whether the net runs layer by layer."""
        settings = self.settings
        watched = settings.observed or settings.debug_info or self._net.dynamic
        return watched and len(self._net.context.held) == 1

    @property
    def in_turn(self) -> bool:
        """Whether this process runs several replicas, one after the other."""
        return self.mixing_layer is not None and len(self._net.context.held) > 1

    @property
    def compilable(self) -> bool:
        """Whether the net runs as one graph whose shapes do not change from batch to batch."""
        return not self.by_layer and not self._net.dynamic and not self.in_turn

    @property
    def _captures(self) -> bool:
        """Whether passes may be recorded as CUDA graphs."""
        if self._recordable is None:
            wanted = self.settings.execution.captures and self._net.device.type == "cuda"
            self._recordable = wanted and not self._obstacle
        return self._recordable

    @property
    def _obstacle(self) -> str:
        """Why passes cannot be recorded, or ""."""
        net = self._net
        if net.dynamic:
            return "shapes are known only as the net runs"
        if self.in_turn and self.turns.is_random:
            return "replicas that run in turn have random numbers of their own"
        if self.settings.execution.compile == "auto" and self._surprising:
            return "code that is not this package's runs in a pass"
        hosted = (
            f"layer '{name}' ({layer.type}) runs on the host"
            for name, layer in zip(net.layer_names, net.layers, strict=True)
            if layer.on_host
        )
        return next(hosted, "")

    @property
    def recorded(self) -> bool:
        """Whether the passes that train are recorded, so that gradients stay where they are."""
        return any(kept.recorded for (backward, *_), kept in self._captured.items() if backward)

    @property
    def _surprising(self) -> bool:
        """Whether somebody else's code runs in a pass: it may count passes or look at values, and a graph calls nobody."""
        layers = self._net.layers
        return any(
            layer._forward_hooks
            or layer._forward_pre_hooks
            or not type(layer).__module__.startswith("caffe_compat.")
            for layer in layers
        ) or any(blob.tensor._backward_hooks for blob in self._net.learned)

    @property
    def _awaited(self) -> bool:
        """Whether somebody is told of every gradient, as other ranks are; a graph tells nobody."""
        return any(blob.tensor._post_accumulate_grad_hooks for blob in self._net.learned)

    def describe(self) -> str:
        """One line that says how the graph is run."""
        net, execution = self._net, self.settings.execution
        innermost, why_not = self.settings.innermost(net), ""
        if execution.captures and net.device.type == "cuda":
            why_not = self._obstacle
            if self._awaited:
                why_not = why_not or "gradients go to other processes while backward runs"
        return execution.describe(innermost, self._captures and not self._awaited, why_not)

    # -- passes -------------------------------------------------------------------------------

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """As Net.forward."""
        if self.by_layer:
            loss = self.layerwise.forward()
            return loss, {name: self.layerwise.data(name) for name in self._net.outputs}
        _, outputs, shown = self._run()
        return shown, outputs

    def forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """As Net.forward_backward."""
        if self.by_layer:
            return self.layerwise.forward_backward()
        _, outputs, shown = self._run(backward=True)
        if self.settings.observed:
            self.layerwise.store(outputs)
        return shown.detach(), {name: value.detach() for name, value in outputs.items()}

    @functools.cached_property
    def graph(self) -> Lowered:
        """The fused graph, made on first use; it takes the blobs from the layers at every run."""
        return fuse(lower(self._net))

    @property
    def _eager(self) -> Lowered:
        """The graph that torch runs as it is."""
        return self.graph if self._net.phase == TRAIN else self.inference.graph

    @functools.cached_property
    def layerwise(self) -> Layerwise:
        """The runner that keeps every blob; made on first use."""
        return Layerwise(self._net, self.settings, self._log)

    def load(self) -> list[Tensor]:
        """The next batch of every data layer, in the order the graph takes them."""
        net = self._net
        batch = [top for layer in net.data_layers() for top in layer.load(net.device)]
        return laid_out(batch, self.settings.innermost(net))

    def clear_gradients(self) -> None:
        """Forget the gradients of the learned blobs."""
        for blob in self._net.learned:
            if self.settings.observed and blob.tensor.grad is not None:
                blob.tensor.grad.zero_()  # somebody may hold a view of it
            else:
                blob.tensor.grad = None

    def _run(self, backward: bool = False) -> Result:
        """(loss to train on, outputs, loss to show); with `backward` the gradients are added too."""
        with (
            torch.set_grad_enabled(self._net.phase == TRAIN and torch.is_grad_enabled()),
            self.settings.execution.products(self._net.device),
        ):
            batch = self.load()
            stands = self._follow_shapes(batch)
            if backward:
                self._clear_overwritten()
            self.follow_blobs()
            with chosen_by_trial(self._net.device, stands and not self._net.dynamic):
                if self._captures and batch:
                    return self._run_captured(batch, backward)
                return self.run_batch(batch, backward)

    def follow_blobs(self) -> None:
        """Before a pass: make what the graph without gradients keeps of blobs."""
        if self._net.phase != TRAIN and not self.settings.execution.compiles and not self.in_turn:
            self.inference.follow()

    def run_batch(self, batch: list[Tensor], backward: bool) -> Result:
        """(loss to train on, outputs, loss to show) of a batch that lies in memory as the graph wants it."""
        if self.in_turn:
            return self.turns.run(self.graph, batch, backward)
        if self._compiled is None:
            compiles = self.settings.execution.compiles
            self._compiled = self.settings.execution.compiled(self.graph) if compiles else self._eager
            if compiles and self.settings.execution.optional:
                return self._try_compiled(batch, backward)
        return self._run_graph(self._compiled, batch, backward)

    def _run_graph(self, graph: Callable[..., Any], batch: list[Tensor], backward: bool) -> Result:
        with self.settings.execution.casts(self._net.device), self._shared_statistics(graph):
            loss, outputs, *first = graph(*batch)
        if backward and loss.requires_grad:
            loss.backward()
        return loss, outputs, first[0] if first else loss

    @contextmanager
    def _shared_statistics(self, graph: Callable[..., Any]) -> Iterator[None]:
        """Within it BatchNorm layers leave their statistics together; a compiled graph has each one's own."""
        context = self._net.context
        if graph is not self._eager:
            yield
            return
        context.statistics, done = self._statistics, False
        try:
            yield
            done = True
        finally:
            context.statistics = None
            self._statistics.end(done)

    def _try_compiled(self, batch: list[Tensor], backward: bool) -> Result:
        """The first compiled pass; if it fails nothing of it remains, and the net runs as it is from now on."""
        assert self._compiled is not None
        before = Before(self._net)
        began = time.perf_counter()
        self._log.info("compiling the net, which takes a few minutes; --compile off goes without")
        try:
            result = self._run_graph(self._compiled, batch, backward)
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything; what is the net's own comes again below
            self._log.warning(f"the net cannot be compiled and runs as it is: {reason(error)}")
            self.set_execution(replace(self.settings.execution, compile="off"))
            self._compiled = self._eager
            before.restore()
            return self._run_graph(self._compiled, batch, backward)
        self._log.info(f"compiled in {time.perf_counter() - began:.0f} s")
        return result

    def _run_captured(self, batch: list[Tensor], backward: bool) -> Result:
        """A pass as a CUDA graph, which holds for these shapes and while all blobs and buffers are where they are."""
        kind = (backward, torch.is_grad_enabled())
        if layerwise := self.__dict__.get("layerwise"):
            layerwise.forget_graphs()  # whose nodes would make the recorded stream wait for another
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
            self._captured[key] = CapturedPass(self.run_batch, self.clear_gradients, self._net, backward)
        captured = self._captured[key]
        if not captured.recorded and self._awaited:
            return self.run_batch(batch, backward)
        if captured.due and self.settings.execution.compile == "auto":
            return self._try_captured(captured, batch, backward)
        return captured.run(batch)

    def _try_captured(self, captured: CapturedPass, batch: list[Tensor], backward: bool) -> Result:
        """The pass that records; if it fails nothing of it remains, and the net runs as it is from now on."""
        before = Before(self._net)
        try:
            return captured.run(batch)
        except Exception as error:  # noqa: BLE001 - a driver may say anything; what is the net's own comes again below
            why = reason(error.__cause__ or error)
        self._log.warning(f"the net cannot be recorded as a CUDA graph and runs as it is: {why}")
        self._captured.clear()
        self._recordable = False
        before.restore()
        return self.run_batch(batch, backward)

    @functools.cached_property
    def _memory(self) -> list[nn.Module]:
        """The modules that hold blobs or buffers."""
        modules = (module for layer in self._net.layers for module in layer.modules())
        return [module for module in modules if module._parameters or module._buffers]

    def _clear_overwritten(self) -> None:
        """Forget the gradients that this backward overwrites (Layer.overwritten_diffs); it adds to all others."""
        for layer in self._net.layers:
            for index in layer.overwritten_diffs():
                layer.owned_blobs()[index].grad = None

    def _follow_shapes(self, batch: list[Tensor]) -> bool:
        """Reshape the net if its data came in other shapes than last time, as Caffe does at every forward.

        Returns whether they are the same.
        """
        shapes = [tuple(top.shape) for top in batch]
        if shapes == self._batch_shapes:
            return True
        net = self._net
        replicas = len(net.context.held)
        layers = zip(net.layers, net.top_names, strict=True)
        names = [top for layer, tops in layers if layer.is_data for top in tops]
        one = [(shape[0] // replicas, *shape[1:]) if replicas > 1 else shape for shape in shapes]
        if any(net.blob_shapes[name] != shape for name, shape in zip(names, one, strict=True)):
            net.blob_shapes.update(zip(names, one, strict=True))
            net.reshape()
        self._batch_shapes = shapes
        return False
