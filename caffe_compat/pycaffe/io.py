"""Images and arrays in and out: pycaffe's caffe.io.

Images are (height, width, channels) float32 arrays in [0, 1], RGB, as matplotlib shows them; nets want
(channels, height, width), mostly BGR in [0, 255]: Transformer goes from one to the other.

Source: python/caffe/io.py. Where that used scikit-image, this uses OpenCV to decode and numpy to resize.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from caffe_compat.data.images import imdecode, opencv
from caffe_compat.errors import DataError, MissingExtra
from caffe_compat.proto import (  # noqa: F401 - scripts take caffe_pb2 from here
    BlobProto,
    BlobProtoVector,
    Datum,
    binary,
    caffe_pb2,
)

# Scripts lean on modules that pycaffe's loads for itself: they say `import PIL`, and then PIL.Image.
for _name in ("PIL.Image", "google.protobuf.text_format"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)


def __getattr__(name: str) -> Any:
    """Names that pycaffe's module imported for itself, and scripts take from it: caffe.io.resize."""
    if name == "zoom":
        try:
            return importlib.import_module("scipy.ndimage").zoom
        except ImportError as error:
            raise MissingExtra("scipy", "caffe.io.zoom") from error
    try:
        if name == "skimage":
            importlib.import_module("skimage.io")
            return importlib.import_module("skimage")
        if name == "resize":
            return importlib.import_module("skimage.transform").resize
    except ImportError as error:
        raise MissingExtra("scikit-image", f"caffe.io.{name}") from error
    raise AttributeError(f"module 'caffe.io' has no attribute {name!r}")


