"""pycaffe's Net: views that write through, partial runs, shapes, files; and the same on a device without views."""

import gc
import io
import os
from weakref import ref

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.errors import LayerError, NetError, ParseError
from caffe_compat.pycaffe import net as pynet

NET = """
name: "two"
force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "low" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } bias_filler { type: "constant" value: 0.5 } } }
layer { name: "act" type: "TanH" bottom: "h" top: "h" }
layer { name: "high" type: "InnerProduct" bottom: "h" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


@pytest.fixture(params=["host", "device"])
def net(request, tmp_path, monkeypatch):
    """A small net; as "device" its tensors count as a GPU's, so that views are copies kept in step."""
    if request.param == "device":
        monkeypatch.setattr(pynet, "_on_host", lambda tensor: False)
    (tmp_path / "net.prototxt").write_text(NET)
    return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)


def formula(net, x):
    (w, b), (v, c) = ([blob.data.astype(float) for blob in net.params[name]] for name in ("low", "high"))
    h = np.tanh(x @ w.T + b)
    return h, h @ v.T + c


def test_forward_fills_every_blob(net):
    x = np.array([[1.0, -2, 3], [0.5, 0, -1]])
    net.blobs["x"].data[...] = x
    outputs = net.forward()
    h, y = formula(net, x)
    assert list(outputs) == ["y"]
    np.testing.assert_allclose(outputs["y"], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.blobs["h"].data, h, rtol=1e-5, atol=1e-6)


def test_a_view_taken_before_a_run_shows_its_result(net):
    view = net.blobs["y"].data
    net.forward(x=np.ones((2, 3)))
    np.testing.assert_allclose(view, formula(net, np.ones((2, 3)))[1], rtol=1e-5, atol=1e-6)


def test_weights_written_through_a_view_are_used(net):
    net.params["high"][0].data[...] = 0
    net.params["high"][1].data[...] = [1, 2, 3, 4, 5]
    np.testing.assert_allclose(net.forward()["y"], [[1, 2, 3, 4, 5]] * 2)


def test_forward_from_a_layer_uses_what_stands_in_the_blobs(net):
    net.forward()
    net.blobs["h"].data[...] = 0
    y = net.forward(start="high")["y"]
    np.testing.assert_allclose(y, [net.params["high"][1].data] * 2)
    assert set(net.forward(end="low")) == {"h"}


