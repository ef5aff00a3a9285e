"""What this package is compared with: the same ResNet and the same training, written by hand in PyTorch.

Eager nn.Conv2d, nn.BatchNorm2d and torch.optim.SGD; in-place ReLU; the data held as one uint8 tensor.
`channels_last` and `compile` are the two switches that a careful engineer would try next.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VARIANTS = ("eager", "channels_last", "compile")


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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.relu(self.bn(self.conv(x))))
        return self.fc(x.mean((2, 3)))


class Training:
    """A training run: `step` does one iteration and returns its loss, still a tensor.

    Args:
        images: uint8 (records, 3, 32, 32), labels: integers (records,), mean: float32 (3, 32, 32).
        variant: one of VARIANTS.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, mean: Tensor, depth: int, batch: int, variant: str = "eager"
    ):
        self.images, self.labels, self.mean, self.batch = images, labels.long(), mean, batch
        self.model: nn.Module = ResNet(depth)
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
        if variant == "compile":
            self.model = torch.compile(self.model)  # type: ignore[assignment]
        self.iter = 0

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """The next pictures, mean subtracted, half of them mirrored; sequential, wrapping."""
        index = torch.arange(self.iter * self.batch, (self.iter + 1) * self.batch) % len(self.images)
        x = self.images[index].float() - self.mean
        coin = torch.rand(self.batch, 1, 1, 1) < 0.5
        x = torch.where(coin, x.flip(3), x).contiguous(memory_format=self.format)
        return x, self.labels[index]

    def step(self) -> Tensor:
        rate = 0.1 + (3 - 0.1) * self.iter / 5000  # the rising half of the paper's triangle
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        x, label = self.next_batch()
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), label)
        loss.backward()
        self.optimizer.step()
        self.iter += 1
        return loss.detach()
