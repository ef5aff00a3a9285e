"""pycaffe's Net and Blob over this package's net.

Blobs are numpy views that write through. Nets run layer by layer (net.layerwise), so every blob and
diff can be read, written and passed through any range of layers, as in pycaffe.

Source: python/caffe/pycaffe.py and python/caffe/_caffe.cpp.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, LayerError, ParseError, WeightsError
from caffe_compat.layers.base import Context
from caffe_compat.layers.common.legacy_shape import reshape_learned
from caffe_compat.layers.dummy_data import DummyData
from caffe_compat.layers.python import Python
from caffe_compat.net import weights as weight_files
from caffe_compat.net.module import Module, module
from caffe_compat.net.net import Net as CoreNet
from caffe_compat.proto import text
from caffe_compat.pycaffe import state

Path = str | bytes | os.PathLike


class Blob(ABC):
    """An N-dimensional array of values (`data`) and gradients (`diff`), both numpy views that write through.

    On a GPU the views are copies on the host; what was written into them goes to the GPU before the next run
    of the net, and the run's results come back into them after it.
    """

    def __init__(self) -> None:
        self._copies: dict[str, _HostCopy] = {}

    @abstractmethod
    def _tensor(self, kind: str) -> Tensor:
        """The values ("data") or the gradient ("diff") where the net keeps them."""

    @property
    def data(self) -> np.ndarray:
        return self._view("data")

    @property
    def diff(self) -> np.ndarray:
        return self._view("diff")

    def _view(self, kind: str) -> np.ndarray:
        tensor = self._tensor(kind)
        if _on_host(tensor):
            return tensor.numpy()
        if kind not in self._copies or self._copies[kind].host.shape != tensor.shape:
            self._copies[kind] = _HostCopy(tensor)
        return self._copies[kind].host.numpy()

    @property
    def copied(self) -> bool:
        """Whether there are views of it that live in another memory."""
        return bool(self._copies)

    def push(self) -> None:
        """Send what was written into views of a GPU blob to the GPU."""
        for kind, copy in self._copies.items():
            copy.push(self._tensor(kind))

    def pull(self) -> None:
        """Bring a GPU blob's values into its views."""
        for kind, copy in list(self._copies.items()):
            tensor = self._tensor(kind)
            if tensor.shape == copy.host.shape:
                copy.pull(tensor)
            else:
                del self._copies[kind]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._tensor("data").shape)

    @property
    def count(self) -> int:
        return self._tensor("data").numel()

    num = property(lambda self: self._legacy(0))
    channels = property(lambda self: self._legacy(1))
    height = property(lambda self: self._legacy(2))
    width = property(lambda self: self._legacy(3))

    def _legacy(self, axis: int) -> int:
        shape = self.shape
        if len(shape) > 4:
            raise ValueError(
                f"a blob of {len(shape)} axes {shape} has no num, channels, height and width; use shape"
            )
        return shape[axis] if axis < len(shape) else 1

    @abstractmethod
    def reshape(self, *shape: int) -> None:
        """Give the blob another shape: the same memory, if that is large enough, else zeros."""


class _HostCopy:
    """A tensor of the GPU on the host, and what it was when they were last equal."""

    def __init__(self, tensor: Tensor):
        self.host = tensor.detach().to("cpu", copy=True)
        self._known = self.host.clone()

    def push(self, tensor: Tensor) -> None:
        if not torch.equal(self.host, self._known):
            tensor.copy_(self.host)
            self._known.copy_(self.host)

    def pull(self, tensor: Tensor) -> None:
        self.host.copy_(tensor)
        self._known.copy_(self.host)


def _on_host(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


class NetBlob(Blob):
    """A blob that flows between layers."""

    def __init__(self, core: CoreNet, name: str):
        super().__init__()
        self._core, self._name = core, name

    def _tensor(self, kind: str) -> Tensor:
        runner = self._core.layerwise
        if kind == "diff":
            return runner.diff(self._name)
        runner.pin(self._name)
        return runner.data(self._name)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._core.layerwise.data(self._name).shape)

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape; `Net.reshape` or the next forward carries it through the net."""
        self._core.layerwise.reshape_blob(self._name, tuple(shape))


class LearnedBlob(Blob):
    """A blob that a layer owns or shares."""

    def __init__(self, layer: Any, index: int):
        super().__init__()
        self._layer, self._index = layer, index

    def _tensor(self, kind: str) -> Tensor:
        owner = self._layer.owned_blobs()[self._index]
        shape = self._layer.blobs[self._index].shape
        if kind == "data":
            owner.shown = True  # the view may be written to, which no counter tells; see net/fuse.py
            return owner.detach().view(shape)
        if owner.grad is None:
            owner.grad = torch.zeros_like(owner)
        return owner.grad.view(shape)

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape (net surgery)."""
        reshape_learned(self._layer, self._index, shape)


