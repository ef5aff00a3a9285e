"""Commands that only look at a net, run without importing torch, which takes longer than all else they do.

Of such a net layers are told shapes, and their blobs have shapes and no values. While the command runs, modules of
names without meaning take the place of torch's: a name may be looked up, subclassed, used as a decorator or an
annotation. What needs torch itself ends the attempt, and the command starts again with it.
"""

import contextlib
import gc
import importlib.abc
import io
import math
import sys
import types
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from caffe_compat.cli import common
from caffe_compat.errors import CaffeError


class NeedsTorch(BaseException):
    """A name of torch's was used. No Exception, so that nobody takes it for something wrong with the net."""


def run(command: Callable[[Namespace], int], args: Namespace) -> int:
    """The exit code of a command with `common.add_look_options`; what it prints appears when it is through."""
    if "torch" not in sys.modules and not args.imports and not args.allow_python_layers:
        from caffe_compat.proto import text  # noqa: F401  not to be forgotten: it knows what pipes told

        out, err = io.StringIO(), io.StringIO()
        try:
            with _stand_in(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = command(args)
        except CaffeError:
            _print(out, err)
            raise
        except NeedsTorch:
            code = None
        if code is not None:
            _print(out, err)
            return code
    common.load_torch()
    return command(args)


def _print(out: io.StringIO, err: io.StringIO) -> None:
    sys.stderr.write(err.getvalue())
    sys.stdout.write(out.getvalue())


@contextlib.contextmanager
def _stand_in() -> Iterator[None]:
    """Within it `import torch` gives the stand-in. Modules that saw it are forgotten afterwards."""
    before, finder = set(sys.modules), _Finder()
    sys.meta_path.insert(0, finder)
    gc.disable()  # what is made lasts as long as the command; looking for garbage takes a tenth of its time
    try:
        yield
    finally:
        gc.enable()
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("torch", "caffe_compat"):
                del sys.modules[name]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] == "torch":
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


class _Module(types.ModuleType):
    """torch, or a module in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _named(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


def _named(path: str) -> Any:
    """What stands for the name `path`: a class if it begins like one."""
    if path in _KNOWN:
        return _KNOWN[path]
    name = path.rpartition(".")[2]
    return _Class(name, (), {"_path": path}) if name[0].isupper() else _Name(path)


class _Unknown:
    """What is looked up and not used: an attribute is one more such name, every operator needs torch."""

    _path = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _named(f"{self._path}.{name}")


def _needs(operator: str) -> Callable[..., Any]:
    def method(self: _Unknown, *args: object, **options: object) -> Any:
        raise NeedsTorch(f"{self._path}.{operator}")

    return method


_OPERATORS = (
    "abs add and array bool call contains delitem divmod enter float floordiv format ge getitem gt iadd iand ifloordiv "
    "ilshift imatmul imod imul index instancecheck int invert ior ipow irshift isub iter itruediv ixor le lshift lt "
    "matmul mod mul neg next or pos pow radd rand rdivmod rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift "
    "rshift rsub rtruediv rxor setitem str sub truediv xor"
).split()
for _operator in _OPERATORS:
    setattr(_Unknown, f"__{_operator}__", _needs(f"__{_operator}__"))


class _Name(_Unknown):
    """A function, number type or module of torch's."""

    def __init__(self, path: str):
        self._path = path


class _Class(type):
    """What classes of torch's are made by: one may be a base or stand in an annotation."""

    _path: str

    def __call__(cls, *args: object, **options: object) -> Any:
        raise NeedsTorch(cls._path)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _named(f"{cls._path}.{name}")


_OF_MODULES = (
    "__call__ apply buffers children cpu cuda double eval extra_repr float forward get_buffer get_parameter "
    "get_submodule half load_state_dict modules named_buffers named_children named_modules named_parameters parameters "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook register_module register_parameter "
    "requires_grad_ state_dict to_empty train training type zero_grad _buffers _modules _parameters"
).split()


class _Size(tuple[int, ...]):
    def numel(self) -> int:
        return math.prod(self)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Size(found) if isinstance(index, slice) else found


class _Blob(_Unknown):
    """A tensor on the meta device: a shape."""

    _path = "torch.Tensor"
    is_meta = True

    def __init__(self, shape: Sequence[int]):
        self.shape = _Size(shape)
        self.requires_grad = False

    def __len__(self) -> int:
        return self.shape[0]

    def numel(self) -> int:
        return self.shape.numel()

    def dim(self) -> int:
        return len(self.shape)

    def to(self, *args: object, **options: object) -> "_Blob":
        return self

    def requires_grad_(self, wanted: bool = True) -> "_Blob":
        self.requires_grad = wanted
        return self

    def fill_(self, value: float) -> "_Blob":
        return self

    def new_zeros(self, *shape: int) -> "_Blob":
        return _Blob(shape)

    @property
    def data(self) -> "_Blob":
        return self


class _Base:
    """torch.nn.Module, as the base of layers."""

    def __getattr__(self, name: str) -> Any:
        if name in _OF_MODULES:
            raise NeedsTorch(f"torch.nn.Module.{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def register_buffer(self, name: str, value: object, persistent: bool = True) -> None:
        setattr(self, name, value)

    def to(self, device: object) -> "_Base":
        return self


class _Parameters(list[Any]):
    """torch.nn.ParameterList."""

    def __getattr__(self, name: str) -> Any:
        return _Base.__getattr__(self, name)  # type: ignore[arg-type]

    @property
    def _parameters(self) -> dict[str, Any]:
        return {str(i): value for i, value in enumerate(list.__iter__(self))}


def _made(first: int | Sequence[int], *others: int, **options: object) -> _Blob:
    return _Blob((first, *others) if isinstance(first, int) else first)


def _like(values: Any, **options: object) -> _Blob:
    import numpy as np

    return _Blob(np.shape(values))


def _parameter(blob: _Blob, requires_grad: bool = True) -> _Blob:
    return blob.requires_grad_(requires_grad)


class _NoGradients(contextlib.ContextDecorator):
    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


class _Generator(_Unknown):
    """A generator of random numbers, none of which are drawn."""

    _path = "torch.Generator"

    def seed(self) -> int:
        return 0

    def manual_seed(self, seed: int) -> "_Generator":
        return self


class _Device(_Unknown):
    _path = "torch.device"
    type = "meta"

    def __init__(self, name: str):
        pass


# What building a net for its shapes calls; all else needs torch.
_KNOWN: dict[str, Any] = {
    "torch.zeros": _made,
    "torch.empty": _made,
    "torch.ones": _made,
    "torch.full": _made,
    "torch.Tensor": _Blob,
    "torch.Generator": _Generator,
    "torch.device": _Device,
    "torch.nn.Module": _Base,
    "torch.tensor": _like,
    "torch.from_numpy": _like,
    "torch.randint": lambda *args, **options: 0,  # seeds of generators
    "torch.no_grad": _NoGradients,
    "torch.nn.Parameter": _parameter,
    "torch.nn.ParameterList": _Parameters,
    "torch.autograd.function.once_differentiable": lambda function: function,
}