def test_backward_overwrites_bottom_diffs_and_adds_to_blob_diffs(net):
    x = np.array([[1.0, -2, 3], [0.5, 0, -1]])
    net.forward(x=x)
    diff = np.arange(10.0).reshape(2, 5)
    for times in (1, 2):
        gradient = net.backward(y=diff)["x"]
        h, _ = formula(net, x)
        dh = (diff @ net.params["high"][0].data) * (1 - h**2)
        np.testing.assert_allclose(gradient, dh @ net.params["low"][0].data, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(net.params["low"][0].diff, times * dh.T @ x, rtol=1e-4, atol=1e-5)
    net.clear_param_diffs()
    assert not net.params["low"][0].diff.any()


def test_backward_stops_where_it_is_told(net):
    net.forward()
    result = net.backward(end="high", y=np.ones((2, 5)))
    assert set(result) == {"h"}
    assert not net.params["low"][0].diff.any() and net.params["high"][1].diff.all()


def test_reshaped_input_reshapes_the_net(net):
    net.blobs["x"].reshape(7, 3)
    net.reshape()
    assert net.blobs["y"].data.shape == (7, 5) and net.blobs["h"].shape == (7, 4)
    assert net.forward()["y"].shape == (7, 5)


def test_reshaping_keeps_the_memory_while_it_is_large_enough(tmp_path):
    net = build(tmp_path, NET)
    for blob in (net.blobs["x"], net.params["low"][0]):
        data, diff, shape = blob.data, blob.diff, blob.shape
        data[...] = values = np.arange(data.size).reshape(shape)
        diff[...] = -values
        blob.reshape(1, *shape[1:])
        np.testing.assert_array_equal(blob.data, values[:1])
        np.testing.assert_array_equal(blob.diff, -values[:1])
        data[...] += 1  # views of the larger shape are still its memory
        blob.reshape(shape[1], shape[0])
        np.testing.assert_array_equal(blob.data.ravel(), values.ravel() + 1)
        np.testing.assert_array_equal(blob.diff.ravel(), -values.ravel())
        blob.reshape(shape[0] + 1, *shape[1:])
        assert not blob.data.any() and not blob.diff.any()


def test_a_reshaped_blob_does_not_grow_into_another(tmp_path):
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "cut" type: "Slice" bottom: "x" top: "a" top: "b" slice_param { slice_point: 1 axis: 0 } }"""
    net = build(tmp_path, text)
    views = {name: blob.data for name, blob in net.blobs.items()}
    views["x"][...] = np.arange(12).reshape(4, 3)
    net.forward()
    for name in ("a", "b"):
        net.blobs[name].reshape(4, 3)
        net.blobs[name].data[...] = -1
    np.testing.assert_array_equal(net.blobs["x"].data, np.arange(12).reshape(4, 3))


def test_set_random_seed_reaches_nets_that_are_there(tmp_path):
    text = """layer { name: "in" type: "DummyData" top: "x"
  dummy_data_param { shape { dim: 5 dim: 7 } data_filler { type: "gaussian" std: 1 } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }"""
    (tmp_path / "net.prototxt").write_text(text)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)
    found = []
    for seed in (9, 9, 8):
        caffe.set_random_seed(seed)
        other = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)
        net.forward()
        found.append([net.blobs["x"].data.copy(), net.blobs["y"].data.copy(), other.params["ip"][0].data])
    for first, again, third in zip(*found, strict=True):
        np.testing.assert_array_equal(first, again)
        assert (first != third).any()


def test_a_dropped_net_is_gone_at_once(tmp_path):
    """Scripts make one net after the other; cycles would keep their memory until the garbage collector comes."""
    net = build(tmp_path, NET)
    net.forward()
    net.backward()
    blob = net.blobs["y"]
    known = ref(net), ref(net.core)
    gc.disable()
    try:
        del net
        assert known[0]() is None
        assert blob.data.shape == (2, 5)  # a blob that is held is there still
        del blob
        assert known[1]() is None
    finally:
        gc.enable()


def test_input_arrays_are_served_in_turn_and_left_alone(tmp_path):
    text = """layer { name: "in" type: "MemoryData" top: "x" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 3 width: 4 } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }"""
    net = build(tmp_path, text)
    data = np.random.default_rng(1).normal(size=(6, 1, 3, 4)).astype(np.float32)
    kept, labels = data.copy(), np.arange(6, dtype=np.float32)
    net.set_input_arrays(data, labels)
    views = [blob.data for blob in net.blobs.values()]
    for turn in (0, 1, 2, 0, 1):
        net.forward()
        np.testing.assert_array_equal(views[0], np.maximum(kept[2 * turn : 2 * turn + 2], 0))
        np.testing.assert_array_equal(views[1].ravel(), [2 * turn, 2 * turn + 1])
    np.testing.assert_array_equal(data, kept)
    np.testing.assert_array_equal(labels, range(6))


def test_a_python_layer_reshapes_once_in_a_pass(tmp_path, monkeypatch):
    (tmp_path / "counting_layer.py").write_text(
        "import caffe_compat as caffe\n\n\nclass Counting(caffe.Layer):\n    count = 0\n\n    def setup(self, bottom, top): ...\n\n"
        "    def reshape(self, bottom, top):\n        self.count += 1\n        top[0].reshape(2, 3)\n\n"
        "    def forward(self, bottom, top): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = 'layer { name: "py" type: "Python" top: "y" python_param { module: "counting_layer" layer: "Counting" } }'
    net = build(tmp_path, text)
    counts = []
    for run in (lambda: None, net.forward, net.forward, net.reshape):
        run()
        counts.append(net.layers[0].count)
    assert counts == [1, 2, 3, 4]


def test_forward_all_batches_and_drops_the_padding(net):
    x = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_allclose(net.forward_all(x=x)["y"], formula(net, x)[1], rtol=1e-4, atol=1e-6)


def test_save_and_copy_from(net, tmp_path):
    other = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    for save in (net.save, net.save_hdf5):
        net.params["low"][0].data[...] += 1
        save(str(tmp_path / "w"))
        other.copy_from(str(tmp_path / "w"))
        np.testing.assert_array_equal(other.params["low"][0].data, net.params["low"][0].data)


def test_share_with_makes_one_tensor_of_two(net, tmp_path):
    other = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    other.share_with(net)
    net.params["low"][1].data[...] = 7
    net.forward()
    other.forward()
    np.testing.assert_array_equal(other.params["low"][1].data, [7] * 4)
    np.testing.assert_allclose(other.blobs["y"].data, net.blobs["y"].data)


def test_hooks_see_every_layer_in_order(net):
    seen = []
    net.before_forward(lambda i: seen.append(("before", i)))
    net.after_backward(lambda i: seen.append(("back", i)))
    net.forward()
    net.backward()
    assert seen == [("before", i) for i in range(4)] + [("back", i) for i in (3, 2, 1, 0)]


def test_constructor_forms(net, tmp_path):
    path, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")
    net.save(weights)
    for made in (
        caffe.Net(path, weights, caffe.TEST),
        caffe.Net(path, caffe.TEST, weights=weights),
        caffe.Net(network_file=path, phase=caffe.TEST, weights=weights),
    ):
        np.testing.assert_array_equal(made.params["low"][0].data, net.params["low"][0].data)
    with pytest.raises(TypeError, match="Net needs a phase"):
        caffe.Net(path)


def test_paths_of_every_kind(net, tmp_path):
    net.save(str(tmp_path / "w"))
    path, weights = tmp_path / "net.prototxt", tmp_path / "w"
    for made in (
        caffe.Net(path, caffe.TEST, weights=weights),
        caffe.Net(os.fsencode(path), os.fsencode(weights), caffe.TEST),
    ):
        np.testing.assert_array_equal(made.params["low"][0].data, net.params["low"][0].data)


def test_files_that_cannot_be_opened_are_runtime_errors(net, tmp_path):
    with pytest.raises(RuntimeError, match=r"no\.prototxt: cannot be read: No such file"):
        caffe.Net(str(tmp_path / "no.prototxt"), caffe.TEST)
    with pytest.raises(RuntimeError, match=r"no\.caffemodel: cannot be read: No such file"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, weights=str(tmp_path / "no.caffemodel"))
    (tmp_path / "bad.prototxt").write_text("layer {")
    with pytest.raises(ParseError):
        caffe.Net(str(tmp_path / "bad.prototxt"), caffe.TEST)


def test_blobs_by_number(tmp_path):
    text = """layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "act" type: "TanH" bottom: "x" top: "x" }
