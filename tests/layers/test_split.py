"""Split: equal tops whose gradients add up."""

from tests.layers.harness import Case, cases, make

CASES = [
    Case("three", 'type: "Split" top: "a" top: "b" top: "c"', [(2, 3, 4)], lambda x: (x, x, x)),
    Case("one", 'type: "Split" top: "a"', [(2, 3, 4)], lambda x: x),
    Case(
        "diffs-add-up",
        'type: "Split" top: "a" top: "b"',
        [(3, 4)],
        lambda x: (x, x),
        diffs=lambda d, x: d[0] + d[1],
    ),
]

test_case = cases(CASES)


def test_refuses_in_place():
    assert not make('type: "Split" top: "a"', (3,)).in_place
