"""How a net stands before a pass that may fail, such as one that is compiled or recorded, so that nothing counts twice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe_compat.net.random_state import get_state, set_state
from caffe_compat.net.wiring import Wiring


class Before:
    """What a pass may change: what layers carry on, statistics, gradients and random numbers, as they are now."""

    def __init__(self, net: Wiring):
        self._device = net.device
        modules = [
            m for layer in net.layers if not layer.is_data for m in layer.modules()
        ]  # data is read before
        spaces: list[dict[str, Any]] = [
            space for module in modules for space in (vars(module), module._parameters, module._buffers)
        ]
        self._spaces = [(space, dict(space)) for space in spaces]
        self._gradients = [(blob.tensor, blob.tensor.grad) for blob in net.learned]
        held = [value for space in spaces for value in space.values() if isinstance(value, Tensor)]
        held += [gradient for _, gradient in self._gradients if gradient is not None]
        changing = {id(value): value for value in held if not value.requires_grad}
        self._values = [(value, value.detach().clone()) for value in changing.values()]
        self._random = get_state(net.device)

    def restore(self) -> None:
        """Let the net stand so again."""
        for space, fields in self._spaces:
            space.clear()
            space.update(fields)
        with torch.no_grad():
            for value, kept in self._values:
                value.copy_(kept)
        for blob, gradient in self._gradients:
            blob.grad = gradient
        set_state(self._random, self._device)
