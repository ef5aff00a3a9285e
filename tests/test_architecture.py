"""Who may import whom, what stays light, and where files may be: read from the sources."""

import ast
import shutil
import subprocess
import sys

import pytest

from tests import measures
from tests.measures import PACKAGE, ROOT, imports

SOURCES = measures.sources()

# A unit may import those of the lines above its own and itself, not its neighbours.
LEVELS = [
    ["errors"],
    ["log"],
    ["proto"],
    ["fillers", "data"],
    ["layers"],
    ["forks"],  # nobody imports one: the registry of layers loads them
    ["net"],
    ["solver", "export", "inspect"],
    ["pycaffe", "parity", "experiments"],
    ["cli"],
    ["__init__", "__main__"],
]
LEVEL = {unit: level for level, units in enumerate(LEVELS) for unit in units}

# Modules that never need torch: what `--help`, schedule, upgrade and data start with.
WITHOUT_TORCH = [
    "errors",
    "log",
    "proto",
    "net/resolve",
    "data/lmdb",
    "data/leveldb",
    "solver/lr_policy",
    "solver/schedule",
    "__init__",
]

# Optional packages, imported where they are used and, where a unit is named, only there.
OPTIONAL = {
    "cramjam": "data/leveldb",
    "crc32c": "data/leveldb",
    "cv2": "",
    "h5py": "",
    "matplotlib": "log/plot",
    "onnx": "export",
    "onnxruntime": "",
    "pynvml": "experiments/sharing",
    "scipy": "",
    "tensorboard": "",
    "tqdm": "",
}

TOP_LEVEL = {
    "caffe_compat", "prototxt", "tools", "tests", "setup.py", "README.md",
    ".ci", ".gitignore", "LICENSE", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "MANIFEST.in", "pyproject.toml",
}  # fmt: skip


def at_import_time(tree: ast.Module) -> ast.Module:
    """The tree without function bodies and what only type checkers see."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    return Strip().visit(ast.parse(ast.unparse(tree)))


def unit(module: str) -> str:
    return module.split("/")[0]


def test_imports_are_found_in_every_form():
    source = "import a.b\nfrom . import c\nfrom .d import e\ndef f():\n    from ..log import g, h\n"
    found = [name for name, _ in imports(ast.parse(source), "net/net")]
    here = "caffe_compat.net"
    assert found == ["a.b", f"{here}.c", f"{here}.d.e", "caffe_compat.log.g", "caffe_compat.log.h"]
    strings = "import_module('a.b')\nimportlib.import_module(f'{__name__}.c')\nimport_module(f'{walked}.d')\n"
    found = [name for name, _ in imports(ast.parse(strings), "net/__init__")]
    assert found == ["a.b", f"{here}.c"]
    early = "import a\nif TYPE_CHECKING:\n    import b\nclass C:\n    import c\n    def f(self):\n        import d\n"
    assert [name for name, _ in imports(at_import_time(ast.parse(early)), "x")] == ["a", "c"]


def test_every_unit_has_its_place():
    assert {unit(module) for module in SOURCES} <= set(LEVEL)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_down_only(module):
    mine = unit(module)
    for name, line in imports(SOURCES[module], module):
        first, _, rest = name.partition(".")
        if first != "caffe_compat":
            continue
        theirs = rest.split(".")[0]
        if theirs not in LEVEL:
            theirs = "__init__"  # a name that the package itself exports
        allowed = theirs == mine or (LEVEL[theirs] < LEVEL[mine] and theirs != "forks")
        # cli asks for the version, which is the package's
        allowed |= name == "caffe_compat.__version__"
        # commands run the package, and as_caffe/caffe.py stands for it
        allowed |= name == "caffe_compat" and (mine == "cli" or module == "pycaffe/as_caffe/caffe")
        # the module of a Python layer imports caffe, which is the package as a whole
        allowed |= name == "caffe_compat" and module == "layers/python"
        assert allowed, f"caffe_compat/{module}.py:{line}: {mine} must not import {name}"


@pytest.mark.parametrize("module", [m for m in SOURCES if m.startswith(tuple(WITHOUT_TORCH))])
def test_light_modules_do_not_import_torch(module):
    for name, line in imports(at_import_time(SOURCES[module]), module):
        assert name.split(".")[0] not in ("torch", "torchvision"), f"caffe_compat/{module}.py:{line}: {name}"


@pytest.mark.parametrize("module", SOURCES)
def test_optional_packages_are_imported_where_they_are_used(module):
    early = {name.split(".")[0] for name, _ in imports(at_import_time(SOURCES[module]), module)}
    assert not early & set(OPTIONAL), (
        f"caffe_compat/{module}.py: import {early & set(OPTIONAL)} inside the function"
    )
    for name, line in imports(SOURCES[module], module):
        home = OPTIONAL.get(name.split(".")[0], "")
        assert module.startswith(home), f"caffe_compat/{module}.py:{line}: only {home} imports {name}"


@pytest.mark.parametrize("module", [m for m in SOURCES if m.startswith("cli/")])
def test_commands_import_heavy_things_when_run(module):
    if not any(isinstance(n, ast.FunctionDef) and n.name == "add_arguments" for n in SOURCES[module].body):
        pytest.skip("not a command")
    for name, line in imports(at_import_time(SOURCES[module]), module):
        parts = name.split(".")
        light = parts[0] in sys.stdlib_module_names or parts[:2] == ["caffe_compat", "errors"]
        light |= (
            name.startswith(("caffe_compat.cli.common", "caffe_compat.cli.without_torch"))
            or name == "caffe_compat"
        )
        assert light, f"caffe_compat/{module}.py:{line}: import {name} inside run"


def in_a_new_process(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_package_and_its_light_modules_start_without_torch():
    light = [m for m in SOURCES if m.startswith(tuple(WITHOUT_TORCH)) or m == "cli/overrides"]
    names = ["caffe_compat." + m.replace("/", ".").removesuffix("__init__") for m in light]
    imported = "".join(f"import {name.rstrip('.')}\n" for name in names)
    assert "import caffe_compat.net.resolve\n" in imported
    assert in_a_new_process(f"{imported}import sys; print('torch' in sys.modules)") == "False\n"


def test_help_starts_without_torch_numpy_or_protobuf():
    program = """
