"""Shapes of what a collection of prototxt files does not hold: Python layers' code, and data.

A Python layer's code stands beside its prototxt, in its repository. What is here says only which shapes its tops
have, as the `setup` and `reshape` of that repository's class do; `stands_for` names the class. No number is computed.
"""

from __future__ import annotations

import ast
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

Shape = tuple[int, ...]
Shapes = Callable[["Use"], list[Shape]]

# What a source, a mean file or a list is named after tells the pictures' shape where no parameter does.
DATA_SETS: tuple[tuple[str, Shape], ...] = (
    ("mnist_siamese", (2, 28, 28)),  # Caffe's example puts a pair into the channels
    ("mnist", (1, 28, 28)),
    ("cifar", (3, 32, 32)),
    ("camvid|segnet", (3, 360, 480)),  # the SegNet tutorial's pictures, CamVid and SUN RGB-D
)
PICTURE = (3, 224, 224)  # of all others


def input_shape(param: Any, blob: str) -> Shape:
    """The shape of the pictures `blob` of a net, of which no parameter tells the size, by the name of their data."""
    layer = _maker(param, blob)
    messages = [value for field, value in layer.ListFields() if field.name.endswith("_param")]
    names = " ".join(getattr(message, name, "") for message in messages for name in ("source", "mean_file"))
    shape = next((shape for pattern, shape in DATA_SETS if re.search(pattern, names, re.IGNORECASE)), PICTURE)
    return (*_batch(layer), *shape)


def fit(param: Any, message: str, known: dict[str, Shape]) -> dict[str, Shape] | None:
    """The shape of data that no parameter tells, as the first layer that fails says it must be; None if none is.

    Such data are rows of HDF5 files, and pictures that are in `known` already. Labels take the shape of what a loss
    compares them with, as do pictures that are added to others; what is cut into slices is as long as they are.
    """
    match = re.search(r"layer '([^']*)' \((\w+)\): ", message)
    shapes = {int(index): _shape(text) for index, text in _BOTTOM.findall(message)}
    if match is None:
        return None
    failed = (item for item in param.layer if (item.name, item.type) == match.groups() and item.bottom)
    layer = next(failed, None)
    if layer is None:  # it makes data itself
        return None
    for index, blob in enumerate(layer.bottom):
        cut = next((item for item in param.layer if item.type == "Slice" and blob in item.top), None)
        if cut is not None and layer.type.endswith("Loss") and cut.bottom[0] in known:  # columns of labels
            fitting = {cut.bottom[0]: (*known[cut.bottom[0]][:1], _length(cut))}
            return fitting if fitting.items() - known.items() else None
        maker = _maker(param, blob)
        if maker is None or not (maker.type == "HDF5Data" or blob in known):
            continue
        first = known.get(maker.top[0], (*_batch(maker), *PICTURE))
        shape = _wanted(layer, index, shapes, first)
        if shape and shape != known.get(blob):
            return {blob: shape}
    return None


_BOTTOM = re.compile(r"bottom (\d) (?:of shape|has shape|has) (\([\d, ]*\))")


def _wanted(layer: Any, index: int, shapes: dict[int, Shape], first: Shape) -> Shape | None:
    """What shape bottom `index` of a layer that failed must have, given what its message says of the others.

    first: the shape of the first top of the data layer that makes it.
    """
    other = shapes.get(1 - index)
    if other and layer.type == "Eltwise":
        return other
    if other and index == 1 and layer.type in ("SoftmaxWithLoss", "Accuracy"):
        return (*other[:1], 1, *other[2:]) if len(other) > 2 else other[:1]
    if other and index == 1 and layer.type.endswith("Loss"):
        return other
    if other and index == 1 and layer.type == "GuidedDropout":
        return other
    if layer.type == "Slice":
        length = _length(layer)
        return (*first[:1], length, *PICTURE[1:]) if length % PICTURE[0] == 0 else (*first[:1], length)
    return first if index == 0 and layer.type in ("Convolution", "Flatten") else None


def _length(layer: Any) -> int:
    """How long the axis is that a Slice layer cuts, if its last piece is as long as the one before."""
    points = [0, *(layer.slice_param.slice_point or range(1, len(layer.top)))]
    return 2 * points[-1] - points[-2]


def _shape(text: str) -> Shape:
    return tuple(int(size) for size in re.findall(r"\d+", text))


