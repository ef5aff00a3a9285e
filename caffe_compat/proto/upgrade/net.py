"""Fields of today's nets that have another form now: inputs, and the rates of BatchNorm."""

from caffe_compat.errors import ParseError
from caffe_compat.proto import LayerParameter, NetParameter


def needs_input(param: NetParameter) -> bool:
    return len(param.input) > 0


def input_layer(param: NetParameter) -> list[str]:
    """Make one Input layer of input and its dimensions; without dimensions (old caffemodels) just drop it."""
    count = len(param.input)
    if param.input_shape:
        if len(param.input_shape) < count:
            raise ParseError(
                f"{param.origin or 'the net'}: {count} input fields but {len(param.input_shape)} input_shape; give one each"
            )
        shapes = [list(shape.dim) for shape in param.input_shape[:count]]
    elif param.input_dim:
        if len(param.input_dim) < 4 * count:
            raise ParseError(
                f"{param.origin or 'the net'}: {count} input fields need {4 * count} input_dim, found "
                f"{len(param.input_dim)}; give four each, or use input_shape"
            )
        shapes = [param.input_dim[4 * i : 4 * i + 4] for i in range(count)]
    else:
        shapes = []
    if shapes:
        layer = LayerParameter(name="input", type="Input", top=param.input, origin=param.origin)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        param.layer.insert(0, layer)
    for name in ("input", "input_shape", "input_dim"):
        param.ClearField(name)
    return []


def _old_batch_norms(param: NetParameter) -> list[LayerParameter]:
    """Those that say lr_mult: 0 three times."""
    return [layer for layer in param.layer if layer.type == "BatchNorm" and len(layer.param) == 3]


def needs_batch_norm(param: NetParameter) -> bool:
    return bool(_old_batch_norms(param))


def batch_norm_rates(param: NetParameter) -> list[str]:
    for layer in _old_batch_norms(param):
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    return []
