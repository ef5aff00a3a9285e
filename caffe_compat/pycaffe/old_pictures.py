"""scipy.misc's pictures, for scripts that still use them (see old_names). They need Pillow, as they did there.

Pictures are (height, width) or (height, width, channels) arrays; what is not uint8 is spread over 0 to 255 when it becomes
a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from caffe_compat.errors import MissingExtra

_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}  # Pillow's numbers


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("pillow", "scipy.misc's pictures") from error
    return Image


def bytescale(
    data: np.ndarray, cmin: float | None = None, cmax: float | None = None, high: int = 255, low: int = 0
) -> np.ndarray:
    """`data` as uint8, with cmin (the least value unless given) at `low` and cmax at `high`; uint8 stays as it is."""
    if data.dtype == np.uint8:
        return data
    least = data.min() if cmin is None else cmin
    span = (data.max() if cmax is None else cmax) - least
    if span < 0:
        raise ValueError(f"cmax {cmax} is below cmin {cmin}")
    scaled = (data - least) * ((high - low) / (span or 1)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(
    arr: ArrayLike,
    high: int = 255,
    low: int = 0,
    cmin: float | None = None,
    cmax: float | None = None,
    mode: str | None = None,
    channel_axis: int | None = None,
) -> Any:
    """A Pillow image of an array; three axes need one of 3 or 4 channels, wherever it lies."""
    data = np.asarray(arr)
    if data.ndim == 2 and mode == "F":
        return _pillow().fromarray(data.astype(np.float32))
    if data.ndim == 2 and mode == "I":
        return _pillow().fromarray(data.astype(np.int32))
    axis = channel_axis
    if data.ndim == 3 and axis is None:
        axis = next((data.shape.index(n) for n in (3, 4) if n in data.shape), None)
    if data.ndim != 2 and (data.ndim != 3 or axis is None or data.shape[axis] not in (3, 4)):
        raise ValueError(f"an array of shape {data.shape} is no picture: 2 axes, or 3 with 3 or 4 channels")
    scaled = bytescale(data, cmin, cmax, high, low)
    if data.ndim == 3:
        scaled = np.moveaxis(scaled, axis or 0, -1)
    image = _pillow().fromarray(np.ascontiguousarray(scaled))
    return image if mode in (None, image.mode) else image.convert(mode)


def fromimage(im: Any, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """The array of a Pillow image, first turned into `mode`; with `flatten` gray as float32."""
    if mode is not None:
        im = im.convert(mode)
    elif im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        im = im.convert("F")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im)


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """The picture in a file (RGB)."""
    return fromimage(_pillow().open(name), flatten, mode)


def imsave(name: Any, arr: ArrayLike, format: str | None = None) -> None:
    """Write an array as a picture."""
    image = toimage(arr, channel_axis=2)
    image.save(name) if format is None else image.save(name, format)


def imresize(arr: ArrayLike, size: Any, interp: str = "bilinear", mode: str | None = None) -> np.ndarray:
    """The picture as uint8 at another size: (height, width), a percentage (int) or a fraction (float)."""
    image = toimage(arr, mode=mode)
    if isinstance(size, int | np.integer | float | np.floating):
        factor = size / 100 if isinstance(size, int | np.integer) else size
        width, height = (int(side * factor) for side in image.size)
    else:
        height, width = (int(side) for side in size[:2])
    return fromimage(image.resize((width, height), _FILTERS[interp]))


def imrotate(arr: ArrayLike, angle: float, interp: str = "bilinear") -> np.ndarray:
    """The picture turned by `angle` degrees against the clock, at its size."""
    return fromimage(toimage(arr).rotate(angle, _FILTERS[interp]))


NAMES = {f.__name__: f for f in (bytescale, fromimage, imread, imresize, imrotate, imsave, toimage)}
