"""What scripts of NumPy 1's time use works for them, and for them alone; with one warning."""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.pycaffe import old_names, old_numpy, old_pictures, old_scripts

# Each line is true in the NumPy that scripts of 2014 to 2019 had. NumPy's types are changed, so it runs apart.
SCRIPT = """
import collections, fractions, inspect, math, sys, time, types
sys.path.insert(0, sys.argv[1])
from caffe_compat.pycaffe import old_names
before = np.float64(1.5)
warned = []
old_names.install(warned.append)
assert not warned

CHECKS
"""
CHECKS = """
np.zeros(2, np.float).dtype == np.float64 and np.int is int and np.object is object and np.str is str
np.zeros(2, np.bool).dtype == bool and np.zeros(2, np.long).dtype == int and np.unicode is str
np.float_ is np.float64 and np.complex is complex and np.bool8 is np.bool_ and np.string_ is np.bytes_
np.isnan(np.NaN) and np.isnan(np.NAN) and np.Inf == np.infty == np.PINF == -np.NINF == float("inf")
np.asscalar(np.array([3.5])) == 3.5 and np.product([2, 3]) == 6 and list(np.cumproduct([2, 3])) == [2, 6]
np.alltrue([True, 1]) and not np.sometrue([0]) and np.rank(np.zeros((2, 3))) == 2 and np.alen([1, 2]) == 2
np.in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False]
np.in1d([1, 2], [2], invert=True).tolist() == [True, False]
np.row_stack([[1, 2], [3, 4]]).shape == (2, 2) and np.round_(2.345, 1) == 2.3 and np.math.sqrt(4) == 2
np.trapz([1, 2, 4]) == 4.5 and np.trapz([1, 2, 4], dx=2) == 9 and np.trapz([1, 2, 4], [0, 1, 3]) == 7.5
np.trapz([[1, 2], [3, 4]], axis=0).tolist() == [2, 3] and np.trapz([[1, 3], [2, 4]], [0, 2]).tolist() == [4, 6]
np.msort(np.array([[3, 1], [2, 4]])).tolist() == [[2, 1], [3, 4]] and np.mat("1 2").shape == (1, 2)
np.asfarray([1, 2]).dtype == float and np.asfarray([1], int).dtype == float and np.asfarray([1], "f").dtype == "f"
np.cast["f"]([1]).dtype == "f" and np.find_common_type([np.float32], [np.float64]) == np.float64
np.obj2sctype("f") is np.float32 and np.sctype2char(np.float32) == "f" and np.safe_eval("[1]") == [1]
issubclass(np.VisibleDeprecationWarning, UserWarning) and issubclass(np.RankWarning, Warning)
np.lib.pad([1], 1, "constant").tolist() == [0, 1, 0] and np.linalg.linalg.LinAlgError is np.linalg.LinAlgError
np.arange(2, dtype=np.uint8).tostring() == bytes([0, 1]) and np.uint8(7).tostring() == bytes([7])
np.fromstring(bytes([1, 2]), np.uint8).tolist() == [1, 2] and np.fromstring("1 2", sep=" ").tolist() == [1, 2]
np.fromstring(bytes([1, 2]), np.uint8).flags.writeable and np.fromstring("ab", np.uint8).tolist() == [97, 98]
np.array([1, 5, 3]).ptp() == 4 and np.array([[1, 5], [3, 9]]).ptp(axis=0).tolist() == [2, 4]
(lambda a: (a.itemset(1, 7), a.itemset((0, 0), 5), a.itemset(1, 1, 9), a.tolist())[-1])(np.zeros((2, 2))) == [[5, 7], [0, 9]]
np.array([1], ">i2").newbyteorder("<")[0] == 256
float(np.array([2.5])) == 2.5 and int(np.array([[2.5]])) == 2 and math.sqrt(np.array([4.0])) == 2
"%.1f" % np.array([2.5]) == "2.5" and complex(np.array([2.5])) == 2.5 and complex(np.zeros(())) == 0
(lambda a: (a.__setitem__(1, np.array([4.5])), a.tolist())[-1])(np.zeros(2)) == [0, 4.5]
(lambda a: (a.__setitem__(1, np.array([[4.5]])), a.tolist())[-1])(np.zeros(2, int)) == [0, 4]
np.zeros(np.ceil(2.5)).shape == (3,) and np.zeros(2.0).shape == (2,) and np.ones((2.0, 3.7)).shape == (2, 3)
np.empty([2.0, 3]).shape == (2, 3) and np.full(2.0, 7).tolist() == [7, 7] and np.zeros(shape=2.0).shape == (2,)
np.eye(2.0).shape == (2, 2) and np.tile([1], 2.0).tolist() == [1, 1] and np.reshape([1, 2], (2.0, 1)).shape == (2, 1)
len(np.linspace(0, 1, 5.0)) == 5 and len(np.linspace(0, 1, num=np.float64(5))) == 5 and np.random.randn(2.0).shape == (2,)
np.random.choice(3, size=np.round(1.6)).shape == (2,) and np.random.uniform(size=2.0).shape == (2,)
np.arange(5)[np.float64(3)] == 3 and np.arange(5)[: np.floor(2.7)].tolist() == [0, 1] and [1, 2][np.float32(1)] == 2
list(range(np.float64(2))) == [0, 1] and [0] * np.float64(2) == [0, 0]
np.array([[1, 2], [3]]).dtype == object and np.array([[1, 2], [3]])[1] == [3]
np.array([[1, 2], [3, 4]]).dtype == int and np.array([1.5], int).tolist() == [1] and np.array(3).shape == ()
time.clock() <= time.clock() and collections.Iterable is collections.abc.Iterable and fractions.gcd(4, 6) == 2
inspect.getargspec(lambda a, b=1: 0).args == ["a", "b"] and inspect.getargspec(lambda a=1: 0)[3] == (1,)
""".strip().splitlines()
REFUSED = """
float(np.zeros(2))
int(np.zeros((2, 1)))
complex(np.zeros(2))
np.zeros("2")
np.zeros(shape="a")
np.zeros(2).__setitem__(0, np.zeros(2))
np.array([[1, 2], [3]], float)
np.no_such_name
np.lib.no_such_name
time.no_such_name
np.zeros(3)[1.0]
np.arange(3)[np.float64("nan")]
""".strip().splitlines()


