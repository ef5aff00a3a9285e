"""PSROIPooling."""

import math

import numpy as np

from tests.forks.rcnn.roi import DATA, ROIS, away
from tests.layers.harness import Case, Error, cases, errors


def psroi_pooling(dim, group, scale):
    def formula(data, rois):
        _, _, height, width = data.shape
        top = np.zeros((len(rois), dim, group, group))
        for r, (record, x0, y0, x1, y1) in enumerate(rois):
            x0, y0, x1, y1 = (
                away(x0) * scale,
                away(y0) * scale,
                (away(x1) + 1) * scale,
                (away(y1) + 1) * scale,
            )
            for i in range(group):
                for j in range(group):
                    h, w = max(y1 - y0, 0.1) / group, max(x1 - x0, 0.1) / group
                    h0, h1 = (
                        min(max(v, 0), height) for v in (math.floor(i * h + y0), math.ceil((i + 1) * h + y0))
                    )
                    w0, w1 = (
                        min(max(v, 0), width) for v in (math.floor(j * w + x0), math.ceil((j + 1) * w + x0))
                    )
                    if h1 > h0 and w1 > w0:
                        channels = (np.arange(dim) * group + i) * group + j
                        top[r, :, i, j] = data[int(record), channels, h0:h1, w0:w1].mean((1, 2))
        return top

    return formula


PS = 'type: "PSROIPooling" psroi_pooling_param { output_dim: 3 group_size: 2 spatial_scale: 0.5 }'

CASES = [
    Case("position-sensitive", PS, [(2, 12, 3, 4), ROIS], psroi_pooling(3, 2, 0.5), gradient=(0,)),
]


ERRORS = [
    Error('type: "PSROIPooling"', [DATA, (4, 5)], "output_dim is 0 and group_size is 0"),
    Error(
        'type: "PSROIPooling" psroi_pooling_param { output_dim: 3 group_size: 2 }',
        [DATA, (4, 5)],
        "spatial_scale must be set",
    ),
    Error(PS, [DATA, (4, 5)], "has 3 channels, but output_dim 3 x group_size 2 x 2 is 12"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
