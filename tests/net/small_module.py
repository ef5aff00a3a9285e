"""A small net as a torch.nn.Module, for tests."""

import torch

from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.net.module import module
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter, text

SMALL = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 6 dim: 1 dim: 9 dim: 8 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "fc" bottom: "label" top: "acc" }
"""
PARAMETERS = [f"{layer}.blobs.{i}" for layer in ("conv", "scale", "fc") for i in (0, 1)]
STATISTICS = [f"bn.blobs.{i}" for i in range(3)]


def net(prototxt=SMALL, phase=TRAIN, dtype=torch.float32):
    param = text.parse(prototxt, NetParameter, "net.prototxt")
    param.state.phase = phase
    return Net(param, context=Context(torch.Generator().manual_seed(1), dtype=dtype))


def trained(batch, prototxt=SMALL, phase=TRAIN):
    """A module whose BatchNorm has seen two batches, in eval()."""
    made = module(net(prototxt, phase)).train()
    for _ in range(2):
        made(*batch)
    return made.eval()


def state(made):
    return {name: value.clone() for name, value in made.state_dict().items()}


def same(one, other):
    assert list(one) == list(other)
    return all(torch.equal(value, other[name]) for name, value in one.items())
