"""A small net on a data set of a real Caffe, and its solver: for tests of replicas and of resuming."""

import io
import re
from pathlib import Path

import torch

from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"
REPLICAS, BATCH = 3, 7

DATA = f"""
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ mean_file: "mean.binaryproto" scale: 0.0625 crop_size: 10 mirror: true }}
  data_param {{ source: "data_lmdb" batch_size: {BATCH} backend: LMDB }} }}
layer {{ name: "noise" type: "DummyData" top: "noise"
  dummy_data_param {{ shape {{ dim: {BATCH} dim: 6 dim: 5 dim: 4 }} data_filler {{ type: "gaussian" std: 0.5 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 6 kernel_h: 3 kernel_w: 4 pad_h: 1 stride: 2 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" batch_norm_param {{ moving_average_fraction: 0.9 }} }}
layer {{ name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param {{ bias_term: true }} }}
layer {{ name: "sum" type: "Eltwise" bottom: "bn" bottom: "noise" top: "sum" }}
"""
HEAD = """
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 1.5
  loss_param { ignore_label: 0 } }
layer { name: "small" type: "Reduction" bottom: "sum" top: "small" loss_weight: 0.02
  reduction_param { operation: SUMSQ axis: 1 } }
"""

# Layers between `sum` and the head (which they rebind) that keep the replicas from running as one.
MIXING = {
    "Concat": """layer { name: "a" type: "Slice" bottom: "sum" top: "s1" top: "s2" slice_param { axis: 0 slice_point: 3 } }
        layer { name: "mix" type: "Concat" bottom: "s2" bottom: "s1" top: "mixed" concat_param { axis: 0 } }""",
    "BatchReindex": """layer { name: "order" type: "DummyData" top: "order"
          dummy_data_param { shape { dim: 7 } data_filler { type: "constant" value: 2 } } }
        layer { name: "mix" type: "BatchReindex" bottom: "sum" bottom: "order" top: "mixed" }""",
    "Reshape": f"""layer {{ name: "mix" type: "Reshape" bottom: "sum" top: "mixed"
          reshape_param {{ shape {{ dim: {BATCH} dim: 120 }} }} }}""",
}  # fmt: skip


def make(text, replicas=REPLICAS, rank=None, ranks=None, dtype=torch.float64):
    """The TRAIN net of `text`; the same random numbers each time."""
    param = parse(text, NetParameter, "test.prototxt")
    param.state.phase = TRAIN
    generator = torch.Generator().manual_seed(5)
    return Net(param, context=Context(generator, replicas=replicas, rank=rank, ranks=ranks, dtype=dtype))


SOLVER = """
base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 3 momentum: 0.9 weight_decay: 0.004
display: 1 max_iter: 8 snapshot: 4 snapshot_prefix: "run" random_seed: 11
"""


def solver(text=DATA + HEAD, log=None, extra="", **options):
    param = parse(SOLVER + extra, SolverParameter, "solver.prototxt")
    param.net_param.CopyFrom(parse(text, NetParameter, "net.prototxt"))
    return Solver(param, log=log or Log(io.StringIO(), progress=False), **options)


def blobs(trained):
    return [blob.tensor.detach().clone() for blob in trained.net.learned] + trained.rule.history


def text_of(trained):
    return re.sub(r"(?m)^.*?\] |\(\S+ iter/s, \S+ iters\)", "", trained.log._stream.getvalue())


DROPOUT = '\nlayer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" }\n'
