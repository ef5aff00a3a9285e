"""ImageGtData, DetectionData, EvalData: resuming, replicas, shapes without a file, refusals."""

import pytest
import torch

from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests.forks.rcnn.scene_data import detection, evaluation, gt, write
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make


@pytest.mark.parametrize(
    "text, top",
    [
        (gt("shuffle: true do_multiple_scale: true min_scale: 9 max_scale: 40", 2, "mirror: true"), 5),
        (detection('shuffle: "random_mix_aspect" mix_group_size: 2 short_size: 64 long_size: 96', 2), 5),
        (evaluation(""), 3),
    ],
)
def test_resumes(root, text, top):
    write(root, "ImageGtData" not in text)
    assert_resumes(lambda **more: make(text, top=top, root=str(root), **more))


def test_replicas_agree(root):
    write(root, False)
    text = gt("shuffle: true resize_width: 90 resize_height: 72", 2, "mirror: true")
    text = text.replace("output_gt_boxes: true", "")
    assert_replicas_agree(lambda **more: make(text, top=4, root=str(root), **more))


@pytest.mark.parametrize(
    "text, top", [(gt(""), 5), (detection("resize_ratio: 2").replace("output_gt_boxes: true", ""), 4)]
)
def test_boxes_cannot_be_dealt_out(root, text, top):
    write(root, "ImageGtData" not in text)
    with pytest.raises(LayerError, match=r"serves 2 replicas in one process, but its boxes \(or pictures of"):
        make(text, top=top, root=str(root), replicas=2, rank=None)


def guess(text, top):
    tops = " ".join(f'top: "t{i}"' for i in range(top))
    (param,) = parse(f'layer {{ name: "d" {tops} {text} }}', NetParameter, "test.prototxt").layer
    return create_layer(param, 0, Context()).guess()


@pytest.mark.parametrize(
    "text, shapes",
    [
        (gt("resize_width: 90 resize_height: 76"), [(2, 3, 76, 90), (2, 6, 10, 11), (2, 6, 5, 6), (2, 6, 19, 23), (1, 7, 1, 1)]),
        (gt("crop_width: 40 crop_height: 32"), [(2, 3, 32, 40), (2, 6, 4, 5), (2, 6, 2, 3), (2, 6, 8, 10), (1, 7, 1, 1)]),
        (detection("short_size: 60 long_size: 100"), [(2, 3, 96, 64), (2, 6, 12, 8), (2, 6, 6, 4), (2, 6, 24, 16), (1, 8, 1, 1)]),
        (detection("crop_short_size: 32 crop_long_size: 48", 1, maps="").replace("output_gt_boxes: true", ""), [(1, 3, 48, 32)]),
        (detection("crop_width: 32 crop_height: 48", 1, maps=""), [(1, 3, 48, 32), (1, 8, 1, 1)]),
        (detection("resize_width: 32 resize_height: 48", 1, maps=""), [(1, 3, 48, 32), (1, 8, 1, 1)]),
        (evaluation("short_size: 60 long_size: 100"), [(1, 3, 96, 64), (1, 8, 1, 1)]),
        (evaluation("resize_width: 60 resize_height: 100", 2), [(2, 3, 96, 64), (1, 8, 1, 1), (2, 2, 1, 1)]),
    ],
)  # fmt: skip
def test_shapes_without_a_file(text, shapes):
    assert guess(text, len(shapes)) == shapes


@pytest.mark.parametrize(
    "text, message",
    [
        (gt(""), "neither resize_height and resize_width nor the crop's tell the size"),
        (detection("resize_ratio: 2"), "no resize, no crop and no short_size and long_size tell the size"),
        (evaluation("short_size: 3"), "neither resize_height and resize_width nor short_size and long_size"),
        (evaluation("short_size: 30 long_size: 40", 0), "eval_data_param.batch_size is not set"),
    ],
)
def test_shapes_that_nothing_tells(text, message):
    with pytest.raises(DataError, match=message):
        guess(text, 5)


