"""Files whose height and width stay open: they give the net's numbers at every size, or the layer that fixes it is named."""

import itertools

import numpy as np
import onnxruntime
import pytest

from caffe_compat.errors import LayerError, NetError
from caffe_compat.export import check
from caffe_compat.export.onnx import export_onnx
from caffe_compat.layers.pooling import Pooling
from caffe_compat.pycaffe import Net as PycaffeNet
from tests.export.nets import convolution, data, layer, load, make_net, operators

HALF = "pooling_param { kernel_size: 2 stride: 2 }"
MASKED = 'layer {{ name: "p" type: "Pooling" bottom: "data" top: "p" top: "mask" {} }}\n'
FEATURES = layer("Pooling", "data", "f", "pooling_param { kernel_size: 3 stride: 4 }")


def agrees(text, sizes, path, tolerance=1e-5):
    """Export the net with open sizes and compare it with the net at these; returns the report."""
    net = make_net(text)
    report = export_onnx(net, path, dynamic_size=True, check=False)
    session = onnxruntime.InferenceSession(str(path))
    view = PycaffeNet.over(net)
    random = np.random.default_rng(1)
    channels = net.blob_shapes["data"][1]
    for size in sizes:
        x = random.standard_normal((1, channels, *size)).astype(np.float32)
        view.blobs["data"].reshape(*x.shape)
        view.reshape()
        wanted = view.forward(data=x)
        for name, found in zip(report.outputs, session.run(list(report.outputs), {"data": x}), strict=True):
            want = wanted[name]
            assert found.shape == want.shape, (size, name)
            limit = tolerance * max(1.0, float(np.nanmax(np.abs(want[np.isfinite(want)]), initial=0)))
            np.testing.assert_allclose(found, want, rtol=0, atol=limit, err_msg=f"{name} at {size}")
    return report


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    "kernel, stride, pad, more",
    [
        (2, 2, 0, ""),
        (3, 2, 0, ""),
        (3, 2, 1, ""),
        (3, 2, 1, "round_mode: FLOOR"),
        (3, 1, 1, ""),
        (2, 2, 1, ""),  # from here on runtimes differ in what they do with a last window that starts outside
        (3, 3, 2, ""),
        (1, 2, 0, ""),
        (2, 3, 0, ""),
        (2, 4, 1, ""),
    ],
)
def test_pooling_is_caffes_at_every_size(kernel, stride, pad, more, method, tmp_path):
    text = data(1, 2, 9, 8) + layer(
        "Pooling",
        "data",
        "y",
        f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} {more} }}",
    )
    agrees(text, list(itertools.product(range(5, 12), (6, 7, 9, 12))), tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "window",
    [
        "kernel_size: 2 stride: 2",
        "kernel_size: 3 stride: 3 pad: 2",
        "kernel_size: 1 stride: 3",
        "global_pooling: true",
    ],
)
def test_pooling_tells_its_places_at_every_size(window, tmp_path):
    text = data(1, 2, 9, 8) + MASKED.format(f"pooling_param {{ {window} }}")
    agrees(text, [(9, 8), (10, 11), (12, 7), (5, 13)], tmp_path / "net.onnx")


def test_common_pooling_is_one_node(tmp_path):
    """Sizes are reckoned with in the file only where ONNX's own rounding is not Caffe's."""
    text = data(1, 2, 9, 8) + layer("Pooling", "data", "p", HALF)
    text += layer("Pooling", "p", "y", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }")
    agrees(text, [(10, 11)], tmp_path / "net.onnx")
    assert operators(load(tmp_path / "net.onnx")) == ["MaxPool", "MaxPool"]


def test_the_first_net_of_mtcnn(tmp_path):
    text = data(1, 3, 12, 12)
    for bottom, top, outputs, size in (
        ("data", "c1", 10, 3),
        ("p", "c2", 16, 3),
        ("c2", "c3", 32, 3),
        ("c3", "y", 2, 1),
    ):
        text += layer(
            "Convolution", bottom, top, f"convolution_param {{ num_output: {outputs} kernel_size: {size} }}"
        )
        text += layer("PReLU", top, top, name=f"{top}_prelu") if top != "y" else ""
        text += layer("Pooling", "c1", "p", HALF) if top == "c1" else ""
    report = agrees(
        text + layer("Softmax", "y", "prob"), [(12, 12), (120, 161), (13, 15)], tmp_path / "net.onnx"
    )
    assert report.inputs == {"data": ("N", 3, "H", "W")}
    (shape,) = report.outputs.values()
    assert shape[:2] == ("N", 2) and isinstance(shape[2], str)
    (prob,) = onnxruntime.InferenceSession(str(tmp_path / "net.onnx")).run(
        None, {"data": np.zeros((2, 3, 120, 161), np.float32)}
    )
    assert prob.shape == (2, 2, 55, 76)


