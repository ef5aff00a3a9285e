"""Python: a layer written in Python against pycaffe's interface.

    class Double(caffe_compat.Layer):            # PythonLayer, below
        def setup(self, bottom, top): ...        # once; may call self.blobs.add_blob(2, 3)
        def reshape(self, bottom, top):          # before every forward
            top[0].reshape(*bottom[0].shape)
        def forward(self, bottom, top):
            top[0].data[...] = 2 * bottom[0].data
        def backward(self, top, propagate_down, bottom):
            bottom[0].diff[...] = 2 * top[0].diff

Such a layer runs on the CPU whatever the net's device is, so each pass over it waits for the device.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer, Shape, as_tops, layer, nothing_multiplied
from caffe_compat.layers.common.legacy_shape import legacy_shape, reshape_learned, reshaped
from caffe_compat.proto import LayerParameter

# A net file can name any importable class and so run its code. Whoever calls the API chose the file;
# the command line sets this to False unless --allow-python-layers is given.
allow_python_layers = True


class _Sizes(ABC):
    """What a blob says of its shape."""

    _owner: Layer

    @property
    @abstractmethod
    def shape(self) -> Shape: ...

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    num = property(lambda self: legacy_shape(self._owner, self.shape)[0])
    channels = property(lambda self: legacy_shape(self._owner, self.shape)[1])
    height = property(lambda self: legacy_shape(self._owner, self.shape)[2])
    width = property(lambda self: legacy_shape(self._owner, self.shape)[3])


class Blob(_Sizes):
    """Two numpy arrays of one shape, `data` and `diff`, that a Python layer reads and writes.

    `reshape` keeps the values while they fit into the memory it already has, as Caffe's does.
    """

    def __init__(self, owner: Layer, shape: Sequence[int] = ()):
        self._owner = owner
        self._dtype = torch.zeros((), dtype=owner.context.dtype).numpy().dtype
        self._data = self._diff = np.zeros(0, self._dtype)
        self.reshape(*shape)

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def data(self) -> np.ndarray:
        return self._data[: self.count].reshape(self._shape)

    @property
    def diff(self) -> np.ndarray:
        if self._diff.size < self.count:
            self._diff = np.zeros(self._data.size, self._dtype)
        return self._diff[: self.count].reshape(self._shape)

    def reshape(self, *shape: int) -> None:
        """Take this shape; new memory, if it takes any, is zero."""
        shape = tuple(int(size) for size in shape)
        if any(size < 0 for size in shape):
            self._owner.fail(f"a blob cannot be reshaped to {shape}: {min(shape)} is negative")
        self._shape = shape
        if self.count > self._data.size:
            self._data = np.zeros(self.count, self._dtype)

    def hold(self, data: Tensor) -> None:
        """Show `data`: its very memory where that is a CPU's and contiguous, else a copy."""
        array = data.detach().to("cpu", self._owner.context.dtype).numpy()
        self._data, self._shape = array.reshape(-1), array.shape


class _LearnedBlob(_Sizes):
    """Blob `index` of a layer, wherever its tensor is now (loading and sharing may replace it)."""

    def __init__(self, owner: Layer, index: int):
        self._owner, self._index = owner, index
        # During a pass: what was handed out of another device's memory, to be brought back after it.
        self._copies: list[tuple[Tensor, np.ndarray]] | None = None
        self.gradient: Tensor | None = None  # stands in for `diff` while backward runs

    @property
    def shape(self) -> Shape:
        return tuple(self._owner.blobs[self._index].shape)

    @property
    def data(self) -> np.ndarray:
        return self._array(self._owner.owned_blobs()[self._index].detach())

    @property
    def diff(self) -> np.ndarray:
        if self.gradient is not None:
            return self._array(self.gradient)
        blob = self._owner.owned_blobs()[self._index]
        if blob.grad is None:
            blob.grad = torch.zeros_like(blob)
        return self._array(blob.grad)

    def reshape(self, *shape: int) -> None:
        """Take this shape, in the same memory if that is large enough, else zeros."""
        reshape_learned(self._owner, self._index, shape)
        if self.gradient is not None:
            self.gradient = reshaped(self.gradient, shape)

    def _array(self, tensor: Tensor) -> np.ndarray:
        for held, array in self._copies or ():
            if held.data_ptr() == tensor.data_ptr():
                return array.reshape(self.shape)
        array = tensor.cpu().numpy().reshape(self.shape)
        if tensor.device.type != "cpu":
            if self._copies is None:
                array.setflags(write=False)  # what is written here would be lost
            else:
                self._copies.append((tensor, array))
        return array

    def begin(self) -> None:
        """A pass begins: what is written into another device's memory will get there."""
        self._copies = []

    def end(self) -> None:
        """The pass is over: bring what was written to its device."""
        for tensor, array in self._copies or ():
            tensor.copy_(torch.from_numpy(array).view_as(tensor))
        self._copies = None