@pytest.mark.parametrize(
    "text, message",
    [
        (gt("", 0), "image_gt_data_param.batch_size must be above 0"),
        (gt("coord_num: 5"), "coord_num is 5; only 4"),
        (gt("fg_threshold: 0"), "fg_threshold is 0 and must be above 0"),
        (gt("field_w: 3"), r"has 3 strides \[8, 16, 4\], 4 field_w and 3 field_h; give as many"),
        (gt("", maps="downsample_rate: 0 field_w: 3 field_h: 4"), r"has 1 strides \[0\].* the strides above 0"),
        (gt("", maps=""), "image_gt_data_param has no downsample_rate"),
        (gt("", maps="downsample_rate: 8 field_w: 3 field_h: 4"), "has 5 tops, and its 1 kinds of fields and output_gt_boxes make 3"),
        (gt('mean_file: "x"'), "image_gt_data_param.mean_file does nothing in its fork; give transform_param.mean_value"),
        (gt("mirror: true"), "image_gt_data_param.mirror does nothing in its fork; set transform_param.mirror"),
        (gt("", transform="scale: 2"), "transform_param.scale does nothing in this layer, which knows mean_value, mirror"),
        (gt("", transform="mean_value: 2 mean_value: 3"), "2 mean_value for the 3 channels of its pictures; give 1 or 3"),
        (gt("resize_width: 90 resize_height: 72 crop_width: 91 crop_height: 9"), "is 9 x 91, and the pictures are 72 x 90"),
        (gt("do_multiple_scale: true min_scale: 9 max_scale: 8"), "min_scale is 9 and max_scale 8"),
        (gt("do_multiple_scale: true min_scale: 8 max_scale: 9 min_whaspect: 1 max_whaspect: 1.01"), "and at least 0.05 more"),
        (detection("scale: 2"), "detection_data_param.scale does nothing in its fork; set transform_param.scale"),
        (detection("resize_param { height: 3 }"), "resize_param does nothing in its fork; give resize_width"),
        (detection("", transform="crop_size: 20"), "transform_param.crop_size does nothing in this layer"),
        (detection("resize_ratio: 2 short_size: 8 long_size: 9"), "gives both resize_ratio, and short_size and long_size; remove one"),
        (detection("short_size: 9 long_size: 9"), "long_size is 9 and short_size 9; the long one must be larger"),
        (detection("low_scale_ratio: 2 high_scale_ratio: 1"), "low_scale_ratio is 2 and high_scale_ratio 1"),
        (detection('shuffle: "yes"'), "shuffle 'yes' is not known; use one of random, random_aspect, random_mix_aspect"),
        (detection("mix_group_size: 0"), "mix_group_size is 0"),
        (detection("distort_param { hue_delta: -1 }"), "distort_param.hue_delta is -1 and must be at least 0"),
        (evaluation("", 2), "batch_size is 2, and without resize_width and resize_height pictures differ in size"),
        (evaluation("", transform="mirror: true"), "transform_param.mirror does nothing in this layer"),
        (evaluation("scale: 2"), "eval_data_param.scale does nothing in its fork"),
    ],
)  # fmt: skip
def test_errors(root, text, message):
    write(root, "ImageGtData" not in text)
    with pytest.raises(LayerError, match=rf"test.prototxt:\d+: layer 'd' \(\w+\): .*{message}"):
        make(text, top=5 if "Eval" not in text else 2, root=str(root))


def test_missing_files(root):
    with pytest.raises(
        DataError, match=r"layer 'd' \(EvalData\): the window file '.*none.txt' cannot be read"
    ):
        make(evaluation("").replace("w.txt", "none.txt"), root=str(root))
    (root / "p" / "1.png").unlink()
    layer = make(evaluation('root_folder: ""'), root=str(root))
    load(layer)
    with pytest.raises(
        DataError, match=r"cannot open or decode '.*1.png', picture 1 of 'w.txt'; correct it or root_folder"
    ):
        layer.load(torch.device("cpu"))
