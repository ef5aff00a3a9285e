"""What the layers that serve batches share: replicas, random state, and where they stand in the data."""

from __future__ import annotations

import base64
from typing import Any, NoReturn

import numpy as np
import torch

from caffe_compat.errors import DataError
from caffe_compat.layers.base import TRAIN, Layer, Shape, where


class DataLayer(Layer):
    """A layer that makes its tops by itself. A type defines `open`, `reshape` and `load`.

    Data parallelism is Caffe's: in TRAIN, replica r of N gets the records whose index % N is r. With
    `context.rank` None this process is all replicas: `load` then gives N times the rows that `reshape`
    says, replica 0's first. Every rank draws the random numbers of all replicas and uses its own, so N
    processes and one process with N replicas see the same batches, and one state fits all of them.

    position   records that all replicas together have been served
    generator  where all draws of this layer come from
    replicas   how many replicas share the records: 1 in TEST
    """

    num_bottom = 0
    is_data = True
    batch_size = 0  # records a replica gets from one load; 0 where there are no records

    def setup(self, *bottom: Shape) -> None:
        self.position = 0
        self.generator = torch.Generator()
        self.generator.manual_seed(int(torch.randint(0, 1 << 62, (1,), generator=self.context.generator)))
        self.replicas = self.context.replicas if self.phase == TRAIN else 1
        self.open()

    def open(self) -> None:
        """Check the parameters and look at the source; its first record says the top shapes."""

    def served(self, batch_size: int) -> np.ndarray:
        """Which of a step's batch_size * replicas records are served here, in serving order (int64)."""
        order = np.arange(batch_size * self.replicas).reshape(batch_size, self.replicas).T
        return (
            order if self.context.rank is None or self.replicas == 1 else order[self.context.rank]
        ).ravel()

    def get_state(self) -> dict[str, Any]:
        """Where this layer stands, as JSON-able values: records served so far, and the random state."""
        random = base64.b64encode(self.generator.get_state().numpy().tobytes()).decode("ascii")
        return {"position": self.position, "rng": random}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on as the layer that gave this state would."""
        self.position = state["position"]
        random = bytearray(base64.b64decode(state["rng"]))
        self.generator.set_state(torch.frombuffer(random, dtype=torch.uint8))

    def skip_batches(self, count: int) -> None:
        """Stand where `count` loads from the first record lead; the random state stays as it is."""
        self.set_state({**self.get_state(), "position": count * self.batch_size * self.replicas})

    def bad_data(self, what: str) -> NoReturn:
        """Raise DataError, naming this layer."""
        raise DataError(f"{where(self.param)}: {what}")
