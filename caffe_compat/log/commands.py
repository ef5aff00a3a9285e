"""What Caffe's tools log of their own, beside the lines of nets and solvers."""

from collections.abc import Iterable, Mapping, Sequence

from caffe_compat.log.glog import ERROR, INFO
from caffe_compat.log.write import Log, Outputs, cpp_float, weighted

# Where the tools announce the device: (no GPU, the list of GPUs, the name of one).
_DEVICE_LINES = {"train": (197, 204, 209), "test": (275, 266, 270), "time": (343, 339, 339)}


class CommandLog(Log):
    """The log of a command."""

    # -- tools/caffe.cpp: the commands --------------------------------------------------------

    def device(self, gpus: Sequence[tuple[int, str]] = (), command: str = "train") -> None:
        """What the command runs on: the (id, name) of each GPU, none for the CPU.

        `train` lists all of them, `test` and `time` the first.
        """
        if command == "extract_features":
            self._line(
                ERROR, f"extract_features.cpp:{52 if gpus else 62}", f"Using {'GPU' if gpus else 'CPU'}"
            )
            if gpus:
                self._line(ERROR, "extract_features.cpp:58", f"Using Device_id={gpus[0][0]}")
            return
        cpu, ids, name = _DEVICE_LINES[command]
        if not gpus:
            self._line(INFO, f"caffe.cpp:{cpu}", "Use CPU.")
        elif command == "train":
            self._line(INFO, f"caffe.cpp:{ids}", f"Using GPUs {', '.join(str(i) for i, _ in gpus)}")
            for i, gpu_name in gpus:
                self._line(INFO, f"caffe.cpp:{name}", f"GPU {i}: {gpu_name}")
        else:
            self._line(INFO, f"caffe.cpp:{ids}", f"Use GPU with device ID {gpus[0][0]}")
            if command == "test":
                self._line(INFO, f"caffe.cpp:{name}", f"GPU device name: {gpus[0][1]}")

    def resuming(self, snapshot: str) -> None:
        self._line(INFO, "caffe.cpp:235", f"Resuming from {snapshot}")

    def starting(self) -> None:
        self._line(INFO, "caffe.cpp:239", "Starting Optimization")

    def command_done(self) -> None:
        """The train command's own last line, after the solver's `optimization_done` or `stopped_early`."""
        self._line(INFO, "caffe.cpp:250", "Optimization Done.")

    def test_iterations(self, count: int) -> None:
        self._line(INFO, "caffe.cpp:281", f"Running for {count} iterations.")

    def batch(self, index: int, name: str, value: float) -> None:
        """The test command: one element of output `name` in batch `index`."""
        self._line(INFO, "caffe.cpp:304", f"Batch {index}, {name} = {cpp_float(value)}")

    def scores(self, loss: float, outputs: Outputs) -> None:
        """The test command's summary: mean loss and the mean of each output element.

        `outputs` are (name, values, loss weight), as for `train_outputs`.
        """
        self._line(INFO, "caffe.cpp:309", f"Loss: {cpp_float(loss)}")
        for name, values, weight in outputs:
            for value in values:
                self._line(INFO, "caffe.cpp:321", f"{name} = {weighted(value, weight)}")

    def querying(self, gpus: str) -> None:
        """The device_query command, before all else."""
        self._line(INFO, "caffe.cpp:138", f"Querying GPUs {gpus}")

    def device_properties(self, device: int, properties: Mapping[str, object]) -> None:
        """What the device_query command tells of one GPU, a line for each property."""
        for label, value in {"Device id": device, **properties}.items():
            self._line(INFO, "common.cpp:186", f"{label + ':':<31}{value}")

    def timing_forward(self) -> None:
        """The time command, before its first forward pass."""
        self._line(INFO, "caffe.cpp:351", "Performing Forward")

    def timing_backward(self, initial_loss: float) -> None:
        """Between its first forward and backward pass."""
        self._line(INFO, "caffe.cpp:356", f"Initial loss: {cpp_float(initial_loss)}")
        self._line(INFO, "caffe.cpp:357", "Performing Backward")

    def timing_begins(self, iterations: int) -> None:
        """After the first passes."""
        self._line(INFO, "caffe.cpp:365", "*** Benchmark begins ***")
        self._line(INFO, "caffe.cpp:366", f"Testing for {iterations} iterations.")

    def timing_iteration(self, index: int, milliseconds: float) -> None:
        """One timed pass; `index` counts from 0 and is printed from 1, as Caffe does."""
        text = f"Iteration: {index + 1} forward-backward time: {cpp_float(milliseconds)} ms."
        self._line(INFO, "caffe.cpp:394", text)

    def timing_ends(
        self,
        layers: Iterable[tuple[str, float, float]],
        forward: float,
        backward: float,
        both: float,
        total: float,
    ) -> None:
        """Means in milliseconds: per layer (name, forward, backward), whole passes, then the sum of all."""
        self._line(INFO, "caffe.cpp:397", "Average time per layer: ")
        for name, layer_forward, layer_backward in layers:
            self._line(INFO, "caffe.cpp:400", f"{name:>10}\tforward: {cpp_float(layer_forward)} ms.")
            self._line(INFO, "caffe.cpp:403", f"{name:>10}\tbackward: {cpp_float(layer_backward)} ms.")
        self._line(INFO, "caffe.cpp:408", f"Average Forward pass: {cpp_float(forward)} ms.")
        self._line(INFO, "caffe.cpp:410", f"Average Backward pass: {cpp_float(backward)} ms.")
        self._line(INFO, "caffe.cpp:412", f"Average Forward-Backward: {cpp_float(both)} ms.")
        self._line(INFO, "caffe.cpp:414", f"Total Time: {cpp_float(total)} ms.")
        self._line(INFO, "caffe.cpp:415", "*** Benchmark ends ***")

    # -- tools/extract_features.cpp, whose lines are of error level ---------------------------

    def features_begin(self) -> None:
        self._line(ERROR, "extract_features.cpp:133", "Extracting Features")

    def features(self, count: int, blob: str, done: bool = False) -> None:
        """How many items of a blob are in its database: after each thousand, and when it is `done`."""
        text = f"Extracted features of {count} query images for feature blob {blob}"
        self._line(ERROR, f"extract_features.cpp:{176 if done else 165}", text)

    def features_end(self) -> None:
        self._line(ERROR, "extract_features.cpp:181", "Successfully extracted the features!")
