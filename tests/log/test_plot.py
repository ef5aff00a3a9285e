"""Pictures: what is in them is looked up in the figure before it is written."""

import sys
from typing import NamedTuple

import pytest

from caffe_compat.errors import CaffeError, MissingExtra, UsageError
from caffe_compat.log import plot
from caffe_compat.log.runs import RunLog, TestRow, TrainRow

pytest.importorskip("matplotlib")


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn; they are written all the same."""
    drawn = []
    save = plot._save
    monkeypatch.setattr(plot, "_save", lambda figure, out: (drawn.append(figure), save(figure, out)))
    return drawn


def run(source="a.log", momentum=None, count=30):
    train = [
        TrainRow(
            i, i, i * 1.0, 80 / (i + 1), 0.1 + i, momentum, None, None, {"accuracy": i / 40, "loss": 2.0}
        )
        for i in range(count)
    ]
    test = [
        TestRow(i, i, i * 1.0, 0, None, {"accuracy": i / 50, "loss": 87.0 / (i + 1)})
        for i in range(0, count, 7)
    ]
    return RunLog(source, train=train, test=test, losses={"loss": 1.0})


def curves(axis):
    return {line.get_label(): line for line in axis.get_lines()}


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")]
)
def test_the_suffix_decides_the_format(tmp_path, suffix, magic):
    out = tmp_path / f"x{suffix}"
    plot.plot_curves([run()], out)
    assert out.read_bytes().startswith(magic)


def test_panels_and_labels(tmp_path, figures):
    plot.plot_curves([run("p/a.log"), run("q/b.log")], tmp_path / "x.png", title="both")
    axes = figures[0].axes
    assert [axis.get_ylabel() for axis in axes] == ["accuracy", "loss", "learning rate"]
    assert axes[-1].get_xlabel() == "iteration"
    assert axes[0].get_title() == "both"
    assert set(curves(axes[0])) == {"a.log, train", "a.log, test", "b.log, train", "b.log, test"}
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == list(curves(axes[0]))
    assert list(curves(axes[0])["a.log, test"].get_xdata()) == [0, 7, 14, 21, 28]
    assert curves(axes[2])["b.log"].get_ydata()[3] == 3.1
    assert axes[1].get_yscale() == "log"


def test_runs_can_be_told_apart_in_grey(tmp_path, figures):
    plot.plot_curves([run(f"{n}.log") for n in range(4)], tmp_path / "x.png")
    lines = [curves(figures[0].axes[0])[f"{n}.log, test"] for n in range(4)]
    assert len({line.get_linestyle() for line in lines}) == 4
    assert len({line.get_marker() for line in lines}) == 4


def test_moving_momentum_gets_a_panel(tmp_path, figures):
    plot.plot_curves([run(momentum=0.85)], tmp_path / "x.png")
    assert [axis.get_ylabel() for axis in figures[0].axes][-1] == "momentum"


def test_several_test_nets_and_accuracies(tmp_path, figures):
    rows = [
        TestRow(i, 1, None, net, None, {"top-1 acc": 0.1, "top-5 acc": 0.5})
        for i in range(3)
        for net in range(2)
    ]
    plot.plot_curves([RunLog("a.log", test=rows)], tmp_path / "x.png")
    (axis,) = figures[0].axes
    assert set(curves(axis)) == {f"a.log, test #{net} top-{k} acc" for net in range(2) for k in (1, 5)}


def test_runs_of_one_file_are_named_by_line(tmp_path, figures):
    second = run()
    second.line = 500
    plot.plot_curves([run(), second], tmp_path / "x.png")
    assert {"a.log:1, test", "a.log:500, test"} <= set(curves(figures[0].axes[0]))


def test_labels(tmp_path, figures):
    plot.plot_curves([run()], tmp_path / "x.png", labels=["CLR"])
    assert set(curves(figures[0].axes[0])) == {"CLR, train", "CLR, test"}
    with pytest.raises(UsageError, match="2 labels for 1 runs"):
        plot.plot_curves([run()], tmp_path / "x.png", labels=["a", "b"])


class Table(NamedTuple):
    iteration: list
    lr: list
    momentum: list
    weight_decay: list


def test_schedule(tmp_path, figures):
    table = Table([0, 1, 2], [0.1, 0.2, 0.3], [0.95, 0.9, 0.85], [1e-4] * 3)
    plot.plot_schedule(tmp_path / "x.svg", table, title="1cycle")
    axes = figures[0].axes
    assert [axis.get_ylabel() for axis in axes] == ["learning rate", "momentum", "weight decay"]
    assert list(axes[1].get_lines()[0].get_ydata()) == table.momentum
    assert axes[0].get_title() == "1cycle"


def test_errors(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"x\.jpg: a plot's file must end in \.png, \.svg, \.pdf"):
        plot.plot_curves([run()], tmp_path / "x.jpg")
    with pytest.raises(UsageError, match=r"nothing to plot: no iteration in empty\.log"):
        plot.plot_curves([RunLog("empty.log")], tmp_path / "x.png")
    with pytest.raises(CaffeError, match=r"x\.png: cannot write the plot: No such file or directory"):
        plot.plot_curves([run()], tmp_path / "gone" / "x.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        MissingExtra, match="drawing a plot needs the package matplotlib; install it with: pip"
    ):
        plot.plot_curves([run()], tmp_path / "x.png")
