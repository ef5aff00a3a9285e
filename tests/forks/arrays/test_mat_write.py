"""MatWrite: what is in its files."""

import sys

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from caffe_compat.errors import LayerError, MissingExtra
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from tests.layers.harness import Error, draws, errors, layer_param

SHAPES = [(2, 3, 4, 5), (2, 3)]


def made(root, fields, dtype=torch.float32):
    param = layer_param(f'type: "MatWrite" mat_write_param {{ {fields} }}', 2)
    del param.top[:]
    layer = create_layer(param, 0, Context(root=str(root), dtype=dtype))
    layer.setup(*SHAPES)
    assert layer.reshape(*SHAPES) == []
    return layer


def read(path):
    """The name and the array in a file of one matrix."""
    ((name, array),) = [item for item in loadmat(path).items() if not item[0].startswith("__")]
    assert (path.read_bytes()[:19], array.flags.f_contiguous) == (b"MATLAB 5.0 MAT-file", True)
    return name, array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_files(tmp_path, dtype):
    layer = made(tmp_path, 'prefix: "out_" period: 2')
    blobs = [draws(shape, i).astype(dtype) for i, shape in enumerate(SHAPES)]
    for i in range(4):
        assert layer(*(torch.from_numpy(blob + i) for blob in blobs)) == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"out_iter_{i}_blob_{k}.mat" for i in (0, 2) for k in (0, 1)
    ]
    for i in (0, 2):
        name, array = read(tmp_path / f"out_iter_{i}_blob_0.mat")
        assert name == "data" and array.dtype == dtype and array.shape == (5, 4, 3, 2)
        np.testing.assert_array_equal(array, (blobs[0] + i).transpose())
    assert read(tmp_path / "out_iter_0_blob_1.mat")[1].shape == (1, 1, 3, 2)


def test_names(tmp_path):
    (tmp_path / "list.txt").write_text("first.jpg 1\nsecond.jpg 2\n")
    layer = made(tmp_path, 'prefix: "x/" source: "list.txt" strip: 4')
    (tmp_path / "x").mkdir()
    blobs = [torch.zeros(shape) for shape in SHAPES]
    layer(*blobs)
    layer(*blobs)
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == [
        f"{name}_blob_{k}.mat" for name in ("first", "second") for k in (0, 1)
    ]
    with pytest.raises(LayerError, match=r"pass 3 has no name: 'list.txt' has 2 lines"):
        layer(*blobs)


@pytest.mark.parametrize(
    "fields, match",
    [
        ('prefix: "none/"', "none"),
        ('source: "none.txt"', "mat_write_param.source: .*none.txt.*; correct the path, or remove it"),
        ('source: "list.txt" strip: 5', "strip is 5, which leaves nothing of 'first' in 'list.txt'"),
    ],
)
def test_what_cannot_be_written(tmp_path, fields, match):
    (tmp_path / "list.txt").write_text("first\n")
    with pytest.raises(LayerError, match=match):
        made(tmp_path, fields)(*(torch.zeros(shape) for shape in SHAPES))


def test_a_missing_scipy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingExtra, match=r"\(MatWrite\) needs the package scipy; .* pip install scipy"):
        made(tmp_path, "")(*(torch.zeros(shape) for shape in SHAPES))


ERRORS = [
    Error(
        'type: "MatWrite" mat_write_param { period: 0 }',
        SHAPES,
        "has period 0 and strip 0; period must be above 0",
    ),
    Error('type: "MatWrite"', [(1, 2, 3, 4, 5)], "at most 4 axes"),
]
test_error = errors(ERRORS)
