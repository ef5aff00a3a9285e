"""Whether a GPU has room for one more run, with a stand-in for nvidia-smi and the clock."""

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


def test_what_nvidia_smi_prints(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, 37, 1204, 142567'\necho '1, 100, 80, 143691'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert sharing.uses() == {"0": Use(37, 1204, 142567), "1": Use(100, 80, 143691)}
    for broken in ("echo '0, [N/A], 1, 2'", "exit 9", "echo nothing"):
        program.write_text(f"#!/bin/sh\n{broken}\n")
        assert sharing.uses() == {}
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sharing.uses() == {}
