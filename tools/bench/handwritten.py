"""What this package is compared with: the same nets and the same training, written by hand in PyTorch.

Eager nn.Conv2d, nn.BatchNorm2d and torch.optim.SGD; in-place ReLU; the data held as one uint8 tensor.
`channels_last` and `compile` are the two switches that a careful engineer would try next.
"""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VARIANTS = ("eager", "channels_last", "compile", "graphs")


class Block(nn.Module):
    """Two convolutions and a sum; a halving one has stride 2, a pooled shortcut and zeros as new channels."""

    def __init__(self, channels: int, halve: bool, momentum: float):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 2 if halve else 1, padding=1)
        self.bn1 = nn.BatchNorm2d(channels, momentum=momentum)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels, momentum=momentum)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.AvgPool2d(3, 2, ceil_mode=True) if halve else nn.Identity()
        self.new_channels = channels if halve else 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y = self.relu(y + self.shortcut(x))
        return F.pad(y, (0, 0, 0, 0, 0, self.new_channels)) if self.new_channels else y


class ResNet(nn.Module):
    """ResNet-`depth` for 3 x 32 x 32 pictures; parameters in the order of the prototxt's blobs.

    fraction is Caffe's moving_average_fraction, 1 - momentum in torch's terms.
    """

    def __init__(self, depth: int, fraction: float = 0.95, classes: int = 10):
        super().__init__()
        momentum = 1 - fraction
        blocks = (depth - 2) // 6
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.bn = nn.BatchNorm2d(16, momentum=momentum)
        self.relu = nn.ReLU(inplace=True)
        stages = [(16, False)] * blocks
        for channels in (16, 32):
            stages += [(channels, True)] + [(2 * channels, False)] * (blocks - 1)
        self.blocks = nn.Sequential(*(Block(channels, halve, momentum) for channels, halve in stages))
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.relu(self.bn(self.conv(x))))
        return self.fc(x.mean((2, 3)))


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class WideBlock(nn.Module):
    """Pre-activation: BatchNorm, ReLU, convolution, twice, plus the input or a projection of what conv1 reads."""

    def __init__(self, inputs: int, outputs: int, stride: int, project: bool, momentum: float):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, momentum=momentum)
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.bn2 = nn.BatchNorm2d(outputs, momentum=momentum)
        self.conv2 = convolution(outputs, outputs)
        self.shortcut = convolution(inputs, outputs, 1, stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu_(self.bn1(x))
        y = self.conv2(F.relu_(self.bn2(self.conv1(first))))
        return y + (x if self.shortcut is None else self.shortcut(first))


class WideResNet(nn.Module):
    """WRN-`depth`-`width` for 3 x 32 x 32 pictures."""

    def __init__(self, depth: int, width: int, fraction: float = 0.95, classes: int = 10):
        super().__init__()
        momentum, inputs, blocks = 1 - fraction, 16, []
        for stage in (1, 2, 3):
            outputs = (8 << stage) * width
            for block in range((depth - 2) // 6):
                stride = 2 if stage > 1 and block == 0 else 1
                blocks.append(WideBlock(inputs, outputs, stride, block == 0, momentum))
                inputs = outputs
        self.conv = convolution(3, 16)
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(inputs, momentum=momentum)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu_(self.bn(self.blocks(self.conv(x)))).mean((2, 3)))


class DenseLayer(nn.Module):
    """The input with `growth` channels more."""

    def __init__(self, inputs: int, growth: int, momentum: float):
        super().__init__()
        self.bn = nn.BatchNorm2d(inputs, momentum=momentum)
        self.conv = convolution(inputs, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(F.relu_(self.bn(x)))], 1)


