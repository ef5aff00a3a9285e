"""Reshape: copied, inferred, inserted and replaced dimensions."""

from tests.layers.harness import Case, Error, cases, errors, make


def param(fields):
    return f'type: "Reshape" reshape_param {{ {fields} }}'


def dims(*numbers):
    return "shape { " + " ".join(f"dim: {n}" for n in numbers) + " }"


def case(name, fields, bottom, top):
    return Case(name, param(fields), [bottom], lambda x: x.reshape(top))


CASES = [
    case("plain", dims(4, 6), (2, 3, 4), (4, 6)),
    case("copy", dims(0, 12), (2, 3, 4), (2, 12)),
    case("copy-all", dims(0, 0, 0), (2, 3, 4), (2, 3, 4)),
    case("infer", dims(0, -1, 2), (2, 3, 4), (2, 6, 2)),
    case("span", "axis: 1 num_axes: 2 " + dims(-1), (2, 3, 4, 5), (2, 12, 5)),
    case("span-copies-from-axis", "axis: 1 num_axes: 2 " + dims(0, 2, 2), (2, 3, 4, 5), (2, 3, 2, 2, 5)),
    case("insert", "axis: 1 num_axes: 0 " + dims(1), (2, 3, 4), (2, 1, 3, 4)),
    case("insert-at-end", "axis: -1 num_axes: 0 " + dims(1, 1), (2, 3), (2, 3, 1, 1)),
    case("last-two", "axis: -3 " + dims(20), (2, 3, 4, 5), (2, 3, 20)),
    case("remove", "axis: 1 num_axes: 1", (2, 1, 5), (2, 5)),
    case("infer-1", dims(2, 3, -1), (2, 3), (2, 3, 1)),
]

ERRORS = [
    Error(param(dims(-1, 2, -1)), [(2, 3, 4)], r"shape \[-1, 2, -1\] has 2 dims of -1"),
    Error(param(dims(-2, 3)), [(2, 3)], "shape has dim -2"),
    Error(
        param("axis: 3 " + dims(1)),
        [(2, 3)],
        r"axis 3 is out of range for bottom shape \(2, 3\); use -3 to 2",
    ),
    Error(param("axis: -4 " + dims(1)), [(2, 3)], "axis -4 is out of range"),
    Error(param("num_axes: -2 " + dims(6)), [(2, 3)], "num_axes is -2; use 0 or more, or -1"),
    Error(param("axis: 1 num_axes: 2 " + dims(6)), [(2, 3)], r"axis 1 \+ num_axes 2 = 3 is past the 2 axes"),
    Error(param(dims(2, 3, 0)), [(2, 3)], r"dim 2 of shape is 0, but bottom \(2, 3\) has no axis 2 to copy"),
    Error(
        param(dims(4, -1)), [(2, 3)], r"\(2, 3\) has 6 values, which the other dims of \(4, -1\), 4 together"
    ),
    Error(param(dims(4, 2)), [(2, 3)], r"\(2, 3\) has 6 values and top \(4, 2\) has 8"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_refuses_in_place():
    assert not make(param(dims(6)), (2, 3)).in_place
