"""The command line itself: which command runs, with which options, and how it ends."""

import argparse
import io
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import caffe_compat
from caffe_compat import cli
from caffe_compat.cli import common, main
from caffe_compat.errors import CaffeError, UsageError
from caffe_compat.experiments.runner import command
from caffe_compat.proto import binary
from caffe_compat.proto.text import read_net


@pytest.fixture
def fake(monkeypatch):
    """A command `fake` with options of all kinds; `fake.args` is what it was run with."""
    module = types.ModuleType("caffe_compat.cli.fake")
    module.HELP = "do nothing"
    module.args = None
    module.outcome = 0

    def add_arguments(parser):
        parser.add_argument("--solver", required=True)
        parser.add_argument("--gpu", default="")
        parser.add_argument("--sigint_effect", default="stop")
        parser.add_argument("--resume-data")
        parser.add_argument("--shuffle", action=argparse.BooleanOptionalAction, default=True)
        parser.add_argument("--encoded", action="store_true")
        parser.add_argument("-n", type=int, default=1)
        parser.add_argument("files", nargs="*")

    def run(args):
        module.args = args
        if isinstance(module.outcome, BaseException):
            raise module.outcome
        return module.outcome

    module.add_arguments, module.run = add_arguments, run
    monkeypatch.setitem(sys.modules, "caffe_compat.cli.fake", module)
    monkeypatch.setattr(cli, "command_files", lambda: {"fake": Path("fake.py"), "train": Path("train.py")})
    return module


# -- commands ---------------------------------------------------------------------------------


def test_commands_are_the_files_with_help():
    commands = cli.command_files()
    assert {"plot", "train", "test"} <= set(commands)
    assert not {"common", "overrides", "--init--"} & set(commands)
    for name, file in commands.items():
        assert name == file.stem.replace("_", "-")


def test_each_command_has_its_three_parts():
    for name, file in cli.command_files().items():
        module = __import__(f"caffe_compat.cli.{file.stem}", fromlist=["HELP"])
        assert isinstance(module.HELP, str), name
        assert "\n" not in module.HELP, name
        assert callable(module.add_arguments), name
        assert callable(module.run), name


def test_each_command_is_tested():
    for name, file in cli.command_files().items():
        tests = Path(__file__).with_name(f"test_{file.stem}.py")
        assert tests.exists(), f"no {tests.name} beside this file has a test of {name}; write one"


def test_help_lists_every_command(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in cli.command_files():
        assert f"\n  {name} " in out


@pytest.mark.parametrize("name", cli.command_files())
def test_each_command_has_help(name, capsys):
    assert cli.main([name, "--help"]) == 0
    assert f"usage: caffe-compat {name}" in capsys.readouterr().out


def test_no_command_at_all(capsys):
    assert cli.main([]) == 2
    assert "usage: caffe-compat COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--version", "-version"])
def test_version(option, capsys):
    assert cli.main([option]) == 0
    assert capsys.readouterr().out == f"caffe-compat {caffe_compat.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tarin"], r"unknown command 'tarin'; did you mean 'train'\? see caffe-compat --help"),
        (["xyzzy"], r"unknown command 'xyzzy'; see caffe-compat --help"),
        (["-solver", "x"], r"no command given; commands: fake, train"),
        (
            ["fake", "--sovler", "x"],
            r"unknown option '--sovler'; did you mean '--solver'\? see caffe-compat fake --help",
        ),
        (["fake", "-sovler=x"], r"unknown option '-sovler'; did you mean '--solver'\?"),
        (["fake", "--zzz"], r"unknown option '--zzz'; see caffe-compat fake --help"),
        (["fake"], r"the following arguments are required: --solver; see caffe-compat fake --help"),
        (["fake", "--solver", "x", "-n", "two"], r"argument -n: invalid int value: 'two'"),
        (["fake", "--solver", "x", "--encoded=maybe"], r"--encoded takes true or false, not 'maybe'"),
    ],
)
def test_usage_errors(fake, words, message, capsys):
    with pytest.raises(UsageError, match=message):
        cli._run(list(words))
    assert cli.main(words) == 2
    assert capsys.readouterr().err.startswith("caffe-compat: error: ")
    assert fake.args is None


