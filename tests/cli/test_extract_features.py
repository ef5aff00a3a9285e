"""`caffe-compat extract-features`: the records of Caffe's extract_features, which computed the facts here."""

import re

import pytest

from caffe_compat.cli import main
from caffe_compat.data.base import open_source
from caffe_compat.proto import Datum, LayerParameter, NetParameter

# Whole numbers and halves all the way, so that every byte is certain.
NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  data_param { source: "raw_lmdb" batch_size: 4 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "raw_lmdb" batch_size: 5 backend: LMDB } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param { kernel_h: 12 kernel_w: 8 stride_h: 1 stride_w: 7 } }
layer { name: "less" type: "Power" bottom: "pool" top: "pool" power_param { scale: 0.5 shift: -100 } }
layer { name: "sum" type: "Reduction" bottom: "pool" top: "sum" reduction_param { coeff: 0.25 } }
"""
FIRST = "08031001180235000010c13500007841350000b041350000984135000050413500009841"
LAST_BUT_ONE = "08031001180235000094413500006041350000f0c0350000a0c135000094413500009c41"


@pytest.fixture
def folder(reference, tmp_path, monkeypatch):
    """A working folder with a net over the golden database, and weights of it (it has none to learn)."""
    (tmp_path / "net.prototxt").write_text(NET.replace("raw_lmdb", str(reference / "data" / "raw_lmdb")))
    weights = NetParameter(layer=[LayerParameter(name="pool", type="Pooling")])
    (tmp_path / "x.caffemodel").write_bytes(weights.SerializeToString())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def extract(blobs, databases, *more, batches="3", backend="lmdb"):
    return main(
        ["extract_features", "x.caffemodel", "net.prototxt", blobs, databases, batches, backend, *more]
    )


def records(path, backend="LMDB"):
    source = open_source(backend, str(path))
    assert list(source.keys) == [b"%010d" % i for i in range(len(source))]
    return [bytes(value) for value in source.walk()]


@pytest.mark.parametrize("backend", ["lmdb", "leveldb"])
def test_the_records_and_lines_of_caffe(folder, capsys, backend):
    """Items are numbered through, and the twelfth is the first again: there are eleven pictures."""
    assert extract("pool,label,sum", "a,deep/b/,c", "CPU", backend=backend) == 0
    pool, label, total = (records(folder / name, backend.upper()) for name in ("a", "deep/b", "c"))
    assert len(pool) == len(label) == 12
    assert [pool[i].hex() for i in (0, 10, 11)] == [FIRST, LAST_BUT_ONE, FIRST]
    assert label[10].hex() == "080110011801350000a040"
    labels = [Datum.FromString(value).float_data[0] for value in label]
    assert labels == [0, 2, 2, 2, 3, 2, 0, 3, 4, 4, 5, 0]
    assert [value.hex()[-8:] for value in total] == ["00c09042", "00804442", "00c09f42"]  # one item a batch
    lines = [re.sub(r"^E\d+ \S+ +\d+ ", "", line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "extract_features.cpp:62] Using CPU",
        "extract_features.cpp:133] Extracting Features",
        "extract_features.cpp:176] Extracted features of 12 query images for feature blob pool",
        "extract_features.cpp:176] Extracted features of 12 query images for feature blob label",
        "extract_features.cpp:176] Extracted features of 3 query images for feature blob sum",
        "extract_features.cpp:181] Successfully extracted the features!",
    ]


def test_each_thousand_is_told_and_kept(folder, capsys):
    assert extract("label", "a", batches="500") == 0
    told = re.findall(r":(165|176)\] Extracted features of (\d+)", capsys.readouterr().err)
    assert told == [("165", "1000"), ("165", "2000"), ("176", "2000")]
    assert len(records(folder / "a")) == 2000


def test_features_train_a_net(folder):
    """What the records are for: a Data layer reads them."""
    assert extract("pool,label", "a,b") == 0
    net = """layer { name: "x" type: "Data" top: "x" data_param { source: "a" batch_size: 5 backend: LMDB } }
             layer { name: "y" type: "Data" top: "y" data_param { source: "b" batch_size: 5 backend: LMDB } }"""
    (folder / "net.prototxt").write_text(net)
    assert extract("x,y", "c,d", batches="1") == 0
    assert records(folder / "c")[0].hex() == FIRST
    assert records(folder / "d") == records(folder / "b")[:5]


@pytest.mark.parametrize(
    "words, code, message",
    [
        (("pool,label", "a"), 2, r"2 blob\(s\) and 1 database\(s\); give one database a blob"),
        (("pool,label", "a,./a"), 2, "'a,./a' names a database twice"),
        (("pool", "a", "GPU", "0", "1"), 2, "'GPU 0 1' is not CPU, GPU or GPU and a device id"),
        (
            ("pol", "a"),
            1,
            r"net.prototxt: the net has no blob 'pol'; did you mean .*'pool'.* its blobs: data, label",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(folder, capsys, words, code, message):
    before = sorted(folder.iterdir())
    assert extract(*words) == code
    assert re.search(message, capsys.readouterr().err)
    assert sorted(folder.iterdir()) == before


def test_no_batches_are_refused(folder, capsys):
    assert extract("pool", "a", batches="0") == 2
    assert "BATCHES is 0 and must be 1 or more" in capsys.readouterr().err


def test_a_blob_of_five_axes_is_refused(folder, capsys):
    with open("net.prototxt", "a") as file:
        file.write('layer { name: "r" type: "Reshape" bottom: "data" top: "five" reshape_param { shape { ')
        file.write("dim: 0 dim: 3 dim: 2 dim: 6 dim: 15 } } }")
    assert extract("five", "a") == 1
    assert "blob 'five' has 5 axes (4, 3, 2, 6, 15) and a Datum holds items of" in capsys.readouterr().err


def test_what_is_there_stays_without_force(folder, capsys):
    assert extract("pool", "a") == 0
    assert extract("label", "a") == 1
    assert "'a' exists already" in capsys.readouterr().err
    assert records(folder / "a")[0].hex() == FIRST
    assert extract("label", "a", "--force") == 0
    assert records(folder / "a")[0].hex() == "0801100118013500000000"
