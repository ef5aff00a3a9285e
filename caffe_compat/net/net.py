"""Net: the layers of one phase, connected and shaped as Caffe's Net::Init does it, and what a net is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer
from caffe_compat.layers.registry import create_layer
from caffe_compat.log.write import INFO, NULL, Log
from caffe_compat.net.build import build
from caffe_compat.net.execution import Execution
from caffe_compat.net.fused_layers import without_gradient
from caffe_compat.net.layerwise import Layerwise
from caffe_compat.net.lower import Lowered
from caffe_compat.net.random_state import Streams
from caffe_compat.net.resolve import filter_net, insert_splits
from caffe_compat.net.run import Runner
from caffe_compat.net.wiring import LearnedBlob, Wiring
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import to_text

__all__ = ["LearnedBlob", "Net"]


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
        wiring: what is connected, as data; the lists and dictionaries below are its own.
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
        param: NetParameter,
        *,
        context: Context | None = None,
        log: Log = NULL,
        device: torch.device | str = "cpu",
        create: Callable[..., Layer] = create_layer,
    ):
        context = context or Context()
        filtered = filter_net(param, param.state, log, context.ignore_unknown)
        if log.level <= INFO:
            log.initializing_net(to_text(filtered))
        wiring = Wiring(param, insert_splits(filtered, param), context, torch.device(device))
        build(wiring, create, log)
        self.log = log
        self.wiring = wiring
        self.given, self.param, self.context = wiring.given, wiring.param, wiring.context
        self.name: str = wiring.param.name
        self.phase = wiring.phase
        self.layers, self.layer_names = wiring.layers, wiring.layer_names
        self.bottom_names, self.top_names = wiring.bottom_names, wiring.top_names
        self.blob_names, self.blob_shapes = wiring.blob_names, wiring.blob_shapes
        self.loss_weights, self.learned = wiring.loss_weights, wiring.learned
        self.layer_need_backward = wiring.layer_need_backward
        self.bottom_need_backward = wiring.bottom_need_backward
        self.blob_need_backward = wiring.blob_need_backward
        self.inputs, self.outputs, self.memory = wiring.inputs, wiring.outputs, wiring.memory
        self.output_weights: dict[str, float] = {
            top: weight
            for tops, weights in zip(self.top_names, self.loss_weights, strict=True)
            for top, weight in zip(tops, weights, strict=True)
        }
        self._runner = Runner(wiring, log)
        self.to(wiring.device)
        log.net_initialized()

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
        return self.wiring.data_layers()

    @property
    def device(self) -> torch.device:
        """Where blobs live and batches arrive."""
        return self.wiring.device

    def to(self, device: torch.device | str) -> Net:
        """Move the learned blobs; batches follow them."""
        self.wiring.device = torch.device(device)
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
        self._runner.clear_gradients()

    def reshape(self) -> None:
        """Recompute every blob's shape from the inputs' shapes (Net::Reshape)."""
        self.wiring.reshape()

    # -- running (net/run.py) -----------------------------------------------------------------

    @property
    def recorded(self) -> bool:
        """Whether forward_backward is recorded as a CUDA graph; gradients then stay at one place."""
        return self._runner.recorded

    @property
    def without_gradient(self) -> list[Tensor]:
        """Learned blobs whose gradient is 0 whatever they are, and which forward_backward leaves without one."""
        runner = self._runner
        return [] if runner.by_layer else without_gradient(runner.graph, self.wiring)

    def steady(self) -> AbstractContextManager[None]:
        """Within it no blob changes, so that many forward passes in TEST prepare their weights once."""
        return self._runner.inference.steady()

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """One batch through the net: the total loss (0-dim) and the output blobs by name.

        With virtual replicas both are replica 0's, as in Caffe's log.
        """
        return self._runner.forward()

    def forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """`forward`, then add the loss's gradients to the blobs' `.grad`; all returned values are detached.

        With virtual replicas the gradients are the mean of the replicas'.
        """
        return self._runner.forward_backward()

    def load(self) -> list[Tensor]:
        """The next batch of every data layer, in the order the graph takes them."""
        return self._runner.load()

    def verify(self) -> None:
        """Raise LayerError for faults in the data that the layers saw since the last call; waits for the device."""
        for layer in self.layers:
            layer.verify()

    @property
    def execution(self) -> Execution:
        """How the graph is run; may be set at any time."""
        return self._runner.settings.execution

    @execution.setter
    def execution(self, execution: Execution) -> None:
        self._runner.set_execution(execution)

    @property
    def observed(self) -> bool:
        """Whether the net runs layer by layer, so that every blob can be read; may be set at any time."""
        return self._runner.settings.observed

    @observed.setter
    def observed(self, observed: bool) -> None:
        self._runner.settings.observed = observed

    @property
    def debug_info(self) -> bool:
        """Whether every blob has a log line in each pass; may be set at any time."""
        return self._runner.settings.debug_info

    @debug_info.setter
    def debug_info(self, debug_info: bool) -> None:
        self._runner.settings.debug_info = debug_info

    def describe_execution(self) -> str:
        """One line that says how the graph is run."""
        return self._runner.describe()

    @property
    def compilable(self) -> bool:
        """Whether the net runs as one graph whose shapes do not change from batch to batch."""
        return self._runner.compilable

    @property
    def graph(self) -> Lowered:
        """The fused graph of this net, made on first use; it takes the blobs from the layers at every run."""
        return self._runner.graph

    @property
    def layerwise(self) -> Layerwise:
        """The runner that keeps every blob; made on first use."""
        return self._runner.layerwise

    @property
    def mixing_layer(self) -> str | None:
        """The layer because of which replicas in one process run one after the other, or None."""
        return self._runner.mixing_layer

    @property
    def in_turn(self) -> bool:
        """Whether this process runs several replicas, one after the other."""
        return self._runner.in_turn

    @property
    def streams(self) -> Streams:
        """The random numbers of the replicas that run in turn here."""
        return self._runner.turns.streams
