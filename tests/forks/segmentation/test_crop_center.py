"""CropCenter."""

from tests.layers.harness import Case, Error, cases, errors


def param(*sizes):
    return f'type: "CropCenter" crop_center_param {{ {" ".join(f"crop_size: {size}" for size in sizes)} }}'


CASES = [
    Case("maps", param(0, 0, 1, 2), [(2, 3, 4, 6)], lambda x: x[:, :, 1:-1, 2:-2]),
    Case("all", param(1, 1, 0, 2), [(3, 4, 2, 5)], lambda x: x[1:-1, 1:-1, :, 2:-2]),
    Case("nothing", param(0, 0), [(3, 4)], lambda x: x),
]
ERRORS = [
    Error(param(1, 1), [(2, 3, 4, 6)], r"2 crop_size for the 4 axes of bottom shape \(2, 3, 4, 6\)"),
    Error(
        param(0, 0, 2, 0), [(2, 3, 4, 6)], "crop_size 2 on axis 2 leaves nothing of its size 4; use at most 1"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
