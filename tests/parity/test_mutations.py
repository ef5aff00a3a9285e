"""Layers broken on purpose: each must be caught, and only the broken one named."""

import pytest
import torch.nn.functional as F

from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.convolution import Convolution
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.lrn import LRN
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.scale import Scale
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.nets import validate_net
from tests.parity.harness import ROOT, dump_net


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return dump_net(tmp_path_factory.mktemp("dumped"))


def after_setup(cls, change):
    """The layer class's `setup`, with `change(layer)` behind it."""
    setup = cls.setup

    def changed(self, *bottom):
        setup(self, *bottom)
        change(self)

    return changed


def set_to(**values):
    return lambda layer: layer.__dict__.update(values)


def counted_without_pads(self, x):
    return F.avg_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=self.ceil, count_include_pad=False)


def biased_variance(self, mean, variance, shift):
    fraction, m = self.fraction, 6 * 11 * 9
    mean = mean if shift is None else mean + shift
    for blob, value in zip(self.blobs, (mean, variance * (m - 1) / m, 1), strict=True):
        blob.data.mul_(fraction).add_(value)


def weight_read_row_by_row(self, bottom):
    return F.linear(bottom.flatten(self.start), self.blobs[0].reshape(self.n, self.k), self.blobs[1])


def scale_before_the_bias_is_added(self, bottom, scale=None):
    shape = (1, -1, 1, 1)
    return (bottom + self.blobs[1].view(shape)) * self.blobs[0].view(shape)


MUTATIONS = {
    "pooling rounds down": (Pooling, "setup", set_to(ceil=False), {"max", "mean"}),
    "AVE pooling leaves the pads out": (Pooling, "_mean", counted_without_pads, {"mean"}),
    "BatchNorm's eps": (BatchNorm, "setup", set_to(eps=1e-2), {"bn"}),
    "BatchNorm stores the biased variance": (BatchNorm, "_add", biased_variance, {"bn"}),
    "BatchNorm's moving average": (BatchNorm, "setup", set_to(fraction=0.99), {"bn"}),
    "LRN does not divide alpha by n": (LRN, "setup", lambda self: set_to(alpha=3 * self.alpha)(self), {"norm"}),
    "LRN's k is 1": (LRN, "setup", set_to(k=1.0), {"norm"}),
    "the loss is normalised by the batch": (SoftmaxWithLoss, "setup", set_to(normalization=2), {"loss"}),
    "Scale adds its bias first": (Scale, "forward", scale_before_the_bias_is_added, {"scale"}),
    "Eltwise forgets a coeff": (Eltwise, "setup", set_to(coeff=[1.0, -2.0]), {"sum"}),
    "InnerProduct reads a transposed weight row by row": (InnerProduct, "forward", weight_read_row_by_row, {"flat"}),
    "Dropout does not scale up": (
        Dropout, "forward", lambda self, x: F.dropout(x, self.ratio) * (1 - self.ratio), {"drop"},
    ),
    "ReLU has no slope": (ReLU, "forward", lambda self, x: F.relu(x), {"relu"}),
    "the convolution is flipped": (
        Convolution, "forward", lambda self, x: F.conv2d(x, self.blobs[0].flip(2, 3), self.blobs[1]), {"conv"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_broken_layers_are_named(name, bundle, monkeypatch):
    cls, method, change, guilty = MUTATIONS[name]
    if name.startswith("InnerProduct"):
        other = InnerProduct.forward
        monkeypatch.setattr(cls, "forward", lambda self, x: (change if self.transpose else other)(self, x))
    else:
        monkeypatch.setattr(cls, method, after_setup(cls, change) if method == "setup" else change)
    report = validate_net(open_bundle(bundle))
    assert report.verdict == "differs"
    assert {text.split("'")[1] for text in report.guilty} == guilty
    assert report.first.layer in guilty


def test_nothing_is_guilty_without_a_mutation(bundle):
    report = validate_net(open_bundle(bundle))
    assert (report.verdict, report.guilty, report.missing) == ("agrees", [], [])
    assert any("'drop' (Dropout) drops values at random" in note for note in report.notes)
    assert sum(row.compared for row in report.rows) > 30


RANDOM = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 4 dim: 6 dim: 5 dim: 7 } } }
layer { name: "few" type: "TernaryConvolution" bottom: "data" top: "few" convolution_param { num_output: 6 kernel_size: 2
  sq: true ratio: 50 weight_filler { type: "xavier" } } }
layer { name: "slope" type: "Insanity" bottom: "few" top: "slope" }
layer { name: "draw" type: "Pooling" bottom: "slope" top: "draw" pooling_param { pool: STOCHASTIC kernel_size: 2 } }
layer { name: "factor" type: "ScaleFilter" bottom: "draw" top: "factor" scale_filter_param { min_scale: 0.5 max_scale: 2 } }
layer { name: "drop" type: "SeLUDropout" bottom: "factor" top: "drop" }
layer { name: "ip" type: "InnerProduct" bottom: "drop" top: "ip" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Reduction" bottom: "ip" top: "loss" loss_weight: 1 }
"""


def test_random_layers_are_listed_and_not_compared(tmp_path):
    report = validate_net(open_bundle(dump_net(tmp_path, RANDOM)))
    assert (report.verdict, report.guilty, report.missing) == ("agrees", [], [])
    listed = {note.split("'")[1] for note in report.notes if "cannot be compared value by value" in note}
    assert listed == {"few", "slope", "draw", "factor", "drop"}
    assert listed.isdisjoint(row.layer for row in report.rows if row.compared)
    assert {row.layer for row in report.rows if row.compared} == {"ip", "loss"}


def test_a_wrong_backward_is_named_although_the_values_agree(bundle, monkeypatch):
    forward = LRN.forward
    monkeypatch.setattr(LRN, "forward", lambda self, x: forward(self, x).detach() + 0 * x + (x - x.detach()))
    report = validate_net(open_bundle(bundle))
    assert report.verdict == "differs"
    (text,) = report.guilty
    assert text.startswith("layer 'norm' (LRN): gradient of conv (relative ")
    assert report.first.what == "gradient"


GOLDEN = {
    "pooling rounds down": (Pooling, set_to(ceil=False), "Pooling_004"),
    "BatchNorm's eps": (BatchNorm, set_to(eps=1e-2), "BatchNorm_002"),
    "BatchNorm's moving average": (BatchNorm, set_to(fraction=0.5), "BatchNormScale_001"),
    "LRN's alpha": (LRN, set_to(alpha=5.0), "LRN_000"),
    "the loss is not normalised": (SoftmaxWithLoss, set_to(normalization=3), "SoftmaxWithLoss_000"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_broken_layers_fail_against_a_real_caffe(name, monkeypatch):
    cls, change, case = GOLDEN[name]
    path = ROOT / "tests/reference/layers" / f"{case}.npz"
    assert validate_net(open_bundle(path)).verdict == "agrees"
    monkeypatch.setattr(cls, "setup", after_setup(cls, change))
    report = validate_net(open_bundle(path))
    assert report.verdict == "differs"
    assert all(f"({cls.__name__})" in text for text in report.guilty)
    assert report.guilty
