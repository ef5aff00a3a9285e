"""`caffe-compat test`: what has no mean."""

from caffe_compat.cli import main
from caffe_compat.proto import LayerParameter, NetParameter

NET = """layer { name: "d" type: "DummyData" top: "x" top: "s" dummy_data_param {
  shape { dim: 60 dim: 2 } shape { dim: 60 } data_filler { type: "constant" } data_filler { type: "gaussian" } } }
layer { name: "t" type: "Threshold" bottom: "s" top: "some" }
layer { name: "f" type: "Filter" bottom: "x" bottom: "some" top: "kept" }"""


def test_an_output_that_grows_has_no_mean(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "w.caffemodel").write_bytes(
        NetParameter(layer=[LayerParameter(name="t", type="Threshold")]).SerializeToString()
    )
    assert main(["test", "--model=net.prototxt", "--weights=w.caffemodel", "--iterations=9"]) == 1
    errors = capsys.readouterr().err
    assert (
        "error: output 'kept' has " in errors
        and "which have no mean; DetectionEvaluate is summed up by" in errors
    )
