"""Data: records in Caffe's order, exactly Caffe's numbers, for any memory and any number of replicas."""

import json

import numpy as np
import pytest
import torch

from caffe_compat.data import feed, lmdb
from caffe_compat.data.images import encode
from caffe_compat.data.records import serialize
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers import data as module
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.proto import Datum
from tests.layers.data_harness import (
    CPU,
    REFERENCE,
    assert_golden,
    assert_replicas_agree,
    assert_resumes,
    load,
    make,
)

SOURCE = 'type: "Data" data_param { source: "x" batch_size: %d backend: LMDB }'
CASES = [
    "leveldb_raw", "lmdb_crop", "lmdb_crop_mean", "lmdb_encoded", "lmdb_encoded_asis", "lmdb_encoded_force_gray",
    "lmdb_gray", "lmdb_mean_file", "lmdb_mean_value_one", "lmdb_mean_values", "lmdb_no_label", "lmdb_raw",
]  # fmt: skip


@pytest.fixture(params=["kept", "kept, threads", "streamed", "streamed, threads"])
def memory(request, monkeypatch):
    """With and without room to keep the set; small pictures parsed by threads too."""
    monkeypatch.setattr(module, "memory_budget", lambda: 1 << 30 if "kept" in request.param else 0)
    if "threads" in request.param:
        monkeypatch.setattr(feed, "_QUICK", 0)


@pytest.fixture
def root(tmp_path):
    """A source of 11 records: record i is 1 x 2 x 3 pixels of the value 10 i, with the label i."""
    records = ((b"%02d" % i, serialize(np.full((1, 2, 3), 10 * i, np.uint8), i)) for i in range(11))
    lmdb.write(str(tmp_path / "x"), records)
    return str(tmp_path)


def labels(batches):
    return [batch[1].astype(int).tolist() for batch in batches]


@pytest.mark.parametrize("name", CASES)
def test_golden_batches(name, memory):
    assert_golden(name)


def test_every_golden_case_of_this_layer_is_tested():
    assert {f.stem for f in REFERENCE.glob("*.prototxt") if '"Data"' in f.read_text()} == set(CASES)


def test_records_go_round_in_the_middle_of_a_batch(root, memory):
    layer = make(SOURCE % 4, root=root)
    assert layer.reshape() == [(4, 1, 2, 3), (4,)]
    batches = load(layer, 4)
    assert labels(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 0], [1, 2, 3, 4]]
    for pictures, numbers in batches:
        np.testing.assert_array_equal(
            pictures, np.broadcast_to(10 * numbers[:, None, None, None], (4, 1, 2, 3))
        )


SHUFFLED = 'type: "Data" data_param { source: "x" batch_size: 4 backend: LMDB shuffle: true %s }'


def test_nvidias_shuffle_changes_the_order_from_the_second_pass(root):
    layer = make(SHUFFLED % "cache: true", root=root)
    served = np.concatenate(labels(load(layer, 11)))
    passes = served.reshape(4, 11)
    assert passes[0].tolist() == list(range(11))
    assert all(sorted(each) == list(range(11)) for each in passes)
    assert len({tuple(each) for each in passes}) == 4
    state = layer.get_state()
    wanted = labels(load(layer, 5))
    other = make(SHUFFLED % "cache: true", root=root)
    other.set_state(json.loads(json.dumps(state)))
    assert labels(load(other, 5)) == wanted


def test_shuffle_is_for_kept_sets_in_training(root, monkeypatch):
    in_order = [[i % 11 for i in range(start, start + 4)] for start in range(0, 24, 4)]
    assert labels(load(make(SHUFFLED % "", root=root), 6)) == in_order
    assert labels(load(make(SHUFFLED % "cache: true", root=root, phase=TEST), 6)) == in_order
    monkeypatch.setattr(module, "memory_budget", lambda: 0)
    assert labels(load(make(SHUFFLED % "cache: true", root=root), 6)) == in_order


