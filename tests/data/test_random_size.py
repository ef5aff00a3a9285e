"""Random sizes before the crop: intel/caffe's and NVIDIA/caffe's."""

import numpy as np
import pytest

from caffe_compat.data.annotated import Annotated
from caffe_compat.data.random_size import RandomSize
from caffe_compat.proto import TransformationParameter
from caffe_compat.proto.text import parse

HEIGHT, WIDTH = 30, 50


def fail(what):
    raise ValueError(what)


def sizes(text, count=200, height=HEIGHT, width=WIDTH, channels=3):
    """The sizes of `count` results for one picture."""
    augment = RandomSize(parse(text, TransformationParameter), fail)
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (height, width, channels), np.uint8)
    record = Annotated(picture, np.empty((0, 7), np.float32))
    done = [augment(record, rng).picture for _ in range(count)]
    assert {(array.dtype, array.shape[2]) for array in done} == {(np.dtype(np.uint8), channels)}
    return {array.shape[:2] for array in done}


def test_shorter_side():
    found = sizes("crop_size: 4 random_resize_param { min_size: 6 max_size: 9 }")
    assert found == {(side, int(WIDTH / HEIGHT * side)) for side in (6, 7, 8, 9)}
    found = sizes("crop_size: 4 random_resize_param { min_size: 6 max_size: 6 }", 1, HEIGHT, 20, 1)
    assert found == {(9, 6)}


def test_shorter_side_of_any_size():
    found = sizes("crop_size: 4 random_resize_param { }", 500)
    assert {height for height, _ in found} == set(range(HEIGHT, WIDTH + 1))


def test_part():
    found = sizes("crop_size: 8 random_aspect_ratio_param { min_area_ratio: 0.1 aspect_ratio_change: 0.75 }")
    assert found == {(8, 8)}


def test_part_that_never_fits_is_the_whole():
    text = "crop_size: 8 random_aspect_ratio_param { min_area_ratio: 2 max_area_ratio: 2 }"
    assert sizes(text, 3) == {(8, int(WIDTH / HEIGHT * 8))}


def test_part_is_a_part():
    """Of a picture whose rows and columns rise, what is left rises within the whole's range."""
    rows = np.broadcast_to(np.arange(HEIGHT, dtype=np.uint8)[:, None, None] * 8, (HEIGHT, WIDTH, 1))
    text = "crop_size: 5 random_aspect_ratio_param { min_area_ratio: 0.2 max_area_ratio: 0.2 }"
    augment = RandomSize(parse(text, TransformationParameter), fail)
    record = Annotated(np.ascontiguousarray(rows), np.empty((0, 7), np.float32))
    parts = [augment(record, np.random.default_rng(seed)).picture[:, 0, 0].astype(int) for seed in range(20)]
    # 17 of the 30 rows, which are 8 apart; the middle of the first of 5 is row 1.2, of the last 14.8
    assert {part[-1] - part[0] for part in parts} <= {108, 109}
    assert len({part[0] for part in parts}) > 5


def test_nvidia_shorter_side():
    text = "crop_size: 5 img_rand_resize_lower: 7 img_rand_resize_upper: 9"
    assert sizes(text) == {(7, 12), (8, 13), (9, 15)}


def test_nvidia_does_not_enlarge():
    assert sizes("img_rand_resize_lower: 60 img_rand_resize_upper: 60", 1) == {(HEIGHT, WIDTH)}
    enlarged = "img_rand_resize_lower: 60 img_rand_resize_upper: 60 allow_upscale: true"
    assert sizes(enlarged, 1) == {(60, 100)}


def test_nvidia_stretches():
    found = sizes("crop_size: 20 vertical_stretch_lower: 0.5 vertical_stretch_upper: 0.9", 300)
    assert {width for _, width in found} == {WIDTH}
    assert {height for height, _ in found} == set(range(20, 28))
    found = sizes("horizontal_stretch_lower: 0.5 horizontal_stretch_upper: 0.5", 1)
    assert found == {(HEIGHT, 25)}


def test_nvidia_ratio():
    text = "rand_resize_ratio_lower: 1 rand_resize_ratio_upper: 1.2 img_rand_resize_lower: 20 img_rand_resize_upper: 20"
    found = sizes(text)
    assert {height for height, _ in found} == {20}
    assert {width for _, width in found} == set(range(20, 25))


def test_nvidia_interpolation():
    picture = np.arange(8, dtype=np.uint8).reshape(2, 4, 1) * 30
    record = Annotated(picture, np.empty((0, 7), np.float32))
    text = "horizontal_stretch_lower: 0.5 horizontal_stretch_upper: 0.5 interpolation_algo_down: INTER_%s"

    def result(name):
        param = parse(text % name, TransformationParameter)
        return RandomSize(param, fail)(record, np.random.default_rng(0)).picture[:, :, 0].tolist()

    assert result("NEAREST") == [[0, 60], [120, 180]]
    assert result("AREA") == [[15, 75], [135, 195]]


@pytest.mark.parametrize(
    "text, match",
    [
        ("random_resize_param { }", "random_resize_param gives pictures of many sizes; set crop_size"),
        ("crop_size: 4 random_resize_param { min_size: 9 max_size: 8 }", "min_size 9 above max_size 8"),
        (
            "crop_size: 4 random_aspect_ratio_param { min_area_ratio: 2 }",
            "min_area_ratio 2 and max_area_ratio 1; use 0 < min <= max",
        ),
        (
            "crop_size: 4 random_aspect_ratio_param { aspect_ratio_change: 1.5 }",
            "aspect_ratio_change is 1.5; use more than 0 and at most 1",
        ),
        (
            "img_rand_resize_lower: 9 img_rand_resize_upper: 8",
            "img_rand_resize_lower is 9 and img_rand_resize_upper 8; use lower <= upper",
        ),
    ],
)
def test_errors(text, match):
    with pytest.raises(ValueError, match=match):
        RandomSize(parse(text, TransformationParameter), fail)
