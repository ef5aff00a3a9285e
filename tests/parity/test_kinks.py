"""Values next to a kink: a gradient that rounding turned aside is no departure, a wrong one is."""

import numpy as np
import pytest
import torch

import caffe_compat
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.compare import Row, compare
from caffe_compat.parity.nets import validate_net
from caffe_compat.parity.steps import _forgive_kinks
from tests.parity.harness import dump_net, rewrite

NET = """
layer { name: "in" type: "Input" top: "data" top: "target"
  input_param { shape { dim: 3 dim: 4 } shape { dim: 3 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "relu" }
layer { name: "ip2" type: "InnerProduct" bottom: "relu" top: "ip2"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip2" bottom: "target" top: "loss" }
"""


@pytest.fixture
def bundle(tmp_path):
    """A net of which one value before the ReLU is 2e-6 in "Caffe" and -2e-6 here."""
    folder = dump_net(tmp_path, NET)
    value = open_bundle(folder).arrays["blob.ip"][1, 2]
    net = caffe_compat.Net(
        str(folder / "net.prototxt"), str(folder / "weights.caffemodel"), caffe_compat.TRAIN
    )
    bias = net.params["ip"][1].data
    bias[2] += 2e-6 - value
    net.save(str(tmp_path / "start.caffemodel"))
    folder = dump_net(tmp_path, NET, "--phase", "TRAIN", "--weights", str(tmp_path / "start.caffemodel"))
    assert 1e-6 < open_bundle(folder).arrays["blob.ip"][1, 2] < 3e-6
    bias[2] -= 4e-6
    net.save(str(folder / "weights.caffemodel"))
    return folder


def test_a_gradient_that_a_kink_turned_aside_is_compared_on_caffes_own_blobs(bundle):
    report = validate_net(open_bundle(bundle))
    assert (report.verdict, report.guilty, report.kinks) == ("agrees", [], True)
    (note,) = (note for note in report.notes if "kink" in note)
    assert "gradients end to end differ from Caffe's, though all values agree" in note
    (row,) = (row for row in report.rows if row.layer == "relu" and row.what == "gradient")
    assert row.relative < 1e-6
    assert row.note.startswith("compared on Caffe's own blobs; end to end relative ")


@pytest.mark.parametrize(
    ("array", "guilty"),
    [
        ("paramgrad.ip2.0", "layer 'ip2' (InnerProduct): parameter gradient of ip2[0]"),
        ("diff.ip", "layer 'relu' (ReLU)"),
    ],
)
def test_a_wrong_gradient_beside_a_kink_is_a_departure(bundle, array, guilty):
    rewrite(bundle, lambda arrays: arrays.update({array: arrays[array] * 1.1}))
    report = validate_net(open_bundle(bundle))
    assert (report.verdict, report.kinks) == ("differs", False)
    assert any(text.startswith(guilty) for text in report.guilty)


def test_what_kinks_do_to_an_update_is_told_from_a_wrong_rate():
    theirs = np.random.default_rng(0).standard_normal(400)
    turned, longer, other = theirs.copy(), theirs * 1.05, theirs.copy()
    turned[[7, 30]] += 0.3
    other[:40] = 0

    def agrees(ours):
        row = compare(
            Row("", "", "update", "ip[0]", note="iteration 3"), torch.from_numpy(ours), theirs, 2e-3
        )
        assert not row.agrees
        _forgive_kinks(row, torch.from_numpy(ours), theirs)
        return row.agrees, row.note

    assert agrees(turned) == (True, "iteration 3; within what kinks do")
    assert agrees(longer) == (False, "iteration 3")
    assert agrees(other) == (False, "iteration 3")
