"""Solver: the training loop, in Caffe's order.

One iteration is: clear diffs, test if due, iter_size times forward and backward, display, update,
snapshot. What the loop works with has files of its own: nets, display, testing, snapshot, resume.

Caffe: src/caffe/solver.cpp
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from caffe_compat.log.write import INFO, NULL, Log
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter, SolverParameter, text
from caffe_compat.proto.text import Reader
from caffe_compat.solver import fields
from caffe_compat.solver.display import Display, SmoothedLoss
from caffe_compat.solver.nets import Builder, say_replicas, seeded
from caffe_compat.solver.parallel import Group
from caffe_compat.solver.recorded_update import RecordedUpdate
from caffe_compat.solver.reducer import Reducer
from caffe_compat.solver.resume import Resume
from caffe_compat.solver.schedule import Schedule
from caffe_compat.solver.snapshot import Snapshots, check_prefix
from caffe_compat.solver.testing import Testing
from caffe_compat.solver.update import UpdateRule

NONE, STOP, SNAPSHOT = "none", "stop", "snapshot"  # what a signal may ask for
_REQUESTS = (NONE, SNAPSHOT, STOP)  # the stronger the later


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
        snapshots: writes and reads solverstates, and knows the last one.
        callbacks: pairs of what is called before an iteration's first forward, and before its update.
    """

    def __init__(
        self,
        param: SolverParameter,
        *,
        root: str = "",
        device: torch.device | str = "cpu",
        log: Log = NULL,
        read_net: Callable[[str, Log], NetParameter] = text.read_net,
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
        rank = group.rank if group else rank
        self.is_root = not rank
        self.log = log = log if self.is_root else NULL
        ranks = group.size if group else 1
        replicas = replicas or ranks
        self.resume_data = resume_data
        self.action = action
        self.iter = 0
        self._counted = False  # the iteration, before its update
        self.callbacks: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.requested_early_exit = False

        if log.level <= INFO:
            log.initializing_solver(text.to_text(param))
        fields.check(param, ignore_unknown, log.warn_once)
        if replicas % ranks:
            fields.fail(
                param,
                f"{replicas} replicas cannot be shared evenly by {ranks} processes; use a multiple of {ranks}",
            )
        self.schedule = Schedule(param)
        self.schedule.check_processes(ranks if group or rank is None else replicas)
        generator = seeded(param.random_seed, generator, group)
        reader = Reader(root, ignore_unknown, log)
        builder = Builder(param, reader, self.device, read_net, generator, replicas, rank, group)
        self.net = builder.train()
        self.testing = Testing(param, builder.tests(), self.schedule, log, self.device)
        if param.snapshot and self.is_root:  # once there is data: without it nothing is written
            check_prefix(param, root)
        if self.schedule.watches == "accuracy":
            self.testing.find_accuracy()
        blobs = [blob.tensor for blob in self.net.learned]
        self.rule = UpdateRule(
            param,
            blobs,
            [blob.lr_mult for blob in self.net.learned],
            [blob.decay_mult for blob in self.net.learned],
            keep_diff=param.snapshot_diff,
        )
        self._update = RecordedUpdate(self.rule, self.net, log)
        self._reducer: Reducer | None = None
        if group:
            group.broadcast(blobs)
            turns = len(self.net.context.held) if self.net.in_turn else 1
            self._reducer = Reducer(group, blobs, param.iter_size * turns, self.net.without_gradient)
        self._snapshot_asked = False
        if execution:
            self._execute(execution(self.net) if callable(execution) else execution)
        if replicas > 1:
            say_replicas(self.net, param, group, log)
        losses = self._losses = SmoothedLoss(param.average_loss, log)
        self._display = Display(param, self.net, self._losses, log, self.is_root)
        self._resume = Resume(param, self.net, self.testing, self.schedule, losses, generator, group, log)
        self.snapshots = Snapshots(param, root, self.net, self.rule, self._resume, group, log)
        log.scaffolding_done()

    def _execute(self, chosen: Execution) -> None:
        self.net.execution = chosen
        for net in self.test_nets:  # one that may do without is not worth compiling for tests
            net.execution = replace(chosen, compile="off") if chosen.optional else chosen
        self.log.info(self.net.describe_execution())
        if faster := chosen.faster(self.device):
            self.log.info(faster)

    @property
    def test_nets(self) -> list[Net]:
        return self.testing.nets

    @property
    def test_scores(self) -> dict[str, list[float]]:
        """What the last test found: an output's values, or means of them, by its name."""
        return self.testing.scores

    @property
    def smoothed_loss(self) -> float:
        """The mean of the last average_loss losses, of those displayed so far."""
        return self._losses.value

    # -- training -----------------------------------------------------------------------------

    def solve(self, resume_file: str | None = None, iterations: int | None = None) -> None:
        """Train to max_iter (from a solverstate, if given), then the final snapshot, display and test.

        `iterations` ends the run after so many, on the same schedule.
        """
        param = self.param
        if param.snapshot_after_train and self.is_root:
            check_prefix(param, self.root)  # now, not when all the work is done
        self.log.solving(self.net.name, param.lr_policy)
        self.requested_early_exit = False
        if resume_file:
            self.log.restoring(resume_file)
            self.restore(resume_file)
        left = param.max_iter - self.iter
        self.step(left if iterations is None else min(left, iterations))
        if param.snapshot_after_train and (not param.snapshot or self.iter % param.snapshot):
            self.snapshot()
        self.log.end_progress()
        if self.requested_early_exit:
            self.log.stopped_early()
            return
        if self._display.due(self.iter):
            with torch.no_grad():
                loss, _ = self.net.forward()
            self._losses.add(self.iter, loss)
            self.log.iteration(self.iter, self._losses.fetch())
        if param.test_interval and self.iter % param.test_interval == 0:
            self.test_all()
        self.log.optimization_done()

    def step(self, iters: int) -> None:
        """Do `iters` iterations, with the tests, lines and snapshots that fall due (Solver::Step)."""
        param, display = self.param, self._display
        self._losses.begin(self.iter)
        self._resume.release()
        stop = self.iter + iters
        display.begin(self.iter, stop)
        while self.iter < stop:
            if self.schedule.ended:
                self.log.info("Stopping Training Early")
                break
            self.net.clear_param_diffs()
            if self.testing.due(self.iter):
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
            shown = display.due(self.iter)
            self.net.debug_info = shown and param.debug_info
            losses = []
            for _ in range(param.iter_size):
                loss, outputs = self.net.forward_backward()
                losses.append(loss)
            self._losses.add(self.iter, sum(losses[1:], losses[0]) / param.iter_size)
            if shown:
                display.iteration(self.iter, outputs)
            if self._reducer:
                self._reducer.finish()
            for _, on_gradients_ready in self.callbacks:
                on_gradients_ready()
            self.apply_update()
            display.progress(self.iter)

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
        watches_loss = self.schedule.watches == "loss"
        rates = self.schedule.at(self.iter, self._losses.fetch() if watches_loss else None)
        if self.schedule.tells_steps and self.schedule.current_step != step:
            self.log.multistep(self.iter, self.schedule.current_step)
        if self._display.due(self.iter):
            self._display.rates(self.iter, rates, self.schedule)
        self._update.apply(rates, self.iter)
        self._display.clipping(self.iter, self.rule, self.device)
        if not self._counted:
            self.iter += 1
        self._counted = False

    def count_early(self) -> None:
        """Count the iteration before its update, which then does not."""
        self.iter += 1
        self._counted = True

    # -- testing ------------------------------------------------------------------------------

    def test_all(self) -> None:
        """Run every test net."""
        self._resume.hold()
        with self.testing.own_random_numbers():
            for index in range(len(self.test_nets)):
                if not self.requested_early_exit:
                    self.test(index)
        if not self.requested_early_exit:
            self._resume.release()
        if self.testing.diverges():
            self.requested_early_exit = True

    def test(self, index: int) -> None:
        """Average the outputs of test net `index` over its test_iter batches and print them (Solver::Test)."""
        self.testing.run(index, self.net, self.iter, self._interrupted, self._display)

    def _interrupted(self) -> bool:
        """Do what signals ask for in the middle of a test; returns whether it ends here."""
        while (request := self.action()) != NONE:
            if request == SNAPSHOT and self.group:
                self._snapshot_asked = True  # all ranks make one together, after the test
            elif request == SNAPSHOT:
                self.snapshot()
            elif request == STOP:
                self.requested_early_exit = True
                break
        return self.requested_early_exit

    # -- snapshots ----------------------------------------------------------------------------

    def snapshot(self) -> tuple[str, str]:
        """Write <prefix>_iter_<iter>.caffemodel and .solverstate; returns their paths as logged.

        Each is written aside and renamed, so a killed run leaves whole files only. In a group every rank makes
        this call, and rank 0 writes.

        Raises:
            SnapshotError: a file cannot be written (full disk ...); the last snapshot is untouched.
        """
        return self.snapshots.write(self.iter)

    def restore(self, state_file: str) -> None:
        """Go on where a .solverstate (or .solverstate.h5) stands, written by Caffe or by this package.

        In a group every rank makes this call, and rank 0 reads.

        Raises:
            SnapshotError: the file is broken, of another net or solver type, or its caffemodel is gone.
        """
        state = self.snapshots.read(state_file)
        self.iter = state.iter
        self._display.resume(self.iter)
        self.schedule.current_step = state.current_step
        self._losses.forget(self.iter)
        if self.resume_data != "restart":
            self.snapshots.resume(state, state_file)
