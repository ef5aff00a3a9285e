"""pycaffe's Net: views that write through, partial runs, shapes, files; and the same on a device without views."""

import gc
import os
from weakref import ref

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.errors import NetError, ParseError
from caffe_compat.net.execution import Execution
from tests.pycaffe.nets import NET, build


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


def test_inputs_that_do_not_fit(net):
    with pytest.raises(
        ValueError, match=r"Input of shape \(2, 4\) does not fit 'x', which has the shape \(2, 3\)"
    ):
        net.forward(x=np.zeros((2, 4)))
    net.forward(x=np.zeros((2, 1)))  # numpy spreads it, as in pycaffe


def test_how_nets_and_solvers_run(tmp_path):
    """`set_execution` has the words of the command line."""
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } layer { name: "ip" '
        'type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 weight_filler { value: 0.7001 } } }'
    )
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed"'
    )
    found = {}
    try:
        for precision in ("fp32", "bf16"):
            caffe.set_execution(precision=precision)
            for phase in (caffe.TEST, caffe.TRAIN):
                net = caffe.Net(str(tmp_path / "net.prototxt"), phase)
                net.blobs["x"].data[...] = 1
                found[precision, phase] = net.forward()["y"].copy()
            solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
            assert solver.net.core.execution.precision == precision == net.core.execution.precision
        own = caffe.get_solver(str(tmp_path / "solver.prototxt"), execution=Execution("tf32"))
        assert own.net.core.execution.precision == "tf32"
    finally:
        caffe.set_execution()
    for phase in (caffe.TEST, caffe.TRAIN):
        fp32, bf16 = found["fp32", phase], found["bf16", phase]
        assert bf16.dtype == np.float32 and (fp32 != bf16).all() and np.allclose(fp32, bf16, rtol=0.01)
    with pytest.raises(ValueError, match="'fp64' is none of fp32, tf32, bf16"):
        caffe.set_execution("fp64")
