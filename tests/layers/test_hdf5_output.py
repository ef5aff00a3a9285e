"""HDF5Output: what it writes."""

import h5py
import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse


def make(root, name="out.h5", bottoms=((3, 2, 4), (3,))):
    text = f'layer {{ name: "o" type: "HDF5Output" bottom: "a" bottom: "b" hdf5_output_param {{ file_name: "{name}" }} }}'
    (param,) = parse(text, NetParameter, "test.prototxt").layer
    layer = create_layer(param, TEST, Context(root=str(root)))
    layer.setup(*bottoms)
    assert layer.reshape(*bottoms) == []
    return layer


def test_rows_are_appended(tmp_path):
    (tmp_path / "out.h5").write_bytes(b"of an earlier run")
    layer = make(tmp_path)
    assert (tmp_path / "out.h5").read_bytes() == b"of an earlier run", "building a net writes nothing"
    batches = [(torch.randn(3, 2, 4), torch.randn(3)) for _ in range(2)]
    for batch in batches:
        assert layer(*batch) == ()
    with h5py.File(tmp_path / "out.h5") as file:
        assert set(file) == {"data", "label"}
        assert file["data"].shape == (6, 2, 4, 1) and file["label"].shape == (6, 1, 1, 1)
        assert file["data"].dtype == np.float32
        np.testing.assert_array_equal(file["data"][...].squeeze(3), torch.cat([data for data, _ in batches]))
        np.testing.assert_array_equal(file["label"][...].ravel(), torch.cat([label for _, label in batches]))


def test_gradients_stop_here(tmp_path):
    data = torch.randn(3, 2, 4, requires_grad=True)
    make(tmp_path)(data, torch.randn(3))
    assert data.grad is None


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": ""}, "hdf5_output_param.file_name must be set"),
        (
            {"name": "none/out.h5"},
            "file_name '.*none/out.h5' cannot be written; make the folder '.*none' or choose another",
        ),
        ({"name": "."}, "cannot be written"),
        ({"bottoms": ((3, 2), (4,))}, "bottoms have 3 and 4 rows; both need as many"),
        (
            {"bottoms": ((3, 2), (3, 1, 1, 1, 2))},
            r"bottom 1 has 5 axes \(3, 1, 1, 1, 2\); HDF5Output takes 1 to 4",
        ),
        ({"bottoms": ((), (3,))}, r"bottom 0 has 0 axes \(\); HDF5Output takes 1 to 4"),
    ],
)
def test_refusals_name_the_layer(tmp_path, arguments, message):
    with pytest.raises(LayerError, match=message) as caught:
        make(tmp_path, **arguments)
    assert str(caught.value).startswith("test.prototxt:1: layer 'o' (HDF5Output): ")
