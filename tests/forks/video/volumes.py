"""Windows over volumes, and texts of layers over them."""

import itertools


def windows(shape, kernel, stride, pad, count):
    """For each window: its index, its slices in the padded bottom."""
    for index in itertools.product(*map(range, count)):
        yield index, tuple(slice(i * s, i * s + k) for i, s, k in zip(index, stride, kernel, strict=True))


def old(kind, fields):
    name = "pooling_param" if kind == "Pooling3D" else "convolution_param"
    return f'type: "{kind}" {name} {{ {fields} }}'


def new(kind, fields):
    return old(kind, fields).replace("convolution_", "convolution3d_").replace("pooling_", "pooling3d_")


def nd(kind, fields):
    name = {"NdConvolution": "convolution_param", "NdPooling": "pooling_param"}[kind]
    return f'type: "{kind}" {name} {{ {fields} }}'


def shape(name, *numbers):
    return f"{name}_shape {{ {' '.join(f'dim: {n}' for n in numbers)} }}"


VOLUME = (2, 3, 4, 5, 6)
