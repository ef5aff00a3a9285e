"""What a net that has learnt nothing scores, told from the log of a run.

A net that has died gives every input the same scores. Trained on, these become the shares of the classes: its loss
is then at most ln(classes), and its accuracy the share of the most frequent class.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import CaffeError
from caffe_compat.log.runs import LayerLog, NetLog, RunLog
from caffe_compat.proto import LayerParameter, LossParameter, NetParameter, text

_REPEATED = 3  # tests in a row of one accuracy
_SLACK = 0.95  # of the entropy: what a constant guess may reach on the records that happen to be tested
_BETTER = (
    0.7  # of the loss at the end: that a net has had is proof that there is more to learn than the guess
)
_SCATTER = 0.05  # of their mean: how far the losses of one guess lie apart


@dataclass
class Chance:
    """Scores of a net that has learnt nothing, as they are displayed; None where the log does not tell them."""

    train: float | None = None
    test: float | None = None
    accuracy: float | None = None
    classes: int | None = None


def of(run: RunLog, output: str = "") -> Chance:
    """What the nets of a log tell; `output` is the name of the accuracy that is judged."""
    found = Chance()
    for net in reversed(run.nets):
        look = _Net(net)
        if net.role == "train":
            found.train = look.loss(weighted=True)
        elif net.role == "test" and not net.index:
            found.test = look.loss(weighted=False)
            found.classes, guesses = look.accuracy(output)
            if found.classes:
                found.accuracy = min(1.0, guesses / found.classes)
    return found


def guess_share(accuracies: np.ndarray, losses: np.ndarray, train: np.ndarray, classes: int | None) -> float:
    """The accuracy of the constant guess that a net seems to make at some of its tests, or 0.

    Such a guess scores the share m of the most frequent class, and a loss of no less than m's entropy. It shows as one
    accuracy several tests in a row with hardly moving losses, or as losses at the end that are alike in training and
    test and were better before; of two classes the entropy alone gives it away.
    `train` are the smoothed training losses at the tests; NaN for losses that are not known.
    """
    guessed = _is_guess(accuracies, losses, train)
    found = 0.0
    for _, group in itertools.groupby(range(len(accuracies)), key=lambda i: accuracies[i]):
        at = list(group)
        if len(at) >= _REPEATED and guessed[at].all() and _scatter(losses[at]) <= _SCATTER:
            found = max(found, float(accuracies[at[0]]))
    tail = slice(-max(_REPEATED, len(accuracies) // 4), None)
    level, middle = float(np.mean(losses[tail])), float(np.mean(accuracies[tail]))
    fell_back = (
        np.min(losses) < _BETTER * level
        and _scatter(losses[tail]) <= 2 * _SCATTER
        and abs(np.mean(train[tail]) - level) <= 2 * _SCATTER * level
    )
    at_end = _is_guess(np.array([middle]), np.array([level]), np.array([np.mean(train[tail])]))
    if at_end.all() and (fell_back or (classes == 2 and middle > 0.5)):
        found = max(found, middle)
    return found


def _is_guess(accuracies: np.ndarray, losses: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Where the losses are no better than the entropy of a guess that is right so often."""
    share = np.clip(accuracies, 1e-9, 1 - 1e-9)
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    return (accuracies > 0) & (accuracies < 1) & (losses >= _SLACK * entropy) & ~(train < 0.9 * entropy)


def _scatter(values: np.ndarray) -> float:
    """The median distance of values from their median, as a share of that: single ones may be far off."""
    middle = np.median(values)
    return float(np.median(np.abs(values - middle)) / max(middle, 1e-9))


class _Net:
    """A net of a log: how its layers were set up, and what its echo says of them."""

    def __init__(self, net: NetLog):
        self._net = net
        self._params: dict[str, LayerParameter] = {}
        try:
            parsed = text.parse(net.parsable, NetParameter, "the log", True)
            self._params = {layer.name: layer for layer in parsed.layer}
        except CaffeError:
            pass  # a fork's net: its shapes are there all the same

    def _shapes(self, layer: LayerLog) -> list[tuple[int, ...]]:
        """The shapes of the bottoms of a layer."""
        made: dict[str, tuple[int, ...]] = {}
        for other in self._net.layers:
            if other is layer:
                break
            made.update(zip(other.tops, other.top_shapes, strict=False))
        return [made.get(bottom, ()) for bottom in layer.bottoms]

    def loss(self, weighted: bool) -> float | None:
        """The loss of a net that knows no more than the number of classes; a single one's weight only where `weighted`."""
        total, count = 0.0, 0
        layers = [layer for layer in self._net.layers if any(layer.loss_weights.values())]
        for layer in layers:
            value = self._one_loss(layer)
            if value is None:
                return None
            total += value * (layer.loss_weights.get(0, 1.0) if weighted or len(layers) > 1 else 1.0)
            count += 1
        return total if count else None

    def _one_loss(self, layer: LayerLog) -> float | None:
        param = self._params.get(layer.name)
        shapes = self._shapes(layer)
        if len(shapes) < 2 or len(shapes[0]) < 2:
            return None
        scores, labels = shapes[0], math.prod(shapes[1])
        positions = math.prod(scores) // scores[1]
        if param is not None and param.type == "SigmoidCrossEntropyLoss":
            mode = (
                param.loss_param.normalization
                if param.loss_param.HasField("normalization")
                else LossParameter.BATCH_SIZE
            )
            return math.log(2) * _times(mode, math.prod(scores), scores[0])
        if (
            (param is None or param.type in ("SoftmaxWithLoss", "MultinomialLogisticLoss"))
            and labels == positions
            and scores[1] > 1
        ):
            mode = param.loss_param.normalization if param else LossParameter.VALID
            if (
                param
                and param.loss_param.HasField("normalize")
                and not param.loss_param.HasField("normalization")
            ):
                mode = LossParameter.VALID if param.loss_param.normalize else LossParameter.BATCH_SIZE
            return math.log(scores[1]) * _times(mode, positions, scores[0])
        return None

    def accuracy(self, output: str) -> tuple[int | None, int]:
        """The classes of the Accuracy layer that makes `output`, and how many guesses it allows."""
        for layer in self._net.layers:
            param = self._params.get(layer.name)
            shapes = self._shapes(layer)
            if output in layer.tops and shapes and len(shapes[0]) > 1:
                axis = param.accuracy_param.axis if param else 1
                guesses = param.accuracy_param.top_k if param else 1
                return shapes[0][axis], guesses
        return None, 1


def _times(mode: int, positions: int, batch: int) -> float:
    """How often the loss of one position counts in the displayed loss."""
    if mode == LossParameter.NONE:
        return positions
    return positions / batch if mode == LossParameter.BATCH_SIZE else 1.0
