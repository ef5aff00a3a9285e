"""MaskResize."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors


def resized(height, width):
    """Point by point: as the fork's bilinear_interpolate."""

    def formula(x):
        tall, wide = x.shape[2:]
        top = np.zeros((*x.shape[:2], height, width))
        for i, j in np.ndindex(height, width):
            y, z = i * tall / height, j * wide / width
            if y > tall - 0.5 or z > wide - 0.5:
                continue
            y, z = min(y, tall - 1), min(z, wide - 1)
            y0, z0 = int(y), int(z)
            y1, z1 = min(y0 + 1, tall - 1), min(z0 + 1, wide - 1)
            a, b = y - y0, z - z0
            top[:, :, i, j] = (1 - a) * ((1 - b) * x[:, :, y0, z0] + b * x[:, :, y0, z1]) + a * (
                (1 - b) * x[:, :, y1, z0] + b * x[:, :, y1, z1]
            )
        return top

    return formula


RESIZE = 'type: "MaskResize" mask_resize_param { output_height: %d output_width: %d %s }'
CASES = [
    Case("smaller", RESIZE % (4, 3, ""), [(2, 3, 6, 7)], resized(4, 3)),
    Case("larger", RESIZE % (11, 8, ""), [(2, 3, 4, 5)], resized(11, 8)),
    Case("far-larger", RESIZE % (9, 25, ""), [(1, 2, 3, 4)], resized(9, 25)),  # the last points are 0
    Case("factors", RESIZE % (1, 1, "factor_height: 0.5 factor_width: 0.25"), [(2, 1, 7, 9)], resized(3, 2)),
    Case("one-factor", RESIZE % (1, 6, "factor_height: 0.5"), [(2, 1, 7, 9)], resized(3, 6)),
]
test_case = cases(CASES)


def test_the_last_points_are_zero():
    top = resized(9, 25)(draws((1, 2, 3, 4)))
    assert not top[..., 8, :].any() and top[..., 7, 0].all()


ERRORS = [
    Error('type: "MaskResize"', [(2, 3, 5, 4)], "output_height is 0 and output_width 0; both must be set"),
    Error(RESIZE % (2, 3, ""), [(2, 3, 5)], "has 3 axes, 4 are needed"),
    Error(
        RESIZE % (2, 3, "factor_width: 0.1"), [(2, 3, 5, 4)], "factor_width 0.1 leave 2 x 0 of bottom shape"
    ),
]
test_error = errors(ERRORS)
