"""Cases that a real Caffe computed (tests/reference/layers)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

import caffe_compat
from caffe_compat.layers.base import TEST, TRAIN
from tests.layers.making import assert_equal

REFERENCE = Path(__file__).parents[1] / "reference" / "layers"


def golden_cases() -> list[str]:
    """The names of all cases in tests/reference/layers."""
    return sorted(path.stem for path in REFERENCE.glob("*.npz"))


def golden(name: str) -> None:
    """Replay one case that Caffe computed: every blob, gradient and changed parameter must agree."""
    with np.load(REFERENCE / f"{name}.npz") as file:
        data = {key: file[key] for key in file.files}
    meta = json.loads(str(data.pop("meta")))
    by_kind: dict[str, dict[str, np.ndarray]] = {}
    for key, value in data.items():
        kind, _, rest = key.partition(".")
        by_kind.setdefault(kind, {})[rest] = value

    net = caffe_compat.Net(str(REFERENCE / f"{name}.prototxt"), {"TRAIN": TRAIN, "TEST": TEST}[meta["phase"]])
    for blob, value in by_kind.get("in", {}).items():
        net.blobs[blob].reshape(*value.shape)
        net.blobs[blob].data[...] = value
    net.reshape()
    for key, value in by_kind.get("param", {}).items():
        _learned(net, key).data[...] = value
    for _ in range(meta["passes"]):
        net.forward()

    for blob, value in by_kind["blob"].items():
        assert_equal(net.blobs[blob].data, value, f"blob {blob}")
    for key, value in by_kind.get("after", {}).items():
        assert_equal(_learned(net, key).data, value, f"blob {key} after the pass")
    if not meta["backward"]:
        return
    for blob, value in by_kind.get("topdiff", {}).items():
        net.blobs[blob].diff[...] = value
    net.backward()
    for blob, value in by_kind.get("grad", {}).items():
        assert_equal(net.blobs[blob].diff, value, f"gradient of {blob}")
    for key, value in by_kind.get("paramgrad", {}).items():
        assert_equal(_learned(net, key).diff, value, f"gradient of blob {key}")


def _learned(net: Any, key: str) -> Any:
    """The blob that `<layer>.<index>` names."""
    layer, _, index = key.rpartition(".")
    return net.params[layer][int(index)]
