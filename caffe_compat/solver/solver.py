"""Solver: the training loop, in Caffe's order.

One iteration is: clear diffs, test if due, iter_size times forward and backward, display, update,
snapshot. Losses stay on the device until a line that shows them is printed.
"""

from __future__ import annotations

import base64
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from caffe_compat.errors import SolverError, from_where
from caffe_compat.layers.base import Context
from caffe_compat.log import names
from caffe_compat.log.write import INFO, NULL
from caffe_compat.net import weights
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import LearnedBlob, Net
from caffe_compat.net.random_state import State, Streams, get_state, seed_of, set_state
from caffe_compat.proto import (
    TEST,
    TRAIN,
    TRAINING_NETS,
    NetParameter,
    NetState,
    Phase,
    SolverParameter,
    fork_fields,
    text,
)
from caffe_compat.solver import fields, update_rules
from caffe_compat.solver.detections import Detections
from caffe_compat.solver.lr_policy import Schedule
from caffe_compat.solver.parallel import Group, Reducer
from caffe_compat.solver.state import (
    SolverStateFile,
    check_history,
    damaged_resume,
    find_learned_net,
    read_state,
    write_state,
)

NONE, STOP, SNAPSHOT = "none", "stop", "snapshot"  # what a signal may ask for
_REQUESTS = (NONE, SNAPSHOT, STOP)  # the stronger the later

_LOSS_FLOOR = 87.33654  # -log of the smallest float32: what SoftmaxWithLoss gives for scores that are NaN
_TESTS = 1 << 32  # whose random numbers those of the test nets are; replicas have the numbers from 0 on
_PENDING_LOSSES = 1000  # how many losses may wait on the device for the next displayed line


