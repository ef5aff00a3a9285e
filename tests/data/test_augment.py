"""What is done to a picture before the crop, one step at a time."""

import numpy as np
import pytest

from caffe_compat.data import augment
from caffe_compat.proto import DistortionParameter, ResizeParameter
from caffe_compat.proto.text import parse
from tests.forks.ssd.test_annotated_data import picture


@pytest.mark.parametrize("mode, value", [("CONSTANT", 77), ("REPEAT_NEAREST", 10), ("MIRRORED", 10)])
def test_padding(mode, value):
    text = f"resize_mode: FIT_LARGE_SIZE_AND_PAD height: 80 width: 80 pad_mode: {mode} pad_value: 77"
    result = augment.resize(
        picture(0).transpose(1, 2, 0), parse(text, ResizeParameter), np.random.default_rng(0)
    )
    assert result.shape == (80, 80, 3) and (result[:10] == value).all() and (result[70:] == value).all()


def test_hue_and_saturation():

    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 2] = 200
    grey = parse("saturation_prob: 1 saturation_lower: 0 saturation_upper: 0", DistortionParameter)
    assert (augment.distorted(red, grey, np.random.default_rng(0)) == 200).all()
    turned = parse("hue_prob: 1 hue_delta: 60", DistortionParameter)
    results = [augment.distorted(red, turned, np.random.default_rng(i)) for i in range(6)]
    assert all(r.max() == 200 for r in results) and any((r[..., 1] > 0).all() for r in results)
