"""AlexNet, GoogLeNet, ResNet-50 and ResNet-56, each twice: as a Caffe net and written by hand in PyTorch.

The shapes are those of the published nets (bvlc_alexnet, bvlc_googlenet without its side losses, ResNet-50 with
BatchNorm and Scale, the super-convergence paper's ResNet-56); the weights are random and equal in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tools.bench.handwritten import ResNet

SIZES = {"alexnet": 227, "googlenet": 224, "resnet50": 224, "resnet56": 32}


class Prototxt:
    """Writes the layers of a net, one after the other; each method returns the name of its top.

    With `folder`, a bench's data set of pictures of this size, the net trains on it; without, it is a deploy net.
    """

    def __init__(self, batch: int, size: int, folder: str = ""):
        self.folder, self.batch, self.size = folder, batch, size
        if folder:
            self.text = (
                'layer { name: "data" type: "Data" top: "data" top: "label" '
                f'transform_param {{ mirror: true mean_file: "{folder}/mean{size}.binaryproto" }} data_param {{ '
                f'source: "{folder}/train{size}_lmdb" batch_size: {batch} backend: LMDB }} }}\n'
            )
        else:
            self.text = (
                'layer { name: "data" type: "Input" top: "data" input_param { shape { '
                f"dim: {batch} dim: 3 dim: {size} dim: {size} }} }} }}\n"
            )
        self.count = 0

    def add(self, kind: str, bottoms: str | list[str], param: str = "", in_place: bool = False) -> str:
        bottoms = [bottoms] if isinstance(bottoms, str) else bottoms
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        top = bottoms[0] if in_place else name
        lines = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        self.text += f'layer {{ name: "{name}" type: "{kind}" {lines} top: "{top}" {param} }}\n'
        return top

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        return self.add(
            "Convolution",
            x,
            f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} stride: {stride} pad: {pad} "
            f'group: {group} bias_term: {str(bias).lower()} weight_filler {{ type: "msra" }} }}',
        )

    def relu(self, x: str) -> str:
        return self.add("ReLU", x, in_place=True)

    def pool(self, x: str, kernel: int, stride: int, pad: int = 0, method: str = "MAX") -> str:
        return self.add(
            "Pooling",
            x,
            f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} }}",
        )

    def lrn(self, x: str) -> str:
        return self.add("LRN", x, "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def full(self, x: str, outputs: int) -> str:
        return self.add(
            "InnerProduct",
            x,
            f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }}',
        )

    def normalised(
        self, x: str, outputs: int, kernel: int, stride: int = 1, pad: int = 0, bias: bool = False
    ) -> str:
        x = self.add("BatchNorm", self.conv(x, outputs, kernel, stride, pad, bias=bias), in_place=True)
        return self.add("Scale", x, "scale_param { bias_term: true }", in_place=True)

    def classified(self, scores: str) -> str:
        """The text of the net, which ends with a loss or with probabilities."""
        if self.folder:
            self.add("SoftmaxWithLoss", [scores, "label"])
        else:
            self.add("Softmax", scores)
        return self.text


def alexnet_prototxt(batch: int, folder: str = "") -> str:
    net = Prototxt(batch, SIZES["alexnet"], folder)
    x = net.pool(net.lrn(net.relu(net.conv("data", 96, 11, 4))), 3, 2)
    x = net.pool(net.lrn(net.relu(net.conv(x, 256, 5, 1, 2, group=2))), 3, 2)
    x = net.relu(net.conv(x, 384, 3, 1, 1))
    x = net.relu(net.conv(x, 384, 3, 1, 1, group=2))
    x = net.pool(net.relu(net.conv(x, 256, 3, 1, 1, group=2)), 3, 2)
    for _ in range(2):
        x = net.add("Dropout", net.relu(net.full(x, 4096)), in_place=True)
    return net.classified(net.full(x, 1000))


INCEPTIONS = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (),
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), (),
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
"""Outputs of the six convolutions of each inception block; () is a pooling that halves the picture."""


def googlenet_prototxt(batch: int, folder: str = "") -> str:
    net = Prototxt(batch, SIZES["googlenet"], folder)
    x = net.lrn(net.pool(net.relu(net.conv("data", 64, 7, 2, 3)), 3, 2))
    x = net.relu(net.conv(net.relu(net.conv(x, 64, 1)), 192, 3, 1, 1))
    x = net.pool(net.lrn(x), 3, 2)
    for block in INCEPTIONS:
        if not block:
            x = net.pool(x, 3, 2)
            continue
        one, before3, three, before5, five, pooled = block
        x = net.add(
            "Concat",
            [
                net.relu(net.conv(x, one, 1)),
                net.relu(net.conv(net.relu(net.conv(x, before3, 1)), three, 3, 1, 1)),
                net.relu(net.conv(net.relu(net.conv(x, before5, 1)), five, 5, 1, 2)),
                net.relu(net.conv(net.pool(x, 3, 1, 1), pooled, 1)),
            ],
        )
    x = net.add("Dropout", net.pool(x, 7, 1, method="AVE"), in_place=True)
    return net.classified(net.full(x, 1000))


STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""ResNet-50: inner width, blocks and stride of each stage."""


