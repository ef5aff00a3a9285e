"""Detections in ONNX: the rows of this package's layers, by ONNX Runtime, ties and empty results included."""

import itertools

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.export.onnx import export_onnx
from tests.export.nets import OPSETS, assert_same, data, exported, layer, make_net


def ssd_inputs(random, records, places, classes, locations, how):
    """Offsets, confidences and priors; `how` says what is special about them."""
    low = random.uniform(0, 0.7, (places, 2))
    priors = np.concatenate([low, low + random.uniform(0.05, 0.4, (places, 2))], 1)
    offsets = random.standard_normal((records, places, locations, 4)) * 0.5
    scores = random.dirichlet(np.ones(classes), (records, places))
    if how == "copies":  # every box stands there three times, with the same scores
        priors, offsets, scores = (
            np.repeat(part, 3, axis)[(slice(None),) * axis + (slice(places),)]
            for part, axis in ((priors, 0), (offsets, 1), (scores, 1))
        )
    elif how == "ties":
        scores = np.round(scores * 4) / 4
    elif how == "nothing":
        scores = scores * 0
    elif how == "turned":  # boxes that end before they start
        offsets = offsets * 4
    variances = np.tile([0.1, 0.1, 0.2, 0.2], (places, 1))
    return (
        offsets.reshape(records, -1),
        scores.reshape(records, -1),
        np.stack([priors, variances]).reshape(1, 2, -1),
    )


SSD = [
    "share_location: true code_type: CENTER_SIZE confidence_threshold: 0.2",
    "share_location: true code_type: CORNER keep_top_k: 7 nms_param { top_k: 5 }",
    "share_location: false code_type: CENTER_SIZE keep_top_k: 9 confidence_threshold: 0.1 nms_param { nms_threshold: 0.6 }",
    "share_location: false code_type: CORNER_SIZE background_label_id: -1 nms_param { top_k: 4 nms_threshold: 0 }",
    "code_type: CORNER_SIZE background_label_id: 2 variance_encoded_in_target: true confidence_threshold: 0.3 keep_top_k: 2",
    "code_type: CENTER_SIZE keep_top_k: 500 nms_param { top_k: 400 nms_threshold: 1.5 }",
]
KINDS = ["plain", "copies", "ties", "nothing", "turned"]


@pytest.mark.parametrize("text", SSD, ids=range(len(SSD)))
def test_detection_output(text, tmp_path):
    random = np.random.default_rng(3)
    places, classes = 13, 4
    locations = classes if "share_location: false" in text else 1
    shapes = [(2, places * locations * 4), (2, places * classes), (1, 2, places * 4)]
    text = f'type: "DetectionOutput" detection_output_param {{ num_classes: {classes} {text} }}'
    found = set()
    for opset in OPSETS:
        layer, session = exported(tmp_path, text, shapes, opset, dynamic_batch=True)
        for records, how in itertools.product((1, 2, 3), KINDS):
            found.add(
                assert_same(layer, session, ssd_inputs(random, records, places, classes, locations, how))
            )
    assert len(found) > 2


def test_detections_of_a_fixed_batch(tmp_path):
    text = 'type: "DetectionOutput" detection_output_param { num_classes: 3 keep_top_k: 4 nms_param { top_k: 6 } }'
    layer, session = exported(tmp_path, text, [(1, 28), (1, 21), (1, 2, 28)], dynamic_batch=False)
    random = np.random.default_rng(5)
    for how in KINDS:
        assert_same(layer, session, ssd_inputs(random, 1, 7, 3, 1, how))


def test_a_moving_threshold_has_no_form(tmp_path):
    text = 'type: "DetectionOutput" detection_output_param { num_classes: 3 nms_param { eta: 0.9 } }'
    with pytest.raises(LayerError, match="cannot be exported: nms_param.eta is 0.9"):
        exported(tmp_path, text, [(1, 28), (1, 21), (1, 2, 28)])


@pytest.mark.parametrize("opset", OPSETS)
def test_extended_detections(opset, tmp_path):
    text = """type: "DetectionOutputExtended" detection_output_param { num_classes: 2 keep_top_k: 5
        code_type: CENTER_SIZE confidence_threshold: 0.3 }"""
    layer, session = exported(tmp_path, text, [(1, 2, 3, 8), (1, 24), (1, 2, 48)], opset)
    random = np.random.default_rng(6)
    for how in KINDS:
        offsets, scores, priors = ssd_inputs(random, 1, 12, 2, 1, how)
        assert_same(layer, session, (offsets.reshape(1, 2, 3, 8), scores, priors))


YOLO2 = "biases: 1.5 biases: 2 biases: 0.5 biases: 3 num_classes: 3 num_box: 2 confidence_threshold: %g nms_threshold: 0.4"
YOLO3 = """num_classes: 3 num_box: 2 mask_group_num: 2 anchors_scale: 16 anchors_scale: 8 mask: 2 mask: 3 mask: 0 mask: 1
    biases: 10 biases: 13 biases: 16 biases: 30 biases: 33 biases: 23 biases: 30 biases: 61 nms_threshold: 0.4"""
