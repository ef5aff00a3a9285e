"""The tensors, operations and graphs of the CUDA device that tests.pretended puts in place of one."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

aten = torch.ops.aten
CUDA = torch.device("cuda", 0)
SMALL = 1 << 16  # bytes that the driver takes along with a command, from memory of any kind


class DeviceError(RuntimeError):
    """What a GPU would refuse."""


class Waits(AssertionError):
    """The host waits for the device where it must not."""


class DeviceTensor(Tensor):
    """A tensor of the device; `host` has its values."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> Any:
        # To torch's C++ part it is on "meta": that part knows of no CUDA.
        self = Tensor._make_wrapper_subclass(
            cls,
            host.shape,
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device="meta",
        )
        self.host = host
        return self

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        mode = Device.current
        if mode is None:
            raise DeviceError(f"{func} on a tensor of a device that is gone")
        return mode.run(func, args, kwargs or {})

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def data_ptr(self) -> int:
        return self.host.data_ptr()

    def untyped_storage(self) -> Any:
        return self.host.untyped_storage()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["host"], None  # so that nn.Module.to keeps its parameters

    @staticmethod
    def __tensor_unflatten__(inner: Any, *_: Any) -> "DeviceTensor":
        return DeviceTensor(inner["host"])


# Operations whose result has a size that depends on values, or that look at values on the host.
_READS = {
    "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique", "_unique2", "unique_dim",
    "unique_consecutive", "bincount", "repeat_interleave", "_ctc_loss", "histc", "linalg_eig", "allclose", "item",
}  # fmt: skip
# Operations that take indices from the host, and wait until they are copied.
_INDEXING = {"index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"}
_COPIES = {"copy_", "_to_copy", "_foreach_copy_", "_foreach_copy"}