class Solver:
    """Train a net as a solver prototxt says.

    Args:
        param: an upgraded SolverParameter; it is not changed.
        root: folder that relative paths in the solver and its nets start from ("" is the working directory).
        device: where to train ("cpu", "cuda:0" ...).
        log: where Caffe's lines go.
        read_net: reads a net file given its resolved path and the log; the command line passes one that applies --set.
        replicas: how many data-parallel replicas to run, with the numbers that so many GPUs give: batch_size is
            each replica's, gradients are averaged, BatchNorm is each replica's own. 0 means one, or one a rank.
        rank: run this one of the replicas, while the caller sees to the others and to averaging the gradients.
        group: the ranks to share the replicas with; all of them make the same calls. None: run all replicas here.
        resume_data: "continue" lets a restored run go on at the record where the interrupted one stood;
            "restart" starts at record 0 as Caffe does.
        ignore_unknown: warn of fields of forks that nobody here acts on, instead of failing.
        execution: precision, memory layout and compilation of the nets; a function may choose them for the training
            net.
        generator: what fillers and data layers draw from where the solver has no random_seed; None: another each time.
        action: asked after every iteration and test batch what a signal wants: NONE, STOP or SNAPSHOT.

    Raises:
        SolverError: a field is missing, contradictory or out of range, or the snapshot prefix cannot be written.
        NetError, DataError: a net cannot be built.

    Attributes:
        net, test_nets: the training net and the test nets, which share its blobs by layer name.
        iter: updates done so far.
        rule: the update rule; `rule.history` is what a solverstate keeps.
    """

    def __init__(
        self,
        param: Any,
        *,
        root: str = "",
        device: Any = "cpu",
        log: Any = NULL,
        read_net: Callable[[str, Any], Any] = text.read_net,
        replicas: int = 0,
        rank: int | None = None,
        group: Group | None = None,
        resume_data: str = "continue",
        ignore_unknown: bool = False,
        execution: Execution | Callable[[Net], Execution] | None = None,
        generator: torch.Generator | None = None,
        action: Callable[[], str] = lambda: NONE,
    ):
        self.param = param
        self.root = root
        self.device = torch.device(device)
        self.group = group
        self.rank = group.rank if group else rank
        self.is_root = not self.rank
        self.log = log = log if self.is_root else NULL
        self.read_net = read_net
        ranks = group.size if group else 1
        self.replicas = replicas or ranks
        self.resume_data = resume_data
        self.ignore_unknown = ignore_unknown
        self.action = action
        self.iter = 0
        self._counted = False  # the iteration, before its update
        self.callbacks: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.requested_early_exit = False
        self._diverged_tests = 0  # the last ones in a row whose loss was not finite

        if log.level <= INFO:
            log.initializing_solver(text.to_text(param))
        fields.check(param, ignore_unknown, log.warn_once)
        if self.replicas % ranks:
            self.fail(
                f"{replicas} replicas cannot be shared evenly by {ranks} processes; use a multiple of {ranks}"
            )
        self.schedule = Schedule(param)
        processes = ranks if group or rank is None else self.replicas
        if self.schedule.watches and processes > 1:
            self.fail(
                f"lr_policy '{self.schedule.policy}' watches the {self.schedule.watches}, of which each of the {processes} "
                "processes has its own part or none; run one process, with as many replicas"
            )
        self.generator = self._seeded(generator)
        self._told: set[str] = set()
        self.net = self._train_net()
        self._test_random = Streams(self.device, [_TESTS])
        if self.net.mixing_layer and not self.net.in_turn:  # as this replica's stream, where all run in turn
            torch.manual_seed(seed_of(self.net.context.held[0]))
        of_blobs = (n for layer in self.net.layers for spec in layer.param.param for n in fork_fields(spec))
        self._refuse([f"param.{name}" for name in dict.fromkeys(of_blobs)])
        self.test_nets = self._test_nets()
        if param.snapshot:  # once there is data: without it nothing is written
            self._check_snapshot_prefix()
        self._accuracy = self._watched_accuracy() if self.schedule.watches == "accuracy" else ""
        self.rule = update_rules.create(
            param,
            [blob.tensor for blob in self.net.learned],
            [blob.lr_mult for blob in self.net.learned],
            [blob.decay_mult for blob in self.net.learned],
            keep_diff=param.snapshot_diff,
        )
        self._reducer: Reducer | None = None
        if group:
            group.broadcast([blob.tensor for blob in self.net.learned])
            turns = len(self.net.context.held) if self.net.in_turn else 1
            self._reducer = Reducer(
                group, [blob.tensor for blob in self.net.learned], param.iter_size * turns
            )
        self._snapshot_asked = False
        if execution:
            chosen = execution(self.net) if callable(execution) else execution
            self.net.execution = chosen
            for net in self.test_nets:  # one that may do without is not worth compiling for tests
                net.execution = replace(chosen, compile="off") if chosen.optional else chosen
            log.info(self.net.describe_execution())
        if self.replicas > 1:
            self._say_replicas()
        self._resumed_losses = False
        self._before_tests: dict[str, Any] | None = None  # while they run, or after they were interrupted
        self._forget_losses()
        self._displayed = (0, time.perf_counter())
        self._span = (0, param.max_iter)  # the iterations that the progress bar shows
        log.scaffolding_done()

    def _seeded(self, generator: torch.Generator | None) -> torch.Generator:
        """Where fillers and data layers draw from; torch's own generators, from which other layers draw, begin alike in
        all processes."""
        seed = self.param.random_seed
        if seed < 0:
            if generator is not None:
                return generator
            seed = torch.Generator().seed()
            if not self.group:
                return torch.Generator().manual_seed(seed)
            seed = self.group.same(seed)
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed)

    def _refuse(self, ignored: Sequence[str]) -> None:
        """Fail for fields of forks that nobody acts on, or warn of them, as ignore_unknown says."""
        if ignored:
            fields.refuse(self.param, ignored, self.ignore_unknown, self.log.warn_once)

    def fail(self, what: str) -> NoReturn:
        """Raise SolverError naming the solver file."""
        raise SolverError(f"{self.param.origin}: {what}" if self.param.origin else what)

    def path(self, path: str) -> str:
        """A path of the solver file, seen from `root`."""
        return os.path.join(self.root, names.file_name(path))

    def _say_replicas(self) -> None:
        sizes = {shape[0] for layer in self.net.data_layers() for shape in layer.reshape()[:1] if shape}
        size = max(sizes, default=0)
        place = "one device"
        if self.group:
            held = len(self.net.context.held)
            place = f"{self.group.size} processes ({self.group.backend}), {held} on each"
        elif self.rank is not None:
            place = f"{self.replicas} processes"
        self.log.info(
            f"{self.replicas} replicas on {place}: batch_size {size} each, {size * self.replicas} records a "
            "forward pass, gradients averaged, replica 0's BatchNorm statistics kept"
        )
        if self.param.debug_info and len(self.net.context.held) > 1:
            self.log.info(
                "debug_info is printed for the test nets only: the replicas of this process run as one"
            )
        if self.net.in_turn:
            self.log.info(
                f"layer {self.net.mixing_layer} mixes records, so the replicas run one after the other"
            )

    # -- building -----------------------------------------------------------------------------

    def _train_net(self) -> Net:
        given = fields.training_nets(self.param)
        if not given:
            self.fail(
                f"a solver names its training net in one of {', '.join(TRAINING_NETS)}; this one has none of them"
            )
        field = given[0]
        value = getattr(self.param, field)
        self.log.train_net(field, value if isinstance(value, str) else "")
        return self._build(self._net_param(value), TRAIN, self.param.train_state)

    def _test_nets(self) -> list[Net]:
        param = self.param
        sources = fields.test_sources(param)
        nets: list[Net] = []
        if not self.is_root:
            return nets
        for index, (field, value, net_param) in enumerate([(f, v, self._net_param(v)) for f, v in sources]):
            self.log.test_net(index, field, value if isinstance(value, str) else "")
            net = self._build(net_param, TEST, param.test_state[index] if param.test_state else None)
            net.debug_info = param.debug_info
            nets.append(net)
        return nets

    def _watched_accuracy(self) -> str:
        """The output of the first test net that lr_policy `stepearly` watches: its first Accuracy layer's."""
        for net in self.test_nets[:1]:
            for layer, tops in zip(net.layers, net.top_names, strict=True):
                if layer.is_accuracy and tops[0] in net.outputs:
                    return str(tops[0])
        self.fail(
            f"lr_policy '{self.param.lr_policy}' watches the accuracy of tests, and "
            + ("the first test net has no Accuracy layer" if self.test_nets else "there is no test net")
            + "; give it one, or another lr_policy"
        )

    def _net_param(self, source: Any) -> Any:
        """A copy of the net that a solver field gives: the name of a file, or the net itself."""
        net_param = NetParameter()
        if isinstance(source, str):
            net_param.CopyFrom(text.named_by(self.param, source, self.path(source), self.read_net, self.log))
        else:
            net_param.CopyFrom(source)
        return net_param

    def _build(self, net_param: Any, phase: int, state: Any) -> Net:
        """The net of a NetParameter, in the state that the solver's fields merge to."""
        merged = NetState(phase=phase)
        merged.MergeFrom(net_param.state)
        if state is not None:
            merged.MergeFrom(state)
        net_param.state.CopyFrom(merged)
        net = Net(
            net_param,
            context=Context(
                generator=self.generator,
                root=self.root,
                replicas=self.replicas if phase == TRAIN else 1,
                rank=self.rank,
                ranks=self.group.size if self.group else None,
                ignore_unknown=self.ignore_unknown,
                told=self._told,
            ),
            log=self.log,
            device=self.device,
        )
        if not net.layers:
            self.fail(
                f"the {Phase.Name(phase)} net has no layers; look at its file, and at the include and exclude rules in it"
            )
        for layer in net.data_layers():
            if layer.filled_by_caller and len(net.context.held) > 1:
                layer.fail(
                    f"is filled by the caller, which {self.replicas} replicas in one process cannot share; use a "
                    "layer that reads records, or one replica a process"
                )
        for entry in self.param.weights if self.is_root else ():
            for name in entry.split(","):
                self.log.finetuning(name.strip())
                if not os.path.exists(self.path(name.strip())):
                    self.fail(
                        f"weights '{name.strip()}': no such file{from_where(self.path(name.strip()))}; check the path"
                    )
                weights.copy_trained_layers_from(net, self.path(name.strip()))
        return net

    def _check_snapshot_prefix(self) -> None:
        if not self.is_root:
            return
        folder = os.path.dirname(self.path(self.param.snapshot_prefix)) or "."
        if not os.path.isdir(folder):
            reason = "there is no such folder"
        elif not os.access(folder, os.W_OK | os.X_OK):
            reason = "the folder is not writable"
        else:
            return
        self.fail(
            f"cannot write to snapshot prefix '{self.param.snapshot_prefix}': {reason}: {folder}. "
            "Make sure that the directory exists and is writable."
        )

    # -- training -----------------------------------------------------------------------------

    def solve(self, resume_file: str | None = None, iterations: int | None = None) -> None:
        """Train to max_iter (from a solverstate, if given), then the final snapshot, display and test.

        `iterations` ends the run after so many, on the same schedule.
        """
        if self.param.snapshot_after_train:
            self._check_snapshot_prefix()  # now, not when all the work is done
        self.log.solving(self.net.name, self.param.lr_policy)
        self.requested_early_exit = False
        if resume_file:
            self.log.restoring(resume_file)
            self.restore(resume_file)
        param = self.param
        left = param.max_iter - self.iter
        self.step(left if iterations is None else min(left, iterations))
        if param.snapshot_after_train and (not param.snapshot or self.iter % param.snapshot):
            self.snapshot()
        self.log.end_progress()
        if self.requested_early_exit:
            self.log.stopped_early()
            return
        if param.display and self.iter % param.display == 0:
            with torch.no_grad():
                loss, _ = self.net.forward()
            self._losses.append((self.iter, loss))
            self._smooth()
            self.log.iteration(self.iter, self.smoothed_loss)
        if param.test_interval and self.iter % param.test_interval == 0:
            self.test_all()
        self.log.optimization_done()

    def step(self, iters: int) -> None:
        """Do `iters` iterations, with the tests, lines and snapshots that fall due (Solver::Step)."""
        param = self.param
        if self._resumed_losses:
            self._resumed_losses = False
        else:
            self._forget_losses()
        self._before_tests = None
        # As Caffe's, which scripts that step by ones see: iterations since the last line, time since this call.
        self._displayed = (self._displayed[0], time.perf_counter())
        stop = self.iter + iters
        self._span = self.iter, stop
        while self.iter < stop:
            if self.schedule.ended:
                self.log.info("Stopping Training Early")
                break
            self.net.clear_param_diffs()
            if (
                param.test_interval
                and self.iter % param.test_interval == 0
                and (self.iter > 0 or param.test_initialization)
            ):
                self.test_all()
                if self.group:  # the others did not test, and wait here
                    self._ask(STOP if self.requested_early_exit else NONE)
                    self.requested_early_exit = self._answer() == STOP
                if self.requested_early_exit:
                    break
            for on_start, _ in self.callbacks:
                on_start()
            if self._reducer:
                self._ask(SNAPSHOT if self._snapshot_asked else self.action())
                self._snapshot_asked = False
                self._reducer.begin()
            display = bool(param.display) and self.iter % param.display == 0
            self.net.debug_info = display and param.debug_info
            losses = []
            for _ in range(param.iter_size):
                loss, outputs = self.net.forward_backward()
                losses.append(loss)
            self._losses.append((self.iter, sum(losses[1:], losses[0]) / param.iter_size))
            if len(self._losses) >= _PENDING_LOSSES:
                self._smooth()
            if display:
                self._display(outputs)
            if self._reducer:
                self._reducer.finish()
            for _, on_gradients_ready in self.callbacks:
                on_gradients_ready()
            self.apply_update()
            self.log.progress(self.iter, *self._span)

            request = self._answer() if self.group else self.action()
            if (param.snapshot and self.iter % param.snapshot == 0) or request == SNAPSHOT:
                self.snapshot()
            if request == STOP:
                self.requested_early_exit = True
                break

    def _ask(self, request: str) -> None:
        """Begin to agree with the other ranks on the strongest request of all; `_answer` returns it."""
        assert self.group
        self.group.ask(_REQUESTS.index(request))

    def _answer(self) -> str:
        assert self.group
        return _REQUESTS[self.group.answer()]

    def apply_update(self) -> None:
        """Update the learned blobs from their gradients and count the iteration (Solver::ApplyUpdate)."""
        step = self.schedule.current_step
        if self.schedule.watches == "loss":
            self._smooth()
            rates = self.schedule.at(self.iter, self.smoothed_loss)
        else:
            rates = self.schedule.at(self.iter)
        if self.schedule.policy == "multistep" and self.schedule.current_step != step:
            self.log.multistep(self.iter, self.schedule.current_step)
        display = bool(self.param.display) and self.iter % self.param.display == 0
        if display:
            cycling = (rates.momentum, rates.weight_decay) if self.schedule.cycles_momentum else (None, None)
            self.log.learning_rate(self.iter, rates.lr, *cycling)
        self.rule.apply(rates, self.iter)
        # Caffe prints every clipping; asking a GPU for the norm would make it wait, so there only when displayed.
        if self.rule.clip_norm is not None and (display or self.device.type == "cpu"):
            norm, limit = self.rule.clip_norm.item(), self.param.clip_gradients
            if norm > limit:
                self.log.gradient_clipping(norm, limit, limit / norm)
        if not self._counted:
            self.iter += 1
        self._counted = False

    def count_early(self) -> None:
        """Count the iteration before its update, which then does not."""
        self.iter += 1
        self._counted = True

    def _display(self, outputs: dict[str, Tensor]) -> None:
        self.net.verify()
        if not self.is_root:
            return
        self._smooth()
        since, began = self._displayed
        now = time.perf_counter()
        self.log.iteration(self.iter, self.smoothed_loss, self.iter - since, now - began, self.param.display)
        self._displayed = (self.iter, now)
        self.log.train_outputs(
            (name, value.reshape(-1).tolist(), self.net.output_weights[name])
            for name, value in outputs.items()
        )

    # -- the smoothed loss --------------------------------------------------------------------

    def _forget_losses(self) -> None:
        self._losses: list[tuple[int, Tensor]] = []
        self._ring: list[float] = []
        self._first_iter = self.iter
        self._resumed_losses = False
        self._warned_diverged = False
        self.smoothed_loss = 0.0

    def _smooth(self) -> None:
        """Fetch the losses that wait on the device and fold them in, as UpdateSmoothedLoss does one by one."""
        if not self._losses:
            return
        values = torch.stack([loss.detach() for _, loss in self._losses]).tolist()
        count = self.param.average_loss
        for (iteration, _), loss in zip(self._losses, values, strict=True):
            if len(self._ring) < count:
                self._ring.append(loss)
                size = len(self._ring)
                self.smoothed_loss = (self.smoothed_loss * (size - 1) + loss) / size
            else:
                index = (iteration - self._first_iter) % count
                self.smoothed_loss += (loss - self._ring[index]) / count
                self._ring[index] = loss
            if not self._warned_diverged and (not math.isfinite(loss) or abs(loss - _LOSS_FLOOR) < 1e-3):
                self._warned_diverged = True
                self.log.warning(
                    f"Iteration {iteration}: the loss is {loss:.6g}, so the net has diverged. Training goes on, as in "
                    "Caffe; a lower base_lr or max_lr, or clip_gradients, usually helps."
                )
        self._losses.clear()

    # -- testing ------------------------------------------------------------------------------

    def test_all(self) -> None:
        """Run every test net."""
        self._before_tests = self._position()
        # The other ranks do not test, and draw in training what this one draws there.
        with self._test_random.of(_TESTS):
            for index in range(len(self.test_nets)):
                if not self.requested_early_exit:
                    self.test(index)
        if not self.requested_early_exit:
            self._before_tests = None
        if 0 < self.param.max_nonfinite_test_loss < self._diverged_tests:  # ctensmeyer/caffe
            self.log.info(f"Detected {self._diverged_tests} consecutive non-finite test losses")
            self.requested_early_exit = True

    def test(self, index: int) -> None:
        """Average the outputs of test net `index` over its test_iter batches and print them (Solver::Test)."""
        self.log.testing(self.iter, index)
        net, batches = self.test_nets[index], self.param.test_iter[index]
        net.share_trained_layers_with(self.net)
        total: Tensor | None = None
        shapes: dict[str, int] = {}
        detecting = self.param.eval_type == "detection"
        found = {name: Detections() for name in net.outputs if detecting}
        averaged = [name for name in net.outputs if not detecting]
        for batch in range(batches):
            while (request := self.action()) != NONE:
                if request == SNAPSHOT and self.group:
                    self._snapshot_asked = True  # all ranks make one together, after the test
                elif request == SNAPSHOT:
                    self.snapshot()
                elif request == STOP:
                    self.requested_early_exit = True
                    break
            if self.requested_early_exit:
                self.log.test_interrupted()
                return
            with torch.no_grad():
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
            self.log.progress(self.iter, *self._span, f"testing {batch + 1}/{batches}")
        if total is None:
            return
        net.verify()
        loss, *means = (total / batches).tolist()
        if self.param.test_compute_loss:
            self.log.test_loss(loss)
            self._diverged_tests = 0 if math.isfinite(loss) else self._diverged_tests + 1
        rows = self._mean_precisions(found)
        for name, count in shapes.items():
            rows.append((name, means[:count], net.output_weights[name]))
            means = means[count:]
        self.test_scores = {name: values for name, values, _ in rows}
        if index == 0 and self.schedule.watches == "accuracy":
            self.schedule.tested(self.test_scores[self._accuracy][0])
        if index == self.param.monitor_test_id and self.schedule.watches == "test loss":
            self.schedule.tested(loss if self.param.test_compute_loss else 0.0)
        self.log.test_outputs(rows)

    def _mean_precisions(self, found: dict[str, Detections]) -> list[tuple[str, list[float], float]]:
        """Of each output where anything was detected: its name, the mean over the classes, and no loss weight."""
        rows = []
        for name, detections in found.items():
            if not detections.any():
                continue
            by_class = detections.average_precisions(self.param.ap_version)
            for label, precision in by_class.items():
                if precision is None or self.param.show_per_class_result:
                    self.log.class_precision(label, precision)
            rows.append(
                (name, [sum(precision or 0.0 for precision in by_class.values()) / len(by_class)], 0.0)
            )
        return rows

    # -- snapshots ----------------------------------------------------------------------------

    def snapshot(self) -> tuple[str, str]:
        """Write <prefix>_iter_<iter>.caffemodel and .solverstate; returns their paths as logged.

        Each is written aside and renamed, so a killed run leaves whole files only. In a group every rank makes
        this call, and rank 0 writes.

        Raises:
            SnapshotError: a file cannot be written (full disk ...); the last snapshot is untouched.
        """
        hdf5 = self.param.snapshot_format == SolverParameter.HDF5
        stem = f"{self.param.snapshot_prefix}_iter_{self.iter}"
        suffix = ".h5" if hdf5 else ""
        model, state = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
        resume = self._resume_state()
        current_step = resume.pop("current_step")
        if self.group:
            self.group.remember_snapshot(state)
        if not self.is_root:
            return model, state
        self.log.snapshot_model(model, hdf5)
        save = weights.save_hdf5 if hdf5 else weights.save
        save(self.net, self.path(model), diff=self.param.snapshot_diff)
        self.log.snapshot_state(state, hdf5)
        write_state(
            self.path(state),
            SolverStateFile(
                iter=self.iter,
                learned_net=model,
                current_step=current_step,
                history=[blob.detach().cpu().numpy() for blob in self.rule.history],
                resume=resume,
            ),
        )
        return model, state

    def restore(self, state_file: str) -> None:
        """Go on where a .solverstate (or .solverstate.h5) stands, written by Caffe or by this package.

        In a group every rank makes this call, and rank 0 reads.

        Raises:
            SnapshotError: the file is broken, of another net or solver type, or its caffemodel is gone.
        """
        path = self.path(state_file)
        if self.group is None:
            state = read_state(path)
        else:
            state = self.group.same(read_state(path) if self.is_root else None)
            self.group.remember_snapshot(state_file)
        check_history(
            state,
            path,
            [blob.shape for blob in self.rule.history],
            [self._blob_name(b) for b in self.net.learned],
        )
        if state.learned_net and self.is_root:
            model, note = find_learned_net(state, path, self.root)
            if note:
                self.log.info(note)
            weights.copy_trained_layers_from(self.net, model)
        if self.group:
            self.group.broadcast([blob.tensor for blob in self.net.learned])
        if not state_file.endswith(".h5"):
            self.log.restoring_history()
        self.rule.load_history(state.history)
        self.iter = state.iter
        self._displayed = (self.iter, time.perf_counter())
        self.schedule.current_step = state.current_step
        self._forget_losses()
        if self.resume_data == "restart":
            return
        if state.resume:
            try:
                self._set_resume_state(state.resume, path)
            except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                raise damaged_resume(path, f"{type(error).__name__}: {error}") from error
        else:
            self._skip_records()

    def _blob_name(self, blob: LearnedBlob) -> str:
        return f"{self.net.layer_names[blob.layer]}[{blob.index}]"

    def _nets(self) -> list[Net]:
        return [self.net, *self.test_nets]

    def _resume_state(self) -> dict[str, Any]:
        """What Caffe's solverstate lacks and an exact resume needs; JSON-able."""
        self._smooth()
        position = self._before_tests or self._position()
        return {
            "version": 1,
            "replicas": self.replicas,
            **position,
            "random": self._of_all_ranks(position["random"]),
            "losses": {"ring": self._ring, "smoothed": self.smoothed_loss, "first_iter": self._first_iter},
        }

    def _position(self) -> dict[str, Any]:
        """Where this rank stands, in what a test moves on too: a resumed run does an interrupted test again."""
        return {
            "current_step": self.schedule.current_step,
            "random": [_encoded(state) for state in self._random_states()],
            "test_random": _encoded(self._test_random.states[_TESTS]),
            "generator": _encode(self.generator.get_state()),
            "data": [[layer.get_state() for layer in net.data_layers()] for net in self._nets()],
            "watched": self.schedule.watched,
            "diverged_tests": self._diverged_tests,
        }

    def _random_states(self) -> list[State]:
        """How the random numbers of the training net stand: one for all its replicas, or each one's held here."""
        return list(self.net.streams.states.values()) if self.net.in_turn else [get_state(self.device)]

    def _of_all_ranks(self, states: list[Any]) -> list[Any]:
        """What the ranks return of `_random_states`: one for all, or each replica's in their order."""
        if self.group is None:
            return states
        gathered = self.group.gather(states)
        if not self.net.mixing_layer and all(theirs == states for theirs in gathered):
            return states
        return [state for turn in zip(*gathered, strict=True) for state in turn]

    def _set_random_states(self, states: list[State], path: str) -> None:
        net = self.net
        count, mine = net.context.processes, [self.rank or 0]
        if net.mixing_layer:
            count, mine = self.replicas, list(net.context.held)
        elif len(states) == 1:
            states = states * count
        if len(states) != count:
            self.log.info(
                f"{path} was written by another number of replicas or processes: Dropout and the like go on with "
                "other random numbers"
            )
        elif net.in_turn:
            net.streams.states = {replica: states[replica] for replica in mine}
        else:
            set_state(states[mine[0]], self.device)

    def _set_resume_state(self, state: dict[str, Any], path: str) -> None:
        if state["replicas"] != self.replicas:
            self.log.info(
                f"{path} was written with {state['replicas']} replicas and this run has {self.replicas}: an iteration "
                f"takes {self.replicas} x batch_size records from now on"
            )
        self._set_random_states([_decoded(random) for random in state["random"]], path)
        if "test_random" in state:
            self._test_random.states[_TESTS] = _decoded(state["test_random"])
        self.generator.set_state(_decode(state["generator"]))
        for net, layers in zip(self._nets(), state["data"], strict=False):
            for layer, saved in zip(net.data_layers(), layers, strict=False):
                layer.set_state(saved)
        losses = state["losses"]
        self._ring, self.smoothed_loss = list(losses["ring"]), losses["smoothed"]
        self._first_iter = losses["first_iter"]
        self._diverged_tests = state.get("diverged_tests", 0)
        if state.get("watched"):
            self.schedule.watched = state["watched"]
        self._resumed_losses = True

    def _skip_records(self) -> None:
        """A solverstate of Caffe's says no data position: go on at the record that its iteration implies."""
        param, done = self.param, self.iter
        batches = [done * param.iter_size]
        tests = 0
        if param.test_interval:
            tests = -(-done // param.test_interval) - (0 if param.test_initialization or not done else 1)
        batches += [tests * count for count in param.test_iter]
        for net, count in zip(self._nets(), batches, strict=False):  # only rank 0 has the test nets
            for layer in net.data_layers():
                layer.skip_batches(count)


def _encoded(state: State) -> dict[str, str]:
    return {device: _encode(tensor) for device, tensor in state.items()}


def _decoded(state: dict[str, str]) -> State:
    return {device: _decode(text) for device, text in state.items()}


def _encode(tensor: Tensor) -> str:
    return base64.b64encode(tensor.cpu().numpy().tobytes()).decode()


def _decode(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
