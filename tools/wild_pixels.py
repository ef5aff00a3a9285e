"""Stand-ins of nets that label pixels."""

from __future__ import annotations

import re

from tools.wild_layers import Shape, Use, pictures_and_labels, stands_for

# shelhamer/fcn.berkeleyvision.org loads one picture at its own size, whatever that is.
stands_for(
    "voc_layers.VOCSegDataLayer",
    "voc_layers.SBDDSegDataLayer",
    "pascalcontext_layers.PASCALContextSegDataLayer",
)(pictures_and_labels(375, 500))
stands_for("ade_layers.AdeSegDataLayer")(pictures_and_labels(384, 512))  # CSAILVision/sceneparsing
stands_for("train_val.TRAINSegDataLayer", "train_val.VALSegDataLayer")(
    pictures_and_labels(500, 500)
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
