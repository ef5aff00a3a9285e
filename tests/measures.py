"""The sizes and habits of the sources that test_architecture holds: `python -m tests.measures` prints them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "caffe_compat"

FILE_LINES, CLASS_LINES, EXEMPT_LINES = 400, 300, 2000
BARE_ANY = 94  # annotations that are `Any` and nothing else, at most: lower it as they go

# Folders in which nothing asks for a layer or a solver by its type's name.
WITHOUT_TYPE_NAMES = ("net", "solver", "export", "parity")
_DEVICES = {"cpu", "cuda", "meta"}  # what the `type` of a torch.device is
_WORD_TESTS = {"startswith", "endswith", "find", "count", "index"}


@cache
def sources() -> dict[str, ast.Module]:
    """The package's modules, by path without suffix: `net/resolve`."""
    files = {file.relative_to(PACKAGE).with_suffix("").as_posix(): file for file in PACKAGE.rglob("*.py")}
    return {name: ast.parse(files[name].read_bytes()) for name in sorted(files)}


# -- imports ------------------------------------------------------------------------------------


def imports(tree: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    """The absolute name of all that is imported anywhere in `tree`, with its line; by importlib, too."""
    package = ["caffe_compat", *module.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            for alias in node.names:
                yield ".".join([*base, alias.name]), node.lineno
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            name = _text(node.args[0], module)
            if name:
                yield name, node.lineno


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr, module: str) -> str:
    """A name in quotes, or after `__name__`; "" for one that is made as the program runs: a walk over a folder."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    here = ".".join(["caffe_compat", *module.split("/")]).removesuffix(".__init__")
    values = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
    parts = [here if getattr(value, "id", "") == "__name__" else _text(value, module) for value in values]
    return "".join(parts) if all(parts) else ""


def home(name: str) -> str | None:
    """The module of the package that an imported name is, or is of: `net/resolve` of caffe_compat.net.resolve.filter_net."""
    parts = name.split(".")[1:]
    while name.startswith("caffe_compat"):
        for module in ("/".join(parts), "/".join([*parts, "__init__"])):
            if module in sources():
                return module
        parts.pop()
    return None


def circles() -> list[list[str]]:
    """Modules that import each other, directly or by way of others, in functions or for type checkers only.

    What runs the user's code does not count: the module of a Python layer imports caffe, the package as a whole.
    """
    links = {
        module: {
            other
            for name, _ in imports(tree, module)
            # The version is the package's, which imports everything by name.
            if name != "caffe_compat.__version__" and (module, name) != ("layers/python", "caffe_compat")
            if (other := home(name)) not in (None, module)
        }
        for module, tree in sources().items()
    }
    reached = {module: _reached(links, module) for module in links}
    groups = {tuple(sorted(m for m in reached[module] if module in reached[m])) for module in links}
    return [list(group) for group in sorted(groups) if group]


def _reached(links: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = links[waiting.pop()] - found
        found |= new
        waiting += new
    return found


# -- sizes --------------------------------------------------------------------------------------


def files() -> dict[str, int]:
    """Lines of each file of the package, the tools and the tests that people write."""
    paths = (path for top in ("caffe_compat", "tools", "tests") for path in (ROOT / top).rglob("*"))
    written = [path for path in paths if path.suffix in (".py", ".sh") and "reference" not in path.parts]
    return {path.relative_to(ROOT).as_posix(): len(path.read_bytes().splitlines()) for path in written}


def classes() -> dict[str, int]:
    """Lines of each class in those files, by `file: Class`."""
    return {
        f"{file}: {name}": lines
        for file in files()
        if file.endswith(".py")
        for name, lines in _classes(ROOT / file).items()
    }


def _classes(path: Path) -> dict[str, int]:
    tree = ast.parse(path.read_bytes())
    return {n.name: (n.end_lineno or 0) - n.lineno + 1 for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}


# -- habits -------------------------------------------------------------------------------------


@cache
def layer_types() -> set[str]:
    """The names that `@layer` registers anywhere in the package."""
    return {
        name.value
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and _called(decorator) == "layer"
        for name in decorator.args
        if isinstance(name, ast.Constant)
    }


def type_names() -> dict[str, list[int]]:
    """Lines in WITHOUT_TYPE_NAMES that ask for a layer or a solver by its type's name, by module."""
    found = {
        module: sorted(set(asks_for_types(tree)))
        for module, tree in sources().items()
        if module.split("/")[0] in WITHOUT_TYPE_NAMES
    }
    return {module: lines for module, lines in found.items() if lines}


def asks_for_types(tree: ast.AST) -> Iterator[int]:
    """Lines that compare a `type` with words, and lines with a layer type's name in a comparison or collection."""
    for node in ast.walk(tree):
        words: set[str] = set()
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(getattr(side, "attr", "") == "op_type" for side in sides):
                continue  # ONNX's
            words = _words(sides)
            if any(getattr(side, "attr", "") == "type" for side in sides):
                if words - _DEVICES:
                    yield node.lineno
                continue
        elif isinstance(node, ast.Match):
            words = _words(case.pattern for case in node.cases)
            if getattr(node.subject, "attr", "") == "type" and words:
                yield node.lineno
                continue
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if getattr(node.func.value, "attr", "") == "type" and node.func.attr in _WORD_TESTS:
                yield node.lineno
            if node.func.attr == "split" and isinstance(node.func.value, ast.Constant):
                words = set(str(node.func.value.value).split())
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            words = _words([node.value]) if isinstance(node.value, ast.Constant) else set()
        elif isinstance(node, ast.Dict):
            words = _words(key for key in node.keys if key)
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            words = _words(node.elts)
        if words & layer_types():
            yield node.lineno


def _words(nodes: Iterable[ast.AST]) -> set[str]:
    """The strings among these, and those in the collections and patterns among them."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Tuple | ast.List | ast.Set | ast.MatchValue | ast.MatchOr):
            found |= _words(ast.iter_child_nodes(node))
    return found


def bare_any() -> Counter[str]:
    """How many parameters and variables are annotated with `Any` and nothing else, by unit."""
    return Counter(
        module.split("/")[0]
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.arg | ast.AnnAssign)
        and isinstance(node.annotation, ast.Name)
        and node.annotation.id == "Any"
    )


def main() -> None:
    for what, sizes in (("file", files()), ("class", classes())):
        largest = max(sizes, key=lambda name: sizes[name])
        print(f"largest {what}: {largest}, {sizes[largest]} lines")
    print(f"circles of imports: {len(circles())}, {sum(map(len, circles()))} modules in them")
    names = type_names()
    print(
        f"comparisons with a type's name in {', '.join(WITHOUT_TYPE_NAMES)}: {sum(map(len, names.values()))}"
    )
    units = ", ".join(f"{unit} {count}" for unit, count in bare_any().most_common())
    print(f"annotations that are Any: {bare_any().total()} ({units})")


if __name__ == "__main__":
    main()