class LayerView:
    """pycaffe's Layer: its type and blobs."""

    def __init__(self, layer: Any):
        self._layer = layer
        self.type: str = layer.type
        self.blobs = [LearnedBlob(layer, index) for index in range(len(layer.blobs))]


class NotOpened(CaffeError, RuntimeError):
    """A net or weights file that cannot be read, for which pycaffe raises RuntimeError."""


@contextmanager
def _openable() -> Iterator[None]:
    try:
        yield
    except (ParseError, WeightsError) as error:
        if isinstance(error.__cause__, OSError):
            raise NotOpened(str(error)) from error
        raise


class Net:
    """A net in one phase, as pycaffe has it.

    Net(network_file, phase, level=0, stages=None, weights=None), or the old Net(network_file, weights, phase).

    Raises:
        NotOpened (a RuntimeError): a file cannot be read.
        NetError, LayerError, ParseError, WeightsError: see the message.

    Source: python/caffe/_caffe.cpp (Net_Init).
    """

    def __init__(
        self,
        network_file: Path,
        *args: Any,
        phase: int | None = None,
        level: int = 0,
        stages: list[str] | None = None,
        weights: Path | None = None,
    ):
        old = bool(args) and isinstance(args[0], str | bytes | os.PathLike)  # file, weights, phase
        if old:
            weights, args = args[0], args[1:]
        positional = dict(zip(("phase", "level", "stages", "weights"), args, strict=False))
        phase = positional.get("phase", phase)
        if phase is None:
            raise TypeError("Net needs a phase: caffe.TRAIN or caffe.TEST")
        if old:
            state.log().old_net(os.fsdecode(network_file), phase, os.fsdecode(weights or ""))
        with _openable():
            param = text.read_net(os.fsdecode(network_file), state.log())
        param.state.phase = phase
        param.state.level = positional.get("level", level)
        param.state.stage.extend(positional.get("stages", stages) or [])
        core = CoreNet(
            param, context=Context(generator=state.generator()), log=state.log(), device=state.device()
        )
        for layer in core.layers:
            # Its fillers, too, draw from the stream that set_random_seed sets.
            if isinstance(layer, DummyData):
                layer.generator = state.generator()
        weights = positional.get("weights", weights)
        if weights is not None:
            with _openable():
                weight_files.copy_trained_layers_from(core, os.fsdecode(weights))
        self._wrap(core)

    @classmethod
    def over(cls, core: CoreNet) -> Net:
        """The pycaffe view of a net that exists already, such as a solver's."""
        net = cls.__new__(cls)
        net._wrap(core)
        return net

    def _wrap(self, core: CoreNet) -> None:
        self.core = core
        core.observed = True
        self.name = core.name
        self.blobs: OrderedDict[str, Blob] = OrderedDict((n, NetBlob(core, n)) for n in core.blob_names)
        # A Python layer is the user's own object, as in pycaffe.
        self.layers = [
            layer.instance if isinstance(layer, Python) else LayerView(layer) for layer in core.layers
        ]

    # -- what it is made of -------------------------------------------------------------------

    @property
    def _layer_names(self) -> list[str]:
        return self.core.layer_names

    @property
    def _blob_names(self) -> list[str]:
        return self.core.blob_names

    @property
    def _blob_names_index(self) -> dict[str, int]:
        """Places in `_blob_names`; dosovits/caffe-fr-chairs."""
        return {name: place for place, name in enumerate(self._blob_names)}

    @property
    def _blobs(self) -> list[Blob]:
        return list(self.blobs.values())

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    # Blobs by their place in `_blob_names`.

    @property
    def _inputs(self) -> list[int]:
        return self._ids(self.inputs)

    @property
    def _outputs(self) -> list[int]:
        return self._ids(self.outputs)

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._ids(self.core.bottom_names[layer])

    def _top_ids(self, layer: int) -> list[int]:
        return self._ids(self.core.top_names[layer])

    def _ids(self, names: list[str]) -> list[int]:
        return [self._blob_names.index(name) for name in names]

    @property
    def params(self) -> OrderedDict[str, list[LearnedBlob]]:
        """Learned blobs by layer name, for the layers that have any."""
        pairs = zip(self.core.layer_names, self.layers, strict=True)
        return OrderedDict((name, layer.blobs) for name, layer in pairs if layer.blobs)

    @property
    def layer_dict(self) -> OrderedDict[str, LayerView]:
        return OrderedDict(zip(self.core.layer_names, self.layers, strict=True))

    @property
    def inputs(self) -> list[str]:
        return list(self.core.inputs)

    @property
    def outputs(self) -> list[str]:
        return list(self.core.outputs)

    @property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict(
            (n, list(t)) for n, t in zip(self.core.layer_names, self.core.top_names, strict=True)
        )

    @property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict(
            (n, list(b)) for n, b in zip(self.core.layer_names, self.core.bottom_names, strict=True)
        )

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        return OrderedDict((name, self.core.output_weights.get(name, 0.0)) for name in self.core.blob_names)

    # -- running ------------------------------------------------------------------------------

    def forward(
        self, blobs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Run layers `start` to `end` (names, both included); keyword arguments fill the input blobs.

        Returns the net's outputs (or those of `end`) and the blobs named in `blobs`, by name.
        """
        first = self._index(start) if start is not None else 0
        last = self._index(end) if end is not None else len(self.layers) - 1
        wanted = (self.top_names[end] if end is not None else self.outputs) + list(blobs or [])
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise ValueError(
                    f"Input blob arguments {sorted(kwargs)} do not match net inputs {sorted(self.inputs)}."
                )
            for name, value in kwargs.items():
                self._fill(self.blobs[name].data, np.asarray(value), "Input", name)
        self._forward(first, last)
        return {name: self.blobs[name].data for name in dict.fromkeys(wanted)}

    def _forward(self, start: int, end: int) -> float:
        with self.on_device():
            return float(self.core.layerwise.forward(start, end))

    # DeePSiM's Caffe, whose GAN scripts run nets one by one.

    def forward_simple(self) -> None:
        """Run all layers, with the input blobs as they stand."""
        self.forward()

    def backward_simple(self) -> None:
        """Run all layers back, from the loss weights; the diffs of learned blobs add up, as in `backward`."""
        self.backward()

    def backward(
        self, diffs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Run layers `start` back to `end` (names, both included); keyword arguments fill output diffs.

        Returns the diffs of the net's inputs (or of the bottoms of `end`) and of the blobs named in `diffs`.
        """
        first = self._index(start) if start is not None else len(self.layers) - 1
        last = self._index(end) if end is not None else 0
        wanted = (self.bottom_names[end] if end is not None else self.inputs) + list(diffs or [])
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise ValueError(
                    f"Top diff arguments {sorted(kwargs)} do not match net outputs {sorted(self.outputs)}."
                )
            for name, value in kwargs.items():
                self._fill(self.blobs[name].diff, np.asarray(value), "Diff", name)
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in dict.fromkeys(wanted)}

    def _backward(self, start: int, end: int) -> None:
        with self.on_device():
            self.core.layerwise.backward(start, end)

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Around everything that reads or changes blobs where they live: see Blob.push and Blob.pull."""
        blobs = [*self.blobs.values(), *(blob for layer in self.layers for blob in layer.blobs)]
        blobs = [blob for blob in blobs if isinstance(blob, Blob)]
        for blob in blobs:
            if blob.copied:
                blob.push()
        try:
            yield
        finally:
            for blob in blobs:
                if blob.copied:
                    blob.pull()

    def _fill(self, target: np.ndarray, value: np.ndarray, what: str, name: str) -> None:
        if value.ndim and target.ndim and value.shape[0] != target.shape[0]:
            raise ValueError(
                f"{what} is not batch sized: '{name}' has {value.shape[0]} items and the blob {target.shape[0]}"
            )
        try:
            target[...] = value
        except ValueError:
            raise ValueError(
                f"{what} of shape {value.shape} does not fit '{name}', which has the shape {target.shape}"
            ) from None

    def _index(self, name: str) -> int:
        if name not in self.core.layer_names:
            raise ValueError(f"{name!r} is not a layer of this net")
        return self.core.layer_names.index(name)

    def forward_all(self, blobs: list[str] | None = None, **kwargs: Any) -> dict[str, np.ndarray]:
        """Forward any number of items, batch by batch; the last batch is padded and the padding dropped."""
        results: dict[str, list[np.ndarray]] = {name: [] for name in self.outputs + list(blobs or [])}
        for batch in self._batch(kwargs):
            for name, values in self.forward(blobs, None, None, **batch).items():
                results[name].extend(values.copy())
        return self._without_padding(results, kwargs)

    def forward_backward_all(
        self, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Forward and backward any number of items, batch by batch."""
        results: dict[str, list[np.ndarray]] = {name: [] for name in self.outputs + list(blobs or [])}
        gradients: dict[str, list[np.ndarray]] = {name: [] for name in self.inputs + list(diffs or [])}
        forward = self._batch({name: kwargs[name] for name in self.inputs if name in kwargs})
        backward = self._batch({name: kwargs[name] for name in self.outputs if name in kwargs})
        nothing: dict[str, np.ndarray] = {}
        for inputs, outputs in zip_longest(forward, backward, fillvalue=nothing):
            for name, values in self.forward(blobs, None, None, **inputs).items():
                results[name].extend(values.copy())
            for name, values in self.backward(diffs, None, None, **outputs).items():
                gradients[name].extend(values.copy())
        return self._without_padding(results, kwargs), self._without_padding(gradients, kwargs)

    def _batch(self, blobs: dict[str, Any]) -> Iterator[dict[str, np.ndarray]]:
        if not blobs:
            return
        arrays = {name: np.asarray(values) for name, values in blobs.items()}
        count = len(next(iter(arrays.values())))
        size = next(iter(self.blobs.values())).shape[0]
        for start in range(0, count, size):
            batch = {name: values[start : start + size] for name, values in arrays.items()}
            missing = size - min(size, count - start)
            if missing:
                batch = {
                    n: np.concatenate([v, np.zeros((missing, *v.shape[1:]), v.dtype)])
                    for n, v in batch.items()
                }
            yield batch

    @staticmethod
    def _without_padding(
        results: dict[str, list[np.ndarray]], given: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        count = len(next(iter(given.values()))) if given else None
        return {name: np.asarray(values)[:count] for name, values in results.items()}

    def reshape(self) -> None:
        """Carry the shapes of reshaped input blobs through the net."""
        self.core.reshape()
        for name, shape in self.core.blob_shapes.items():
            self.core.layerwise.reshape_blob(name, shape)

    def clear_param_diffs(self) -> None:
        """Set the diffs of all learned blobs to zero."""
        with self.on_device():
            self.core.clear_param_diffs()

    # -- hooks, called with the layer's index -------------------------------------------------

    def before_forward(self, hook: Callable[[int], None]) -> None:
        self.core.layerwise.before_forward.append(hook)

    def after_forward(self, hook: Callable[[int], None]) -> None:
        self.core.layerwise.after_forward.append(hook)

    def before_backward(self, hook: Callable[[int], None]) -> None:
        self.core.layerwise.before_backward.append(hook)

    def after_backward(self, hook: Callable[[int], None]) -> None:
        self.core.layerwise.after_backward.append(hook)

    # -- files and sharing --------------------------------------------------------------------

    def copy_from(self, path: str) -> None:
        """Copy blobs from a caffemodel (binary or HDF5) into the layers of the same names."""
        with self.on_device():
            weight_files.copy_trained_layers_from(self.core, str(path))

    load_hdf5 = copy_from

    def save(self, path: str) -> None:
        """Write a binary caffemodel."""
        with self.on_device():
            weight_files.save(self.core, str(path))

    def save_hdf5(self, path: str) -> None:
        """Write an HDF5 caffemodel."""
        with self.on_device():
            weight_files.save_hdf5(self.core, str(path))

    def share_with(self, other: Net) -> None:
        """Use the other net's blobs in the layers of the same names."""
        with self.on_device(), other.on_device():
            self.core.share_trained_layers_with(other.core)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Feed the MemoryData layer that must be this net's first."""
        first: Any = self.core.layers[0]
        if first.type != "MemoryData":
            raise LayerError("set_input_arrays may only be called if the first layer is a MemoryDataLayer")
        first.reset(data, labels)

    def module(self) -> Module:
        """The net as a torch.nn.Module: called with the data blobs in order, it returns (loss, {output: tensor}).

        It has the net's own blobs as parameters and buffers `<layer>.blobs.<index>`, follows train() and eval(), pickles,
        and takes batches of any size; see net.module.Module.
        """
        return module(self.core)