class LearnedBlobs(Sequence):
    """A Python layer's `blobs`; `add_blob(*shape)` in `setup` makes one of zeros."""

    def __init__(self, owner: Layer):
        self._owner = owner
        self._blobs: list[_LearnedBlob] = []

    def add_blob(self, *shape: int) -> None:
        self._owner.add_blob(shape)
        self._blobs.append(_LearnedBlob(self._owner, len(self._blobs)))

    def __getitem__(self, index: int | slice) -> Any:
        return self._blobs[index]

    def __len__(self) -> int:
        return len(self._blobs)

    def __iter__(self) -> Iterator[_LearnedBlob]:
        return iter(self._blobs)


class Phase(enum.IntEnum):
    """A layer's phase: the number that Caffe's phase is, printed as the name that py-faster-rcnn's Caffe printed.

    Its layers choose their options with `cfg[str(self.phase)]`, others with `self.phase == caffe.TRAIN` or 0.
    """

    TRAIN = 0
    TEST = 1

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else self.name


class PythonLayer:
    """What a Python layer's class derives from; pycaffe calls it `caffe.Layer`.

    Attributes: param_str (python_param.param_str; `param_str_` in Caffe's first version), phase (TRAIN 0, TEST 1;
    as text "TRAIN", "TEST"), blobs, type.
    A subclass defines setup(bottom, top), reshape(bottom, top), forward(bottom, top) and, where
    gradients are wanted, backward(top, propagate_down, bottom). Bottoms and tops are lists of Blob.
    """

    type = "Python"
    param_str: str
    param_str_: str
    phase: Phase
    blobs: LearnedBlobs

    def __init__(self, param: LayerParameter):
        self.layer_param = param


