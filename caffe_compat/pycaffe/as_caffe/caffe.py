"""This package under the name caffe, in a process that a script under `caffe-compat python` has started.

Where processes are not forked they begin anew, with the script's places for modules but none of its modules.
"""

import sys

import caffe_compat
from caffe_compat.pycaffe import old_names

del sys.modules["caffe"]  # this file, whose place the package takes
caffe_compat.install_as_caffe()
old_names.install(lambda line: None)  # the script's own process has warned
