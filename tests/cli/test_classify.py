"""`caffe-compat classify`: the lines of Caffe's cpp_classification and the scores of its classify.py, which
computed the facts here."""

import re

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.pycaffe import TEST, Net

cv2 = pytest.importorskip("cv2")

NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: {} dim: 6 dim: 5 }} }} }}
layer {{ name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param {{ num_output: 7 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "score" top: "prob" }}
"""
RESHAPED = """top: "prob" }
layer { name: "m" type: "Reshape" bottom: "prob" top: "m" reshape_param { shape { dim: 0 dim: 1 dim: 7 } }"""
COLOUR = """\
0.3375 - "n4 class 4, c"
0.1758 - "n0 class 0, c"
0.1601 - "n3 class 3, c"
0.1521 - "n5 class 5, c"
0.1052 - "n1 class 1, c"
"""
GRAY = """\
0.1943 - "n5 class 5, c"
"""
TEN = [0.11329476, 0.12072313, 0.11119566, 0.13937423, 0.13903004, 0.17806524, 0.1983169]
CENTRE = [0.11967923, 0.11833672, 0.09652025, 0.10132001, 0.12617363, 0.23483375, 0.2031364]


@pytest.fixture
def folder(reference, tmp_path, monkeypatch):
    """A working folder with two nets (3.prototxt and 1.prototxt, by channels), labels and pictures."""
    monkeypatch.chdir(tmp_path)
    for channels in (3, 1):
        (tmp_path / f"{channels}.prototxt").write_text(NET.format(channels))
        net = Net(f"{channels}.prototxt", TEST)
        weight, bias = net.params["score"]
        weight.data[...] = (np.arange(weight.count) * 7 % 11 - 5).reshape(weight.shape) / 2000
        bias.data[...] = np.arange(7) / 10
        net.save(f"{channels}.caffemodel")
    (tmp_path / "labels.txt").write_text("".join(f"n{i} class {i}, c\n" for i in range(7)))
    (tmp_path / "pictures").symlink_to(reference / "data" / "pictures")
    return tmp_path


def classify(*more, channels=3):
    return main(["classify", "--model", f"{channels}.prototxt", "--weights", f"{channels}.caffemodel", *more])


def test_the_lines_of_cpp_classification(folder, reference, capsys):
    mean = str(reference / "data" / "mean.binaryproto")
    assert classify("--mean", mean, "--labels", "labels.txt", "pictures/00.png") == 0
    shown = capsys.readouterr()
    assert shown.out == f"---------- Prediction for pictures/00.png ----------\n{COLOUR}"
    assert shown.err == ""


def test_a_colour_picture_for_a_gray_net(folder, capsys):
    assert (
        classify("--mean", "100", "--labels", "labels.txt", "--top", "1", "pictures/00.png", channels=1) == 0
    )
    assert capsys.readouterr().out.partition("\n")[2] == GRAY


@pytest.mark.parametrize("stored, channels", [("gray", 3), ("alpha", 3), ("alpha", 1)])
def test_pictures_are_made_to_have_the_channels_of_the_net(folder, stored, channels):
    """A gray picture is three equal channels; transparency is dropped."""
    picture = cv2.imread("pictures/00.png")
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    alpha = np.dstack([picture, np.full(picture.shape[:2], 7, np.uint8)])
    cv2.imwrite("stored.png", gray if stored == "gray" else alpha)
    cv2.imwrite("plain.png", cv2.merge([gray] * 3) if stored == "gray" else picture)
    for name in ("stored", "plain"):
        assert classify(f"{name}.png", "--output", f"{name}.npy", channels=channels) == 0
    np.testing.assert_array_equal(np.load("stored.npy"), np.load("plain.npy"))


@pytest.mark.parametrize("way, wanted", [("--crops=ten", TEN), ("--center_only", CENTRE)])
def test_the_scores_of_classify_py(folder, capsys, way, wanted):
    assert (
        classify(way, "--images_dim", "16,17", "--mean=104,117,123", "pictures/00.png", "--output=o.npy") == 0
    )
    scores = np.load("o.npy")
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [wanted], rtol=1e-6)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Saving results into o.npy"
    best = int(np.argmax(wanted))
    assert lines[1] == f'{wanted[best]:.4f} - "{best}"'


def test_arrays_of_pictures(folder, capsys):
    rgb = cv2.imread("pictures/00.png")[None, :, :, ::-1] / np.float32(255)
    np.save("in.npy", np.concatenate([rgb * 0.5, rgb]))
    assert (
        classify("--center_only", "--images_dim=16,17", "--mean=104,117,123", "in.npy", "--output=o.npy") == 0
    )
    np.testing.assert_allclose(np.load("o.npy")[1], CENTRE, rtol=1e-6)
    assert re.findall(r"Prediction for (\S+)", capsys.readouterr().out) == ["in.npy[0]", "in.npy[1]"]


def test_folders_and_patterns(folder, capsys):
    def named(*words):
        assert classify(*words) == 0
        return re.findall(r"Prediction for pictures/(\S+)", capsys.readouterr().out)

    assert named("pictures") == [f"{i:02}.{'jpg' if i in (3, 7) else 'png'}" for i in range(11)]
    assert named("--ext=jpg", "pictures/") == ["03.jpg", "07.jpg"]
    assert named("pictures/0[12].*", "pictures/00.png") == ["01.png", "02.png", "00.png"]


def test_rows_are_in_the_order_of_the_lines(folder):
    assert classify("pictures/02.png", "pictures/01.png", "--output=both.npy") == 0
    for row, name in enumerate(("02", "01")):
        assert classify(f"pictures/{name}.png", "--output=one.npy") == 0
        np.testing.assert_array_equal(np.load("one.npy")[0], np.load("both.npy")[row])


def test_input_scale_comes_after_the_mean(folder):
    assert classify("pictures/00.png", "--mean=90,80,70", "--input_scale=0.5", "--output=o.npy") == 0
    picture = cv2.resize(cv2.imread("pictures/00.png"), (5, 6)).astype(np.float32)
    net = Net("3.prototxt", "3.caffemodel", TEST)
    net.blobs["data"].reshape(1, 3, 6, 5)
    net.blobs["data"].data[0] = ((picture - [90, 80, 70]) * 0.5).transpose(2, 0, 1)
    np.testing.assert_allclose(np.load("o.npy"), net.forward()["prob"], rtol=1e-5)


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["pictures/00.png", "--top=0"], 2, "--top 0 is below 1"),
        (["pictures/00.png", "--raw_scale=1"], 2, "--raw_scale is only used with --crops ten or --crops center"),
        (["pictures/00.png", "--crops=ten", "--images_dim=5,5"], 2, "--images_dim 5,5 is smaller than the net's input 6 x 5"),
        (["pictures/00.png", "--crops=ten", "--images_dim=16"], 2, "--images_dim '16' is not 2 whole numbers"),
        (["pictures/00.png", "--crops=ten", "--channel_swap=1,0"], 2, "--channel_swap '1,0' is not 3 whole numbers"),
        (["pictures/00.png", "--crops=ten", "--channel_swap=1,0,3"], 2, "--channel_swap 1,0,3 names channels other than 0 to 2"),
        (["none.png"], 1, "none.png: no such file; give a picture, a folder"),
        (["pictures", "--ext=tif"], 1, "pictures: no file in it ends in tif; give a picture"),
        (["labels.txt"], 1, "labels.txt: its 98 bytes are no picture that OpenCV can decode"),
        (["pictures/00.png", "--labels=3.prototxt"], 1, "3.prototxt has 4 labels and the net's output 'prob' 7 classes"),
        (["pictures/00.png", "--labels=none.txt"], 1, "none.txt: cannot be read: No such file"),
        (["pictures/00.png", "--mean=1,2"], 1, r"--mean 1,2 has the shape \(2,\) and the net's input 3 channel\(s\)"),
        (["pictures/00.png", "--mean=x.npy"], 1, "x.npy: cannot be read as a numpy array"),
        (["pictures/00.png", "--output=none/o.npy"], 1, "none/o.npy: cannot be written"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(folder, capsys, words, code, message):
    assert classify(*words) == code
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    "change, message",
    [
        (("top: \"prob\"", "top: \"prob\" loss_weight: 0 }\nlayer { name: \"x\" type: \"Power\" bottom: \"score\" top: \"x\""),
         "the net has 2 outputs: prob, x; classify needs a deploy net with one output"),
        (("\"Input\"", "\"DummyData\"", "input_param", "dummy_data_param"), "the net has 0 inputs; classify needs a deploy net"),
        (("dim: 3 dim: 6 dim: 5", "dim: 3 dim: 6"), r"the input's shape is \(2, 3, 6\) and must be \(count, 1 or 3, height"),
        (("dim: 3", "dim: 2"), r"the input's shape is \(2, 2, 6, 5\) and must be \(count, 1 or 3, height, width\)"),
        (("top: \"prob\"", RESHAPED), r"the output 'm' has the shape \(1, 1, 7\); classify needs one score a class"),
    ],
)  # fmt: skip
def test_nets_that_are_no_classifiers(folder, capsys, change, message):
    text = NET.format(3)
    for old, new in zip(change[::2], change[1::2], strict=True):
        text = text.replace(old, new)
    (folder / "3.prototxt").write_text(text)
    if "dim: 2" in change or "dim: 3 dim: 6" in change:  # the weights are of another size
        Net("3.prototxt", TEST).save("3.caffemodel")
    assert classify("pictures/00.png") == 1
    assert re.search(message, capsys.readouterr().err)
