"""Stand-ins of nets for videos, faces, drawings and texts."""

from __future__ import annotations

from tools.wild_layers import Shape, Use, as_bottom, scalars, stands_for


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
)(as_bottom)

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
)(scalars)


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
)(as_bottom)

stands_for(
    "september618+cfa_final/rpn.pyloss.DivLossLayer", "PramuPerera+DeepOneClass/distance_layer.DistanceLayer"
)(scalars)


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
