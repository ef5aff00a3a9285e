"""VideoData: clips of pictures and of videos, jitter, labels, C3D 1.0's form."""

import numpy as np
import pytest
import torch

from caffe_compat.data.images import encode, opencv
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto.binary import write_binaryproto
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make
from tests.layers.harness import TEST, TRAIN, layer_param

HEIGHT, WIDTH, FRAMES = 5, 7, 9
TEXT = 'type: "VideoData" video_data_param { source: "list.txt" use_image: true batch_size: %d new_length: %d %s } %s'


def frame(video, number):
    """Every pixel tells its frame and place."""
    return (60 * video + 2 * number + np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)).astype(np.uint8)


def clip(video, numbers):
    return np.stack([[frame(video, number) for number in numbers]] * 3).astype(np.float64)


@pytest.fixture
def root(tmp_path):
    """Three folders of 9 pictures 5 x 7, and a list of clips; PNG in spite of the names, to be exact."""
    for video in range(3):
        (tmp_path / f"v{video}").mkdir()
        for number in range(1, FRAMES + 1):
            (tmp_path / f"v{video}" / f"{number:06d}.jpg").write_bytes(encode(frame(video, number), "png"))
    (tmp_path / "list.txt").write_text("v0 1 5\nv1 3 6\nv2 2 7\n")
    return str(tmp_path)


def test_clips_in_order(root):
    layer = make(TEXT % (2, 3, "", ""), root=root)
    assert layer.reshape() == [(2, 3, 3, HEIGHT, WIDTH), (2,)]
    first, second = load(layer, 2)
    np.testing.assert_array_equal(first[0], [clip(0, (1, 2, 3)), clip(1, (3, 4, 5))])
    np.testing.assert_array_equal(second[0], [clip(2, (2, 3, 4)), clip(0, (1, 2, 3))])
    assert [first[1].tolist(), second[1].tolist()] == [[5, 6], [7, 5]]


def test_sampling_rate_mean_values_and_scale(root):
    layer = make(
        TEXT % (1, 3, "sampling_rate: 3", "transform_param { mean_value: [1, 2, 3] scale: 0.5 }"), root=root
    )
    ((data, _),) = load(layer)
    np.testing.assert_array_equal(data[0], (clip(0, (1, 4, 7)) - np.reshape([1, 2, 3], (3, 1, 1, 1))) / 2)


def test_mean_of_a_clip(root, tmp_path):
    mean = np.arange(3 * 2 * HEIGHT * WIDTH, dtype=np.float32).reshape(1, 3, 2, HEIGHT, WIDTH)
    write_binaryproto(str(tmp_path / "mean"), mean, legacy=False)
    layer = make(TEXT % (1, 2, "", 'transform_param { mean_file: "mean" crop_size: 3 }'), TEST, root=root)
    assert layer.reshape()[0] == (1, 3, 2, 3, 3)
    ((data, _),) = load(layer)
    np.testing.assert_array_equal(data[0], (clip(0, (1, 2)) - mean[0])[:, :, 1:4, 2:5])
    with pytest.raises(
        LayerError, match=r"mean of shape \(3, 2, 5, 7\) does not fit clips of \(3, 3, 5, 7\)"
    ):
        make(TEXT % (1, 3, "", 'transform_param { mean_file: "mean" }'), root=root).reshape()


def test_a_clip_is_cut_and_mirrored_as_a_whole(root):
    layer = make(TEXT % (3, 2, "", "transform_param { crop_size: 4 mirror: true }"), TRAIN, root=root)
    coins, corners = set(), set()
    for data, _ in load(layer, 12):
        for video, first in enumerate((1, 3, 2)):
            plane = data[video, 0, 0] - 60 * video - 2 * first
            coins.add(flipped := bool(plane[0, 0] > plane[0, 1]))
            row, column = divmod(int(plane[0, -1 if flipped else 0]), WIDTH)
            corners.add((row, column))
            window = clip(video, (first, first + 1))[:, :, row : row + 4, column : column + 4]
            np.testing.assert_array_equal(data[video], window[..., ::-1] if flipped else window)
    assert coins == {False, True} and corners == {(row, column) for row in range(2) for column in range(4)}


def test_jittered_starts_and_rates(root, tmp_path):
    (tmp_path / "list.txt").write_text(f"v1 {FRAMES} 6\n")
    fields = "use_temporal_jitter: true use_sampling_rate_jitter: true max_sampling_rate: 2"
    starts, steps = set(), set()
    for data, _ in load(make(TEXT % (1, 3, fields, ""), root=root), 60):
        numbers = (data[0, 0, :, 0, 0].astype(int) - 60) // 2
        starts.add(int(numbers[0]))
        steps.add(int(numbers[1] - numbers[0]))
        np.testing.assert_array_equal(data[0], clip(1, numbers))
    assert steps == {1, 2} and starts == set(range(1, 8))


def test_several_labels(root, tmp_path):
    (tmp_path / "list.txt").write_text("v0 1 0,3\nv1 3 2\n")
    layer = make(TEXT % (2, 2, "use_multiple_label: true num_of_labels: 4", ""), root=root)
    assert layer.reshape()[1] == (2, 4)
    assert load(layer)[0][1].tolist() == [[1, 0, 0, 1], [0, 0, 1, 0]]
    layer = make(TEXT % (2, 2, "use_multiple_label: true num_of_labels: 3", ""), root=root)
    with pytest.raises(DataError, match="label 3 of line 1 is not below num_of_labels, 3"):
        load(layer)


