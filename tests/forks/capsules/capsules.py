"""What the tests of capsule layers share."""

import numpy as np

SHAPE = (2, 3, 4, 5)


def param(kind, message, fields):
    return f'type: "{kind}" {message} {{ {fields} }}'


def lengths(x, classes=3):
    return np.sqrt((x.reshape(len(x), classes, -1) ** 2).sum(2) + 1e-7)
