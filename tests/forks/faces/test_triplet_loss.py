"""TripletLoss."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def of_three(margin):
    def formula(a, p, n, w=None):
        near, far = (((a - other) ** 2).reshape(len(a), -1).sum(1) for other in (p, n))
        return (np.maximum(near - far + margin, 0) * (1 if w is None else w.ravel())).sum() / (2 * len(a))

    return formula


THREE = 'type: "TripletLoss" %s'

CASES = [
    Case("triplet", THREE % "triplet_loss_param { margin: 0.5 }", [(4, 3)] * 3, of_three(0.5)),
    Case(
        "triplet-weights",
        THREE % "threshold_param { threshold: 2 }",
        [(4, 3, 2), (4, 3, 2), (4, 3, 2), np.array([1, 0.5, 2, 3]).reshape(4, 1, 1, 1)],
        of_three(2),
        gradient=(0, 1, 2),
    ),
]

ERRORS = [
    Error(
        THREE % "",
        [(4, 3)] * 3,
        "has neither triplet_loss_param nor threshold_param; set the margin in one",
    ),
    Error(
        THREE % "triplet_loss_param { margin: 1 mu: 2 }",
        [(4, 3)] * 3,
        "triplet_loss_param.mu is another fork's",
    ),
    Error(
        THREE % "threshold_param { }",
        [(4, 3), (4, 3), (4, 2)],
        r"shapes \(4, 3\), \(4, 3\) and \(4, 2\); they must",
    ),
    Error(
        THREE % "threshold_param { }",
        [(4, 3)] * 3 + [(3,)],
        "must have 4 values, a weight for each triplet",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