def resnet50_prototxt(batch: int, folder: str = "") -> str:
    net = Prototxt(batch, SIZES["resnet50"], folder)
    normalised = net.normalised
    x = net.pool(net.relu(normalised("data", 64, 7, 2, 3)), 3, 2)
    for width, blocks, stride in STAGES:
        for block in range(blocks):
            step = stride if block == 0 else 1
            shortcut = normalised(x, 4 * width, 1, step) if block == 0 else x
            y = net.relu(normalised(x, width, 1, step))
            y = normalised(net.relu(normalised(y, width, 3, 1, 1)), 4 * width, 1)
            x = net.relu(net.add("Eltwise", [shortcut, y]))
    return net.classified(net.full(net.pool(x, 7, 1, method="AVE"), 1000))


def resnet56_prototxt(batch: int, folder: str = "") -> str:
    net = Prototxt(batch, SIZES["resnet56"], folder)
    x, channels, size = net.relu(net.normalised("data", 16, 3, 1, 1, bias=True)), 16, 32
    for stage in (1, 2, 3):
        for block in range(9):
            stride = 2 if stage > 1 and block == 0 else 1
            y = net.relu(net.normalised(x, channels, 3, stride, 1, bias=True))
            y = net.normalised(y, channels, 3, 1, 1, bias=True)
            x = net.relu(net.add("Eltwise", [y, net.pool(x, 3, 2, method="AVE") if stride == 2 else x]))
            if stride == 2:
                size //= 2
                zeros = net.add(
                    "DummyData",
                    [],
                    f"dummy_data_param {{ shape {{ dim: {batch} dim: {channels} dim: {size} dim: {size} }} }}",
                )
                x, channels = net.add("Concat", [x, zeros]), 2 * channels
    return net.classified(net.full(net.pool(x, 8, 1, method="AVE"), 10))


def probabilities(module: nn.Module, scores: Tensor) -> Tensor:
    """What a net ends with: while it trains, the loss makes the probabilities."""
    return scores if module.training else scores.softmax(1)


class AlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        relu, pool, lrn = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True), nn.LocalResponseNorm(5)
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4), relu, lrn, pool,
            nn.Conv2d(96, 256, 5, padding=2, groups=2), relu, lrn, pool,
            nn.Conv2d(256, 384, 3, padding=1), relu,
            nn.Conv2d(384, 384, 3, padding=1, groups=2), relu,
            nn.Conv2d(384, 256, 3, padding=1, groups=2), relu, pool,
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(9216, 4096),
            relu,
            nn.Dropout(),
            nn.Linear(4096, 4096),
            relu,
            nn.Dropout(),
            nn.Linear(4096, 1000),
        )

    def forward(self, x: Tensor) -> Tensor:
        return probabilities(self, self.classifier(self.features(x).flatten(1)))


class Inception(nn.Module):
    def __init__(self, inputs: int, one: int, before3: int, three: int, before5: int, five: int, pooled: int):
        super().__init__()
        self.one = nn.Conv2d(inputs, one, 1)
        self.before3 = nn.Conv2d(inputs, before3, 1)
        self.three = nn.Conv2d(before3, three, 3, padding=1)
        self.before5 = nn.Conv2d(inputs, before5, 1)
        self.five = nn.Conv2d(before5, five, 5, padding=2)
        self.pooled = nn.Conv2d(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = F.relu_(self.three(F.relu_(self.before3(x))))
        five = F.relu_(self.five(F.relu_(self.before5(x))))
        pooled = F.relu_(self.pooled(F.max_pool2d(x, 3, 1, 1)))
        return torch.cat([F.relu_(self.one(x)), three, five, pooled], 1)


class GoogLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        relu, pool, lrn = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True), nn.LocalResponseNorm(5)
        parts: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3), relu, pool, lrn, nn.Conv2d(64, 64, 1), relu,
            nn.Conv2d(64, 192, 3, padding=1), relu, lrn, pool,
        ]  # fmt: skip
        inputs = 192
        for block in INCEPTIONS:
            parts.append(Inception(inputs, *block) if block else pool)
            inputs = block[0] + block[2] + block[4] + block[5] if block else inputs
        self.features = nn.Sequential(*parts, nn.AvgPool2d(7, 1))
        self.classifier = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return probabilities(self, self.classifier(self.features(x).flatten(1)))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if inputs != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(self.shortcut(x) + self.body(x))


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        ]  # fmt: skip
        inputs = 64
        for width, blocks, stride in STAGES:
            for block in range(blocks):
                parts.append(Bottleneck(inputs, width, stride if block == 0 else 1))
                inputs = 4 * width
        self.features = nn.Sequential(*parts, nn.AvgPool2d(7))
        self.classifier = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return probabilities(self, self.classifier(self.features(x).flatten(1)))


class ResNet56(ResNet):
    def __init__(self) -> None:
        super().__init__(56)

    def forward(self, x: Tensor) -> Tensor:
        return probabilities(self, super().forward(x))


NETS: dict[str, tuple[Callable[..., str], Callable[[], nn.Module]]] = {
    "alexnet": (alexnet_prototxt, AlexNet),
    "googlenet": (googlenet_prototxt, GoogLeNet),
    "resnet50": (resnet50_prototxt, ResNet50),
    "resnet56": (resnet56_prototxt, ResNet56),
}


def learned(module: nn.Module) -> Iterator[Tensor]:
    """The weights and biases of convolutions and inner products, in order."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            yield from (blob for blob in (part.weight, part.bias) if blob is not None)