def _maker(param: Any, blob: str) -> Any:
    """The data layer that makes a blob in the net's phase."""
    for layer in param.layer:
        wrong = any(rule.HasField("phase") and rule.phase != param.state.phase for rule in layer.include)
        if blob in layer.top and not layer.bottom and not wrong:
            return layer
    return None


def _batch(layer: Any) -> Shape:
    """(batch_size,), as one of a data layer's messages says it."""
    sizes = [
        getattr(value, "batch_size", 0)
        for field, value in layer.ListFields()
        if field.name.endswith("_param")
    ]
    return (max([1, *sizes]),)


class Use:
    """One use of a Python layer: its class, the shapes of its bottoms, its tops' names, its param_str, its place."""

    def __init__(
        self, name: str, bottom: Sequence[Shape], top: Sequence[str], text: str = "", where: str = ""
    ):
        self.name, self.bottom, self.top, self.text, self.where = name, list(bottom), list(top), text, where

    @property
    def repository(self) -> str:
        return next((part for part in self.where.split("/") if "+" in part), "")

    def number(self, name: str, default: int = 0) -> int:
        """A number of param_str, whether that is YAML, JSON or a dict of Python."""
        match = re.search(rf"{name}\W*?(\d+)", self.text)
        return int(match[1]) if match else default

    def numbers(self, name: str) -> list[int]:
        """A list of numbers of param_str."""
        match = re.search(rf"{name}\W*?([\[(][\d, ]*[\])])", self.text)
        return list(ast.literal_eval(match[1])) if match else []


_STAND_INS: dict[str, Shapes] = {}


def stands_for(*names: str) -> Callable[[Shapes], Shapes]:
    """Register the shapes of a Python class: `module.Class`, or `repository/module.Class` for one repository's."""

    def register(shapes: Shapes) -> Shapes:
        _STAND_INS.update(dict.fromkeys(names, shapes))
        return shapes

    return register


def modules() -> list[str]:
    """The modules that stand-ins are for."""
    return sorted({name.rpartition("/")[2].rpartition(".")[0] for name in _STAND_INS})


def provide(repository: str) -> None:
    """Put modules with the stand-ins for this repository's Python layers into `sys.modules`."""
    from caffe_compat.layers.python import PythonLayer

    for name in {name for module in modules() for name in parents(module)}:
        sys.modules.pop(name, None)
    for name, shapes in sorted(_STAND_INS.items(), key=lambda item: "/" in item[0]):  # its own ones win
        of, _, path = name.rpartition("/")
        if of in ("", repository):
            module, _, cls = path.rpartition(".")
            body = {"setup": lambda *_: None, "reshape": _reshape(shapes)}
            setattr(_module(module), cls, type(cls, (PythonLayer,), body))


def parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1) if parts[:i] != ["caffe"]]


def _module(name: str) -> Any:
    """The module of this name, made if it is not there, and its packages."""
    for path in parents(name):
        if path not in sys.modules:
            made = sys.modules[path] = types.ModuleType(path)
            made.__path__ = []  # type: ignore[attr-defined]
            parent, _, last = path.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, made)
    return sys.modules[name]


def _reshape(shapes: Shapes) -> Callable[..., None]:
    def reshape(self: Any, bottom: Any, top: Any) -> None:
        param = self.layer_param
        name = param.python_param.layer
        use = Use(name, [blob.shape for blob in bottom], param.top, self.param_str, param.origin)
        for blob, shape in zip(top, shapes(use), strict=False):
            blob.reshape(*shape)

    return reshape


# -- Common shapes -------------------------------------------------------------------------------


def _as_bottom(use: Use) -> list[Shape]:
    return [use.bottom[0]]


def _scalars(use: Use) -> list[Shape]:
    return [(1,)] * len(use.top)


def _pictures_and_labels(height: int, width: int) -> Shapes:
    return lambda use: [(1, 3, height, width), (1, 1, height, width)]


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


# -- Labels of pixels -----------------------------------------------------------------------------

# shelhamer/fcn.berkeleyvision.org loads one picture at its own size, whatever that is.
stands_for(
    "voc_layers.VOCSegDataLayer",
    "voc_layers.SBDDSegDataLayer",
    "pascalcontext_layers.PASCALContextSegDataLayer",
)(_pictures_and_labels(375, 500))
stands_for("ade_layers.AdeSegDataLayer")(_pictures_and_labels(384, 512))  # CSAILVision/sceneparsing
stands_for("train_val.TRAINSegDataLayer", "train_val.VALSegDataLayer")(
    _pictures_and_labels(500, 500)
)  # resized so


