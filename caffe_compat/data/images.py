"""Pictures in files and in bytes, read, resized and written by OpenCV as Caffe does.

Caffe: src/caffe/util/io.cpp. Arrays are (C, H, W) uint8, channels in OpenCV's order (blue first).
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from caffe_compat.errors import DataError, MissingExtra


def opencv() -> ModuleType:
    """The cv2 module."""
    try:
        import cv2
    except ImportError as error:
        raise MissingExtra("opencv-python-headless", "reading encoded pictures") from error
    return cv2


def imdecode(data: np.ndarray, flag: int) -> np.ndarray | None:
    """OpenCV's function of that name; None also where it fails, as for a header that claims a vast picture."""
    cv2 = opencv()
    try:
        return cv2.imdecode(data, flag) if data.size else None
    except cv2.error:
        return None


def planes(picture: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
    """OpenCV's (H, W) or (H, W, C) array as contiguous (C, H, W): `into`, if that is given and of its shape and type."""
    height, width, *channels = picture.shape
    shape = (*(channels or [1]), height, width)
    if into is None or into.shape != shape or into.dtype != picture.dtype:
        into = np.empty(shape, picture.dtype)
    opencv().split(picture, list(into))  # twice as fast as numpy's copy
    return into


def decode(
    data: bytes | memoryview, colour: bool | None = None, into: np.ndarray | None = None
) -> np.ndarray:
    """The picture in the bytes of a PNG, JPEG ...: BGR (True), gray (False) or as stored (None), as (C, H, W).

    It is written to `into` if that is of its shape and type. OpenCV lets other threads run meanwhile.
    Raises ValueError if OpenCV cannot decode it, or it is not 8 bits deep.
    """
    cv2 = opencv()
    flag = {True: cv2.IMREAD_COLOR, False: cv2.IMREAD_GRAYSCALE, None: cv2.IMREAD_UNCHANGED}[colour]
    picture = imdecode(np.frombuffer(data, np.uint8), flag)
    if picture is None:
        raise ValueError(f"its {len(data)} bytes are no picture that OpenCV can decode")
    if picture.dtype != np.uint8:
        raise ValueError(f"its picture has {picture.dtype} pixels and only 8-bit ones can be used")
    return planes(picture, into)


def read(path: str, height: int = 0, width: int = 0, colour: bool = True) -> np.ndarray | None:
    """The picture in a file as OpenCV's (H, W, 3) BGR or (H, W) gray array, resized if both sizes are given.

    None if there is no such file or OpenCV cannot decode it.
    """
    cv2 = opencv()
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    picture = imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    if picture is not None and height > 0 and width > 0:
        picture = cv2.resize(picture, (width, height))
    return picture


def encode(picture: np.ndarray, encoding: str) -> bytes:
    """OpenCV's (H, W) or (H, W, 3) array as the bytes of a file with this extension ("png", "jpg").

    Raises DataError for an extension that OpenCV does not write.
    """
    cv2 = opencv()
    try:
        done, data = cv2.imencode(f".{encoding}", picture)
    except cv2.error:
        done = False
    if not done:
        raise DataError(
            f"OpenCV does not write pictures of type '{encoding}'; give an --encode_type such as png or jpg"
        )
    return data.tobytes()
