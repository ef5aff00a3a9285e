"""Which of Caffe's layer types read which message.

The classes of the layers know, but those who ask (the reader of caffemodels, the resolver, `--set`) go without torch;
a test holds this against the classes.
"""

_ALSO = {  # types that take a message of another name than their own
    "convolution_param": {"Deconvolution", "Im2col"},
    "loss_param": {"SoftmaxWithLoss", "SigmoidCrossEntropyLoss", "InfogainLoss", "MultinomialLogisticLoss"},
    "param": {
        "BatchNorm", "Bias", "Convolution", "Deconvolution", "Embed", "InnerProduct", "LSTM", "PReLU",
        "Parameter", "RNN", "Scale",
    },
    "recurrent_param": {"LSTM", "RNN"},
    "softmax_param": {"SoftmaxWithLoss"},
    "transform_param": {"Data", "ImageData", "WindowData", "MemoryData"},
}  # fmt: skip


def takes(layer_type: str, field: str) -> bool:
    """Whether `field` of LayerParameter is a message of this layer type: batch_norm_param is BatchNorm's."""
    own = field.replace("_", "") == layer_type.lower() + "param"
    return own or layer_type in _ALSO.get(field, ())


def shared(field: str) -> bool:
    """Whether `field` is a message of types that do not bear its name."""
    return field in _ALSO
