"""Caffe's legacy accessors: blobs seen as num x channels x height x width."""

from caffe_compat.layers.base import Layer, Shape


def legacy_shape(layer: Layer, shape: Shape) -> tuple[int, int, int, int]:
    """`shape` with ones appended up to four axes.

    Raises LayerError in `layer`'s name for more than four (Blob::LegacyShape).
    """
    if len(shape) > 4:
        layer.fail(
            f"takes bottoms of at most 4 axes and got shape {shape}, which has {len(shape)}; reshape it first"
        )
    num, channels, height, width = (*shape, *(1,) * (4 - len(shape)))
    return num, channels, height, width