class DenseNet(nn.Module):
    """DenseNet-`depth` for 3 x 32 x 32 pictures: no bottlenecks, no compression."""

    def __init__(self, depth: int, growth: int, fraction: float = 0.95, classes: int = 10):
        super().__init__()
        momentum, channels = 1 - fraction, 16
        parts: list[nn.Module] = [convolution(3, channels)]
        for stage in (1, 2, 3):
            if stage > 1:
                parts += [
                    nn.BatchNorm2d(channels, momentum=momentum),
                    nn.ReLU(inplace=True),
                    convolution(channels, channels, 1),
                    nn.AvgPool2d(2),
                ]
            for _ in range((depth - 4) // 3):
                parts.append(DenseLayer(channels, growth, momentum))
                channels += growth
        parts += [nn.BatchNorm2d(channels, momentum=momentum), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*parts)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3)))


FAMILIES: dict[str, type[nn.Module]] = {"resnet": ResNet, "wide_resnet": WideResNet, "densenet": DenseNet}


def sizes(name: str) -> tuple[str, list[int]]:
    """Family and sizes of a net's name: resnet56, wide_resnet32_4 (depth, width), densenet40_12 (depth, growth)."""
    match = re.fullmatch(r"([a-z_]+?)(\d+(?:_\d+)*)", name)
    if not match or match[1] not in FAMILIES:
        raise ValueError(
            f"no net {name!r}; a name is one of {', '.join(FAMILIES)} and its sizes, as resnet56"
        )
    return match[1], [int(size) for size in match[2].split("_")]


def module(name: str) -> nn.Module:
    """The net of this name, its convolutions filled as in the prototxt."""
    family, numbers = sizes(name)
    made = FAMILIES[family](*numbers)
    for part in made.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return made


class Training:
    """A training run: `step` does one iteration and returns its loss, still a tensor.

    Args:
        images: uint8 (records, 3, H, W), labels: integers (records,), mean: float32 (3, H, W).
        variant: one of VARIANTS; graphs is what torch.compile makes of a GPU's "reduce-overhead".
        device: where the net and all the pictures lie.
        precision: fp32, tf32 or bf16, as for ours. Left alone, torch lets cuDNN round fp32 to tf32.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        mean: Tensor,
        model: nn.Module,
        batch: int,
        variant: str = "eager",
        device: Any = "cpu",
        precision: str = "fp32",
    ):
        self.device, self.batch = torch.device(device), batch
        self.images, self.labels, self.mean = images.to(device), labels.long().to(device), mean.to(device)
        self.model = model.to(device)
        self.casts = torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16")
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        self.format = torch.contiguous_format
        if variant == "channels_last":
            self.format = torch.channels_last
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # As in the prototxt: biases learn at twice the rate, those of convolutions without decay.
        of_conv: list[nn.Parameter] = []
        fc_bias: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if name == "fc.bias":
                fc_bias.append(parameter)
            else:
                (of_conv if "conv" in name and name.endswith("bias") else rest).append(parameter)
        self.optimizer = torch.optim.SGD(
            [
                {"params": rest, "scale": 1},
                {"params": of_conv, "scale": 2, "weight_decay": 0},
                {"params": fc_bias, "scale": 2},
            ],
            lr=0.1,
            momentum=0.9,
            weight_decay=1e-4,
        )
        if variant in ("compile", "graphs"):
            mode = "reduce-overhead" if variant == "graphs" else "default"
            self.model = torch.compile(self.model, mode=mode)  # type: ignore[assignment]
        self.iter = 0

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """The next pictures, mean subtracted, half of them mirrored; sequential, wrapping."""
        first = self.iter * self.batch
        index = torch.arange(first, first + self.batch, device=self.device) % len(self.images)
        x = self.images[index].float() - self.mean
        coin = torch.rand(self.batch, 1, 1, 1, device=self.device) < 0.5
        x = torch.where(coin, x.flip(3), x).contiguous(memory_format=self.format)
        return x, self.labels[index]

    def step(self) -> Tensor:
        rate = 0.1 + (3 - 0.1) * self.iter / 5000  # the rising half of the paper's triangle
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        x, label = self.next_batch()
        self.optimizer.zero_grad()
        with self.casts:
            loss = F.cross_entropy(self.model(x), label)
        loss.backward()
        self.optimizer.step()
        self.iter += 1
        return loss.detach()
