"""VideoData of temporal segment networks: segments, flow, multi-scale crops."""

import numpy as np
import pytest
import torch

from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.forks.video.video_segments import PLACES, VideoSegments, crop_sizes
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make
from tests.layers.harness import TEST, layer_param

HEIGHT, WIDTH, FRAMES = 5, 7, 9
TEXT = 'type: "VideoData" video_data_param { source: "list.txt" batch_size: %d modality: %s %s } transform_param { %s }'


C3D = (
    'type: "VideoData" video_data_param { source: "list.txt" batch_size: 1 new_length: 2 use_image: true } %s'
)


def frame(video, number, axis=0):
    return (60 * video + 2 * number + 7 * axis + np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)).astype(
        np.uint8
    )


@pytest.fixture
def root(tmp_path):
    """Two folders of 9 frames 5 x 7, as colour pictures and as flow; PNG in spite of the names, to be exact."""
    for video in range(2):
        folder = tmp_path / f"v{video}"
        folder.mkdir()
        for number in range(1, FRAMES + 1):
            colour = np.stack([frame(video, number, c) for c in range(3)], -1)
            (folder / f"image_{number:04d}.jpg").write_bytes(encode(colour, "png"))
            for axis, letter in enumerate("xy"):
                name = f"flow_{letter}_{number:04d}.jpg"
                (folder / name).write_bytes(encode(frame(video, number, axis), "png"))
    (tmp_path / "list.txt").write_text(f"v0 {FRAMES} 5\nv1 {FRAMES} 6\n")
    return str(tmp_path)


def test_middle_of_each_segment(root):
    layer = make(TEXT % (2, "RGB", "num_segments: 2 new_length: 2", ""), TEST, root=root)
    assert isinstance(layer, VideoSegments)
    assert layer.reshape() == [(2, 12, HEIGHT, WIDTH), (2, 1, 1, 1)]
    ((data, labels),) = load(layer)
    # segments of 4 frames, of which the middle two begin after one
    numbers = (2, 3, 6, 7)
    for video in range(2):
        wanted = [frame(video, number, c) for number in numbers for c in range(3)]
        np.testing.assert_array_equal(data[video], wanted)
    assert labels.flatten().tolist() == [5, 6]


def test_a_short_segment_begins_at_the_first_frame(root):
    layer = make(TEXT % (1, "RGB", "num_segments: 3 new_length: 4", ""), TEST, root=root)
    ((data, _),) = load(layer)
    np.testing.assert_array_equal(data[0, ::3], [frame(0, number) for number in (1, 2, 3, 4) * 3])


