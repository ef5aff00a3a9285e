"""Multiply-adds, against what the layers' definitions say for small shapes, and published numbers for whole nets."""

import pytest

from caffe_compat.inspect import costs
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
    ("BN", "bn_param { bn_mode: INFERENCE }", [(2, 3, 5, 4)], 120),
    ("EltwiseAffine", "", [(2, 3, 5, 4)], 120),
    ("Normalize", "", [(2, 3, 5, 4)], 120),
    ("Axpy", "", [(2, 3), (2, 3, 5, 4), (2, 3, 5, 4)], 120),
    ("Bias", "", [(2, 3, 5, 4)], 0),
    ("Parameter", "parameter_param { shape { dim: 3 dim: 4 } }", [], 0),
    # as Convolution's, whatever the weights are made into
    *(
        (kind, "convolution_param { num_output: 6 kernel_size: 3 }", [(2, 5, 7, 9)], 2 * 6 * 5 * 7 * 5 * 9)
        for kind in ("TernaryConvolution", "BinaryConvolution", "ConvolutionRistretto", "Winograd", "MKLConvolution")
    ),
    ("ConvolutionDepthwise", "convolution_param { kernel_size: 3 }", [(2, 8, 5, 6)], 2 * 8 * 3 * 4 * 9),
    ("TernaryInnerProduct", "inner_product_param { num_output: 7 }", [(2, 3, 5)], 2 * 7 * 15),
    ("FcRistretto", "inner_product_param { num_output: 7 }", [(2, 3, 5)], 2 * 7 * 15),
    ("Convolution3D", "convolution3d_param { num_output: 6 kernel_size: 3 kernel_depth: 2 }", [(2, 5, 4, 7, 9)], 2 * 6 * 3 * 5 * 7 * 5 * 18),
    ("Deconvolution3D", "convolution3d_param { num_output: 6 kernel_size: 3 kernel_depth: 2 }", [(2, 5, 4, 7, 9)], 2 * 5 * 4 * 7 * 9 * 6 * 18),
    ("Local", "local_param { num_output: 6 kernel_size: 3 }", [(2, 5, 7, 9)], 2 * 6 * 5 * 7 * 5 * 9),
    ("DeformableConvolution", "deformable_convolution_param { num_output: 6 kernel_size: 3 deformable_group: 1 }", [(2, 5, 7, 9), (2, 18, 5, 7)], 2 * 6 * 5 * 7 * 5 * 9),
    # the static input goes through its weights once a stream
    ("LSTM", "recurrent_param { num_output: 6 }", [(3, 2, 5), (3, 2), (2, 7)], 2 * 4 * 6 * (3 * (5 + 6) + 7)),
    # and of an RNN the state through one more matrix to the output
    ("RNN", "recurrent_param { num_output: 6 }", [(3, 2, 5), (3, 2)], 3 * 2 * 6 * (5 + 6 + 6)),
    ("Lstm", "lstm_param { num_output: 6 batch_size: 2 }", [(8, 5)], 8 * 4 * 6 * (5 + 6)),
    ("LSTMNode", "lstm_param { num_cells: 6 }", [(2, 11), (2, 6)], 2 * 4 * 6 * 11),
    # gates from 5 maps and 4 by 3 x 3 kernels, and three factors of the cell
    ("ConvLSTM", "lstm_conv_param { num_output: 4 kernel_size: 3 pad: 1 }", [(3, 2, 5, 6, 7), (3, 2)], 3 * 2 * 4 * 42 * (4 * 9 * (5 + 4) + 3)),
    # 5 capsules of 4 to votes for 3 of 6
    ("CapsuleTransform", "capsule_transform_param { input_capsule_dim: 4 output_capsule_dim: 6 output_capsule_num: 3 }", [(2, 20)], 2 * 5 * 4 * 18),
    ("CapsuleRouting", "capsule_routing_param { input_capsule_num: 5 output_capsule_num: 3 output_capsule_dim: 6 }", [(2, 5, 18)], 2 * 5 * 18),
    # the votes, weighed three times and compared twice
    ("Cap", "cap_param { input_capsule_dim: 4 output_capsule_dim: 6 output_capsule_num: 3 }", [(2, 20)], 2 * 5 * 18 * (4 + 3 + 2)),
    ("MarginInnerProduct", "margin_inner_product_param { num_output: 7 type: SINGLE }", [(2, 5), (2,)], 2 * 7 * 5),
    ("LargeMarginInnerProduct", "largemargin_inner_product_param { num_output: 7 type: SINGLE }", [(2, 5), (2,)], 2 * 7 * 5),
    ("InnerDistance", "inner_distance_param { num_output: 7 }", [(2, 5)], 2 * 7 * 5),
    ("CenterLoss", "center_loss_param { num_output: 7 }", [(2, 5), (2,)], 2 * 5),
    # two turns of three 3 x 3 matrices at each of 2 x 20 positions, and the means of two 3 x 3 windows
    ("NormConvMeanfield", "norm_conv_meanfield_param { num_iterations: 2 kernel_size: 3 kernel_size: 3 pad: 1 pad: 1 }",
     [(2, 3, 5, 4), (2, 3, 5, 4), (2, 6, 5, 4), (2, 7, 5, 4)], 2 * 2 * 3 * 20 * (3 * 3 + 18)),
    ("MultiStageMeanfield", "multi_stage_meanfield_param { num_iterations: 2 theta_alpha: 1 theta_beta: 1 theta_gamma: 1 }", [(2, 4, 5, 6), (2, 4, 5, 6), (2, 3, 5, 6)], 2 * 2 * 30 * 3 * 16),
    # 5 x 5 moves of 3 channels
    ("Correlation", "correlation_param { kernel_size: 1 max_displacement: 2 pad: 2 }", [(2, 3, 5, 4), (2, 3, 5, 4)], 2 * 25 * 20 * 3),
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
    tops = "top: 't' top: 'c'" if kind == "LSTMNode" else "top: 't'"
    reads = " ".join(f"bottom: '{n}'" for n in names)
    net = Outline(
        parse(f"{inputs} layer {{ name: 'x' type: '{kind}' {reads} {tops} {text} }}", NetParameter)
    ).net
    tops = [net.blob_shapes[name] for name in net.top_names[-1]]
    assert net.layers[-1].multiply_adds(bottoms, tops) == count
    assert costs.of_net(net) == count


