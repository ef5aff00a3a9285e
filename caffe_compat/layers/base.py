"""What a layer is: the names that a layer's file imports.

A layer has three duties, as in Caffe: `setup` looks at the first bottom shapes and makes the
blobs, `reshape` says the top shapes for given bottom shapes, `forward` computes. Backward is
autograd's. A layer's phase is fixed at birth; `self.training` is never read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat import fillers
from caffe_compat.errors import LayerError
from caffe_compat.layers.blobs import Blobs, ViewedBlobs
from caffe_compat.layers.context import TEST, TRAIN, Context
from caffe_compat.layers.facts import Facts, Shape
from caffe_compat.layers.onnx_graph import ONNX_BOOL, ONNX_FLOAT, ONNX_INT64, Dim, OnnxGraph
from caffe_compat.log.write import WARNING, Log
from caffe_compat.proto import FillerParameter, LayerParameter

__all__ = [
    "FORMS",
    "INT_MAX",
    "ONNX_BOOL",
    "ONNX_FLOAT",
    "ONNX_INT64",
    "TEST",
    "TRAIN",
    "TYPES",
    "Context",
    "Dim",
    "Layer",
    "OnnxGraph",
    "Shape",
    "as_tops",
    "constant",
    "form",
    "layer",
    "nothing_multiplied",
    "one_a_value",
    "where",
]  # fmt: skip

INT_MAX = 2**31 - 1  # as many values a blob may have

TYPES: dict[str, type[Layer]] = {}  # what is registered by now; `registry.find` loads what is not
FORMS: dict[str, list[tuple[Callable[[LayerParameter], bool], type[Layer]]]] = {}  # the other forms of a type
_L = TypeVar("_L", bound="type[Layer]")


class Layer(Facts, nn.Module):
    """One layer of a net; what is true of its type stands in `Facts`, whose attributes it overrides.

    Instances have `param` (LayerParameter), `name`, `type`, `phase`, `context` and `blobs`, the learned
    tensors in Caffe's order and layout.
    """

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__()
        self.param = param
        self.name: str = param.name
        self.type: str = param.type  # type: ignore[assignment]  # hides nn.Module.type, a cast nobody needs
        self.phase = phase
        self.context = context or Context()
        self.blobs = Blobs()
        self.fixed_blobs: set[int] = set()  # indices of blobs that never have a gradient

    # -- what a layer type defines ------------------------------------------------------------

    def setup(self, *bottom: Shape) -> None:
        """Check the parameters and make the blobs. `bottom` are the bottoms' shapes."""

    def reshape(self, *bottom: Shape) -> list[Shape]:
        """The shapes of the tops for bottoms of these shapes; raises LayerError where they do not fit."""
        self._undefined("reshape")

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the tops (one tensor, or a tuple in the tops' order) without changing the bottoms."""
        self._undefined("forward")

    def leftover_diffs(self, *bottom: Tensor) -> dict[int, Tensor]:
        """What Caffe's forward leaves in the diffs of bottoms, by their index, where backward does not run."""
        return {}

    def top_memory(self, index: int, device: torch.device) -> Tensor:
        """The layer's own memory that is its top `index`, one of `kept_tops`: to be read and written."""
        self._undefined("top_memory")

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        """For `is_data` layers: the next batch, one tensor a top, on `device`."""
        self._undefined("load")

    def verify(self) -> None:
        """Raise LayerError for what `forward` saw and could not report without waiting for the device."""

    def log_creation(self, log: Log) -> None:
        """Write what Caffe logs when it makes this layer."""

    def log_setup(self, log: Log) -> None:
        """Write what Caffe logs while it sets this layer up; `setup` is done."""

    def get_state(self) -> dict[str, Any]:
        """For `is_data` layers: where the data stands, as JSON; `set_state` goes back there exactly."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """For `is_data` layers: go to what `get_state` returned."""

    def skip_batches(self, count: int) -> None:
        """For `is_data` layers: stand where `count` calls of `load` from the first record would have led."""

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        """Add the nodes that make `tops` of `bottoms`; `reshape` has just run for the bottoms' shapes.

        For a loss or a metric this is what a trained net shows in its place (a softmax), and `tops` is one name.
        Must not import onnx. Raises LayerError, through `fail`, for what ONNX cannot express.
        """
        self.fail(
            f"cannot be exported: its class {type(self).__name__} defines no `to_onnx`; name blobs before this "
            "layer with --outputs, or see 'Adding a layer' in the README"
        )

    def prediction(self, bottom: Tensor) -> Tensor:
        """For a loss or a metric: what a trained net shows in its place, of bottom 0; `to_onnx` writes the same."""
        return bottom

    def example(self, index: int, shape: Shape, random: np.random.Generator) -> np.ndarray | None:
        """Values to try an exported file with, where bottom `index` may not hold just any."""
        return None

    # -- what a torch.nn.Module of the net asks (net/module.py) -------------------------------

    modes: Any = None  # what the layer of a module is in either phase; a net's layers have one phase

    def train(self, mode: bool = True) -> Layer:
        if self.modes is not None:
            self.modes.enter(self, TRAIN if mode else TEST)
        super().train(mode)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Layer:
        super()._apply(fn, recurse)
        if self.modes is not None:
            self.modes.apply(fn)
        return self

    # -- what a layer type may use ------------------------------------------------------------

    def fail(self, what: str) -> NoReturn:
        """Raise LayerError: `what` says what is wrong, with both numbers, and what to do."""
        raise LayerError(f"{where(self.param)}: {what}")

    def warn_once(self, what: str) -> None:
        """Warn, on standard error, of something in the data; a layer does so once in a run."""
        place = where(self.param)
        if place not in self.context.told and not self.context.rank:
            self.context.told.add(place)
            Log(progress=False, level=WARNING).warning(f"{place}: {what}")

    def _undefined(self, method: str) -> NoReturn:
        self.fail(
            f"its class {type(self).__name__} defines no `{method}`; see 'Adding a layer' in the README"
        )

    def axis(self, axis: int, shape: Sequence[int], what: str = "axis") -> int:
        """Caffe's CanonicalAxisIndex: a negative axis counts from the end; out of range fails."""
        if not -len(shape) <= axis < len(shape):
            self.fail(
                f"{what} {axis} is out of range for the {len(shape)}-axis shape {tuple(shape)}; "
                f"use {-len(shape)} to {len(shape) - 1}"
            )
        return axis % len(shape)

    def without_gradient(self, top: Tensor, bottom: Tensor) -> Tensor:
        """`top`, computed outside the autograd graph: a gradient that is wanted of `bottom` through it fails."""
        return _NoGradient.apply(bottom, top, self) if bottom.requires_grad else top

    def drawn(self, like: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
        """The random numbers `draw(like)`, for the records of `like` (axis 0).

        Replicas draw what they would in one process however many they are spread over: each process draws for all
        of them and keeps what is its own. So `draw` may look at the shape, type and place of what it gets alone.
        """
        processes, rank = self.context.processes, self.context.rank or 0
        # Replicas that run in turn have random numbers of their own.
        if processes == 1 or not self.context.grouped:
            return draw(like)
        if not self.per_record():  # called for one replica after the other
            return [draw(like) for _ in range(processes)][rank]
        innermost = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if innermost else torch.contiguous_format
        whole = torch.zeros((len(like) * processes, *like.shape[1:]), dtype=like.dtype, device=like.device)
        return draw(whole.contiguous(memory_format=layout))[rank::processes]

    def check_pictures(self, shape: Sequence[int]) -> None:
        """Fail for a bottom that has not the four axes of pictures."""
        if len(shape) != 4:
            self.fail(
                f"bottom shape {tuple(shape)} has {len(shape)} axes, 4 are needed: num, channels, height, width"
            )

    def check_shape(self, shape: Sequence[int], what: str) -> None:
        """Fail for a shape that no blob has in Caffe: `what` says whose it would be."""
        count = math.prod(shape)
        if any(size < 0 for size in shape):
            problem = f"of shape {tuple(shape)} has a size below 0"
        elif count > INT_MAX and self.context.device != "meta":
            problem = f"of shape {tuple(shape)} has {count} values, and a blob has at most {INT_MAX}"
        else:
            return
        self.fail(f"{what} {problem}; correct the sizes that it comes from")

    def add_blob(
        self, shape: Sequence[int], filler: FillerParameter | None = None, learned: bool = True
    ) -> nn.Parameter:
        """Append a blob of `shape`, filled by `filler` (a FillerParameter; None leaves zeros).

        `learned` False marks a blob that never has a gradient, such as BatchNorm's statistics.
        """
        self.check_shape(shape, f"blob {len(self.blobs)}")
        blob = torch.zeros(tuple(shape), dtype=self.context.dtype, device=self.context.device)
        if filler is not None and not blob.is_meta:
            fillers.fill(blob, filler, self.context.generator, self.fail)
        if not learned:
            self.fixed_blobs.add(len(self.blobs))
        self.blobs.append(nn.Parameter(blob, requires_grad=learned))
        return self.blobs[-1]

    def from_file(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The blobs of a caffemodel in this layer's order, for forms that older versions wrote."""
        return arrays

    def owned_blobs(self) -> list[nn.Parameter]:
        """The tensors behind `blobs`, in order: a shared blob's owner, in the owner's shape."""
        return self.blobs.owned()

    def share_blob(self, index: int, owner: nn.Parameter) -> None:
        """Make blob `index` the same tensor as `owner`, seen in this layer's own shape."""
        shape = self.blobs[index].shape
        if shape != owner.shape:
            self._view({index: shape}, frozenset())
        self.blobs[index] = owner

    def hold_still(self, index: int) -> None:
        """Let blob `index`, which another layer learns, have no gradient from this one."""
        self._view({}, frozenset({index}))

    def _view(self, shapes: dict[int, torch.Size], still: frozenset[int]) -> None:
        old = self.blobs
        if isinstance(old, ViewedBlobs):
            shapes, still = {**old.shapes, **shapes}, old.still | still
        self.blobs = ViewedBlobs(self.owned_blobs(), shapes, still)


def one_a_value(layer: Layer, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    """`multiply_adds` of a layer that multiplies each value of top 0 once."""
    return math.prod(top[0])


def nothing_multiplied(layer: Layer, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    """`multiply_adds` of a layer whose blobs multiply nothing: they are added, looked up or shown."""
    return 0


def as_tops(tops: Iterable[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """What `forward` returns of tops of any number: the one itself, or a tuple of all."""
    tops = tuple(tops)
    return tops if len(tops) != 1 else tops[0]


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """A few numbers (n,) of the type and on the device of `like`, made there: the host waits for what it copies."""
    return torch.stack([like.new_full((), value) for value in values])


class _NoGradient(torch.autograd.Function):
    """A top that a layer made of a bottom without a derivative: its gradient fails."""

    @staticmethod
    def forward(ctx, bottom: Tensor, top: Tensor, layer: Layer) -> Tensor:
        ctx.layer = layer
        return top.view_as(top)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Any:
        ctx.layer.fail("has no gradient; take it out of the loss's path or set `propagate_down: false`")


def where(param: LayerParameter) -> str:
    """`file:line: layer 'x' (Type)`, the head of every message about a layer."""
    head = f"{param.origin}: " if param.origin else ""
    return f"{head}layer '{param.name}' ({param.type})"


def layer(*types: str) -> Callable[[_L], _L]:
    """Register the decorated class as the layer of these type names."""

    def register(cls: _L) -> _L:
        for name in types:
            if name in TYPES:
                raise ValueError(
                    f"layer type {name!r} is registered by both {TYPES[name].__module__} and {cls.__module__}"
                )
            TYPES[name] = cls
        return cls

    return register


def form(type_name: str, fits: Callable[[LayerParameter], bool]) -> Callable[[_L], _L]:
    """Register the decorated class as another form of a layer type, for each LayerParameter that `fits`."""

    def register(cls: _L) -> _L:
        FORMS.setdefault(type_name, []).append((fits, cls))
        return cls

    return register