# -- options in Caffe's spelling --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["fake", "--solver", "x"], {"solver": "x", "gpu": "", "shuffle": True, "encoded": False}),
        (["fake", "-solver", "x", "-gpu=all"], {"solver": "x", "gpu": "all"}),
        (["fake", "-solver=a=b"], {"solver": "a=b"}),
        (["-solver", "x", "fake"], {"solver": "x"}),
        (["-solver", "x", "fake", "-gpu", "0,1"], {"solver": "x", "gpu": "0,1"}),
        (["-solver", "fake", "fake"], {"solver": "fake"}),
        (["fake", "-solver", "x", "-sigint_effect", "none"], {"sigint_effect": "none"}),
        (["fake", "-solver", "x", "--sigint-effect=none"], {"sigint_effect": "none"}),
        (["fake", "-solver", "x", "--resume_data", "y"], {"resume_data": "y"}),
        (["fake", "-solver", "x", "-noshuffle"], {"shuffle": False}),
        (["fake", "-solver", "x", "--no-shuffle"], {"shuffle": False}),
        (["fake", "-solver", "x", "--shuffle=false"], {"shuffle": False}),
        (["fake", "-solver", "x", "--shuffle=1"], {"shuffle": True}),
        (["fake", "-solver", "x", "-encoded"], {"encoded": True}),
        (["fake", "-solver", "x", "-encoded=true"], {"encoded": True}),
        (["fake", "-solver", "x", "-encoded=False"], {"encoded": False}),
        (["fake", "-solver", "x", "-n", "-3", "a", "b"], {"n": -3, "files": ["a", "b"]}),
        (["fake", "-solver", "x", "-n8", "-"], {"n": 8, "files": ["-"]}),
        (["fake", "-solver", "x", "--", "-sovler"], {"files": ["-sovler"]}),
    ],
)
def test_spellings(fake, words, wanted):
    assert cli.main(words) == 0
    assert {name: getattr(fake.args, name) for name in wanted} == wanted


def test_options_of_subcommands_are_known():
    parser = cli._Parser()
    subcommands = parser.add_subparsers(dest="which")
    subcommands.add_parser("cifar10").add_argument("--from", dest="source")
    words = list(cli._normalise(["cifar10", "-from", "x"], parser))
    assert parser.parse_args(words).source == "x"


# -- how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (3, 3, ""),
        (CaffeError("net.prototxt:3: bad"), 1, "caffe-compat: error: net.prototxt:3: bad\n"),
        (UsageError("no sense"), 2, "caffe-compat: error: no sense\n"),
        (KeyboardInterrupt(), 130, "\ncaffe-compat: interrupted\n"),
    ],
)
def test_exit_codes(fake, outcome, code, message, capsys):
    fake.outcome = outcome
    assert cli.main(["fake", "--solver", "x"]) == code
    assert capsys.readouterr().err == message


def test_an_error_takes_the_progress_bar_away(fake, monkeypatch, capsys):
    fake.outcome = CaffeError("bad")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert cli.main(["fake", "--solver", "x"]) == 1
    assert capsys.readouterr().err == "\r\x1b[Kcaffe-compat: error: bad\n"


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), RuntimeError("a bug of sizes (2, 3)")])
def test_a_bug_keeps_its_traceback(fake, error):
    fake.outcome = error
    with pytest.raises(type(error), match="a bug"):
        cli.main(["fake", "--solver", "x"])


@pytest.mark.parametrize(
    "error, what",
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nMore"), "CUDA out of memory. Tried to allocate 2 GiB."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "DefaultCPUAllocator: can't allocate memory"),
        (MemoryError(), "there is no more"),
    ],
)  # fmt: skip
def test_out_of_memory_is_an_error_in_one_line(fake, error, what, capsys):
    fake.outcome = error
    assert cli.main(["fake", "--solver", "x"]) == 1
    assert capsys.readouterr().err == (
        f"caffe-compat: error: out of memory: {what}; smaller inputs or a smaller batch_size need less, and iter_size "
        "makes up for the latter in training\n"
    )


