"""What a log tells: its runs, their nets, and the rows of figures."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class TrainRow:
    """What was displayed for one training iteration; None and {} where the log says nothing.

    `line` counts from 1; `seconds` since the solver started (of computing, where runs were resumed).
    An output of several elements gives `name`, `name[1]`, `name[2]` ...
    """

    iteration: int
    line: int
    seconds: float | None = None
    loss: float | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    speed: float | None = None  # iterations a second, as printed
    outputs: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class TestRow:
    """One pass of test net `net`; `loss` is the `Test loss` of solvers with test_compute_loss."""

    iteration: int
    line: int
    seconds: float | None = None
    net: int = 0
    loss: float | None = None
    outputs: dict[str, float] = field(default_factory=dict)

    __test__ = False  # no test case, whatever its name tells pytest


@dataclass(slots=True)
class LayerLog:
    """How one layer was set up. `memory` is the running sum that Caffe prints, in bytes."""

    name: str
    bottoms: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    in_place: list[bool] = field(default_factory=list)
    top_shapes: list[tuple[int, ...]] = field(default_factory=list)
    loss_weights: dict[int, float] = field(default_factory=dict)  # by top
    memory: int | None = None
    needs_backward: bool | None = None


@dataclass(slots=True)
class NetLog:
    """One net: `role` train or test, `index` of a test net, `source` as the solver names it.

    `text` is the echoed prototxt. glog cuts a message off after 30,000 characters: `whole` tells
    whether the end is there, and `parsable` is what is left without the layer that was cut.
    """

    role: str
    index: int = 0
    source: str = ""
    text: str = ""
    inputs: list[str] = field(default_factory=list)
    layers: list[LayerLog] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    initialized: bool = False

    @property
    def whole(self) -> bool:
        return self.parsable == self.text

    @property
    def parsable(self) -> str:
        return self.text[: self.text.rfind("\n}\n") + 3] if "\n}\n" in self.text else ""

    @property
    def memory(self) -> int | None:
        """Bytes of all tops, the last `Memory required for data`."""
        return next((layer.memory for layer in reversed(self.layers) if layer.memory is not None), None)


@dataclass
class RunLog:
    """One training (or testing) run.

    source        the file's name
    solver        the echoed solver, prototxt
    nets          as they were built, the training net first
    train, test   the displayed rows, in the order of the log
    losses        the outputs that are losses: name -> weight
    scores        name -> mean, of the test command
    gpus          names as printed, by id
    weights       the caffemodels that the run was finetuned from
    done          the log goes on to the end of the optimization
    stopped       a signal ended it before
    """

    source: str
    line: int = 1
    solver: str = ""
    nets: list[NetLog] = field(default_factory=list)
    train: list[TrainRow] = field(default_factory=list)
    test: list[TestRow] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    gpus: dict[int, str] = field(default_factory=dict)
    snapshots: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    resumed_from: str = ""
    net_name: str = ""
    lr_policy: str = ""
    done: bool = False
    stopped: bool = False

    @property
    def empty(self) -> bool:
        return not (self.solver or self.nets or self.net_name or self.train or self.test or self.scores)
