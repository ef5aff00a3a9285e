"""What a training step launches and moves on a CUDA device, counted without one.

    python -m tools.bench.kernels                  # the table of RESULTS.md
    python -m tools.bench.kernels --json resnet56  # one line a step

The step runs on tensors that have shapes and no values (FakeTensorMode), so what is counted is which operations torch
calls, and with which sizes. The rules, in `Count`: an operation that makes no view is one kernel that reads its inputs
and writes its outputs once; a convolution's bias is a kernel more, its backward one for each gradient asked for;
BatchNorm reads its input twice; a foreach operation needs a kernel for as many tensors as fit into its arguments.
Real kernels may read more (a convolution that transforms its input) or less (what is still in the cache).
"""

from __future__ import annotations

import tools.bench.fake_cuda  # noqa: F401  - before torch

# isort: split

import argparse
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from tools.bench import training
from tools.bench.run import Setup, make_data

CUDA = torch.device("cuda", 0)
# Operations of cuDNN's that have no rule for tensors without values: convolution, sum and ReLU in one.
_LIBRARY = torch.library.Library("aten", "IMPL")


def _top_of(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    return torch.convolution(x, weight, None, stride, padding, dilation, False, [0] * len(stride), groups)


def _convolution_relu(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    return _top_of(x, weight, stride, padding, dilation, groups)


def _convolution_add_relu(
    x: Tensor, weight: Tensor, z: Tensor, alpha: Any, bias: Any, *window: Any
) -> Tensor:
    return _top_of(x, weight, *window)


for _operation, _rule in (
    ("cudnn_convolution_relu", _convolution_relu),
    ("cudnn_convolution_add_relu", _convolution_add_relu),
):
    _LIBRARY.impl(_operation, _rule, "Meta")

# For predictions, of an H200: what its memory gives to plain kernels, about, and the peaks of its dense products.
BYTES_PER_SECOND = 4e12
FLOPS = {"fp32": 67e12, "tf32": 494e12, "bf16": 989e12}

_NO_KERNEL = frozenset(
    """alias as_strided detach diagonal empty empty_like empty_strided expand flatten lift_fresh narrow new_empty
    new_empty_strided permute _reshape_alias reshape select slice split split_with_sizes squeeze t transpose unbind
    unflatten unfold unsqueeze _unsafe_view view view_as""".split()
)
_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm", "_batch_norm_with_update")
_TENSORS_A_KERNEL = {1: 110, 2: 64, 3: 48, 4: 36}  # foreach: by the lists of tensors that it takes


class Count(TorchDispatchMode):
    """Kernels and bytes by operation, and the floating-point operations of convolutions and matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.flop = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        inputs = [value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor)]
        outputs = [value for value in tree_iter(out) if isinstance(value, Tensor)]
        if (
            func.namespace == "prim"
            or name in _NO_KERNEL
            or not any(value.device.type == "cuda" for value in (*inputs, *outputs))
        ):
            return out
        if name in ("convolution", "convolution_backward"):
            getattr(self, f"_{name}")(args, outputs)
        elif name.startswith("_foreach"):
            self._foreach(name, args, kwargs or {}, inputs, outputs)
        else:
            self._add(name, 1, self._moved(func, args, inputs, outputs))
        return out

    def _moved(self, func: Any, args: Any, inputs: list[Tensor], outputs: list[Tensor]) -> int:
        name = func.overloadpacket.__name__
        if name in _NORMS:
            return 3 * args[0].nbytes
        if name in ("native_batch_norm_backward", "cudnn_batch_norm_backward", "batch_norm_backward"):
            return 5 * args[1].nbytes
        if name in ("cudnn_convolution_relu", "cudnn_convolution_add_relu"):
            self.flop += 2 * outputs[0].numel() * inputs[1][0].numel()
        if name in ("mm", "addmm", "bmm"):
            *_, left, right = inputs
            self.flop += 2 * left.numel() * right.shape[-1]
        written = any(a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments)
        new = [value for value in outputs if written or all(value is not other for other in inputs)]
        return sum(value.nbytes for value in (*inputs, *new))

    def _add(self, name: str, kernels: int, moved: int) -> None:
        self.kernels[name] += kernels
        self.bytes[name] += moved

    def _convolution(self, args: Any, outputs: list[Tensor]) -> None:
        x, weight, bias = args[:3]
        (top,) = outputs
        self.flop += 2 * top.numel() * weight[0].numel()
        self._add("convolution", 1, x.nbytes + weight.nbytes + top.nbytes)
        if bias is not None:
            self._add("convolution's bias", 1, 2 * top.nbytes)

    def _convolution_backward(self, args: Any, outputs: list[Tensor]) -> None:
        diff, x, weight = args[:3]
        for wanted in args[-1][:2]:
            if wanted:
                self.flop += 2 * diff.numel() * weight[0].numel()
                self._add("convolution_backward", 1, diff.nbytes + x.nbytes + weight.nbytes)
        if args[-1][2]:
            self._add("gradient of a convolution's bias", 1, diff.nbytes)

    def _foreach(
        self, name: str, args: Any, kwargs: Any, inputs: list[Tensor], outputs: list[Tensor]
    ) -> None:
        lists = [
            a
            for a in (*args, *kwargs.values())
            if isinstance(a, list | tuple) and a and isinstance(a[0], Tensor)
        ]
        tensors = [value for value in lists[0] if value.device.type == "cuda"]
        written = outputs if outputs else tensors
        a_kernel = _TENSORS_A_KERNEL.get(len(lists) + bool(outputs), 36)
        self._add(name, math.ceil(len(tensors) / a_kernel), sum(v.nbytes for v in (*inputs, *written)))

    def numbers(self) -> dict[str, float]:
        """Kernels, GB moved and GFLOP."""
        gigabytes = sum(self.bytes.values()) / 1e9
        return {
            "kernels": self.kernels.total(),
            "GB": round(gigabytes, 3),
            "GFLOP": round(self.flop / 1e9, 1),
        }


@contextmanager
def fake_tensors() -> Iterator[None]:
    """Within it new tensors have no values, and torch.autocast takes the device for one that has bfloat16."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(torch.cuda, "is_bf16_supported", lambda: True),
        mock.patch.object(torch.backends.cudnn, "is_available", lambda: True),
        mock.patch("caffe_compat.net.packed.rectifies", lambda device, dtype: True),
    ):
        yield


def _on_device(value: Tensor, memo: dict[int, Tensor]) -> Tensor:
    if id(value) not in memo:
        made = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=CUDA)
        learned = isinstance(value, nn.Parameter)
        memo[id(value)] = nn.Parameter(made, requires_grad=value.requires_grad) if learned else made
    return memo[id(value)]