YOLO = [
    ("YoloDetectionOutput", "yolo_detection_output_param", YOLO2 % 0.2, [(2, 16, 3, 5)]),
    ("YoloDetectionOutput", "yolo_detection_output_param", YOLO2 % 0.99, [(2, 16, 3, 5)]),
    ("Yolov3DetectionOutput", "yolov3_detection_output_param", YOLO3 + " confidence_threshold: 0.3",
     [(2, 16, 3, 2), (2, 16, 6, 4)]),
    ("Yolov3DetectionOutput", "yolov3_detection_output_param", YOLO3 + " confidence_threshold: 0.2 gaussian_box: true",
     [(2, 24, 3, 2), (2, 24, 6, 4)]),
]  # fmt: skip


@pytest.mark.parametrize("kind, message, text, shapes", YOLO, ids=range(len(YOLO)))
def test_yolo(kind, message, text, shapes, tmp_path):
    random = np.random.default_rng(7)
    for opset in OPSETS:
        layer, session = exported(
            tmp_path, f'type: "{kind}" {message} {{ {text} }}', shapes, opset, dynamic_batch=True
        )
        for records, scale in itertools.product((1, 2, 3), (0, 1, 2)):
            arrays = [random.standard_normal((records, *shape[1:])) * scale for shape in shapes]
            assert_same(layer, session, arrays)


def test_boxes_that_extreme_inputs_make_infinite(tmp_path):
    """exp of the convolutions' values overflows where the file is tried on extreme ones."""
    maps = layer("Convolution", "data", "map", "convolution_param { num_output: 16 kernel_size: 1 }")
    maps += layer(
        "Deconvolution", "data", "map2", "convolution_param { num_output: 16 kernel_size: 2 stride: 2 }"
    )
    text = f"yolov3_detection_output_param {{ {YOLO3} confidence_threshold: 0.2 }}"
    net = make_net(data(2, 3, 3, 2) + maps + layer("Yolov3DetectionOutput", "map map2", "found", text))
    random = np.random.default_rng(3)
    for blob in net.learned:
        blob.tensor.data.copy_(torch.from_numpy(random.standard_normal(blob.tensor.shape)))
    assert export_onnx(net, str(tmp_path / "net.onnx")).comparisons


PROPOSAL = """feat_stride: 8 base_size: 16 min_size: 12 ratio: 0.5 ratio: 1 scale: 1 scale: 2 pre_nms_topn: %d
    post_nms_topn: %d nms_thresh: 0.5"""


@pytest.mark.parametrize("before, after", [(50, 7), (6000, 300), (5, 2)])
@pytest.mark.parametrize("tops", [("y",), ("y", "score")])
def test_proposal(before, after, tops, tmp_path):
    random = np.random.default_rng(8)
    text = f'type: "Proposal" proposal_param {{ {PROPOSAL % (before, after)} }}'
    for opset in OPSETS:
        layer, session = exported(tmp_path, text, [(1, 8, 5, 6), (1, 16, 5, 6), (1, 3)], opset, tops)
        for ties in (False, True):
            scores = random.uniform(0, 1, (1, 8, 5, 6))
            scores = np.round(4 * scores) / 4 if ties else scores
            offsets = random.standard_normal((1, 16, 5, 6)) * 0.3
            assert_same(layer, session, (scores, offsets, [[40, 48, 1.5]]))


def test_proposals_of_pictures_of_any_size(tmp_path):
    text = f'type: "Proposal" proposal_param {{ {PROPOSAL % (50, 7)} }}'
    layer, session = exported(tmp_path, text, [(1, 8, 5, 6), (1, 16, 5, 6), (1, 3)], dynamic_size=True)
    random = np.random.default_rng(9)
    for height, width in ((5, 6), (3, 9), (8, 2)):
        scores = random.uniform(0, 1, (1, 8, height, width))
        offsets = random.standard_normal((1, 16, height, width)) * 0.3
        assert_same(layer, session, (scores, offsets, [[8 * height, 8 * width, 1]]))


@pytest.mark.parametrize("opset", OPSETS)
def test_reversed_axes(opset, tmp_path):
    x = np.random.default_rng(1).standard_normal((5, 2, 6, 3))
    for axis in range(4):
        layer, session = exported(
            tmp_path, f'type: "Reverse" reverse_param {{ axis: {axis} }}', [x.shape], opset
        )
        assert_same(layer, session, [x])
    for text in ("flip_width: true", "flip_height: true", "flip_width: true flip_height: true", ""):
        layer, session = exported(tmp_path, f'type: "Flip" flip_param {{ {text} }}', [x.shape], opset)
        assert_same(layer, session, [x])
