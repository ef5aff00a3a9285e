"""Multiply-adds, against what the layers' definitions say for small shapes."""

import pytest

from caffe_compat.inspect.costs import multiply_adds
from caffe_compat.inspect.outline import Outline
from caffe_compat.layers.base import Layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse

CASES = [
    # 2 pictures, 6 outputs of 4 x 3, each a sum over 5 channels and a 3 x 2 kernel
    ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 kernel_size: 2 stride: 2 }", [(2, 5, 9, 7)], 2 * 6 * 4 * 3 * 5 * 6),
    ("Convolution", "convolution_param { num_output: 6 kernel_size: 1 group: 3 }", [(2, 9, 5, 4)], 2 * 6 * 5 * 4 * 3),
    ("DepthwiseConvolution", "convolution_param { num_output: 8 kernel_size: 3 group: 8 }", [(2, 8, 5, 6)], 2 * 8 * 3 * 4 * 9),
    # every one of 2 x 5 x 4 x 3 values goes through a 3 x 2 kernel to 6 outputs
    ("Deconvolution", "convolution_param { num_output: 6 kernel_size: 3 kernel_size: 2 }", [(2, 5, 4, 3)], 2 * 5 * 4 * 3 * 6 * 6),
    ("InnerProduct", "inner_product_param { num_output: 7 }", [(2, 3, 5)], 2 * 7 * 15),
    ("InnerProduct", "inner_product_param { num_output: 7 transpose: true axis: 2 }", [(2, 3, 5)], 2 * 3 * 7 * 5),
    # 4 gates of 6 from an input of 5 and a state of 6, for 3 steps of 2 streams
    ("LSTM", "recurrent_param { num_output: 6 }", [(3, 2, 5), (3, 2)], 3 * 2 * 4 * 6 * (5 + 6)),
    ("BatchNorm", "", [(2, 3, 5, 4)], 120),
    ("Scale", "scale_param { bias_term: true }", [(2, 3, 5, 4)], 120),
    ("PReLU", "", [(2, 3, 5, 4)], 120),
    ("Pooling", "pooling_param { kernel_size: 2 }", [(2, 3, 5, 4)], 0),
    ("Embed", "embed_param { input_dim: 9 num_output: 4 }", [(2, 3)], 0),
]  # fmt: skip


@pytest.mark.parametrize(
    "kind, text, bottoms, count", CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_counts(kind, text, bottoms, count):
    names = [f"b{i}" for i in range(len(bottoms))]
    inputs = "".join(
        f"layer {{ name: '{n}' type: 'Input' top: '{n}' input_param {{ shape {{ {' '.join(f'dim: {d}' for d in s)} }} }} }}"
        for n, s in zip(names, bottoms, strict=True)
    )
    reads = " ".join(f"bottom: '{n}'" for n in names)
    net = Outline(
        parse(f"{inputs} layer {{ name: 'x' type: '{kind}' {reads} top: 't' {text} }}", NetParameter)
    ).net
    assert multiply_adds(net.layers[-1], bottoms, [net.blob_shapes["t"]]) == count


def test_a_layer_of_ones_own_may_count():
    class Mine(Layer):
        pass

    layer = Mine(parse("layer { name: 'x' type: 'Mine' }", NetParameter).layer[0], 0)
    assert multiply_adds(layer, [(2, 3)], [(2, 3)]) == 0
    multiply_adds.register(Mine, lambda layer, bottom, top: 6)
    assert multiply_adds(layer, [(2, 3)], [(2, 3)]) == 6
