"""Lists of `path label`."""

import pytest

from caffe_compat.data.image_list import read_list, why_no_picture
from caffe_compat.errors import DataError


@pytest.mark.parametrize(
    "text, lines",
    [
        ("a.png 0\nb/c.jpg 17\n", [("a.png", 0), ("b/c.jpg", 17)]),
        ("a.png 3", [("a.png", 3)]),
        ("my cat.png 2\n", [("my cat.png", 2)]),
        ("a.png 4\r\nb.png 5\r\n", [("a.png", 4), ("b.png", 5)]),
        ("a.png -1\nb.png +2\n", [("a.png", -1), ("b.png", 2)]),
        ("a.png 7th\n", [("a.png", 7)]),
        ("a.png x\n", [("a.png", 0)]),
        ("a.png \n", [("a.png", 0)]),
        ("a.png\t9\n", [("a.png\t9", 0)]),
        ("12\n", [("12", 12)]),
        ("a 1\n\nb 2\n", [("a", 1), ("", 0), ("b", 2)]),
        ("\u00e9 1\n", [("\u00e9", 1)]),
        ("\ufeffa 1\n", [("a", 1)]),
    ],
)
def test_lines(tmp_path, text, lines):
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode())
    assert read_list(str(path)) == lines


def test_names_that_are_no_utf8_survive(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe.png 1\n")
    ((name, _),) = read_list(str(tmp_path / "list.txt"))
    assert name.encode("utf-8", "surrogateescape") == b"\xff\xfe.png"


def test_missing_or_empty(tmp_path):
    with pytest.raises(DataError, match=r"the list '.*none' cannot be read: No such file"):
        read_list(str(tmp_path / "none"))
    (tmp_path / "list.txt").write_text("")
    with pytest.raises(DataError, match=r"list.txt' is empty; it needs one `path label` a line"):
        read_list(str(tmp_path / "list.txt"))


@pytest.mark.parametrize("label", [2**31, -(2**31) - 1])
def test_a_label_that_no_record_holds(tmp_path, label):
    (tmp_path / "list.txt").write_text(f"a 2147483647\nb {label}\n")
    with pytest.raises(DataError, match=rf"list.txt:2: the label {label} is beyond 32 bits; a label is the"):
        read_list(str(tmp_path / "list.txt"))


def test_a_binary_file_is_no_list(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"a 1\n\0 2\n")
    with pytest.raises(DataError, match=r"list.txt' is a binary file; give a file of `path label` lines"):
        read_list(str(tmp_path / "list.txt"))


@pytest.mark.parametrize(
    "line, why",
    [
        ("a.png 4 \n", "; that is path and label: the label follows one space"),
        ("a.png\t4\n", "; that is path and label: the label follows one space"),
        ("\n", "; that line of the list has no path"),
        ("my cat.png 4\n", ""),
        ("cat 7.png 4\n", ""),
    ],
)
def test_why_a_picture_is_not_there(tmp_path, line, why):
    path = tmp_path / "list.txt"
    path.write_text(line)
    ((name, _),) = read_list(str(path))
    assert why_no_picture(name).startswith(why) and bool(why_no_picture(name)) == bool(why)
