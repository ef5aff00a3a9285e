"""What scripts written for NumPy 1 use and the installed NumPy has no longer; see old_names.

Its removed names (np.float, np.asscalar ...) and methods (tostring ...) are back; an array of one element serves as a
number (`float(a)`, `b[0] = a`), an np.float64 as a size or an index; a list of unequal lists makes an array of objects.
"""

from __future__ import annotations

import ast
import builtins
import ctypes
import functools
import gc
import math
import os
import pickle
import sys
import sysconfig
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from caffe_compat.pycaffe.old_scripts import Warner, give_names, is_script

# -- names ------------------------------------------------------------------------------------

_ALIASES = {
    "float": builtins.float, "int": builtins.int, "bool": builtins.bool, "object": builtins.object,
    "str": builtins.str, "complex": builtins.complex, "long": builtins.int, "unicode": builtins.str,
    "NaN": np.nan, "NAN": np.nan, "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "PINF": np.inf, "NINF": -np.inf,
    "PZERO": 0.0, "NZERO": -0.0, "math": math, "os": os, "sys": sys, "warnings": warnings,
    "float_": np.float64, "complex_": np.complex128, "cfloat": np.complex128, "singlecomplex": np.complex64,
    "longfloat": np.longdouble, "clongfloat": np.clongdouble, "longcomplex": np.clongdouble, "unicode_": np.str_,
    "string_": np.bytes_, "bool8": np.bool_, "int0": np.intp, "uint0": np.uintp, "object0": np.object_,
    "str0": np.str_, "bytes0": np.bytes_, "void0": np.void,
    "product": np.prod, "cumproduct": np.cumprod, "alltrue": np.all, "sometrue": np.any, "round_": np.round,
    "row_stack": np.vstack, "unique1d": np.unique, "rank": np.ndim, "mat": np.asmatrix, "loads": pickle.loads,
    "issubclass_": issubclass, "safe_eval": ast.literal_eval, "typeDict": np.sctypeDict, "disp": print,
}  # fmt: skip


def _in1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False, invert: bool = False) -> np.ndarray:
    return np.isin(np.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert)


def _trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1) -> Any:
    values = np.moveaxis(np.asanyarray(y), axis, -1)
    widths = (
        dx
        if x is None
        else np.diff(np.asarray(x) if np.ndim(x) == 1 else np.moveaxis(np.asanyarray(x), axis, -1))
    )
    return (widths * (values[..., 1:] + values[..., :-1]) / 2).sum(-1)


def _asfarray(a: ArrayLike, dtype: DTypeLike = np.float64) -> np.ndarray:
    return np.asarray(a, dtype if np.issubdtype(dtype, np.inexact) else np.float64)


class _Cast(dict):
    """`np.cast[dtype](values)`."""

    def __missing__(self, dtype: type) -> Callable[[Any], np.ndarray]:
        return lambda values: np.asarray(values, dtype)


_FUNCTIONS: dict[str, Any] = {
    "in1d": _in1d,
    "setmember1d": _in1d,
    "trapz": _trapezoid,
    "asfarray": _asfarray,
    "asscalar": lambda a: np.asarray(a).item(),
    "alen": lambda a: len(np.atleast_1d(a)),
    "msort": lambda a: np.sort(a, axis=0),
    "fastCopyAndTranspose": lambda a: np.asarray(a).T.copy(),
    "find_common_type": lambda arrays, scalars: np.result_type(*arrays, *(np.dtype(s) for s in scalars)),
    "obj2sctype": lambda rep, default=None: np.dtype(rep).type,
    "sctype2char": lambda sctype: np.dtype(sctype).char,
    "cast": _Cast(),
}

# In modules below numpy: what is left of numpy.lib, numpy.linalg.linalg ... is numpy's or the parent's own.
_BELOW = {"numpy.lib": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft, "numpy.random": np.random}


def _removed(name: str) -> Any:
    """What a name of NumPy's that is gone meant. Raises KeyError for one that nobody misses."""
    if name in _ALIASES:
        return _ALIASES[name]
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name.endswith(("Warning", "Error")) and hasattr(np, "exceptions"):
        return vars(np.exceptions)[name]
    raise KeyError(name)


def install(used: Warner) -> None:
    """Give the running script what NumPy has removed; `used` hears of each use."""
    give_names(np, _removed, used)
    for module, source in _BELOW.items():
        if module in sys.modules:
            give_names(sys.modules[module], functools.partial(_from_parent, source), used)
    _give_functions(used)
    if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        _give_methods(used)


def _from_parent(source: object, name: str) -> Any:
    if name in ("linalg", "fftpack", "mtrand"):  # numpy.linalg.linalg, numpy.fft.fftpack
        return source
    return vars(source)[name]


# -- functions that took more -----------------------------------------------------------------


def _give_functions(used: Warner) -> None:
    fromstring, array = np.fromstring, np.array

    @functools.wraps(fromstring)
    def new_fromstring(
        string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", **kwargs: Any
    ) -> Any:
        if sep:
            return fromstring(string, dtype, count, sep=sep, **kwargs)
        used("np.fromstring of bytes")
        data = string.encode() if isinstance(string, str) else string
        return np.frombuffer(data, dtype, count).copy()

    def new_array(*args: Any, **kwargs: Any) -> np.ndarray:
        try:
            return array(*args, **kwargs)
        except ValueError as error:
            if "inhomogeneous" not in str(error) or len(args) > 1 or kwargs.get("dtype") is not None:
                raise
            if not is_script(sys._getframe(1)):
                raise
            used("np.array of unequal lists without dtype=object")
            return array(*args, **{**kwargs, "dtype": object})

    new_array.__name__, new_array.__doc__ = "array", array.__doc__
    np.fromstring, np.array = new_fromstring, new_array  # type: ignore[assignment]
    for (module, name), (places, keywords) in _SIZES.items():
        setattr(module, name, _taking_floats(getattr(module, name), places, keywords.split(), used))