def test_a_layer_of_ones_own_may_count():
    class Mine(Layer):
        def multiply_adds(self, bottom, top):
            return 6

    param = parse("layer { name: 'x' type: 'Mine' }", NetParameter).layer[0]
    assert Layer(param, 0).multiply_adds([(2, 3)], [(2, 3)]) == 0
    assert Mine(param, 0).multiply_adds([(2, 3)], [(2, 3)]) == 6


# height and width, the widths of convolutions, "M" for a pooling of 2
VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def test_vgg16():
    """15.5 G multiply-adds, as published (arXiv 1409.1556; 15.47 G with the classifier)."""
    lines, top = (
        [
            "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } } }"
        ],
        "x",
    )
    for i, width in enumerate(VGG16):
        what = (
            "type: 'Pooling' pooling_param { kernel_size: 2 stride: 2 }"
            if width == "M"
            else f"type: 'Convolution' convolution_param {{ num_output: {width} kernel_size: 3 pad: 1 }}"
        )
        lines.append(f"layer {{ name: 'l{i}' {what} bottom: '{top}' top: 'l{i}' }}")
        top = f"l{i}"
    for i, width in enumerate((4096, 4096, 1000)):
        lines.append(
            f"layer {{ name: 'fc{i}' type: 'InnerProduct' bottom: '{top}' top: 'fc{i}' inner_product_param {{ num_output: {width} }} }}"
        )
        top = f"fc{i}"
    assert costs.of_net(Outline(parse("\n".join(lines), NetParameter)).net) == 15_470_264_320
