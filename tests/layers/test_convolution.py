"""Convolution and Deconvolution against a sum over kernel taps, in one to four spatial axes; refusals."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make


def taps(kernel, stride, dilation, sizes):
    """For each place in the kernel, the slices of the padded image it meets at all `sizes` positions."""
    for place in np.ndindex(*kernel):
        yield (
            place,
            tuple(
                slice(k * d, k * d + (n - 1) * s + 1, s)
                for k, d, n, s in zip(place, dilation, sizes, stride, strict=True)
            ),
        )


def window(axes, stride, pad, dilation):
    return [np.broadcast_to(v, (axes,)) for v in (stride, pad, dilation)]


def convolution(stride=1, pad=0, dilation=1, group=1, axis=1):
    def formula(x, weight, bias=None):
        lead = x.shape[:axis]
        x = x.reshape(-1, *x.shape[axis:])
        kernel = weight.shape[2:]
        s, p, d = window(len(kernel), stride, pad, dilation)
        x = np.pad(x, [(0, 0), (0, 0), *zip(p, p, strict=True)])
        room = [n - dd * (k - 1) - 1 for n, k, dd in zip(x.shape[2:], kernel, d, strict=True)]
        sizes = [int(r / ss) + 1 for r, ss in zip(room, s, strict=True)]  # cut off towards 0, as C does
        x = np.pad(x, [(0, 0), (0, 0), *((0, max(0, -r)) for r in room)])
        x = x.reshape(len(x), group, -1, *x.shape[2:])
        w = weight.reshape(group, -1, *weight.shape[1:])
        top = np.zeros((len(x), group, w.shape[1], *sizes))
        for place, where in taps(kernel, s, d, sizes):
            top += np.einsum("ngc...,goc->ngo...", x[(..., *where)], w[(..., *place)])
        top = top.reshape(len(x), -1, *sizes)
        top = top if bias is None else top + bias.reshape(-1, *[1] * len(kernel))
        return top.reshape(*lead, *top.shape[1:])

    return formula


def deconvolution(stride=1, pad=0, dilation=1, group=1):
    def formula(x, weight, bias=None):
        kernel = weight.shape[2:]
        s, p, d = window(len(kernel), stride, pad, dilation)
        sizes = x.shape[2:]
        whole = [ss * (n - 1) + dd * (k - 1) + 1 for n, k, ss, dd in zip(sizes, kernel, s, d, strict=True)]
        x = x.reshape(len(x), group, -1, *sizes)
        w = weight.reshape(group, -1, *weight.shape[1:])
        top = np.zeros((len(x), group, w.shape[2], *whole))
        for place, where in taps(kernel, s, d, sizes):
            top[(..., *where)] += np.einsum("ngc...,gco->ngo...", x, w[(..., *place)])
        top = top.reshape(len(x), -1, *whole)
        top = top[(..., *(slice(pp, n - pp) for pp, n in zip(p, whole, strict=True)))]
        return top if bias is None else top + bias.reshape(-1, *[1] * len(kernel))

    return formula


def conv(fields, kind="Convolution"):
    return f'type: "{kind}" convolution_param {{ num_output: 4 {fields} }}'


def deconv(fields):
    return conv(fields, "Deconvolution")


def pair(formula):
    return lambda a, b, *blobs: (formula(a, *blobs), formula(b, *blobs))


IMAGE = (2, 6, 7, 5)


def of_columns(x, weight, bias):
    """With the window of each position in the channels already."""
    group = 2
    parts = np.split(x, group, 1), np.split(weight.reshape(len(weight), -1), group)
    return np.concatenate(
        [np.einsum("nchw,oc->nohw", part, w) for part, w in zip(*parts, strict=True)], 1
    ) + bias.reshape(-1, 1, 1)


CASES = [
    Case(
        "columns", conv("kernel_size: 3 pad: 1 group: 2 bottom_is_im2col: true"), [(2, 36, 3, 5)], of_columns
    ),
    Case("plain", conv("kernel_size: 3"), [IMAGE], convolution()),
    Case("1x1", conv("kernel_size: 1 bias_term: false"), [IMAGE], convolution()),
    Case("stride-pad", conv("kernel_size: 3 stride: 2 pad: 1"), [IMAGE], convolution(2, 1)),
    Case(
        "two-dimensional-fields",
        conv("kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 2"),
        [IMAGE],
        convolution((3, 1), (0, 2)),
    ),
    Case(
        "once-an-axis",
        conv("kernel_size: 2 kernel_size: 3 stride: 3 stride: 1 pad: 0 pad: 2 dilation: 3 dilation: 1"),
        [IMAGE],
        convolution((3, 1), (0, 2), (3, 1)),
    ),
    Case("dilated", conv("kernel_size: 2 dilation: 3 pad: 1 engine: CAFFE"), [IMAGE], convolution(1, 1, 3)),
    Case("dilation-0", conv("kernel_size: 3 dilation: 0 stride: 2"), [IMAGE], convolution(2, 0, 0)),
    Case(
        "one-dilation-0", conv("kernel_size: 2 dilation: 2 dilation: 0"), [IMAGE], convolution(1, 0, (2, 0))
    ),
    Case("group", conv("kernel_size: 3 group: 2 force_nd_im2col: true"), [IMAGE], convolution(group=2)),
    Case("pad-above-kernel", conv("kernel_size: 1 pad: 3"), [IMAGE], convolution(pad=3)),
    Case("stride-leaves-a-rest", conv("kernel_size: 2 stride: 4"), [IMAGE], convolution(4)),
    Case(
        "window-past-the-end",  # of the last axis, 5 long, a window of 7 lies in part
        conv("kernel_size: 3 dilation: 3 stride: 3"),
        [(2, 3, 8, 5)],
        lambda x, w, b: convolution(3, 0, 3)(np.pad(x, [(0, 0), (0, 0), (0, 0), (0, 2)]), w, b),
    ),
    Case(
        "window-past-the-padding",
        conv("kernel_size: 6 pad: 1 stride: 2 axis: 0 group: 2"),
        [(4, 3)],
        lambda x, w, b: convolution(2, 0, 1, 2, 0)(np.pad(x, [(0, 0), (1, 2)]), w, b),
    ),
    Case("no-spatial-axis-no-kernel", conv(""), [(3, 6)], convolution()),
    Case("no-spatial-axis", conv("kernel_size: 9 group: 2"), [(3, 6)], convolution(group=2)),
    Case("1-d", conv("kernel_size: 3 stride: 2 pad: 1 dilation: 2"), [(2, 3, 8)], convolution(2, 1, 2)),
    Case(
        "3-d", conv("kernel_size: 2 stride: 2 pad: 1 group: 2"), [(2, 4, 3, 5, 3)], convolution(2, 1, group=2)
    ),
    Case(
        "4-d",
        conv(
            "kernel_size: 2 kernel_size: 1 kernel_size: 2 kernel_size: 3 stride: 2 pad: 1 dilation: 2 group: 2"
        ),
        [(1, 2, 3, 2, 4, 3)],
        convolution(2, 1, 2, 2),
    ),
    Case("axis-2", conv("kernel_size: 3 axis: 2"), [(2, 3, 4, 6, 5)], convolution(axis=2)),
    Case("axis-0", conv("kernel_size: 2 axis: 0"), [(3, 4, 5)], convolution(axis=0)),
    Case("axis-from-end", conv("kernel_size: 2 axis: -2"), [(3, 2, 5)], convolution(axis=1)),
    Case("two-bottoms", conv("kernel_size: 3") + 'top: "a" top: "b"', [IMAGE, IMAGE], pair(convolution())),
    Case("deconvolution", deconv("kernel_size: 3"), [(2, 6, 4, 5)], deconvolution()),
    Case("de-stride-pad", deconv("kernel_size: 3 stride: 2 pad: 1"), [(2, 6, 4, 5)], deconvolution(2, 1)),
    Case(
        "de-group",
        deconv("kernel_size: 3 stride: 2 group: 2 bias_term: false"),
        [(2, 6, 4, 3)],
        deconvolution(2, group=2),
    ),
    Case(
        "de-dilation-0",
        deconv("kernel_size: 2 dilation: 0 dilation: 1"),
        [(2, 3, 4, 5)],
        deconvolution(1, 0, (0, 1)),
    ),
    Case("de-dilated", deconv("kernel_size: 2 dilation: 3 pad: 1"), [(2, 3, 4, 5)], deconvolution(1, 1, 3)),
    Case(
        "de-pad-above-kernel", deconv("kernel_size: 2 pad: 2 stride: 3"), [(2, 3, 4, 5)], deconvolution(3, 2)
    ),
    Case("de-1-d", deconv("kernel_size: 3 stride: 2"), [(2, 3, 5)], deconvolution(2)),
    Case("de-3-d", deconv("kernel_size: 2 stride: 2 pad: 1"), [(1, 2, 3, 5, 2)], deconvolution(2, 1)),
    Case(
        "de-4-d",
        deconv(
            "kernel_size: 2 kernel_size: 1 kernel_size: 2 kernel_size: 3 stride: 2 pad: 1 dilation: 2 group: 2"
        ),
        [(1, 2, 3, 2, 2, 3)],
        deconvolution(2, 1, 2, 2),
    ),
    Case("de-no-spatial-axis", deconv("kernel_size: 9"), [(3, 6)], lambda x, w, b: x @ w + b),
    Case(
        "de-two-bottoms",
        deconv("kernel_size: 2") + 'top: "a" top: "b"',
        [(2, 3, 4, 5)] * 2,
        pair(deconvolution()),
    ),
]

KERNEL = "kernel_size: 3"
ERRORS = [
    Error(
        conv("kernel_size: 3 pad: 1 bottom_is_im2col: true"),
        [(2, 10, 3, 5)],
        "has 10 channels, with .* window's 9",
    ),
    Error(
        conv("kernel_size: 3 bottom_is_im2col: true"),
        [(2, 18, 4, 5)],
        r"gives a top of \(2, 3\) positions, with",
    ),
    Error(
        conv(""), [IMAGE], "kernel_size is given 0 times for 2 spatial axes; give it once, or once an axis"
    ),
    Error(conv(KERNEL * 3), [IMAGE], "kernel_size is given 3 times for 2 spatial axes"),
    Error(conv("kernel_size: 0"), [IMAGE], r"kernel_size is \(0, 0\), every number of it must be at least 1"),
    Error(conv("kernel_h: 3"), [IMAGE], r"kernel_size is \(3, 0\), every number"),
    Error(
        conv("kernel_h: 3 kernel_w: 3 kernel_size: 3"),
        [IMAGE],
        "kernel_size and kernel_h, kernel_w are both set",
    ),
    Error(
        conv("kernel_h: 3 kernel_w: 3"),
        [(2, 6, 7)],
        "kernel_h and kernel_w are for 2 spatial axes and there are 1",
    ),
    Error(conv(KERNEL + " stride: 0"), [IMAGE], r"stride is \(0, 0\), every number of it must be at least 1"),
    Error(conv(KERNEL + " stride_h: 2"), [IMAGE], r"stride is \(2, 0\), every number"),
    Error(
        conv(KERNEL + " stride_h: 2 stride_w: 1 stride: 1"),
        [IMAGE],
        "stride and stride_h, stride_w are both set",
    ),
    Error(conv(KERNEL + " stride: 1" * 3), [IMAGE], "stride is given 3 times for 2 spatial axes"),
    Error(conv(KERNEL + " pad_h: 1 pad_w: 1 pad: 1"), [IMAGE], "pad and pad_h, pad_w are both set"),
    Error(conv(KERNEL + " pad: 1" * 3), [IMAGE], "pad is given 3 times"),
    Error(
        conv(KERNEL + " pad_h: 1 pad_w: 1"),
        [(1, 2, 3, 4, 5)],
        "pad_h and pad_w are for 2 spatial axes and there are 3",
    ),
    Error(conv(KERNEL + " dilation: 1" * 3), [IMAGE], "dilation is given 3 times"),
    Error(conv(KERNEL + " stride: 0"), [IMAGE], r"stride is \(0, 0\), every number"),
    Error(
        'type: "Convolution" convolution_param { kernel_size: 3 }', [IMAGE], "num_output is 0, it must be set"
    ),
    Error(
        conv(KERNEL + " group: 5"), [IMAGE], r"group 5 must divide both the 6 channels .* and num_output 4"
    ),
    Error(
        conv(KERNEL + " group: 3"), [IMAGE], r"group 3 must divide both the 6 channels .* and num_output 4"
    ),
    Error(conv(KERNEL + " group: 0"), [IMAGE], "group 0 must divide"),
    Error(conv("kernel_size: 9 stride: 2"), [IMAGE], r"a top of spatial size \(0, -1\) with kernel"),
    Error(conv("kernel_size: 6"), [IMAGE], r"a top of spatial size \(2, 0\) with kernel \(6, 6\)"),
    Error(deconv("kernel_size: 1 pad: 3"), [IMAGE], r"a top of spatial size \(1, -1\)"),
    Error(conv(KERNEL + " axis: 4"), [IMAGE], "axis 4 is out of range"),
    Error(
        conv("kernel_size: 3") + 'top: "a" top: "b"',
        [IMAGE, (2, 6, 7, 6)],
        r"bottom 1 has shape \(2, 6, 7, 6\) and bottom 0 has \(2, 6, 7, 5\)",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_blobs():
    fillers = 'weight_filler { type: "xavier" } bias_filler { value: 2 }'
    layer = make(conv(f"kernel_h: 2 kernel_w: 3 group: 2 {fillers}"), IMAGE)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(4, 3, 2, 3), (4,)]
    assert layer.blobs[0].abs().max() > 0 and (layer.blobs[1] == 2).all()
    layer = make(deconv("kernel_h: 2 kernel_w: 3 group: 2"), IMAGE)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(6, 2, 2, 3), (4,)]
    assert (layer.blobs[0] == 0).all()  # no filler leaves zeros, as in Caffe


def test_input_may_grow_but_keeps_channels_and_axes():
    layer = make(conv("kernel_size: 3"), IMAGE)
    assert layer.reshape((9, 6, 4, 8)) == [(9, 4, 2, 6)]
    with pytest.raises(LayerError, match=r"\(2, 5, 7, 5\) has 5 channels, but the weights were made for 6"):
        layer.reshape((2, 5, 7, 5))
    with pytest.raises(LayerError, match=r"\(2, 6, 7\) has 3 axes, but the weights were made for 4"):
        layer.reshape((2, 6, 7))


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_random_sweep(kind):
    """Sizes, strides, pads, dilations and groups drawn at random agree with the sum over taps."""
    rng = np.random.default_rng(5)
    formula = {"Convolution": convolution, "Deconvolution": deconvolution}[kind]
    done = 0
    while done < 40:
        axes, group = int(rng.integers(1, 5)), int(rng.integers(1, 3))
        kernel, stride, dilation = (rng.integers(1, 4, axes).tolist() for _ in range(3))
        pad = rng.integers(0, 3, axes).tolist()
        shape = (int(rng.integers(1, 3)), 2 * group, *rng.integers(1, 6, axes).tolist())
        fields = " ".join(
            f"{name}: {n}"
            for name, values in [
                ("kernel_size", kernel),
                ("stride", stride),
                ("pad", pad),
                ("dilation", dilation),
            ]
            for n in values
        )
        try:
            layer = make(conv(f"{fields} group: {group} weight_filler {{ type: 'gaussian' }}", kind), shape)
        except LayerError as error:
            assert "a top of spatial size" in str(error)
            continue
        done += 1
        x = rng.standard_normal(shape)
        weight, bias = (blob.detach().numpy() for blob in layer.blobs)
        wanted = formula(stride, pad, dilation, group)(x, weight, bias)
        assert layer.reshape(shape) == [wanted.shape]
        np.testing.assert_allclose(layer(torch.from_numpy(x)).detach(), wanted, rtol=1e-9, atol=1e-9)


def test_columns_are_what_im2col_makes():
    text = conv("kernel_size: 3 pad: 2 dilation: 2 bottom_is_im2col: true")
    columns = make('type: "Im2col" ' + text.partition('"Convolution"')[2], IMAGE)
    layer, plain = (
        make(text, columns.reshape(IMAGE)[0]),
        make(text.replace("bottom_is_im2col: true", ""), IMAGE),
    )
    for ours, theirs in zip(layer.blobs.parameters(), plain.blobs.parameters(), strict=True):
        ours.data.copy_(torch.randn_like(ours))
        theirs.data.copy_(ours.data)
    x = torch.randn(IMAGE, dtype=torch.float64)
    torch.testing.assert_close(layer(columns(x)), plain(x))
