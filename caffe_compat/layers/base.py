"""What a layer is, and the registry that finds one by the type its prototxt names.

A layer has three duties, as in Caffe: `setup` looks at the first bottom shapes and makes the
blobs, `reshape` says the top shapes for given bottom shapes, `forward` computes. Backward is
autograd's. A layer's phase is fixed at birth; `self.training` is never read.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat import fillers
from caffe_compat.errors import LayerError, nearest, some
from caffe_compat.log import names
from caffe_compat.log.write import NULL, WARNING, Log
from caffe_compat.proto import fork_fields

Shape = tuple[int, ...]
ONNX_FLOAT, ONNX_INT64, ONNX_BOOL = 1, 7, 9  # TensorProto's data types, for Cast
Dim = int | str  # a size in an exported file; a word names one that only a run tells: "N", the batch's

TRAIN, TEST = 0, 1  # Caffe's Phase enum
INT_MAX = 2**31 - 1  # as many values a blob may have

_REGISTRY: dict[str, type[Layer]] = {}
_L = TypeVar("_L", bound="type[Layer]")


def _fresh_generator() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


@dataclass
class Context:
    """What a layer may know of the run it is built for.

    generator  the CPU random generator that fillers and data layers draw from
    root       relative paths inside the net start here ("" is the working directory)
    replicas   how many data-parallel replicas share the data (Caffe's solver_count)
    rank       which process of `ranks` this is (Caffe's solver_rank); None means the only one
    ranks      how many processes share the replicas: process r runs replicas r, r + ranks, ...; None means one each
    dtype      of blobs and tops
    grouped    whether virtual replicas run as one batch, in which layers keep them apart; False where they run in turn
    device     where blobs are made; "meta" gives them shapes and no values, for a net that is looked at and never run
    told       the layers that have warned already; the nets of a run share it
    ignore_unknown  whether a fork's fields that a layer does not act on are warned of, and no error
    """

    generator: torch.Generator = field(default_factory=_fresh_generator)
    root: str = ""
    replicas: int = 1
    rank: int | None = 0
    ranks: int | None = None
    dtype: torch.dtype = torch.float32
    grouped: bool = True
    device: str = "cpu"
    ignore_unknown: bool = False
    told: set[str] = field(default_factory=set)

    def path(self, name: str) -> str:
        """Where the file is that a field of the net names."""
        return os.path.join(self.root, names.file_name(name))

    def __getstate__(self) -> dict[str, Any]:
        # As bytes: a generator's own pickle holds a tensor that is gone before a spawned process asks for it.
        return {**self.__dict__, "generator": self.generator.get_state().numpy().tobytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stands = torch.frombuffer(bytearray(state["generator"]), dtype=torch.uint8)
        self.__dict__.update(state, generator=torch.Generator().set_state(stands))

    @property
    def held(self) -> range:
        """The replicas that this process runs."""
        if self.rank is None:
            return range(self.replicas)
        return range(self.rank, self.replicas, self.ranks or self.replicas)

    @property
    def processes(self) -> int:
        """How many processes share the replicas."""
        return 1 if self.rank is None else min(self.ranks or self.replicas, self.replicas)

    @property
    def virtual_replicas(self) -> int:
        """How many replicas the bottoms of a layer hold: record i of them is the (i mod N)-th one's of `held`."""
        return len(self.held) if self.grouped else 1


class OnnxGraph(Protocol):
    """What a layer's `to_onnx` writes into (export/graph.py). Values are known by their names.

    opset  the version of ONNX's operators to write
    """

    opset: int

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **attributes: Any
    ) -> str:
        """Add a node and return its first output; without `outputs` it has one, of a new name. "" is no input."""

    def fresh(self, count: int) -> list[str]:
        """New names, for the outputs of a node that has several."""

    def constant(self, value: Any, dtype: Any = None, name: str = "") -> str:
        """A constant: float32 from floats and int64 from whole numbers, unless `dtype` says otherwise.

        A `name` says what it is to the layer; without one, equal constants are one.
        """

    def blob(self, layer: Layer, index: int, shape: Shape | None = None, transposed: bool = False) -> str:
        """The layer's learned blob `index`, seen in another shape or with its two axes exchanged if wanted."""

    def ordered_blob(self, layer: Layer, index: int, shape: Shape, order: Sequence[int]) -> str:
        """The blob in another shape, with the `len(order)` equal parts of its axis 0 in this order."""

    def known(self, value: str) -> np.ndarray | None:
        """What a bottom or top holds, if that does not depend on the inputs; None if it does.

        Where sizes are open it is for the net as it stands.
        """

    def shape(self, value: str) -> tuple[Any, ...]:
        """The shape of a bottom or top, each a Dim: sizes that only a run tells are words, the same word the same size."""

    def size(self, value: str, axis: int) -> str:
        """The size of an axis as the file runs: int64 (1,)."""

    def reshape(
        self,
        value: str,
        shape: Sequence[Dim],
        outputs: Sequence[str] | None = None,
        source: Sequence[Dim] | None = None,
    ) -> str:
        """`value` in another shape, where one -1 is what remains.

        `source` is its own shape where it is not a bottom or a top.
        """

    def reduce(
        self,
        op_type: str,
        value: str,
        axes: Sequence[int],
        outputs: Sequence[str] | None = None,
        keepdims: bool = False,
    ) -> str:
        """A node of the Reduce family, whose axes are an attribute or an input, as `opset` has it."""

    def slice(
        self, value: str, axis: int, start: int, end: int | None, outputs: Sequence[str] | None = None
    ) -> str:
        """Part of one axis, from `start` to before `end` (None: to its end)."""

    def scan(
        self,
        step: Callable[[list[str], list[str]], tuple[Sequence[str], Sequence[str]]],
        states: Sequence[str],
        sequences: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        """A loop over axis 0 of `sequences`: step(states, slices) adds one turn's nodes and returns (states, results).

        `outputs` are the last states, then every result with all turns stacked on axis 0.
        """


class Layer(nn.Module):
    """One layer of a net.

    Class attributes state what Caffe's virtual methods state:
    num_bottom, num_top   how many: an int, a (least, most) pair where most may be None, or None for any
    equal_num_bottom_top  as many tops as bottoms
    is_loss               its first top gets loss_weight 1 when none is given, and an anonymous top if it has none
    is_data               `load` makes its tops and `forward` is never called; the graph takes them as inputs
    dynamic               the shapes of its tops may be known only in `forward`; such a net runs layer by layer
    dynamic_axis          of such tops, the axis whose size is not known before
    is_metric             it judges bottom 0 (accuracy); an exported file has that blob in its place, as with a loss
    is_random             `forward` may draw random numbers from torch's own generators, through `drawn` if it can;
                          `random_reason` says whether it does as it stands, and why
    drops_values          of a random layer: each value of its top is 0, or what it is in every run
    on_host               `forward` works on the host with the values, so it cannot be part of a CUDA graph
    in_place              False where Caffe refuses a top with the name of its bottom
    shares_memory         the tops are bottom 0's memory in Caffe: what is written into one shows in the others
    shares_diff           so are their diffs
    shared_tops           tops that are another top's memory, and which one
    kept_tops             tops that are memory of the layer's own, which its next forward reads: see `top_memory`
    shape_tops            the indices of tops that the bottoms' shapes alone tell
    fork_fields           the fields of Caffe's forks that this layer acts on, or may ignore without harm

    Instances have `param` (LayerParameter), `name`, `type`, `phase`, `context` and `blobs`, the learned
    tensors in Caffe's order and layout.
    """

    num_bottom: int | tuple[int, int | None] | None = None
    num_top: int | tuple[int, int | None] | None = None
    equal_num_bottom_top = False
    is_loss = False
    is_data = False
    dynamic = False
    dynamic_axis = 0
    is_metric = False
    is_random = False
    drops_values = False
    on_host = False
    in_place = True
    shares_memory = False
    shares_diff = False
    shared_tops: Mapping[int, int] = MappingProxyType({})
    kept_tops: Collection[int] = ()
    shape_tops: tuple[int, ...] = ()
    fork_fields: tuple[str, ...] = ()

    def __init__(self, param: Any, phase: int, context: Context | None = None):
        super().__init__()
        self.param = param
        self.name: str = param.name
        self.type: str = param.type  # type: ignore[assignment]  # hides nn.Module.type, a cast nobody needs
        self.phase = phase
        self.context = context or Context()
        self.blobs = _Blobs()
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

    def overwritten_diffs(self) -> tuple[int, ...]:
        """Indices of the blobs whose gradient Caffe's backward writes, where it adds to those of all others.

        Of the passes that iter_size adds up only the last counts for them.
        """
        return ()

    def top_memory(self, index: int, device: torch.device) -> Tensor:
        """The layer's own memory that is its top `index`, one of `kept_tops`: to be read and written."""
        self._undefined("top_memory")

    def per_record(self) -> bool:
        """Whether record i (axis 0) of every top depends on record i of the bottoms and on nothing else.

        Such a layer runs once for the records of all virtual replicas; others run replica by replica.
        """
        return False

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        """For `is_data` layers: the next batch, one tensor a top, on `device`."""
        self._undefined("load")

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        """Multiplications by learned or normalising factors, with the additions that take their results; whole batch.

        Products of two bottoms that are summed up count, too. Comparisons, sums, pooling windows, exponentials,
        look-ups and reading between positions count nothing, nor do biases. `bottom` and `top` are shapes.
        A layer with blobs must say it, even if it is 0.
        """
        return 0

    def random_reason(self) -> str:
        """Why the tops differ from run to run on the same bottoms, in this phase and with these parameters; else "".

        It follows on the layer's name: "drops values at random in TRAIN". A data layer says so of what it serves.
        """
        return "draws at random" if self.is_random else ""

    def verify(self) -> None:
        """Raise LayerError for what `forward` saw and could not report without waiting for the device."""

    def log_creation(self, log: Any) -> None:
        """Write what Caffe logs when it makes this layer."""

    def log_setup(self, log: Any) -> None:
        """Write what Caffe logs while it sets this layer up; `setup` is done."""

    def get_state(self) -> dict[str, Any]:
        """For `is_data` layers: where the data stands, as JSON; `set_state` goes back there exactly."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """For `is_data` layers: go to what `get_state` returned."""

    def skip_batches(self, count: int) -> None:
        """For `is_data` layers: stand where `count` calls of `load` from the first record would have led."""

    def allow_force_backward(self, index: int) -> bool:
        """Whether force_backward may ask for the gradient of bottom `index` (labels: no)."""
        return not self.is_loss or index != 1

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

    def add_blob(self, shape: Sequence[int], filler: Any = None, learned: bool = True) -> nn.Parameter:
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
    def forward(ctx: Any, bottom: Tensor, top: Tensor, layer: Layer) -> Tensor:
        ctx.layer = layer
        return top.view_as(top)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        ctx.layer.fail("has no gradient; take it out of the loss's path or set `propagate_down: false`")


class _Blobs(nn.ParameterList):
    """A ParameterList that is quick to index: nn's own costs microseconds a blob."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        return self._parameters[str(range(len(self))[index])]

    def owned(self) -> list[Any]:
        """The tensors themselves, in order."""
        # Every pass asks for them, and named_parameters() takes ten times as long.
        return [blob for blob in self._parameters.values() if blob is not None]


class ViewedBlobs(_Blobs):
    """Blobs of which some are another layer's, in another shape (share_mode PERMISSIVE) or without a gradient from here."""

    def __init__(self, blobs: Iterable[nn.Parameter], shapes: dict[int, torch.Size], still: frozenset[int]):
        super().__init__(blobs)
        self.shapes = shapes
        self.still = still

    def __getitem__(self, index: Any) -> Any:
        blob = super().__getitem__(index)
        if isinstance(index, slice):
            return blob
        return self.seen(range(len(self))[index], blob)

    def seen(self, number: int, blob: Tensor) -> Tensor:
        """Blob `number` as this layer sees it."""
        shape = self.shapes.get(number)
        blob = blob.detach() if number in self.still else blob
        return blob if shape is None else blob.view(shape)


def where(param: Any) -> str:
    """`file:line: layer 'x' (Type)`, the head of every message about a layer."""
    head = f"{param.origin}: " if param.origin else ""
    return f"{head}layer '{param.name}' ({param.type})"


def layer(*types: str) -> Callable[[_L], _L]:
    """Register the decorated class as the layer of these type names."""

    def register(cls: _L) -> _L:
        for name in types:
            if name in _REGISTRY:
                raise ValueError(
                    f"layer type {name!r} is registered by both {_REGISTRY[name].__module__} and {cls.__module__}"
                )
            _REGISTRY[name] = cls
        return cls

    return register


def registry() -> dict[str, type[Layer]]:
    """All layer types by name; imports every module of this folder the first time."""
    _import_layers()
    return _REGISTRY


@functools.cache
def _import_layers() -> None:
    package = importlib.import_module("caffe_compat.layers")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"caffe_compat.layers.{module.name}")


def create_layer(param: Any, phase: int, context: Context | None = None, log: Any = NULL) -> Layer:
    """The layer that `param.type` names, not yet set up.

    Raises LayerError for a type nobody registered, naming the nearest ones, and for a fork's fields that the
    layer does not act on; with `context.ignore_unknown` those are a warning to `log`.
    """
    cls = _REGISTRY.get(param.type) or registry().get(param.type)
    if cls is None:
        raise LayerError(
            f"{where(param)}: unknown layer type {param.type!r}{nearest(param.type, _REGISTRY) or ';'} "
            f"known types: {some(sorted(_REGISTRY), param.type)}; a module that registers @layer({param.type!r}) "
            "can be given with --import"
        )
    # What `param` says of a blob is the solver's to act on.
    ignored = [n for n in fork_fields(param) if n not in cls.fork_fields and not n.startswith("param.")]
    if ignored:
        what = f"{where(param)}: {', '.join(ignored)}: a fork of Caffe's, which this layer does not act on"
        if context is None or not context.ignore_unknown:
            raise LayerError(f"{what}; remove it, or give --ignore-unknown-fields")
        log.warn_once(f"{what}; ignored")
    return cls(param, phase, context)
