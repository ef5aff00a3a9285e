"""The message classes under the name that protoc gives them: `from caffe.proto import caffe_pb2`."""

from caffe_compat import proto
from caffe_compat.proto import *

DESCRIPTOR = proto.NetParameter.DESCRIPTOR.file

__all__ = ["DESCRIPTOR", *proto.__all__]  # noqa: PLE0604
