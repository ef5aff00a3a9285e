"""Nets written in Python: pycaffe's NetSpec, layers and params.

    n = NetSpec()
    n.data, n.label = layers.DummyData(shape=[dict(dim=[50, 1, 28, 28]), dict(dim=[50])], ntop=2)
    n.ip = layers.InnerProduct(n.data, num_output=10, weight_filler=dict(type="xavier"))
    n.loss = layers.SoftmaxWithLoss(n.ip, n.label)
    print(n.to_proto())

A top's name is the attribute it is assigned to; a top that is assigned to none is named by its type and
a number. Source: python/caffe/net_spec.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from caffe_compat import proto
from caffe_compat.errors import nearest
from caffe_compat.proto import LayerParameter, Message, NetParameter


def param_name_dict() -> dict[str, str]:
    """The field of LayerParameter, less `_param`, by the name of its message, less `Parameter`: the layer type.

    Where a fork has further fields of a message (relu6_param), the one with the lowest number is the layer's.
    """
    names: dict[str, str] = {}
    for field in sorted(LayerParameter.DESCRIPTOR.fields, key=lambda field: field.number):
        if field.message_type and field.name.endswith("_param"):
            names.setdefault(
                field.message_type.name.removesuffix("Parameter"), field.name.removesuffix("_param")
            )
    return names


# Layers that share another layer's message; pycaffe takes their parameters only as a whole message.
_SHARED = {"Deconvolution": "convolution", "Im2col": "convolution", "LSTM": "recurrent", "RNN": "recurrent"}
_param_names = {**param_name_dict(), **_SHARED}


def to_proto(*tops: Top) -> NetParameter:
    """A NetParameter of all layers that these tops need, every layer with a name made up from its type."""
    return _net(tops, {})


def _net(tops: Iterable[Top | Function], names: dict[Top | Function, str]) -> NetParameter:
    layers: dict[Function, LayerParameter] = {}
    autonames: Counter[str] = Counter()
    for top in tops:
        top._to_proto(layers, names, autonames)
    return NetParameter(layer=layers.values())


def assign_proto(proto: Message, name: str, val: Any) -> None:
    """Set field `name` of a message to a Python value.

    A dict fills a message, a list or tuple a repeated field, anything else is assigned; a single value for a
    repeated field is a list of one. Raises AttributeError for a field that the message does not have.
    """
    if not _has(proto, name):
        known = [f.name for f in proto.DESCRIPTOR.fields]
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field {name!r}{nearest(name, known)}")
    if hasattr(getattr(proto, name), "extend"):
        for value in val if isinstance(val, list | tuple) else [val]:
            if isinstance(value, dict):
                item = getattr(proto, name).add()
                for key, inner in value.items():
                    assign_proto(item, key, inner)
            else:
                getattr(proto, name).append(value)
    elif isinstance(val, dict):
        for key, inner in val.items():
            assign_proto(getattr(proto, name), key, inner)
    else:
        setattr(proto, name, val)


def _has(message: Message, name: str) -> bool:
    return name in message.DESCRIPTOR.fields_by_name


class Top:
    """One output of a layer: number `n` of `fn`."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> NetParameter:
        """A NetParameter of all layers that this top needs."""
        return to_proto(self)

    def _to_proto(
        self,
        layers: dict[Function, LayerParameter],
        names: dict[Top | Function, str],
        autonames: Counter[str],
    ) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """One layer: its type, the tops it reads and its parameters.

    Two parameters are not the layer's own: `ntop`, how many tops it makes (1), and `in_place`, whether its
    tops are its bottoms.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]):
        for index, top in enumerate(inputs):
            if not isinstance(top, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(top)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _name(self, key: Top | Function, names: dict[Top | Function, str], autonames: Counter[str]) -> str:
        if key not in names:
            autonames[self.type_name] += 1
            names[key] = f"{self.type_name}{autonames[self.type_name]}"
        return names[key]

    def _to_proto(
        self,
        layers: dict[Function, LayerParameter],
        names: dict[Top | Function, str],
        autonames: Counter[str],
    ) -> None:
        if self in layers:
            return
        bottoms = []
        for top in self.inputs:
            top._to_proto(layers, names, autonames)
            bottoms.append(layers[top.fn].top[top.n])
        layer = LayerParameter(type=self.type_name, bottom=bottoms)
        layer.top.extend(
            bottoms if self.in_place else [self._name(top, names, autonames) for top in self.tops]
        )
        layer.name = self._name(self.tops[0] if self.tops else self, names, autonames)
        for key, value in self.params.items():
            self._set(layer, key, value)
        layers[self] = layer

    def _set(self, layer: LayerParameter, key: str, value: Any) -> None:
        """Set a field of the layer's own parameter message, or of the layer."""
        own = f"{_param_names.get(self.type_name)}_param"
        messages = [getattr(layer, own), layer] if _has(layer, own) else [layer]
        if key.endswith("param"):  # a whole message, such as transform_param, is the layer's
            messages = [layer]
        for message in messages:
            if _has(message, key):
                return assign_proto(message, key, value)
        known = [field.name for message in messages for field in message.DESCRIPTOR.fields]
        raise AttributeError(f"a {self.type_name} layer has no parameter {key!r}{nearest(key, known)}")


class NetSpec:
    """A net in the making; assign tops to its attributes (or items) to name them."""

    tops: dict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        tops = self.__dict__.get("tops", {})  # not there yet while a copy is being made
        if name not in tops:
            raise AttributeError(f"this NetSpec has no top {name!r}{nearest(name, tops)}")
        return tops[name]

    def __delattr__(self, name: str) -> None:
        del self.tops[name]

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __getitem__(self, item: str) -> Any:
        return self.tops[item]

    def __delitem__(self, key: str) -> None:
        del self.tops[key]

    def keys(self) -> list[str]:
        """The names of the tops in the order of their assignment, as SSD's NetSpec gives them; so `vals`, `update`."""
        return list(self.tops)

    def vals(self) -> list[Any]:
        """The tops in the order of `keys`."""
        return list(self.tops.values())

    def update(self, name: str, params: dict[str, Any]) -> None:
        """Set these parameters of the layer whose top is `name`; the others stay."""
        top = self[name]
        (top if isinstance(top, Function) else top.fn).params.update(params)

    def to_proto(self) -> NetParameter:
        """A NetParameter of all layers that the assigned tops need."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


class Layers:
    """`layers.Convolution(bottom, kernel_size=3)` is the top of such a layer: a tuple of `ntop` tops, or with
    ntop 0 the Function itself."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            if fn.ntop == 0:
                return fn
            return fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn


class _Constants:
    def __init__(self, message: type[Message]):
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name)


class Parameters:
    """`params.Pooling.MAX` is the constant MAX of PoolingParameter."""

    def __getattr__(self, name: str) -> Any:
        return _Constants(getattr(proto, f"{name}Parameter"))


layers = Layers()
params = Parameters()
