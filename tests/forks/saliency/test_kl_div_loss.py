"""KLDivLoss, NSSLoss."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

MAPS = np.random.default_rng(1).uniform(0.1, 2, (3, 1, 4, 5))
FIXATIONS = np.random.default_rng(2).uniform(0, 1, (3, 1, 4, 5)) * (MAPS > 0.7)
E = 1e-6


def divergence(x, target):
    total = 0.0
    for one, wanted in zip(x, target, strict=True):
        f, s = wanted / (wanted.sum() + E), one / (one.sum() + E)
        total += (f * np.log(f / (s + E) + E)).sum()
    return total / len(x)


def divergence_diffs(diffs, x, target):
    found = np.zeros_like(x)
    for n, (one, wanted) in enumerate(zip(x, target, strict=True)):
        f = wanted / (wanted.sum() + E)
        found[n] = -f * (one.sum() - one) / (one.sum() * one + E) / len(x)
    return (diffs[0] * found,)


def scanpath(x, target):
    return -sum((one * wanted).sum() / wanted.sum() for one, wanted in zip(x, target, strict=True)) / len(x)


KLD, NSS = 'type: "KLDivLoss"', 'type: "NSSLoss"'

CASES = [
    Case("divergence", KLD, [MAPS, FIXATIONS], divergence, diffs=divergence_diffs, gradient=(0,)),
    Case("scanpath", NSS, [(3, 1, 4, 5), FIXATIONS], scanpath, gradient=(0,)),
]

ERRORS = [
    Error(KLD, [(3, 2, 4, 5), (3, 2, 4, 5)], r"\(3, 2, 4, 5\) must be maps of one shape: N x 1 x H x W"),
    Error(NSS, [(3, 1, 4, 5), (3, 1, 5, 4)], r"bottom 1 of shape \(3, 1, 5, 4\) must be maps"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
