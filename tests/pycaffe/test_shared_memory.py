"""Which blobs of a net share memory, and whose gradients see what is written into them."""

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from tests.pycaffe.nets import build


def test_views_of_in_place_blobs_do_not_disturb_backward(tmp_path):
    """A Scale in place needs its bottom for the gradient, though its top goes into the memory of the view."""
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "double" type: "Power" bottom: "x" top: "h" power_param { scale: 2 } }
layer { name: "scale" type: "Scale" bottom: "h" top: "h" scale_param { filler { type: "constant" value: 5 } } }"""
    (tmp_path / "net.prototxt").write_text(text)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    view = net.blobs["h"].data
    net.blobs["x"].data[...] = [[1, -2, 3], [4, 0.5, -6]]
    net.forward()
    net.blobs["h"].diff[...] = 1
    net.backward()
    np.testing.assert_allclose(view, [[10, -20, 30], [40, 5, -60]])
    np.testing.assert_allclose(net.params["scale"][0].diff, [10, -3, -6])


PASSED_ON = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "h" }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }"""


@pytest.mark.parametrize("force_backward", ["force_backward: true\n", ""])
def test_a_blob_passed_on_unchanged_has_memory_of_its_own(tmp_path, force_backward):
    """Dropout's top is its bottom in TEST; what goes into the top in place, or is written there, leaves the bottom."""
    net = build(tmp_path, force_backward + PASSED_ON)
    for x in ([[1, -2, 3], [4, 0.5, -6]], [[-1, 2, -3], [7, -0.5, 6]]):
        net.blobs["x"].data[...] = x
        net.forward()
        np.testing.assert_array_equal(net.blobs["x"].data, x)
        np.testing.assert_array_equal(net.blobs["h"].data, np.maximum(x, 0))
        net.blobs["h"].data[...] = 9
        np.testing.assert_array_equal(net.blobs["x"].data, x)


@pytest.mark.parametrize("force_backward", ["force_backward: true\n", ""])
def test_a_blob_passed_on_to_a_reader_has_memory_of_its_own(tmp_path, force_backward):
    """No layer in place here: layer by layer, Dropout itself must not let its top be its bottom's memory."""
    reader = (
        'layer { name: "ip" type: "InnerProduct" bottom: "h" top: "y" inner_product_param { num_output: 2 } }'
    )
    net = build(tmp_path, force_backward + "\n".join([*PASSED_ON.splitlines()[:2], reader]))
    net.blobs["x"].data[...] = 1
    net.forward()
    net.blobs["h"].data[...] = 7
    assert (net.blobs["x"].data == 1).all()
    net.blobs["x"].data[...] = 2
    assert (net.blobs["h"].data == 7).all()


@pytest.mark.parametrize("force_backward", ["force_backward: true\n", ""])
def test_a_reshaped_blob_is_the_memory_of_its_bottom(tmp_path, force_backward):
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "flat" type: "Flatten" bottom: "x" top: "y" flatten_param { axis: 0 } }
layer { name: "twice" type: "Power" bottom: "x" top: "z" power_param { scale: 2 } }"""
    net = build(tmp_path, force_backward + text)
    net.forward()
    net.blobs["y"].data[...] = [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(net.blobs["x"].data, [[1, 2, 3], [4, 5, 6]])


def test_loss_is_weighed_with_the_diffs_that_stand_in_the_blobs(tmp_path):
    """As in Caffe, which keeps the loss_weight there: writing another one weighs the loss anew."""
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "sum" type: "Power" bottom: "x" top: "y" power_param { scale: 3 } loss_weight: 0.5 }"""
    net = build(tmp_path, text)
    net.blobs["x"].data[...] = [[1, 2, 3], [4, 5, 6]]
    assert net._forward(0, 1) == 31.5
    net.blobs["y"].diff[...] = [[0, 0, 1], [0, -2, 0]]
    assert net._forward(0, 1) == 9 - 30
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, [[0, 0, 3], [0, -6, 0]])


def test_gradients_that_backward_overwrites(tmp_path):
    """A Parameter's, and in a batch of one a Scale's: two backward passes leave the second's, and others their sum."""
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 2 } } }
layer { name: "scale" type: "Scale" bottom: "x" top: "y" scale_param { bias_term: true } }
layer { name: "own" type: "Parameter" top: "p" parameter_param { shape { dim: 4 } } }
layer { name: "twice" type: "Power" bottom: "p" top: "q" power_param { scale: 2 } }"""
    net = build(tmp_path, text)
    net.blobs["x"].data[...] = np.arange(6).reshape(1, 3, 2)
    net.forward()
    for diff in (1, 10):
        net.blobs["y"].diff[...] = diff
        net.blobs["q"].diff[...] = diff
        net.backward()
    np.testing.assert_array_equal(net.params["scale"][0].diff, [10, 50, 90])
    np.testing.assert_array_equal(net.params["scale"][1].diff, [22, 22, 22])
    np.testing.assert_array_equal(net.params["own"][0].diff, [20, 20, 20, 20])


@pytest.mark.parametrize("force_backward", ["force_backward: true\n", ""])
def test_what_is_written_into_constant_dummy_data_stays(tmp_path, force_backward):
    text = """layer { name: "in" type: "DummyData" top: "x" top: "random" dummy_data_param { shape { dim: 2 dim: 3 }
  data_filler { value: 5 } data_filler { type: "uniform" min: 1 max: 2 } } }
