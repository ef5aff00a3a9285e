"""What every test gets: see README.md in this folder."""

import importlib
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings

# No deadline: CI machines are slow and shared. No example database: tests do not write into the checkout.
settings.register_profile("caffe_compat", deadline=None, database=None, derandomize=True)
settings.load_profile("caffe_compat")

# A shell's background job is started with SIGINT ignored, and tests of interrupted runs would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

REFERENCE = Path(__file__).parent / "reference"
# At least so many files of each kind are there. With fewer, tests would pass because they have nothing to do.
REFERENCE_FILES = {
    "layers/*.npz": 255,
    "layers/*.prototxt": 255,
    "data/*.npz": 16,
    "solvers/*/trajectory.npz": 23,
    "solvers/*/caffe.log": 22,
    "solvers/*/*.solverstate": 43,
    "solvers/*/*.solverstate.h5": 4,
    "solvers/cli/*.log": 3,
    "upgrade/*": 10,
}


def lacking(folder: Path) -> list[str]:
    """What `folder` lacks of the golden data, in words."""
    counts = {pattern: len(list(folder.glob(pattern))) for pattern in REFERENCE_FILES}
    return [
        f"{pattern}: {counts[pattern]} of {most} files"
        for pattern, most in REFERENCE_FILES.items()
        if counts[pattern] < most
    ]


def pytest_sessionstart() -> None:
    if found := lacking(REFERENCE):
        raise pytest.UsageError(f"{REFERENCE} is not whole: {'; '.join(found)}; check it out again")


def _import_or_fail(name: str, *_: Any, **__: Any) -> Any:
    """What pytest.importorskip is here: without a package its tests would be skipped, and the run would pass."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.fail(f"{error}; the tests need {name}: pip install '.[test]'", pytrace=False)


pytest.importorskip = _import_or_fail


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of golden data that a real Caffe computed. Read it; never write there."""
    return REFERENCE


@pytest.fixture
def solvers(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the solvers' golden data, as working directory: their paths are relative to it."""
    folder = tmp_path / "solvers"
    shutil.copytree(reference / "solvers", folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def python_layers_stay_allowed() -> Iterator[None]:
    """A command forbids Python layers for its process; in a test run the next test is not its process."""
    yield
    module = sys.modules.get("caffe_compat.layers.python")
    if module is not None:
        module.allow_python_layers = True  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test shows on a terminal of its own does not depend on the one that the tests run on."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that may use a device by the names in their modules, so that `-m gpu` has them all."""
    for item in items:
        module = getattr(item, "module", None)
        if module is not None and item.get_closest_marker("gpu") is None and _may_use_a_gpu(module):
            item.add_marker(pytest.mark.gpu(entered=True))


def _may_use_a_gpu(module: Any) -> bool:
    values = vars(module).values()
    helpers = [value for value in values if isinstance(value, FunctionType) and value.__name__ in _HELPERS]
    return any(
        isinstance(value, ModuleType) and value.__name__ == "tests.pretended" for value in values
    ) or any(helper.__module__.startswith("tests.layers.") for helper in helpers)


_HELPERS = ("run", "check", "golden")  # of tests.layers: they have a device compute the same


@pytest.fixture(autouse=True)
def gpu(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked `gpu` run on a pretended CUDA device where there is none, unless they say that they enter it themselves."""
    mark, pretended = request.node.get_closest_marker("gpu"), sys.modules.get("tests.pretended")
    if pretended is not None:
        pretended.allowed = mark is not None  # type: ignore[attr-defined]
    if mark is None or mark.kwargs.get("entered"):
        yield
        return
    from tests import pretended  # only where a test asks for it: collecting the others stays quick

    pretended.allowed = True
    with pretended.cuda():
        yield