NETS = {
    "fcn": convolution("data", "c")
    + layer("Pooling", "c", "p", "pooling_param { kernel_size: 3 stride: 2 }")
    + layer("Deconvolution", "p", "u", "convolution_param { num_output: 4 kernel_size: 4 stride: 2 }")
    + layer("Crop", "u data", "cut", "crop_param { offset: 1 offset: 0 }")
    + layer("Eltwise", "cut c", "sum")
    + layer("LRN", "sum", "n", "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }")
    + layer("Concat", "n data", "y"),
    "ssd": FEATURES
    + layer("Permute", "f", "turned", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    + layer("Flatten", "turned", "loc")
    + layer("Reshape", "loc", "conf", "reshape_param { shape { dim: 0 dim: -1 dim: 4 } }")
    + layer("Softmax", "conf", "prob", "softmax_param { axis: 2 }")
    + layer("PriorBox", "f data", "boxes", "prior_box_param { min_size: 5 max_size: 9 aspect_ratio: 2 flip: true clip: true }"),
    "boxes in steps": FEATURES
    + layer("PriorBox", "f data", "a", "prior_box_param { min_size: 5 step: 4 denser_prior_boxes: true }")
    + layer("PriorBox", "f data", "b", "prior_box_param { min_size: 5 img_size: 40 fixed_size: 6 density: 2 }"),
    "spp": layer("SPP", "data", "s", "spp_param { pyramid_height: 3 }")
    + layer("SPP", "data", "t", "spp_param { pyramid_height: 2 pool: AVE }")
    + layer("Concat", "s t", "y"),
    "interp": layer("Interp", "data", "a", "interp_param { shrink_factor: 2 zoom_factor: 3 pad_beg: -1 pad_end: -2 }")
    + layer("Interp", "data", "b", "interp_param { height: 7 width: 9 }")
    + layer("Interp", "a data", "c", "interp_param { use_blob_size: true }"),
    "segnet": MASKED.format(HALF) + layer("Upsample", "p mask", "y", "upsample_param { scale: 2 }"),
    "rpn": layer("Reshape", "data", "r", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } }")
    + layer("Softmax", "r", "s")
    + layer("Reshape", "s", "y", "reshape_param { shape { dim: 0 dim: 4 dim: -1 dim: 0 } }"),
    "slices": 'layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { axis: 3 slice_point: 3 } }\n'
    + layer("Pooling", "data", "g", "pooling_param { pool: AVE global_pooling: true }")
    + layer("Scale", "b g", "y", "scale_param { axis: 0 }").replace('"b" bottom: "g"', '"b" bottom: "flat"').replace(
        "layer {", layer("Flatten", "g", "flat") + "layer {", 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_nets_of_all_kinds(name, tmp_path):
    sizes = [(20, 24), (21, 27), (30, 25), (23, 22)]
    if name == "segnet":
        sizes = [(20, 24), (22, 26), (24, 22)]
    agrees(data(1, 4, 20, 24) + NETS[name], sizes, tmp_path / "net.onnx")


def test_reorg_goes_in_steps(tmp_path):
    text = data(1, 4, 20, 24) + layer("Reorg", "data", "y", "reorg_param { stride: 2 }")
    report = agrees(text, [(20, 24), (22, 26), (30, 20)], tmp_path / "net.onnx")
    assert report.notes == ["height and width of data: 20 more or less a multiple of 2"]


def test_pictures_that_change_together_and_apart(tmp_path):
    text = data(1, 3, 9, 9) + data(1, 3, 9, 9, name="b") + layer("Eltwise", "data b", "y")
    report = export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
    assert set(report.inputs.values()) == set(report.outputs.values()) == {("N", 3, "H", "W")}
    text = (
        data(1, 3, 9, 9) + data(1, 3, 7, 6, name="b") + layer("ReLU", "data", "x") + layer("ReLU", "b", "y")
    )
    report = export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
    assert report.outputs == {"x": ("N", 3, "H", "W"), "y": ("N_b", 3, "H_b", "W_b")}
    text = data(1, 4, 9, 9) + data(2, 5, name="rois")
    text += layer(
        "ROIPooling", "data rois", "y", "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"
    )
    report = export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
    assert report.inputs == {"data": ("N", 4, "H", "W"), "rois": ("N_rois", 5)}


def test_pictures_of_which_one_is_cut_to_the_other(tmp_path):
    """Their sizes differ, and grow by the same."""
    text = data(1, 3, 9, 8) + data(1, 3, 6, 7, name="like") + layer("Crop", "data like", "y")
    report = export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
    assert report.outputs == {"y": ("N", 3, "H_like", "W_like")} and report.comparisons[0].absolute == 0


def test_small_sizes_that_the_runtime_cannot_run_are_left_out(tmp_path):
    window = "convolution_param { num_output: 3 kernel_h: 2 kernel_w: 3 stride: 2 }"
    report = export_onnx(
        make_net(data(1, 3, 3, 4) + layer("Convolution", "data", "y", window)),
        tmp_path / "net.onnx",
        dynamic_size=True,
    )
    assert report.inputs == {"data": ("N", 3, "H", "W")} and report.comparisons


@pytest.mark.parametrize(
    "text, message",
    [
        (layer("InnerProduct", "data", "y", "inner_product_param { num_output: 2 }"), r"'y' \(InnerProduct\): .* gives K ="),
        (layer("Reshape", "data", "y", "reshape_param { shape { dim: 0 dim: 480 } }"), r"'y' \(Reshape\)"),
        (layer("Pooling", "data", "y", "pooling_param { kernel_size: [3, 3] stride: [2, 2] }"), r"'y' \(Pooling\): cannot be exported"),
    ],
)  # fmt: skip
def test_the_layer_that_fixes_the_size_is_named(text, message, tmp_path):
    with pytest.raises(LayerError, match=f"net.prototxt:2: layer {message}.*leave --dynamic-size out$"):
        export_onnx(make_net(data(1, 4, 10, 12) + text), tmp_path / "net.onnx", dynamic_size=True)


def test_a_layer_that_writes_for_one_size_is_found_without_running_it(tmp_path, monkeypatch):
    def baked(self, graph, bottoms, tops):
        rows = self.sizes[0]
        graph.node("MaxPool", bottoms, tops, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, rows % 2, 0])

    def reckons(self, graph, bottoms, tops):
        graph.node("MaxPool", bottoms, tops, kernel_shape=[graph.shape(bottoms[0])[2] - 1, 2])

    net = make_net(data(1, 4, 10, 12) + layer("Pooling", "data", "y", HALF))
    for wrong in (baked, reckons):
        monkeypatch.setattr(Pooling, "to_onnx", wrong)
        with pytest.raises(
            LayerError, match=r"layer 'y' \(Pooling\): cannot be exported for pictures of any size"
        ):
            export_onnx(net, tmp_path / "net.onnx", dynamic_size=True, check=False)


def test_nets_without_pictures(tmp_path):
    with pytest.raises(NetError, match="no input is a picture, with four axes or more, .* inputs: data"):
        export_onnx(
            make_net(data(1, 3) + layer("ReLU", "data", "y")), tmp_path / "net.onnx", dynamic_size=True
        )


def test_the_check_runs_at_several_sizes(tmp_path, monkeypatch):
    text = data(1, 3, 12, 14) + layer("Pooling", "data", "y", HALF)
    report = export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
    tried = report.comparisons[0].tried
    for size in ("1 x 3 x 12 x 14", "2 x 3 x 13 x 17", "1 x 3 x 14 x 20", "1 x 3 x 8 x 9"):
        assert size in tried
    floor = check.Session.run
    # A runtime that is wrong at odd sizes only is found.
    monkeypatch.setattr(
        check.Session,
        "run",
        lambda self, outputs, feeds: [
            top[:, :, : feeds["data"].shape[2] // 2] for top in floor(self, outputs, feeds)
        ],
    )
    with pytest.raises(check.ExportError, match="inputs of 2 x 3 x 13 x 17 .* gives output 'y' off by"):
        export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_size=True)
