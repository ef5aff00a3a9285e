"""Caffe logs made up for tests, and a stand-in for `caffe-compat train` that writes them without training."""

import io
import math
import sys
from pathlib import Path

from caffe_compat.log.commands import CommandLog

NET_ECHO = """name: "{name}"
layer {{
  name: "data"
  type: "Data"
  data_param {{
    batch_size: {batch}
  }}
}}
layer {{
  name: "bn"
  type: "BatchNorm"
  batch_norm_param {{
    moving_average_fraction: {fraction:g}
  }}
}}
"""


def write_log(path, tests=(), train=(), solver="", net="", done=True, accuracy="accuracy"):
    """A log of (iteration, accuracy, test loss) and (iteration, loss, rate) rows; returns its path."""
    stream = io.StringIO()
    log = CommandLog(stream, progress=False)
    log.device()
    log.initializing_solver(solver)
    if net:
        log.train_net("net", "net.prototxt")
        log.initializing_net(net)
        log.net_initialized()
    log.solving("made up", "triangular")
    rows = [(i, 0, (a, l)) for i, a, l in tests] + [(i, 1, (loss, lr)) for i, loss, lr in train]
    for iteration, kind, values in sorted(rows):
        if kind == 0:
            log.testing(iteration, 0)
            outputs = [("loss", [values[1]], 1.0)]
            if values[0] is not None:
                outputs.insert(0, (accuracy, [values[0]], 0.0))
            log.test_outputs(outputs)
        else:
            log.iteration(iteration, values[0], 1, 0.5, 100)
            if values[1] is not None:
                log.learning_rate(iteration, values[1])
    if done:
        log.optimization_done()
    Path(path).write_text(stream.getvalue())
    return Path(path)


def range_test(path, accuracy, top=3.0, points=60, train_loss=None, test_loss=None, solver=""):
    """The log of a linear range test from 0 to `top`; the curves are functions of the rate."""
    rates = [top * i / (points - 1) for i in range(points)]
    tests = [(i, accuracy(lr), (test_loss or (lambda lr: 0.8))(lr)) for i, lr in enumerate(rates)]
    train = [
        (i, (train_loss or (lambda lr: 2.3 * math.exp(-9 * lr) + 0.2))(lr), lr) for i, lr in enumerate(rates)
    ]
    return write_log(path, tests, train, solver)


# Run as `python -c TRAINER caffe-compat's words`: writes what train would, snapshots included, at once. The folder's
# file `orders` may say "kill N" (die at iteration N, once), "slow" (until a signal) or "fail TEXT".
TRAINER = r"""
import os, re, signal, sys, time
words = sys.argv[1:]
option = lambda name: words[words.index(name) + 1] if name in words else ""
solver = open(option("--solver")).read()
folder = os.path.dirname(option("--solver"))
number = lambda name: int(re.search(rf"^{name}: (\d+)", solver, re.M)[1])
prefix = re.search(r'snapshot_prefix: "(.*)"', solver)[1]
orders = os.path.join(folder, "orders")
order = open(orders).read().split(" ", 1) if os.path.exists(orders) else [""]
stop = []
signal.signal(signal.SIGINT, lambda *_: stop.append(1))
say = lambda text: print(f"I1122 03:04:05.{at:06} 77 solver.cpp:1] {text}", file=sys.stderr, flush=True)
at = int(re.search(r"_iter_(\d+)", option("--snapshot"))[1]) if option("--snapshot") else 0
open(os.path.join(folder, "words"), "a").write(" ".join(words) + " OMP=" + os.environ.get("OMP_NUM_THREADS", "") + "\n")
if order[0] == "fail":
    sys.exit(print("caffe-compat: error: " + order[1], file=sys.stderr) or 1)
say("Initializing solver from parameters: ")
if option("--snapshot"):
    say("Resuming from " + option("--snapshot"))
say("Solving net")
def snapshot():
    for suffix in ("caffemodel", "solverstate"):
        open(f"{prefix}_iter_{at}.{suffix}", "w").close()
while at < number("max_iter") and not stop:
    say(f"Iteration {at}, loss = {3 - at / 100}")
    say(f"Iteration {at}, lr = 0.1")
    at += 1
    if at % number("snapshot") == 0:
        snapshot()
    if order[0] == "kill" and at == int(order[1]):
        os.remove(orders)
        os.kill(os.getpid(), signal.SIGKILL)
    while order[0] == "slow" and not stop:
        open(os.path.join(folder, "running"), "w").close()
        time.sleep(0.01)
if stop:
    snapshot()
    say("Optimization stopped early.")
else:
    say(f"Iteration {at}, Testing net (#0)")
    say("    Test net output #0: accuracy = 0.75")
    say("    Test net output #1: loss = 0.5 (* 1 = 0.5 loss)")
say("Optimization Done.")  # the train command's own line, also of a run stopped early
"""


def command(words, share=0, **options):
    """What runner.command does, with the stand-in."""
    import os
    import subprocess

    environment = {**os.environ, "OMP_NUM_THREADS": str(share)}
    return subprocess.Popen([sys.executable, "-S", "-c", TRAINER, *words], env=environment, **options)
