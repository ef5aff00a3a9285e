"""Rules about nets that cannot be built, or not for their shapes."""

from __future__ import annotations

from caffe_compat.errors import DataError
from caffe_compat.inspect.lint import NOTE, Found, rule
from caffe_compat.inspect.lint.subject import Subject


@rule("cannot-build")
def cannot_build(subject: Subject) -> Found:
    """The net cannot be built, or is not there; rules that need its layers or shapes were left out."""
    errors = [
        view.error
        for view in subject.views
        if view.error is not None and not isinstance(view.error, DataError)
    ]
    for error in (*subject.absent, *errors):
        where, _, what = str(error).partition(": ")
        yield where, what


@rule("no-shapes", NOTE)
def no_shapes(subject: Subject) -> Found:
    """Data is missing and nothing tells its shape; rules that need shapes were left out."""
    for view in subject.views:
        if isinstance(view.error, DataError):
            where, _, what = str(view.error).partition(": ")
            yield where, what
