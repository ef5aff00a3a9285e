"""`caffe-compat python`: scripts written for pycaffe run as they are."""

import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.cli import main
from caffe_compat.pycaffe import io as caffe_io
from caffe_compat.pycaffe import old_names, old_scripts

SCRIPT = """
import sys
import caffe
import caffe.io
from caffe.proto import caffe_pb2
import google.protobuf
import PIL
import beside

PIL.Image, google.protobuf.text_format  # both loaded by pycaffe itself
net = caffe.Net("net.prototxt", caffe.TEST)
print(__name__, sys.argv, net.blobs["x"].data.shape, caffe_pb2.Datum(label=beside.LABEL).label)
sys.exit(3)
"""
NET = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'


def test_a_script_sees_this_package_as_caffe(tmp_path):
    """In a process of its own, with its own options; a `caffe` folder beside it is not taken."""
    folder = tmp_path / "scripts"
    (folder / "caffe").mkdir(parents=True)
    (folder / "caffe" / "__init__.py").write_text("raise ImportError('a pycaffe that is not built')")
    (folder / "beside.py").write_text("LABEL = 7")
    (folder / "s.py").write_text(SCRIPT)
    (tmp_path / "net.prototxt").write_text(NET)
    words = ["scripts/s.py", "-gpu=0", "--unknown", "--help"]
    printed = "__main__ ['scripts/s.py', '-gpu=0', '--unknown', '--help'] (2, 3) 7\n"
    assert run(tmp_path, *words) == (3, printed, "")


def run(folder, *words, quiet="1"):
    """Exit code, standard output and error of `caffe-compat python WORDS` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "GLOG_minloglevel": quiet}
    command = [sys.executable, "-m", "caffe_compat", "python", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def run_here(folder, monkeypatch, capsys, code, *words):
    """As `run` of the file s.py with this code, or of `words`, without the modules that a script may change; for errors that need none of them."""
    monkeypatch.setattr("caffe_compat.install_as_caffe", lambda: None)
    monkeypatch.setattr(old_names, "install", lambda warn: None)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("GLOG_minloglevel", "1")
    monkeypatch.chdir(folder)
    (folder / "s.py").write_text(code)
    exit_code = main(["python", *(words or ["s.py"])])
    return exit_code, *capsys.readouterr()


def test_as_python_runs_it(tmp_path, monkeypatch, capsys):
    """Name, file, the place of modules, and what pickle and others find under __main__."""
    code = (
        "import os, sys, __main__\nprint(__name__, os.path.basename(__file__), sys.path[0] == os.getcwd(), "
        "vars(__main__) is globals(), sys.argv)\nsys.exit(256 + 7)"
    )
    exit_code, printed, error = run_here(tmp_path, monkeypatch, capsys, code)
    assert (exit_code, printed, error) == (263, "__main__ s.py True True ['s.py']\n", "")


@pytest.mark.parametrize(
    ("end", "code", "error"), [("None", 0, ""), ("-1", -1, ""), ("'no good'", 1, "no good\n")]
)
def test_exit_codes(tmp_path, monkeypatch, capsys, end, code, error):
    assert run_here(tmp_path, monkeypatch, capsys, f"raise SystemExit({end})") == (code, "", error)


@pytest.mark.parametrize(
    ("words", "argv"),
    [(["-c", "CODE", "a", "-b"], ["-c", "a", "-b"]), (["-", "-c"], ["-", "-c"]), (["-m", "s"], ["s.py"])],
)
def test_other_ways_to_give_the_code(tmp_path, monkeypatch, capsys, words, argv):
    code = "import os, sys; print([os.path.basename(sys.argv[0]), *sys.argv[1:]], __name__)"
    monkeypatch.setattr("sys.stdin", io.StringIO(code))
    words = [code if word == "CODE" else word for word in words]
    assert run_here(tmp_path, monkeypatch, capsys, code, *words) == (0, f"{argv} __main__\n", "")


def test_processes_that_begin_anew_find_caffe(tmp_path, monkeypatch, capsys):
    """As under multiprocessing's spawn: they have the places for modules, and no module of the script's."""
    code = "import sys; print(sys.path[1])"
    place = run_here(tmp_path, monkeypatch, capsys, code)[1].strip()
    monkeypatch.undo()
    monkeypatch.syspath_prepend(place)
    ours = [name for name in sys.modules if name.partition(".")[0] == "caffe"]
    for name in ours:
        monkeypatch.delitem(sys.modules, name)
    installed = []
    monkeypatch.setattr(old_names, "install", installed.append)
    try:
        caffe = importlib.import_module("caffe")
        assert caffe.Net is importlib.import_module("caffe.pycaffe").Net and len(installed) == 1
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "caffe"]:
            del sys.modules[name]


TRACEBACK = """Traceback (most recent call last):
  File "{}", line 3, in <module>
    f()
  File "{}", line 2, in f
    raise LookupError("mine")
