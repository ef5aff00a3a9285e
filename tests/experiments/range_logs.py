"""Logs of range tests with the nets they are of, made up: how their layers were set up, and any losses and accuracies."""

from pathlib import Path

from caffe_compat.log.write import Log

_SOFTMAX = (
    'layer {{\n  name: "loss"\n  type: "{type}"\n  bottom: "ip"\n  bottom: "label"\n  top: "loss"\n{more}}}\n'
)
_ACCURACY = 'layer {{\n  name: "acc"\n  type: "Accuracy"\n  bottom: "ip"\n  bottom: "label"\n  top: "acc"\n  accuracy_param {{\n    top_k: {k}\n  }}\n}}\n'


def classifier(classes=10, batch=8, top_k=1, weight=1.0, type="SoftmaxWithLoss", labels=None, more=""):
    """What a log tells of the two nets of a classifier before they train."""
    lines = []
    for role, heading in (
        ("train", "solver.cpp:90] Creating training net from net file: n.prototxt"),
        ("test", "solver.cpp:190] Creating test net (#0) specified by net file: n.prototxt"),
    ):
        echo = _SOFTMAX.format(type=type, more=more) + (_ACCURACY.format(k=top_k) if role == "test" else "")
        text = [
            "data -> data",
            "data -> label",
            f"Top shape: {batch} 4 ({batch * 4})",
            f"Top shape: {labels or batch} (0)",
        ]
        text += [
            "Creating Layer ip",
            "ip <- data",
            "ip -> ip",
            f"Top shape: {batch} {classes} ({batch * classes})",
        ]
        if role == "test":
            text += ["Creating Layer acc", "acc <- ip", "acc <- label", "acc -> acc", "Top shape: (1)"]
        text += ["Creating Layer loss", "loss <- ip", "loss <- label", "loss -> loss", "Top shape: (1)"]
        text += [f"    with loss weight {weight:g}", "Network initialization done."]
        rows = [
            heading,
            f"net.cpp:58] Initializing net from parameters: \n{echo}",
            "net.cpp:86] Creating Layer data",
        ]
        lines += rows + [f"net.cpp:86] {line}" for line in text]
    return "".join(f"I1122 10:00:00.000000 7 {line}\n" for line in lines)


def ramp(path, head, rows, weight=1.0, accuracy="acc", weights="", done=True):
    """A log of (rate, train loss, test loss, accuracy) rows, an iteration each; None is not printed. Returns its path."""
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(head)
        log = Log(stream, progress=False)
        log.solving("made up", "triangular")
        if weights:
            log.finetuning(weights)
        for i, (rate, train, test, score) in enumerate(rows):
            outputs = [] if score is None else [(accuracy, [score], 0.0)]
            outputs += [] if test is None else [("loss", [test], weight)]
            if outputs:
                log.testing(i, 0)
                log.test_outputs(outputs)
            log.iteration(i, train, 1, 0.5, 100)
            log.learning_rate(i, rate)
        if done:
            log.optimization_done()
    return Path(path)
