#!/usr/bin/env python3
"""Write the nets and solvers of prototxt/ from the compact descriptions in this file.

    python tools/make_prototxt.py               # writes prototxt/*.prototxt
    python tools/make_prototxt.py --out DIR     # writes them elsewhere
    python tools/make_prototxt.py --check       # writes nothing; fails if a file is missing or out of date

NETS and SOLVERS at the end list every file. Layer and blob names are those of the files that the authors
of the super-convergence paper (Smith and Topin, arXiv:1708.07120) published, so trained weights interchange
with them. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent.parent / "prototxt"

LINE_WIDTH = 100
PAPER = "Smith and Topin, arXiv:1708.07120"
WRITTEN_BY = "Written by tools/make_prototxt.py; change that file, not this one."

# -- prototxt text --------------------------------------------------------------------------------

Message = dict[str, Any]  # field -> scalar, message, or a list of either for a repeated field


class Enum(str):
    """A value that prototxt writes without quotes."""


TRAIN, TEST = ({"phase": Enum(phase)} for phase in ("TRAIN", "TEST"))
BIAS_TWICE = [{"lr_mult": 1}, {"lr_mult": 2}]  # `param` of a layer whose bias learns at twice the rate


def scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, Enum):
        return f'"{value}"'
    return str(value)


def entries(message: Message) -> Iterable[tuple[str, Any]]:
    """The fields of a message in order, each value of a repeated one by itself."""
    for field, value in message.items():
        for item in value if isinstance(value, list) else [value]:
            yield field, item


def lines(message: Message, indent: str = "") -> Iterable[str]:
    """A message as prototxt: one field a line, a nested message on one line where it fits."""
    for field, value in entries(message):
        if not isinstance(value, dict):
            yield f"{indent}{field}: {scalar(value)}"
            continue
        nested = list(lines(value, indent + "  "))
        short = f"{indent}{field} {{ {' '.join(line.strip() for line in nested)} }}"
        if field != "layer" and len(short) <= LINE_WIDTH:
            yield short
        else:
            yield from [f"{indent}{field} {{", *nested, f"{indent}}}"]


def document(comment: str, message: Message) -> str:
    """A whole file: the comment, wrapped, a line on where it comes from, and the message."""
    head = [*textwrap.wrap(comment, LINE_WIDTH - 2), WRITTEN_BY]
    return "\n".join([*(f"# {line}" for line in head), "", *lines(message), ""])


# -- nets -----------------------------------------------------------------------------------------


class Builder:
    """A net under construction: a method appends layers and returns the name of the blob they make.

    fraction is BatchNorm's moving_average_fraction; dropout, if not 0, the ratio of a Dropout layer after
    every Scale of a block.
    """

    def __init__(self, name: str, batch: int, fraction: float = 0.95, dropout: float = 0):
        self.net: Message = {"name": name, "layer": []}
        self.batch, self.fraction, self.dropout = batch, fraction, dropout

    def add(self, kind: str, name: str, bottom: str | list[str], top: str | list[str], **fields: Any) -> str:
        """Append one layer, without the fields that are empty."""
        given = {field: value for field, value in fields.items() if value}
        self.net["layer"].append({"name": name, "type": kind, "bottom": bottom, "top": top, **given})
        return top if isinstance(top, str) else top[0]

    def data(self, train: str, test: str, mean: str) -> str:
        """Two Data layers of one name, one a phase; only training pictures are mirrored."""
        for phase, source, mirror in ((TRAIN, train, {"mirror": True}), (TEST, test, {})):
            self.add(
                "Data",
                "dataLayer",
                [],
                ["data_top", "label"],
                include=phase,
                transform_param={**mirror, "crop_size": 32, "mean_file": mean},
                data_param={"source": source, "batch_size": self.batch, "backend": Enum("LMDB")},
            )
        return "data_top"

    def conv(
        self,
        name: str,
        bottom: str,
        outputs: int,
        kernel: int,
        stride: int = 1,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        """A convolution padded to keep the size; its bias learns at twice the rate, undecayed."""
        shape: Message = {"num_output": outputs, "kernel_size": kernel, "pad": kernel // 2, "stride": stride}
        learn = [{"lr_mult": 1, "decay_mult": 1}]
        filler = fillers("msra")
        if group > 1:
            shape["group"] = group
        if bias:
            learn.append({"lr_mult": 2, "decay_mult": 0})
        else:
            shape["bias_term"] = False
            del filler["bias_filler"]
        return self.add(
            "Convolution",
            f"{name}_conv",
            bottom,
            f"{name}_conv_top",
            param=learn,
            convolution_param={**shape, **filler},
        )

    def batch_norm(self, name: str, bottom: str, stored_in_test: bool) -> str:
        """BatchNorm by the batch's own statistics; with stored_in_test, TEST has a layer of the same
        name that uses the stored ones."""
        for phase, stored in ((TRAIN, False), (TEST, True)) if stored_in_test else ((None, False),):
            self.add(
                "BatchNorm",
                f"{name}_bn",
                bottom,
                f"{name}_bn_top",
                include=phase,
                param=[{"lr_mult": 0, "decay_mult": 0}] * 3,
                batch_norm_param={"use_global_stats": stored, "moving_average_fraction": self.fraction},
            )
        return f"{name}_bn_top"

    def relu(self, name: str, blob: str) -> str:
        return self.add("ReLU", f"{name}_relu", blob, blob)

    def sum(self, name: str, *bottom: str) -> str:
        operation = {"operation": Enum("SUM")}
        top = f"{name}_sum_eltwise_top"
        return self.add("Eltwise", f"{name}_sum_eltwise", list(bottom), top, eltwise_param=operation)

    def pool(self, name: str, bottom: str, method: str, kernel: int, stride: int) -> str:
        window = {"pool": Enum(method), "kernel_size": kernel, "stride": stride}
        return self.add("Pooling", name, bottom, name, pooling_param=window)

    def inner_product(self, name: str, bottom: str, top: str, outputs: int) -> str:
        return self.add(
            "InnerProduct",
            name,
            bottom,
            top,
            param=BIAS_TWICE,
            inner_product_param={"num_output": outputs, **fillers("xavier")},
        )

    def classify(self, bottom: str, outputs: int = 10) -> Message:
        """The end of a CIFAR net: each channel's mean, a linear map, accuracy and loss. Returns the net."""
        mean = self.pool("post_pool", bottom, "AVE", kernel=8, stride=1)
        score = self.inner_product("post_FC", mean, "post_FC_top", outputs)
        self.add("Accuracy", "accuracy", [score, "label"], "accuracy")
        self.add("SoftmaxWithLoss", "loss", [score, "label"], "loss")
        return self.net

    # Units of the standard net: convolution, BatchNorm, Scale ...

    def conv_bn_scale(self, name: str, bottom: str, outputs: int, stride: int = 1, dropout: float = 0) -> str:
        top = self.batch_norm(name, self.conv(name, bottom, outputs, 3, stride), stored_in_test=True)
        self.add("Scale", f"{name}_scale", top, top, scale_param={"bias_term": True})
        if dropout:
            self.add("Dropout", f"{name}_dropout", top, top, dropout_param={"dropout_ratio": dropout})
        return top

    def standard_block(self, name: str, bottom: str, outputs: int, halve: bool) -> str:
        """Two units and a sum with the block's input. A halving block has stride 2 and, as its shortcut,
        its input average-pooled; its outputs are those of the stage before."""
        top = self.conv_bn_scale(f"{name}_cbr1", bottom, outputs, 2 if halve else 1, self.dropout)
        top = self.relu(f"{name}_cbr1", top)
        top = self.conv_bn_scale(f"{name}_cbr2", top, outputs, 1, self.dropout)
        shortcut = self.pool(f"{name}_pool", bottom, "AVE", kernel=3, stride=2) if halve else bottom
        return self.relu(name, self.sum(name, top, shortcut))

    def double_channels(self, name: str, bottom: str, channels: int, size: int) -> str:
        """Concatenate zeros, so that channels double without a weight on the shortcut."""
        zeros = self.add(
            "DummyData",
            f"{name}_zeros",
            [],
            f"{name}_zeros",
            dummy_data_param={
                "shape": {"dim": [self.batch, channels, size, size]},
                "data_filler": {"type": "constant", "value": 0},
            },
        )
        top = f"{name}_concat0"
        return self.add("Concat", top, [bottom, zeros], top, concat_param={"axis": 1})

    # ... and of the pre-activation nets: BatchNorm, ReLU, convolution.

    def bn_relu_conv(self, name: str, bottom: str, outputs: int, kernel: int, **options: Any) -> str:
        top = self.relu(name, self.batch_norm(name, bottom, stored_in_test=False))
        return self.conv(name, top, outputs, kernel, **options)

    def bottleneck_block(
        self, name: str, bottom: str, inner: int, outputs: int, stride: int, group: int, project: bool
    ) -> str:
        """1x1 to the inner width, 3x3, 1x1 to the outputs, plus the input or its projection."""
        top = self.bn_relu_conv(f"{name}_brc1", bottom, inner, kernel=1, stride=stride)
        top = self.bn_relu_conv(f"{name}_brc2", top, inner, kernel=3, group=group)
        top = self.bn_relu_conv(f"{name}_brc3", top, outputs, kernel=1)
        if project:
            bottom = self.conv(f"{name}_chanInc", bottom, outputs, kernel=1, stride=stride)
        return self.sum(name, top, bottom)

    # ... and of the wide and the dense net: BatchNorm, Scale, ReLU, then convolutions without bias.

    def bn_scale_relu(self, name: str, bottom: str) -> str:
        top = self.batch_norm(name, bottom, stored_in_test=True)
        self.add("Scale", f"{name}_scale", top, top, scale_param={"bias_term": True})
        return self.relu(name, top)

    def wide_block(self, name: str, bottom: str, outputs: int, stride: int, project: bool) -> str:
        """Two 3x3 convolutions plus the input, or plus a projection of what the first one reads."""
        first = self.bn_scale_relu(f"{name}_brc1", bottom)
        top = self.conv(f"{name}_brc1", first, outputs, 3, stride, bias=False)
        top = self.drop(f"{name}_brc2", self.bn_scale_relu(f"{name}_brc2", top))
        top = self.conv(f"{name}_brc2", top, outputs, 3, bias=False)
        shortcut = self.conv(f"{name}_shortcut", first, outputs, 1, stride, bias=False) if project else bottom
        return self.sum(name, top, shortcut)

    def dense_layer(self, name: str, bottom: str, growth: int) -> str:
        """The input with `growth` channels more, which a 3x3 convolution makes of it."""
        top = self.conv(name, self.bn_scale_relu(name, bottom), growth, 3, bias=False)
        concat = f"{name}_concat0"
        return self.add("Concat", concat, [bottom, self.drop(name, top)], concat, concat_param={"axis": 1})

    def drop(self, name: str, blob: str) -> str:
        if self.dropout:
            self.add("Dropout", f"{name}_dropout", blob, blob, dropout_param={"dropout_ratio": self.dropout})
        return blob