def _move(module: nn.Module, memo: dict[int, Tensor]) -> None:
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            held: dict[str, Any] = tensors  # type: ignore[assignment]
            for name, value in held.items():
                if value is not None:
                    held[name] = _on_device(value, memo)


def ours(setup: Setup, replicas: int = 0, innermost: str = "auto", test: bool = False) -> list[Count]:
    """The counts of our pass, and of its update; `test`: of a test batch."""
    from caffe_compat.net.execution import Execution, laid_out

    solver = training.our_solver(setup, test=test, replicas=replicas)
    net = solver.test_nets[0] if test else solver.net
    net.execution = Execution(precision=setup.precision, channels_last=innermost, compile="off")
    rows = max(1, replicas)
    counts = [Count()]
    with fake_tensors():
        memo: dict[int, Tensor] = {}
        for layer in net.layers:
            _move(layer, memo)
        for blob in net.learned:
            blob.tensor = _on_device(blob.tensor, memo)
        net.wiring.device = CUDA
        shapes = [shape for layer in net.data_layers() for shape in layer.reshape()]
        batch = [torch.empty((shape[0] * rows, *shape[1:]), device=CUDA) for shape in shapes]
        runner = net._runner
        batch = laid_out(batch, runner.settings.innermost(net.wiring))
        with torch.set_grad_enabled(not test):
            if test:
                runner.follow_blobs()
            runner.run_batch(batch, not test)  # the first one makes what the others share
            runner.clear_gradients()
            with counts[0]:
                runner.run_batch(batch, not test)
        if not test:
            rule = solver.rule
            rule.blobs = [_on_device(blob, memo) for blob in rule.blobs]
            rule.history = [_on_device(history, memo) for history in rule.history]
            counts.append(Count())
            with counts[1]:
                rule.apply(solver.schedule.at(0), 0)
    return counts


