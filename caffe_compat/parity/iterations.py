"""Iterations of a bundle's solver made here, on the batches that Caffe had where the bundle has them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.layers.input import Input
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.learned import blob, learned, owner
from caffe_compat.proto import TRAINING_NETS, LayerParameter, SolverParameter
from caffe_compat.solver.solver import Solver


@dataclass
class Step:
    """What one iteration of ours gave; the arrays by `<layer>.<index>`."""

    lr: float
    loss: float
    gradients: dict[str, Tensor]
    before: dict[str, Tensor]
    after: dict[str, Tensor]


class Iterations:
    """What makes them.

    keys     `<layer>.<index>` of the learned blobs in the bundle
    values   what Caffe had in these before each iteration, and after the last
    inputs   the recorded batches, by blob
    missing  what could not be compared
    """

    def __init__(self, bundle: Bundle, replicas: int, missing: list[str]):
        self.bundle, self.replicas, self.missing = bundle, replicas, missing
        self.keys = bundle.names("w")
        self.values = {key: bundle.arrays[f"w.{key}"] for key in self.keys}
        self.inputs = {name: bundle.arrays[f"in.{name}"] for name in bundle.names("in")}

    def solver(self) -> Solver:
        """Our solver of the bundle, which makes no files, on the recorded batches where there are any."""
        param = SolverParameter()
        assert self.bundle.solver is not None  # of a bundle of this kind
        param.CopyFrom(self.bundle.solver)
        tests = any(self.bundle.names("test")) and not self.inputs
        cleared = ["snapshot", "display", "weights", "random_seed", *TRAINING_NETS]
        if tests and param.HasField("net"):
            cleared.remove("net")
        else:
            cleared += ["test_iter", "test_interval", "test_net", "test_net_param", "test_state"]
        for field in cleared:
            param.ClearField(field)
        param.snapshot_after_train = False
        if not param.HasField("net"):
            param.net_param.CopyFrom(self.bundle.net_param)
            param.net_param.state.Clear()
            if self.inputs:
                unknown = stand_in.replace(param.net_param, self._input_shapes, self.bundle.notes)
                self.missing += [f"iterations: layer '{name}': {why}" for name, why in unknown.items()]
        solver = Solver(param, root=self.bundle.root, replicas=self.replicas)
        start = self.bundle.weights
        if start:
            weights.copy_trained_layers_from(solver.net, start)
        if not self.inputs:
            for layer in solver.net.data_layers():
                layer.skip_batches(self.bundle.meta.get("batches_before", 0))
        return solver

    def _input_shapes(self, param: LayerParameter) -> list[tuple[int, ...]] | None:
        known = all(name in self.inputs for name in param.top)
        return [self.inputs[name].shape[1:] for name in param.top] if known else None

    def step(self, solver: Solver, k: int) -> Step:
        """Iteration k, the way Solver.step makes it."""
        net, forwards = solver.net, solver.param.iter_size
        before = self._blobs(net)
        net.clear_param_diffs()
        for number in range(forwards):
            self._serve(net, k * forwards + number)
            loss, _ = net.forward_backward()
        gradients = {}
        for key in self.keys:
            tensor = owner(net, key)
            gradients[key] = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.detach().clone()
        position = solver.schedule.current_step
        lr = solver.schedule.at(solver.iter).lr
        solver.schedule.current_step = position  # looking must not move multistep on
        solver.apply_update()
        return Step(lr, float(loss), gradients, before, self._blobs(net))

    def _serve(self, net: Net, number: int) -> None:
        """Put the recorded batch into the Input layers."""
        for layer in net.data_layers():
            if isinstance(layer, Input):
                layer.tops = [torch.from_numpy(self.inputs[name][number]) for name in layer.param.top]

    def _blobs(self, net: Net) -> dict[str, Tensor]:
        return {key: blob(net, key).detach().clone() for key in self.keys}

    def fits(self, net: Net, key: str) -> bool:
        blob = learned(net, key)
        return blob is not None and tuple(blob.shape) == self.values[key].shape[1:]
