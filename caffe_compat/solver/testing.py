"""The tests of a solver: its test nets, which draw from random numbers of their own, and what they score.

Caffe: src/caffe/solver.cpp (TestAll, Test)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.net.random_state import State, Streams
from caffe_compat.proto import SolverParameter
from caffe_compat.solver import fields
from caffe_compat.solver.detections import Detections
from caffe_compat.solver.display import Display
from caffe_compat.solver.schedule import Schedule

_USER = 1 << 32  # whose random numbers those of the test nets are; replicas have the numbers from 0 on


class Testing:
    """Runs the test nets, tells the schedule what it watches, and logs the scores.

    Attributes:
        nets: the test nets.
        scores: what the last test found: an output's values, or means of them, by its name.
        diverged: how many of the last tests in a row had a loss that was not finite.
    """

    __test__ = False  # pytest

    def __init__(
        self, param: SolverParameter, nets: Iterable[Net], schedule: Schedule, log: Log, device: torch.device
    ):
        self._param = param
        self._schedule = schedule
        self._log = log
        self._random = Streams(device, [_USER])
        self.nets = list(nets)
        self.scores: dict[str, list[float]] = {}
        self.diverged = 0

    def due(self, iter: int) -> bool:
        """Whether the test nets run before this iteration."""
        interval = self._param.test_interval
        return bool(interval and iter % interval == 0 and (iter > 0 or self._param.test_initialization))

    def find_accuracy(self) -> None:
        """Find the output of the first test net that an lr_policy watches: its first Accuracy layer's.

        Raises SolverError if it has none.
        """
        for net in self.nets[:1]:
            for layer, tops in zip(net.layers, net.top_names, strict=True):
                if layer.is_accuracy and tops[0] in net.outputs:
                    self._accuracy = tops[0]
                    return
        fields.fail(
            self._param,
            f"lr_policy '{self._param.lr_policy}' watches the accuracy of tests, and "
            + ("the first test net has no Accuracy layer" if self.nets else "there is no test net")
            + "; give it one, or another lr_policy",
        )

    @property
    def random(self) -> State:
        """How the tests' random numbers stand."""
        return self._random.states[_USER]

    @random.setter
    def random(self, state: State) -> None:
        self._random.states[_USER] = state

    def own_random_numbers(self) -> AbstractContextManager[None]:
        """Within it torch draws for tests: other ranks do not test, and draw in training what this one draws there."""
        return self._random.of(_USER)

    def run(
        self, index: int, train_net: Net, iter: int, interrupted: Callable[[], bool], display: Display
    ) -> None:
        """Average the outputs of test net `index` over its test_iter batches and log them.

        `interrupted` is asked before every batch whether the test is to end without a result.
        """
        self._log.testing(iter, index)
        net, batches = self.nets[index], self._param.test_iter[index]
        net.share_trained_layers_with(train_net)
        total: Tensor | None = None
        shapes: dict[str, int] = {}
        detecting = self._param.eval_type == "detection"
        found = {name: Detections() for name in net.outputs if detecting}
        averaged = [name for name in net.outputs if not detecting]
        with torch.no_grad(), net.steady():
            for batch in range(batches):
                if interrupted():
                    self._log.test_interrupted()
                    return
                loss, outputs = net.forward()
                for name, detections in found.items():
                    detections.add(name, outputs[name])
                flat = torch.cat([loss.reshape(1)] + [outputs[name].reshape(-1) for name in averaged])
                if total is not None and len(flat) != len(total):
                    raise SolverError(
                        f"test net (#{index}): batch {batch} has {len(flat) - 1} output values and the one before "
                        f'{len(total) - 1}, which have no mean; for DetectionEvaluate set eval_type: "detection"'
                    )
                total = flat if total is None else total + flat
                shapes = {name: outputs[name].numel() for name in averaged}
                display.progress(iter, f"testing {batch + 1}/{batches}")
        if total is None:
            return
        net.verify()
        loss, *means = (total / batches).tolist()
        if self._param.test_compute_loss:
            self._log.test_loss(loss)
            self.diverged = 0 if math.isfinite(loss) else self.diverged + 1
        rows = self._mean_precisions(found)
        for name, count in shapes.items():
            rows.append((name, means[:count], net.output_weights[name]))
            means = means[count:]
        self.scores = {name: values for name, values, _ in rows}
        self._tell_schedule(index, loss)
        self._log.test_outputs(rows)

    def _tell_schedule(self, index: int, loss: float) -> None:
        watched = self._schedule.watches
        if watched == "accuracy" and index == 0:
            self._schedule.tested(self.scores[self._accuracy][0])
        if watched == "test loss" and index == self._param.monitor_test_id:
            self._schedule.tested(loss if self._param.test_compute_loss else 0.0)

    def _mean_precisions(self, found: dict[str, Detections]) -> list[tuple[str, list[float], float]]:
        """Of each output where anything was detected: its name, the mean over the classes, and no loss weight."""
        rows = []
        for name, detections in found.items():
            if not detections.any():
                continue
            by_class = detections.average_precisions(self._param.ap_version)
            for label, precision in by_class.items():
                if precision is None or self._param.show_per_class_result:
                    self._log.class_precision(label, precision)
            rows.append(
                (name, [sum(precision or 0.0 for precision in by_class.values()) / len(by_class)], 0.0)
            )
        return rows

    def diverges(self) -> bool:
        """Whether the last tests let the training end, as ctensmeyer/caffe's do; logs that."""
        ends = 0 < self._param.max_nonfinite_test_loss < self.diverged
        if ends:
            self._log.info(f"Detected {self.diverged} consecutive non-finite test losses")
        return ends
