"""Every layer case that a real Caffe computed, through a file and ONNX Runtime: within 1e-4 of Caffe's numbers."""

import json

import numpy as np
import pytest

import caffe_compat
from caffe_compat.export.onnx import export_onnx
from caffe_compat.export.plan import judges
from tests.export.nets import run
from tests.layers.harness import REFERENCE, golden_cases

# These are losses and scores of labels alone, with nothing before them to export.
LOSSES = (
    "Accuracy ContrastiveLoss EuclideanLoss HingeLoss InfogainLoss MultinomialLogisticLoss SigmoidCrossEntropyLoss "
    "SoftmaxWithLoss"
).split()
CASES = [name for name in golden_cases() if name.partition("_")[0] not in LOSSES]


@pytest.mark.parametrize("name", CASES)
def test_caffes_numbers(name, tmp_path):
    with np.load(REFERENCE / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    phase = {"TRAIN": 0, "TEST": 1}[json.loads(str(arrays.pop("meta")))["phase"]]
    net = caffe_compat.Net(str(REFERENCE / f"{name}.prototxt"), phase)
    kinds: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        kind, _, rest = key.partition(".")
        kinds.setdefault(kind, {})[rest] = value
    for blob, value in kinds["in"].items():
        net.blobs[blob].reshape(*value.shape)
    net.reshape()
    for key, value in kinds.get("param", {}).items():
        layer, _, index = key.rpartition(".")
        net.params[layer][int(index)].data[...] = value
    core = net.core
    made = [
        top
        for layer, tops in zip(core.layers, core.top_names, strict=True)
        for top in tops
        if not (layer.is_source() or judges(layer) or layer.is_alias)
    ]
    outputs = [blob for blob in kinds["blob"] if blob in made]
    assert outputs
    if phase == 0 and name.startswith("Dropout"):
        with pytest.raises(
            caffe_compat.errors.LayerError, match="sets values to 0 at random; export the TEST net"
        ):
            export_onnx(net, tmp_path / "case.onnx", outputs=outputs)
        return
    report = export_onnx(net, tmp_path / "case.onnx", outputs=outputs, check=False)
    given = {
        **kinds["in"],
        **{blob: kinds["blob"][blob] for blob in report.inputs if blob not in kinds["in"]},
    }
    results = run(tmp_path / "case.onnx", **{blob: given[blob] for blob in report.inputs})
    for blob, ours in zip(outputs, results, strict=True):
        caffe = kinds["blob"][blob]
        assert ours.shape == caffe.shape
        largest = np.abs(caffe[np.isfinite(caffe)]).max(initial=0)
        np.testing.assert_allclose(ours, caffe, rtol=0, atol=1e-4 * max(1e-3, largest), err_msg=blob)