def test_frames_are_drawn_in_training(root):
    layer = make(TEXT % (1, "RGB", "num_segments: 2", ""), root=root)
    firsts = {tuple((data[0, ::3, 0, 0] // 2 % 30).astype(int).tolist()) for data, _ in load(layer, 60)}
    assert len(firsts) > 8 and firsts <= {(a, b) for a in range(1, 5) for b in range(5, 9)}


def test_flow_is_turned_round_when_mirrored(root):
    layer = make(
        TEXT % (1, "FLOW", "new_length: 2", "mirror: true is_flow: true mean_value: 128 scale: 0.5"),
        TEST,
        root=root,
    )
    found = [data[0] for data, _ in load(layer, 20)[::2]]
    # one segment of 9 frames, two in the middle: from (9 - 2 + 1) / 2 on
    straight = np.array([frame(0, number, axis) for number in (5, 6) for axis in (0, 1)], np.float64)
    turned = straight[..., ::-1].copy()
    turned[::2] = 255 - turned[::2]
    kinds = {
        next(i for i, w in enumerate((straight, turned)) if np.array_equal(d, (w - 128) / 2)) for d in found
    }
    assert kinds == {0, 1}


def test_means_are_repeated(root):
    layer = make(TEXT % (1, "RGB", "num_segments: 2", "mean_value: [1, 2, 3]"), TEST, root=root)
    bare = make(TEXT % (1, "RGB", "num_segments: 2", ""), TEST, root=root)
    ((data, _),), ((pixels, _),) = load(layer), load(bare)
    np.testing.assert_array_equal(data, pixels - np.reshape([1, 2, 3] * 2, (6, 1, 1)))


def test_crops_of_many_sizes(root, tmp_path):
    """The crop begins at one of 13 places, in whole quarters of the room: 0 of 3 rows, 1 of 5 columns."""
    (tmp_path / "list.txt").write_text("v0 1 5\n")
    text = TEXT % (1, "RGB", "", "crop_size: 2 multi_scale: true fix_crop: true %s scale_ratios: 0.4")
    for more, columns in (("", {0, 2, 4}), ("more_fix_crop: true", {0, 1, 2, 3, 4})):
        layer = make(text % more, root=root)
        assert layer.reshape()[0] == (1, 3, 2, 2)
        found = [data[0, 0] for data, _ in load(layer, 60)]
        assert {int(crop[0, 0]) - int(frame(0, 1)[0, 0]) for crop in found} == columns
        assert all(crop[0, 1] - crop[0, 0] == 1 and crop[1, 0] - crop[0, 0] == WIDTH for crop in found)
    large = make(TEXT % (1, "RGB", "", "crop_size: 3 multi_scale: true scale_ratios: [1, 0.5]"), root=root)
    assert {data.shape for data, _ in load(large, 20)} == {(1, 3, 3, 3)}


def test_sizes_and_places():
    assert crop_sizes(256, 224, [], 1) == [
        (256, 256), (256, 224), (224, 256), (224, 224), (224, 192), (192, 224), (192, 192), (192, 168), (168, 192),
        (168, 168),
    ]  # fmt: skip
    assert crop_sizes(256, 223, [0.875, 0.5], 0) == [(223, 223), (128, 128)]
    assert len(set(PLACES)) == 13 and PLACES[:5] == ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))


def test_resumes_and_splits(root):
    text = TEXT % (1, "FLOW", "shuffle: true", "crop_size: 3 mirror: true multi_scale: true")
    assert_resumes(lambda seed: make(text, seed=seed, root=root))
    assert_replicas_agree(lambda **context: make(text, root=root, **context))


def test_guesses_without_a_list():
    def guess(text):
        param = layer_param(f'top: "a" top: "b" {text}', 0)
        return create_layer(param, TEST, Context(generator=torch.Generator())).guess()

    assert guess(TEXT % (4, "FLOW", "num_segments: 3 new_length: 5", "crop_size: 9")) == [
        (4, 30, 9, 9),
        (4, 1, 1, 1),
    ]
    assert guess(TEXT % (4, "RGB", "new_height: 6 new_width: 8", ""))[0] == (4, 3, 6, 8)
    with pytest.raises(DataError, match="neither crop_size nor new_height and new_width tell the shape"):
        guess(TEXT % (4, "RGB", "", ""))


@pytest.mark.parametrize(
    "text, error, message",
    [
        (TEXT % (1, "RGB", 'name_pattern: "a.jpg"', ""), LayerError, "name_pattern 'a.jpg' is no pattern: .* write one"),
        (TEXT % (1, "RGB", "", "crop_size: 6"), LayerError, "crop_size 6 is larger than the frames, which are 5 x 7"),
        (TEXT % (1, "RGB", "", "mean_value: [1, 2]"), LayerError, "2 mean_value for 3 channels; give as many as divide"),
        (TEXT % (1, "RGB", "", 'mean_file: "m"'), LayerError, "mean_file is not known to VideoData with num_segments"),
        (TEXT % (1, "RGB", "use_image: true", ""), LayerError, "video_data_param.use_image: of a fork whose VideoData"),
        (TEXT.replace("list", "gone") % (1, "RGB", "", ""), DataError, "cannot be read: .* `folder frames label` lines"),
        (
            C3D % "transform_param { multi_scale: true }",
            LayerError,
            "transform_param.multi_scale: of a fork whose VideoData is another layer",
        ),
    ],
)  # fmt: skip
def test_errors(text, error, message, root):
    with pytest.raises(error, match=message):
        make(text, root=root)


def test_bad_lists(root, tmp_path):
    (tmp_path / "list.txt").write_text("v0 9\n")
    with pytest.raises(DataError, match="line 1 of .* is `v0 9`; write `folder frames label`"):
        make(TEXT % (1, "RGB", "", ""), root=root)
    (tmp_path / "list.txt").write_text("")
    with pytest.raises(DataError, match="is empty; it needs one `folder frames label` a line"):
        make(TEXT % (1, "RGB", "", ""), root=root)
