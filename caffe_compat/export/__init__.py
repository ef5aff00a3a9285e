"""Trained nets written as ONNX files."""

from typing import TYPE_CHECKING, Any

__all__ = ["export_onnx"]

if TYPE_CHECKING:
    from caffe_compat.export.onnx import export_onnx
else:

    def __getattr__(name: str) -> Any:
        if name == "export_onnx":
            from caffe_compat.export.onnx import export_onnx

            return export_onnx
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
