"""A log's losses before the first update beside those of the same nets, run here as they start."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from caffe_compat.errors import CaffeError
from caffe_compat.layers.base import Context
from caffe_compat.layers.input import Input
from caffe_compat.log.runs import RunLog
from caffe_compat.net import weights as weight_files
from caffe_compat.net.net import Net
from caffe_compat.parity import stand_in
from caffe_compat.parity.compare import PARTLY, Check, judged
from caffe_compat.proto import NetParameter, SolverParameter

LOSS_TOLERANCE = 2e-3  # of a start that has no chance in it
# Of a random start: losses of two draws differ, but a wrong normalisation is by the batch's size.
LOSS_FACTOR = 3.0
_HEAVY = 300_000_000  # bytes of tops from which on a net is not run for its first loss alone


@dataclass
class FirstLosses:
    """What is needed to begin a logged run here.

    params   whole net messages, by position in log.nets
    weights  the caffemodel that the run started from, or None
    root     where the paths in the nets start
    """

    log: RunLog
    solver: SolverParameter
    params: dict[int, NetParameter]
    weights: str | None
    root: str

    def checks(self) -> list[Check]:
        """Iteration 0 of the training net, and the tests before it where no chance is involved."""
        name, log = "loss at iteration 0", self.log
        row = log.train[0] if log.train else None
        if log.resumed_from or row is None or row.iteration or (row.loss is None and not row.outputs):
            return [Check(name, "", "the log has none")]
        index = next((i for i, net in enumerate(log.nets) if net.role == "train"), None)
        if index is None or index not in self.params:
            return [Check(name, "", "not run: the training net is not known wholly")]
        if log.weights and not self.weights:
            text = f"the run started from {', '.join(log.weights)}; give it with --weights FILE"
            return [Check(name, PARTLY, text)]
        try:
            net, certain, how = self._start(index)
            if net is None:
                return [Check(name, "", how)]
            # The loss shown is the mean over the passes, the outputs are the last one's.
            passes = self.solver.iter_size
            with torch.no_grad():
                results = [net.forward() for _ in range(passes)]
            total, outputs = sum(loss for loss, _ in results) / passes, results[-1][1]
        except CaffeError as error:
            return [Check(name, "", f"not run: {error}")]
        theirs = {key: value for key, value in row.outputs.items() if key in log.losses and key in outputs}
        ours = {key: float(outputs[key].sum()) for key in theirs}
        if not theirs and row.loss is not None:
            theirs, ours = {"loss": row.loss}, {"loss": float(total)}
        checks = [_losses(name, theirs, ours, certain, how)]
        if certain:
            checks += self._tests()
        return checks

    def _start(self, index: int) -> tuple[Net | None, bool, str]:
        """The net as it starts, whether nothing in it is random, and in words how it was fed."""
        param = self.params[index]
        problem = ""
        try:
            net = Net(param, context=Context(root=self.root))
        except CaffeError as error:
            problem = str(error)
            if (self.log.nets[index].memory or 0) > _HEAVY:
                return None, False, f"not run: too large to run on noise, and {problem}"
            shapes = {layer.name: layer.top_shapes for layer in self.log.nets[index].layers}
            stripped = NetParameter()
            stripped.CopyFrom(param)
            stand_in.replace(stripped, lambda layer: shapes.get(layer.name), [])
            net = Net(stripped, context=Context(), create=stand_in.create)
            if any(isinstance(layer, stand_in.Given) for layer in net.layers):
                return None, False, "not run: some of its layers are unknown"
            _fill_with_noise(net)
        if self.weights:
            weight_files.copy_trained_layers_from(net, self.weights)
        chance = any(layer.random_reason() for layer in net.layers)
        certain = bool(self.weights) and not problem and not chance
        how = "on the data" if not problem else "on noise, as the data are not here"
        return net, certain, how

    def _tests(self) -> list[Check]:
        checks = []
        for index, theirs in enumerate(self.log.nets):
            rows = [r for r in self.log.test if r.iteration == 0 and r.net == theirs.index]
            if theirs.role != "test" or not rows or index not in self.params:
                continue
            net, certain, how = self._start(index)
            if net is None or not certain:
                continue
            names = [key for key in rows[0].outputs if key in net.outputs]
            sums = dict.fromkeys(names, 0.0)
            batches = self.solver.test_iter[theirs.index]
            with torch.no_grad():
                for _ in range(batches):
                    _, outputs = net.forward()
                    for key in names:
                        sums[key] += float(outputs[key].sum()) / batches
            wanted = {key: rows[0].outputs[key] for key in names}
            checks.append(_losses(f"test (#{theirs.index}) at iteration 0", wanted, sums, True, how))
        return checks


def _losses(name: str, theirs: dict[str, float], ours: dict[str, float], certain: bool, how: str) -> Check:
    details, texts = [], []
    for key, value in theirs.items():
        our = ours[key]
        if certain:
            good = abs(our - value) <= LOSS_TOLERANCE * max(1e-3, abs(value))
        else:
            good = value == our or (value * our > 0 and 1 / LOSS_FACTOR <= our / value <= LOSS_FACTOR)
        texts.append(f"{key} {value:g} in the log, {our:g} here")
        if not good:
            bound = f"{LOSS_TOLERANCE:g} relative" if certain else f"a factor of {LOSS_FACTOR:g}"
            details.append(f"{key}: {value:g} in the log, ours {our:g}; allowed: {bound}")
    kind = "from the same weights" if certain else f"random start: within a factor of {LOSS_FACTOR:g}"
    return judged(name, details, f"{', '.join(texts)} ({how}; {kind})")


def _fill_with_noise(net: Net) -> None:
    """Unit noise in the Input layers, and class numbers where scores are judged."""
    origin: dict[str, str] = {}
    classes: dict[str, int] = {}
    for layer, bottoms, tops in zip(net.layers, net.bottom_names, net.top_names, strict=True):
        if layer.is_alias:
            origin.update(dict.fromkeys(tops, origin.get(bottoms[0], bottoms[0])))
        elif layer.label_bottom is not None and layer.label_bottom < len(bottoms):
            shape, labels = net.blob_shapes[bottoms[0]], bottoms[layer.label_bottom]
            classes[origin.get(labels, labels)] = shape[1] if len(shape) > 1 else 1
    generator = torch.Generator().manual_seed(1)
    for layer, tops in zip(net.layers, net.top_names, strict=True):
        if isinstance(layer, Input):
            layer.tops = [
                torch.randint(classes[top], net.blob_shapes[top], generator=generator).float()
                if top in classes
                else torch.randn(net.blob_shapes[top], generator=generator)
                for top in tops
            ]
