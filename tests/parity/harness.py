"""Bundles for tests: the dump tool run with this package in Caffe's place, and nets that have everything in them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import caffe_compat.pycaffe
import caffe_compat.pycaffe.state
from caffe_compat import proto
from caffe_compat.proto import caffe_pb2

ROOT = Path(__file__).parents[2]

# Pooling that rounds up, averages over pads and a clipped edge, a normalisation over channels, statistics, a sum with
# factors, a transposed weight, and labels of which some do not count.
NET = """
name: "everything"
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 6 dim: 4 dim: 13 dim: 11 } shape { dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 }
    bias_filler { type: "constant" value: 0.1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv"
  scale_param { bias_term: true filler { type: "uniform" min: 0.5 max: 2 } bias_filler { type: "constant" value: 0.3 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: 0.1 } }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 1.5 } }
layer { name: "max" type: "Pooling" bottom: "norm" top: "max" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "mean" type: "Pooling" bottom: "norm" top: "mean"
  pooling_param { pool: AVE kernel_h: 3 kernel_w: 4 stride: 2 pad_h: 1 pad_w: 1 } }
layer { name: "flat" type: "InnerProduct" bottom: "mean" top: "flat" inner_product_param { num_output: 7 transpose: true
  weight_filler { type: "gaussian" std: 0.2 } bias_filler { type: "constant" value: 0.2 } } }
layer { name: "flat2" type: "InnerProduct" bottom: "max" top: "flat2"
  inner_product_param { num_output: 7 weight_filler { type: "gaussian" std: 0.2 } } }
layer { name: "sum" type: "Eltwise" bottom: "flat" bottom: "flat2" top: "sum" eltwise_param { coeff: 0.5 coeff: -2 } }
layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" dropout_param { dropout_ratio: 0.3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" loss_weight: 3
  loss_param { ignore_label: 2 } }
"""

# The same idea without chance, for iterations: what the data layer serves is the same in each.
SMALL = """
layer { name: "in" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 5 dim: 3 dim: 7 dim: 6 } shape { dim: 5 }
  data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""

SOLVER = 'net: "{net}" base_lr: 0.1 lr_policy: "step" stepsize: 2 gamma: 0.5 momentum: 0.9 weight_decay: 0.01 max_iter: 9\n'


def load_tool() -> ModuleType:
    """tools/dump_caffe_reference.py as a module."""
    spec = importlib.util.spec_from_file_location(
        "dump_caffe_reference", ROOT / "tools/dump_caffe_reference.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stand_in_for_caffe(patch: pytest.MonkeyPatch) -> None:
    """`import caffe` gives this package, until the test is over."""
    patch.setitem(sys.modules, "caffe", caffe_compat.pycaffe)
    patch.setitem(sys.modules, "caffe.proto", proto)
    patch.setitem(sys.modules, "caffe.proto.caffe_pb2", caffe_pb2)
    patch.setattr(caffe_compat.pycaffe.state, "_gpu", False)


def dump(folder: Path, *arguments: str) -> Path:
    """Run the dump tool with `arguments`; returns the bundle's folder inside `folder`."""
    out = folder / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        stand_in_for_caffe(patch)
        assert load_tool().main([*arguments, "--out", str(out)]) == 0
    return out


def dump_net(folder: Path, text: str = NET, *arguments: str) -> Path:
    """The bundle of a net, in TRAIN unless the arguments say otherwise."""
    (folder / "given.prototxt").write_text(text)
    arguments = arguments or ("--phase", "TRAIN")
    return dump(folder, "--net", str(folder / "given.prototxt"), *arguments)


def dump_solver(folder: Path, net: str = SMALL, solver: str = SOLVER, *arguments: str) -> Path:
    """The bundle of a solver: first pass, and iterations."""
    (folder / "given.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver.format(net=folder / "given.prototxt"))
    return dump(folder, "--solver", str(folder / "solver.prototxt"), *arguments)


def rewrite(folder: Path, change) -> None:
    """Let `change` edit the dict of a bundle's arrays."""
    path = folder / "bundle.npz"
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    change(arrays)
    np.savez(path, **arrays)
