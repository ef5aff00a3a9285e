"""Whether a GPU has room for one more run, with stand-ins for the driver and the clock."""

import sys
from types import SimpleNamespace

import pytest

from caffe_compat.experiments import sharing
from caffe_compat.experiments.sharing import LOOKS, MOST, PERIOD, SETTLING, Sharing, Use


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def asked(uses, running, seconds, clock=None):
    """What `room` says when it is asked every second, from the first answer on that is no None."""
    clock = clock or Clock()
    watch = Sharing(lambda: uses, clock)
    for _ in range(int(seconds)):
        clock.time += 1
        if (found := watch.room(running)) is not None:
            return found, clock.time
    return None, clock.time


IDLE, BUSY = Use(40, 3000, 20000), Use(95, 3000, 20000)


def test_an_idle_gpu_takes_another_run_once_the_first_has_settled():
    found, when = asked({"0": IDLE}, ["0"], 300)
    assert found == "0"
    assert when == pytest.approx(1 + SETTLING + (LOOKS - 1) * PERIOD, abs=PERIOD)


def test_the_idle_one_of_two():
    assert asked({"0": BUSY, "1": IDLE}, ["0", "1"], 300)[0] == "1"


@pytest.mark.parametrize(
    "uses, running",
    [
        ({"0": BUSY}, ["0"]),
        ({"0": IDLE._replace(free=3500)}, ["0"]),  # another like it would need 3,600 MiB
        ({"0": IDLE}, ["0"] * MOST),
        ({"0": IDLE}, [""]),  # runs on the CPU
        ({}, ["0"]),
    ],
)
def test_no_room(uses, running):
    assert asked(uses, running, 300)[0] is None


def test_what_was_seen_before_a_run_began_does_not_count():
    clock = Clock()
    watch = Sharing(lambda: {"0": IDLE}, clock)
    running = ["0"]
    for second in range(1, 400):
        clock.time = second
        if second == 80:
            running = ["0", "0"]
        if watch.room(running):
            break
    assert second >= 80 + SETTLING + (LOOKS - 1) * PERIOD


class Driver:
    """Stands in for the package pynvml: two GPUs; `fails` is the call that does."""

    NVMLError = ZeroDivisionError
    nvmlMemory_v2 = 0x02000028
    fails = ""
    gpus = ((37, 1204, 142567), (100, 80, 143691))
    names = ("Alpha", "Alpha")

    def __getattr__(self, name):
        return lambda *args: self.answer(name, *args)

    def answer(self, name, gpu=None, version=0):
        if name == self.fails:
            raise self.NVMLError
        mib = 1 << 20
        return {
            "nvmlDeviceGetCount": 2,
            "nvmlDeviceGetHandleByIndex": gpu,
            "nvmlDeviceGetName": self.names[gpu or 0],
            "nvmlDeviceGetUUID": (b"GPU-aa10", "GPU-ab20")[gpu or 0],
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=self.gpus[gpu or 0][0]),
            "nvmlDeviceGetMemoryInfo": version
            and SimpleNamespace(used=self.gpus[gpu][1] * mib, free=self.gpus[gpu][2] * mib + 5),
        }.get(name)


def test_what_the_driver_tells(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    assert sharing.uses() == {"0": Use(37, 1204, 142567), "1": Use(100, 80, 143691)}
    for driver.fails in ("nvmlInit", "nvmlDeviceGetUtilizationRates"):
        assert sharing.uses() == {}


@pytest.mark.parametrize(
    ("chosen", "percents"),
    [
        ("0,1", [37, 100]),
        ("1", [100]),
        ("1,0", [100, 37]),
        (" 1 , 0 ", [100, 37]),
        ("GPU-ab20", [100]),
        ("gpu-ab,GPU-aa10", [100, 37]),
        ("GPU-a", []),  # which of both
        ("GPU-ff", []),
        ("1,7,0", [100]),  # what comes after one that is not there is not seen
        ("", []),
        ("-1", []),
        ("MIG-aa10", []),
    ],
)
def test_a_gpu_has_the_number_that_a_program_sees(chosen, percents, monkeypatch):
    """The driver counts all GPUs, and --gpu those of CUDA_VISIBLE_DEVICES."""
    monkeypatch.setitem(sys.modules, "pynvml", Driver())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [use.percent for use in sharing.uses().values()] == percents
    assert list(sharing.uses()) == [str(i) for i in range(len(percents))]


def test_unlike_gpus_are_told_only_in_the_order_of_the_driver(monkeypatch):
    driver = Driver()
    driver.names = ("Alpha", "Beta")
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    assert sharing.uses() == {}
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert len(sharing.uses()) == 2


def test_without_the_package_or_a_driver_nothing_is_told(monkeypatch):
    nvml = pytest.importorskip("pynvml")
    monkeypatch.setattr(nvml, "nvmlInit", lambda: nvml._nvmlCheckReturn(nvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    assert sharing.uses() == {}
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert sharing.uses() == {}
