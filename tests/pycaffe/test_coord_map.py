"""coord_map: checked against what layers do to a single lit pixel."""

import numpy as np
import pytest

from caffe_compat.proto.net_spec import layers as L
from caffe_compat.proto.net_spec import params as P
from caffe_compat.pycaffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    conv_params,
    coord_map,
    coord_map_from_to,
    crop,
    crop_params,
    inverse,
)


def data(*dims):
    return L.Input(shape={"dim": list(dims or (2, 1, 100, 90))})


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "dilation"), [(3, 1, 1, 1), (5, 2, 0, 1), (4, 3, 2, 1), (3, 1, 2, 2)]
)
def test_convolution_maps_the_centre_of_a_window_to_its_output(kernel, stride, pad, dilation):
    conv = L.Convolution(data(), kernel_size=kernel, stride=stride, pad=pad, dilation=dilation)
    axis, scale, shift = coord_map(conv.fn)
    assert axis == 1
    for output in (0, 3):
        window = output * stride - pad + dilation * np.arange(kernel)
        np.testing.assert_allclose(scale * window.mean() + shift, output)


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(4, 2, 1), (3, 1, 0), (2, 2, 0)])
def test_deconvolution_maps_an_input_to_the_centre_of_what_it_writes(kernel, stride, pad):
    deconv = L.Deconvolution(data(), convolution_param={"kernel_size": kernel, "stride": stride, "pad": pad})
    _, scale, shift = coord_map(deconv.fn)
    for position in (0, 5):
        written = position * stride - pad + np.arange(kernel)
        np.testing.assert_allclose(scale * position + shift, written.mean())


def test_other_layers():
    x = data()
    assert coord_map(L.ReLU(x).fn) == (None, 1, 0)
    assert coord_map(L.Crop(x, x, axis=3, offset=4).fn) == (2, 1, -4)
    assert crop_params(L.Crop(x, x).fn) == (2, 0)
    axis, stride, kernel, pad = conv_params(L.Pooling(x, pooling_param={"kernel_size": 3, "stride": 2}).fn)
    assert (axis, stride, kernel, pad) == (1, 2, 3, 0)
    with pytest.raises(UndefinedMapException, match="InnerProduct"):
        coord_map(L.InnerProduct(x, num_output=2).fn)
    with pytest.raises(UndefinedMapException, match="a Pooling layer without kernel_size"):
        coord_map(L.Pooling(x, global_pooling=True).fn)
    with pytest.raises(AssertionError, match="does not support kernel_h, kernel_w"):
        coord_map(L.Convolution(x, kernel_h=3, kernel_w=2).fn)


def test_compose_and_inverse():
    first, second = (1, 2, 3), (None, 5, -1)
    axis, scale, shift = compose(first, second)
    assert (axis, scale * 7 + shift) == (1, 2 * (5 * 7 - 1) + 3)
    axis, scale, shift = inverse(first)
    assert (axis, scale * (2 * 7 + 3) + shift) == (1, 7)
    with pytest.raises(AxisMismatchException, match="after 1, the other about those after 2"):
        compose(first, (2, 1, 0))


def net(kernel=3, pad=0, pool=2, stride=2, dpad=0):
    x = data()
    conv = L.Convolution(x, num_output=4, kernel_size=kernel, pad=pad)
    pooled = L.Pooling(conv, pool=P.Pooling.MAX, kernel_size=pool, stride=pool)
    return x, L.Deconvolution(pooled, num_output=4, kernel_size=2 * stride, stride=stride, pad=dpad)


def test_from_to():
    x, deconv = net()
    assert coord_map_from_to(deconv, x) == (1, 1, 0)
    x, deconv = net(pool=4, stride=4)
    assert coord_map_from_to(deconv, x) == (1, 1, -1)
    side = L.Sigmoid(L.Convolution(x, num_output=2, kernel_size=5))  # meets deconv's way in x
    axis, scale, shift = coord_map_from_to(side, deconv)
    assert (axis, scale, shift) == (1, 1, 1 + 2)
    with pytest.raises(RuntimeError, match="Could not compute map between tops"):
        coord_map_from_to(L.InnerProduct(deconv, num_output=3), x)
    cropped = L.Crop(deconv, side, offset=3)
    assert coord_map_from_to(cropped, x)[2] == -1 + 3


def test_crop():
    x, deconv = net(pool=4, stride=4)
    (layer,) = [layer for layer in crop(deconv, x).to_proto().layer if layer.type == "Crop"]
    assert (layer.crop_param.axis, list(layer.crop_param.offset)) == (2, [1])
    identity = crop(L.ReLU(x), x).fn.params["crop_param"]
    assert identity == {"axis": 2, "offset": [0]}
    rectangle = L.Deconvolution(x, kernel_size=[3, 5], stride=1)
    assert crop(rectangle, x).fn.params["crop_param"]["offset"] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool": 3}, r"scale mismatch on crop \(a = \[1.5"),
        ({"dpad": 10}, r"cannot crop negative offset \(b = \[10"),
        ({"kernel": 2}, r"cannot crop noninteger offset \(b = \[-0.5"),
    ],
)
def test_crops_that_cannot_be(changes, message):
    x, deconv = net(**changes)
    with pytest.raises(AssertionError, match=message):
        crop(deconv, x)
