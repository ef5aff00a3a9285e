"""Layers that are many nodes in ONNX: every opset, batches and pictures of any size."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.export.nets import OPSETS, assert_same, exported


def random_numbers(random, shape, _):
    return random.standard_normal(shape)


def regions(random, shape, first):
    """Boxes in pixels of maps of a spatial_scale of 1/4, some of them beyond the picture or of no size."""
    height, width = (4 * size for size in first[2:])
    low = random.uniform(-0.2, 0.8, (shape[0], 2)) * [width, height]
    high = low + random.uniform(0, 0.6, (shape[0], 2)) * [width, height]
    high[0] = low[0] - 1
    return np.concatenate([random.integers(0, first[0], (shape[0], 1)), low, high], 1)


def steps(random, shape, _):
    return 2 * random.standard_normal(shape)


def theta(random, shape, _):
    return np.resize([1, 0.1, 0.2, -0.1, 0.8, 0], shape) + 0.3 * random.standard_normal(shape)


def with_holes(random, shape, _):
    x = random.standard_normal(shape)
    x[random.random(shape) < 0.2] = np.nan
    return x


MAPS = (2, 8, 7, 9)
ROIS = (5, 5)
X = random_numbers
# type and parameters, shapes, what fills the bottoms, the sizes that may stay open: "N" the batch, "HW" those of pictures
CASES = [
    ("PSROIPooling", "psroi_pooling_param { output_dim: 2 group_size: 2 spatial_scale: 0.25 }", [MAPS, ROIS], (X, regions), "HW"),
    ("ROIPooling", "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.25 pad_ratio: 0.3 }", [MAPS, ROIS], (X, regions), "HW"),
    ("ROIAlign", "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.25 }", [MAPS, ROIS], (X, regions), "HW"),
    ("ROIAlign", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 pad_ratio: 0.3 }", [MAPS, ROIS], (X, regions), "HW"),
    ("ROIWarping", "roi_warping_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.25 }", [MAPS, ROIS], (X, regions), "HW"),
    ("SpatialTransformer", "", [MAPS, (2, 6)], (X, theta), "N HW"),
    ("SpatialTransformer", "st_param { output_H: 4 output_W: 5 theta_1_1: 0.7 theta_2_1: 0 }", [MAPS, (2, 4, 1, 1)], (X, theta), "N HW"),
    ("DeformableConvolution", "deformable_convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 2 group: 2 deformable_group: 2 }",
     [MAPS, (2, 36, 4, 5)], (X, steps), "N"),
    ("DeformableConvolution", "deformable_convolution_param { num_output: 6 kernel_h: 3 kernel_w: 1 dilation: 2 bias_term: false deformable_group: 4 }",
     [(3, 4, 7, 5), (3, 24, 3, 5)], (X, steps), ""),
    ("FlowWarp", "", [MAPS, (2, 2, 7, 9)], (X, steps), "N HW"),
    ("FlowWarp", "flow_warp_param { fill_value: NOT_A_NUMBER }", [MAPS, (2, 2, 7, 9)], (X, steps), "N HW"),
    ("Warp", "", [MAPS, (2, 2, 7, 9)], (X, steps), "N HW"),
    ("Mean", "mean_param { operation: SUBTRACT value: 1 value: 2 input_scale: 0.5 output_scale: 3 }", [MAPS], (X,), "N HW"),
    ("Resample", "resample_param { height: 5 width: 14 type: LINEAR antialias: true }", [MAPS], (X,), "N"),
    ("Resample", "resample_param { height: 5 width: 14 type: CUBIC antialias: false }", [MAPS], (X,), "N"),
    ("Resample", "resample_param { height: 9 width: 4 type: NEAREST }", [MAPS], (X,), "N"),
    ("Downsample", "downsample_param { top_height: 3 top_width: 4 }", [MAPS], (with_holes,), "N"),
    ("Downsample", "downsample_param { top_height: 7 top_width: 9 }", [MAPS], (with_holes,), "N"),
    ("DataAugmentation", "augmentation_param { crop_width: 6 crop_height: 5 mean: 1 mean: 2 mean: 3 mean_per_pixel: false }",
     [(2, 3, 8, 9)], (X,), "N"),
]  # fmt: skip


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    "kind, text, shapes, fillers, open_sizes", CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_numbers(kind, text, shapes, fillers, open_sizes, opset, tmp_path):
    if kind == "ROIPooling" and opset > 21:
        pytest.skip("the runtime has MaxRoiPool up to opset 21")
    random = np.random.default_rng(len(text))
    layer, session = exported(
        tmp_path, f'type: "{kind}" {text}', shapes, opset, dynamic_batch="N" in open_sizes
    )
    bottoms = [fill(random, shape, shapes[0]) for fill, shape in zip(fillers, shapes, strict=True)]
    assert_same(layer, session, bottoms)
    if "N" in open_sizes:
        fewer = [(shape[0] + 1, *shape[1:]) for shape in shapes]
        assert_same(
            layer,
            session,
            [fill(random, shape, fewer[0]) for fill, shape in zip(fillers, fewer, strict=True)],
        )


SIZED = [case for case in CASES if "HW" in case[4]]


@pytest.mark.parametrize(
    "kind, text, shapes, fillers, _", SIZED, ids=[f"{c[0]}-{i}" for i, c in enumerate(SIZED)]
)
def test_pictures_of_any_size(kind, text, shapes, fillers, _, tmp_path):
    random = np.random.default_rng(len(text))
    layer, session = exported(
        tmp_path, f'type: "{kind}" {text}', shapes, dynamic_size=True, dynamic_batch=False
    )
    for height, width in ((7, 9), (4, 12)):
        sized = [(*s[:2], height, width) if s[2:] == MAPS[2:] else s for s in shapes]
        assert_same(
            layer, session, [fill(random, s, sized[0]) for fill, s in zip(fillers, sized, strict=True)]
        )


def test_weights_that_depend_on_the_size(tmp_path):
    text = 'type: "Resample" resample_param { height: 5 width: 14 type: LINEAR }'
    with pytest.raises(LayerError, match="cannot be exported for pictures of any size: 'x0' is H x W"):
        exported(tmp_path, text, [MAPS], dynamic_size=True)


def test_a_mean_that_is_still_learned(tmp_path):
    text = 'type: "DataAugmentation" augmentation_param { recompute_mean: %d }'
    with pytest.raises(LayerError, match="cannot be exported: it has seen 0 batches of recompute_mean 4"):
        exported(tmp_path, text % 4, [MAPS])
    layer, session = exported(tmp_path, text % 4, [MAPS], blobs={0: 4})
    layer.blobs[0].data.fill_(4)
    assert_same(layer, session, [np.random.default_rng(1).standard_normal(MAPS)])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", ["TopK", "TopKOld"])
@pytest.mark.parametrize(
    "shapes", [[(5, 3, 2), (5, 1), (3, 1)], [(5, 3), (5, 1), (7, 1)], [(6, 3, 2), (6, 4), (4, 1)]]
)
def test_best_rows(kind, shapes, opset, tmp_path):
    layer, session = exported(tmp_path, f'type: "{kind}"', shapes, opset, tops=("y", "which"))
    data, scores, like = (random_numbers(np.random.default_rng(2), shape, None) for shape in shapes)
    assert_same(layer, session, [data, scores, like])
    assert_same(layer, session, [data, scores.round(), like])  # of equal scores the first counts
