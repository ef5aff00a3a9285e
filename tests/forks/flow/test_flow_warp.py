"""FlowWarp, Warp."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

IMAGE = (2, 3, 4, 5)
FLOW = draws((2, 2, 4, 5), 3) * 2.5
FLOW[0, :, 0, 0] = FLOW[1, :, 3, 4] = 0.25
FLOW[0, :, 1, 1] = -2.25  # outside
FLOW[0, 0, 2, 4], FLOW[0, 1, 2, 4] = 0.625, 0.5  # beyond the last column, before its end


def warped(beyond, outside):
    def formula(image, flow):
        n, _, height, width = image.shape
        top = np.full(image.shape, outside)
        for i, y, x in np.ndindex(n, height, width):
            at_x, at_y = x + flow[i, 0, y, x], y + flow[i, 1, y, x]
            if not (0 <= at_x < width and 0 <= at_y < height):
                continue
            if not beyond and (at_x > width - 1 or at_y > height - 1):
                continue
            left, above = int(at_x), int(at_y)
            a, b = at_x - left, at_y - above
            right, below = min(left + 1, width - 1), min(above + 1, height - 1)
            top[i, :, y, x] = (1 - b) * ((1 - a) * image[i, :, above, left] + a * image[i, :, above, right])
            top[i, :, y, x] += b * ((1 - a) * image[i, :, below, left] + a * image[i, :, below, right])
        return top

    return formula


CASES = [
    Case("flowwarp", 'type: "FlowWarp"', [IMAGE, FLOW], warped(True, 0.0)),
    Case(
        "flowwarp-nan",
        'type: "FlowWarp" flow_warp_param { fill_value: NOT_A_NUMBER }',
        [IMAGE, FLOW],
        warped(True, np.nan),
        gradient=(),
        onnx=False,
    ),
    Case("warp", 'type: "Warp"', [IMAGE, FLOW], warped(False, 0.0)),
]

ERRORS = [
    Error(
        'type: "FlowWarp"', [IMAGE, (2, 3, 4, 5)], r"has shape \(2, 3, 4, 5\) and must have \(2, 2, 4, 5\)"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
