"""HDF5Data: rows of files, in order or shuffled."""

import h5py
import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers import hdf5_data as module
from tests.layers.data_harness import assert_golden, assert_replicas_agree, assert_resumes, load, make

TEXT = 'type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: %d %s }'
SIZES = (5, 2, 4)  # rows of the files


@pytest.fixture(params=["kept", "read again"])
def memory(request, monkeypatch):
    monkeypatch.setattr(module, "memory_budget", lambda: 1 << 30 if request.param == "kept" else 0)


@pytest.fixture
def root(tmp_path):
    """Three files; a row of t0 is 2 x 3 times the row's number, t1 is the number."""
    start = 0
    for i, size in enumerate(SIZES):
        numbers = np.arange(start, start + size)
        with h5py.File(tmp_path / f"{i}.h5", "w") as file:
            file["t0"] = np.broadcast_to(numbers[:, None, None], (size, 2, 3)).astype(np.float64)
            file["t1"] = numbers.astype(np.int32)
        start += size
    (tmp_path / "list.txt").write_text("0.h5\n1.h5\n2.h5\n")
    return str(tmp_path)


def order(batches):
    for rows, numbers in batches:
        np.testing.assert_array_equal(rows, np.broadcast_to(numbers[:, None, None], rows.shape))
    return [int(number) for _, numbers in batches for number in numbers]


def test_golden_batches(memory):
    assert_golden("hdf5")


@pytest.mark.parametrize("size", [1, 3, 4, 11, 25])
def test_batches_cross_files(root, memory, size):
    layer = make(TEXT % (size, ""), root=root)
    assert layer.reshape() == [(size, 2, 3), (size,)]
    assert order(load(layer, 6)) == [i % 11 for i in range(6 * size)]


def test_one_file(root, tmp_path, memory):
    (tmp_path / "list.txt").write_text("1.h5")
    assert order(load(make(TEXT % (3, ""), root=root), 3)) == [5, 6, 5, 6, 5, 6, 5, 6, 5]


def test_shuffle_moves_files_and_rows_but_mixes_no_files(root, memory):
    found = order(load(make(TEXT % (11, "shuffle: true"), root=root), 12))
    file_of = np.repeat([0, 1, 2], SIZES)
    file_orders = set()
    for at in range(0, len(found), 11):
        turn = found[at : at + 11]
        assert sorted(turn) == list(range(11))
        files = [int(file_of[row]) for row in turn]
        changes = [a for a, b in zip(files, [*files[1:], None], strict=True) if a != b]
        assert sorted(changes) == [0, 1, 2], "rows of a file stay together"
        file_orders.add(tuple(changes))
    assert len(file_orders) > 1
    assert len({tuple(row for row in found[at : at + 11] if row < 5) for at in range(0, len(found), 11)}) > 5


def test_replicas_share_the_rows(root):
    assert order(load(make(TEXT % (2, ""), root=root, replicas=3, rank=1), 2)) == [1, 4, 7, 10]
    assert_replicas_agree(lambda **context: make(TEXT % (2, "shuffle: true"), root=root, **context))


@pytest.mark.parametrize("more", ["", "shuffle: true"])
@pytest.mark.parametrize("batches", [0, 1, 3, 9])
def test_resumes_exactly(root, memory, more, batches):
    assert_resumes(lambda seed: make(TEXT % (3, more), root=root, seed=seed), batches)


def test_double_precision(root):
    (tops,) = load(make(TEXT % (2, ""), root=root, dtype=torch.float64))
    assert tops[0].dtype == np.float64


@pytest.mark.parametrize(
    "text, error, message",
    [
        (TEXT % (0, ""), LayerError, "hdf5_data_param.batch_size must be set and above 0"),
        (
            TEXT % (2, "") + "transform_param { scale: 2 }",
            LayerError,
            "HDF5Data does not transform data; remove transform_par",
        ),
        (
            TEXT.replace("list", "none") % (2, ""),
            DataError,
            "the list '.*none.txt' cannot be read: No such file",
        ),
    ],
)
def test_refusals_name_the_layer(root, text, error, message):
    with pytest.raises(error, match=message) as caught:
        make(text, root=root)
    assert str(caught.value).startswith("test.prototxt:1: layer 'd' (HDF5Data): ")


def test_a_top_without_a_dataset(root):
    with pytest.raises(
        DataError,
        match=r"layer 'd' \(HDF5Data\): the HDF5 file '.*0.h5' has no dataset 't2', only 't0', 't1'",
    ):
        make(TEXT % (2, ""), top=3, root=root)


def test_files_with_rows_of_several_shapes(root, tmp_path):
    with h5py.File(tmp_path / "1.h5", "w") as file:
        file["t0"], file["t1"] = np.zeros((2, 3, 2)), np.zeros(2)
    layer = make(TEXT % (5, ""), root=root)
    assert order(load(layer)) == [0, 1, 2, 3, 4]
    message = r"layer 'd' \(HDF5Data\): rows of 't0' are \(3, 2\) in '.*1.h5' and \(2, 3\) in the first file; make the files"
    with pytest.raises(DataError, match=message):
        load(layer)
