"""Solvers broken on purpose: the iteration, the blobs and the term at fault are named."""

import dataclasses

import numpy as np
import pytest
import torch

from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.steps import validate_solver
from caffe_compat.solver import update_rules
from caffe_compat.solver.schedule import Schedule
from caffe_compat.solver.update import UpdateRule
from tests.parity.harness import ROOT, SMALL, SOLVER, dump_solver, rewrite

SOLVERS = ROOT / "tests/reference/solvers"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return dump_solver(tmp_path_factory.mktemp("dumped"))


def replace_rule(monkeypatch, name, function):
    changed = dataclasses.replace(update_rules.RULES[name], function=function)
    monkeypatch.setitem(update_rules.RULES, name, changed)


def rate_outside_the_history(param, step):
    """torch's form: h = momentum * h + g; w -= rate * h"""
    (h,) = step.history
    torch._foreach_mul_(h, step.momentum)
    torch._foreach_add_(h, step.diff)
    return torch._foreach_mul(h, step.rate)


def dampened(param, step):
    (h,) = step.history
    torch._foreach_mul_(h, step.momentum * step.momentum)
    torch._foreach_add_(h, step.diff, alpha=step.rate)
    return h


def test_nothing_is_guilty_without_a_mutation(bundle):
    report = validate_solver(open_bundle(bundle))
    assert (report.verdict, report.guilty, report.missing) == ("agrees", [], [])
    assert {row.what for row in report.rows} >= {"value", "loss", "rate", "weights", "update", "gradient"}


def test_the_momentum_form_is_named_where_the_rate_changes(bundle, monkeypatch):
    replace_rule(monkeypatch, "SGD", rate_outside_the_history)
    report = validate_solver(open_bundle(bundle))
    assert report.verdict == "differs"
    (text,) = report.guilty
    assert text.startswith(
        "iteration 2: the update of conv.0, conv.1, ip.0, ip.1 departs while loss and gradients agree"
    )
    assert text.endswith("the momentum term (Caffe's factor 0.9, ours 0.45) differs")


def test_a_wrong_momentum_is_named_at_the_second_update(bundle, monkeypatch):
    replace_rule(monkeypatch, "SGD", dampened)
    (text,) = validate_solver(open_bundle(bundle)).guilty
    assert text.startswith("iteration 1: the update of ")
    assert "the momentum term (Caffe's factor 0.9, ours 0.81) differs" in text


def test_a_wrong_rate_is_named(bundle, monkeypatch):
    at = Schedule.at
    monkeypatch.setattr(Schedule, "at", lambda self, *k: at(self, *k)._replace(lr=0.2 * at(self, *k).lr))
    report = validate_solver(open_bundle(bundle))
    assert report.guilty[0].startswith("iteration 0: the update of ")
    assert "the rate term (Caffe's factor 0.1, ours 0.02)" in report.guilty[0]
    assert report.first.name == "loss"
    assert any(row.what == "rate" and not row.agrees for row in report.rows)


def test_a_forgotten_decay_is_named(bundle, monkeypatch):
    monkeypatch.setattr(UpdateRule, "_decays", lambda self, group: False)
    (text,) = validate_solver(open_bundle(bundle)).guilty
    assert "the weight decay term (Caffe's factor 0.001, ours " in text
    assert "conv.1" not in text  # its decay_mult is 0


def test_a_wrong_update_of_another_rule_is_named_against_a_real_caffe(monkeypatch):
    adam = update_rules.RULES["Adam"].function

    def torchs(param, step):
        copy = type(param)()
        copy.CopyFrom(param)
        copy.delta = 1e-3
        return adam(copy, step)

    replace_rule(monkeypatch, "Adam", torchs)
    (text,) = validate_solver(open_bundle(SOLVERS / "adam")).guilty
    assert text.startswith("iteration 0: the update of ")
    assert text.endswith("departs while the loss agrees: the update rule Adam does")


def test_the_momentum_form_is_caught_against_a_real_caffe(monkeypatch):
    replace_rule(monkeypatch, "SGD", rate_outside_the_history)
    report = validate_solver(open_bundle(SOLVERS / "sgd_step"))
    assert report.verdict == "differs"
    assert "the momentum term" in report.guilty[0]


def test_statistics_kept_otherwise_are_named(monkeypatch):
    setup = BatchNorm.setup

    def changed(self, *bottom):
        setup(self, *bottom)
        self.fraction = 0.5

    monkeypatch.setattr(BatchNorm, "setup", changed)
    report = validate_solver(open_bundle(SOLVERS / "sgd_fixed"))
    assert report.guilty[0].startswith(
        "iteration 1: layer 'bn1' changed its own blob bn1.0 in the forward pass"
    )


def test_several_forward_passes_an_iteration(tmp_path):
    folder = dump_solver(tmp_path, SMALL, SOLVER + "iter_size: 3\n", "--iterations", "3")
    bundle = open_bundle(folder)
    assert bundle.arrays["in.data"].shape == (9, 5, 3, 7, 6)
    report = validate_solver(bundle)
    assert (report.verdict, report.guilty) == ("agrees", [])


def test_random_layers_keep_iterations_from_being_compared(tmp_path):
    drop = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }\nlayer { name: "ip"'
    folder = dump_solver(tmp_path, SMALL.replace('layer { name: "ip"', drop))
    report = validate_solver(open_bundle(folder))
    assert report.exit_code == 3
    assert report.missing == [
        "iterations: layer 'drop' (Dropout) drops values at random in TRAIN, so other numbers come out in every run"
    ]


def test_a_bundle_of_another_solver_says_so(bundle, tmp_path):
    (tmp_path / "other.prototxt").write_text(SMALL.replace("num_output: 4", "num_output: 3"))
    report = validate_solver(open_bundle(bundle, net=str(tmp_path / "other.prototxt")))
    assert report.exit_code == 3
    assert "cannot copy param 0" in report.missing[0]
    assert "is it another net" in report.missing[0]


def test_losses_that_depart_blame_the_forward_pass(bundle, tmp_path):
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())

    def change(arrays):
        arrays["loss"] = arrays["loss"] * np.where(np.arange(5) == 3, 1.1, 1)

    rewrite(copy, change)
    report = validate_solver(open_bundle(copy))
    assert report.guilty == [
        "iteration 3: the loss from Caffe's own weights departs, so the net's forward pass does"
    ]
