"""The mean picture of a database.

Caffe: tools/compute_image_mean.cpp. Sums are float32, one record after the other, as Caffe adds them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from caffe_compat.errors import DataError


def mean_image(images: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of pictures (C, H, W) of one size, float32 (C, H, W).

    Raises DataError if there is none, or one has another size than the first, giving its number.
    """
    total: np.ndarray | None = None
    count = 0
    for image in images:
        if total is None:
            total = np.zeros(image.shape, np.float32)
        if image.size != total.size:
            raise DataError(
                f"record {count} has {image.size} values {image.shape} and the first {total.size} {total.shape}; "
                "a mean needs pictures of one size: make the database again with --resize_height and --resize_width"
            )
        total += image.reshape(total.shape)
        count += 1
    if total is None:
        raise DataError("there are no records to take the mean of; give a database that is not empty")
    return total / np.float32(count)


def channel_means(mean: np.ndarray) -> list[np.float32]:
    """The mean of each channel of a mean picture (C, H, W), summed in float32 in Caffe's order."""
    planes = mean.reshape(len(mean), -1)
    return [np.add.accumulate(plane, dtype=np.float32)[-1] / np.float32(plane.size) for plane in planes]
