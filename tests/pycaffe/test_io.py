"""caffe.io."""

import sys
from types import ModuleType

import numpy as np
import pytest

from caffe_compat.errors import DataError, MissingExtra, ParseError
from caffe_compat.proto import BlobProto
from caffe_compat.pycaffe import io

cv2 = pytest.importorskip("cv2")


def picture(*shape, low=-3.0, high=7.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


# -- messages ---------------------------------------------------------------------------------


def test_blobproto_round_trip():
    array, diff = picture(2, 3, 4), picture(2, 3, 4, seed=1)
    blob = io.array_to_blobproto(array, diff)
    np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), diff)
    assert io.blobproto_to_array(blob).dtype == np.float64  # whatever protobuf would make of it
    assert not io.array_to_blobproto(array).diff
    (back, second) = io.blobprotovector_str_to_arraylist(
        io.arraylist_to_blobprotovector_str([array, diff[0]])
    )
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(second, diff[0])


def test_blobproto_shapes():
    old = BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert io.blobproto_to_array(old).shape == (1, 2, 1, 3)
    assert io.blobproto_to_array(BlobProto(data=[5])) == 5
    assert io.blobproto_to_array(BlobProto(double_data=[1 / 3])) == 1 / 3
    raw = np.array([1.5, 2], "<f2").tobytes()
    half = BlobProto(shape={"dim": [1, 2]}, raw_data_type=2, raw_data=raw, raw_diff_type=2, raw_diff=raw)
    for diff in (False, True):
        found = io.blobproto_to_array(half, diff)
        assert found.dtype == np.float64 and found.tolist() == [[1.5, 2]]
    half.raw_diff_type = 5
    with pytest.raises(ParseError, match="raw_data_type 5"):
        io.blobproto_to_array(half, True)
    with pytest.raises(ValueError, match="cannot reshape"):
        io.blobproto_to_array(BlobProto(data=[1, 2]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_datum_round_trip(dtype):
    array = (picture(2, 3, 4, low=0, high=255)).astype(dtype)
    datum = io.array_to_datum(array.transpose(0, 2, 1), label=3)
    assert (datum.channels, datum.height, datum.width, datum.label) == (2, 4, 3, 3)
    assert bool(datum.data) == (dtype is np.uint8)
    back = io.datum_to_array(datum)
    assert back.dtype == (np.uint8 if dtype is np.uint8 else np.float64)
    np.testing.assert_array_equal(back, array.transpose(0, 2, 1))
    back[:] = 0  # the caller's own
    assert not io.array_to_datum(array).HasField("label")


def test_datum_errors():
    with pytest.raises(ValueError, match=r"\(2, 3\) has 2 axes"):
        io.array_to_datum(np.zeros((2, 3)))
    datum = io.array_to_datum(np.zeros((1, 2, 3), np.uint8))
    datum.encoded = True
    with pytest.raises(ValueError, match="encoded picture"):
        io.datum_to_array(datum)


# -- resizing ---------------------------------------------------------------------------------


def slow_areas(image, height, width, order=1):
    """Pixels are areas; what is outside has the picture's least value (checked against scikit-image's resize)."""
    least = image.min()
    rows, columns, channels = image.shape
    out = np.zeros((height, width, channels))

    def at(y, x):
        return image[y, x] if 0 <= y < rows and 0 <= x < columns else np.full(channels, least)

    for i in range(height):
        for j in range(width):
            y, x = (i + 0.5) * rows / height - 0.5, (j + 0.5) * columns / width - 0.5
            if order == 0:
                out[i, j] = at(int(np.floor(y + 0.5)), int(np.floor(x + 0.5)))
                continue
            y0, x0 = int(np.floor(y)), int(np.floor(x))
            for dy, wy in ((0, 1 - (y - y0)), (1, y - y0)):
                for dx, wx in ((0, 1 - (x - x0)), (1, x - x0)):
                    out[i, j] += wy * wx * at(y0 + dy, x0 + dx)
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(13, 5), (3, 20), (7, 9), (1, 2)])
@pytest.mark.parametrize("order", [0, 1])
def test_resize_of_gray_and_colour(channels, size, order):
    image = picture(7, 9, channels)
    resized = io.resize_image(image, size, order)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, slow_areas(image, *size, order), rtol=1e-5, atol=1e-5)


