"""Whether torch rounds the factors of float32 products: all the places where a program may say so, kept consistent.

Since 2.9 torch has a word for each library and kind of product ("ieee", "tf32", "bf16", or "none": as the library's, and
that as the one of all), beside the old settings of cuDNN and of matrix products. Each reader looks at some of them, and
the old ones cannot be told while they contradict the words. A word of cuDNN's that nobody has set comes to "tf32" where
nothing above says otherwise, and no program can bring that back: it is left as "tf32".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_GET: Callable[[str, str], str] | None = getattr(torch._C, "_get_fp32_precision_getter", None)
_SET: Callable[..., None] = getattr(torch._C, "_set_fp32_precision_setter", lambda *_: None)
_ALL, _KINDS = ("generic", "all"), ("conv", "rnn", "matmul")
_CUDNN, _LEVEL = "cudnn.allow_tf32", "float32_matmul_precision"  # the old settings
_last = [True]  # cuDNN's old setting when a pass began

Found = dict[Any, Any]  # by place: a library and a kind of product, or the name of an old setting


@contextmanager
def rounded(device: torch.device, wanted: bool) -> Iterator[None]:
    """Within it products on a CUDA device are rounded to 10 bits or not, and on the CPU they are not.

    Afterwards all is as it was found, but for what somebody else has set meanwhile.
    """
    if device.type == "cpu" and _exact_on_cpu():
        yield
        return
    before = _found(_last[0])
    _last[0] = before[_CUDNN]
    inside = {**before, **_as_wanted(wanted)}
    if inside != before:
        _put(inside)
    try:
        yield
    finally:
        if inside != before:
            now = _found(wanted)
            _put({place: before[place] if now[place] == inside[place] else now[place] for place in before})


def _exact_on_cpu() -> bool:
    return _GET is None or all(_GET("mkldnn", kind) in ("none", "ieee") for kind in _KINDS)


def _as_wanted(wanted: bool) -> Found:
    old = {_CUDNN: wanted, _LEVEL: "high" if wanted else "highest"}
    if _GET is None:
        return old
    word = "tf32" if wanted else "ieee"
    return {**old, **{("cuda", k): word for k in _KINDS}, **{("mkldnn", k): "ieee" for k in _KINDS}}


def _found(guess: bool) -> Found:
    """What each place says itself, whatever it comes to; `guess` is of cuDNN's old setting, and a wrong one takes longer."""
    if _GET is None:
        return {_CUDNN: torch.backends.cudnn.allow_tf32, _LEVEL: torch.get_float32_matmul_precision()}
    found: Found = {_ALL: _GET(*_ALL)}
    for library in ("cuda", "mkldnn"):
        found.update(_own_words([(library, "all")], _ALL, found[_ALL]))
        kinds = [(library, kind) for kind in _KINDS]
        found.update(_own_words(kinds, (library, "all"), found[library, "all"]))
    for place in (("cuda", "matmul"), ("mkldnn", "matmul")):
        _SET(*place, "ieee")  # which contradicts nothing
    found[_LEVEL] = torch.get_float32_matmul_precision()
    found[_CUDNN] = _old_of_cudnn(guess)
    for library in ("cuda", "mkldnn"):
        for kind in _KINDS:
            _SET(library, kind, found[library, kind])
    return found


def _own_words(places: list[tuple[str, str]], above: tuple[str, str], word_above: str) -> Found:
    """The words of places that may follow the one above; torch tells only what they come to."""
    assert _GET is not None
    nothing_above = _GET(*above) == "none"
    seen = [[_GET(*place) for place in places]]
    for word in ("tf32", "ieee"):
        _SET(*above, word)
        seen.append([_GET(*place) for place in places])
    _SET(*above, word_above)
    return {
        place: a if a == b else as_found if nothing_above else "none"
        for place, as_found, a, b in zip(places, *seen, strict=True)
    }


def _old_of_cudnn(guess: bool) -> bool:
    """cuDNN's old setting, which torch tells where the words say the same; they are changed."""
    for kind in ("conv", "rnn"):
        _SET("cuda", kind, "tf32" if guess else "ieee")
    try:
        return bool(torch.backends.cudnn.allow_tf32)
    except RuntimeError:
        return not guess


def _put(wanted: Found) -> None:
    torch.set_float32_matmul_precision(wanted[_LEVEL])  # and some words, which come below
    torch.backends.cudnn.allow_tf32 = wanted[_CUDNN]
    for place, word in wanted.items():
        if isinstance(place, tuple):
            _SET(*place, word)
