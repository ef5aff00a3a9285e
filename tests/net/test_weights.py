"""caffemodel files in and out: bytes as Caffe's, refusals before anything is copied."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffe_compat.errors import ParseError, SnapshotError, WeightsError
from caffe_compat.log.write import NULL, WARNING, Log
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.net.weights import copy_trained_layers_from, save, save_hdf5, shapes_in
from caffe_compat.proto import TRAIN, NetParameter, text
from caffe_compat.proto.text import parse

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "%s" type: "InnerProduct" bottom: "x" top: "h" inner_product_param { num_output: %d weight_filler { type: "xavier" } } }
layer { name: "out" type: "InnerProduct" bottom: "h" top: "y" inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""


def net(name="ip", num_output=5, extra="", log=NULL):
    param = text.parse(NET % (name, num_output) + extra, NetParameter, "net.prototxt")
    param.state.phase = TRAIN
    return Net(param, log=log)


def values(made):
    return [blob.detach().numpy().copy() for layer in made.layers for blob in layer.blobs]


@pytest.fixture
def reference_net(monkeypatch):
    monkeypatch.chdir(REFERENCE)
    param = text.read_net("net.prototxt")
    param.state.phase = TRAIN
    param.state.level = 0
    param.state.stage.append("")
    return Net(param)


@pytest.mark.parametrize("file", ["init.caffemodel", "snap_iter_12.caffemodel"])
def test_loading_and_saving_gives_caffes_bytes(reference_net, file, tmp_path):
    source = REFERENCE / "sgd_triangular" / file
    weights.copy_trained_layers_from(reference_net, str(source))
    weights.save(reference_net, str(tmp_path / "out.caffemodel"))
    assert (tmp_path / "out.caffemodel").read_bytes() == source.read_bytes()


def test_hdf5_file_of_caffe_loads_and_ours_has_its_layout(reference_net, tmp_path):
    h5py = pytest.importorskip("h5py")
    source = REFERENCE / "sgd_hdf5" / "snap_iter_12.caffemodel.h5"
    weights.copy_trained_layers_from(reference_net, str(source))
    weights.save_hdf5(reference_net, str(tmp_path / "out.h5"))
    with h5py.File(source) as theirs, h5py.File(tmp_path / "out.h5") as ours:
        found: dict[str, list] = {"theirs": [], "ours": []}
        theirs.visititems(lambda name, item: found["theirs"].append(name))
        ours.visititems(lambda name, item: found["ours"].append(name))
        assert found["ours"] == found["theirs"]
        np.testing.assert_array_equal(ours["data/ip1/0"][()], theirs["data/ip1/0"][()])


@pytest.mark.parametrize("save", [weights.save, weights.save_hdf5])
def test_round_trip_ignores_and_keeps_by_name(save, tmp_path):
    source, target = net(), net(name="other")
    save(source, str(tmp_path / "w"))
    before = values(target)
    weights.copy_trained_layers_from(target, str(tmp_path / "w"))
    after = values(target)
    np.testing.assert_array_equal(after[0], before[0])  # a layer the file lacks keeps its values
    np.testing.assert_array_equal(after[2], values(source)[2])


@pytest.mark.parametrize("save", [weights.save, weights.save_hdf5])
def test_a_file_of_another_net_is_a_warning(save, tmp_path):
    target = net(log=Log(io.StringIO(), level=WARNING))
    other = text.parse((NET % ("a", 5)).replace('"out"', '"b"'), NetParameter)
    save(Net(other), str(tmp_path / "w"))
    weights.copy_trained_layers_from(target, str(tmp_path / "w"))
    said = target.log._stream.getvalue()
    assert (
        "w: nothing was copied, for none of its layers (a, b) is one of the net's (ip, out); layers are"
        in said
    )
    save(net(name="a"), str(tmp_path / "w"))
    weights.copy_trained_layers_from(target, str(tmp_path / "w"))
    assert target.log._stream.getvalue() == said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_a_warning(value, tmp_path):
    source, target = net(), net(log=Log(io.StringIO(), level=WARNING))
    with torch.no_grad():
        source.layers[1].blobs[0].fill_(3e38)  # the sum is infinite and they are not
        weights.save(source, str(tmp_path / "w"))
        weights.copy_trained_layers_from(target, str(tmp_path / "w"))
        assert target.log._stream.getvalue() == ""
        source.layers[2].blobs[1][2] = value
    weights.save(source, str(tmp_path / "w"))
    weights.copy_trained_layers_from(target, str(tmp_path / "w"))
    assert "w: the values of out are not all finite, so what the net" in target.log._stream.getvalue()


def test_slash_in_a_layer_name_survives_hdf5(tmp_path):
    source, target = net(name="inception/1x1"), net(name="inception/1x1")
    weights.save_hdf5(source, str(tmp_path / "w.h5"))
    weights.copy_trained_layers_from(target, str(tmp_path / "w.h5"))
    np.testing.assert_array_equal(values(target)[0], values(source)[0])


def test_diffs_are_written_on_request(tmp_path):
    made = net()
    for blob in made.learned:
        blob.tensor.grad = torch.full_like(blob.tensor, 0.25)
    weights.save(made, str(tmp_path / "w.caffemodel"), diff=True)
    file = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert set(file.layer[1].blobs[0].diff) == {0.25}


def test_diffs_of_a_shared_blob_are_written_in_each_layers_shape(tmp_path):
    """share_mode PERMISSIVE: a blob of 5 x 3 is another layer's of 3 x 5; HDF5 too has the diffs of both."""
    h5py = pytest.importorskip("h5py")
    share = 'param { name: "w" share_mode: PERMISSIVE }'
    extra = f"""layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" {share} inner_product_param {{ num_output: 5 }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" {share} inner_product_param {{ num_output: 3 }} }}"""
    made = net(extra=extra)
    (owner,) = (blob for blob in made.learned if blob.name == "w")
    owner.tensor.grad = torch.arange(15.0).reshape(5, 3)
    weights.save(made, str(tmp_path / "w.caffemodel"), diff=True)
    file = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    first, second = (layer.blobs[0] for layer in file.layer if layer.name in ("a", "b"))
    assert (list(first.shape.dim), list(second.shape.dim)) == ([5, 3], [3, 5])
    assert list(first.diff) == list(second.diff) == list(range(15))
    weights.save_hdf5(made, str(tmp_path / "w.h5"), diff=True)
    with h5py.File(tmp_path / "w.h5") as file:
        assert (file["diff/a/0"].shape, file["diff/b/0"].shape) == ((5, 3), (3, 5))
        assert "0" not in file["data/b"]