def by_hand(setup: Setup, variant: str) -> list[Count]:
    """The same of a loop written by hand (tools/bench/handwritten.py): its pass and its update."""
    trained = training.hand_written(replace(setup, device="cpu"), variant)
    counts = [Count(), Count()]
    with fake_tensors():
        _move(trained.model, {})
        pictures = torch.empty(setup.batch, 3, 32, 32, device=CUDA).contiguous(memory_format=trained.format)
        labels = torch.empty(setup.batch, dtype=torch.int64, device=CUDA)
        with counts[0], torch.autocast("cuda", torch.bfloat16, enabled=setup.precision == "bf16"):
            nn.functional.cross_entropy(trained.model(pictures), labels).backward()
        learned = list(trained.model.parameters())
        optimizer = torch.optim.SGD(learned, lr=0.1, momentum=0.9, weight_decay=1e-4, foreach=True)
        for blob in learned:
            optimizer.state[blob]["momentum_buffer"] = torch.empty_like(blob)
        with counts[1]:
            optimizer.step()
    return counts


def steps(setup: Setup) -> Iterator[tuple[str, Callable[[], list[Count]]]]:
    """Every step of the table, by its title."""
    for precision in ("fp32", "bf16"):
        at = replace(setup, precision=precision)
        for replicas in (0, 8):
            for innermost in ("off", "on"):
                layout = "innermost" if innermost == "on" else "outermost"
                title = f"ours, {max(1, replicas)} x {setup.batch}, {precision}, channels {layout}"
                yield title, lambda at=at, r=replicas, i=innermost: ours(at, r, i)
    yield f"ours, test batch of {setup.batch}, fp32", lambda: ours(setup, test=True)
    for batch in (setup.batch, 8 * setup.batch):
        for variant in ("eager", "channels_last"):
            yield (
                f"by hand, {variant}, one batch of {batch}",
                lambda b=batch, v=variant: by_hand(replace(setup, batch=b), v),
            )


def predicted(parts: list[dict[str, float]], precision: str) -> float:
    """Milliseconds of a step on an H200 if its bytes and its products take their time one after the other.

    A prediction, no measurement: the products at the peak rate, which small convolutions do not reach, nothing from the
    cache, and no time between kernels, as if a CUDA graph had none.
    """
    moved, products = (sum(part[unit] for part in parts) * 1e9 for unit in ("GB", "GFLOP"))
    return (moved / BYTES_PER_SECOND + products / FLOPS[precision]) * 1e3


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", nargs="?", default="resnet56")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--operations", action="store_true", help="the operations of each step, too")
    parser.add_argument("--only", default="", metavar="TEXT", help="steps whose title has TEXT")
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(net=args.net, records=64, folder=folder)
        make_data(setup)
        if not args.json:
            print("| step | kernels | GB moved | GFLOP | predicted, ms |\n|---|---|---|---|---|")
        for title, step in steps(setup):
            if args.only not in title:
                continue
            counts = step()
            numbers = [count.numbers() for count in counts]
            if args.json:
                print(json.dumps({"step": title, "parts": numbers}), flush=True)
            else:
                kernels = " + ".join(str(part["kernels"]) for part in numbers)
                moved, products = (sum(part[unit] for part in numbers) for unit in ("GB", "GFLOP"))
                at = {name: predicted(numbers, name) for name in FLOPS}
                fast = f"{at['bf16']:.2f}" if "bf16" in title else f"{at['fp32']:.2f}; tf32 {at['tf32']:.2f}"
                print(f"| {title} | {kernels} | {moved:.2f} | {products:.0f} | {fast} |", flush=True)
            if args.operations:
                for name, number in counts[0].kernels.most_common():
                    print(f"    {name:40} {number:5} {counts[0].bytes[name] / 1e6:12.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
