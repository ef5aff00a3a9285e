"""The steps of tools/gpu_check.sh, each in a process of its own: python -m tools.bench.gpu_check STEP

Everything is read from the environment that the script sets: DEVICE, TINY, OUT, CIFAR, BUDGET, BEGAN.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from tools.bench.run import ROOT, Setup, make_data

DEVICE = os.environ.get("DEVICE", "cuda")
TINY = bool(os.environ.get("TINY"))
OUT = Path(os.environ.get("OUT", "gpu_check"))
CUDA = DEVICE == "cuda"
NET, BATCH = ("resnet8", 4) if TINY else ("resnet56", 125)
REPLICAS = 2 if TINY else 8
TABLE = "steps.json"
ITERATIONS = 10_000  # of fig1a-clr
# Relative error of the gradients of weights that each precision may have against the CPU's fp32: median over the blobs.
# A rectifier whose input is almost 0 may move single blobs by more.
LIMITS = {"fp32": 1e-3, "tf32": 3e-2, "bf16": 0.6}
WORST = 30  # times the limit for the worst blob


def finish() -> None:
    if CUDA:
        torch.cuda.synchronize()


def left() -> float:
    """Seconds until the budget is used up."""
    spent = time.time() - float(os.environ.get("BEGAN", str(time.time())))
    return float(os.environ.get("BUDGET", "600")) - spent


def attempt(name: str, call: Callable[[], str]) -> bool:
    """Print what `call` says after PASS, or why it raised after FAIL; whether it did not."""
    try:
        print(f"PASS  {name}: {call()}", flush=True)
    except Exception as error:  # noqa: BLE001 - whatever a GPU's libraries raise is a result
        why = next(iter(str(error).strip().splitlines()), "")
        print(f"FAIL  {name}: {type(error).__name__}: {why[:200]}", flush=True)
        return False
    return True


@contextmanager
def setup_of(batch: int = BATCH, records: int = 2000, net: str = NET) -> Iterator[Setup]:
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(
            net=net,
            batch=batch,
            records=64 if TINY else records,
            device=DEVICE,
            folder=folder,
            precision="fp32",
        )
        make_data(setup)
        yield setup


def our_solver(setup: Setup, replicas: int = 0, test: bool = False, **execution: Any) -> Any:
    """A solver of the paper's, with the same weights, records and mirrored pictures each time."""
    from caffe_compat.net.execution import Execution
    from tools.bench import training

    torch.manual_seed(1)
    solver = training.our_solver(setup, test=test, replicas=replicas, seed=1)
    for net in (solver.net, *solver.test_nets):
        net.execution = Execution(**execution)
    return solver


# -- versions -------------------------------------------------------------------------------------


