"""Rules about what a solver file says: rates, lengths of runs, snapshots, tests."""

from __future__ import annotations

import os

from caffe_compat.inspect.lint import NOTE, Found, rule
from caffe_compat.inspect.lint.subject import Subject
from caffe_compat.proto import TEST

_CYCLES = ("triangular", "triangular2", "exp_range")


@rule("refused-solver-field")
def refused_solver_field(subject: Subject) -> Found:
    """A field of the solver that training refuses: one of a fork's that nothing here acts on, or a value out of range."""
    yield from _told(subject, "refused", "fork")


@rule("unused-rate-field")
def unused_rate_field(subject: Subject) -> Found:
    """A field of the learning rate is given that the lr_policy does not look at."""
    yield from _told(subject, "unused rate")


@rule("unused-solver-field", NOTE)
def unused_solver_field(subject: Subject) -> Found:
    """A field is given that does nothing in this solver: of other solver types, or a fork's hint."""
    yield from _told(subject, "unused", "hint")


def _told(subject: Subject, *kinds: str) -> Found:
    """What training says of the solver's fields, of these kinds."""
    for field, what, kind in subject.told:
        if kind in kinds:
            yield subject.at(field), what


@rule("steps")
def steps(subject: Subject) -> Found:
    """Steps of the rate that come in a wrong order or after the run's end."""
    solver = subject.solver
    if solver is None:
        return
    if solver.lr_policy == "step" and 0 < solver.max_iter <= solver.stepsize:
        yield (
            subject.at("stepsize"),
            f"stepsize {solver.stepsize} is not below max_iter {solver.max_iter}, so the rate never changes; lower it",
        )
    if solver.lr_policy != "multistep":
        return
    before = -1
    for i, value in enumerate(solver.stepvalue):
        if value <= before:
            yield (
                subject.at("stepvalue", i),
                f"stepvalue {value} comes after {before}: steps are taken in the order of the file; sort them",
            )
        if value >= solver.max_iter > 0:
            yield (
                subject.at("stepvalue", i),
                f"stepvalue {value} is never reached in {solver.max_iter} iterations; lower it or raise max_iter",
            )
        before = value


@rule("half-cycle")
def half_cycle(subject: Subject) -> Found:
    """A cyclical rate whose run ends inside a cycle, far from the low rate that a cycle is meant to end with."""
    solver = subject.solver
    if solver is None or solver.stepsize < 1 or solver.max_iter < 1:
        return
    length, run = 2 * solver.stepsize, solver.max_iter - int(solver.start_lr_policy)
    if solver.lr_policy in _CYCLES and run % length and run != solver.stepsize:
        least, most = (
            run // length * length + int(solver.start_lr_policy),
            -(-run // length) * length + int(solver.start_lr_policy),
        )
        choice = f"{least} or {most}" if least else f"{most}"
        yield (
            subject.at("max_iter"),
            (
                f"max_iter {solver.max_iter} ends {run / length:g} cycles of 2 x stepsize {solver.stepsize}; "
                f"set max_iter to {choice}"
            ),
        )
    if solver.lr_policy == "1cycle" and run < length:
        yield (
            subject.at("max_iter"),
            (
                f"max_iter {solver.max_iter} ends before the cycle of 2 x stepsize {solver.stepsize} does; set max_iter to "
                f"{length + int(solver.start_lr_policy)} or more"
            ),
        )


@rule("range-test", NOTE)
def range_test(subject: Subject) -> Found:
    """A cyclical rate that stops at its peak: a range test, and no way to train."""
    solver = subject.solver
    if solver is None or solver.lr_policy not in _CYCLES or solver.stepsize < 1:
        return
    if solver.max_iter - int(solver.start_lr_policy) == solver.stepsize:
        yield (
            subject.at("max_iter"),
            (
                f"the run ends at max_lr {solver.max_lr:g}, half a cycle: fine as a range test; to train set max_iter to "
                f"{2 * solver.stepsize + int(solver.start_lr_policy)}"
            ),
        )


@rule("sigmoid-rises", NOTE)
def sigmoid_rises(subject: Subject) -> Found:
    """lr_policy sigmoid goes up to base_lr, where its name in other places goes down."""
    solver = subject.solver
    if solver is not None and solver.lr_policy == "sigmoid":
        yield (
            subject.at("lr_policy"),
            (
                f"the rate rises from about 0 to base_lr {solver.base_lr:g} around iteration {solver.stepsize}; "
                "use another policy if it shall fall"
            ),
        )


@rule("no-iterations")
def no_iterations(subject: Subject) -> Found:
    """max_iter is missing: the run ends before it begins."""
    if subject.solver is not None and subject.solver.max_iter <= 0:
        yield subject.at("max_iter"), f"max_iter is {subject.solver.max_iter}, so nothing is trained; set it"


@rule("snapshot-folder")
def snapshot_folder(subject: Subject) -> Found:
    """Snapshots go to a folder that does not exist; Caffe finds out when the first is due."""
    solver = subject.solver
    if solver is None or not (solver.snapshot or solver.snapshot_after_train):
        return
    folder = os.path.dirname(os.path.join(subject.reader.root, solver.snapshot_prefix))
    if folder and not os.path.isdir(folder):
        yield subject.at("snapshot_prefix"), f"snapshots go to '{folder}', which is no folder; make it"


@rule("no-tests", NOTE)
def no_tests(subject: Subject) -> Found:
    """The net has layers for tests, and the solver never tests."""
    if subject.solver is None or subject.solver.test_iter:
        return
    for view in subject.train:
        rules = (rule for layer in view.whole.layer for rule in layer.include if rule.HasField("phase"))
        if any(rule.phase == TEST for rule in rules):
            yield (
                subject.at("test_interval"),
                (
                    "the net has layers for TEST and there is no test_iter, so it is never tested; give test_iter and "
                    "test_interval"
                ),
            )


@rule("last-test", NOTE)
def last_test(subject: Subject) -> Found:
    """The last test scores a net that is not the saved one."""
    solver = subject.solver
    if solver is None or not (
        solver.display and solver.test_interval and solver.max_iter and solver.test_iter
    ):
        return
    if solver.max_iter % solver.display or solver.max_iter % solver.test_interval:
        return
    if any(view.normalizers for view in subject.train):
        yield (
            subject.at("display"),
            (
                f"display {solver.display} divides max_iter {solver.max_iter}: one more batch passes through BatchNorm after "
                "the last snapshot, so the last test is not of the saved model; score that with `caffe-compat test`"
            ),
        )


@rule("clip-iter-size", NOTE)
def clip_iter_size(subject: Subject) -> Found:
    """clip_gradients acts on the sum of iter_size gradients, before they are averaged."""
    solver = subject.solver
    if solver is not None and solver.clip_gradients > 0 and solver.iter_size > 1:
        share = solver.clip_gradients / solver.iter_size
        yield (
            subject.at("clip_gradients"),
            (
                f"clip_gradients {solver.clip_gradients:g} is compared with the sum of iter_size {solver.iter_size} "
                f"gradients: their mean is clipped at {share:g}; multiply it by iter_size for a limit of the mean"
            ),
        )