LookupError: mine
"""


def test_a_traceback_is_the_scripts_own(tmp_path, monkeypatch, capsys):
    code = 'def f():\n    raise LookupError("mine")\nf()\n'
    exit_code, _, error = run_here(tmp_path, monkeypatch, capsys, code)
    assert exit_code == 1 and [line for line in error.splitlines() if set(line) - set(" ~^")] == (
        TRACEBACK.format(*[tmp_path / "s.py"] * 2).splitlines()
    )


def lines(error):
    """The files and the last line of a traceback."""
    text = error.splitlines()
    return [line.split('"')[1] for line in text if line.startswith("  File")], text[-1]


LAYER = 'layer { name: "%s" type: "Python" %s top: "%s" python_param { module: "failing" layer: "Failing" } }'
FAILING = """
import caffe_compat as caffe
class Failing(caffe.Layer):
    def setup(self, bottom, top): top[0].reshape(1)
    def reshape(self, bottom, top): pass
    def forward(self, bottom, top):
        assert not bottom, "it fails"
"""


def test_no_frame_of_ours_stands_in_it(tmp_path, monkeypatch, capsys):
    """Where this package raises an error, and where it (and torch) calls the script back."""
    open_nothing = "import caffe_compat as caffe\ncaffe.Net('nowhere', caffe.TEST)"
    code, _, error = run_here(tmp_path, monkeypatch, capsys, open_nothing)
    assert code == 1 and lines(error) == (
        [str(tmp_path / "s.py")],
        "caffe_compat.pycaffe.net.NotOpened: nowhere: cannot be read: No such file or directory; check the path",
    )
    assert "direct cause" not in error
    missing = "import caffe_compat as caffe\ncaffe.io.load_image('nowhere')"
    assert lines(run_here(tmp_path, monkeypatch, capsys, missing)[2])[0] == [str(tmp_path / "s.py")]

    (tmp_path / "failing.py").write_text(FAILING)
    (tmp_path / "n").write_text(LAYER % ("a", "", "a") + LAYER % ("b", 'bottom: "a"', "b"))
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    called_back = "import caffe_compat as caffe\ncaffe.Net('n', caffe.TEST).forward()"
    _, _, error = run_here(tmp_path, monkeypatch, capsys, called_back)
    files = [str(tmp_path / name) for name in ("s.py", "failing.py")]
    assert lines(error) == (files, "AssertionError: it fails")


def test_a_mistake_of_ours_keeps_its_frames(tmp_path, monkeypatch, capsys):
    code = "import caffe_compat as caffe\ncaffe.io.oversample(3, (4, 5))"
    files, last = lines(run_here(tmp_path, monkeypatch, capsys, code)[2])
    assert (
        files[0] == str(tmp_path / "s.py")
        and files[-1].endswith("io.py")
        and last.startswith("TypeError: 'int' object")
    )


PYTHON_2 = {
    'print "hello", 3': "print without parentheses",
    "print 3,": "print without parentheses",
    "exec 'x = 3'": "exec without parentheses",
    "try:\n    pass\nexcept ValueError, e:\n    pass": "'except X, e'",
    "raise ValueError, 'x'": "'raise X, value'",
    "x = 0777": "a number like 0777",
    "x = 10L": "a number like 10L",
    "x = 0xFFL": "a number like 0xFFL",
    "x = 3 <> 4": "<>",
    "x = `3`": "a value in `backquotes`",
    "x = ur'a'": "a literal like ur''",
    "def f(a, (b, c)):\n    pass": "a tuple among a function's parameters",
    "f = lambda (a, b): a": "a tuple among a function's parameters",
    "for i in xrange(3): pass": "xrange",
    "unicode('x')": "unicode",
    "raw_input()": "raw_input",
    "isinstance('', basestring)": "basestring",
    "reduce(max, [1, 2])": "reduce",
    "reload(3)": "reload",
    "import cPickle": "the module cPickle",
    "import urllib2": "the module urllib2",
    "from ConfigParser import ConfigParser": "the module ConfigParser",
    "import StringIO": "the module StringIO",
    "from itertools import izip": "itertools.izip",
    "import itertools; itertools.imap": "itertools.imap",
    "import urllib; urllib.urlretrieve": "urllib.urlretrieve",
    "from urllib import quote": "urllib.quote",
    "import sys; sys.maxint": "sys.maxint",
    "import os; os.getcwdu()": "os.getcwdu",
    "{}.iteritems()": "dict.iteritems",
    "{}.has_key(3)": "dict.has_key",
    "(i for i in [1]).next()": "the method next",
    "iter([1]).next()": "the method next",
    "import sys\nprint >>sys.stderr, 'x'": "'print >>file'",
    "map(int, '12')[0]": "the list that map was",
    "len(zip('12', '34'))": "the list that zip was",
    "{}.keys()[0]": "the list that dict_keys was",
    "{}.keys().sort()": "the list that dict.keys() was",
}


@pytest.mark.parametrize("code", PYTHON_2)
def test_python_2_is_called_so(tmp_path, monkeypatch, capsys, code):
    if code.startswith("try:") and sys.version_info >= (3, 14):
        pytest.skip("here it means another thing")
    exit_code, _, error = run_here(tmp_path, monkeypatch, capsys, f"pass\n{code}\n")
    assert exit_code == 1 and error.count("\n") == 1
    what = re.escape(PYTHON_2[code])
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    expected = rf"s.py:\d+: {what} is Python 2, and this is Python {version}; convert it with 2to3: "
    assert re.match("caffe-compat: error: " + expected + r".*(lib2to3|fissix) -w -n s\.py$", error)


@pytest.mark.parametrize(
    "code",
    [
        "x = = 3",
        "import no_such_module",
        "names",
        "{}.items_()",
        "raise TypeError('a map')",
        "f('a' 3)",
        "len(3)",
    ],
)
def test_other_mistakes_are_not(tmp_path, monkeypatch, capsys, code):
    exit_code, _, error = run_here(tmp_path, monkeypatch, capsys, code)
    assert exit_code == 1 and "2to3" not in error and f'File "{tmp_path}/s.py", line 1' in error


@pytest.mark.parametrize(
    ("code", "noted"),
    [
        ("range(5 / 2)", True),
        ("h = 5 / 2\n[1, 2][h]", True),
        ("h = 5 / 2\n[1, 2][:h]", True),
        ("import numpy as np\nnp.zeros(4)[4 / 2]", True),
        ("[0] * (4 / 2)", True),
        ("range(2.0)", False),
        ("len(5 / 2)", False),
    ],
)
def test_division_is_explained(tmp_path, monkeypatch, capsys, code, noted):
    exit_code, _, error = run_here(tmp_path, monkeypatch, capsys, code)
    assert exit_code == 1 and ("2to3 leaves / as it is; write //" in error.splitlines()[-1]) is noted
    assert "Error: " in error.splitlines()[-2 if noted else -1]


def test_python_2_in_modules_of_the_script(tmp_path, monkeypatch, capsys):
    """The file that is to be converted is named; a module beside its importer is Python 2, too."""
    folder = tmp_path / "old_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text("import beside_a")
    (folder / "beside_a.py").write_text("print 3")
    for code, file, what in (
        ("import old_package.a", "a.py:1", "'import beside_a' of the module beside it"),
        ("import old_package.beside_a", "beside_a.py:1", "print without parentheses"),
    ):
        error = run_here(tmp_path, monkeypatch, capsys, code)[2]
        assert f"{folder}/{file}: {what} is Python 2" in error and error.count("\n") == 1
    sys.modules.pop("old_package")


def test_mistakes_of_libraries_are_not_the_scripts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(caffe_io, "oversample", lambda images, dims: map(len, images)[0])
    code = "from caffe_compat.pycaffe import io\nio.oversample([], 3)"
    monkeypatch.setattr(old_scripts, "_LIBRARIES", (*old_scripts._LIBRARIES, __file__))
    error = run_here(tmp_path, monkeypatch, capsys, code)[2]
    assert "'map' object is not subscriptable" in error and "Python 2" not in error


def test_python_2_in_a_python_layer(tmp_path, monkeypatch, capsys):
    (tmp_path / "failing.py").write_text("print 3")
    (tmp_path / "n").write_text(LAYER % ("a", "", "a"))
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    code = "import caffe_compat as caffe\ncaffe.Net('n', caffe.TEST)"
    error = run_here(tmp_path, monkeypatch, capsys, code)[2]
    assert f"error: {tmp_path}/failing.py:1: print without parentheses is Python 2" in error
    assert error.count("\n") == 1


def test_the_file_is_named_as_it_was_typed(tmp_path, monkeypatch, capsys):
    (tmp_path / "elsewhere").mkdir()
    error = run_here(tmp_path, monkeypatch, capsys, "import os; os.chdir('elsewhere')\nxrange(3)")[2]
    assert "error: s.py:2: xrange" in error and error.endswith("-w -n s.py\n")


def test_the_command_converts_it(tmp_path, monkeypatch, capsys):
    """Tabs and spaces, too, which 2to3 leaves as they are."""
    if not (importlib.util.find_spec("lib2to3") or importlib.util.find_spec("fissix")):
        pytest.skip("this Python has no 2to3")
    for code, made in (
        ("print 3 <> 4\n", "s.py"),
        ("if 1:\n\tx = 3\n        print x == 3\n", "s_3.py"),
    ):
        command = run_here(tmp_path, monkeypatch, capsys, code)[2].split("2to3: ")[1]
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, capture_output=True)
        converted = (tmp_path / made).read_text()
        assert run_here(tmp_path, monkeypatch, capsys, converted)[:2] == (0, "True\n")


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ({"lib2to3"}, "{0} -m lib2to3 -w -n s.py"),
        ({"fissix"}, "{0} -m fissix -w -n s.py"),
        (set(), "{0} -m pip install fissix && {0} -m fissix -w -n s.py"),
    ],
)
def test_the_command_is_one_that_this_python_has(tmp_path, monkeypatch, capsys, modules, expected):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in modules or None)
    error = run_here(tmp_path, monkeypatch, capsys, "print 3")[2]
    assert error.rstrip().endswith("2to3: " + expected.format(sys.executable))


SOLVER = """
import caffe
open("n", "w").write('''layer { name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 2 dim: 3 } shape { dim: 2 dim: 1 } data_filler { type: "gaussian" } } }
layer { name: "i" type: "InnerProduct" bottom: "x" top: "i" inner_product_param { num_output: 1 } }
layer { name: "l" type: "EuclideanLoss" bottom: "i" bottom: "y" top: "l" }''')
open("s", "w").write('net: "n" base_lr: 0.1 lr_policy: "fixed" display: 1 max_iter: 2 snapshot_after_train: false')
caffe.set_device(0)
caffe.SGDSolver("s").solve()
"""


def test_a_training_script_shows_its_loss(tmp_path):
    (tmp_path / "s.py").write_text(SOLVER)
    code, printed, error = run(tmp_path, "s.py", quiet="0")
    assert (code, printed) == (0, "")
    for iteration in (0, 1):
        assert re.search(rf"^I.* solver.cpp:239\] Iteration {iteration} \(.*\), loss = ", error, re.MULTILINE)
    assert "Creating Layer i" in error and "Optimization Done." in error


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "give the script to run first"),
        (["--gpu"], 2, "unrecognized arguments: --gpu"),
        (["no.py"], 1, "no.py: no such file"),
    ],
)
def test_no_script(words, code, message, capsys):
    assert main(["python", *words]) == code
    assert message in capsys.readouterr().err