@stands_for("siftflow_layers.SIFTFlowSegDataLayer")
def _siftflow(use: Use) -> list[Shape]:
    return [(1, 3, 256, 256), (1, 1, 256, 256), (1, 1, 256, 256)]


@stands_for("nyud_layers.NYUDSegDataLayer")
def _nyud(use: Use) -> list[Shape]:
    """Its param_str says which tops, in their order."""
    channels = {"color": 3, "hha": 3, "depth": 1, "label": 1}
    return [
        (1, channels[name], 425, 560)
        for name in re.findall("color|hha|depth|label", use.text.partition("]")[0])
    ]


@stands_for("image_seg_data.ImageSegDataLayer")
def _image_seg(use: Use) -> list[Shape]:
    """soeaver/caffe-model"""
    batch, crop = use.number("batch_size", 1), use.number("crop_size", 473)
    return [(batch, 3, crop, crop), (batch, 1, crop, crop)]


@stands_for("picpac_data.PicPacDataLayer")
def _picpac(use: Use) -> list[Shape]:
    return [(16, 3, 400, 640), (16, 400, 640)]


@stands_for("pylayerUtils.DataLayer")
def _east(use: Use) -> list[Shape]:
    """SURFZJY/EAST-caffe: patches of 512, a score and five numbers of a box for each fourth pixel."""
    batch = use.number("batch_size")
    return [(batch, 3, 512, 512), (batch, 1, 128, 128), (batch, 5, 128, 128)]


# briqr/CSPN runs kolesman/SEC's pylayers: 20 classes and the background, in maps of 41 x 41.
@stands_for("pylayers.AnnotationLayer")
def _annotation(use: Use) -> list[Shape]:
    return [(use.bottom[0][0], 1, 1, 21), (use.bottom[0][0], 21, 41, 41)]


@stands_for("argmax_layer_CSPN.ArgmaxLayer")
def _argmax(use: Use) -> list[Shape]:
    number, _, height, width = use.bottom[0]
    return [(number, height, width)]


@stands_for("ordinal_decode_layer.OrdinalDecodeLayer")
def _ordinal(use: Use) -> list[Shape]:
    """hufu6371/DORN"""
    number, _, height, width = use.bottom[0]
    return [(number, 1, height, width)]


# -- Videos, faces, drawings, texts ---------------------------------------------------------------


@stands_for("sequence_input_layer.videoReadTrain_RGB", "sequence_input_layer.videoReadTest_RGB")
@stands_for("sequence_input_layer.videoReadTrain_flow", "sequence_input_layer.videoReadTest_flow")
def _clips(use: Use) -> list[Shape]:
    """LisaAnne/lisa-caffe-public: 24 clips of 16 frames in training, 3 of them in testing."""
    frames = 16 * (24 if "Train" in use.name else 3)
    return [(frames, 3, 227, 227), (frames,), (frames,)]


@stands_for(
    "DengPingFan+DAVSOD/sequence_input_layer.videoReadTrain_RGB",
    "DengPingFan+DAVSOD/sequence_input_layer.videoReadTest_RGB",
)
def _saliency_clips(use: Use) -> list[Shape]:
    size = (473, 473)
    return [(3, 3, *size), (3, 1, *size), (3, 1, *size), (3,)]


@stands_for("pythonLayer.Data_Layer_train")
def _faces(use: Use) -> list[Shape]:
    """BardeIl/FaceLandmark: pictures of 64 x 64 and five points."""
    return [(64, 3, 64, 64), (64, 10)]


@stands_for("pythonLayer.Data_Layer_test")
def _test_faces(use: Use) -> list[Shape]:
    return [(1, 3, 64, 64)]


@stands_for("layers.customDataLayer")
def _template_data(use: Use) -> list[Shape]:
    """gombru/pycaffeCNNTemplate"""
    batch = use.number("batch_size")
    return [(batch, 3, use.number("crop_w"), use.number("crop_h")), (batch, 1)]


@stands_for("CustomData.CustomData", "custom_interpolation_layer.custom_interpolation_layer")
def _given(use: Use) -> list[Shape]:
    """CLT29/OpenSALICON: the shape is the param_str."""
    return [tuple(int(size) for size in use.text.split(","))]


