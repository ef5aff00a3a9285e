"""Pictures with a label for every pixel, and layers over them."""

import numpy as np
import torch

from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from tests.layers.harness import TEST, layer_param

DENSE = 'type: "DenseImageData" dense_image_data_param { source: "list.txt" batch_size: %d %s }'
SEG = 'type: "ImageSegData" image_data_param { source: "list.txt" label_type: PIXEL batch_size: %d %s } %s'
HEIGHT, WIDTH = 5, 7


def plane(i):
    """Every pixel tells its picture and its place; labels are the same numbers."""
    return (40 * i + np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)).astype(np.uint8)


def make_unopened(text, top=2):
    """The layer, not set up: nothing is read."""
    tops = " ".join(f'top: "t{i}"' for i in range(top))
    return create_layer(layer_param(f"{tops} {text}", 0), TEST, Context(generator=torch.Generator()))
