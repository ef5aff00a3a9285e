"""L1Loss and LpqLoss: value, both gradients, and those at 0 and NaN."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

SHAPE = (3, 4, 2)
NEAR = draws(SHAPE, 4)


def loss(a, b):
    return np.abs(a - b.reshape(a.shape)).sum() / len(a)


CASES = [
    Case("same-shape", 'type: "L1Loss"', [SHAPE, SHAPE], loss),
    Case("other-shape", 'type: "L1Loss"', [SHAPE, (3, 8)], loss),
    Case("equal", 'type: "L1Loss"', [NEAR, NEAR], loss, diffs=lambda d, a, b: (0 * a, 0 * b)),
]

CASES.append(Case("other-name", 'type: "ManhattanLoss"', [SHAPE, SHAPE], loss))

FLOW = (2, 3, 4, 5)
GAPS = draws(FLOW, 7)
GAPS[0, 1, 2, 3] = GAPS[1, 2, 0, 0] = np.nan


def flow(by_position=False, prescale=False, by_entries=False, epsilon=0.01, plateau=0.0):
    """lmb-freiburg/flownet2's L1Loss; one bottom is the difference."""

    def formula(a, b=0):
        d = a - b
        there = np.where(np.isnan(d), 0, 1)
        d = np.where(there, d, 0)
        n = there.sum() / d.shape[1] if by_entries else len(d)
        if not by_position:
            return np.where(np.abs(d) < plateau, 0, np.abs(d)).sum() / n
        s = (d**2).sum(1) / (d.shape[1] if prescale else 1)
        return np.sqrt(np.where(s < plateau**2, 0, s) + epsilon).sum() / n

    return formula


def lpq(p, q, p_epsilon=0.0, q_epsilon=0.01, prescale=False, by_entries=False):
    def formula(a, b=0):
        d = a - b
        there = np.where(np.isnan(d), 0, 1)
        d = np.abs(np.where(there, d, 0))
        n = there.sum() / d.shape[1] if by_entries else len(d)
        s = ((d + p_epsilon) ** p).sum(1) / (d.shape[1] if prescale else 1)
        return ((s + q_epsilon) ** q).sum() / n

    return formula


L1 = 'type: "L1Loss" l1_loss_param { %s }'
LPQ = 'type: "LpqLoss" lpq_loss_param { %s }'

CASES += [
    Case("flow", L1 % "", [FLOW, FLOW], flow()),
    Case("flow-one-bottom", 'type: "L1Loss"', [FLOW], flow()),
    Case(
        "flow-equal",
        L1 % "",
        [np.zeros(FLOW)],
        flow(),
        diffs=lambda d, a: (-d[0] * np.ones_like(a) / 2,),
    ),
    Case("flow-plateau", L1 % "plateau: 0.5", [FLOW, FLOW], flow(plateau=0.5)),
    Case(
        "flow-gaps", L1 % "normalize_by_num_entries: true", [FLOW, GAPS], flow(by_entries=True), gradient=(0,)
    ),
    Case(
        "flow-positions", L1 % "l2_per_location: true epsilon: 0.25", [FLOW, FLOW], flow(True, epsilon=0.25)
    ),
    Case(
        "flow-positions-plateau-gaps",
        L1 % "l2_per_location: true l2_prescale_by_channels: true plateau: 0.75 epsilon: 0.5",
        [FLOW, GAPS],
        flow(True, True, plateau=0.75, epsilon=0.5),
        gradient=(0,),
    ),
    Case("lpq", LPQ % "p: 1 q: 0.5 q_epsilon: 0.25", [FLOW, FLOW], lpq(1, 0.5, 0, 0.25)),
    Case(
        "lpq-gaps",
        LPQ
        % "p: 2 q: 0.5 p_epsilon: 0.125 q_epsilon: 0.25 l2_prescale_by_channels: true normalize_by_num_entries: true",
        [FLOW, GAPS],
        lpq(2, 0.5, 0.125, 0.25, True, True),
        gradient=(0,),
    ),
    Case("lpq-one-bottom", LPQ % "p: 1.5 q: 0.5 q_epsilon: 0.5", [FLOW], lpq(1.5, 0.5, 0, 0.5)),
]

ERRORS = [
    Error(L1 % "", [(2, 3)], r"bottom shape \(2, 3\) has 2 axes, 4 are needed"),
    Error(L1 % "", [FLOW, (2, 3, 4, 6)], "bottom 0 has shape .* and bottom 1 has .*; they must be equal"),
    Error(LPQ % "p: 1 p: 2 q: 1", [FLOW], "has 2 p and 1 q; give one of each"),
    Error('type: "L1Loss"', [SHAPE, (2, 4, 2)], "differ in their first dimension"),
    Error('type: "L1Loss"', [SHAPE, (3, 4)], r"has 8 values an item and bottom 1 of shape \(3, 4\) has 4"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
