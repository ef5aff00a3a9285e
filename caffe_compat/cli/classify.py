"""`caffe-compat classify`: what a net says is in pictures."""

from __future__ import annotations

import argparse
import glob
import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from caffe_compat.cli import common
from caffe_compat.errors import DataError, NetError, UsageError, some

if TYPE_CHECKING:
    import numpy as np

    from caffe_compat.net.net import Net

HELP = "say what is in pictures: the most likely classes, and all scores as .npy"

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        "--model_def",
        required=True,
        metavar="FILE",
        help="the net with an Input layer, a prototxt",
    )
    parser.add_argument(
        "--weights", "--pretrained_model", required=True, metavar="FILE", help="trained weights, a caffemodel"
    )
    parser.add_argument(
        "--mean",
        "--mean_file",
        metavar="MEAN",
        help="to subtract: a .binaryproto or .npy file, or a value a channel such as 104,117,123 (BGR)",
    )
    parser.add_argument("--labels", metavar="FILE", help="the names of the classes, one a line")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to print (default: 5)")
    parser.add_argument(
        "--output", metavar="FILE.npy", help="write all scores, a row a picture, in the order that is printed"
    )
    parser.add_argument(
        "--ext", default="", metavar="jpg", help="of a folder take only the pictures whose names end so"
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a picture, a folder of them or a pattern in quotes; with --crops also a .npy array of pictures "
        "(count, height, width, 3), RGB from 0 to 1",
    )
    group = parser.add_argument_group(
        "preparing the pictures",
        "Without --crops as Caffe's cpp_classification: the whole picture is resized to the net's input, and the mean "
        "of each channel of MEAN is subtracted. With --crops as Caffe's classify.py.",
    )
    group.add_argument(
        "--crops",
        choices=("ten", "center"),
        help="resize to --images_dim; then average over corners, centre and their mirror images, or take the centre",
    )
    group.add_argument(
        "--center_only", dest="crops", action="store_const", const="center", help="the same as --crops center"
    )
    group.add_argument("--images_dim", metavar="H,W", help="with --crops (default: 256,256)")
    group.add_argument(
        "--raw_scale", type=float, metavar="X", help="with --crops: before MEAN (default: 255)"
    )
    group.add_argument(
        "--channel_swap",
        metavar="2,1,0",
        help="with --crops: the order of channels (default: 2,1,0, RGB to BGR)",
    )
    group.add_argument("--input_scale", type=float, metavar="X", help="times this after MEAN is subtracted")
    common.add_running(parser, phase=False)


def run(args: argparse.Namespace) -> int:
    """Caffe's examples/cpp_classification and python/classify.py."""
    if args.top < 1:
        raise UsageError(f"--top {args.top} is below 1")
    if args.crops is None:
        given = [
            name for name in ("images_dim", "raw_scale", "channel_swap") if getattr(args, name) is not None
        ]
        if given:
            raise UsageError(f"--{given[0]} is only used with --crops ten or --crops center")
    names = list(_pictures(args.images, args.ext))
    common.load_torch()
    import numpy as np

    from caffe_compat.cli.models import build_net
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.log.write import WARNING
    from caffe_compat.net import weights
    from caffe_compat.proto import TEST
    from caffe_compat.proto.binary import write_atomic

    net = build_net(args, "test", TEST, CommandLog(level=WARNING))  # Caffe's programs show errors alone
    weights.copy_trained_layers_from(net, common.locate(args.root, args.weights))
    shape = _input_shape(net, args.model)
    mean = _read_mean(args, shape[1])
    labels = _read_labels(args, net)
    rows = []
    for name, scores in _in_crops(args, net, names, mean) if args.crops else _whole(args, net, names, mean):
        print(f"---------- Prediction for {name} ----------")
        for index in np.argsort(-scores, kind="stable")[: args.top]:
            print(f'{scores[index]:.4f} - "{labels[index]}"')
        rows.append(scores)
    if args.output:
        file = io.BytesIO()
        np.save(file, np.stack(rows))
        write_atomic(args.output, file.getvalue())
        print(f"Saving results into {args.output}")
    return 0


