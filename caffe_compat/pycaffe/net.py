"""pycaffe's Net over this package's net.

Nets run layer by layer (net.layerwise), so every blob and diff can be read, written and passed through
any range of layers, as in pycaffe.

Source: python/caffe/pycaffe.py and python/caffe/_caffe.cpp.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from caffe_compat.errors import CaffeError, LayerError, ParseError, WeightsError
from caffe_compat.layers.base import Context
from caffe_compat.layers.dummy_data import DummyData
from caffe_compat.layers.memory_data import MemoryData
from caffe_compat.layers.python import Python
from caffe_compat.net import weights as weight_files
from caffe_compat.net.module import Module, module
from caffe_compat.net.net import Net as CoreNet
from caffe_compat.proto import NetParameter, text
from caffe_compat.pycaffe import state
from caffe_compat.pycaffe.batches import batches, fill, without_padding
from caffe_compat.pycaffe.blob import Blob, LayerView, LearnedBlob, NetBlob, in_step

Path = str | bytes | os.PathLike


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


def _read(path: Path, phase: int, level: int, stages: list[str] | None) -> NetParameter:
    with _openable():
        param = text.read_net(os.fsdecode(path), state.log())
    param.state.phase = phase
    param.state.level = level
    param.state.stage.extend(stages or [])
    return param


def _build(param: NetParameter) -> CoreNet:
    core = CoreNet(
        param, context=Context(generator=state.generator()), log=state.log(), device=state.device()
    )
    core.execution = state.execution()
    for layer in core.layers:
        # Its fillers, too, draw from the stream that set_random_seed sets.
        if isinstance(layer, DummyData):
            layer.generator = state.generator()
    return core


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
        param = _read(network_file, phase, positional.get("level", level), positional.get("stages", stages))
        core = _build(param)
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
        self,
        blobs: list[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: ArrayLike,
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
                fill(self.blobs[name].data, np.asarray(value), "Input", name)
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
        self,
        diffs: list[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: ArrayLike,
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
                fill(self.blobs[name].diff, np.asarray(value), "Diff", name)
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in dict.fromkeys(wanted)}

    def _backward(self, start: int, end: int) -> None:
        with self.on_device():
            self.core.layerwise.backward(start, end)

    def on_device(self) -> AbstractContextManager[None]:
        """Around everything that reads or changes blobs where they live."""
        return in_step([*self.blobs.values(), *(blob for layer in self.layers for blob in layer.blobs)])

    def _index(self, name: str) -> int:
        if name not in self.core.layer_names:
            raise ValueError(f"{name!r} is not a layer of this net")
        return self.core.layer_names.index(name)

    def forward_all(self, blobs: list[str] | None = None, **kwargs: ArrayLike) -> dict[str, np.ndarray]:
        """Forward any number of items, batch by batch; the last batch is padded and the padding dropped."""
        results: dict[str, list[np.ndarray]] = {name: [] for name in self.outputs + list(blobs or [])}
        for batch in batches(kwargs, self._batch_size()):
            for name, values in self.forward(blobs, None, None, **batch).items():
                results[name].extend(values.copy())
        return without_padding(results, kwargs)

    def forward_backward_all(
        self, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: ArrayLike
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Forward and backward any number of items, batch by batch."""
        results: dict[str, list[np.ndarray]] = {name: [] for name in self.outputs + list(blobs or [])}
        gradients: dict[str, list[np.ndarray]] = {name: [] for name in self.inputs + list(diffs or [])}
        size = self._batch_size()
        forward = batches({name: kwargs[name] for name in self.inputs if name in kwargs}, size)
        backward = batches({name: kwargs[name] for name in self.outputs if name in kwargs}, size)
        nothing: dict[str, np.ndarray] = {}
        for inputs, outputs in zip_longest(forward, backward, fillvalue=nothing):
            for name, values in self.forward(blobs, None, None, **inputs).items():
                results[name].extend(values.copy())
            for name, values in self.backward(diffs, None, None, **outputs).items():
                gradients[name].extend(values.copy())
        return without_padding(results, kwargs), without_padding(gradients, kwargs)

    def _batch_size(self) -> int:
        return next(iter(self.blobs.values())).shape[0]

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
        first = self.core.layers[0]
        if not isinstance(first, MemoryData):
            raise LayerError("set_input_arrays may only be called if the first layer is a MemoryDataLayer")
        first.reset(data, labels)

    def module(self) -> Module:
        """The net as a torch.nn.Module: called with the data blobs in order, it returns (loss, {output: tensor}).

        It has the net's own blobs as parameters and buffers `<layer>.blobs.<index>`, follows train() and eval(), pickles,
        and takes batches of any size; see net.module.Module.
        """
        return module(self.core)