def test_a_batch_larger_than_the_source(root, memory):
    assert labels(load(make(SOURCE % 25, root=root))) == [[i % 11 for i in range(25)]]


def test_one_top_has_no_label(root):
    layer = make(SOURCE % 4, top=1, root=root)
    assert layer.reshape() == [(4, 1, 2, 3)]
    assert [len(tops) for tops in load(layer)] == [1]


def test_rand_skip_and_shuffle_of_another_message_change_nothing(root):
    text = SOURCE.replace("backend", "rand_skip: 5 backend") % 4 + " image_data_param { shuffle: true }"
    assert labels(load(make(text, root=root))) == [[0, 1, 2, 3]]


def test_replicas_share_the_records_in_train_only(root, memory):
    def of(rank, phase=TRAIN):
        return labels(load(make(SOURCE % 2, phase, root=root, replicas=3, rank=rank), 3))

    assert of(0) == [[0, 3], [6, 9], [1, 4]]
    assert of(2) == [[2, 5], [8, 0], [3, 6]]
    assert of(None) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 0], [1, 2, 3, 4, 5, 6]]
    assert of(2, TEST) == of(None, TEST) == [[0, 1], [2, 3], [4, 5]]


def test_replicas_see_the_same_cut_pictures_in_one_or_several_processes(memory):
    text = """type: "Data" data_param { source: "raw_lmdb" batch_size: 2 backend: LMDB }
              transform_param { mirror: true crop_size: 9 }"""
    assert_replicas_agree(lambda **context: make(text, root=str(REFERENCE), **context))


def test_resumes_exactly(memory):
    text = """type: "Data" data_param { source: "raw_lmdb" batch_size: 4 backend: LMDB }
              transform_param { mirror: true crop_size: 9 mean_file: "mean.binaryproto" }"""
    assert_resumes(lambda seed: make(text, root=str(REFERENCE), seed=seed))


def test_the_state_is_json_and_tells_the_records_served(root, memory):
    layer = make(SOURCE % 4, root=root, replicas=3, rank=1)
    load(layer, 2)
    state = json.loads(json.dumps(layer.get_state()))
    assert state["position"] == 24
    layer.skip_batches(1)
    assert labels(load(layer)) == [[(12 + 1 + 3 * i) % 11 for i in range(4)]]