@layer("Python")
class Python(Layer):
    """tops = python_param.layer, a class in python_param.module, called on the bottoms

    Caffe: include/caffe/layers/python_layer.hpp
    Blobs: those that the class adds.
    share_in_parallel is read and means nothing, as in Caffe. `instance` is the user's object.
    """

    anchor: Tensor
    dynamic = True
    is_random = True
    multiply_adds = nothing_multiplied

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        p = param.python_param
        if not allow_python_layers:
            self.fail(
                f"would run {p.layer} of the Python module {p.module}, and code from a net file is run from the "
                "command line only if you say so; read the module, then give --allow-python-layers"
            )
        self.instance = self._create(p.module, p.layer)
        self.instance.param_str = self.instance.param_str_ = p.param_str
        self.instance.phase = Phase(phase)
        self.instance.blobs = LearnedBlobs(self)
        self.bottom: list[Blob] = []
        self.top: list[Blob] = []
        # Goes where the net goes: a layer without bottoms and blobs has nothing else to tell it the device.
        self.register_buffer("anchor", torch.zeros(0), persistent=False)

    def _create(self, module: str, name: str) -> Any:
        if "caffe" not in sys.modules and importlib.util.find_spec("caffe") is None:
            # Layers written for pycaffe import it by its own name.
            importlib.import_module("caffe_compat").install_as_caffe()
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            self.fail(f"cannot import python_param.module '{module}': {error}; put its folder on PYTHONPATH")
        except SyntaxError as error:
            self.fail(
                f"cannot import python_param.module '{module}': {error.filename}:{error.lineno}: {error.msg}; correct "
                "it, or convert it with 2to3 if it is written for Python 2"
            )
        cls = getattr(found, name, None)
        if not (isinstance(cls, type) and issubclass(cls, PythonLayer)):
            self.fail(
                f"python_param.layer '{name}' is not a class in module '{module}' that derives from caffe.Layer; "
                "correct the name or the class (another caffe may be installed: call install_as_caffe() first)"
            )
        return cls(self.param)

    def _call(self, method: str, *args: Any) -> None:
        if not hasattr(self.instance, method):
            self.fail(
                f"must run {method}, which class {type(self.instance).__name__} does not define; add it"
            )
        getattr(self.instance, method)(*args)

    def setup(self, *bottom: Shape) -> None:
        self.bottom = [Blob(self, shape) for shape in bottom]
        # In place, one blob is both, as in Caffe.
        shared = dict(zip(self.param.bottom, self.bottom, strict=True))
        self.top = [shared.get(name) or Blob(self) for name in self.param.top]
        self._call("setup", self.bottom, self.top)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for blob, shape in zip(self.bottom, bottom, strict=True):
            blob.reshape(*shape)
        self._call("reshape", self.bottom, self.top)
        return [blob.shape for blob in self.top]

    def is_source(self) -> bool:
        return not self.param.bottom

    def random_reason(self) -> str:
        return "runs the user's own code, which may be random"

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(self._run)(*bottom)
        return self._run(*bottom)

    def _run(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        return as_tops(
            _Run.apply(self, len(bottom), *bottom, *self.blobs) if self.top else self.compute(bottom)
        )

    def compute(self, bottom: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Reshape, then forward, on the values of `bottom`."""
        for blob, value in zip(self.bottom, bottom, strict=True):
            blob.hold(value.clone() if blob in self.top else value)
        with self._pass():
            self._call("reshape", self.bottom, self.top)
            self._call("forward", self.bottom, self.top)
        return tuple(torch.tensor(blob.data, device=self.anchor.device) for blob in self.top)

    def differentiate(
        self, bottom: Sequence[Tensor], top: Sequence[Tensor], diffs: Sequence[Tensor], wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of the bottoms, then of the blobs; None for those not `wanted`.

        A bottom's diff stays what it was, as in Caffe: some layers write it in forward. So does a shape that the
        layer has given it.
        """
        for blob, value in zip(self.bottom, bottom, strict=True):
            shape = blob.shape
            blob.hold(value)
            if math.prod(shape) == blob.count:
                blob.reshape(*shape)
        for blob, value, diff in zip(self.top, top, diffs, strict=True):
            blob.hold(value.clone())
            blob.diff[...] = diff.cpu().numpy()
        for learned in self.instance.blobs:
            learned.gradient = torch.zeros(learned.shape, dtype=self.context.dtype, device=self.anchor.device)
        with self._pass():
            self._call("backward", self.top, list(wanted[: len(bottom)]), self.bottom)
        gradients: list[Tensor | None] = [
            torch.tensor(blob.diff, device=self.anchor.device).view_as(value)
            for blob, value in zip(self.bottom, bottom, strict=True)
        ]
        for learned in self.instance.blobs:
            gradients.append(learned.gradient)
            learned.gradient = None
        return [gradient if want else None for gradient, want in zip(gradients, wanted, strict=True)]

    @contextmanager
    def _pass(self) -> Iterator[None]:
        for learned in self.instance.blobs:
            learned.begin()
        try:
            yield
        finally:
            for learned in self.instance.blobs:
                learned.end()


class _Run(torch.autograd.Function):
    """A Python layer as one node of the autograd graph: (layer, how many bottoms, *bottoms, *blobs) -> tops."""

    @staticmethod
    def forward(ctx, layer: Python, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        tops = layer.compute(tensors[:count])
        ctx.layer, ctx.count = layer, count
        ctx.save_for_backward(*tensors[:count], *tops)
        return tops

    @staticmethod
    def backward(ctx, *diffs: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        bottom, top = saved[: ctx.count], saved[ctx.count :]
        return None, None, *ctx.layer.differentiate(bottom, top, diffs, ctx.needs_input_grad[2:])
