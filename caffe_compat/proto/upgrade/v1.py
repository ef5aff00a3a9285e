"""V1: types are an enum; blobs_lr, weight_decay and param are lists; data layers hold their transformation."""

from caffe_compat.proto import LayerParameter, NetParameter, V1LayerParameter
from caffe_compat.proto.upgrade.common import copy, where

_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
    # forks, where the rule of _type does not hold
    "BN": "BN",
    "DEFORMABLECONVOLUTION": "DeformableConvolution",
    "ELU": "ELU",
    "LINEARTRANSFORM": "LinearTransform",
    "LOCALCONNECT": "LocalConnect",
    "MANUALCROP": "ManualCrop",
    "MCWINDOW_DATA": "MCWindowData",
    "NLU": "NLU",
    "PRELU": "PReLU",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "VOXEL_SOFTMAX_LOSS": "VoxelSoftmaxWithLoss",
}


# -- transformation fields of data layers ----------------------------------------------------------

_DATA_PARAMS = {
    V1LayerParameter.DATA: "data_param",
    V1LayerParameter.IMAGE_DATA: "image_data_param",
    V1LayerParameter.WINDOW_DATA: "window_data_param",
}
_TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")


def needs_transform(param: NetParameter) -> bool:
    return any(
        getattr(layer, _DATA_PARAMS[layer.type]).HasField(name)
        for layer in param.layers
        if layer.type in _DATA_PARAMS
        for name in _TRANSFORMS
    )


def move_transform(param: NetParameter) -> list[str]:
    for layer in param.layers:
        if layer.type in _DATA_PARAMS:
            data = getattr(layer, _DATA_PARAMS[layer.type])
            data.SetInParent()  # Caffe leaves both messages in every data layer, empty or not
            layer.transform_param.SetInParent()
            for name in _TRANSFORMS:
                if data.HasField(name):
                    copy(data, name, layer.transform_param, name)
                    data.ClearField(name)
    return []


# -- layers ---------------------------------------------------------------------------------------


def needed(param: NetParameter) -> bool:
    return len(param.layers) > 0


def apply(param: NetParameter) -> list[str]:
    problems = []
    for layer in param.layers:
        problems += _upgrade_layer(layer, param.layer.add())
    param.ClearField("layers")
    return problems


# A list of V1 and the ParamSpec field that its item i becomes.
_SPECS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}


def _type(name: str) -> str:
    """The type of today: VIDEO_DATA is VideoData."""
    return _TYPES.get(name, name.title().replace("_", ""))


def _upgrade_layer(old: V1LayerParameter, new: LayerParameter) -> list[str]:
    problems = []
    for field, value in old.ListFields():
        if field.name == "type":
            new.type = _type(V1LayerParameter.LayerType.Name(value))
        elif field.name in _SPECS:
            for i, item in enumerate(value):
                while len(new.param) <= i:
                    new.param.add()
                setattr(new.param[i], _SPECS[field.name], item)
        elif field.name == "layer":
            problems.append(
                f"{where(old, old.name, V1LayerParameter.LayerType.Name(old.type))}: the V0 layer inside is dropped"
            )
        else:
            copy(old, field.name, new, field.name)
    return problems
