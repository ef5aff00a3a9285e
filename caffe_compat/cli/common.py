"""Options that several commands share, so that they are spelt and mean the same everywhere."""

import gc
import importlib
import importlib.util
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from caffe_compat.errors import UsageError

if TYPE_CHECKING:
    from caffe_compat.net.execution import Execution


def add_execution(parser: ArgumentParser) -> None:
    """`--precision`, `--compile` and `--channels_last`; the values are those of net.execution, which needs torch.

    Read them with `execution`, or hand them on to another command with `execution_words`.
    """
    group = parser.add_argument_group("speed")
    group.add_argument(
        "--precision",
        choices=("fp32", "tf32", "bf16"),
        default="fp32",
        help="of products: float32 (default), rounded to 10 bits on a GPU, or bfloat16; blobs stay float32",
    )
    group.add_argument(
        "--compile",
        choices=("auto", "off", "on", "capture", "graphs"),
        default="auto",
        help="run the net through torch.compile (on), on a GPU as a recorded CUDA graph (capture), both (graphs), or as it "
        "is (off); auto: on a GPU capture where that works, on the CPU on for training that would take half an hour or so",
    )
    group.add_argument(
        "--channels_last",
        choices=("auto", "on", "off"),
        default="auto",
        help="keep the channels of pictures innermost in memory (auto: on a CPU)",
    )


def execution(args: Namespace) -> "Execution":
    """How nets are to run, by the options of `add_execution`."""
    from caffe_compat.net.execution import Execution

    return Execution(args.precision, args.compile, args.channels_last)


def execution_words(args: Namespace) -> list[str]:
    """The options of `add_execution` for the command line of another command: those that are not as they are anyway."""
    usual = {"precision": "fp32", "compile": "auto", "channels_last": "auto"}
    given = {name: getattr(args, name) for name in usual}
    return [word for name in usual if given[name] != usual[name] for word in (f"--{name}", given[name])]


def add_gpu(parser: ArgumentParser) -> None:
    """`--gpu`; read it with `gpu_ids`."""
    parser.add_argument(
        "--gpu",
        default="",
        metavar="IDS",
        help="device ids such as 0 or 0,1, or 'all'; without it the solver's solver_mode decides",
    )


def gpu_ids(text: str, count: Callable[[], int]) -> list[int]:
    """The devices that `--gpu` names; `count` tells how many there are and is only asked for `all`.

    Raises UsageError for anything but `all` or distinct whole numbers.
    """
    if text == "all":
        return list(range(count()))
    try:
        ids = [int(word) for word in text.split(",")] if text else []
    except ValueError:
        ids = [-1]
    if min(ids, default=0) < 0 or len(set(ids)) < len(ids):
        raise UsageError(f"--gpu '{text}' is not 'all' nor a list of distinct device ids such as 0,1")
    return ids


def add_state(parser: ArgumentParser, phase: bool = True) -> None:
    """`--level`, `--stage` and, unless the command fixes it, `--phase`: what NetState rules see."""
    if phase:
        parser.add_argument("--phase", choices=("TRAIN", "TEST"), help="which phase of the net")
    parser.add_argument("--level", type=int, default=0, metavar="N", help="what min_level and max_level see")
    parser.add_argument("--stage", default="", metavar="A,B", help="what stage and not_stage rules see")


def stages(text: str | None) -> list[str]:
    """The stages of `--stage`. "", where none is given, is one empty stage, which Caffe adds and echoes too.

    None, for commands that are not of Caffe's `caffe` tool, is no stage.
    """
    return [] if text is None else text.split(",")


def add_net(parser: ArgumentParser) -> None:
    parser.add_argument("--net", metavar="FILE", help="a net to use instead of the one that the solver names")


def add_model(parser: ArgumentParser, required: bool = True) -> None:
    """`--model`: the net, for commands without a solver."""
    parser.add_argument("--model", required=required, metavar="FILE", help="the net, a prototxt")


def add_model_options(parser: ArgumentParser) -> None:
    """`--model` and what else `models.build_net` reads."""
    add_model(parser)
    add_running(parser)


def add_running(parser: ArgumentParser, phase: bool = True) -> None:
    """What `models.build_net` reads beside the net; `phase` False: for commands that have one phase."""
    add_gpu(parser)
    add_execution(parser)
    add_state(parser, phase)
    add_building(parser)
    add_set(parser)
    if not phase:
        parser.set_defaults(phase=None, stage=None)


def add_building(parser: ArgumentParser) -> None:
    """What every command that builds a net takes: `--root`, and what its files may bring; see `allow_code`."""
    add_root(parser)
    add_python_layers(parser)
    add_extensions(parser)
    add_ignore_unknown(parser)


def allow_code(args: Namespace) -> None:
    """Let Python layers run if `--allow-python-layers` says so, and run the modules of `--import`; before a net is built."""
    set_python_layers(args.allow_python_layers)
    import_modules(args.imports)


