"""A function of tensors as a CUDA graph: its kernels are recorded once and then launched all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from caffe_compat.errors import NetError
from caffe_compat.net.wiring import Wiring
from caffe_compat.proto import TRAIN

# The loss to train on, the output blobs by name, and the loss to show.
Result = tuple[Tensor, dict[str, Tensor], Tensor]

_FIRST = 3  # calls that run as they are: libraries get their memory, autograd its nodes
_FAILED: list[torch.cuda.CUDAGraph] = []  # torch's allocator may still ask them


class Captured:
    """`function`, the first calls of which run as they are and the others as a CUDA graph.

    All calls count: none is made for warming up alone. What the function changes in place, blobs and layers' buffers,
    must stay where it is; random numbers go on from torch's own generator.

    Args:
        function: of tensors, whose shapes never change; gives tensors. It must neither read a value on the host nor
            copy between host and device.

    Attributes:
        recording: the graph is being recorded; stays so if that failed.
    """

    def __init__(self, function: Callable[..., Sequence[Tensor]]):
        self._function = function
        self._calls = 0
        self.recording = False
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: Sequence[Tensor] = ()

    @property
    def recorded(self) -> bool:
        """Whether the graph exists; the function's results then stay at one place and are overwritten by every call."""
        return self._graph is not None

    @property
    def due(self) -> bool:
        """Whether the next call records the graph."""
        return self._calls >= _FIRST and self._graph is None

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The function's results."""
        if self._calls < _FIRST:
            self._calls += 1
            return self._run(inputs)
        graph = self._graph or self._record(inputs)
        torch._foreach_copy_(self._inputs, list(inputs))
        graph.replay()
        return self._outputs

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The results by a call, on the stream that will record: what libraries set up, they set up for a stream."""
        device = inputs[0].device
        self._stream = self._stream or torch.cuda.Stream(device)
        current = torch.cuda.current_stream(device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            results = self._function(*inputs)
        current.wait_stream(self._stream)
        return results

    def _record(self, inputs: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        self._inputs = [value.clone() for value in inputs]
        graph = torch.cuda.CUDAGraph()
        pool = torch.cuda.graph_pool_handle()
        self.recording = True
        try:
            # Other threads go on, and may ask the driver for page-locked memory.
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                self._outputs = self._function(*self._inputs)
        except BaseException:
            self._outputs = ()
            _abandon(graph, pool, inputs[0].device)
            raise
        self.recording = False
        self._graph = graph
        return graph


def reason(error: BaseException) -> str:
    """Why a compiler or a recording failed, in one line; where a recording ends badly, what happened within it says more."""
    first = error
    while isinstance(first, RuntimeError) and isinstance(first.__context__, RuntimeError):
        first = first.__context__
    return next(iter(str(first).strip().splitlines()), type(first).__name__)


def _abandon(graph: torch.cuda.CUDAGraph, pool: tuple[int, int], device: torch.device) -> None:
    """What torch leaves undone where a recording breaks off: its memory is free again, and random numbers may be drawn."""
    try:
        graph.pool()  # it came to an end: what failed was ours, and torch tidies up
    except RuntimeError:
        _FAILED.append(graph)
        with suppress(AttributeError, RuntimeError):
            torch._C._cuda_endAllocateToPool(device.index, pool)
            torch._C._cuda_releasePool(device.index, pool)
    try:
        torch.rand((), device=device)
    except RuntimeError:  # the generator believes that it is recorded: another one takes its place
        fresh = torch.Generator(device)
        torch.cuda.default_generators[device.index].graphsafe_set_state(fresh.graphsafe_get_state())


class CapturedPass:
    """The forward pass of a net, or its forward and backward pass, as a CUDA graph."""

    def __init__(
        self,
        run: Callable[[list[Tensor], bool], Result],
        clear: Callable[[], None],
        net: Wiring,
        backward: bool,
    ):
        self._pass, self._clear, self._backward = run, clear, backward
        self._outputs = net.outputs
        self._blobs = [blob.tensor for blob in net.learned]
        self._changed = list(net.fixed_blobs()) if net.phase == TRAIN else []
        self._captured = Captured(self._results)
        self._gradients: list[Tensor | None] | None = None  # where the graph leaves them

    @property
    def recorded(self) -> bool:
        return self._captured.recorded

    @property
    def due(self) -> bool:
        """Whether the next pass is recorded."""
        return self._captured.due

    def _results(self, *batch: Tensor) -> list[Tensor]:
        if self._backward:
            self._clear()  # so that each pass makes all of them anew
        loss, outputs, shown = self._pass(list(batch), self._backward)
        return [value.detach() for value in (loss, shown, *outputs.values())]

    def run(self, batch: list[Tensor]) -> Result:
        """What the pass gives; gradients are added to those that are there."""
        held = {blob: blob.grad.clone() for blob in self._blobs if self._backward and blob.grad is not None}
        try:
            results = self._captured(batch)
        except RuntimeError as error:
            if not self._captured.recording:
                raise
            raise NetError(
                f"the net cannot be recorded as a CUDA graph: {reason(error)}; give --compile on or off"
            ) from error
        if self._captured.recorded:
            if self._backward:
                self._place_gradients()
            for blob in self._changed:  # autograd knows nothing of what a graph writes
                torch.autograd.graph.increment_version(blob)
            results = [value.clone() for value in results]  # the next pass overwrites them
        for blob, gradient in held.items():
            blob.grad = gradient if blob.grad is None else blob.grad.add_(gradient)
        loss, shown, *outputs = results
        return loss, dict(zip(self._outputs, outputs, strict=True)), shown

    def _place_gradients(self) -> None:
        if self._gradients is None:
            self._gradients = [blob.grad for blob in self._blobs]
        for blob, gradient in zip(self._blobs, self._gradients, strict=True):
            blob.grad = gradient
