"""Stand-ins of nets that find regions: py-faster-rcnn and what came of it, MNC, DetectNet, OpenVINO's toolbox."""

from __future__ import annotations

from tools.wild_layers import Shape, Use, stands_for

# -- py-faster-rcnn and what came of it ----------------------------------------------------------

_FOUR_AXES = (  # R-FCN's Python layers and those of its descendants give everything about regions four axes
    "YuwenXiong+py-R-FCN",
    "intel+caffe",
    "peteanderson80+bottom-up-attention",
    "soeaver+caffe-model",
    "Yuliang-Liu+Curve-Text-Detector",
)
_REGIONS = 128  # cfg.TRAIN.BATCH_SIZE


def _of_regions(use: Use, shapes: list[Shape]) -> list[Shape]:
    if use.repository not in _FOUR_AXES:
        return shapes
    return [(*shape, 1, 1, 1)[:4] for shape in shapes]


@stands_for("roi_data_layer.layer.RoIDataLayer")
def _roi_data(use: Use) -> list[Shape]:
    """One picture and its boxes, or two pictures (fast-rcnn) and regions with labels and targets.

    R-FCN's settings for its alternating training (cfg.TRAIN.AGNOSTIC) have targets of two classes.
    """
    if "rois" not in use.top:
        known = {"im_info": (1, 3), "gt_boxes": (1, 5), "gt_info": (1, 28), "im_idx": (1,)}
        return [(1, 3, 608, 1024), *(known.get(name, (1, 5)) for name in use.top[1:])]
    classes = 2 if "rfcn_alt_opt" in use.where else use.number("num_classes", 21)
    targets = [(_REGIONS, 4 * classes)] * 3
    return [(2, 3, 608, 1024), *_of_regions(use, [(_REGIONS, 5), (_REGIONS,), *targets])]


@stands_for(
    "rpn.proposal_layer.ProposalLayer",
    "lib.layers.proposal_layer.ProposalLayer",
    "SSH.layers.proposal_layer.ProposalLayer",
)
def _proposals(use: Use) -> list[Shape]:
    return [(1, 5), (1, 1, 1, 1)]


