"""Pictures through OpenCV."""

import builtins
import sys

import cv2
import numpy as np
import pytest

from caffe_compat.data import images
from caffe_compat.errors import DataError, MissingExtra

RNG = np.random.default_rng(9)
COLOUR = RNG.integers(0, 256, (5, 7, 3), np.uint8)
GRAY = RNG.integers(0, 256, (5, 7), np.uint8)


def test_planes():
    assert images.planes(COLOUR).shape == (3, 5, 7) and images.planes(GRAY).shape == (1, 5, 7)
    assert images.planes(COLOUR)[2, 3, 4] == COLOUR[3, 4, 2]
    assert images.planes(COLOUR).flags.c_contiguous


@pytest.mark.parametrize("picture", [COLOUR, GRAY], ids=["colour", "gray"])
def test_what_is_encoded_is_decoded(picture):
    data = images.encode(picture, "png")
    np.testing.assert_array_equal(images.decode(data), images.planes(picture))
    assert images.decode(data, colour=True).shape == (3, 5, 7)
    assert images.decode(data, colour=False).shape == (1, 5, 7)


def test_transparency_is_a_channel_of_its_own_unless_colour_is_asked_for():
    data = images.encode(RNG.integers(0, 256, (5, 7, 4), np.uint8), "png")
    assert images.decode(data).shape == (4, 5, 7)
    assert images.decode(data, colour=True).shape == (3, 5, 7)


@pytest.mark.parametrize("name", ["pictures/00.png", "pictures/03.jpg"])
def test_read_is_opencvs_imread(reference, name):
    path = str(reference / "data" / name)
    np.testing.assert_array_equal(images.read(path), cv2.imread(path))
    np.testing.assert_array_equal(images.read(path, colour=False), cv2.imread(path, cv2.IMREAD_GRAYSCALE))
    np.testing.assert_array_equal(images.read(path, 6, 9), cv2.resize(cv2.imread(path), (9, 6)))
    assert images.read(path, 6, 0).shape == cv2.imread(path).shape


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"no picture")
    assert [images.read(str(tmp_path / name)) for name in ("none", "empty", "text")] == [None] * 3
    for data, message in (
        (b"", "its 0 bytes are no picture"),
        (b"no picture", "its 10 bytes are no picture"),
    ):
        with pytest.raises(ValueError, match=message):
            images.decode(data)
    with pytest.raises(ValueError, match="its picture has uint16 pixels and only 8-bit ones can be used"):
        images.decode(images.encode(GRAY.astype(np.uint16), "png"))


@pytest.mark.parametrize("kind", ["docx", ""])
def test_unknown_encodings(kind):
    with pytest.raises(
        DataError, match=f"OpenCV does not write pictures of type '{kind}'; give an --encode_type such"
    ):
        images.encode(COLOUR, kind)


def test_without_opencv(monkeypatch):
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "cv2":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        MissingExtra, match="encoded pictures needs the package opencv-python-headless; install it with"
    ):
        images.decode(b"x")


def test_a_header_of_a_vast_picture(tmp_path):
    data = bytearray(images.encode(np.zeros((4, 5, 3), np.uint8), "jpg"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.jpg").write_bytes(data)
    assert images.read(str(tmp_path / "a.jpg")) is None
    with pytest.raises(ValueError, match="no picture that OpenCV can decode"):
        images.decode(bytes(data))