def fillers(weight: str) -> Message:
    return {"weight_filler": {"type": weight}, "bias_filler": {"type": "constant"}}


def cifar(folder: str = "data/cifar10", prefix: str = "cifar10_") -> dict[str, str]:
    """The files that `caffe-compat data` writes to a folder."""
    return {
        "train": f"{folder}/{prefix}train_lmdb",
        "test": f"{folder}/{prefix}test_lmdb",
        "mean": f"{folder}/mean.binaryproto",
    }


def resnet(depth: int, batch: int = 125, paths: dict[str, str] | None = None, **options: float) -> Message:
    """ResNet-`depth`: three stages of (depth - 2) / 6 standard blocks with 16, 32 and 64 outputs."""
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"ResNet-{depth} has no whole number of blocks a stage: depth must be 6n + 2")
    net = Builder(f"ResNet-{depth}", batch, **options)
    blob = net.conv_bn_scale("pre", net.data(**(paths or cifar())), outputs=16)
    blob = net.relu("pre", blob)
    for stage in (1, 2, 3):
        outputs, size = 8 << stage, 64 >> stage
        for block in range(1, blocks + 1):
            name, halve = f"L{stage}_b{block}", stage > 1 and block == 1
            blob = net.standard_block(name, blob, outputs // 2 if halve else outputs, halve)
            if halve:
                blob = net.double_channels(name, blob, outputs // 2, size)
    return net.classify(blob)


def bottleneck_resnet(name: str, batch: int, width: int, group: int = 1) -> Message:
    """A pre-activation net of three stages of 6 bottleneck blocks.

    Inner widths are `width` and its double and fourfold; outputs are 64, 128, 256.
    """
    net = Builder(name, batch)
    blob = net.conv("pre", net.data(**cifar()), outputs=16, kernel=3)
    for stage in (1, 2, 3):
        for block in range(1, 7):
            blob = net.bottleneck_block(
                f"L{stage}_b{block}",
                blob,
                inner=width << (stage - 1),
                outputs=32 << stage,
                stride=2 if stage > 1 and block == 1 else 1,
                group=group,
                project=block == 1,
            )
    return net.classify(net.relu("post", net.batch_norm("post", blob, stored_in_test=False)))


def wide_resnet(
    depth: int, width: int, batch: int = 125, paths: dict[str, str] | None = None, **options: float
) -> Message:
    """WRN-`depth`-`width`: three stages of (depth - 2) / 6 pre-activation blocks, `width` times as wide."""
    net = Builder(f"WRN-{depth}-{width}", batch, **options)
    blob = net.conv("pre", net.data(**(paths or cifar())), outputs=16, kernel=3, bias=False)
    for stage in (1, 2, 3):
        for block in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            name, outputs = f"L{stage}_b{block}", (8 << stage) * width
            blob = net.wide_block(name, blob, outputs, stride, project=block == 1)
    return net.classify(net.bn_scale_relu("post", blob))


def densenet(
    depth: int, growth: int, batch: int = 125, paths: dict[str, str] | None = None, **options: float
) -> Message:
    """DenseNet-`depth`: three stages of (depth - 4) / 3 layers that add `growth` channels each."""
    net = Builder(f"DenseNet-{depth}", batch, **options)
    blob, channels = net.conv("pre", net.data(**(paths or cifar())), outputs=16, kernel=3, bias=False), 16
    for stage in (1, 2, 3):
        if stage > 1:
            name = f"T{stage - 1}"
            blob = net.conv(name, net.bn_scale_relu(name, blob), channels, 1, bias=False)
            blob = net.pool(f"{name}_pool", net.drop(name, blob), "AVE", kernel=2, stride=2)
        for layer in range(1, (depth - 4) // 3 + 1):
            blob, channels = net.dense_layer(f"D{stage}_l{layer}", blob, growth), channels + growth
    return net.classify(net.bn_scale_relu("post", blob))


def lenet() -> Message:
    """LeNet for MNIST with the layers and names of Caffe's own example."""
    net = Builder("LeNet", batch=64)
    for phase, part, batch in ((TRAIN, "train", 64), (TEST, "test", 100)):
        source = {"source": f"data/mnist/mnist_{part}_lmdb", "batch_size": batch, "backend": Enum("LMDB")}
        scale = {"scale": 1 / 256}
        net.add(
            "Data", "mnist", [], ["data", "label"], include=phase, transform_param=scale, data_param=source
        )
    blob = "data"
    for index, outputs in ((1, 20), (2, 50)):
        window = {"num_output": outputs, "kernel_size": 5, "stride": 1, **fillers("xavier")}
        name = f"conv{index}"
        blob = net.add("Convolution", name, blob, name, param=BIAS_TWICE, convolution_param=window)
        blob = net.pool(f"pool{index}", blob, "MAX", kernel=2, stride=2)
    blob = net.inner_product("ip1", blob, "ip1", 500)
    blob = net.add("ReLU", "relu1", blob, blob)
    blob = net.inner_product("ip2", blob, "ip2", 10)
    net.add("Accuracy", "accuracy", [blob, "label"], "accuracy", include=TEST)
    net.add("SoftmaxWithLoss", "loss", [blob, "label"], "loss")
    return net.net


def other_depth(depth: int) -> tuple[str, Callable[[], Message]]:
    comment = f"ResNet-{depth} for CIFAR-10: the family of {PAPER}, table 2, at a depth between its figures'."
    return comment, lambda: resnet(depth)


SLOW = "It is resnet56.prototxt but for BatchNorm's moving_average_fraction, 0.999 for 0.95."
OWN = "BatchNorm uses the batch's own statistics in TEST too, as in the authors' file."

# file -> (the comment at its head, what makes it)
NETS: dict[str, tuple[str, Callable[[], Message]]] = {
    "resnet20": (f"ResNet-20 for CIFAR-10: figures 4b and 6b of {PAPER}.", lambda: resnet(20)),
    "resnet38": other_depth(38),
    "resnet56": (
        f"ResNet-56 for CIFAR-10, as the CLR runs of {PAPER}, had it: figures 1, 2b, 5, 8b, 9a, 10.",
        lambda: resnet(56),
    ),
    "resnet56_pc": (
        f"ResNet-56 for CIFAR-10, as the PC runs of {PAPER}, had it: figures 1a, 6a, 8a. {SLOW}",
        lambda: resnet(56, fraction=0.999),
    ),
    "resnet56_dropout": (
        f"ResNet-56 for CIFAR-10 with Dropout 0.2 after every Scale of a block: figure 9b of {PAPER}.",
        lambda: resnet(56, dropout=0.2),
    ),
    "resnet74": other_depth(74),
    "resnet92": other_depth(92),
    "resnet110": (
        f"ResNet-110 for CIFAR-10, batch 100: figures 4b and 6b of {PAPER}.",
        lambda: resnet(110, batch=100),
    ),
    "bottleneck_resnet56": (
        f"Pre-activation bottleneck ResNet-56 for CIFAR-10, batch 100: figure 11a of {PAPER}. {OWN}",
        lambda: bottleneck_resnet("Bottleneck-ResNet-56", batch=100, width=16),
    ),
    "resnext56": (
        f"ResNeXt-56 for CIFAR-10, 3x3 convolutions in 32 groups, batch 85: figure 11b of {PAPER}. {OWN}",
        lambda: bottleneck_resnet("ResNeXt-56", batch=85, width=32, group=32),
    ),
    "wide_resnet32_4": (
        "Wide ResNet for CIFAR-10 (Zagoruyko and Komodakis, arXiv:1605.07146), 5 blocks a stage, 4 times as wide.",
        lambda: wide_resnet(32, 4),
    ),
    "densenet40": (
        "DenseNet-40 for CIFAR-10 (Huang et al., arXiv:1608.06993), growth 12, no bottlenecks, no compression.",
        lambda: densenet(40, 12),
    ),
    "quickstart": (
        "The net of tools/quickstart.sh: resnet20.prototxt on the pictures of `caffe-compat data shapes`.",
        lambda: resnet(20, paths=cifar("data/shapes", prefix="")),
    ),
    "lenet": (
        "LeNet for MNIST, layers and names as in Caffe's example, on the LMDBs of `caffe-compat data mnist`.",
        lenet,
    ),
}

# -- solvers --------------------------------------------------------------------------------------


def solver(net: str, schedule: Message, snapshot: int, prefix: str) -> Message:
    """A solver with what all runs of the paper share: a test and a displayed line every 100 iterations."""
    return {
        "net": f"prototxt/{net}.prototxt",
        "test_iter": 200,
        "test_interval": 100,
        "display": 100,
        **schedule,
        "weight_decay": 1e-4,
        "snapshot": snapshot,
        "snapshot_prefix": prefix,
    }


def triangular(base_lr: float, max_lr: float, stepsize: int, max_iter: int) -> Message:
    rates = {"lr_policy": "triangular", "base_lr": base_lr, "max_lr": max_lr, "stepsize": stepsize}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


def multistep(base_lr: float, gamma: float, stepvalue: list[int], max_iter: int) -> Message:
    rates = {"lr_policy": "multistep", "base_lr": base_lr, "gamma": gamma, "stepvalue": stepvalue}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


def one_cycle(base_lr: float, max_lr: float, stepsize: int, max_iter: int) -> Message:
    rates = {"lr_policy": "1cycle", "base_lr": base_lr, "max_lr": max_lr, "stepsize": stepsize}
    return {**rates, "max_iter": max_iter, "momentum": 0.95, "cyclical_momentum": [0.85, stepsize]}


def inverse(base_lr: float, gamma: float, power: float, max_iter: int) -> Message:
    rates = {"lr_policy": "inv", "base_lr": base_lr, "gamma": gamma, "power": power}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


EIGHT = "The paper's run had 8 GPUs: --gpu 0,1,2,3,4,5,6,7 or, on one device, --replicas 8."

ONE_CYCLE = """1cycle policy of Smith, arXiv:1803.09820: the rate rises and falls once while momentum falls
and rises, then the rate stays at base_lr / 1000. cyclical_momentum is given twice: the least momentum, and
its step size. The values are this project's choice, not a published run's."""

# file -> (the comment at its head, the solver)
SOLVERS: dict[str, tuple[str, Message]] = {
    "clr_solver": (
        f"CLR: the learning rate rises from 0.1 to 3 and falls back, once; figure 1a of {PAPER}. {EIGHT}",
        solver("resnet56", triangular(0.1, 3, 5000, 10000), 1000, "data/cifar10/clr"),
    ),
    "pc_solver": (
        f"PC: a piecewise constant learning rate, 0.35 divided by 10 twice; figure 1a of {PAPER}. {EIGHT}",
        solver("resnet56_pc", multistep(0.35, 0.1, [50000, 70000], 80000), 5000, "data/cifar10/pc"),
    ),
    "lr_range_solver": (
        f"Learning-rate range test: 0 to 3 in 20,000 iterations; figure 2b of {PAPER}. {EIGHT}",
        solver("resnet56", triangular(0, 3, 20000, 20000), 5000, "data/cifar10/lr_range"),
    ),
    "one_cycle_solver": (
        ONE_CYCLE,
        solver("resnet56", one_cycle(0.1, 1, 4500, 10000), 1000, "data/cifar10/one_cycle"),
    ),
    "quickstart_solver": (
        "The run of tools/quickstart.sh: one short cycle of the learning rate, for one replica on a CPU.",
        solver("quickstart", triangular(0.1, 1, 150, 300), 100, "data/shapes/quickstart")
        | {"test_iter": 16, "test_interval": 50, "test_initialization": False, "display": 20},
    ),
    "lenet_solver": (
        "LeNet on MNIST with the settings of Caffe's own example.",
        solver("lenet", inverse(0.01, 0.0001, 0.75, 10000), 5000, "data/mnist/lenet")
        | {"test_iter": 100, "test_interval": 500, "weight_decay": 5e-4},
    ),
}

# -- the command ----------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """Every file's name and content."""
    made = {name: document(comment, make()) for name, (comment, make) in NETS.items()}
    made.update((name, document(comment, message)) for name, (comment, message) in SOLVERS.items())
    return {f"{name}.prototxt": content for name, content in made.items()}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: prototxt/)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    args = parser.parse_args(argv)
    paths = {args.out / name: content for name, content in files().items()}
    if args.check:
        stale = [path for path, content in paths.items() if not path.is_file() or path.read_text() != content]
        for path in stale:
            print(f"{path}: missing or out of date; run python tools/make_prototxt.py", file=sys.stderr)
        return int(bool(stale))
    args.out.mkdir(parents=True, exist_ok=True)
    for path, content in paths.items():
        path.write_text(content)
    print(f"wrote {len(paths)} files to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
