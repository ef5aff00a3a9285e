"""Convolutions and inner products with coarse numbers."""

import numpy as np

PICTURES, ROWS = (2, 3, 5, 6), (3, 5)
REFUSED = "cannot be exported: its numbers are made coarse as it runs"


def convolved(x, weight, bias):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    top = np.zeros((2, 4, 5, 6)) + bias[:, None, None]
    for i, j in np.ndindex(3, 3):
        top += np.einsum("nchw,oc->nohw", x[:, :, i : i + 5, j : j + 6], weight[:, :, i, j])
    return top


def through(weights, before=None, after=None, bias_too=True):
    before, after = before or (lambda x: x), after or (lambda x: x)

    def formula(x, weight, bias=None):
        if bias is None:
            return after(before(x) @ weights(weight).T)
        return after(convolved(before(x), weights(weight), weights(bias) if bias_too else bias))

    return formula


def straight(of):
    """The coarse weights' gradients, in the place of what the steps of the coarse values have: none."""

    def diffs(d, x, weight, bias=None):
        if bias is None:
            return (d[0] @ of(weight),)
        grad, padded = np.zeros_like(x), np.pad(d[0], ((0, 0), (0, 0), (1, 1), (1, 1)))
        for i, j in np.ndindex(3, 3):
            part = padded[:, :, 2 - i : 7 - i, 2 - j : 8 - j]
            grad += np.einsum("nohw,oc->nchw", part, of(weight)[:, :, i, j])
        return (grad,)

    return diffs
