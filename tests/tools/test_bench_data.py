"""tools/bench: the rows about data, imports and snapshots."""

import numpy as np
import pytest
import torch

from tools.bench import build_times, data_rates, run


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("bench"))
    setup = run.Setup(batch=6, build_depth=8, records=40, jpegs=70, repeat=2, folder=folder)
    run.make_data(setup)
    data_rates.make_jpegs(setup)
    return setup


def test_the_loader_serves_what_the_layer_serves(setup):
    records = data_rates.Records(f"{setup.folder}/test_lmdb", 40, 0, np.zeros((3, 32, 32), np.float32))
    pictures, labels = data_rates.uint8(data_rates.cifar_layer(setup))()
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        assert torch.equal(records[i][0], picture) and records[i][1] == label


def test_pictures_of_the_loader_are_cropped_mirrored_and_less_the_mean(setup):
    mean = np.full((3, 256, 256), 7.5, np.float32)
    records = data_rates.Records(f"{setup.folder}/jpeg_lmdb", 70, 0, mean)
    whole, label = records[69]
    straight = whole.float() - 7.5
    records.crop = 256
    seen = [records[69][0] for _ in range(20)]
    assert label == 69
    assert {torch.equal(picture, straight) for picture in seen} == {True, False}
    assert {torch.equal(picture, straight.flip(2)) for picture in seen} == {True, False}
    records.crop = 227
    assert records[3][0].shape == (3, 227, 227)


def test_a_cursor_goes_round(setup):
    take = data_rates.cursor(setup.folder, "test_lmdb", 30)
    for _ in range(3):
        take()


@pytest.mark.parametrize(
    "name, other", [("snapshot", "torch.save"), ("restore", "torch.load"), ("caffemodel", "numpy.load")]
)
def test_rows_of_files(setup, monkeypatch, name, other):
    monkeypatch.setattr(build_times, "WEIGHTS", 20_000)
    row = run.ROWS[name](setup)
    assert list(row.samples) == [run.OURS, other]
    assert all(len(values) == 2 and min(values) > 0 for values in row.samples.values())
