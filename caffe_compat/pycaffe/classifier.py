"""Classifier: a net that says what is in a picture. Source: python/caffe/classifier.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.proto import TEST
from caffe_compat.pycaffe import io
from caffe_compat.pycaffe.net import Net


def transformer(
    net: Net,
    mean: np.ndarray | None = None,
    input_scale: float | None = None,
    raw_scale: float | None = None,
    channel_swap: Sequence[int] | None = None,
) -> io.Transformer:
    """The Transformer of a net's first input for (height, width, channels) pictures."""
    name = net.inputs[0]
    made = io.Transformer({name: net.blobs[name].data.shape})
    made.set_transpose(name, (2, 0, 1))
    if mean is not None:
        made.set_mean(name, mean)
    if input_scale is not None:
        made.set_input_scale(name, input_scale)
    if raw_scale is not None:
        made.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        made.set_channel_swap(name, channel_swap)
    return made


class Classifier(Net):
    """A net in the TEST phase with its preprocessing.

    Args:
        model_file, pretrained_file: the net's prototxt and its weights.
        image_dims: pictures are first resized to this (height, width), out of which crops are taken; by
            default the size of the net's input.
        mean, input_scale, raw_scale, channel_swap: what io.Transformer's methods of these names take.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.prepare(image_dims, mean, input_scale, raw_scale, channel_swap)

    def prepare(
        self,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        """Set the preprocessing; needed only by a Classifier that `over` made."""
        self.transformer = transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].data.shape[2:])
        self.image_dims: Sequence[int] | np.ndarray = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """The net's first output for each picture: (pictures, values).

        Args:
            inputs: (height, width, channels) pictures, as io.load_image gives them.
            oversample: average over ten crops (io.oversample); otherwise take the centre.
        """
        name = self.inputs[0]
        images = np.stack([io.resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            images = io.oversample(images, self.crop_dims)
        else:
            top, left = ((np.array(self.image_dims) - self.crop_dims) / 2).astype(int)
            height, width = self.crop_dims
            images = images[:, top : top + height, left : left + width]
        batch = np.stack([self.transformer.preprocess(name, image) for image in images])
        predictions = self.forward_all(None, **{name: batch})[self.outputs[0]]
        if oversample:
            predictions = predictions.reshape(len(inputs), 10, -1).mean(1)
        return predictions
