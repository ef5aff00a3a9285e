"""Messages and fields that users add, for layers of their own."""

from google.protobuf import message_factory

from caffe_compat.proto.messages import EXTENSION_RANGE, POOL, SCHEMA, FieldDescriptor, LayerParameter
from caffe_compat.proto.schema import LABELS, compile_schema

EXTENSIONS: dict[str, FieldDescriptor] = {}  # what `extend` added to LayerParameter, by name


def extend(schema: str) -> dict[str, FieldDescriptor]:
    '''Add messages of your own, and fields of LayerParameter that hold them, so that prototxt may use them.

        FOCAL = extend("""
            message FocalLossParameter { optional float gamma = 1 [default = 2]; }
            extend LayerParameter { optional FocalLossParameter focal_loss_param = 1; }
        """)["focal_loss_param"]

    Returns a handle for each such field: a layer reads `self.param.Extensions[FOCAL].gamma`. The field's number
    in files is the given one + 1,000,000, out of the way of Caffe's and its forks'.
    Raises ValueError for a schema that cannot be read and for names and numbers that are taken.
    '''
    name = f"extension_{len(EXTENSIONS)}.proto"
    header = 'syntax = "proto2"; package caffe; message LayerParameter { }'
    file = compile_schema(header + schema, name).file
    file.dependency.append(SCHEMA.file.name)
    own = file.message_type.pop(0)
    for field in own.field:
        if field.HasField("type") or field.label != LABELS["optional"]:
            raise ValueError(f"LayerParameter.{field.name} must be an optional message")
        if field.name in LayerParameter.DESCRIPTOR.fields_by_name or field.name in EXTENSIONS:
            raise ValueError(f"LayerParameter has a field {field.name!r} already; give yours another name")
        field.extendee = ".caffe.LayerParameter"
        field.number += EXTENSION_RANGE[0]
        file.extension.append(field)
    try:
        POOL.AddSerializedFile(file.SerializeToString())
    except TypeError as error:
        raise ValueError(f"{error}; give names and numbers that are not taken") from error
    for message in POOL.FindFileByName(name).message_types_by_name.values():
        message_factory.GetMessageClass(message)
    handles = {field.name: POOL.FindExtensionByName(f"caffe.{field.name}") for field in own.field}
    EXTENSIONS.update(handles)
    return handles