def test_resize_known_values():
    """What scikit-image 0.25 gave: the outer columns are mixed with the least value, 0."""
    image = np.array([[[0.0], [1.0], [3.0]]], np.float32)
    wide = io.resize_image(image, (1, 6))
    np.testing.assert_allclose(wide.ravel(), [0, 0.25, 0.75, 1.5, 2.5, 2.25], atol=1e-6)


@pytest.mark.parametrize("size", [(13, 5), (3, 4), (1, 3)])
def test_resize_of_other_channels_puts_corners_on_corners(size):
    image = picture(7, 9, 2)
    rows, columns = (np.arange(n) * (old - 1) / max(n - 1, 1) for n, old in zip(size, (7, 9), strict=True))
    wanted = np.empty((*size, 2))
    for c in range(2):
        across = np.array([np.interp(columns, np.arange(9), row) for row in image[:, :, c]])
        wanted[:, :, c] = np.array([np.interp(rows, np.arange(7), column) for column in across.T]).T
    np.testing.assert_allclose(io.resize_image(image, size), wanted, rtol=1e-5, atol=1e-5)


def test_resize_of_integers_with_other_channels_rounds():
    """As scipy.ndimage.zoom did: halves away from zero."""
    image = np.array([[[0, -1], [1, -2], [5, -6]]], np.int16)
    np.testing.assert_array_equal(
        io.resize_image(image, (1, 5)), [[[0, -1], [1, -2], [1, -2], [3, -4], [5, -6]]]
    )
    gray = io.resize_image(image[:, :, :1], (1, 6))
    assert (gray != np.round(gray)).any()
    with pytest.raises(ValueError, match=r"shape \(7, 9\) has 2 axes, and must have 3"):
        io.resize_image(picture(7, 9), (3, 4))


def test_resize_constant_and_splines(monkeypatch):
    constant = io.resize_image(np.full((2, 3, 3), 5, np.float32), (4, 4))
    assert constant.shape == (4, 4, 3)
    assert (constant == 5).all()
    assert (io.resize_image(np.zeros((2, 3, 2)), (4, 4)) == 0).all()
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(MissingExtra, match="interp_order 3 needs the package scipy"):
        io.resize_image(picture(4, 5, 3), (2, 2), 3)


# -- Transformer ------------------------------------------------------------------------------


def transformer():
    return io.Transformer({"data": (10, 3, 4, 5), "other": (1, 2, 6, 7)})


def test_preprocess_and_back():
    t = transformer()
    t.set_transpose("data", (2, 0, 1))
    t.set_channel_swap("data", (2, 1, 0))
    t.set_raw_scale("data", 255)
    t.set_mean("data", np.array([1.0, 2.0, 3.0]))
    t.set_input_scale("data", 0.5)
    image = picture(4, 5, 3, low=0, high=1)
    kept = image.copy()
    out = t.preprocess("data", image)
    wanted = (image.transpose(2, 0, 1)[::-1] * 255 - np.array([1, 2, 3]).reshape(3, 1, 1)) * 0.5
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, wanted, rtol=1e-5)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_allclose(t.deprocess("data", out[np.newaxis]), image, atol=1e-6)
    np.testing.assert_array_equal(
        transformer().preprocess("other", np.ones((6, 7, 2), int)), np.ones((6, 7, 2))
    )


def test_preprocess_resizes_first():
    t = transformer()
    t.set_transpose("data", (2, 0, 1))
    image = picture(8, 9, 3)
    np.testing.assert_array_equal(
        t.preprocess("data", image), io.resize_image(image, (4, 5)).transpose(2, 0, 1)
    )


