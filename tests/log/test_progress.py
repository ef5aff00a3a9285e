"""The progress bar, drawn on a terminal that is a StringIO."""

import io

import pytest

from caffe_compat.log import Log
from caffe_compat.log.commands import CommandLog
from caffe_compat.log.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """What a terminal shows: what follows a carriage return is written over the line."""
        shown = []
        for line in self.getvalue().split("\n"):
            text = ""
            for piece in line.split("\r"):
                text = piece + text[len(piece) :]
            shown.append(text.rstrip())
        return "\n".join(shown)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock)
    monkeypatch.setattr("time.monotonic", clock)
    return clock


@pytest.fixture
def bar():
    bar = ProgressBar(Terminal())
    yield bar
    bar.close()


def text(bar, width):
    """The bar in at most `width` characters."""
    bar.draw()
    bar._bar.ncols = width
    return str(bar._bar)


def test_rate_and_time_left(clock, bar):
    for done in range(0, 201, 50):
        bar.update(1000 + done, 1000, 1600)
        clock.now += 5
    assert text(bar, 70) == " 33% |##########                    | 1200/1600 10.00iter/s, ETA 00:40"


def test_slow_steps_give_seconds_an_iteration_and_long_runs_hours(clock, bar):
    bar.update(0, 0, 1000)
    clock.now += 10
    bar.update(1, 0, 1000)
    assert text(bar, 200).endswith("1/1000 10.00s/iter, ETA 2:46:30")


def test_rate_is_of_the_recent_past(clock, bar):
    for done in range(0, 3000, 10):  # 10 iter/s, then 40
        bar.update(done, 0, 10000)
        clock.now += 1 if done < 1000 else 0.25
    assert "40.00iter/s" in text(bar, 200)


def test_facts_and_note_at_the_end_cut_to_the_width(clock, bar):
    bar.facts.update(loss="2.3", lr="0.1")
    bar.update(1, 0, 4, "testing 12/200")
    assert text(bar, 300).endswith("1/4 ?iter/s, ETA ?, loss 2.3, lr 0.1, testing 12/200")
    assert len(text(bar, 30)) == 30


def test_redraws_ten_times_a_second(clock):
    bar = ProgressBar(terminal := Terminal())
    for i in range(1000):
        bar.update(i, 0, 1000)
        clock.now += 0.001
    assert 9 <= terminal.getvalue().count("iter/s") <= 12
    for i in range(1000):
        bar.update(1000, 0, 1000, f"testing {i}/1000")
        clock.now += 0.001
    assert 19 <= terminal.getvalue().count("iter/s") <= 23
    bar.close()


def test_a_start_later_on_does_not_move_the_bar_back(clock, bar):
    bar.update(0, 0, 100)
    clock.now += 1
    bar.update(50, 50, 100, "testing 1/2")
    assert text(bar, 100).startswith(" 50%")


def test_log_lines_stand_above_the_bar():
    terminal = Terminal()
    log = Log(terminal)
    log.progress(1, 0, 10)
    log.iteration(1, 2.5)
    log.learning_rate(1, 0.1)
    first, second, last = terminal.screen().split("\n")
    assert first.endswith("] Iteration 1, loss = 2.5")
    assert second.endswith("] Iteration 1, lr = 0.1")
    assert last.startswith(" 10% ")
    assert last.endswith("loss 2.5, lr 0.1")
    log.end_progress()
    assert terminal.screen() == f"{first}\n{second}\n"


@pytest.mark.parametrize("last", [Log.optimization_done, Log.stopped_early, Log.end_progress])
def test_the_bar_goes_when_the_run_is_over(last):
    terminal = Terminal()
    log = CommandLog(terminal)
    log.progress(10, 0, 10)
    last(log)
    log.command_done()
    assert "iter/s" not in terminal.screen()


def test_nothing_left_to_do_is_all_done(clock, bar):
    bar.update(10, 10, 10)
    assert text(bar, 80).startswith("100%")


def test_no_bar_off_a_terminal_or_when_not_wanted(monkeypatch):
    file, terminal = io.StringIO(), Terminal()
    logs = [Log(file), Log(terminal, progress=False), Log(terminal, level=1)]
    monkeypatch.setenv("TERM", "dumb")
    for log in [*logs, Log(terminal)]:
        log.progress(1, 0, 10)
        log.end_progress()
    assert file.getvalue() == terminal.getvalue() == ""
