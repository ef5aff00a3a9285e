"""CIFAR's files in every form people have them."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from caffe_compat.data.cifar import KINDS, load
from caffe_compat.errors import DataError

RNG = np.random.default_rng(7)
SIZES = {"cifar10": (4, 3), "cifar100": (6, 5)}  # records in a training and in a test file


def content(name):
    """{file: (pictures, coarse labels, labels)} of a small copy."""
    kind, (train, test) = KINDS[name], SIZES[name]
    return {
        file: (
            RNG.integers(0, 256, (count, 3, 32, 32), np.uint8),
            RNG.integers(0, 20, count, np.uint8),
            RNG.integers(0, kind.classes, count, np.uint8),
        )
        for files, count in ((kind.train, train), (kind.test, test))
        for file in files
    }


def binary(name, pictures, coarse, labels):
    columns = [labels[:, None]] if name == "cifar10" else [coarse[:, None], labels[:, None]]
    return np.hstack([*columns, pictures.reshape(len(labels), -1)]).tobytes()


def python(name, pictures, coarse, labels, protocol=2):
    keys = {"cifar10": {b"labels": labels.tolist()}}.get(
        name, {b"coarse_labels": coarse.tolist(), b"fine_labels": labels.tolist()}
    )
    return pickle.dumps({b"data": pictures.reshape(len(labels), -1), b"batch_label": b"x", **keys}, protocol)


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request):
    return request.param


@pytest.fixture
def copy(name):
    return content(name)


def files(name, copy, layout):
    if layout == "binary":
        return {f"{file}.bin": binary(name, *parts) for file, parts in copy.items()}
    return {file: python(name, *parts) for file, parts in copy.items()}


def archive(path, members, folder="cifar-batches/", mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for file, data in {"readme.html": b"x", **members}.items():
            info = tarfile.TarInfo(folder + file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def assert_is(name, copy, loaded):
    for (pictures, labels), part in zip(loaded, (KINDS[name].train, KINDS[name].test), strict=True):
        np.testing.assert_array_equal(pictures, np.concatenate([copy[file][0] for file in part]))
        np.testing.assert_array_equal(labels, np.concatenate([copy[file][2] for file in part]))
        assert pictures.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize("layout", ["binary", "python"])
@pytest.mark.parametrize("form", ["folder", "below", "tar.gz", "tar"])
def test_every_form(tmp_path, name, copy, layout, form):
    members = files(name, copy, layout)
    if form.startswith("tar"):
        path = archive(tmp_path / f"x.{form}", members, mode="w:gz" if form == "tar.gz" else "w")
    else:
        path = str(tmp_path / "copy")
        folder = os.path.join(path, "cifar-batches") if form == "below" else path
        os.makedirs(folder)
        for file, data in members.items():
            with open(os.path.join(folder, file), "wb") as out:
                out.write(data)
    assert_is(name, copy, load(KINDS[name], path))


def test_a_pickle_of_an_old_numpy(tmp_path, name, copy):
    members = {
        f: python(name, *p).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        for f, p in copy.items()
    }
    assert b"numpy.core" in members[KINDS[name].test[0]]
    assert_is(name, copy, load(KINDS[name], archive(tmp_path / "x.tgz", members)))


def test_a_pickle_that_runs_something_is_refused(tmp_path, name, copy):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    members = files(name, copy, "python")
    members[KINDS[name].test[0]] = pickle.dumps({b"data": Evil()})
    with pytest.raises(
        DataError, match=r"x.tgz: test\w* is no batch of the python layout: it asks for \w+.mkdir"
    ):
        load(KINDS[name], archive(tmp_path / "x.tgz", members))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_missing_files_are_named(tmp_path, copy, name, layout):
    members = files(name, copy, layout)
    gone = [next(iter(members)), list(members)[-1]]
    for file in gone:
        del members[file]
    names = ", ".join(file.removesuffix(".bin") for file in gone)
    with pytest.raises(
        DataError, match=rf"x.tgz' lacks {names} \(with or without .bin\); give the folder or the arch"
    ):
        load(KINDS[name], archive(tmp_path / "x.tgz", members))


def test_a_missing_or_damaged_archive(tmp_path, name, copy):
    with pytest.raises(DataError, match="none' does not exist; give --from the folder or archive"):
        load(KINDS[name], str(tmp_path / "none"))
    path = archive(tmp_path / "x.tgz", files(name, copy, "binary"))
    size = os.path.getsize(path)
    os.truncate(path, size // 2)
    with pytest.raises(DataError, match="x.tgz' is no complete tar archive: .*; fetch it again"):
        load(KINDS[name], path)
    (tmp_path / "y.tgz").write_bytes(b"hello")
    with pytest.raises(
        DataError, match="y.tgz' is no complete tar archive: file could not be opened success.*; fetch"
    ):
        load(KINDS[name], str(tmp_path / "y.tgz"))


def test_a_truncated_binary_file(tmp_path, name, copy):
    members = files(name, copy, "binary")
    file = f"{KINDS[name].test[0]}.bin"
    members[file] = members[file][:-1]
    record = 3072 + KINDS[name].label_bytes
    with pytest.raises(
        DataError, match=rf"{file} has {len(members[file])} bytes, which is no whole number of .* {record}"
    ):
        load(KINDS[name], archive(tmp_path / "x.tgz", members))
    members[file] = b""
    with pytest.raises(DataError, match=rf"{file} has 0 bytes"):
        load(KINDS[name], archive(tmp_path / "x.tgz", members))


def test_a_label_out_of_range(tmp_path, name, copy):
    file = KINDS[name].test[0]
    copy[file][2][1] = KINDS[name].classes
    with pytest.raises(
        DataError, match=rf"{file}: record 1 has the label {KINDS[name].classes} and there are"
    ):
        load(KINDS[name], archive(tmp_path / "x.tgz", files(name, copy, "python")))


def test_a_pickle_whose_parts_do_not_fit(tmp_path, name, copy):
    members = files(name, copy, "python")
    file = KINDS[name].test[0]
    pictures, _, labels = copy[file]
    members[file] = pickle.dumps(
        {b"data": pictures[:2].reshape(2, -1), KINDS[name].label_key: labels.tolist()}, 2
    )
    with pytest.raises(
        DataError, match=rf"{file} has {len(labels)} labels and data of the shape \(2, 3072\)"
    ):
        load(KINDS[name], archive(tmp_path / "x.tgz", members))


def _pickle_of(dtype: bytes) -> bytes:
    """A batch whose array's state, which a pickle gives freely, is of another type than numpy would write."""
    array = np.zeros((4, 3072), np.uint8)
    data = pickle.dumps({b"data": array, b"labels": [1, 2, 3, 4]}, protocol=2)
    return data.replace(b"X\x02\x00\x00\x00u1", b"X\x02\x00\x00\x00" + dtype)


@pytest.mark.parametrize("dtype", [b"O8", b"V1", b"f4", b"i8", b"M8"])
def test_a_pickle_of_other_values_is_refused(tmp_path, dtype):
    for name in (*KINDS["cifar10"].train, *KINDS["cifar10"].test):
        (tmp_path / name).write_bytes(_pickle_of(dtype))
    with pytest.raises(
        DataError, match="data_batch_1 (is no batch of the python layout|has 4 labels and data)"
    ):
        load(KINDS["cifar10"], str(tmp_path))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_what_is_no_file_in_an_archive_is_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo("data_batch_1.bin")
        member.type, member.linkname = kind, "data_batch_1.bin"
        archive.addfile(member)
    with pytest.raises(DataError, match="data_batch_1.bin is a link or a device"):
        load(KINDS["cifar10"], str(tmp_path / "x.tar"))


def test_what_is_no_file_in_a_folder_is_refused(tmp_path):
    os.symlink(tmp_path / "gone", tmp_path / "data_batch_1.bin")
    with pytest.raises(DataError, match="data_batch_1.bin' is no file"):
        load(KINDS["cifar10"], str(tmp_path))