def test_random_draws_depend_on_the_seed_only():
    text = """type: "Data" data_param { source: "raw_lmdb" batch_size: 11 backend: LMDB }
              transform_param { mirror: true crop_size: 5 }"""
    (a, _), (b, _), (c, _) = (load(make(text, root=str(REFERENCE), seed=seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_double_precision(root):
    (tops,) = load(make(SOURCE % 3, root=root, dtype=torch.float64))
    assert tops[0].dtype == tops[1].dtype == np.float64


def test_pictures_of_several_sizes_need_a_crop(tmp_path, memory):
    shapes = [(3, 6, 7), (3, 6, 7), (3, 8, 5), (3, 5, 9)]
    records = [(b"%d" % i, serialize(np.full(s, i, np.uint8), i)) for i, s in enumerate(shapes)]
    lmdb.write(str(tmp_path / "x"), records)
    root = str(tmp_path)
    pictures, _ = load(make(SOURCE % 4 + "transform_param { crop_size: 5 }", root=root))[0]
    assert pictures.shape == (4, 3, 5, 5) and pictures[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert [p.shape for p, _ in load(make(SOURCE % 1, root=root), 4)] == [(1, *s) for s in shapes]
    assert [p.shape for p, _ in load(make(SOURCE % 2, root=root))] == [(2, 3, 6, 7)]
    message = (
        r"^test.prototxt:1: layer 'd' \(Data\): record 2 \(key '2'\) of '.*x' has the shape \(3, 8, 5\) and the first of "
        r"its batch, record 0 \(key '0'\) of '.*x', \(3, 6, 7\); make them of one size, set crop_size, or use batch_size 1"
    )
    with pytest.raises(DataError, match=message):
        load(make(SOURCE % 3, root=root))
    with pytest.raises(
        LayerError, match=r"crop_size 6 is larger than record 2 \(key '2'\) of '.*', which is 8 x 5; use at"
    ):
        load(make(SOURCE % 3 + "transform_param { crop_size: 6 }", root=root))


def test_more_encoded_records_than_a_thread_decodes_at_a_time(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(feed, "_TASK", 4 * 3 * 6 * 7)
    monkeypatch.setattr(feed, "_KEPT_BLOCK", 7 * 3 * 6 * 7)
    pictures = np.random.default_rng(1).integers(0, 256, (11, 6, 7, 3), np.uint8)
    records = [
        (b"%02d" % i, Datum(data=encode(p, "png"), label=i, encoded=True).SerializeToString())
        for i, p in enumerate(pictures)
    ]
    lmdb.write(str(tmp_path / "x"), records)
    layer = make(SOURCE % 5, root=str(tmp_path))
    layer.set_state({**layer.get_state(), "position": 4})
    for start, (tops, numbers) in zip(range(4, 39, 5), load(layer, 7), strict=True):
        index = np.arange(start, start + 5) % 11
        np.testing.assert_array_equal(tops, pictures[index].transpose(0, 3, 1, 2))
        assert numbers.tolist() == index.tolist()


@pytest.mark.parametrize(
    "text, error, message",
    [
        (SOURCE % 0, LayerError, "data_param.batch_size must be set and above 0"),
        (
            SOURCE.replace('"x"', '"examples/cifar10/cifar10_train_lmdb"') % 4,
            DataError,
            "the LMDB source '.*cifar10_train_lmdb' does not exist; make it with: caffe-compat data cifar10 .*/cifar10$",
        ),
        (
            SOURCE.replace(" backend: LMDB", "") % 4,
            DataError,
            "but it was to be read as LEVELDB .the default of data_param",
        ),
        (
            SOURCE % 4 + "transform_param { crop_size: 3 }",
            LayerError,
            r"crop_size 3 is larger than record 0 \(key '00'\) of",
        ),
        (
            SOURCE % 4 + 'transform_param { mean_file: "m" }',
            LayerError,
            "mean_file '.*m' does not exist; make it with",
        ),
    ],
)
def test_refusals_name_the_layer(root, text, error, message):
    with pytest.raises(error, match=message) as caught:
        make(text, root=root)
    assert str(caught.value).startswith("test.prototxt:1: layer 'd' (Data): ")


def test_a_broken_record_is_named_with_its_key(tmp_path, memory):
    good = serialize(np.zeros((1, 2, 3), np.uint8), 1)
    lmdb.write(str(tmp_path / "x"), [(b"a", good), (b"b", good), (b"c", good[:-4])])
    layer = make(SOURCE % 3, root=str(tmp_path))
    with pytest.raises(
        DataError, match=r"layer 'd' \(Data\): record 2 \(key 'c'\) of '.*x' is not a Datum: "
    ):
        load(layer)


@pytest.mark.gpu
def test_the_gpu_gets_the_same(memory):
    text = """type: "Data" data_param { source: "raw_lmdb" batch_size: 4 backend: LMDB }
              transform_param { mirror: true crop_size: 9 mean_file: "mean.binaryproto" scale: 0.1 }"""
    there, here = (make(text, root=str(REFERENCE)) for _ in range(2))
    for _ in range(4):
        for a, b in zip(there.load(torch.device("cuda")), here.load(CPU), strict=True):
            assert a.device.type == "cuda" and torch.equal(a.cpu(), b)


def test_a_database_that_breaks_while_it_is_read(root, memory):
    def walk(position=0):
        yield serialize(np.zeros((1, 2, 3), np.uint8), 1)
        raise DataError("the LMDB 'x' is corrupt: MDB_CORRUPTED")

    layer = make(SOURCE % 3, root=root)
    layer.source.walk = walk
    with pytest.raises(DataError, match=r"layer 'd' \(Data\): the LMDB 'x' is corrupt: MDB_CORRUPTED"):
        load(layer)
