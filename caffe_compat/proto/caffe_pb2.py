"""The message classes under the name that protoc gives them: `from caffe.proto import caffe_pb2`."""

from caffe_compat.proto import messages
from caffe_compat.proto.messages import *

DESCRIPTOR = messages.NetParameter.DESCRIPTOR.file

__all__ = ["DESCRIPTOR"]
__all__ += messages.__all__
