"""Inputs become a layer, and BatchNorm's rates go."""

import pytest

from caffe_compat.errors import ParseError
from tests.proto.upgrade.nets import check, upgraded


@pytest.mark.parametrize(
    "old, new",
    [
        ("input: 'a' input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4",
         "layer { name: 'input' type: 'Input' top: 'a' input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }"),
        ("input: 'a' input: 'b' input_dim: [1, 2, 3, 4, 5, 6, 7, 8]",
         ("layer { name: 'input' type: 'Input' top: 'a' top: 'b' input_param { "
         "shape { dim: [1, 2, 3, 4] } shape { dim: [5, 6, 7, 8] } } }")),
        ("input: 'a' input: 'b' input_shape { dim: [2, 3] } input_shape { dim: 5 }",
         "layer { name: 'input' type: 'Input' top: 'a' top: 'b' input_param { shape { dim: [2, 3] } shape { dim: 5 } } }"),
        ("input: 'a' input_shape { dim: 6 } input_dim: [1, 2, 3, 4]",
         "layer { name: 'input' type: 'Input' top: 'a' input_param { shape { dim: 6 } } }"),
        ("input: 'a'", ""),
    ],
    ids=["dim", "dims", "shapes", "shape wins", "old caffemodel"],
)  # fmt: skip
def test_inputs_become_a_layer_in_front(old, new):
    check(
        f"name: 'n' {old} layer {{ name: 'x' bottom: 'a' }}",
        f"name: 'n' {new} layer {{ name: 'x' bottom: 'a' }}",
    )


@pytest.mark.parametrize(
    "old, message",
    [
        ("input: 'a' input: 'b' input_dim: [1, 2, 3, 4]",
         "old.prototxt: 2 input fields need 8 input_dim, found 4; give four each, or use input_shape"),
        ("input: 'a' input: 'b' input_shape { dim: 4 }", "old.prototxt: 2 input fields but 1 input_shape; give one each"),
    ],
)  # fmt: skip
def test_inputs_without_all_their_dimensions(old, message):
    with pytest.raises(ParseError, match=message):
        upgraded(old)


def test_batch_norm_with_three_params():
    check(
        "layer { type: 'BatchNorm' param { name: 'm' lr_mult: 1 } param { } param { decay_mult: 2 } }"
        "layer { type: 'BatchNorm' param { lr_mult: 1 } }"
        "layer { type: 'Scale' param { } param { } param { } }",
        "layer { type: 'BatchNorm' param { name: 'm' lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } "
        "param { lr_mult: 0 decay_mult: 0 } }"
        "layer { type: 'BatchNorm' param { lr_mult: 1 } }"
        "layer { type: 'Scale' param { } param { } param { } }",
    )
