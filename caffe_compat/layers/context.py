"""What a layer may know of the run it is built for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import torch

from caffe_compat.layers.common.batch_statistics import Statistics
from caffe_compat.log import names

TRAIN, TEST = 0, 1  # Caffe's Phase enum


def _fresh_generator() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


@dataclass
class Context:
    """What a layer may know of the run it is built for.

    generator  the CPU random generator that fillers and data layers draw from
    root       relative paths inside the net start here ("" is the working directory)
    replicas   how many data-parallel replicas share the data (Caffe's solver_count)
    rank       which process of `ranks` this is (Caffe's solver_rank); None means the only one
    ranks      how many processes share the replicas: process r runs replicas r, r + ranks, ...; None means one each
    dtype      of blobs and tops
    grouped    whether virtual replicas run as one batch, in which layers keep them apart; False where they run in turn
    device     where blobs are made; "meta" gives them shapes and no values, for a net that is looked at and never run
    told       the layers that have warned already; the nets of a run share it
    statistics  what the normalisations of a pass share, while one runs that adds their batches to the sums at its end
    ignore_unknown  whether a fork's fields that a layer does not act on are warned of, and no error
    """

    generator: torch.Generator = field(default_factory=_fresh_generator)
    root: str = ""
    replicas: int = 1
    rank: int | None = 0
    ranks: int | None = None
    dtype: torch.dtype = torch.float32
    grouped: bool = True
    device: str = "cpu"
    ignore_unknown: bool = False
    told: set[str] = field(default_factory=set)
    statistics: Statistics | None = None

    def path(self, name: str) -> str:
        """Where the file is that a field of the net names."""
        return os.path.join(self.root, names.file_name(name))

    def __getstate__(self) -> dict[str, Any]:
        # As bytes: a generator's own pickle holds a tensor that is gone before a spawned process asks for it.
        return {**self.__dict__, "generator": self.generator.get_state().numpy().tobytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stands = torch.frombuffer(bytearray(state["generator"]), dtype=torch.uint8)
        self.__dict__.update(state, generator=torch.Generator().set_state(stands))

    @property
    def held(self) -> range:
        """The replicas that this process runs."""
        if self.rank is None:
            return range(self.replicas)
        return range(self.rank, self.replicas, self.ranks or self.replicas)

    @property
    def processes(self) -> int:
        """How many processes share the replicas."""
        return 1 if self.rank is None else min(self.ranks or self.replicas, self.replicas)

    @property
    def virtual_replicas(self) -> int:
        """How many replicas the bottoms of a layer hold: record i of them is the (i mod N)-th one's of `held`."""
        return len(self.held) if self.grouped else 1