import contextlib, io, sys
from caffe_compat import cli
with contextlib.redirect_stdout(io.StringIO()):
    for words in ([], *([name] for name in cli.command_files())):
        assert cli.main([*words, "--help"]) == 0, words
print(sorted({"torch", "numpy", "google.protobuf"} & set(sys.modules)))
"""
    assert in_a_new_process(program) == "[]\n"


def test_nothing_new_at_the_top():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a checkout")
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listing.splitlines()} <= TOP_LEVEL


# -- sizes and habits ------------------------------------------------------------------------------


def test_no_circles_of_imports():
    assert measures.circles() == []


def test_no_file_is_too_long():
    assert {file: lines for file, lines in measures.files().items() if lines > measures.FILE_LINES} == {}


def test_no_class_is_too_long():
    assert {name: lines for name, lines in measures.classes().items() if lines > measures.CLASS_LINES} == {}


def test_what_may_be_long_has_its_end_too():
    exempt = {
        file: len(file.read_bytes().splitlines())
        for file in [*PACKAGE.rglob("*.proto"), *PACKAGE.rglob("*.pyi")]
    }
    assert {file: lines for file, lines in exempt.items() if lines > measures.EXEMPT_LINES} == {}


def test_nobody_asks_for_a_layer_or_a_solver_by_its_type():
    assert measures.type_names() == {}


@pytest.mark.parametrize(
    "source",
    [
        "layer.type == 'Strange'",
        "self.param.type in ('SGD', 'Nesterov')",
        "layer.type not in known and 'Input' != kind",
        "layer.type.endswith('Loss')",
        "'Accuracy' in layer.type",
        "_BIASED = {'Scale': 2, 'Bias': 1}",
        "_LABELLED = ('Accuracy', 'another')",
        "_LABELLED = frozenset('Accuracy another'.split())",
        "_COPIES = 'Split'",
        "match layer.type:\n    case 'x' | 'y': pass",
        "match kind:\n    case 'Split': pass",
    ],
)
def test_questions_for_a_type_are_found(source):
    assert list(measures.asks_for_types(ast.parse(source))) == [1]


@pytest.mark.parametrize(
    "source",
    [
        "device.type == 'cuda'",
        "node.op_type == 'Concat'",
        "layer.type == other.type",
        "net.layer.add(type='Split')",
        "graph.node('Reshape', [value, graph.node('Concat', parts)])",
        "kind == 'net'",
    ],
)
def test_other_words_are_let_be(source):
    assert not list(measures.asks_for_types(ast.parse(source)))


def test_annotations_say_what_it_is():
    assert measures.bare_any().total() <= measures.BARE_ANY, "say what it is instead of Any"
