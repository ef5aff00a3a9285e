"""`caffe._caffe`, pycaffe's compiled part, from which some scripts take names. Its vectors are lists here."""

from caffe_compat.pycaffe import *
from caffe_compat.pycaffe import blob, solvers

Blob, Solver = blob.Blob, solvers.Solver
BlobVec = BoolVec = DtypeVec = IntVec = LayerVec = NetVec = RawBlobVec = StringVec = list
