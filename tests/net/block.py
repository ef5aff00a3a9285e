"""A net with the layers that graph passes join, for tests."""

import torch

from caffe_compat.layers.base import Context
from caffe_compat.net.net import Net
from caffe_compat.proto import TRAIN, NetParameter, text

NET = """
name: "block"
layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 6 dim: 3 dim: 9 dim: 8 } shape { dim: 6 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "c1" top: "bn1" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "sc1" type: "Scale" bottom: "bn1" top: "bn1" scale_param { bias_term: true filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "r1" type: "ReLU" bottom: "bn1" top: "bn1" }
layer { name: "c2" type: "Convolution" bottom: "bn1" top: "c2"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn2" type: "BatchNorm" bottom: "c2" top: "c2" }
layer { name: "sc2" type: "Scale" bottom: "c2" top: "c2" }
layer { name: "sum" type: "Eltwise" bottom: "bn1" bottom: "c2" top: "sum" }
layer { name: "r2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "acc" type: "Accuracy" bottom: "y" bottom: "label" top: "acc" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""


def make(phase=TRAIN, replicas=1):
    param = text.parse(NET, NetParameter, "net.prototxt")
    param.state.phase = phase
    generator = torch.Generator().manual_seed(3)
    return Net(
        param,
        context=Context(generator, replicas=replicas, rank=None if replicas > 1 else 0, dtype=torch.float64),
    )


def batch(replicas=1):
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(6 * replicas, 3, 9, 8, generator=draw, dtype=torch.float64)
    return x, torch.tensor([0.0, 4, 2, 1, 3, 2], dtype=torch.float64).repeat(replicas)


def state(net):
    return [blob.detach().clone() for layer in net.layers for blob in layer.blobs.parameters()]


def gradients(net):
    """None counts as 0: a bias that a normalisation takes off again has none in the fused graph."""
    return [torch.zeros_like(t) if t.grad is None else t.grad for t in (blob.tensor for blob in net.learned)]
