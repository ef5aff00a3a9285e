"""Arrays of any number of items cut into a net's batches, filled into its blobs, and put together again.

Source: python/caffe/pycaffe.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike


def fill(target: np.ndarray, value: np.ndarray, what: str, name: str) -> None:
    """Write `value` into the array of the blob `name`. Raises ValueError if it does not fit."""
    if value.ndim and target.ndim and value.shape[0] != target.shape[0]:
        raise ValueError(
            f"{what} is not batch sized: '{name}' has {value.shape[0]} items and the blob {target.shape[0]}"
        )
    try:
        target[...] = value
    except ValueError:
        raise ValueError(
            f"{what} of shape {value.shape} does not fit '{name}', which has the shape {target.shape}"
        ) from None


def batches(blobs: Mapping[str, ArrayLike], size: int) -> Iterator[dict[str, np.ndarray]]:
    """`size` items of every array at a time; the last ones are padded with zeros."""
    if not blobs:
        return
    arrays = {name: np.asarray(values) for name, values in blobs.items()}
    count = len(next(iter(arrays.values())))
    for start in range(0, count, size):
        batch = {name: values[start : start + size] for name, values in arrays.items()}
        missing = size - min(size, count - start)
        if missing:
            batch = {
                n: np.concatenate([v, np.zeros((missing, *v.shape[1:]), v.dtype)]) for n, v in batch.items()
            }
        yield batch


def without_padding(
    results: Mapping[str, list[np.ndarray]], given: Mapping[str, ArrayLike]
) -> dict[str, np.ndarray]:
    """The results of the items that were given, less those of what the last batch was padded with."""
    count = len(np.asarray(next(iter(given.values())))) if given else None
    return {name: np.asarray(values)[:count] for name, values in results.items()}