def test_mean_pictures():
    t = transformer()
    same, larger = picture(3, 4, 5), picture(3, 8, 9)
    t.set_mean("data", same)
    np.testing.assert_array_equal(t.mean["data"], same)
    t.set_mean("data", larger)
    wanted = io.resize_image(larger.transpose(1, 2, 0), (4, 5)).transpose(2, 0, 1)
    np.testing.assert_allclose(t.mean["data"], wanted, rtol=1e-5)
    gray = io.Transformer({"data": (1, 1, 4, 5)})
    gray.set_mean("data", picture(4, 5))
    assert gray.mean["data"].shape == (1, 4, 5)


def test_transformer_errors():
    t = transformer()
    for call in (t.preprocess, t.deprocess, t.set_transpose, t.set_mean, t.set_raw_scale, t.set_input_scale):
        with pytest.raises(ValueError, match=r"label is not one of the net inputs: \['data', 'other'\]"):
            call("label", np.zeros(3))
    with pytest.raises(ValueError, match=r"Transpose order \(1, 0\) needs .* input, 3"):
        t.set_transpose("data", (1, 0))
    with pytest.raises(ValueError, match=r"Channel swap \(1, 0\) needs .* channels, 3"):
        t.set_channel_swap("data", (1, 0))
    with pytest.raises(ValueError, match="2 values for 3 channels"):
        t.set_mean("data", np.zeros(2))
    with pytest.raises(ValueError, match="has 4 axes and must have 1 to 3"):
        t.set_mean("data", np.zeros((1, 3, 4, 5)))


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [0, 3, 4])
@pytest.mark.parametrize("color", [True, False])
def test_load_image(tmp_path, channels, color):
    shape = (5, 7, channels) if channels else (5, 7)
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    image = io.load_image(str(tmp_path / "a.png"), color)
    rgb = (np.stack([pixels] * 3, 2) if not channels else pixels[:, :, [2, 1, 0]]) / 255
    gray = rgb @ [0.2125, 0.7154, 0.0721] if channels else rgb[:, :, 0]
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, rgb if color else gray[:, :, None], atol=1e-6)


def test_names_that_pycaffes_module_imported(monkeypatch):
    assert io.caffe_pb2.BlobProto is BlobProto
    skimage, transform = ModuleType("skimage"), ModuleType("skimage.transform")
    transform.resize = sorted
    for module in (skimage, ModuleType("skimage.io"), transform):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert io.skimage is skimage and io.resize is sorted
    monkeypatch.setitem(sys.modules, "skimage.transform", None)
    with pytest.raises(MissingExtra, match=r"caffe\.io\.resize needs the package scikit-image"):
        io.resize  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'resise'"):
        io.resise  # noqa: B018


def test_load_image_of_16_bits(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 13107, 65535]], np.uint16))
    np.testing.assert_allclose(io.load_image(str(tmp_path / "a.png"), False).ravel(), [0, 0.2, 1], atol=1e-6)


def test_load_image_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        io.load_image(str(tmp_path / "nothing.png"))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png: its 10 bytes are no picture"):
        io.load_image(str(tmp_path / "bad.png"))
    for caught in (OSError, ValueError):  # what scripts catch
        with pytest.raises(caught):
            io.load_image(str(tmp_path / "bad.png"))
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.png: its 0 bytes"):
        io.load_image(str(tmp_path / "empty.png"))


@pytest.mark.parametrize("crop", [(4, 5), (3, 4), (7, 8)])
def test_oversample(crop):
    images = [picture(7, 8, 3, seed=1), picture(7, 8, 3, seed=2)]
    crops = io.oversample(images, np.array(crop))
    assert crops.shape == (20, *crop, 3)
    below, right = 7 - crop[0], 8 - crop[1]
    for n, image in enumerate(images):
        for i, (y, x) in enumerate(
            [(0, 0), (0, right), (below, 0), (below, right), (below // 2, right // 2)]
        ):
            wanted = image[y : y + crop[0], x : x + crop[1]]
            np.testing.assert_array_equal(crops[10 * n + i], wanted)
            np.testing.assert_array_equal(crops[10 * n + 5 + i], wanted[:, ::-1])


def test_scipys_zoom_is_there_as_in_pycaffe(monkeypatch):
    zoom = pytest.importorskip("scipy.ndimage").zoom
    assert io.zoom is zoom
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(MissingExtra, match="scipy"):
        _ = io.zoom
