"""Bundles: what is read, and what is said of cut, broken and strange ones."""

import json

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.nets import validate_net
from tests.parity.harness import NET, ROOT, dump_net, dump_solver, rewrite

REFERENCE = ROOT / "tests/reference"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return dump_net(tmp_path_factory.mktemp("dumped"))


def copied(bundle, folder):
    folder.mkdir()
    for file in bundle.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_kinds_are_told_apart(bundle):
    assert open_bundle(bundle).kind == "net"
    assert open_bundle(bundle / "bundle.npz").kind == "net"
    assert open_bundle(REFERENCE / "solvers/adam").kind == "solver"
    assert open_bundle(REFERENCE / "data/lmdb_raw.npz").kind == "data"
    assert open_bundle(REFERENCE / "layers/ReLU_000.npz").weights is None


def test_a_solvers_paths_start_where_its_net_is():
    assert open_bundle(REFERENCE / "solvers/adam").root == str(REFERENCE / "solvers")


def test_a_cut_bundle_is_compared_as_far_as_it_goes(bundle, tmp_path):
    copy = copied(bundle, tmp_path / "copy")
    data = (copy / "bundle.npz").read_bytes()
    (copy / "bundle.npz").write_bytes(data[: len(data) // 2])
    cut = open_bundle(copy)
    assert cut.arrays.cut
    assert 5 < len(cut.arrays) < len(open_bundle(bundle).arrays)
    np.testing.assert_array_equal(cut.arrays["blob.data"], open_bundle(bundle).arrays["blob.data"])
    report = validate_net(cut)
    assert report.verdict == "partly compared"
    assert any("cut short" in what for what in report.missing)
    assert any(row.compared and row.name == "norm" for row in report.rows)


def test_a_cut_bundle_of_packed_arrays(tmp_path):
    folder = dump_net(tmp_path, NET, "--phase", "TRAIN", "--compress")
    whole = open_bundle(folder).arrays["blob.data"]
    data = (folder / "bundle.npz").read_bytes()
    (folder / "bundle.npz").write_bytes(data[:-2000])
    np.testing.assert_array_equal(open_bundle(folder).arrays["blob.data"], whole)


def test_nothing_whole_is_an_error(tmp_path):
    (tmp_path / "bundle.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(
        DataError, match=r"bundle.npz: holds no array; give a bundle of tools/dump_caffe_reference.py"
    ):
        open_bundle(tmp_path)


def test_no_bundle_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no bundle.npz or trajectory.npz in this folder"):
        open_bundle(tmp_path)
    with pytest.raises(DataError, match=r"none.npz: cannot be read: .*No such file"):
        open_bundle(tmp_path / "none.npz")
    np.savez(tmp_path / "x.npz", **{"blob.x": np.zeros(3)})
    with pytest.raises(
        DataError, match=r"no net beside it, neither x.prototxt nor net.prototxt; give it with --net"
    ):
        open_bundle(tmp_path / "x.npz")


def test_a_broken_array_is_an_error(bundle, tmp_path):
    copy = copied(bundle, tmp_path / "copy")
    data = bytearray((copy / "bundle.npz").read_bytes())
    at = data.index(b"blob.data.npy") + 200
    data[at] ^= 0xFF
    (copy / "bundle.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"the array 'blob.data' is broken: .*dump it again"):
        open_bundle(copy).arrays["blob.data"]


def test_python_2_writes_bytes(bundle, tmp_path):
    copy = copied(bundle, tmp_path / "copy")

    def change(arrays):
        arrays["meta"] = np.array(str(arrays["meta"]).encode())

    rewrite(copy, change)
    assert open_bundle(copy).meta == json.loads(str(open_bundle(bundle).arrays["meta"]))


def test_another_net_is_no_difference_but_a_gap(bundle, tmp_path):
    other = tmp_path / "other.prototxt"
    other.write_text(NET.replace('name: "conv"', 'name: "conv0"').replace('"norm"', '"norm0"'))
    report = validate_net(open_bundle(bundle, net=str(other)))
    assert (report.verdict, report.exit_code, report.guilty) == ("partly compared", 3, [])
    assert {row.note for row in report.rows if not row.compared} >= {
        "not in the bundle",
        "differs, in another net",
    }
    assert any(row.compared for row in report.rows)
    assert any("not in this net (norm" in what and "is it another net?" in what for what in report.missing)


def test_a_forks_layer_is_replaced_by_caffes_tops(tmp_path):
    folder = dump_net(tmp_path)
    text = (folder / "net.prototxt").read_text()
    text = text.replace('type: "LRN"', 'type: "MyOwnNorm"').replace("lrn_param {", "my_param {")
    (folder / "net.prototxt").write_text(text)
    report = validate_net(open_bundle(folder))
    assert report.exit_code == 3
    assert report.missing == [
        "layer 'norm': type MyOwnNorm is not one of this package's; Caffe's tops were taken for it"
    ]
    assert any("my_param" in note and "ignored" in note for note in report.notes)
    compared = {row.layer for row in report.rows if row.compared and row.what == "gradient"}
    assert compared >= {"loss", "mean", "max", "scale", "bn"}
    assert "norm" not in compared
    assert report.first is None


def test_a_field_that_nobody_knows_makes_its_layer_strange(tmp_path):
    folder = dump_net(tmp_path)
    text = (folder / "net.prototxt").read_text().replace("relu_param {", "relu_param { my_field: 3")
    (folder / "net.prototxt").write_text(text)
    report = validate_net(open_bundle(folder))
    assert report.exit_code == 3
    assert "layer 'relu': " in report.missing[0]
    assert "my_field" in report.missing[0]


def test_a_root_for_the_data_does_not_hide_the_net_beside_the_bundle(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = dump_solver(tmp_path)
    found = open_bundle(folder, root=str(tmp_path / "elsewhere"))
    assert found.root == str(tmp_path / "elsewhere")
    assert [layer.name for layer in found.net_param.layer] == ["in", "conv", "relu", "ip", "loss"]


def test_the_shape_of_an_array_is_known_without_its_numbers(bundle, tmp_path):
    arrays = open_bundle(bundle).arrays
    assert {key: arrays.shape(key) for key in arrays} == {key: arrays[key].shape for key in arrays}
    packed = open_bundle(dump_net(tmp_path, NET, "--phase", "TRAIN", "--compress")).arrays
    assert packed.shape("blob.data") == arrays["blob.data"].shape