def test_hdf5_diffs_have_a_group_for_every_layer(tmp_path):
    """As Caffe writes them: a group for a layer without blobs, too."""
    h5py = pytest.importorskip("h5py")
    weights.save_hdf5(net(), str(tmp_path / "w.h5"), diff=True)
    with h5py.File(tmp_path / "w.h5") as file:
        names = [f"{kind}/{name}" for kind in ("data", "diff") for name in ("in", "ip", "out")]
        assert [name for name in names if name not in file] == []
        assert list(file["diff/in"]) == []
        assert list(file["diff/ip"]) == ["0", "1"]


@pytest.mark.parametrize("save", [weights.save, weights.save_hdf5])
def test_another_shape_is_refused_and_nothing_copied(save, tmp_path):
    save(net(num_output=6), str(tmp_path / "w"))
    target = net()
    before = values(target)
    match = r"layer 'ip' \(InnerProduct\): .*cannot copy param 0: shape mismatch, source \(6, 3\), target \(5, 3\)\. To learn this layer's parameters from scratch"
    with pytest.raises(WeightsError, match=match):
        weights.copy_trained_layers_from(target, str(tmp_path / "w"))
    for a, b in zip(before, values(target), strict=True):
        np.testing.assert_array_equal(a, b)


def test_old_order_of_a_batch_norm_with_its_own_scale(tmp_path):
    """NVIDIA's Caffe 0.15 wrote scale, bias, mean, variance, a number; as 1 x C x 1 x 1."""
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { scale_bias: true } }
        state { phase: TEST }"""
    param = parse(text, NetParameter)
    old = NetParameter(layer=[param.layer[1]])
    for numbers in ([2, 3, 4], [5, 6, 7], [8, 9, 10], [11, 12, 13]):
        old.layer[0].blobs.add(num=1, channels=3, height=1, width=1, data=numbers)
    old.layer[0].blobs.add(num=1, channels=1, height=1, width=1, data=[0])
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    made = Net(param)
    weights.copy_trained_layers_from(made, str(tmp_path / "old.caffemodel"))
    found = [blob.tolist() for blob in made.layer("bn").blobs]
    assert found == [[8, 9, 10], [11, 12, 13], [1], [2, 3, 4], [5, 6, 7]]
    weights.save(made, str(tmp_path / "new.caffemodel"))
    weights.copy_trained_layers_from(made, str(tmp_path / "new.caffemodel"))
    assert [blob.tolist() for blob in made.layer("bn").blobs] == found


def test_a_solverstate_is_not_weights():
    state = str(REFERENCE / "sgd_fixed" / "snap_iter_6.solverstate")
    with pytest.raises(WeightsError, match="a solverstate, not weights; give the .caffemodel beside it"):
        weights.copy_trained_layers_from(net(), state)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.caffemodel: cannot be read: No such file"):
        weights.copy_trained_layers_from(net(), str(tmp_path / "nowhere.caffemodel"))
    weights.save(net(), str(tmp_path / "w.caffemodel"))
    whole = (tmp_path / "w.caffemodel").read_bytes()
    (tmp_path / "cut.caffemodel").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ParseError, match=r"cut\.caffemodel"):
        weights.copy_trained_layers_from(net(), str(tmp_path / "cut.caffemodel"))


def test_unwritable_target_leaves_no_file(tmp_path):
    with pytest.raises(SnapshotError, match="no/such/folder"):
        weights.save(net(), str(tmp_path / "no/such/folder/w.caffemodel"))
    assert not list(tmp_path.iterdir())


LATIN = r"""layer { name: "in" type: "Input" top: "d" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "NAME" type: "InnerProduct" bottom: "d" top: "y" inner_product_param { num_output: 2
  weight_filler { type: "constant" value: 3 } } }"""


@pytest.mark.parametrize("write", [save, save_hdf5])
def test_layers_whose_names_are_no_utf8(tmp_path, write):
    net = Net(parse(LATIN.replace("NAME", r"caf\351"), NetParameter))
    path = str(tmp_path / "m")
    write(net, path)
    assert b"caf\xe9" in (tmp_path / "m").read_bytes()
    assert net.layer_names[1] in shapes_in(path)
    again = Net(parse(LATIN.replace("NAME", r"caf\351").replace("value: 3", "value: 1"), NetParameter))
    copy_trained_layers_from(again, path)
    assert again.layers[1].blobs[0].tolist() == [[3, 3], [3, 3]]
    log = io.StringIO()
    other = Net(parse(LATIN.replace("NAME", "caf\u00e9"), NetParameter), log=Log(log))
    copy_trained_layers_from(other, path)
    assert r"Ignoring source layer caf\xe9" in log.getvalue() and r"of its layers (caf\xe9)" in log.getvalue()


def test_hdf5_weights_of_other_types(tmp_path):
    net = Net(parse(LATIN, NetParameter))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["data/NAME/0"] = np.array([[1, 2], [3, 4]], ">f2")
        file["data/NAME/1"] = np.array([5, 6], ">i4")
    copy_trained_layers_from(net, str(tmp_path / "m.h5"))
    assert [blob.tolist() for blob in net.layers[1].blobs] == [[[1, 2], [3, 4]], [5, 6]]
    with h5py.File(tmp_path / "m.h5", "a") as file:
        del file["data/NAME/1"]
        file["data/NAME/1"] = np.array([b"a", b"b"])
    with pytest.raises(WeightsError, match="m.h5: cannot be read as an HDF5 caffemodel: a dataset holds"):
        copy_trained_layers_from(net, str(tmp_path / "m.h5"))