def start(*words, stdout=subprocess.PIPE):
    """The command line in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(caffe_compat.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "caffe_compat", *words],
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_as_a_module():
    with start("plot", "gone.log", "--csv") as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err == (
        "caffe-compat: error: gone.log: cannot read the log: No such file or directory; "
        "give the log of a training run\n"
    )


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    log = tmp_path / "long.log"
    row = "I0817 16:02:51.154722 17550 solver.cpp:1] Iteration {}, loss = 2\n    Train net output #0: loss = 2\n"
    log.write_text("".join(row.format(i) for i in range(20000)))
    with start("plot", str(log), "--csv") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_an_error_in_one_line():
    with open("/dev/full", "w") as full, start("experiment", "list", stdout=full) as process:
        assert process.stderr.read() == (
            "caffe-compat: error: cannot write the output: No space left on device; free some space\n"
        )
    assert process.returncode == 1


def test_closed_output_streams_are_no_error(fake, monkeypatch):
    def run(args):
        print("unheard")
        print("unheard", file=sys.stderr)
        return 0

    monkeypatch.setattr(sys.modules["caffe_compat.cli.fake"], "run", run)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["fake", "--solver", "x"]) == 0
    with sys.stdout, sys.stderr:
        assert sys.stdout.name == sys.stderr.name == os.devnull


def test_names_that_the_outputs_encoding_lacks(fake, monkeypatch):
    def run(args):
        print("d\u00e9j\u00e0")
        return 0

    monkeypatch.setattr(sys.modules["caffe_compat.cli.fake"], "run", run)
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    assert cli.main(["fake", "--solver", "x"]) == 0
    sys.stdout.flush()
    assert out.getvalue() == b"d\\xe9j\\xe0\n"


# -- shared options ---------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "ids"), [("", []), ("all", [0, 1, 2]), ("0", [0]), ("2,0", [2, 0])])
def test_gpu_ids(text, ids):
    assert common.gpu_ids(text, lambda: 3) == ids


@pytest.mark.parametrize("text", ["x", "0,", "-1", "1,1", "0;1"])
def test_gpu_ids_that_make_no_sense(text):
    with pytest.raises(UsageError, match=f"--gpu '{text}' is not 'all' nor a list of distinct device ids"):
        common.gpu_ids(text, lambda: 3)


def test_stages():
    assert common.stages("a,b") == ["a", "b"]
    assert common.stages("") == [""]


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "here.prototxt").touch()
    assert common.resolve("", "a/b") == "a/b"
    assert common.resolve("root", "a/b") == "root/a/b"
    assert common.resolve("root", "/a/b") == "/a/b"
    assert common.locate("root", "here.prototxt") == "here.prototxt"
    assert common.locate("root", "there.prototxt") == "root/there.prototxt"


def test_groups_parse():
    parser = argparse.ArgumentParser()
    for add in (
        common.add_gpu,
        common.add_state,
        common.add_net,
        common.add_model,
        common.add_root,
        common.add_set,
    ):
        add(parser)
    common.add_weights(parser)
    args = parser.parse_args(
        ["--model", "m", "--set", "a=1", "--set", "b=2", "--level", "3", "--phase", "TEST"]
    )
    assert (args.model, args.set, args.level, args.phase) == ("m", ["a=1", "b=2"], 3, "TEST")
    assert (args.gpu, args.stage, args.net, args.weights, args.root) == ("", "", None, None, "")


ODD = r"""name: "\033]0;TITLE\007\033[31mred"
layer { name: "a\033[2J\302\205b" type: "Input" top: "da\033[1mta\351" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "da\033[1mta\351" top: "y" inner_product_param { num_output: 2 } }"""


@pytest.mark.parametrize(
    "line", ["show", "lint", "time --iterations 1 --model", "test --iterations 1 --model", "upgrade net"]
)
def test_control_characters_of_names_do_not_reach_a_terminal(tmp_path, capsys, line):
    net = tmp_path / "n.prototxt"
    net.write_text(ODD)
    words = [*line.split(), str(net)]
    words += ["--weights", str(weights_of(net))] if words[0] == "test" else []
    words += [str(tmp_path / "out")] if words[0] == "upgrade" else []
    assert main(words) in (0, 1)
    out, err = capsys.readouterr()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out + err)
    if words[0] not in ("upgrade", "lint"):
        assert r"\x1b[1mta\xe9" in out + err


def weights_of(net):
    param = read_net(net)
    binary.write_caffemodel(f"{net}.caffemodel", param, [[], [np.ones((2, 2), "f"), np.ones(2, "f")]])
    data = Path(f"{net}.caffemodel").read_bytes()
    assert b"da\x1b[1mta\xe9" in data and b"a\x1b[2J\xc2\x85b" in data
    return f"{net}.caffemodel"


def test_an_error_is_one_line(tmp_path, capsys):
    (tmp_path / "n").write_text('layer { name: "a\\nb\\033[2J" type: "Nothing" }')
    assert main(["show", str(tmp_path / "n")]) == 1
    assert r"layer 'a\nb\x1b[2J'" in capsys.readouterr().err


def test_no_module_comes_from_the_working_folder(tmp_path):
    for name in ("torch", "numpy", "google", "random", "lmdb", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('from the working folder')")
    process = command(["--version"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.communicate()[0].startswith(b"caffe-compat") and process.returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "caffe_compat", "lint", "gone"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(caffe_compat.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "gone: cannot be read" in done.stderr
