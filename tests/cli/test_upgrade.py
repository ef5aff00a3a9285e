"""`caffe-compat upgrade` beside Caffe's three upgrade tools."""

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.proto import BlobProto, NetParameter, V1LayerParameter
from caffe_compat.proto.binary import array_to_blob, read, read_caffemodel, write_message


@pytest.mark.parametrize(
    "kind, name",
    [
        ("net", "v0"),
        ("net", "v1"),
        ("net", "inputs"),
        ("solver", "solver_adam"),
        ("solver", "solver_nesterov"),
    ],
)
def test_text(reference, tmp_path, capsys, kind, name):
    out = tmp_path / "out.prototxt"
    assert main(["upgrade", kind, str(reference / f"upgrade/{name}.in.prototxt"), str(out)]) == 0
    assert out.read_text() == (reference / f"upgrade/{name}.out.prototxt").read_text()
    log = capsys.readouterr().err
    assert "Attempting to upgrade input file specified using deprecated" in log
    assert f"Wrote upgraded {'Solver' if kind == 'solver' else 'Net'}Parameter text proto to {out}" in log

    assert main(["upgrade", kind, str(out), str(out)]) == 0  # in place, and nothing left to do
    assert out.read_text() == (reference / f"upgrade/{name}.out.prototxt").read_text()
    log = capsys.readouterr().err
    # a BatchNorm with three params is always taken for an old one
    assert (f"File already in latest proto format: {out}" in log) == (name != "inputs")


def test_binary(tmp_path, capsys):
    blob = BlobProto(num=1, channels=1, height=2, width=3, data=range(6))
    old = NetParameter(name="n", input=["x"])
    old.layers.add(
        name="ip", type=V1LayerParameter.INNER_PRODUCT, bottom=["x"], top=["ip"], blobs=[blob], blobs_lr=[2]
    )
    write_message(tmp_path / "old.caffemodel", old)
    assert (
        main(["upgrade", "binary", str(tmp_path / "old.caffemodel"), str(tmp_path / "new.caffemodel")]) == 0
    )
    new = NetParameter(name="n")
    new.layer.add(
        name="ip", type="InnerProduct", bottom=["x"], top=["ip"], blobs=[blob], param=[{"lr_mult": 2}]
    )
    assert read(tmp_path / "new.caffemodel", NetParameter) == new
    assert "Wrote upgraded NetParameter binary proto to" in capsys.readouterr().err


def test_half_stores_weights_as_float16(tmp_path, capsys):
    weights = np.array([[0.1, 2], [3, -4e-4]], np.float32)
    net = NetParameter(name="n")
    blobs = [array_to_blob(weights, weights), array_to_blob(weights[0], weights[0])]
    net.layer.add(name="ip", type="InnerProduct", blobs=blobs)
    net.layer.add(name="big", type="InnerProduct", blobs=[array_to_blob(weights * 1e6)])
    net.layer.add(name="none", type="InnerProduct", blobs=[array_to_blob(np.zeros((2, 3, 0)))])
    source, half = str(tmp_path / "a.caffemodel"), str(tmp_path / "b.caffemodel")
    write_message(source, net)
    for _ in range(2):  # what is half already stays so
        assert main(["upgrade", "binary", "--half", source, half]) == 0
        source = half
        assert "b.caffemodel: big[0] has values beyond float16's 65504" in capsys.readouterr().err.replace(
            "a.", "b."
        )
        first, vector, big, _ = (blob for layer in read(half, NetParameter).layer for blob in layer.blobs)
        assert (first.raw_data_type, first.raw_data) == (2, weights.astype("<f2").tobytes())
        assert not first.data and not first.diff and not vector.diff
        assert list(vector.data) == weights[0].tolist() and list(big.data) == (weights * 1e6).ravel().tolist()
        assert read_caffemodel(half)[1][0][2][0].tolist() == weights.astype("f2").tolist()


def test_half_is_refused_where_there_are_no_weights_or_broken_ones(tmp_path, capsys):
    assert main(["upgrade", "net", "--half", "in", "out"]) == 2
    assert "--half is for the weights of a caffemodel" in capsys.readouterr().err
    net = NetParameter()
    net.layer.add(name="ip", type="Scale", blobs=[BlobProto(shape={"dim": [3]}, data=[1])])
    write_message(tmp_path / "m", net)
    assert main(["upgrade", "binary", "--half", str(tmp_path / "m"), str(tmp_path / "out")]) == 1
    assert "m: layer 'ip', blob 0: a blob of shape (3,) holds 1 values, not 3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_dropped_is_told_and_gives_1(tmp_path, capsys):
    (tmp_path / "in").write_text("layers { layer { name: 'd' type: 'data' kernelsize: 3 } top: 'd' }")
    assert main(["upgrade", "net", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert (
        "layer 'd' (data): unknown parameter kernelsize for layer type data; dropped"
        in capsys.readouterr().err
    )
    assert (tmp_path / "out").read_text() == 'layer {\n  name: "d"\n  type: "Data"\n  top: "d"\n}\n'


def test_bad_input(tmp_path, capsys):
    (tmp_path / "in").write_text("layers { typ: DATA }")
    assert main(["upgrade", "net", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert (
        f"{tmp_path}/in:1:10: V1LayerParameter has no field 'typ'; did you mean 'type'"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
    assert main(["upgrade", "model", "a", "b"]) == 2
    assert "invalid choice: 'model'" in capsys.readouterr().err