# -- messages ---------------------------------------------------------------------------------


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> np.ndarray:
    """The data, or the diff, of a BlobProto as a float64 array.

    Raises ValueError if the number of values is not what the shape says, ParseError for raw_data that is damaged.
    """
    if blob.HasField("raw_diff" if return_diff else "raw_data"):
        values = (binary.raw_diff(blob) if return_diff else binary.blob_to_array(blob)).astype(np.float64)
    else:
        # Some versions of protobuf would make it float32.
        values = np.array(
            (blob.double_diff or blob.diff) if return_diff else (blob.double_data or blob.data), np.float64
        )
    if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
        return values.reshape(blob.num, blob.channels, blob.height, blob.width)
    return values.reshape(tuple(blob.shape.dim))


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """A BlobProto of an array of any number of axes, and of a diff of the same shape."""
    blob = BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).flat)
    if diff is not None:
        blob.diff.extend(diff.astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """The bytes of a BlobProtoVector of these arrays."""
    return BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(data: bytes) -> list[np.ndarray]:
    """The arrays in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in BlobProtoVector.FromString(data).blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Datum:
    """A Datum of a (channels, height, width) array: uint8 as bytes, anything else as floats.

    Raises ValueError if the array has not three axes.
    """
    if arr.ndim != 3:
        raise ValueError(f"Incorrect array shape: {arr.shape} has {arr.ndim} axes, a datum needs 3")
    datum = Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Datum) -> np.ndarray:
    """The (channels, height, width) array in a Datum: uint8 if it holds bytes, else float64. The label stays behind.

    Raises ValueError if the datum holds an encoded picture.
    """
    if datum.encoded:
        raise ValueError(
            "the datum holds an encoded picture (PNG, JPEG ...), not pixels; decode datum.data with OpenCV"
        )
    values = np.frombuffer(datum.data, np.uint8).copy() if datum.data else np.array(datum.float_data, float)
    return values.reshape(datum.channels, datum.height, datum.width)


# -- inputs of nets ---------------------------------------------------------------------------


class Transformer:
    """Makes pictures into inputs of a net, and inputs into pictures.

    Args:
        inputs: the shape of each input blob by name, such as {"data": net.blobs["data"].data.shape}.

    Every setting is an input's own, and none is made unless set.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def _check(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise ValueError(f"{in_} is not one of the net inputs: {list(self.inputs)}")

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """A float32 input for the net from a (height, width, channels) array.

        In this order: resize to the input's height and width, transpose, reorder channels, times raw_scale,
        minus mean, times input_scale.
        """
        self._check(in_)
        out = data.astype(np.float32, copy=False)
        size = tuple(self.inputs[in_][2:])
        if out.shape[:2] != size:
            out = resize_image(out, size)
        if in_ in self.transpose:
            out = out.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            out = out[np.asarray(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            out = out * self.raw_scale[in_]
        if in_ in self.mean:
            out = out - self.mean[in_]
        if in_ in self.input_scale:
            out = out * self.input_scale[in_]
        return out.astype(np.float32, copy=False)

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The picture that `preprocess` made into `data`, at the input's size."""
        self._check(in_)
        out = data.copy().squeeze()
        if in_ in self.input_scale:
            out = out / self.input_scale[in_]
        if in_ in self.mean:
            out = out + self.mean[in_]
        if in_ in self.raw_scale:
            out = out / self.raw_scale[in_]
        if in_ in self.channel_swap:
            out = out[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            out = out.transpose(np.argsort(self.transpose[in_]))
        return out.astype(data.dtype, copy=False)

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order of the picture's axes: (2, 0, 1) makes height x width x channels into channels x height x width."""
        self._check(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise ValueError(
                f"Transpose order {tuple(order)} needs to have the same number of dimensions as the input, "
                f"{len(self.inputs[in_]) - 1}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Order of the channels, on the axis that is first after the transpose: (2, 1, 0) makes RGB into BGR."""
        self._check(in_)
        if len(order) != self.inputs[in_][1]:
            raise ValueError(
                f"Channel swap {tuple(order)} needs to have the same number of dimensions as the input channels, "
                f"{self.inputs[in_][1]}"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Factor before the mean: 255 for nets that were trained on pixels of 0 to 255."""
        self._check(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """Mean to subtract: one value a channel, or a picture, which is resized to the input's size."""
        self._check(in_)
        shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if len(mean) != shape[0]:
                raise ValueError(
                    f"Mean channels incompatible with input: {len(mean)} values for {shape[0]} channels"
                )
            mean = mean[:, np.newaxis, np.newaxis]
        else:
            if mean.ndim == 2:
                mean = mean[np.newaxis]
            if mean.ndim != 3:
                raise ValueError(
                    f"Mean shape invalid: {mean.shape} has {mean.ndim} axes and must have 1 to 3"
                )
            if mean.shape != shape:
                mean = resize_image(mean.transpose(1, 2, 0), shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Factor after the mean has been subtracted."""
        self._check(in_)
        self.input_scale[in_] = scale


# -- pictures ---------------------------------------------------------------------------------


class NotAPicture(DataError, OSError, ValueError):
    """A file that holds no picture; scikit-image raised OSError in its early versions and ValueError later."""


_GRAY = np.array([0.2125, 0.7154, 0.0721], np.float32)  # of R, G, B: luminance as scikit-image weighs it


def load_image(filename: str, color: bool = True) -> np.ndarray:
    """The picture in a file as float32 in [0, 1]: (H, W, 3) RGB, or with color False (H, W, 1) gray.

    Gray files become three equal channels; transparency is dropped.
    Raises FileNotFoundError, and NotAPicture for a broken file.
    """
    cv2 = opencv()
    with open(filename, "rb") as file:
        data = np.frombuffer(file.read(), np.uint8)
    image = imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise NotAPicture(f"{filename}: its {data.size} bytes are no picture that OpenCV can decode")
    if np.issubdtype(image.dtype, np.integer):
        image = image / np.float32(np.iinfo(image.dtype).max)
    image = np.atleast_3d(image.astype(np.float32))
    if image.shape[2] >= 3:
        image = image[:, :, 2::-1]  # OpenCV's BGR or BGRA
        return image.copy() if color else (image @ _GRAY)[:, :, np.newaxis]
    return np.tile(image, (1, 1, 3)) if color else image


def resize_image(im: np.ndarray, new_dims: Iterable[int], interp_order: int = 1) -> np.ndarray:
    """The picture (H, W, channels) at `new_dims` (height, width), as float32.

    interp_order is 0 (nearest), 1 (linear) or, with SciPy installed, up to 5 (splines). As in pycaffe, what
    happens at the edges depends on the channels. With 1 or 3, pixels are areas, and an edge pixel that lies
    between the picture and the outside is mixed with the picture's least value. With any other number, pixels
    are points, and the corner points fall on the corner points, and a picture of integers stays one. Shrinking
    does not blur first.

    Raises ValueError if the picture has not three axes.
    """
    im = np.asarray(im)
    if im.ndim != 3:
        raise ValueError(
            f"a picture of shape {im.shape} has {im.ndim} axes, and must have 3: height, width, channels"
        )
    height, width = (int(size) for size in new_dims)
    areas = im.shape[-1] in (1, 3)
    least = im.min() if areas else im.dtype.type(0)
    image = (im - least).astype(np.float64)
    if not image.any():
        return np.full((height, width, im.shape[-1]), least, np.float32)
    if interp_order > 1:
        image = _spline(image, (height, width), interp_order, areas)
    else:
        for axis, size in enumerate((height, width)):
            image = _resample(image, axis, size, interp_order, areas)
    if not areas and np.issubdtype(im.dtype, np.integer):
        image = np.trunc(image + np.copysign(0.5, image))
    return (image + least).astype(np.float32)


def _resample(image: np.ndarray, axis: int, size: int, order: int, areas: bool) -> np.ndarray:
    """`image` with `size` points along `axis`, each taken from its nearest one or two; 0 is outside."""
    old = image.shape[axis]
    if areas:
        at = (np.arange(size) + 0.5) * (old / size) - 0.5
    else:
        at = np.arange(size) * ((old - 1) / max(size - 1, 1))
    if order == 0:
        return image.take(np.clip(np.floor(at + 0.5).astype(int), 0, old - 1), axis)
    low = np.floor(at).astype(int)
    share = at - low
    parts = []
    for index, weight in ((low, 1 - share), (low + 1, share)):
        weight = np.where((index >= 0) & (index < old), weight, 0)
        parts.append(
            image.take(np.clip(index, 0, old - 1), axis) * np.expand_dims(weight, tuple({0, 1, 2} - {axis}))
        )
    return parts[0] + parts[1]


def _spline(image: np.ndarray, size: tuple[int, int], order: int, areas: bool) -> np.ndarray:
    try:
        from scipy.ndimage import zoom
    except ImportError as error:
        raise MissingExtra("scipy", f"resizing with interp_order {order}") from error
    scale = (size[0] / image.shape[0], size[1] / image.shape[1], 1)
    if not areas:
        return zoom(image, scale, order=order)
    # Splines overshoot; the range of the picture is kept.
    return zoom(image, scale, order=order, mode="grid-constant", grid_mode=True).clip(0, image.max())


def oversample(images: Sequence[np.ndarray] | np.ndarray, crop_dims: Iterable[int]) -> np.ndarray:
    """Ten crops a picture: the four corners and the centre, then the same mirrored.

    Args:
        images: (H, W, channels) arrays of one size.
        crop_dims: height and width of the crops.

    Returns: (10 * len(images), height, width, channels) float32; the crops of a picture follow one another.
    """
    height, width = (int(size) for size in crop_dims)
    full_height, full_width, channels = images[0].shape
    below, right = full_height - height, full_width - width
    corners = [(0, 0), (0, right), (below, 0), (below, right), (int(below / 2), int(right / 2))]
    crops = np.empty((10 * len(images), height, width, channels), np.float32)
    for i, image in enumerate(images):
        five = np.stack([image[y : y + height, x : x + width] for y, x in corners])
        crops[10 * i : 10 * i + 5] = five
        crops[10 * i + 5 : 10 * i + 10] = five[:, :, ::-1]
    return crops
