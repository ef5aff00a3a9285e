"""A net: resolved from its prototxt, built layer by layer, lowered to a graph that torch runs."""

from typing import TYPE_CHECKING, Any

__all__ = ["Net"]

if TYPE_CHECKING:
    from caffe_compat.net.net import Net
else:

    def __getattr__(name: str) -> Any:
        # Late, so that net.resolve can be imported without torch.
        if name == "Net":
            from caffe_compat.net.net import Net

            return Net
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