def add_extensions(parser: ArgumentParser) -> None:
    """`--import`, for commands that build a net; `allow_code` runs the modules."""
    parser.add_argument(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="a Python module or file.py with layers of your own, registered by @layer; runs its code; may be repeated",
    )


def import_modules(names: Sequence[str]) -> None:
    """Run the modules that `--import` names: files, or modules that Python finds from the current directory on.

    Raises UsageError for one that is not there; what goes wrong inside a module is shown as Python shows it.
    """
    for name in names:
        if name.endswith(".py"):
            _import_file(name)
            continue
        sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # something that the module itself imports
            raise UsageError(
                f"--import {name}: there is no such module; give a file.py, or a module on Python's path"
            ) from None
        finally:
            sys.path.remove(os.getcwd())


def _import_file(path: str) -> None:
    name = f"caffe_compat_import_{os.path.realpath(path)}"
    if name in sys.modules:  # a layer type can be registered only once
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, FileNotFoundError) and not os.path.exists(path):
            raise UsageError(f"--import {path}: there is no such file; check the path") from None
        raise


def add_ignore_unknown(parser: ArgumentParser) -> None:
    """`--ignore-unknown-fields`, for every command that reads prototxt; give it to the text reader and the net."""
    parser.add_argument(
        "--ignore-unknown-fields",
        dest="ignore_unknown",
        action="store_true",
        help="go on without fields that no layer here knows or acts on, with a warning for each",
    )


def add_look_options(parser: ArgumentParser, required: bool = True) -> None:
    """What `models.outline_net` reads: for commands that look at a net and never run it."""
    count = None if required else "?"
    parser.add_argument("net", metavar="NET", nargs=count, help="a net or a solver, a prototxt")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="BLOB=SHAPE",
        help="the shape of a blob that data makes, such as data=1,3,224,224; may be repeated",
    )
    add_state(parser)
    add_building(parser)


def shapes(words: Sequence[str], option: str = "--input") -> dict[str, tuple[int, ...]]:
    """The shapes that `option` gives, by blob; UsageError for what is not BLOB=N,N,..."""
    found = {}
    for word in words:
        blob, equals, text = word.rpartition("=")
        try:
            shape = tuple(int(number) for number in text.replace("x", ",").split(","))
        except ValueError:
            shape = (0,)
        if not equals or not blob or min(shape) < 1:
            raise UsageError(f"{option} '{word}' is not BLOB=SHAPE; write, say, data=1,3,224,224")
        found[blob] = shape
    return found


def starts(words: Sequence[str]) -> dict[str, tuple[int, ...] | None]:
    """The blobs that `--inputs` names, and their shapes where it gives them, as in data=1,3,8,8,rois or pool1=1x8x7x7.

    Raises UsageError for an empty name or what is no shape.
    """
    found: list[list[str]] = []
    for word in ",".join(words).split(",") if words else ():
        word = word.strip()
        if word.isdigit() and found and "=" in found[-1][0]:
            found[-1].append(word)
        else:
            found.append([word])
    named: dict[str, tuple[int, ...] | None] = {}
    for parts in found:
        text = ",".join(parts)
        if "=" in text:
            named.update(shapes([text], "--inputs"))
        elif text:
            named[text] = None
        else:
            raise UsageError(
                f"--inputs '{','.join(words)}' names no blob; write, say, pool1 or pool1=1,8,7,7"
            )
    return named


def add_weights(parser: ArgumentParser, required: bool = False) -> None:
    parser.add_argument(
        "--weights", required=required, metavar="FILE", help="trained weights, a caffemodel (several: a,b)"
    )


def add_python_layers(parser: ArgumentParser) -> None:
    """`--allow-python-layers`; give `args.allow_python_layers` to `set_python_layers` before a net is built."""
    parser.add_argument(
        "--allow-python-layers",
        action="store_true",
        help="run the Python code that the net's Python layers name; read it first if the net is not yours",
    )


def set_python_layers(allow: bool) -> None:
    from caffe_compat.layers import python

    python.allow_python_layers = allow


def add_root(parser: ArgumentParser) -> None:
    """`--root`; use it through `locate` for files of the command line and `resolve` for the rest."""
    parser.add_argument(
        "--root", default="", metavar="DIR", help="relative paths in the solver and the net start here"
    )


def add_set(parser: ArgumentParser) -> None:
    """`--set`; give `args.set` to `overrides.apply_overrides`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of solver or net: max_lr=3.5, layer.batch_norm_param.eps=1e-4, "
        "'layer[L2_*].convolution_param.num_output=8'; may be repeated",
    )


def resolve(root: str, path: str) -> str:
    """A path found inside a solver or net, as if the program had been started in `root`."""
    return os.path.join(root, path) if root else path


def locate(root: str, path: str) -> str:
    """A path given on the command line: relative to the current directory if it is there, else to `root`."""
    return path if os.path.exists(path) else resolve(root, path)


def load_torch() -> None:
    """Import torch for a command that will need it, in less time.

    It makes about a million objects that live as long as the process: a search for garbage among them takes a tenth
    of a second, and there would be several on the way.
    """
    if "torch" in sys.modules:
        return
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()