def versions() -> bool:
    import caffe_compat

    print(
        f"caffe_compat {caffe_compat.__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    print(f"{os.cpu_count()} processors, {torch.get_num_threads()} threads")
    names = ("lmdb", "google.protobuf", "numpy", "onnx", "triton", "pytest", "xdist", "hypothesis")
    missing = [name for name in names if not _imports(name)]
    print(f"missing packages: {', '.join(missing) or 'none'}")
    if not CUDA:
        return True
    if not torch.cuda.is_available():
        print("no GPU that this torch can use; DEVICE=cpu TINY=1 tries the script without one")
        return False
    properties = torch.cuda.get_device_properties(0)
    print(
        f"{properties.name}, {properties.total_memory >> 30} GiB, compute {properties.major}.{properties.minor}"
    )
    command = ["nvidia-smi", "--query-gpu=driver_version,clocks.sm,power.limit", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"driver, clock, power: {found.stdout.strip() or found.stderr.strip()}")
    one = torch.empty(1 << 29, device="cuda")
    copied = milliseconds(lambda: one.clone(), seconds=0.5)[0]
    print(f"copy: {2 * one.nbytes / copied / 1e9:.2f} TB/s")
    return True


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


# -- parity ---------------------------------------------------------------------------------------


def parity() -> bool:
    """Gradients, and six steps, of the CPU in fp32 and of the device in every precision."""
    passed = []
    for replicas in (0, REPLICAS):
        with setup_of(batch=4 if TINY else 16, records=256, net=NET) as setup:
            base = our_solver(replace(setup, device="cpu"), replicas, compile="off", channels_last="off")
            start = [blob.tensor.detach().clone() for blob in base.net.learned]
            wanted, losses = _gradients(base), _losses(base)
            for precision, limit in LIMITS.items():
                for compile in ("off", "capture") if CUDA else ("off",):
                    solver = our_solver(setup, replicas, precision=precision, compile=compile)
                    name = f"{setup.net}, {replicas or 1} x {setup.batch}, {precision}, compile {compile}"
                    call = partial(_compared, solver, start, wanted, losses, precision, limit)
                    passed.append(attempt(name, call))
    return all(passed)


def _gradients(solver: Any) -> list[Tensor]:
    """Of the weights: biases before a normalisation have none."""
    solver.net.forward_backward()
    finish()
    found = [blob.tensor.grad.detach().double().cpu() for blob in solver.net.learned if blob.tensor.dim() > 1]
    solver.net.clear_param_diffs()
    return found


def _losses(solver: Any) -> list[float]:
    solver.param.display = 1  # or the loss would not be kept
    found = []
    for _ in range(6):
        solver.step(1)
        found.append(float(solver.smoothed_loss))
    return found


def _compared(
    solver: Any, start: list[Tensor], wanted: list[Tensor], losses: list[float], precision: str, limit: float
) -> str:
    with torch.no_grad():
        for blob, value in zip(solver.net.learned, start, strict=True):
            blob.tensor.copy_(value)
    errors = sorted(
        float((ours - theirs).norm() / theirs.norm().clamp(min=1e-30))
        for ours, theirs in zip(_gradients(solver), wanted, strict=True)
    )
    apart = max(abs(a - b) / abs(b) for a, b in zip(_losses(solver), losses, strict=True))
    text = f"gradients differ by {median(errors):.2g} (median), {errors[-1]:.2g} (worst), six losses by {apart:.2g}"
    if median(errors) > limit or errors[-1] > WORST * limit:
        raise AssertionError(f"{text}; the limit is {limit:g} (median)")
    if precision == "fp32" and apart > 1e-2:
        raise AssertionError(f"{text}; the limit of the losses is 0.01")
    return text


# -- steps ----------------------------------------------------------------------------------------


def milliseconds(call: Callable[[], object], warm: int = 3, seconds: float = 1.5) -> tuple[float, float]:
    """Of one call: until its work is done, median of three rounds, and until the host has asked for it."""
    for _ in range(warm):
        call()
    finish()
    began = time.perf_counter()
    call()
    finish()
    once = max(time.perf_counter() - began, 1e-5)
    count = max(1 if TINY else 5, min(60, int(seconds / once / 3)))
    done, asked = [], []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(count):
            call()
        asked.append((time.perf_counter() - began) / count * 1e3)
        finish()
        done.append((time.perf_counter() - began) / count * 1e3)
    return median(done), median(asked)


def ours(setup: Setup, replicas: int, **execution: Any) -> Callable[[], object]:
    solver = our_solver(setup, replicas, **execution)
    solver.param.ClearField("display")
    return lambda: solver.step(1)


def our_test(setup: Setup, **execution: Any) -> Callable[[], object]:
    solver = our_solver(setup, test=True, **execution)
    net = solver.test_nets[0]
    net.share_trained_layers_with(solver.net)
    return net.forward  # type: ignore[no-any-return]


def by_hand(setup: Setup, variant: str, batch: int, precision: str) -> Callable[[], object]:
    from tools.bench import training

    trained = training.hand_written(replace(setup, batch=batch, precision=precision), variant)
    return trained.step  # type: ignore[no-any-return]


Plan = dict[str, Callable[[Setup], Callable[[], object]]]


def eager_rows() -> Plan:
    """What begins at once, by name; of `ours` the name is what `run` chooses by: precision, compile, channels_last."""
    big, plan = REPLICAS * BATCH, Plan()
    modes = ("off", "capture") if CUDA else ("off",)
    for precision in ("fp32", "tf32", "bf16"):
        for compile in modes:
            title = f"ours {REPLICAS}x{BATCH} {precision} {compile} auto"
            plan[title] = lambda s, p=precision, c=compile: ours(s, REPLICAS, precision=p, compile=c)
        for variant in ("eager", "channels_last"):
            plan[f"by hand {big} {precision} {variant}"] = lambda s, v=variant, p=precision: by_hand(
                s, v, big, p
            )
    for compile in modes:
        plan[f"ours test {BATCH} fp32 {compile} auto"] = lambda s, c=compile: our_test(s, compile=c)
        plan[f"ours 1x{BATCH} fp32 {compile} auto"] = lambda s, c=compile: ours(s, 0, compile=c)
    plan[f"by hand {BATCH} fp32 channels_last"] = lambda s: by_hand(s, "channels_last", BATCH, "fp32")
    for precision in ("tf32", "bf16"):
        title = f"ours {REPLICAS}x{BATCH} {precision} {modes[-1]} on"
        plan[title] = lambda s, p=precision: ours(
            s, REPLICAS, precision=p, compile=modes[-1], channels_last="on"
        )
    return plan


def compiled_rows() -> Plan:
    """What takes a minute to begin."""
    compile, big, plan = "graphs" if CUDA else "on", REPLICAS * BATCH, Plan()
    for precision in ("bf16", "tf32"):
        title = f"ours {REPLICAS}x{BATCH} {precision} {compile} on"
        plan[title] = lambda s, p=precision: ours(
            s, REPLICAS, precision=p, compile=compile, channels_last="on"
        )
    plan[f"by hand {big} tf32 compile"] = lambda s: by_hand(s, "compile", big, "tf32")
    plan[f"ours {REPLICAS}x{BATCH} fp32 {compile} auto"] = lambda s: ours(s, REPLICAS, compile=compile)
    return plan


def measure(plan: Plan, count: int) -> bool:
    """Time each row; the first `count` of them in a trial."""
    table = OUT / TABLE
    rows = json.loads(table.read_text()) if table.exists() else {}
    with setup_of() as setup:
        for name, make in list(plan.items())[: count if TINY else None]:
            try:
                began = time.perf_counter()
                call = make(setup)
                done, asked = milliseconds(call)
                memory = f", {torch.cuda.max_memory_allocated() >> 20} MiB" if CUDA else ""
                took = time.perf_counter() - began
                print(
                    f"{name:40} {done:9.2f} ms, host {asked:8.2f} ms{memory}, {took:.0f} s in all", flush=True
                )
                rows[name] = done
                table.write_text(json.dumps(rows))
            except Exception as error:  # noqa: BLE001 - one row's failure is a result
                why = next(iter(str(error).strip().splitlines()), "")
                print(f"{name:40} FAIL {type(error).__name__}: {why[:160]}", flush=True)
            finally:
                call = print  # what was measured is gone
                gc.collect()
                if CUDA:
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
    return bool(rows)


# -- run ------------------------------------------------------------------------------------------


def run() -> bool:
    """fig1a-clr in the fastest mode that was measured, its schedule shortened to the time that is left."""
    table = OUT / TABLE
    rows = json.loads(table.read_text()) if table.exists() else {}
    found = {name: took for name, took in rows.items() if name.startswith(f"ours {REPLICAS}x{BATCH}")}
    best = min(found, key=lambda name: found[name], default=f"ours {REPLICAS}x{BATCH} fp32 off auto")
    _, _, precision, compile, innermost = best.split()
    seconds = found.get(best, 1000) / 1e3
    share = min(1.0, (left() - 30) / (ITERATIONS * seconds * 1.1))
    iterations = 20 if TINY else max(200, int(ITERATIONS * share) // 100 * 100)
    print(f"fastest: {best}, {seconds * 1e3:.2f} ms; {iterations} of {ITERATIONS} iterations fit")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "caffe_compat", "train", "--solver", "prototxt/clr_solver.prototxt"]
        command += ["--net", _net(folder), "--replicas", str(REPLICAS), "--precision", precision]
        command += ["--compile", compile, "--channels_last", innermost, *(["--gpu", "0"] if CUDA else [])]
        fields = {
            "max_iter": iterations, "stepsize": iterations // 2, "test_interval": max(1, iterations // 10),
            "test_iter": 1 if TINY else 80, "display": max(1, iterations // 100), "snapshot": 0,
            "snapshot_after_train": "false", "random_seed": 1, "snapshot_prefix": f"{folder}/run",
        }  # fmt: skip
        command += [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]
        began, scores = time.time(), []
        with (OUT / "run.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            assert process.stdout
            for line in process.stdout:
                log.write(line)
                scores += re.findall(r"Test net output #\d+: accuracy\w* = ([\d.]+)", line)
                if re.search(r"Test net output|error:|Traceback|precision |captured|compiled", line):
                    print(f"{time.time() - began:6.1f} s {line.rstrip()[-110:]}", flush=True)
        code = process.wait()
    print(
        f"exit code {code} after {time.time() - began:.1f} s for {iterations} iterations; accuracies {scores}"
    )
    return code == 0 and bool(scores)


def _net(folder: str) -> str:
    """The paper's net on CIFAR-10, or on drawn shapes where that is not at hand; its path."""
    from tools import make_prototxt
    from tools.prototxt_text import document

    cifar = Path(os.environ.get("CIFAR", "data/cifar10")).resolve()
    if (cifar / "cifar10_train_lmdb").exists():
        paths = make_prototxt.cifar(str(cifar))
    else:
        shapes, count = f"{folder}/shapes", ["--train", "500", "--test", "100"] if TINY else []
        command = [sys.executable, "-m", "caffe_compat", "data", "shapes", shapes, *count]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"no CIFAR-10 in {cifar}: drawn shapes, whose accuracy is no result of the paper's")
        paths = make_prototxt.cifar(shapes, prefix="")
    path = Path(folder, "net.prototxt")
    path.write_text(document(NET, make_prototxt.resnet(int(NET.removeprefix("resnet")), BATCH, paths)))
    return str(path)


def summary() -> bool:
    table = OUT / TABLE
    rows = json.loads(table.read_text()) if table.exists() else {}
    for name, took in sorted(rows.items(), key=lambda row: row[1]):
        whole = (
            f", {took * ITERATIONS / 1e3:.0f} s for fig1a-clr's steps"
            if f"{REPLICAS}x{BATCH}" in name
            else ""
        )
        print(f"{took:9.2f} ms  {name}{whole}")
    for name in ("parity", "tests"):
        path = OUT / f"{name}.txt"
        lines = path.read_text().splitlines() if path.exists() else ["not run"]
        failures = [line for line in lines if line.startswith(("FAIL", "--"))]
        print(f"{name}: {'; '.join(failures) if failures else lines[-1] if lines else 'nothing printed'}")
    return True


STEPS: dict[str, Callable[[], bool]] = {
    "versions": versions,
    "parity": parity,
    "steps": lambda: measure(eager_rows(), 5),
    "compiled": lambda: measure(compiled_rows(), 1),
    "run": run,
    "summary": summary,
}

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if STEPS[sys.argv[1]]() else 1)
