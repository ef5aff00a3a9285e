"""Mean pictures, bit for bit as Caffe adds them up."""

import numpy as np
import pytest

from caffe_compat.data.base import open_source
from caffe_compat.data.mean import channel_means, mean_image
from caffe_compat.data.records import pictures
from caffe_compat.errors import DataError
from caffe_compat.proto.binary import read_binaryproto, write_binaryproto


def test_golden_mean(reference, tmp_path):
    mean = mean_image(pictures(open_source("LMDB", str(reference / "data" / "raw_lmdb"))))
    np.testing.assert_array_equal(mean, read_binaryproto(reference / "data" / "mean.binaryproto")[0])
    write_binaryproto(tmp_path / "m", mean[None])
    assert (tmp_path / "m").read_bytes() == (reference / "data" / "mean.binaryproto").read_bytes()


def test_sums_are_float32_one_after_the_other():
    big = np.full((1, 1, 2), 2.0**24, np.float32)
    small = np.ones((1, 1, 2), np.float32)
    # 2^24 + 1 + 1 is 2^24 in float32: each 1 is lost. The other order keeps both.
    assert mean_image([big, small, small])[0, 0, 0] == np.float32(2.0**24) / np.float32(3)
    assert mean_image([small, small, big])[0, 0, 0] == np.float32(2.0**24 + 2) / np.float32(3)


def test_channel_means():
    mean = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
    for value, plane in zip(channel_means(mean), mean, strict=True):
        total = np.float32(0)
        for number in plane.ravel():
            total += number
        assert value == total / np.float32(12)


def test_refusals():
    with pytest.raises(DataError, match="there are no records to take the mean of"):
        mean_image([])
    with pytest.raises(
        DataError, match=r"record 1 has 4 values \(1, 2, 2\) and the first 6 \(1, 2, 3\); a mean needs"
    ):
        mean_image([np.zeros((1, 2, 3), np.uint8), np.zeros((1, 2, 2), np.uint8)])