class Device(TorchDispatchMode):
    """The mode under which operations are the device's, or the host's. `cuda()` makes one."""

    current: "Device | None" = None

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []  # where the host waited
        self.forbidden = False
        self.pinned: set[int] = set()
        self.copying: list[tuple[Tensor, Tensor]] = []  # (pinned source of a copy under way, what it held)
        self.tape: list[tuple[Any, Any, Any, Any]] | None = None  # operations of a graph that is captured
        self.made: list[Tensor] = []  # by it
        self.before: dict[
            int, tuple[Any, Any]
        ] = {}  # memory that the capture has written to, and what was there

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        ours = {id(t.host): t for t in tree_iter((args, kwargs)) if isinstance(t, DeviceTensor)}
        theirs = [
            t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor) and not isinstance(t, DeviceTensor)
        ]
        name = func.overloadpacket.__name__
        kwargs = dict(kwargs)
        there = bool(ours)
        if kwargs.get("device") is not None:
            # "meta" is what torch's C++ part says of a tensor like one of ours
            there = torch.device(kwargs["device"]).type in ("cuda", "meta")
            kwargs["device"] = torch.device("cpu")
        pin = kwargs.pop("pin_memory", None) or name == "_pin_memory"
        if name == "is_pinned":
            return not ours and self._is_pinned(theirs[0])
        if name == "_pin_memory":
            func, args, kwargs = aten.clone.default, args[:1], {}
        self._check(func, name, args, kwargs, there, bool(ours), theirs)
        plain_args, plain = tree_map(lambda t: t.host if isinstance(t, DeviceTensor) else t, (args, kwargs))
        plain.pop("non_blocking", None) if name == "_to_copy" else None
        if self.tape is not None and there:
            result = self._write_down(func, plain_args, plain, theirs)
        else:
            result = func(*plain_args, **plain)
        if name.startswith("_foreach") and name.endswith("_"):
            for changed in args[0]:
                torch.autograd.graph.increment_version(
                    changed
                )  # which here, as on CUDA, the operation has to do itself
        if pin:
            for made in tree_iter(result):
                self.pinned.add(made.untyped_storage().data_ptr())
        if not there:
            return result
        return tree_map(
            lambda t: (ours[id(t)] if id(t) in ours else DeviceTensor(t)) if isinstance(t, Tensor) else t,
            result,
        )

    def _check(
        self, func: Any, name: str, args: Any, kwargs: Any, there: bool, any_ours: bool, theirs: list[Tensor]
    ) -> None:
        if name in _COPIES:
            self._check_copy(func, name, args, kwargs, there)
            return
        if any_ours and not there:
            raise DeviceError(f"{func} of tensors of the device makes one on the CPU")
        if any_ours and theirs:
            self._check_mixture(func, name, args, theirs)
        generator = kwargs.get("generator")
        if there and generator is not None and generator.device.type == "cpu":
            raise DeviceError(f"{func}: Expected a 'cuda' device type for generator but found 'cpu'")
        if any_ours:
            masks = name in _INDEXING and any(
                isinstance(t, Tensor) and t.dtype in (torch.bool, torch.uint8) for t in args[1]
            )
            if name == "repeat_interleave" and kwargs.get("output_size") is not None:
                return
            if name in _READS or masks:
                self._wait(f"{func} reads values")

    def _check_mixture(self, func: Any, name: str, args: Any, theirs: list[Tensor]) -> None:
        """What a GPU takes of the host: single values into what goes value by value, and indices."""
        if name in _INDEXING and isinstance(args[0], DeviceTensor):
            theirs = [t for t in theirs if not any(t is index for index in args[1])]
            self._wait(f"{func} copies indices from the host")
        written = _written(func, args, {})
        wrong = [t for t in theirs if t.dim() or torch.Tag.pointwise not in func.tags]
        wrong += [t for t in written if not isinstance(t, DeviceTensor)]
        if wrong:
            raise DeviceError(
                f"{func}: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and "
                f"cpu! (a host tensor of shape {tuple(wrong[0].shape)})"
            )

    def _check_copy(self, func: Any, name: str, args: Any, kwargs: Any, there: bool) -> None:
        targets, sources = (args[0], args[1]) if name != "_to_copy" else (None, args[0])
        pairs = (
            zip(targets, sources, strict=True) if isinstance(targets, list | tuple) else [(targets, sources)]
        )
        non_blocking = kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2])
        for target, source in pairs:
            to_device = there if target is None else isinstance(target, DeviceTensor)
            if isinstance(source, DeviceTensor) == to_device:
                continue
            host = target if isinstance(source, DeviceTensor) else source
            pinned = host is not None and self._is_pinned(host)
            if self.tape is not None and not pinned:
                raise DeviceError(
                    f"{func}: a copy from or to the host's pageable memory while a graph is captured"
                )
            if not to_device:
                if not (non_blocking and pinned):
                    self._wait(f"{func} copies to the host")
            elif not non_blocking:
                self._wait(f"{func} copies to the device, and waits for it")
            elif pinned:
                self.copying.append((source, source.clone()))
            elif source.nbytes > SMALL:
                self._wait(f"{func} copies {source.nbytes} bytes of pageable memory to the device")

    def _is_pinned(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self.pinned

    def _wait(self, why: str) -> None:
        place = next(
            (f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.line}"
             for frame in reversed(traceback.extract_stack()) if "caffe_compat" in frame.filename and "/tests/" not in frame.filename),
            "the test",
        )  # fmt: skip
        if self.tape is not None:
            raise DeviceError(f"{why} while a graph is captured, in {place}")
        self.settle()
        self.waits.append(f"{why}, in {place}")
        if self.forbidden:
            raise Waits(self.waits[-1])

    def settle(self) -> None:
        """The device has done all it was told to; fails if a copy found another source than was there."""
        copied, self.copying = self.copying, []
        for source, held in copied:
            if not torch.equal(source.nan_to_num(), held.nan_to_num()):
                raise DeviceError("the source of a copy that does not block was changed before it was copied")

    @contextmanager
    def no_waiting(self) -> Iterator[None]:
        """Within it the host must not wait for the device."""
        self.forbidden = True
        try:
            yield
        finally:
            self.forbidden = False

    # -- graphs -------------------------------------------------------------------------------

    @contextmanager
    def capturing(self, graph: "Graph", **_: Any) -> Iterator[None]:
        """As torch.cuda.graph: what is done within it is written down, and not done."""
        random = torch.get_rng_state()
        self.tape, self.before = graph.tape, {}
        try:
            yield
        finally:
            self.tape = None
            torch.set_rng_state(random)
            for made in self.made:  # a graph that was not launched has computed nothing
                made.fill_(float("nan") if made.is_floating_point() else 1)
            self.made.clear()
            for storage, held in self.before.values():
                storage.copy_(held)

    def _write_down(self, func: Any, args: Any, kwargs: Any, theirs: list[Tensor]) -> Any:
        assert self.tape is not None
        values = {id(t): t.clone() for t in theirs}  # of the host a graph keeps what it found
        args, kwargs = tree_map(lambda t: values.get(id(t), t), (args, kwargs))
        for tensor in _written(func, args, kwargs):
            storage = tensor.untyped_storage()
            self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        given = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
        result = func(*args, **kwargs)
        self.made += [t for t in _tensors(result) if t.untyped_storage().data_ptr() not in given]
        self.tape.append((func, args, kwargs, result))
        return result

    def synchronize(self, *_: Any) -> None:
        self._wait("synchronize")


class Graph:
    """As torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self.tape: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        for func, args, kwargs, result in self.tape:
            for old, new in zip(_tensors(result), _tensors(func(*args, **kwargs)), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)

    def reset(self) -> None:
        self.tape.clear()

    def pool(self) -> tuple[int, int]:
        return 0, 1


class Stream:
    """As torch.cuda.Stream; all of them are one here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def wait_stream(self, other: "Stream") -> None:
        pass


class Event:
    """As torch.cuda.Event, of a device that does everything at once."""

    def __init__(self, enable_timing: bool = False, **_: Any) -> None:
        self._timing, self._at = enable_timing, 0.0

    def record(self, stream: Any = None) -> None:
        self._at = time.perf_counter()

    def synchronize(self) -> None:
        assert Device.current is not None
        Device.current.synchronize()

    def elapsed_time(self, end: "Event") -> float:
        if not (self._timing and end._timing):
            raise DeviceError("both events must be made with enable_timing=True")
        return 1000 * (end._at - self._at)


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_iter(values) if isinstance(value, Tensor)]


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The arguments that an operation changes."""
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False))
    given.update(kwargs)
    return _tensors(
        [
            given.get(argument.name)
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
    )
