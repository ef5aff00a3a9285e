"""FocalLoss: the formula, its gradient, ignored labels and the normalizers."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

SCORES = (2, 3, 4, 5)
LABELS = np.arange(2 * 4 * 5).reshape(2, 4, 5) % 3
TEXT = 'type: "FocalLoss" %s'


def focal(alpha=0.25, gamma=2.0, ignore=None, divisor=None, axis=1, tops=1):
    def formula(x, label):
        x = np.moveaxis(x, axis, -1)
        p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
        right = np.take_along_axis(p, label.reshape(*p.shape[:-1], 1).astype(int).clip(0, 2), -1)[..., 0]
        counted = label.reshape(right.shape) != ignore
        loss = (-alpha * (1 - right) ** gamma * np.log(right))[counted].sum() / (divisor or counted.sum())
        return (loss, np.moveaxis(p, -1, axis)) if tops == 2 else loss

    return formula


GAPS = np.where(draws((2, 4, 5), 1) > 0.5, 255, LABELS)

CASES = [
    Case("focal", TEXT % "", [SCORES, LABELS], focal(), gradient=(0,)),
    Case(
        "alpha-gamma-axis",
        TEXT % "focal_loss_param { alpha: 0.5 gamma: 1.5 axis: 2 }",
        [(2, 4, 3, 5), LABELS],
        focal(0.5, 1.5, axis=2),
        gradient=(0,),
    ),
    Case(
        "ignored", TEXT % "loss_param { ignore_label: 255 }", [SCORES, GAPS], focal(ignore=255), gradient=(0,)
    ),
    Case(
        "by-batch",
        TEXT % "loss_param { normalize: false } focal_loss_param { gamma: 0 }",
        [SCORES, LABELS],
        focal(gamma=0.0, divisor=2),
        gradient=(0,),
    ),
    Case("probabilities", TEXT % "top: 'y' top: 'p'", [SCORES, LABELS], focal(tops=2), gradient=()),
]

ERRORS = [
    Error(TEXT % "", [SCORES, (2, 4, 4)], "has 40 predictions .* has 32 labels"),
    Error(TEXT % "focal_loss_param { axis: 4 }", [SCORES, (2, 4, 5)], "axis 4 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