@stands_for("rpn.anchor_target_layer.AnchorTargetLayer", "SSH.layers.anchor_target_layer.AnchorTargetLayer")
@stands_for("pylayer.anchor_target_layer.AnchorTargetLayer")
def _anchor_targets(use: Use) -> list[Shape]:
    _, scores, height, width = use.bottom[0]
    boxes = (1, 2 * scores, height, width)
    return [(1, 1, scores // 2 * height, width), boxes, boxes, boxes]


@stands_for("rpn.proposal_target_layer.ProposalTargetLayer")
def _proposal_targets(use: Use) -> list[Shape]:
    """bottom-up-attention's has attributes and relations of the foreground regions, a quarter, beside."""
    targets = [(_REGIONS, 4 * use.number("num_classes", 21))] * 3
    front = _REGIONS // 4
    more = [(front, 16)] * bool(use.number("num_attr_classes")) + [(front**2,)] * bool(
        use.number("num_rel_classes")
    )
    return _of_regions(use, [(_REGIONS, 5), (_REGIONS,), *targets]) + more


@stands_for("rpn.proposal_fg_disHW_target_layer.ProposalFgDisHWTargetLayer")
def _curve_targets(use: Use) -> list[Shape]:
    """Yuliang-Liu/Curve-Text-Detector: 14 points of a curve beside the box, then the foreground regions."""
    classes = use.number("num_classes", 2)
    targets = [(_REGIONS, 4 * classes)] * 3 + [(_REGIONS, 16 * (classes - 1))] * 4
    return _of_regions(use, [(_REGIONS, 5), (_REGIONS,), *targets, (_REGIONS, 5)])


@stands_for("lib.layers.multi_layer_anchor_layer.MultiLayerAnchorLayer")
def _level_targets(use: Use) -> list[Shape]:
    """bairdzhang/smallhardface: four tops a level, for as many anchors as a level's scores have."""
    levels = sorted(set(use.numbers("source")))
    return [shape for level in levels for shape in _anchor_targets(Use("", [use.bottom[level]], []))]


# -- MNC ----------------------------------------------------------------------------------------


_MASK = (1, 21, 21)  # cfg.MASK_SIZE


@stands_for("pylayer.mnc_data_layer.MNCDataLayer")
def _mnc_data(use: Use) -> list[Shape]:
    return [(1, 3, 608, 1024), (1, 3), (1, 4), _MASK, (1, 3)][: len(use.top)]


@stands_for("pylayer.cfm_data_layer.CFMDataLayer")
def _cfm_data(use: Use) -> list[Shape]:
    boxes, mask = (1, 4 * use.number("num_classes", 21)), (1, *_MASK)
    return [(1, 3, 608, 1024), (1, 4), (1, 1, 14, 14), (1, 1), (1, 1), boxes, mask, boxes, boxes, mask]


@stands_for("pylayer.proposal_layer.ProposalLayer")
def _mnc_proposals(use: Use) -> list[Shape]:
    shapes: list[Shape] = [(1, 5), (1, 1)]
    return shapes[: len(use.top)]


@stands_for("pylayer.proposal_target_layer.ProposalTargetLayer")
def _mnc_targets(use: Use) -> list[Shape]:
    boxes, mask = (1, 4 * use.number("num_classes", 21)), (1, *_MASK)
    return [(1, 5), (1, 1), boxes, boxes, boxes, mask, mask, (1, 4), (1, 4), (1, 4)][: len(use.top)]


@stands_for("pylayer.mask_layer.MaskLayer")
def _masks(use: Use) -> list[Shape]:
    return [(1, *_MASK), (1, 1)][: len(use.top)]


@stands_for("pylayer.stage_bridge_layer.StageBridgeLayer")
def _bridge(use: Use) -> list[Shape]:
    boxes, mask = (1, 4 * use.number("num_classes", 21)), (1, *_MASK)
    return [(1, 5), (1, 1), mask, mask, (1, 4), boxes, boxes, boxes][: len(use.top)]


# -- DetectNet, OpenVINO's training toolbox -------------------------------------------------------


@stands_for(
    "caffe.layers.detectnet.clustering.ClusterGroundtruth",
    "caffe.layers.detectnet.clustering.ClusterDetections",
    "caffe.layers.detectnet.mean_ap.ScoreDetections",
)
def _detectnet_boxes(use: Use) -> list[Shape]:
    """NVIDIA/caffe: 50 boxes a picture, a top for each class."""
    return [(use.bottom[0][0], 50, 5)] * len(use.top)


@stands_for("caffe.custom_layers.data_layer.DataLayer")
def _toolbox_data(use: Use) -> list[Shape]:
    """The sizes are those of the data_config.json beside the net."""
    return [(4, 3, 400, 680), (1, 1, 1, 8)]


@stands_for("caffe.custom_layers.detections_matcher_layer.DetMatcherLayer")
def _matched(use: Use) -> list[Shape]:
    return [(1, 1, 1, 11), (1,)][: len(use.top)]


@stands_for("caffe.custom_layers.sampling_extractor_layer.SamplingExtractorLayer")
def _samples(use: Use) -> list[Shape]:
    return [(1, use.bottom[1][1]), (1,)]


@stands_for("caffe.custom_layers.schedule_scale_layer.ScheduledScaleLayer")
def _scaled(use: Use) -> list[Shape]:
    return [use.bottom[0], (1,)][: len(use.top)]


@stands_for("caffe.custom_layers.actions_detection_output_layer.ActionsDetectionOutputLayer")
def _actions(use: Use) -> list[Shape]:
    return [(1, 1, 1, 8)]
