"""SigmoidCrossEntropyBalanceLoss, and CASENet's two losses."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

EDGES = np.array([[1, 0, 0, 1, 0], [0, 0, 1, 0, 2]], float).reshape(2, 1, 5)


def balanced(x, target):
    total = 0.0
    for one, wanted in zip(x.reshape(len(x), -1), target.reshape(len(x), -1), strict=True):
        ones, zeros = (wanted == 1).sum(), (wanted == 0).sum()
        share = 1 / (1 + np.exp(-one))
        total -= np.log(share[wanted == 1]).sum() * zeros / (ones + zeros)
        total -= np.log(1 - share[wanted == 0]).sum() * ones / (ones + zeros)
    return total / len(x)


BALANCED = 'type: "SigmoidCrossEntropyBalanceLoss"'

CASES = [
    Case("balanced", BALANCED, [(2, 1, 5), EDGES], balanced, gradient=(0,)),
    Case("one-kind", BALANCED, [(2, 3), np.ones((2, 3))], lambda x, t: np.zeros(()), gradient=(0,)),
]


def casenet(reweighted):
    def formula(x, label):
        bits = label.astype(np.float32).view(np.int32)
        loss = 0.0
        for n in range(len(x)):
            counted = bits[n, -1] >= 0
            edge = (bits[n, : x.shape[1] // 32 + 1] != 0).any(0) & counted
            for c in range(x.shape[1]):
                t = bits[n, c // 32] >> (c % 32) & 1
                terms = np.logaddexp(0, x[n, c]) - t * x[n, c]
                share = edge.sum() / max(counted.sum(), 1)
                w = np.where(t, 1 - share, share) if reweighted else 1
                loss += (w * terms * counted).sum()
        return loss / len(x)

    return formula


BITS = np.array([0, 1, 4, 5, 3, 0, 7, 1 << 10, 2, 0, 0, 6], np.int32).reshape(2, 1, 2, 3)
BITS[0, 0, 1, 2] = -(2**31) + 5  # does not count
BITS = BITS.view(np.float32).astype(float)
MANY = np.concatenate([BITS, np.roll(BITS, 2, 3)], 1)
MULTI = 'type: "MultiChannel%sSigmoidCrossEntropyLoss"'

CASES += [
    Case("casenet", MULTI % "", [(2, 4, 2, 3), BITS], casenet(False), gradient=(0,)),
    Case("casenet-reweighted", MULTI % "Reweighted", [(2, 4, 2, 3), BITS], casenet(True), gradient=(0,)),
    Case("casenet-34", MULTI % "Reweighted", [(2, 34, 2, 3), MANY], casenet(True), gradient=(0,)),
    Case(
        "casenet-none",
        MULTI % "Reweighted",
        [(1, 2, 2, 3), -np.zeros((1, 1, 2, 3))],
        casenet(True),
        gradient=(0,),
    ),
]

ERRORS = [
    Error(MULTI % "", [(2, 32, 2, 3), (2, 1, 2, 3)], "one channel of bits for each 32 of 33"),
    Error(BALANCED, [(2, 3), (2, 4)], "has 6 values and bottom 1 .* has 8; give one target a value"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
