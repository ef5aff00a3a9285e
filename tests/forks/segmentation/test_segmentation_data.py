"""What holds for DenseImageData and ImageSegData both: sizes, refusals, bad lists, guesses."""

import re

import numpy as np
import pytest

from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from tests.forks.segmentation.segmentation_data import DENSE, SEG, make_unopened
from tests.layers.data_harness import load, make


def test_sizes_may_differ_from_batch_to_batch_of_one(root, tmp_path):
    small = encode(np.ones((2, 3), np.uint8), "png")
    for name in ("1.png", "1_labels.png"):
        (tmp_path / name).write_bytes(small)
    shapes = [data.shape for data, _ in load(make(DENSE % (1, ""), root=root), 3)]
    assert shapes == [(1, 3, 5, 7), (1, 3, 2, 3), (1, 3, 5, 7)]
    with pytest.raises(
        DataError, match=r"picture 1 of a batch has the shape \(3, 2, 3\) and the first one \(3, 5, 7\)"
    ):
        load(make(DENSE % (2, ""), root=root))


@pytest.mark.parametrize(
    "text, error, message",
    [
        (DENSE % (0, ""), LayerError, "dense_image_data_param.batch_size must be above 0"),
        (DENSE % (1, "new_height: 3"), LayerError, "new_height is 3 and new_width 0; set both"),
        (DENSE % (1, "crop_width: 3"), LayerError, "crop_height is 0 and crop_width 3; set both"),
        (DENSE % (1, "crop_height: 6 crop_width: 3"), DataError, "is 6 x 3, larger than a picture of 5 x 7; crop less"),
        (
            DENSE % (1, "") + " transform_param { mirror: true }",
            LayerError,
            "would treat pictures and labels apart; set dense_image_data_param.mirror instead",
        ),
        (
            DENSE % (1, "") + " transform_param { crop_size: 3 }",
            LayerError,
            "transform_param.crop_size would .* set dense_image_data_param.crop_height and crop_width instead",
        ),
        ((DENSE % (1, "")).replace("list", "nothing"), DataError, "nothing.txt' cannot be read: .* give a file of"),
        (SEG % (1, "", "transform_param { mean_file: 'm' }"), LayerError, "mean_file"),
        (SEG % (1, "", "transform_param { crop_width: 3 }"), LayerError, "crop_size is 0, crop_height 0 and crop_width 3"),
        (SEG % (1, "", "transform_param { mean_value: [1, 2] }"), LayerError, "2 mean_value for 3 channels; give 1 or 3"),
        ((SEG % (1, "", "")).replace("PIXEL", "IMAGE"), DataError, "label '0_labels.png' is no number; set label_type"),
    ],
)  # fmt: skip
def test_refusals(root, text, error, message):
    with pytest.raises(error, match=message):
        layer = make(text, top=3 if "Seg" in text else 2, root=root)
        layer.reshape()
        load(layer)


@pytest.mark.parametrize(
    "line, message",
    [
        ("0.png", "line 1 of 'list.txt' has no labels; write `picture labels`"),
        ("0.png 9.png", "line 1 of 'list.txt': cannot open or decode"),
        ("0.png wide.png", "the picture is 5 x 7 and its labels 2 x 3; they must be of one size"),
        ("", "is empty; it needs one `picture labels` a line"),
    ],
)
@pytest.mark.parametrize("text", [DENSE % (1, ""), SEG % (1, "", "")])
def test_bad_lists(root, tmp_path, text, line, message):
    (tmp_path / "wide.png").write_bytes(encode(np.ones((2, 3), np.uint8), "png"))
    (tmp_path / "list.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=re.escape(message)):
        make(text, top=3 if "Seg" in text else 2, root=root)


def test_guesses_without_a_list():
    shapes = make_unopened(DENSE % (4, "crop_height: 3 crop_width: 6")).guess()
    assert shapes == [(4, 3, 3, 6), (4, 1, 3, 6)]
    assert make_unopened(SEG % (2, "", "transform_param { crop_size: 9 }"), 3).guess() == [
        (2, 3, 9, 9),
        (2, 1, 9, 9),
        (2, 1, 1, 2),
    ]
