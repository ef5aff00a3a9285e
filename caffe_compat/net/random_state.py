"""Where the random numbers that layers draw in `forward` come from.

They come from torch's own generators, one of the CPU and one of the device. Replicas that run in turn, and test nets,
have streams of their own, which are put in the generators' place while they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

State = dict[str, Tensor]  # the states of the generators of a device, by its type, and of the CPU's


class Streams:
    """Random numbers of several users of one device, each of which goes on where it stopped.

    Attributes:
        states: how each user's stream stands, by the user's number.
    """

    def __init__(self, device: torch.device, users: Iterable[int]):
        self._device = device
        self.states = {user: _seeded(seed_of(user), device) for user in users}

    @contextmanager
    def of(self, user: int) -> Iterator[None]:
        """Within it torch draws from this user's stream."""
        around = get_state(self._device)
        set_state(self.states[user], self._device)
        try:
            yield
        finally:
            self.states[user] = get_state(self._device)
            set_state(around, self._device)


def seed_of(user: int) -> int:
    """The seed of a user's stream; user 0's is what torch is seeded with."""
    return (torch.initial_seed() + user) % (1 << 64)


def get_state(device: torch.device) -> State:
    """How torch's generators stand."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_state(state: State, device: torch.device) -> None:
    """Let torch's generators go on from there; one that `state` does not know goes on as it is."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def _seeded(seed: int, device: torch.device) -> State:
    # torch.manual_seed would reach every device there is.
    places = {"cpu": torch.device("cpu"), device.type: device}
    return {kind: torch.Generator(place).manual_seed(seed).get_state() for kind, place in places.items()}
