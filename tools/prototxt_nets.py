"""The nets of prototxt/: a builder of layers, and a function for each family of nets."""

from __future__ import annotations

from typing import Any

from tools.prototxt_text import BIAS_TWICE, TEST, TRAIN, Enum, Message


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