layer { name: "cut" type: "Slice" bottom: "t" top: "a" top: "b" slice_param { slice_point: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "l" loss_weight: 2 }"""
    net = build(tmp_path, text)
    ids = {name: number for number, name in enumerate(net._blob_names)}
    assert [list(net.blobs)[i] for i in net._inputs] == ["x", "t"] == net.inputs
    assert [list(net.blobs)[i] for i in net._outputs] == net.outputs
    for i, name in enumerate(net._layer_names):
        assert [net._blob_names[k] for k in net._bottom_ids(i)] == net.bottom_names[name]
        assert [net._blob_names[k] for k in net._top_ids(i)] == net.top_names[name]
    act = list(net._layer_names).index("act")
    assert net._bottom_ids(act) == net._top_ids(act) == [ids["x"]]
    assert net._blobs[ids["x"]] is net.blobs["x"]
    assert net._blob_names_index == ids
    assert net._blob_loss_weights[ids["l"]] == 2 and net._blob_loss_weights[ids["x"]] == 0


def test_wrong_inputs_are_named(net):
    with pytest.raises(ValueError, match=r"\['z'\] do not match net inputs \['x'\]"):
        net.forward(z=np.ones((2, 3)))
    with pytest.raises(ValueError, match="Input is not batch sized: 'x' has 3 items and the blob 2"):
        net.forward(x=np.ones((3, 3)))
    with pytest.raises(ValueError, match="'nope' is not a layer of this net"):
        net.forward(start="nope")
    with pytest.raises(NetError, match="layers 2 to 9 asked for, but the net has layers 0 to 3"):
        net._forward(2, 9)


def test_module_is_a_module_of_named_parameters(net):
    module = net.module()
    assert isinstance(module, torch.nn.Module)
    assert {"low.blobs.0", "low.blobs.1", "high.blobs.0", "high.blobs.1"} == {
        n for n, _ in module.named_parameters()
    }
    _, outputs = module(torch.ones(2, 3))
    np.testing.assert_allclose(
        outputs["y"].detach().numpy(), formula(net, np.ones((2, 3)))[1], rtol=1e-5, atol=1e-6
    )


def test_install_as_caffe_gives_every_submodule():
    import subprocess
    import sys

    code = (
        "import caffe_compat; caffe_compat.install_as_caffe()\n"
        "import caffe, caffe.io, caffe.draw\n"
        "from caffe import layers as L, params as P\n"
        "from caffe.proto import caffe_pb2\n"
        "net = caffe.NetSpec(); net.x = L.DummyData(shape=dict(dim=[2, 3])); net.y = L.ReLU(net.x)\n"
        "assert isinstance(net.to_proto(), caffe_pb2.NetParameter)\n"
        "import caffe.pycaffe\n"
        "from caffe._caffe import BlobVec, RawBlobVec, layer_type_list\n"
        "assert caffe.pycaffe.Net is caffe._caffe.Net is caffe.Net and caffe.pycaffe.SGDSolver\n"
        "from caffe.model_libs import *\n"
        "assert VGGNetBody and caffe.model_libs.L is not None\n"
        "assert 'Convolution' in caffe.layer_type_list() and P.Pooling.MAX == 0\n"
    )
    root = os.path.dirname(os.path.dirname(caffe.__file__))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


@pytest.mark.parametrize(
    ("environment", "arguments", "printed"),
    [
        (None, None, True),
        (None, (), True),
        (None, (1,), False),
        ("0", (0, True), True),
        ("2", None, False),
        ("2", (), False),
        ("2", (0,), True),
        ("loud", None, True),
    ],
)
def test_the_log(net, tmp_path, monkeypatch, environment, arguments, printed):
    """Printed, as by pycaffe, unless GLOG_minloglevel or init_log says otherwise."""
    monkeypatch.setattr(caffe.log.process, "_log", None)
    monkeypatch.setattr("sys.stderr", stream := io.StringIO())
    if environment is None:
        monkeypatch.delenv("GLOG_minloglevel", raising=False)
    else:
        monkeypatch.setenv("GLOG_minloglevel", environment)
    if arguments is not None:
        caffe.init_log(*arguments)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert ("Creating Layer low" in stream.getvalue()) is printed
    assert stream.getvalue() == "" or printed


def test_what_is_old_is_said(net, tmp_path, monkeypatch, capsys):
    """The first versions' Net(file, weights, phase), and a file that has to be upgraded."""
    monkeypatch.setattr(caffe.log.process, "_log", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.prototxt").write_text('input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4')
    caffe.Net("old.prototxt", caffe.TEST).save("w")
    monkeypatch.setenv("GLOG_minloglevel", "2")
    capsys.readouterr()
    caffe.Net("old.prototxt", "w", caffe.TEST)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GLOG_minloglevel", "1")
    caffe.Net("old.prototxt", "w", caffe.TEST)
    lines = [line.split("] ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines[:3] == [
        "DEPRECATION WARNING - deprecated use of Python interface",
        'Use this instead (with the named "weights" parameter):',
        "Net('old.prototxt', 1, weights='w')",
    ]
    assert lines[-1].startswith("Note that future Caffe releases will only support input layers")


def test_modules_are_attributes_without_being_imported():
    """As after pycaffe's `import caffe`; and the import alone brings no torch."""
    import subprocess
    import sys

    code = (
        "import sys, caffe_compat as caffe\n"
        "assert 'torch' not in sys.modules\n"
        "assert caffe.proto.caffe_pb2.Datum(label=3).label == 3 and caffe.proto.caffe_pb2.TEST == caffe.TEST\n"
        "assert 'torch' not in sys.modules\n"
        "assert caffe.io.Transformer and caffe.net_spec.Top and caffe.to_proto and caffe.params.Pooling.MAX == 0\n"
        "assert caffe.pycaffe.Net is caffe._caffe.Net is caffe.Net and caffe.classifier.Classifier\n"
        "assert caffe.detector.Detector and caffe.draw and caffe.coord_map.coord_map and caffe.layers.ReLU\n"
        "assert caffe.model_libs.check_if_exist\n"
        "assert {'_caffe', 'model_libs', 'pycaffe', 'proto', 'io'} <= set(dir(caffe))\n"
    )
    root = os.path.dirname(os.path.dirname(caffe.__file__))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


def test_log_writes_a_line_under_both_names(monkeypatch):
    for log in (caffe.log, caffe.pycaffe.log):
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        log("hello")
        assert stream.getvalue().rstrip().endswith(" _caffe.cpp:68] hello")


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


def build(folder, text):
    (folder / "net.prototxt").write_text(text)
    return caffe.Net(str(folder / "net.prototxt"), caffe.TEST)


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


def test_inputs_that_do_not_fit(net):
    with pytest.raises(
        ValueError, match=r"Input of shape \(2, 4\) does not fit 'x', which has the shape \(2, 3\)"
    ):
        net.forward(x=np.zeros((2, 4)))
    net.forward(x=np.zeros((2, 1)))  # numpy spreads it, as in pycaffe