def _pictures(words: list[str], extension: str) -> Iterator[str]:
    """The files that the command line names; those of a folder or a pattern in the order of their names."""
    for word in words:
        word = os.path.expanduser(word)
        if os.path.isdir(word):
            wanted = (f".{extension.lstrip('.')}",) if extension else _SUFFIXES
            found = [os.path.join(word, name) for name in os.listdir(word) if name.lower().endswith(wanted)]
        elif os.path.exists(word):
            found = [word]
        else:
            found = glob.glob(word)
        if not found:
            what = (
                f"no file in it ends in {extension or 'what pictures end in'}"
                if os.path.isdir(word)
                else "no such file"
            )
            raise DataError(f"{word}: {what}; give a picture, a folder of pictures or a pattern")
        yield from sorted(found)


def _input_shape(net: Net, model: str) -> tuple[int, ...]:
    """The shape of the one input of a net that has one output of one score a class."""
    for what, blobs in (("input", net.inputs), ("output", net.outputs)):
        if len(blobs) != 1:
            raise NetError(
                f"{model}: the net has {len(blobs)} {what}s{': ' if blobs else ''}{some(blobs)}; classify needs a "
                f"deploy net with one {what}"
            )
    shape = net.blob_shapes[net.inputs[0]]
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise NetError(f"{model}: the input's shape is {shape} and must be (count, 1 or 3, height, width)")
    return shape


def _read_mean(args: argparse.Namespace, channels: int) -> np.ndarray | None:
    """The mean as values (channels,) or a picture (channels, height, width)."""
    import numpy as np

    from caffe_compat.data.npy import read_npy
    from caffe_compat.proto.binary import read_binaryproto

    if not args.mean:
        return None
    path = common.locate(args.root, args.mean)
    try:
        mean = np.array([float(word) for word in args.mean.split(",")], np.float32)
    except ValueError:
        mean = read_npy(path) if path.endswith(".npy") else read_binaryproto(path)
    mean = mean[0] if mean.ndim == 4 else mean
    if mean.ndim not in (1, 3) or len(mean) != channels:
        raise DataError(
            f"--mean {args.mean} has the shape {mean.shape} and the net's input {channels} channel(s); give a mean of as "
            "many channels"
        )
    return mean


def _read_labels(args: argparse.Namespace, net: Net) -> list[str]:
    """The names of the classes, their numbers where no file names them."""
    shape = net.blob_shapes[net.outputs[0]]
    count = shape[1] if len(shape) > 1 else 1
    if not args.labels:
        return [str(index) for index in range(count)]
    path = common.locate(args.root, args.labels)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            labels = file.read().split("\n")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}; give a file with a class name a line"
        ) from error
    if labels[-1] == "":
        labels.pop()
    if len(labels) != count:
        raise DataError(
            f"{path} has {len(labels)} labels and the net's output '{net.outputs[0]}' {count} classes; give one line a "
            "class, in the order of the classes"
        )
    return labels


Scored = Iterator[tuple[str, "np.ndarray"]]


def _whole(args: argparse.Namespace, net: Net, names: list[str], mean: np.ndarray | None) -> Scored:
    """Each picture and its scores, as cpp_classification computes them."""
    import numpy as np

    from caffe_compat.data.images import planes
    from caffe_compat.pycaffe import Net as PycaffeNet

    blob = net.inputs[0]
    _, channels, height, width = net.blob_shapes[blob]
    view = PycaffeNet.over(net)
    view.blobs[blob].reshape(1, channels, height, width)
    values = None
    if mean is not None:  # of each channel, whatever the size of a mean picture
        values = mean.reshape(channels, -1).mean(1, np.float64).astype(np.float32).reshape(channels, 1, 1)
    for name in names:
        data = planes(_decoded(name, channels, height, width).astype(np.float32))
        if values is not None:
            data -= values
        if args.input_scale is not None:
            data *= np.float32(args.input_scale)
        view.blobs[blob].data[0] = data
        yield name, _scores(net, view.forward()[net.outputs[0]])