layer { name: "twice" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }"""
    net = build(tmp_path, force_backward + text)
    assert (net.blobs["x"].data == 5).all()  # filled when the net is made; others wait for the first forward
    assert (net.blobs["random"].data == 0).all()
    net.forward()
    assert (net.blobs["y"].data == 10).all()
    assert (net.blobs["random"].data >= 1).all()
    net.blobs["x"].data[...] = [[1, 2, 3], [4, 5, 6]]
    net.blobs["random"].data[...] = 0
    net.forward()
    np.testing.assert_array_equal(net.blobs["y"].data, [[2, 4, 6], [8, 10, 12]])
    assert (net.blobs["random"].data >= 1).all()


def test_what_is_written_into_a_split_shows_in_all_of_it(tmp_path):
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "half" type: "Power" bottom: "x" top: "h" power_param { scale: 0.5 } }
layer { name: "a" type: "Power" bottom: "h" top: "y" }
layer { name: "flat" type: "Flatten" bottom: "h" top: "z" flatten_param { axis: 0 } }
layer { name: "shape" type: "Reshape" bottom: "z" top: "w" reshape_param { shape { dim: 3 dim: 2 } } }"""
    net = build(tmp_path, "force_backward: true\n" + text)
    views = {name: blob.data for name, blob in net.blobs.items()}
    net.forward()
    net.blobs["h"].data[...] = [[1, 2, 3], [4, 5, 6]]
    net.forward(start="a")
    np.testing.assert_array_equal(net.blobs["y"].data, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(net.blobs["w"].data, [[1, 2], [3, 4], [5, 6]])
    net.blobs["w"].data[...] = 7
    for name in ("h", "h_half_0_split_0", "h_half_0_split_1", "z", "w"):
        assert (net.blobs[name].data == 7).all()
        assert (views[name] == 7).all()
    assert (net.blobs["x"].data == 0).all()


def test_loss_weight_of_a_blob_that_is_overwritten_in_place(tmp_path):
    """The layer in place has no loss_weight and leaves the loss's in the diff."""
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "l" loss_weight: 0 }
layer { name: "own" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "m" }
layer { name: "tanh" type: "TanH" bottom: "m" top: "m" }"""
    net = build(tmp_path, text)
    net.blobs["x"].data[...] = 2
    assert net._forward(0, len(net.layers) - 1) == 6
    assert net.blobs["m"].diff == 1


def test_written_diffs_weigh_the_loss_of_a_net_without_backward(tmp_path):
    text = """layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "l" }"""
    net = build(tmp_path, text)
    net.blobs["x"].data[...] = 2
    assert net._forward(0, 1) == 6
    net.blobs["l"].diff[...] = -3
    assert net._forward(0, 1) == -18


def test_gradients_of_a_layer_in_place_do_not_see_what_goes_into_the_bottom(tmp_path):
    """The bias's gradient is the top's diff itself, into whose memory the bottom's goes."""
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "double" type: "Power" bottom: "x" top: "h" power_param { scale: 2 } }
layer { name: "scale" type: "Scale" bottom: "h" top: "h"
  scale_param { axis: 0 num_axes: 2 filler { value: 5 } bias_term: true } }"""
    net = build(tmp_path, text)
    net.forward()
    net.blobs["h"].diff[...] = [[1, 2, 3], [4, 5, 6]]
    net.backward()
    np.testing.assert_array_equal(net.params["scale"][1].diff, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(net.blobs["x"].diff, [[10, 20, 30], [40, 50, 60]])


def test_backward_names_the_layer_whose_blob_another_has_reshaped_in_place(tmp_path):
    text = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "double" type: "Power" bottom: "x" top: "h" power_param { scale: 2 } }
layer { name: "sum" type: "Reduction" bottom: "h" top: "h" }"""
    net = build(tmp_path, text)
    net.forward()
    with pytest.raises(
        LayerError,
        match=r"layer 'double' \(Power\): top 'h' has shape \(2, 3\), but a layer in place has made the blob \(\)",
    ):
        net.backward()
