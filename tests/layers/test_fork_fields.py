"""Fields of Caffe's forks: a layer or solver that does not act on one refuses it."""

import pytest

from caffe_compat.errors import LayerError, SolverError
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import TRAIN, LayerParameter, SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver


@pytest.mark.parametrize(
    "text, names",
    [
        ("type: 'Scale' batch_norm_param { scale_bias: true eps: 1 }", "batch_norm_param.scale_bias"),
        ("type: 'ImageData' data_param { shuffle: true cache: true threads: 3 }", "data_param.shuffle"),
        (
            "type: 'Data' transform_param { crop_h: 4 crop_w: 3 }",
            "transform_param.crop_h, transform_param.crop_w",
        ),
        (
            "type: 'HingeLoss' loss_param { normalization: PRE_FIXED }",
            "loss_param.normalization: PRE_FIXED",
        ),
        ("type: 'ReLU' pooling_param { ceil_mode: false }", "pooling_param.ceil_mode"),
    ],
)
def test_refused_by_layers(text, names):
    param = parse(f"name: 'x' {text}", LayerParameter)
    param.origin = "n.prototxt:7"
    with pytest.raises(LayerError) as caught:
        create_layer(param, TRAIN)
    expected = f"n.prototxt:7: layer 'x' ({param.type}): {names}: a fork of Caffe's, which this layer does not act on"
    assert str(caught.value) == f"{expected}; remove it, or give --ignore-unknown-fields"


def test_taken_by_layers_that_act_on_them():
    create_layer(
        parse("type: 'Pooling' pooling_param { ceil_mode: false kernel_size: 3 }", LayerParameter), TRAIN
    )
    create_layer(
        parse("type: 'Data' data_param { cache: true threads: 3 parser_threads: 2 }", LayerParameter), TRAIN
    )


def test_what_forks_say_of_blobs_is_the_solvers_business():
    product = "type: 'InnerProduct' param { regularization_type: 'L1' } inner_product_param { num_output: 4 }"
    create_layer(parse(product, LayerParameter), TRAIN)
    data = "type: 'DummyData' top: 'x' dummy_data_param { shape { dim: 2 dim: 3 } }"
    net = f"layer {{ name: 'd' {data} }} layer {{ name: 'i' bottom: 'x' top: 'y' {product} }}"
    solver = parse(
        f"net_param {{ {net} }} lr_policy: 'fixed' base_lr: 1 max_iter: 1", SolverParameter, "s.prototxt"
    )
    with pytest.raises(
        SolverError, match="param.regularization_type: a fork of Caffe's, which this solver does not"
    ):
        Solver(solver)


def test_refused_by_solvers():
    with pytest.raises(
        SolverError,
        match="s.prototxt: larc_turbo: a fork of Caffe's, which this solver does not act on",
    ):
        Solver(
            parse(
                "max_lr: 3 cyclical_momentum: 2 larc_turbo: true warmup_iter: 5",
                SolverParameter,
                "s.prototxt",
            )
        )
