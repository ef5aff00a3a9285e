"""What a run makes of a solver's fields: which ones it refuses, and which do nothing.

`Solver` asks before it builds a net, `schedule` and `lint` without building one, so that all of them say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from caffe_compat.errors import SolverError
from caffe_compat.proto import TRAINING_NETS, fork_fields, hints
from caffe_compat.solver import detections, schedule, update_rules

REFUSED, FORK, UNUSED_RATE, UNUSED, HINT = "refused", "fork", "unused rate", "unused", "hint"

# Forks', which the solver itself acts on
_BEYOND_RATES = ("max_nonfinite_test_loss", "eval_type", "ap_version", "show_per_class_result")
_ON_BY_DEFAULT = ("warm_up_iters",)  # forks' fields whose default value does not switch them off


class Problem(NamedTuple):
    """One field. `what` is a sentence; of kind FORK and HINT it is the field as the file has it, with a fork's value.

    REFUSED   always an error
    FORK      an error unless unknown fields are ignored
    others    do nothing in this solver
    """

    field: str
    what: str
    kind: str


def problems(param: Any) -> Iterator[Problem]:
    """What there is to say of the fields of an upgraded SolverParameter; fields of nets inside it are their layers' business."""
    given = _own(fork_fields(param))
    given += [field for field in _ON_BY_DEFAULT if param.HasField(field) and field not in given]
    known = schedule.FORK_FIELDS + update_rules.FORK_FIELDS + _BEYOND_RATES
    yield from (Problem(field.partition(":")[0], field, FORK) for field in given if field not in known)
    for faults in (_faults, schedule.faults, update_rules.faults):
        yield from (Problem(field, what, REFUSED) for field, what in faults(param))
    yield from (Problem(field, what, UNUSED_RATE) for field, what in schedule.unused(param))
    for unused in (update_rules.unused, _unused):
        yield from (Problem(field, what, UNUSED) for field, what in unused(param))
    yield from (Problem(field.partition(":")[0], field, HINT) for field in _own(hints(param)))


def _own(found: Sequence[str]) -> list[str]:
    """Of what is found in a solver, its own fields, without the value of a field that is named itself."""
    return [
        field for field in found if "." not in field and field.partition(":")[0] not in set(found) - {field}
    ]


def fail(param: Any, what: str) -> NoReturn:
    """Raise SolverError naming the solver file."""
    raise SolverError(f"{param.origin}: {what}" if param.origin else what)


def check(param: Any, ignore_unknown: bool, warn: Callable[[str], None]) -> None:
    """Raise SolverError for fields that a run refuses, and warn of those that do nothing in it."""
    found = list(problems(param))
    where = param.origin or "the solver"
    if told := [problem.what for problem in found if problem.kind == HINT]:
        warn(f"{where}: {', '.join(told)}: {_HINT}; ignored")
    if ignored := [problem.what for problem in found if problem.kind == FORK]:
        refuse(param, ignored, ignore_unknown, warn)
    for problem in found:
        if problem.kind == REFUSED:
            fail(param, problem.what)
        if problem.kind in (UNUSED, UNUSED_RATE):
            warn(f"{where}: {problem.what}")


_FORK = "a fork of Caffe's, which this solver does not act on"
_HINT = "a fork's, about speed or what is printed"


def sentences(param: Any) -> list[tuple[str, str, str]]:
    """The problems, each `what` a sentence that stands alone."""
    texts = {
        FORK: f"{{}}: {_FORK}; remove it, or give --ignore-unknown-fields",
        HINT: f"{{}}: {_HINT}; ignored",
    }
    return [(field, texts.get(kind, "{}").format(what), kind) for field, what, kind in problems(param)]


def refuse(param: Any, ignored: Sequence[str], ignore_unknown: bool, warn: Callable[[str], None]) -> None:
    """Raise SolverError for fields of forks that nobody acts on, or warn of them."""
    what = f"{', '.join(ignored)}: {_FORK}"
    if not ignore_unknown:
        fail(param, f"{what}; remove it, or give --ignore-unknown-fields")
    warn(f"{param.origin or 'the solver'}: {what}; ignored")


def training_nets(param: Any) -> list[str]:
    """The fields that name a training net; there should be one."""
    return [field for field in TRAINING_NETS if param.HasField(field)]


def test_sources(param: Any) -> list[tuple[str, Any]]:
    """The field and value that each test net comes from, as far as there is a test_iter for them."""
    sources: list[tuple[str, Any]] = [("test_net_param", net) for net in param.test_net_param]
    sources += [("test_net", name) for name in param.test_net]
    generic = _generic(param)
    if generic:
        sources += [(generic, getattr(param, generic))] * (len(param.test_iter) - len(sources))
    return sources


def _generic(param: Any) -> str:
    """The field of a net that serves for training and for tests, or ""."""
    return next((field for field in ("net_param", "net") if param.HasField(field)), "")


def _faults(param: Any) -> Iterator[tuple[str, str]]:
    if param.average_loss < 1:
        yield "average_loss", f"average_loss is {param.average_loss} and must be 1 or more"
    nets = training_nets(param)
    if len(nets) > 1:
        yield (
            nets[1],
            (
                f"a solver names its training net in exactly one of {', '.join(TRAINING_NETS)}; this one has "
                f"{' and '.join(nets)}"
            ),
        )
    sources = test_sources(param)
    if len(param.test_iter) != len(sources) and (nets or sources):
        yield (
            "test_iter",
            (
                f"{len(param.test_iter)} test_iter for {len(sources)} test nets; give one test_iter for each test net"
            ),
        )
    if param.test_state and len(param.test_state) != len(sources):
        yield (
            "test_state",
            (f"{len(param.test_state)} test_state for {len(sources)} test nets; give none or one for each"),
        )
    if sources and param.test_interval <= 0:
        yield (
            "test_interval",
            (f"test_interval is {param.test_interval} with {len(sources)} test net(s); set it above 0"),
        )

    if param.eval_type == "detection" and param.ap_version not in detections.AP_VERSIONS:
        known = ", ".join(detections.AP_VERSIONS)
        yield "ap_version", f'ap_version is "{param.ap_version}" and must be one of {known}'


def _unused(param: Any) -> Iterator[tuple[str, str]]:
    if param.eval_type not in detections.EVAL_TYPES:  # other forks', for what their own nets give
        yield (
            "eval_type",
            f'eval_type "{param.eval_type}" does nothing here: tests print means, or mean average precision for "detection"',
        )
    for field in ("ap_version", "show_per_class_result"):
        if param.HasField(field) and param.eval_type != "detection":
            yield field, f'{field} does nothing without eval_type: "detection"; remove it, or set that'
    if param.max_nonfinite_test_loss > 0 and not param.test_compute_loss:
        yield (
            "max_nonfinite_test_loss",
            ("max_nonfinite_test_loss does nothing without test_compute_loss; remove it, or set that"),
        )
    if what := update_rules.regularization_fault(param):
        yield "regularization_type", what