@stands_for("triplet_data.TripletDataLayer")
def _triplets(use: Use) -> list[Shape]:
    """TuBui/Triplet_Loss_SBIR"""
    return [(use.number("batch_size"), 1, *use.numbers("shape"))] * 3


@stands_for("srn_layers.TrainDataLayer", "srn_layers.TestDataLayer")
def _spectra(use: Use) -> list[Shape]:
    """YukangWang/Speaker-Recognition: one grey picture of any size, and its label."""
    return [(1, 1, 227, 227), (1, 1, 1)]


@stands_for("datalayer.DataLayer")
def _triplet_faces(use: Use) -> list[Shape]:
    """JoeFannie/tripletloss and ElaineBao/triplet-loss; batches of 30."""
    return [(30, 3, 224, 224), (30,)]


@stands_for("tripletselectlayer.TripletSelectLayer")
def _selected(use: Use) -> list[Shape]:
    number, channels, *_ = use.bottom[0]
    return [(number // 3, channels)] * 3


@stands_for("norm2layer.Norm2Layer")
def _norm2(use: Use) -> list[Shape]:
    return [use.bottom[0][:2]]


@stands_for("ds2_data_layer.DS2DataLayer")
def _speech(use: Use) -> list[Shape]:
    """ftian1/CaffeDeepSpeech2"""
    return [(20, 1, 161, 81), (20, 1, 100, 100), (1,), (1,)]


@stands_for("ds2_cont_filler_layer.DS2ContFillerLayer")
def _going_on(use: Use) -> list[Shape]:
    return [use.bottom[0][:2]]


@stands_for("CustomData.CustomData")
def _driven(use: Use) -> list[Shape]:
    """sunnycia/scripts and CWIC: the program puts the data in; param_str is their shape."""
    return [tuple(int(size) for size in use.text.split(","))]


@stands_for("CongWeilin+mtcnn-caffe/pythonLayer.Data_Layer_train")
def _windows(use: Use) -> list[Shape]:
    """A window's picture, class, box and landmarks."""
    side = use.number("net_side", 12)
    return [(64, 3, side, side), (64, 1), (64, 4), (64, 10)]


@stands_for("pythonLayer.cls_Layer_fc", "pythonLayer.cls_Layer")
def _valid(use: Use) -> list[Shape]:
    """Scores and labels of the windows that have a class."""
    return [(use.bottom[1][0], 2, 1, 1), (use.bottom[1][0], 1)]


@stands_for("dcDataLayer.DataRGBW")
def _mosaic(use: Use) -> list[Shape]:
    """carlosh93/learncfa: 24 x 24 patches of three colours and white, and their middles."""
    size = use.number("bsz", 128)
    return [(size, 4, 24, 24), (size, 3, 8, 8)]


@stands_for("sensor.Bayer", "sensor.CFZ14", "sensor.FLCFA", "sensor.LCFA")
def _sensed(use: Use) -> list[Shape]:
    return [(use.bottom[0][0], 1, 24, 24)]


@stands_for("data_switch.DataSwitchLayer")
def _switched(use: Use) -> list[Shape]:
    """lferrer/iccv2017"""
    return [(bottom[0], 3, 16, 112, 112) for bottom in use.bottom]


@stands_for("label_parse.LabelParseLayer", "label_split.LabelSplitLayer")
def _label_columns(use: Use) -> list[Shape]:
    return [(use.bottom[0][0], 1)] * len(use.top)


stands_for(
    "siamese.SiameseLabels",  # chenzhenhua986/siamese
    "l2norm_layer.L2NormLayer",  # Tushn/triplet
    "triplet.l2norm_layer.L2NormLayer",
    "mvn.MVNLayer",
    "spatial_dropout.SpatialDropoutLayer",  # TimoSaemann/ENet
    "pylayers.SoftmaxLayer",
    "projection_layer_CSPN.SimplexProjectionLayer",
    "pylayers.CRFLayer",
)(_as_bottom)

stands_for(
    "pyloss.EuclideanLossLayer",  # Caffe's own example
    *(
        f"pyloss.{name}" for name in ("L1", "SSIM", "MSSSIM", "MSSSIML1", "MSSSIML2")
    ),  # guanlongzhao/single-image-dehazing
    "custom_loss.KldLossLayer",
    "custom_loss.GBDLossLayer",
    "caffe.layers.detectnet.mean_ap.mAP",
    *(
        f"caffe.custom_layers.{name}_layer.{cls}Layer"
        for name, cls in (
            ("split_loss", "SplitLoss"),
            ("glob_push_loss", "GlobPushLoss"),
            ("local_push_loss", "LocalPushLoss"),
            ("center_loss", "CenterLoss"),
            ("push_loss", "PushLoss"),
            ("plain_center_loss", "PlainCenterLoss"),
            ("adaptive_weighting_loss", "AdaptiveWeightingLoss"),
        )
    ),
    "pyLayer.DiceLoss",  # V-Net's
    "cyclic_loss.CyclicLossLayer",
    "save_features.SaveFeaturesLayer",
    "ds2_ctc_loss_layer.DS2CtcLossLayer",
    "triplet_loss.TripletLossLayer0",
    "triplet_loss.TripletLossLayer1",
    "tripletlosslayer.TripletLayer",
    "pythonLayer.regression_Layer",
    "pylayerUtils.DiceCoefLossLayer",
    "pylayerUtils.RBoxLossLayer",
    "pylayers.SeedLossLayer",
    "softmax_loss_CSPN.ProjectionSoftmax",
    "pylayers.ExpandLossLayer",
    "pylayers.ConstrainLossLayer",
)(_scalars)


@stands_for("lhoangan+341n143/input_layer.PyDataLayer")
def _maps_of_many_kinds(use: Use) -> list[Shape]:
    """Optical flow, surface normals and scores or labels of classes, by the tops' names, and which picture it is."""
    batch, size = use.number("batch_size", 1), (480, 640)
    kinds = {"flow": 2, "norm": 3, "seg_gt": 1, "seg": 13 if "vkitti" in use.text else 15, "depth": 1}
    shapes: list[Shape] = []
    for top in use.top:
        channels = next((count for kind, count in kinds.items() if kind in top), 3)
        shapes.append((batch,) if top == "img_idx" else (batch, channels, *size))
    return shapes


@stands_for("JiajianZeng+caffe-face-attributes/rpn.roi_select_layer.RoISelectLayer")
def _a_region_a_class(use: Use) -> list[Shape]:
    return [(use.number("num_class", 2) - 1, 5)]


@stands_for("BrotherJing+CNN_tabletennis/cut_roi_layer.layer.CutROILayer")
def _a_box_a_map(use: Use) -> list[Shape]:
    return [(use.bottom[0][0], 4), (use.bottom[0][0],)]


@stands_for(
    "binzh93+face_attr_celebA/myDataLayer2.Data_Layer_train", "binzh93+face_attr_celebA/myDataLayer2.Data_Layer_validation",
    "binzh93+face_attr_celebA/myDataLayer3.Data_Layer_train", "binzh93+face_attr_celebA/myDataLayer3.Data_Layer_validation",
)  # fmt: skip
def _face_and_attributes(use: Use) -> list[Shape]:
    batch, side = use.number("batch_size", 1), use.number("im_size", 200)
    return [(batch, 3, side, side), *[(batch, 1)] * (len(use.top) - 1)]


stands_for(
    "JunhyeongBak+Caffe_Light_Field/input_shifting_layer.InputShiftingLayer",
    "JunhyeongBak+Caffe_Light_Field/warping_layer.WarpingLayer",
)(_as_bottom)

stands_for(
    "september618+cfa_final/rpn.pyloss.DivLossLayer", "PramuPerera+DeepOneClass/distance_layer.DistanceLayer"
)(_scalars)


@stands_for("ralpguler+DenseReg/CombineRegressions.CombineRegressionsLayer")
def _two_as_bottom(use: Use) -> list[Shape]:
    return [use.bottom[0]] * 2


@stands_for("september618+cfa_final/rpn.create_weights_label.WeightslabelLayer")
def _a_label_a_row(use: Use) -> list[Shape]:
    return [use.bottom[0][:1]]


@stands_for("liang23333+graduation_project/ImageLabelmapData.ImageLabelmapDataLayer")
def _picture_and_edges(use: Use) -> list[Shape]:
    return [(1, 3, 100, 100), (1, 1, 100, 100)]


@stands_for("huangdl007+pedestrian/rpn.filter_roi_layer.FilterRoiLayer")
def _some_regions(use: Use) -> list[Shape]:
    return [(1, 5, 1, 1)]
