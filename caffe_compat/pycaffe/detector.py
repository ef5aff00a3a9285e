"""Detector: a net that scores windows of pictures, as R-CNN does. Source: python/caffe/detector.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from caffe_compat.errors import CaffeError
from caffe_compat.proto import TEST
from caffe_compat.pycaffe import io
from caffe_compat.pycaffe.classifier import transformer
from caffe_compat.pycaffe.net import Net


class Detector(Net):
    """A net in the TEST phase that scores windows.

    Args:
        model_file, pretrained_file: the net's prototxt and its weights.
        mean, input_scale, raw_scale, channel_swap: what io.Transformer's methods of these names take.
        context_pad: how many pixels on each side of the net's input show what surrounds the window; where
            that is outside the picture, the mean is put.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> list[dict[str, Any]]:
        """Score windows.

        Args:
            images_windows: (picture's file name, its windows) pairs; a window is (ymin, xmin, ymax, xmax).

        Returns: for each window in turn {"window", "prediction": the net's first output, "filename"}.
        """
        detections = []
        inputs = []
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                inputs.append(self.transformer.preprocess(self.inputs[0], self.crop(image, window)))
                detections.append({"window": window, "filename": filename})
        if not inputs:
            return []
        predictions = self.forward_all(None, **{self.inputs[0]: np.stack(inputs)})[self.outputs[0]]
        for detection, prediction in zip(detections, predictions, strict=True):
            detection["prediction"] = prediction
        return detections

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Score the windows that selective search proposes; see `detect_windows`.

        Raises CaffeError without the module selective_search_ijcv_with_python (which needs MATLAB).
        """
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError as error:
            raise CaffeError(
                "selective search needs the module selective_search_ijcv_with_python "
                "(https://github.com/sergeyk/selective_search_ijcv_with_python); put it on PYTHONPATH, or find the "
                "windows in another way and call detect_windows"
            ) from error
        filenames = [os.path.abspath(name) for name in image_fnames]
        windows = selective_search.get_windows(filenames, cmd="selective_search_rcnn")
        return self.detect_windows(zip(filenames, windows, strict=True))

    def crop(self, im: np.ndarray, window: Sequence[float]) -> np.ndarray:
        """The window (ymin, xmin, ymax, xmax) of a (height, width, channels) picture.

        With context_pad: at the size of the net's input, surroundings included.
        """
        top, left, bottom, right = np.asarray(window, float)
        if not self.context_pad:
            return im[int(top) : int(bottom), int(left) : int(right)]
        size = self.blobs[self.inputs[0]].width  # the input is taken for a square
        scale = size / (size - 2 * self.context_pad)
        half = np.array([bottom - top + 1, right - left + 1]) / 2
        centre = np.array([top, left]) + half
        box = np.round(np.concatenate([centre - scale * half, centre + scale * half]))
        zoom = size / (box[2:] - box[:2] + 1)
        pad = np.round(np.maximum(0, -box[:2]) * zoom).astype(int)
        limits = np.tile(im.shape[:2], 2)
        inside = np.clip(box, 0, limits).astype(int)
        shown = np.minimum(np.round((inside[2:] - inside[:2] + 1) * zoom).astype(int), size - pad)
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean
        window_image = im[inside[0] : inside[2], inside[1] : inside[3]]
        if window_image.size == 0 or shown.min() < 1:
            raise ValueError(
                f"window {tuple(window)} has nothing of the {im.shape[0]} x {im.shape[1]} picture in it"
            )
        crop[pad[0] : pad[0] + shown[0], pad[1] : pad[1] + shown[1]] = io.resize_image(window_image, shown)
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much context windows get, and the picture-space mean that stands in for what is outside."""
        name = self.inputs[0]
        back = np.argsort(self.transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].data.shape[1:])[back]
        self.context_pad = context_pad
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean = np.zeros(self.crop_dims, np.float32)
            return
        mean = mean.transpose(back)
        if name in self.transformer.channel_swap:
            mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        self.crop_mean = mean / self.transformer.raw_scale.get(name, 1)
