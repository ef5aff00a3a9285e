"""Caffe's log: `write` prints it, `read` understands anybody's, `plot` draws it."""

from caffe_compat.log.write import NULL, Log

__all__ = ["NULL", "Log"]
