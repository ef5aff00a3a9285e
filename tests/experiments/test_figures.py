"""The figures: which logs a curve comes from, what is on the axes, what is overlaid."""

import pytest

from caffe_compat.errors import DataError, UsageError
from caffe_compat.experiments import figures, results
from caffe_compat.experiments.catalogue import FIGURES, ROWS
from caffe_compat.log import plot
from tests.experiments.logs import range_test, write_log
from tests.experiments.test_results import result

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own dependencies


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the plot: panels, label of the x axis and title."""
    calls = []
    real = figures.plot_lines
    monkeypatch.setattr(
        figures,
        "plot_lines",
        lambda out, panels, x, title: (calls.append((panels, x, title)), real(out, panels, x, title)),
    )
    return calls


def published(folder, *ids):
    for id in ids:
        name = ROWS[id].published
        if FIGURES["fig2b"].ids.count(id) or id == "fig4a":
            range_test(folder / name, lambda lr: 0.5 + lr / 10)
        else:
            write_log(folder / name, [(i, 0.1 + i / 900, 1.0) for i in range(0, 600, 100)], [(0, 2.3, 0.1)])


def ours(out, id, label="full", seed=1, value=0.5):
    folder = out / id / label / f"seed-{seed}"
    folder.mkdir(parents=True)
    write_log(folder / results.LOG, [(i, value, 1.0) for i in range(0, 600, 100)], [(0, 2.3, 0.1)])
    results.write(folder, result(id=id, label=label, seed=seed))
    return folder


def test_published_logs(tmp_path, drawn):
    published(tmp_path, "fig1a-pc", "fig1a-clr")
    said = figures.draw("fig1a", tmp_path / "a.png", published=tmp_path)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    ((panels, x, title),) = drawn
    assert (list(panels), x, title) == (
        ["test accuracy"],
        "iteration",
        "fig1a: CLR against piecewise constant, ResNet-56",
    )
    one, other = panels["test accuracy"]
    assert (one.label, other.label) == (
        "piecewise constant (published)",
        "CLR 0.1-3, stepsize 5,000 (published)",
    )
    assert (one.look, other.look, one.faint, other.faint) == (0, 1, False, False)
    assert one.x == [0, 100, 200, 300, 400, 500] and one.y[1] == pytest.approx(0.1 + 100 / 900, rel=1e-5)
    assert said[0] == f"fig1a-pc: {tmp_path / 'lr35Fig1a'}"


def test_ours_overlaid_on_the_published(tmp_path, drawn):
    published(tmp_path, "fig1a-clr")
    ours(tmp_path / "out", "fig1a-clr", "x0.05-r1", value=0.3)
    ours(tmp_path / "out", "fig1a-clr", "x0.1-r1", value=0.4)
    figures.draw("fig1a", tmp_path / "a.svg", tmp_path / "out", tmp_path)
    mine, theirs = drawn[0][0]["test accuracy"]
    assert (mine.look, theirs.look) == (1, 1)
    assert (mine.faint, theirs.faint) == (False, True)
    assert mine.label.endswith("(x0.05-r1)") and theirs.label.endswith("(published)")
    assert mine.y[0] == pytest.approx(0.3)
    ours(tmp_path / "out", "fig1a-clr", value=0.7)
    figures.draw("fig1a", tmp_path / "a.svg", tmp_path / "out")
    assert drawn[1][0]["test accuracy"][0].y[0] == pytest.approx(0.7)  # the run with nothing changed


def test_range_tests_are_against_the_rate_and_smoothed_where_dense(tmp_path, drawn):
    range_test(tmp_path / "range2SS80kRes56LR", lambda lr: 0.5 + lr / 10, top=2, points=150)
    figures.draw("fig4a", tmp_path / "a.png", published=tmp_path)
    panels, x, _ = drawn[0]
    assert x == "learning rate" and list(panels) == ["train loss", "test loss", "test accuracy"]
    raw, smoothed = panels["test accuracy"]
    assert raw.faint and raw.label == "" and not smoothed.faint and smoothed.label
    assert raw.x[-1] == pytest.approx(2, rel=1e-4)
    published(tmp_path, "fig2b-5k")
    figures.draw("fig2b", tmp_path / "a.png", published=tmp_path)
    assert len(drawn[1][0]["test accuracy"]) == 1


def test_a_second_name_draws_the_same_run(tmp_path, drawn):
    ours(tmp_path / "out", "fig1a-clr")
    figures.draw("fig10a", tmp_path / "a.png", tmp_path / "out")
    assert [line.label for line in drawn[0][0]["test accuracy"]] == ["momentum 0.90"]


def test_logs_that_are_named(tmp_path, drawn):
    log = write_log(tmp_path / "my.log", [(i, 0.2, 1.0) for i in range(9)])
    figures.draw("fig1a", tmp_path / "a.png", logs={"fig1a-pc": log})
    assert drawn[0][0]["test accuracy"][0].y == [pytest.approx(0.2)] * 9
    with pytest.raises(UsageError, match="fig1a has no row 'fig9b'; its rows are fig1a-pc, fig1a-clr"):
        figures.draw("fig1a", tmp_path / "a.png", logs={"fig9b": log})


def test_estimates(tmp_path, drawn):
    folder = ours(tmp_path / "out", "fig5a-clr")
    (folder / results.ESTIMATE).write_text(
        "iteration,lr,top,bottom,estimate,smoothed\n1,0.1,2,1,0.2,0.11\n2,0.2,2,1,0.4,0.14\n"
    )
    figures.draw("fig5a", tmp_path / "a.png", tmp_path / "out")
    line = drawn[0][0]["estimated learning rate"][0]
    assert (list(line.x), list(line.y)) == ([1, 2], [0.11, 0.14])


def test_nothing_to_draw(tmp_path):
    with pytest.raises(
        DataError, match="fig1a: no log of fig1a-pc, fig1a-clr at hand; run them with: caffe-compat exp"
    ):
        figures.draw("fig1a", tmp_path / "a.png", tmp_path / "out", tmp_path)
    log = write_log(tmp_path / "my.log", [(0, 1.0, 87.3365)])
    with pytest.raises(DataError, match="fig1a: the logs have none of test accuracy"):
        figures.draw("fig1a", tmp_path / "a.png", logs={"fig1a-pc": log})


# -- the plots themselves -------------------------------------------------------------------------


@pytest.fixture
def saved(monkeypatch):
    figures = []
    save = plot._save
    monkeypatch.setattr(plot, "_save", lambda figure, out: (figures.append(figure), save(figure, out)))
    return figures


def test_lines_differ_in_style_and_marker(tmp_path, saved):
    lines = [plot.Line(f"run {i}", [0, 1], [1, i], i) for i in range(3)] + [
        plot.Line("", [0, 1], [2, 2], 1, True)
    ]
    plot.plot_lines(tmp_path / "a.png", {"loss": lines, "other": lines[:1]}, "rate", "T", {"peak": 0.5})
    top, bottom = saved[0].axes
    assert (top.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel(), top.get_title()) == (
        "loss",
        "other",
        "rate",
        "T",
    )
    drawn = {line.get_label(): line for line in top.get_lines()}
    assert len({(drawn[f"run {i}"].get_linestyle(), drawn[f"run {i}"].get_marker()) for i in range(3)}) == 3
    faint = drawn["_nolegend_"]
    assert faint.get_marker() == "None" and faint.get_linewidth() < drawn["run 1"].get_linewidth()
    assert faint.get_linestyle() == drawn["run 1"].get_linestyle()
    assert list(drawn["peak"].get_xdata()) == [0.5, 0.5]
    assert [text.get_text() for text in top.get_legend().get_texts()] == ["run 0", "run 1", "run 2", "peak"]


def test_points_stand_one_below_the_other(tmp_path, saved):
    plot.plot_points(
        tmp_path / "a.svg",
        ["a", "b"],
        {"measured": [(91, 0.5), (80, 0)], "published": [None, (82, 0)]},
        "accuracy",
    )
    axis = saved[0].axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    measured, published = (container.lines[0] for container in axis.containers)
    assert (list(measured.get_xdata()), list(measured.get_ydata())) == ([91, 80], [0, 1])
    assert (list(published.get_xdata()), list(published.get_ydata())) == ([82], [1])
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
