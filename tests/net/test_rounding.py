"""What a program sets in torch about the rounding of products changes none of ours, and stays as it set it."""

import itertools
from contextlib import suppress

import pytest
import torch

from caffe_compat.net import rounding
from caffe_compat.net.execution import Execution

cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
get, put = (getattr(torch._C, f"_{way}_fp32_precision_{way}ter", None) for way in ("get", "set"))
pytestmark = pytest.mark.skipif(get is None, reason="this torch has no setting an operator")
PLACES = [("generic", "all")] + [(b, k) for b in ("cuda", "mkldnn") for k in ("all", "conv", "rnn", "matmul")]


def as_built():
    torch.set_float32_matmul_precision("highest")
    for place in PLACES:
        put(*place, "none")
    cudnn.allow_tf32 = True


@pytest.fixture(autouse=True)
def as_before():
    as_built()
    yield
    as_built()


def told():
    """All that torch tells of its settings, now and if the words that others follow were different ones."""

    def tell(ask):
        try:
            return ask()
        except RuntimeError:
            return "contradiction"

    found = []
    for above in [None, ("generic", "all"), ("cuda", "all"), ("mkldnn", "all")]:
        kept = get(*above) if above else ""
        found += [get(*place) for place in PLACES]
        if above == ("generic", "all"):
            for word in ("tf32", "ieee"):
                put(*above, word)
                found += [get(*place) for place in PLACES]
            put(*above, kept)
    found += [
        tell(lambda: cudnn.allow_tf32),
        tell(lambda: matmul.allow_tf32),
        tell(torch.get_float32_matmul_precision),
    ]
    return found


def words():
    return [get("cuda", kind) for kind in ("conv", "rnn", "matmul")]


NEW = {
    "generic": [None, "ieee", "tf32", "bf16"],
    "cuda": [None, "ieee", "tf32"],
    "conv": [None, "none", "ieee", "tf32"],
    "matmul": [None, "ieee", "tf32"],
    "mkldnn": [None, "ieee", "bf16"],
}
OLD = {
    "cudnn": [None, True, False],
    "matmul": [None, True, False],
    "level": [None, "highest", "high", "medium"],
}


def set_new(generic, cuda, conv, of_matmul, mkldnn):
    given = (("generic", "all"), ("cuda", "all"), ("cuda", "conv"), ("cuda", "matmul"), ("mkldnn", "matmul"))
    for place, word in zip(given, (generic, cuda, conv, of_matmul, mkldnn), strict=True):
        if word:
            put(*place, word)


def set_old(of_cudnn, of_matmul, level):
    if of_cudnn is not None:
        cudnn.allow_tf32 = of_cudnn
    if of_matmul is not None:
        matmul.allow_tf32 = of_matmul
    if level:
        torch.set_float32_matmul_precision(level)


@pytest.mark.parametrize("old_first", [True, False])
def test_all_combinations(old_first):
    """They neither raise nor round, or keep from rounding; torch's own questions are answered meanwhile."""
    for old, new in itertools.product(itertools.product(*OLD.values()), itertools.product(*NEW.values())):
        as_built()
        for step in (0, 1) if old_first else (1, 0):
            set_new(*new) if step else set_old(*old)
        before = told()
        for precision, word in (("fp32", "ieee"), ("tf32", "tf32")):
            with Execution(precision).products(torch.device("cuda")):
                assert words() == [word] * 3, (old, new)
                assert cudnn.allow_tf32 == matmul.allow_tf32 == (precision == "tf32"), (old, new)
                assert (torch.get_float32_matmul_precision() == "highest") == (precision == "fp32")
            assert told() == before, (old, new, precision)
            with Execution(precision).products(torch.device("cpu")):
                assert get("mkldnn", "matmul") in ("none", "ieee"), (old, new)
            assert told() == before, (old, new, precision)


def test_what_somebody_sets_meanwhile_stays():
    with Execution().products(torch.device("cuda")):
        put("cuda", "conv", "tf32")
        torch.set_float32_matmul_precision("medium")
    assert words() == ["tf32", "tf32", "tf32"] and torch.get_float32_matmul_precision() == "medium"
    assert cudnn.allow_tf32 and matmul.allow_tf32


def test_an_error_within_leaves_nothing_set():
    before = told()
    with suppress(ZeroDivisionError), Execution("tf32").products(torch.device("cuda")):
        raise ZeroDivisionError
    assert told() == before


@pytest.mark.parametrize("setting", ["medium", "word"])
def test_the_cpus_numbers_stay(setting):
    a, b = torch.rand(64, 64), torch.rand(64, 64)
    exact = a @ b
    torch.set_float32_matmul_precision("medium") if setting == "medium" else put("mkldnn", "matmul", "bf16")
    with Execution().products(torch.device("cpu")):
        assert torch.equal(a @ b, exact)
    assert get("mkldnn", "matmul") == "bf16"


def test_an_older_torch(monkeypatch):
    monkeypatch.setattr(rounding, "_GET", None)
    monkeypatch.setattr(rounding, "_SET", lambda *_: None)
    torch.set_float32_matmul_precision("high")
    with Execution().products(torch.device("cuda")):
        assert not cudnn.allow_tf32 and torch.get_float32_matmul_precision() == "highest"
    assert cudnn.allow_tf32 and torch.get_float32_matmul_precision() == "high"
    with Execution().products(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "high"