def run(code, *argv):
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_numpy_had():
    checks = [f"assert {line}, {line!r}" for line in CHECKS]
    for line in REFUSED:
        checks.append(f"try: {line}\nexcept (AttributeError, IndexError, TypeError, ValueError): pass")
        checks.append(f"else: raise AssertionError({line!r})")
    checks.append("assert len(warned) == 1, warned")
    checks.append("print(warned[0])")
    code = "import numpy as np\n" + SCRIPT.replace("CHECKS", "\n".join(checks))
    assert run(code, str(Path(__file__).parents[2])) == (
        "<string>:11: np.float is gone from today's NumPy; this and more that is gone works under caffe-compat "
        "python only\n"
    )


def test_numbers_stay_what_they_are():
    """A float that may be a size is a float to everything else, torch included."""
    lines = [
        "torch.tensor(before)", "torch.full((2,), before)", "torch.zeros(2) + before", "torch.ones(2).mul_(before)",
        "torch.arange(0, before, np.float64(0.5))", "torch.ones(2, dtype=torch.int64) * before", "np.array([before, 1])",
        "before * np.arange(3)", "np.arange(before)", "'%d %s %.2f' % (before, before, before)", "f'{before}'",
        "round(before)", "divmod(before, 1)", "np.percentile(np.arange(5), before)", "np.clip(np.arange(5), before, 3)",
        "float(np.float32(1.5))", "isinstance(before, float)", "np.linspace(0, before, 3)", "np.power(2, before)",
    ]  # fmt: skip
    take = "[repr(eval(line)) for line in lines]"
    code = f"import numpy as np, torch\nbefore, lines = np.float64(1.5), {lines}\nfirst = {take}\n"
    code += SCRIPT.replace("CHECKS", f"assert first == {take} and not warned\nprint(len(first))")
    assert run(code, str(Path(__file__).parents[2])) == f"{len(lines)}\n"


