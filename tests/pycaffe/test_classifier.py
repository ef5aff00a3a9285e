"""Classifier and Detector, on a net that is a linear function of its input."""

import numpy as np
import pytest

from caffe_compat.errors import CaffeError
from caffe_compat.pycaffe import TEST, Net, io
from caffe_compat.pycaffe.classifier import Classifier
from caffe_compat.pycaffe.detector import Detector

cv2 = pytest.importorskip("cv2")

SIZE = 6
NET = f"""layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 4 dim: 3 dim: {SIZE} dim: {SIZE} }} }} }}
layer {{ name: "out" type: "InnerProduct" bottom: "data" top: "out"
  inner_product_param {{ num_output: 5 weight_filler {{ type: "gaussian" }} bias_filler {{ type: "gaussian" }} }} }}"""


@pytest.fixture
def files(tmp_path):
    """(model file, weights file, input -> output of that net)"""
    model, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    (tmp_path / "net.prototxt").write_text(NET)
    net = Net(model, TEST)
    net.save(weights)
    matrix, bias = (blob.data.copy() for blob in net.params["out"])
    return model, weights, lambda x: x.reshape(len(x), -1) @ matrix.T + bias


def pictures(count, height, width):
    rng = np.random.default_rng(2)
    return [rng.uniform(0, 1, (height, width, 3)).astype(np.float32) for _ in range(count)]


def prepared(image, mean=(1, 2, 3)):
    """RGB in [0, 1] as BGR in [0, 255] less the mean, channels first."""
    return image.transpose(2, 0, 1)[::-1] * 255 - np.reshape(mean, (3, 1, 1))


OPTIONS = {"mean": np.array([1.0, 2.0, 3.0]), "raw_scale": 255, "channel_swap": (2, 1, 0)}


def test_centre(files):
    model, weights, linear = files
    classifier = Classifier(model, weights, image_dims=(9, 8), **OPTIONS)
    images = pictures(6, 9, 8)  # no resizing; more than a batch of 4
    wanted = linear(np.stack([prepared(image[1:7, 1:7]) for image in images]))
    got = classifier.predict(images, oversample=False)
    assert got.shape == (6, 5)
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-2)


def test_oversampled(files):
    model, weights, linear = files
    classifier = Classifier(model, weights, image_dims=(9, 8), **OPTIONS)
    images = pictures(3, 12, 10)
    crops = io.oversample([io.resize_image(image, (9, 8)) for image in images], (SIZE, SIZE))
    wanted = linear(np.stack([prepared(crop) for crop in crops])).reshape(3, 10, 5).mean(1)
    np.testing.assert_allclose(classifier.predict(images), wanted, rtol=1e-3, atol=1e-2)


def test_whole_picture_and_input_scale(files):
    model, weights, linear = files
    classifier = Classifier(model, weights, input_scale=0.5)
    assert tuple(classifier.image_dims) == (SIZE, SIZE)
    (image,) = pictures(1, 9, 8)
    wanted = linear(0.5 * io.resize_image(image, (SIZE, SIZE)).transpose(2, 0, 1)[np.newaxis])
    np.testing.assert_allclose(classifier.predict([image], oversample=False), wanted, rtol=1e-3, atol=1e-4)


@pytest.fixture
def picture_file(tmp_path):
    path = str(tmp_path / "picture.png")
    cv2.imwrite(path, np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    return path


def test_windows(files, picture_file):
    model, weights, linear = files
    detector = Detector(model, weights, **OPTIONS)
    windows = [(2, 3, 14, 11), np.array([0, 0, 20, 30])]
    image = io.load_image(picture_file)
    crops = [image[2:14, 3:11], image]
    wanted = linear(np.stack([prepared(io.resize_image(crop, (SIZE, SIZE))) for crop in crops]))
    found = detector.detect_windows(iter([(picture_file, windows), (picture_file, [])]))
    assert [detection["filename"] for detection in found] == [picture_file] * 2
    assert [detection["window"] is window for detection, window in zip(found, windows, strict=True)] == [
        True
    ] * 2
    np.testing.assert_allclose([d["prediction"] for d in found], wanted, rtol=1e-3, atol=2e-2)
    assert detector.detect_windows([]) == []


def test_context(files):
    """A window with context_pad 1 of 6: shown at 4 x 4 with one pixel of surroundings on each side."""
    model, weights, _ = files
    detector = Detector(model, weights, context_pad=1, **OPTIONS)
    # The mean as a picture that has not been prepared: RGB, in [0, 1].
    np.testing.assert_allclose(detector.crop_mean.reshape(3), np.array([3, 2, 1]) / 255)
    (image,) = pictures(1, 20, 30)
    inside = detector.crop(image, (6, 7, 13, 14))  # 8 x 8 pixels, scaled by 6 / 4: 4 to 16, 5 to 17
    assert inside.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(inside, io.resize_image(image[4:16, 5:17], (SIZE, SIZE)), atol=1e-6)
    # At the corner two of the box's 13 pixels are outside: one pixel of the six is the mean.
    corner = detector.crop(image, [0, 0, 7, 7])
    np.testing.assert_allclose(corner[0], np.broadcast_to(detector.crop_mean[0], (SIZE, 3)), rtol=1e-6)
    np.testing.assert_allclose(corner[:, 0], np.broadcast_to(detector.crop_mean[0], (SIZE, 3)), rtol=1e-6)
    np.testing.assert_allclose(corner[1:, 1:], io.resize_image(image[:10, :10], (5, 5)), atol=1e-6)
    with pytest.raises(ValueError, match=r"window \(90, 90, 95, 95\) has nothing of the 20 x 30 picture"):
        detector.crop(image, (90, 90, 95, 95))


def test_context_without_a_mean(files):
    model, weights, _ = files
    detector = Detector(model, weights, context_pad=1)
    assert detector.crop_mean.shape == (SIZE, SIZE, 3)
    assert not detector.crop_mean.any()


def test_selective_search_needs_its_module(files):
    model, weights, _ = files
    with pytest.raises(
        CaffeError, match="needs the module selective_search_ijcv_with_python .*detect_windows"
    ):
        Detector(model, weights).detect_selective_search(["a.png"])