def _decoded(name: str, channels: int, height: int, width: int) -> np.ndarray:
    """The picture in a file in OpenCV's layout, with so many channels (BGR or gray) and of this size."""
    import numpy as np

    from caffe_compat.data.images import imdecode, opencv

    cv2 = opencv()
    with open(name, "rb") as file:
        data = np.frombuffer(file.read(), np.uint8)
    picture = imdecode(data, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DataError(f"{name}: its {data.size} bytes are no picture that OpenCV can decode")
    conversion = {
        (3, 1): cv2.COLOR_BGR2GRAY,
        (4, 1): cv2.COLOR_BGRA2GRAY,
        (4, 3): cv2.COLOR_BGRA2BGR,
        (1, 3): cv2.COLOR_GRAY2BGR,
    }.get((picture.shape[2] if picture.ndim == 3 else 1, channels))
    if conversion is not None:
        picture = cv2.cvtColor(picture, conversion)
    return picture if picture.shape[:2] == (height, width) else cv2.resize(picture, (width, height))


def _in_crops(args: argparse.Namespace, net: Net, names: list[str], mean: np.ndarray | None) -> Scored:
    """Each picture and its scores, as classify.py computes them."""
    import numpy as np

    from caffe_compat.data.npy import read_npy
    from caffe_compat.pycaffe.classifier import Classifier
    from caffe_compat.pycaffe.io import load_image

    _, channels, *size = net.blob_shapes[net.inputs[0]]
    dims = _numbers("--images_dim", args.images_dim or "256,256", 2)
    if dims[0] < size[0] or dims[1] < size[1]:
        raise UsageError(
            f"--images_dim {dims[0]},{dims[1]} is smaller than the net's input {size[0]} x {size[1]}, out of which no "
            "crops can be taken"
        )
    given = args.channel_swap if args.channel_swap is not None else "2,1,0" if channels == 3 else ""
    swap = _numbers("--channel_swap", given, channels) if given else None
    if swap and not set(swap) <= set(range(channels)):
        raise UsageError(f"--channel_swap {given} names channels other than 0 to {channels - 1}")
    classifier = cast(Classifier, Classifier.over(net))
    classifier.blobs[net.inputs[0]].reshape(10 if args.crops == "ten" else 1, channels, *size)
    classifier.prepare(
        dims,
        mean,
        args.input_scale,
        255.0 if args.raw_scale is None else args.raw_scale,
        swap,
    )
    for name in names:
        if name.endswith(".npy"):
            pictures = {f"{name}[{i}]": picture for i, picture in enumerate(np.atleast_1d(read_npy(name)))}
        else:
            pictures = {name: load_image(name, color=channels == 3)}
        for which, picture in pictures.items():
            if np.ndim(picture) != 3:
                raise DataError(
                    f"{which}: its shape is {np.shape(picture)} and must be (height, width, channels)"
                )
            yield which, _scores(net, classifier.predict([picture], args.crops == "ten"))


def _numbers(option: str, text: str, count: int) -> list[int]:
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise UsageError(f"{option} '{text}' is not {count} whole numbers with commas between them")
    return numbers


def _scores(net: Net, output: np.ndarray) -> np.ndarray:
    """The scores of the one picture that the net has just seen."""
    shape = net.blob_shapes[net.outputs[0]]
    if output[0].size != (shape[1] if len(shape) > 1 else 1):
        raise NetError(
            f"the output '{net.outputs[0]}' has the shape {shape}; classify needs one score a class: (count, classes)"
        )
    return output[0].reshape(-1).copy()
