"""A layer that says per_record keeps the records of a batch apart, so that several replicas may be one batch."""

import re

import pytest
import torch

from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse

REPLICAS = 3

# (what is in `layer { }`, bottom shapes of one replica, whether records stay apart); the cases of tests/layers all run
# for two replicas at once too, if their layer says `per_record`
PER_RECORD = [
    *((f'type: "{t}"', [(4, 3, 5)], True) for t in
      ("AbsVal", "BNLL", "ELU", "Exp", "Power", "ReLU", "Sigmoid", "Swish", "TanH", "Threshold", "PReLU")),
    ('type: "Log" log_param { shift: 9 }', [(4, 3, 5)], True),
    ('type: "Clip" clip_param { min: -0.3 max: 0.4 }', [(4, 3, 5)], True),
    ('type: "Dropout" dropout_param { dropout_ratio: 0 }', [(4, 3, 5)], True),
    ('type: "Silence"', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { top_k: 2 }', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { axis: 1 out_max_val: true }', [(4, 3, 5)], True),
    ('type: "ArgMax" argmax_param { axis: 0 }', [(4, 3, 5)], False),
    ('type: "ArgMax" argmax_param { axis: -3 }', [(4, 3, 5)], False),
    ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', [(4, 3, 5, 2)], True),
    ('type: "Bias"', [(4, 3, 5)], True),
    ('type: "Bias" bias_param { axis: 0 num_axes: 1 }', [(4, 3, 5)], False),
    ('type: "Bias" bias_param { axis: 0 num_axes: 0 }', [(4, 3, 5)], True),
    ('type: "Bias" bias_param { axis: 0 }', [(4, 3, 5), (4, 3)], True),
    ('type: "Bias" bias_param { axis: 1 }', [(4, 3, 5), (3,)], False),
    ('type: "Scale" scale_param { bias_term: true filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { num_axes: -1 filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { axis: 0 filler { type: "gaussian" } }', [(4, 3, 5)], False),
    ('type: "Scale" scale_param { axis: 0 num_axes: 0 bias_term: true filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "Scale" scale_param { axis: 0 }', [(4, 3, 5), (4,)], True),
    ('type: "Scale" scale_param { axis: 1 }', [(4, 3, 5), (3, 5)], False),
    ('type: "Concat"', [(4, 3, 5), (4, 2, 5)], True),
    ('type: "Concat" concat_param { axis: 0 }', [(4, 3, 5), (6, 3, 5)], False),
    ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 2 weight_filler { type: "gaussian" } }',
     [(3, 4, 5, 7)], True),
    ('type: "Deconvolution" convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "gaussian" } }',
     [(3, 4, 5, 7)], True),
    ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 axis: 0 weight_filler { type: "gaussian" } }',
     [(3, 4)], False),
    ('type: "Im2col" convolution_param { kernel_size: 2 }', [(3, 4, 5, 7)], True),
    ('type: "Crop" crop_param { axis: 2 offset: 1 }', [(3, 4, 7, 6), (3, 2, 5, 3)], True),
    ('type: "Crop" crop_param { axis: 0 }', [(5, 4, 7), (3, 2, 6)], False),
    ('type: "Eltwise"', [(4, 3, 5), (4, 3, 5)], True),
    ('type: "Eltwise" eltwise_param { operation: MAX }', [(4, 3, 5), (4, 3, 5), (4, 3, 5)], True),
    ('type: "Eltwise" eltwise_param { operation: PROD }', [(4, 3, 5), (4, 3, 5)], True),
    ('type: "Embed" embed_param { input_dim: 9 num_output: 4 weight_filler { type: "gaussian" } }', ["index"], True),
    ('type: "Flatten"', [(4, 3, 5)], True),
    ('type: "Flatten" flatten_param { axis: 0 end_axis: 1 }', [(4, 3, 5)], False),
    ('type: "InnerProduct" inner_product_param { num_output: 6 weight_filler { type: "gaussian" } }', [(4, 3, 5)], True),
    ('type: "InnerProduct" inner_product_param { num_output: 6 axis: 2 transpose: true weight_filler { type: "gaussian" } }',
     [(4, 3, 5)], True),
    ('type: "InnerProduct" inner_product_param { num_output: 6 axis: 0 }', [(4, 3, 5)], False),
    ('type: "LRN" lrn_param { local_size: 3 }', [(3, 6, 5, 4)], True),
    ('type: "LRN" lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }', [(3, 6, 5, 4)], True),
    ('type: "MVN"', [(3, 4, 5, 7)], True),
    ('type: "MVN" mvn_param { across_channels: true }', [(3, 4, 5, 7)], True),
    *((f'type: "Pooling" pooling_param {{ pool: {pool} kernel_size: 3 stride: 2 }}', [(3, 4, 5, 7)], True)
      for pool in ("MAX", "AVE")),
    ('type: "Pooling" top: "y" top: "mask" pooling_param { kernel_size: 2 }', [(3, 4, 5, 7)], True),
    ('type: "Pooling" pooling_param { pool: AVE global_pooling: true }', [(3, 4, 5, 7)], True),
    ('type: "PReLU" prelu_param { channel_shared: true filler { type: "constant" value: 0.3 } }', [(4, 3, 5)], True),
    ('type: "Reduction" reduction_param { axis: 1 operation: ASUM }', [(4, 3, 5)], True),
    ('type: "Reduction" reduction_param { axis: -1 operation: MEAN }', [(4, 3, 5)], True),
    ('type: "Reduction"', [(4, 3, 5)], False),
    ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { axis: 1 shape { dim: 5 dim: 3 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { axis: 1 num_axes: 0 shape { dim: 1 } }', [(4, 3, 5)], True),
    ('type: "Reshape" reshape_param { shape { dim: 4 dim: 15 } }', [(4, 3, 5)], False),
    ('type: "Slice" top: "a" top: "b"', [(4, 6, 5)], True),
    ('type: "Slice" top: "a" top: "b" slice_param { axis: 0 }', [(4, 6, 5)], False),
    ('type: "Softmax"', [(4, 3, 5)], True),
    ('type: "Softmax" softmax_param { axis: 0 }', [(4, 3, 5)], False),
    ('type: "SPP" spp_param { pyramid_height: 2 pool: MAX }', [(3, 4, 5, 7)], True),
    ('type: "Tile" tile_param { tiles: 3 }', [(4, 2, 5)], True),
    ('type: "Tile" tile_param { axis: 0 tiles: 3 }', [(4, 2, 5)], False),
]  # fmt: skip


def layer_type(text):
    return re.search(r'type: "(\w+)"', text)[1]


def one_layer(text, shapes):
    """The layer, set up for the bottoms of one replica, in float64."""
    param = parse(f'layer {{ name: "l" {text} }}', NetParameter, "test.prototxt").layer[0]
    param.bottom.extend(f"x{i}" for i in range(len(shapes)))
    if not param.top and layer_type(text) != "Silence":
        param.top.append("y")
    layer = create_layer(param, TRAIN, Context(torch.Generator().manual_seed(2), dtype=torch.float64))
    layer.setup(*shapes)
    layer.reshape(*shapes)
    return layer


@pytest.mark.parametrize(
    ("text", "shapes", "apart"), PER_RECORD, ids=[layer_type(row[0]) for row in PER_RECORD]
)
def test_per_record_is_true(text, shapes, apart):
    """A layer that says per_record gives for the rows of all replicas at once what it gives for each replica's."""
    random = torch.Generator().manual_seed(3)
    sizes = [(5,) if shape == "index" else shape for shape in shapes]
    layer = one_layer(text, sizes)
    assert layer.per_record() is apart
    if not apart:
        return
    bottoms = [
        torch.randint(9, (REPLICAS * size[0], *size[1:]), generator=random).double()
        if shape == "index"
        else torch.randn(REPLICAS * size[0], *size[1:], generator=random, dtype=torch.float64)
        for shape, size in zip(shapes, sizes, strict=True)
    ]
    together = as_tuple(layer(*bottoms))
    for replica in range(REPLICAS):
        alone = as_tuple(layer(*(bottom[replica::REPLICAS] for bottom in bottoms)))
        assert len(alone) == len(together)
        for one, whole in zip(alone, together, strict=True):
            torch.testing.assert_close(whole[replica::REPLICAS], one)


def as_tuple(tops):
    return tops if isinstance(tops, tuple) else (tops,)