def test_libraries_get_numpys_own_answer():
    """They ask whether NumPy has a name to find out which NumPy it is."""
    module, warned = types.ModuleType("numpy"), []
    old_scripts.give_names(module, {"float": float}.__getitem__, old_scripts.Warner(warned.append))
    inside = {"module": module}
    exec(compile("found = hasattr(module, 'float')", np.__file__, "exec"), inside)  # noqa: S102
    assert not inside["found"] and not warned
    exec(compile("found = module.float", "/home/me/script.py", "exec"), inside)  # noqa: S102
    assert inside["found"] is float
    # A compiled module has no frame of its own: when it is imported, Python's importer asks.
    importer = compile("def load(): return hasattr(module, 'float')", "<frozen importlib._bootstrap>", "exec")
    exec(importer, inside)  # noqa: S102
    for importing, found in (("/home/me/script.py", True), (np.__file__, False)):
        exec(compile("found = load()", importing, "exec"), inside)  # noqa: S102
        assert inside["found"] is found
    (line,) = warned
    assert line.startswith("/home/me/script.py:1: np.float is gone from today's NumPy; ")


def test_slots_are_checked_before_one_is_set(monkeypatch):
    assert old_numpy._slots_are_where_we_think()
    monkeypatch.setitem(old_numpy._SLOTS, "__float__", 19)
    assert not old_numpy._slots_are_where_we_think()


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A yaml and a scipy.misc of one's own, imported as under `caffe-compat python`; the warnings."""
    (tmp_path / "yaml.py").write_text(
        "FullLoader = 'full'\ndef load(stream, Loader):\n    return stream, Loader\n"
    )
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("")
    warned = []
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "meta_path", [old_names._OldModules(old_scripts.Warner(warned.append)), *sys.meta_path]
    )
    names = [name for name in sys.modules if name.partition(".")[0] in ("yaml", "scipy")]
    for name in {*names, "yaml", "scipy", "scipy.misc"}:
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    return warned


def test_yaml_loads_without_a_loader(modules):
    import yaml

    assert yaml.load("text", Loader="other") == ("text", "other") and not modules
    assert yaml.load("text") == yaml.load("text") == ("text", "full")
    assert len(modules) == 1 and "yaml.load without a Loader is gone from today's PyYAML" in modules[0]


def test_scipys_pictures(modules):
    import scipy.misc

    assert scipy.misc.imresize is old_pictures.imresize and len(modules) == 1
    assert "scipy.misc.imresize is gone from today's SciPy" in modules[0]
    with pytest.raises(AttributeError, match=r"module 'scipy.misc' has no attribute 'NAMES'"):
        _ = scipy.misc.NAMES


def test_pictures(tmp_path):
    pytest.importorskip("PIL")
    p = old_pictures
    gray = np.array([[0.0, 1], [2, 4]])
    assert p.bytescale(gray).tolist() == [[0, 64], [128, 255]]
    assert p.bytescale(gray, cmin=0, cmax=8, high=200, low=100).tolist() == [[100, 113], [125, 150]]
    assert p.bytescale(gray.astype(np.uint8)).tolist() == [[0, 1], [2, 4]]
    color = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    p.imsave(str(tmp_path / "c.png"), color)
    assert (p.imread(str(tmp_path / "c.png")) == color).all()
    assert p.imread(str(tmp_path / "c.png"), flatten=True).dtype == np.float32
    assert p.imread(str(tmp_path / "c.png"), mode="L").shape == (2, 4)
    assert (p.fromimage(p.toimage(color.transpose(2, 0, 1))) == color).all()
    assert [p.imresize(color, size).shape for size in (200, 0.5, (3, 5))] == [(4, 8, 3), (1, 2, 3), (3, 5, 3)]
    assert p.imresize(color, (4, 8), "nearest")[0, :, 0].tolist() == [0, 0, 3, 3, 6, 6, 9, 9]
    assert p.imrotate(color[:, :2], 180, "nearest")[0, 0].tolist() == color[1, 1].tolist()
    assert p.imresize(gray, (1, 1), mode="F").dtype == np.float32
    with pytest.raises(ValueError, match=r"an array of shape \(2, 5, 7\) is no picture"):
        p.toimage(np.zeros((2, 5, 7)))
    with pytest.raises(ValueError, match="cmax 0 is below cmin 1"):
        p.bytescale(gray, 1, 0)