def test_c3d_1_0_has_it_in_image_data_param(root):
    fields = 'source: "list.txt" batch_size: 2 new_length: 3 use_image: true crop_size: 3 show_data: 0'
    layer = make(f'type: "VideoData" image_data_param {{ {fields} }}', TEST, root=root)
    assert layer.reshape() == [(2, 3, 3, 3, 3), (2, 1, 1, 1, 1)]
    ((data, labels),) = load(layer)
    np.testing.assert_array_equal(data[1], clip(1, (3, 4, 5))[:, :, 1:4, 2:5])
    assert labels.shape == (2, 1, 1, 1, 1)


def test_videos(root, tmp_path):
    cv2 = opencv()
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for number in range(FRAMES):
        writer.write(np.full((48, 32, 3), 20 * number, np.uint8))
    writer.release()
    text = (TEXT % (1, 3, "sampling_rate: 2 new_height: 6 new_width: 4", "")).replace("use_image: true", "")
    (tmp_path / "list.txt").write_text("v.avi 2 6\n")
    ((data, _),) = load(make(text, root=root))
    assert data.shape == (1, 3, 3, 6, 4)
    np.testing.assert_allclose(data[0, 0, :, 0, 0], [40, 80, 120], atol=6)
    (tmp_path / "list.txt").write_text("v.avi 6\n")
    jittered = make(text.replace("new_length", "use_temporal_jitter: true new_length"), root=root)
    starts = {round(float(data[0, 0, 0, 0, 0]) / 20) for data, _ in load(jittered, 30)}
    assert starts == {0, 1, 2, 3}
    (tmp_path / "list.txt").write_text("v.avi 4 6\n")
    with pytest.raises(
        DataError, match=r"v.avi' has 9 frames that OpenCV can read, and the clip needs 6 from 4 on"
    ):
        make(text, root=root)


def test_resumes_and_splits(root):
    text = TEXT % (2, 2, "shuffle: true", "transform_param { crop_size: 3 mirror: true }")
    assert_resumes(lambda seed: make(text, seed=seed, root=root))
    assert_replicas_agree(lambda **context: make(text, root=root, **context))


def test_guesses_without_a_list():
    def guess(text):
        param = layer_param(f'top: "a" top: "b" {text}', 0)
        return create_layer(param, TEST, Context(generator=torch.Generator())).guess()

    assert guess(TEXT % (4, 16, "new_height: 128 new_width: 171", "")) == [(4, 3, 16, 128, 171), (4,)]
    assert guess(TEXT % (4, 16, "", "transform_param { crop_size: 112 }"))[0] == (4, 3, 16, 112, 112)
    old = 'type: "VideoData" image_data_param { batch_size: 2 new_length: 8 crop_size: 9 }'
    assert guess(old) == [(2, 3, 8, 9, 9), (2, 1, 1, 1, 1)]
    with pytest.raises(DataError, match="neither new_length and crop_size nor new_height and new_width"):
        guess(TEXT % (4, 16, "", ""))


@pytest.mark.parametrize(
    "text, error, message",
    [
        (TEXT % (2, 0, "", ""), LayerError, "video_data_param.new_length is 0, it must be set and above 0"),
        (
            TEXT % (2, 2, "", "transform_param { crop_size: 6 }"),
            LayerError,
            "crop_size 6 is larger than .* 5 x 7",
        ),
        (
            TEXT % (2, 2, "", "transform_param { mean_value: [1, 2] }"),
            LayerError,
            "2 mean_value for 3 channels",
        ),
        (
            TEXT % (2, 2, "", "transform_param { mean_value: 1 mean_file: 'm' }"),
            LayerError,
            "both mean_file 'm' and 1",
        ),
        (
            TEXT % (2, 2, "", "transform_param { mean_file: 'm' }"),
            LayerError,
            "m' does not exist; make it from",
        ),
        (TEXT % (2, 9, "", ""), DataError, "line 2 of 'list.txt': cannot open or decode '.*000010.jpg'"),
        (
            TEXT % (2, 2, "use_temporal_jitter: true", ""),
            DataError,
            "line 1 of 'list.txt' has 1 frames, a clip needs 2",
        ),
        (
            (TEXT % (2, 2, "", "")).replace("list", "no"),
            DataError,
            "no.txt' cannot be read: .* `path start label`",
        ),
    ],
)
def test_refusals(root, text, error, message):
    with pytest.raises(error, match=message):
        load(make(text, root=root), 2)


@pytest.mark.parametrize(
    "line, message", [("v0 1", "line 1 of .* is `v0 1`; write `path start label`"), ("", "is empty")]
)
def test_bad_lists(root, tmp_path, line, message):
    (tmp_path / "list.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        make(TEXT % (2, 2, "", ""), root=root)


def test_clips_of_several_sizes(root, tmp_path):
    for number in range(1, 4):
        (tmp_path / "v1" / f"{number + 2:06d}.jpg").write_bytes(encode(np.ones((3, 4), np.uint8), "png"))
    with pytest.raises(
        DataError, match=r"clip of line 2 has the shape \(3, 3, 3, 4\) .* set new_height and new_width"
    ):
        load(make(TEXT % (2, 3, "", ""), root=root))
