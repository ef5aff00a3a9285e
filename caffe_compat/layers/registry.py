"""Finds the layer that a prototxt's type names. Forks are loaded when a type is not one of Caffe's own."""

import functools
import importlib
import pkgutil

from caffe_compat.errors import LayerError, nearest, some
from caffe_compat.layers.base import FORMS, TYPES, Context, Layer, where
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import LayerParameter, fork_fields

STOCK, FORKS = "caffe_compat.layers", "caffe_compat.forks"


def find(type_name: str) -> type[Layer] | None:
    """The class of a layer type, None if nobody registered it."""
    _import_all(STOCK)
    cls = TYPES.get(type_name)
    if cls is None or not cls.__module__.startswith(
        (STOCK, FORKS)
    ):  # a name that is also a fork's is an error
        _import_all(FORKS)
    return TYPES.get(type_name)


def class_for(param: LayerParameter) -> type[Layer] | None:
    """The class that runs a LayerParameter: of its type, or of the form of it that the fields ask for."""
    cls = find(param.type)
    if cls is not None and not_acted_on(cls, param):
        _import_all(FORKS)
    return next((other for fits, other in FORMS.get(param.type, ()) if fits(param)), cls)


def not_acted_on(cls: type[Layer], param: LayerParameter) -> list[str]:
    """The fields of Caffe's forks that `param` sets and this class does not act on."""
    # What `param` says of a blob is the solver's to act on.
    return [
        name for name in fork_fields(param) if name not in cls.fork_fields and not name.startswith("param.")
    ]


def registry() -> dict[str, type[Layer]]:
    """All layer types by name, those of forks and of the user's modules too."""
    _import_all(STOCK)
    _import_all(FORKS)
    return TYPES


@functools.cache
def _import_all(package: str) -> None:
    """Import every module below a package: `@layer` registers what they define."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)


def create_layer(param: LayerParameter, phase: int, context: Context | None = None, log: Log = NULL) -> Layer:
    """The layer that `param.type` names, not yet set up.

    Raises LayerError for a type nobody registered, naming the nearest ones, and for a fork's fields that the
    layer does not act on; with `context.ignore_unknown` those are a warning to `log`.
    """
    cls = class_for(param)
    if cls is None:
        raise LayerError(
            f"{where(param)}: unknown layer type {param.type!r}{nearest(param.type, TYPES) or ';'} "
            f"known types: {some(sorted(TYPES), param.type)}; a module that registers @layer({param.type!r}) "
            "can be given with --import"
        )
    if ignored := not_acted_on(cls, param):
        what = f"{where(param)}: {', '.join(ignored)}: a fork of Caffe's, which this layer does not act on"
        if context is None or not context.ignore_unknown:
            raise LayerError(f"{what}; remove it, or give --ignore-unknown-fields")
        log.warn_once(f"{what}; ignored")
    return cls(param, phase, context)
