"""Arrays in files that may be anything."""

import numpy as np
import pytest

from caffe_compat.data.npy import read_npy
from caffe_compat.errors import DataError

GOOD = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n"


def test_numbers(tmp_path):
    for array in (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7), np.zeros((0, 4), ">i2")):
        np.save(tmp_path / "a.npy", array)
        found = read_npy(str(tmp_path / "a.npy"))
        assert found.dtype == array.dtype and found.tolist() == array.tolist()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "header is broken"),
        (b"x" * 100, "header is broken"),
        (GOOD[:20], "header is broken"),
        (GOOD.replace(b"{", b"("), "header is broken"),
        (GOOD.replace(b"descr", b"\xff\xff\xff'<"), "header is broken"),
        (GOOD.replace(b"<f4", b"<Q9"), "header is broken"),
        (GOOD.replace(b"'<f4'", b"'|O' "), "holds object"),
        (GOOD.replace(b"'<f4'", b"'<U1'"), "holds <U1"),
        (GOOD.replace(b"(2, 3), ", b"(9**9,),"), "header is broken"),
        (
            GOOD.replace(b"(2, 3), }    ", b"(99999999999,)}"),
            r"shape \(99999999999,\) has 399999999996 bytes, and \d+ are",
        ),
        (GOOD, "has 24 bytes, and 10 are left"),
    ],
)
def test_anything_else(tmp_path, content, message):
    rest = b"" if len(content) < 50 else bytes(10 if content is GOOD else 24)
    (tmp_path / "a.npy").write_bytes(content + rest)
    with pytest.raises(DataError, match=f"a.npy: cannot be read as a numpy array: .*{message}"):
        read_npy(str(tmp_path / "a.npy"))


def test_several_arrays_are_no_array(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="header is broken"):
        read_npy(str(tmp_path / "a.npz"))
    with pytest.raises(DataError, match="gone.npy: cannot be read as a numpy array: No such file"):
        read_npy(str(tmp_path / "gone.npy"))
