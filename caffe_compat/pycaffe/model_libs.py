"""`caffe.model_libs` of SSD's Caffe: nets and heads that model scripts add to a NetSpec.

    from caffe.model_libs import *
    net = caffe.NetSpec()
    net.data, net.label = CreateAnnotatedDataLayer(source, batch_size=8, label_map_file=..., batch_sampler=...)
    VGGNetBody(net, "data", fully_conv=True, reduced=True, dilated=True, dropout=False)
    layers = CreateMultiBoxHead(net, from_layers=["conv4_3", "fc7"], num_classes=21, min_sizes=[30, 60], ...)

Layers have the names that published weights have. A `bn_param` may be eps, moving_average_fraction or
use_global_stats of the BatchNorm layers. DeconvBNLayer, EltwiseLayer and CreateRefineDetHead are RefineDet's.
"""

# `import *` gives a script all that is named here; a list of names would leave L and P out.
# ruff: noqa: F401
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from caffe_compat import pycaffe as caffe
from caffe_compat.errors import nearest
from caffe_compat.proto import TEST, TRAIN, caffe_pb2
from caffe_compat.proto.net_spec import NetSpec, Top
from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.pycaffe.ssd_nets.blocks import (
    ConvBNLayer,
    CreateAnnotatedDataLayer,
    DeconvBNLayer,
    EltwiseLayer,
    Pair,
    UnpackVariable,
)
from caffe_compat.pycaffe.ssd_nets.heads import CreateMultiBoxHead, CreateRefineDetHead
from caffe_compat.pycaffe.ssd_nets.inception import InceptionTower, InceptionV3Body
from caffe_compat.pycaffe.ssd_nets.resnet import ResBody, ResNet50Body, ResNet101Body, ResNet152Body
from caffe_compat.pycaffe.ssd_nets.vgg import VGGNetBody, ZFNetBody


def check_if_exist(path: str) -> bool:
    return os.path.exists(path)


def make_if_not_exist(path: str) -> None:
    os.makedirs(path, exist_ok=True)
