"""Window files, R-CNN's and those with regions."""

import numpy as np
import pytest

from caffe_compat.data.images import encode
from caffe_compat.data.windows import Box, Pictures, read_pictures, read_windows, rounded
from caffe_compat.errors import DataError

GOOD = """# 0
a b.png
3
40
50
3
2 0.75 1 2 30 31
5 0.5 0 0 9 9
7 0.3 4 5 6 7
# 1
c.png 3 20 25
1
1 0.1 3 4 5 6
"""


def windows(tmp_path, text, fg=0.5, bg=0.25):
    path = tmp_path / "windows.txt"
    path.write_text(text)
    return read_windows(str(path), fg, bg)


def test_boxes_are_sorted_by_their_overlap(tmp_path):
    found = windows(tmp_path, GOOD.replace("a b.png", "a.png"))
    assert found.images == {0: "a.png", 1: "c.png"}
    assert found.channels == 3
    assert found.foreground == [Box(0, 2, 1, 2, 30, 31), Box(0, 5, 0, 0, 9, 9)]
    assert found.background == [Box(1, 0, 3, 4, 5, 6)], "0.3 is neither"


def test_thresholds_are_float32(tmp_path):
    text = "# 0 a.png 3 4 5 2 1 0.7 0 0 1 1 1 0.3 0 0 1 1"
    found = windows(tmp_path, text, fg=float.fromhex("0x1.6666660000000p-1"), bg=0.5)  # 0.7 in float32
    assert len(found.foreground) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "windows.txt:1: the file ends too soon; correct the window file"),
        (GOOD, "windows.txt:2: expected a whole number, found 'b.png'"),
        ("# 0 a.png 3 4 5\n2\n1 0.9 0 0 1 1\n", "windows.txt:3: the file ends too soon"),
        ("# 0 a.png 3 4 5 1 1 much 0 0 1 1", "windows.txt:1: expected a number, found 'much'"),
        (
            "# 0 a.png 3 4 5 0\n0 b.png",
            "windows.txt:2: expected '#' before the index of a picture, found '0'",
        ),
        (
            "# 0 a.png 3 4 5 1\n0 0.9 0 0 1 1",
            "windows.txt:2: a box with overlap 0.9.* is an object and has the class 0",
        ),
        (
            "# 0 a.png 3 4 5 1 1 0.1 0 0 1 1",
            "there is no object box, with an overlap of at least fg_threshold 0.5",
        ),
        (
            "# 0 a.png 3 4 5 1 1 0.9 0 0 1 1",
            "there is no background box, with an overlap below bg_threshold 0.25",
        ),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        windows(tmp_path, text)


def test_a_missing_file(tmp_path):
    with pytest.raises(
        DataError, match=r"the window file '.*none' cannot be read: No such file .* correct window_data"
    ):
        read_windows(str(tmp_path / "none"), 0.5, 0.5)


REGIONS = """# 0
a.png 3 40 50
2
4 0 1 1 2 30 31
5 1 0 0 0 9 9
1
7 8 9 10
# 7
b.png
3 20 25
0 0
"""


def pictures(tmp_path, text, difficult):
    (tmp_path / "w.txt").write_text(text)
    return read_pictures(str(tmp_path / "w.txt"), "image_gt_data_param", difficult)


def test_regions(tmp_path):
    first, second = pictures(tmp_path, REGIONS, difficult=True)
    assert (first.path, first.height, first.width) == ("a.png", 40, 50)
    assert first.boxes.tolist() == [[4, 0, 1, 1, 2, 30, 31], [5, 1, 0, 0, 0, 9, 9]]
    assert first.regions.tolist() == [[7, 8, 9, 10]]
    assert second.path == "b.png" and second.boxes.shape == (0, 7) and second.regions.shape == (0, 4)
    text = REGIONS.replace("4 0 1 1", "4 0 1").replace("5 1 0 0", "5 1 0")
    (first, _) = pictures(tmp_path, text, difficult=False)
    assert first.boxes.tolist() == [[4, 0, 0, 1, 2, 30, 31], [5, 1, 0, 0, 0, 9, 9]]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "w.txt:1: the file ends too soon; correct the window file"),
        (REGIONS.replace("4 0 1 1", "0 0 1 1"), "w.txt:4: a box has the class 0; classes start at 1"),
        (REGIONS.replace("9 10\n", "9\n"), "w.txt:8: expected a whole number, found '#'"),
        (REGIONS.replace("\n0 0", "\n0"), "w.txt:11: the file ends too soon"),
    ],
)
def test_bad_regions(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        pictures(tmp_path, text, difficult=True)


def test_a_missing_file_with_regions(tmp_path):
    with pytest.raises(DataError, match=r"'.*none.txt' cannot be read: .*; correct eval_data_param.source"):
        read_pictures(str(tmp_path / "none.txt"), "eval_data_param", True)


def test_pictures_are_kept_if_wanted(tmp_path):
    path = tmp_path / "p.png"
    for keep in (True, False):
        path.write_bytes(encode(np.full((3, 4, 3), 9, np.uint8), "png"))
        kept = Pictures(keep)
        assert kept.read(str(path)).shape == (3, 4, 3)
        path.unlink()
        assert (kept.read(str(path)) is not None) == keep


def test_rounded():
    assert [rounded(x) for x in (0.5, 1.5, 2.49, -0.5, -1.5, -1.4)] == [1, 2, 2, -1, -2, -1]
