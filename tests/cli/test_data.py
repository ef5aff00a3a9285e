"""`caffe-compat data`: sets that can be trained on at once."""

import os
import subprocess
import sys

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.data import cifar
from caffe_compat.data.base import open_source
from caffe_compat.data.records import parse, serialize
from caffe_compat.data.shapes import generate
from caffe_compat.proto.binary import read_binaryproto

RNG = np.random.default_rng(8)
CIFAR = ["cifar10_test_lmdb", "cifar10_train_lmdb", "mean.binaryproto"]


@pytest.fixture
def copy(tmp_path):
    """A small binary copy of CIFAR-10, and its records."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = []
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        batch = RNG.integers(0, 256, (4, 3073), np.uint8)
        batch[:, 0] %= 10
        (folder / name).write_bytes(batch.tobytes())
        records += list(batch)
    return str(folder), [serialize(record[1:].reshape(3, 32, 32), int(record[0])) for record in records]


def records(folder, name):
    source = open_source("LMDB", name, str(folder))
    assert list(source.keys) == [b"%05d" % i for i in range(len(source))]
    return [bytes(value) for value in source.walk()]


def test_cifar10_of_a_copy(tmp_path, copy, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, wanted = copy
    out = tmp_path / "data" / "cifar10"
    assert main(["data", "cifar10", "--from", folder, "data/cifar10"]) == 0
    assert sorted(os.listdir(out)) == CIFAR
    assert records(out, "cifar10_train_lmdb") == wanted[:20]
    assert records(out, "cifar10_test_lmdb") == wanted[20:]
    mean = np.mean([parse([value])[0][0] for value in wanted[:20]], axis=0)
    np.testing.assert_allclose(read_binaryproto(out / "mean.binaryproto")[0], mean, rtol=1e-6)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "data/cifar10/cifar10_train_lmdb: 20 records",
        "data/cifar10/cifar10_test_lmdb: 4 records",
        "data/cifar10/mean.binaryproto: mean of the training pictures",
        "next: caffe-compat train --solver prototxt/clr_solver.prototxt",
    ]


@pytest.mark.parametrize(
    "out, told",
    [
        ("data/cifar10", "next: caffe-compat train --solver prototxt/clr_solver.prototxt --root {here}"),
        ("examples/cifar10", "next: caffe-compat train --solver SOLVER --root {here}"),
        (
            "elsewhere",
            "next: the net of prototxt/clr_solver.prototxt reads data/cifar10/...; make its `source` and",
        ),
    ],
)
def test_the_next_command_finds_the_data(tmp_path, copy, capsys, out, told):
    assert main(["data", "cifar10", "--from", copy[0], str(tmp_path / out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(told.format(here=tmp_path))


def test_a_subset(tmp_path, copy, capsys):
    folder, wanted = copy
    assert main(["data", "cifar10", "--from", folder, "--subset", "7", str(tmp_path / "out")]) == 0
    assert records(tmp_path / "out", "cifar10_train_lmdb") == wanted[:7]
    assert records(tmp_path / "out", "cifar10_test_lmdb") == wanted[20:]
    assert main(["data", "cifar10", "--from", folder, "--subset", "21", str(tmp_path / "none")]) == 2
    assert "--subset 21 is more than the 20 training pictures there are" in capsys.readouterr().err
    assert main(["data", "cifar10", "--from", folder, "--subset", "0", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_what_is_there_stays_without_force(tmp_path, copy, capsys):
    folder, wanted = copy
    out = str(tmp_path / "out")
    assert main(["data", "cifar10", "--from", folder, "--subset", "7", out]) == 0
    assert main(["data", "cifar10", "--from", folder, out]) == 1
    assert (
        "cifar10_train_lmdb' exists already; remove it, choose another place or give --force"
        in capsys.readouterr().err
    )
    assert len(records(out, "cifar10_train_lmdb")) == 7
    assert main(["data", "cifar10", "--from", folder, "--force", out]) == 0
    assert records(out, "cifar10_train_lmdb") == wanted[:20]
    assert sorted(os.listdir(out)) == CIFAR


def test_without_a_copy_it_is_downloaded_once(tmp_path, copy, monkeypatch, capsys):
    import tarfile

    from caffe_compat.data import download

    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        tar.add(copy[0], "cifar-10-batches-bin")
    md5 = download.checksum(str(tmp_path / "x.tar.gz"))
    kind = cifar.KINDS["cifar10"]
    monkeypatch.setitem(cifar.KINDS, "cifar10", cifar.Kind(**{**vars(kind), "md5": md5}))
    urls = []

    def fetch(url, path, checksum):
        assert checksum == md5
        urls.append(url)
        os.makedirs(os.path.dirname(path))
        os.link(tmp_path / "x.tar.gz", path)

    monkeypatch.setattr(download, "download", fetch)
    out = str(tmp_path / "out")
    assert main(["data", "cifar10", out]) == 0
    assert records(out, "cifar10_train_lmdb") == copy[1][:20]
    assert main(["data", "cifar10", "--force", out]) == 0
    assert urls == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"], (
        "the archive is kept and used again"
    )
    assert main(["data", "cifar10", out]) == 1
    assert "exists already" in capsys.readouterr().err


def test_cifar100(tmp_path, capsys):
    wanted = {}
    for name, count in (("train", 6), ("test", 5)):
        batch = RNG.integers(0, 100, (count, 3074), np.uint8)
        (tmp_path / f"{name}.bin").write_bytes(batch.tobytes())
        wanted[name] = [serialize(record[2:].reshape(3, 32, 32), int(record[1])) for record in batch]
    assert main(["data", "cifar100", "--from", str(tmp_path), str(tmp_path / "out")]) == 0
    for name, values in wanted.items():
        assert records(tmp_path / "out", f"cifar100_{name}_lmdb") == values


def test_shapes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "shapes", "--train", "30", "--test", "20", "data/shapes"]) == 0
    out = tmp_path / "data" / "shapes"
    assert sorted(os.listdir(out)) == ["mean.binaryproto", "test_lmdb", "train_lmdb"]
    for name, count, seed in (("train", 30, 0), ("test", 20, 1)):
        ((pictures, labels),) = generate(count, seed)
        assert records(out, f"{name}_lmdb") == [
            serialize(p, int(k)) for p, k in zip(pictures, labels, strict=True)
        ]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next: caffe-compat train --solver prototxt/quickstart_solver.prototxt"


def test_seeds_give_other_pictures(tmp_path):
    sets = []
    for seed in ("0", "1"):
        out = str(tmp_path / seed)
        assert main(["data", "shapes", "--train", "10", "--test", "10", "--seed", seed, out]) == 0
        sets += [records(out, "train_lmdb"), records(out, "test_lmdb")]
    pictures = [value for one in sets for value in one]
    assert len(set(pictures)) == 40


@pytest.mark.parametrize(
    "words, message",
    [
        (["shapes", "--train", "0", "x"], "--train 0 is below 1"),
        (["shapes", "--test", "-3", "x"], "--test -3 is below 1"),
        (["shapes", "--seed", "-1", "x"], "--seed -1 is below 0"),
        (["shapes"], "the following arguments are required: OUT"),
        (["imagenet", "x"], "invalid choice: 'imagenet'"),
        ([], "the following arguments are required: SET"),
    ],
)
def test_command_lines_that_make_no_sense(capsys, words, message):
    assert main(["data", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_source_that_is_missing(tmp_path, capsys):
    assert main(["data", "cifar10", "--from", str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    assert "none' does not exist; give --from the folder or archive" in capsys.readouterr().err


def test_a_killed_run_leaves_no_half_database(tmp_path):
    """Killed while the databases are written, none of them has appeared."""
    code = """
import os, sys
from caffe_compat.data import stage
stage.mean_image = lambda images: os.kill(os.getpid(), 9)
from caffe_compat.cli import main
main(["data", "shapes", "--train", "10", "--test", "10", sys.argv[1]])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert all(name.startswith(".unfinished-") for name in os.listdir(tmp_path / "out"))
    assert main(["data", "shapes", "--train", "10", "--test", "10", str(tmp_path / "out")]) == 0


def test_it_starts_without_torch():
    code = """
import sys
from caffe_compat.cli import main
main(["data", "shapes", "--train", "0", "x"])
import caffe_compat.data.shapes, caffe_compat.data.stage, caffe_compat.data.cifar, caffe_compat.data.download
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