# Where functions take sizes: among their positional arguments, and by keyword.
_SIZES = {
    **{(np, name): (slice(0, 1), "shape") for name in ("zeros", "ones", "empty", "full")},
    **{(np, name): (slice(0, 2), "N M n") for name in ("eye", "identity")},
    **{(np, name): (slice(1, 2), "reps newshape shape") for name in ("tile", "reshape")},
    (np, "linspace"): (slice(2, 3), "num"),
    **{(np.random, name): (slice(None), "") for name in ("rand", "randn")},
    **{(np.random, name): (slice(0), "size") for name in ("choice", "randint", "uniform", "normal")},
}


def _taking_floats(function: Any, places: slice, keywords: list[str], used: Warner) -> Any:
    """`function`, with floats among its sizes cut to whole numbers where it refuses them."""

    def sized(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            positional = [*args]
            positional[places] = map(_whole, args[places])
            named = {name: _whole(value) if name in keywords else value for name, value in kwargs.items()}
            sizes = [*args[places], *(kwargs[name] for name in keywords if name in kwargs)]
            if not any(map(_has_float, sizes)):
                raise
            result = function(*positional, **named)
            used(f"np.{function.__name__} of a float size")
            return result

    return functools.update_wrapper(sized, function)


def _has_float(size: object) -> bool:
    return any(isinstance(s, float) for s in (size if isinstance(size, list | tuple) else [size]))


def _whole(size: object) -> Any:
    if isinstance(size, list | tuple):
        return [_whole(s) for s in size]
    return int(size) if isinstance(size, float) else size


# -- methods ----------------------------------------------------------------------------------


def _give_methods(used: Warner) -> None:
    """Give arrays and floats their methods back.

    These types are not open to assignment, so what it would do is done by hand: the method is put into the type's
    dictionary and, where Python calls it by a slot of the type, the slot is set as a class of our own has it.
    """

    def tostring(self: np.ndarray | np.generic, order: Any = "C") -> bytes:
        used(f"{'ndarray' if isinstance(self, np.ndarray) else 'np.generic'}.tostring")
        return self.tobytes(order)

    def ptp(self: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        used("ndarray.ptp")
        return np.ptp(self, *args, **kwargs)

    def itemset(self: np.ndarray, *args: Any) -> None:
        used("ndarray.itemset")
        *where, value = args
        if len(where) == 1 and not isinstance(where[0], tuple):
            self.flat[where[0]] = value
        else:
            self[tuple(where[0] if len(where) == 1 else where)] = value

    def newbyteorder(self: np.ndarray, order: Any = "S") -> np.ndarray:
        used("ndarray.newbyteorder")
        return self.view(self.dtype.newbyteorder(order))

    for kind, methods in ((np.ndarray, (tostring, ptp, itemset, newbyteorder)), (np.generic, (tostring,))):
        for method in methods:
            if not hasattr(kind, method.__name__):
                _set_method(kind, method.__name__, method)
    if not _slots_are_where_we_think():
        return

    def number(convert: Any) -> Any:
        def __number__(self: np.ndarray) -> Any:
            if self.ndim and self.size == 1:
                used("float() or int() of an array of one element")
                self = self.reshape(())
            return convert(self)

        return __number__

    def __index__(self: np.floating) -> int:
        used("np.float64 as a size or an index")
        return int(float(self))

    for name in ("__float__", "__int__"):
        try:
            float(np.zeros(1)) if name == "__float__" else int(np.zeros(1))
        except TypeError:
            _set_slot(np.ndarray, name, number(getattr(np.ndarray, name)))
    _set_method(np.ndarray, "__complex__", number(np.ndarray.__complex__))  # Python calls it by its name
    for floating in (np.float64, np.float32):
        if not hasattr(floating, "__index__"):
            _set_slot(floating, "__index__", __index__)


_POINTER = ctypes.sizeof(ctypes.c_void_p)
# PyTypeObject: the object's head, ob_size, tp_name, tp_basicsize, tp_itemsize, tp_dealloc, tp_vectorcall_offset,
# tp_getattr, tp_setattr, tp_as_async, tp_repr; then tp_as_number, whose members are pointers.
_AS_NUMBER = object.__basicsize__ + 10 * _POINTER
_SLOTS = {"__int__": 16, "__float__": 18, "__index__": 33}


def _slot(kind: type, name: str) -> Any:
    number = ctypes.c_void_p.from_address(id(kind) + _AS_NUMBER).value
    if number is None:
        raise TypeError(f"{kind} has no numbers")
    return ctypes.c_void_p.from_address(number + _SLOTS[name] * _POINTER)


def _slots_are_where_we_think() -> bool:
    """A class with one of the methods has its slot filled, and the others empty."""
    for name in _SLOTS:
        kind = type("Probe", (), {name: lambda self: 1})
        if [other for other in _SLOTS if _slot(kind, other).value] != [name]:
            return False
    return True


def _set_slot(kind: type, name: str, method: object) -> None:
    _set_method(kind, name, method)
    # What Python puts there for every class with such a method: it looks the method up, and calls it.
    _slot(kind, name).value = _slot(type("Source", (), {name: method}), name).value


def _set_method(kind: type, name: str, method: object) -> None:
    (dictionary,) = gc.get_referents(vars(kind))
    dictionary[name] = method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
