"""The catalogue: the figures that were published, schedules that run, names that are found."""

import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.errors import UsageError
from caffe_compat.experiments import catalogue
from caffe_compat.experiments.catalogue import FIGURES, ROWS, TABLES, figure, run_of, select
from caffe_compat.experiments.prepare import net_file, solver_of
from caffe_compat.solver.schedule import Schedule

PUBLISHED = {  # id: paper, log, best of the log
    "fig1a-pc": (91.2, 90.32, None), "fig1a-clr": (92.4, 92.44, None), "fig1b-10k": (92.7, None, None),
    "fig1b-5k": (92.4, 92.44, None), "fig1b-3k": (92.1, None, None), "fig1b-1k": (89.7, None, None),
    "fig2b-5k": (None, 78.44, 81.56), "fig2b-20k": (None, 78.55, 83.13), "fig2b-100k": (None, 72.25, 86.49),
    "fig4a": (None, None, 89.52), "fig4b-20": (None, None, 84.63), "fig4b-110": (None, None, 87.31),
    "fig6b-20-pc": (88.6, 88.64, None), "fig6b-20-clr": (90.4, 90.42, None), "fig6b-110-pc": (91.0, 91.21, None),
    "fig6b-110-clr": (92.1, 92.37, None), "tab1-max-3.5": (92.1, None, None), "tab1-max-3": (92.4, 92.44, None),
    "tab1-max-2.5": (92.3, None, None), "tab1-max-2": (91.7, None, None), "tab1-max-1.5": (90.9, None, None),
    "tab1-max-1": (91.3, None, None), "tab1-steps-20k": (92.7, None, None), "tab1-steps-15k": (None, None, None),
    "tab1-steps-10k": (92.4, 92.44, None), "tab1-steps-8k": (91.7, None, None), "tab1-steps-6k": (92.1, None, None),
    "tab1-steps-4k": (91.1, None, None), "tab1-steps-2k": (89.7, None, None), "tab1-40k-pc": (89.1, 90.43, None),
    "tab1-30k-pc": (85.7, 86.36, None), "tab1-20k-pc": (82.7, 62.33, 76.40), "tab1-10k-pc": (71.4, 71.20, None),
    "tab1-40k-clr": (91.1, 91.10, None), "tab1-30k-clr": (89.6, 89.64, None), "tab1-20k-clr": (87.9, 87.92, None),
    "tab1-10k-clr": (80.6, 80.59, None), "fig7a": (None, None, 51.78), "fig7b-pc": (59.8, 59.27, None),
    "fig7b-clr": (68.6, 68.20, None), "fig8a-nesterov": (None, 90.33, None), "fig8a-adadelta": (None, 70.97, None),
    "fig8a-adagrad": (None, 83.74, None), "fig8a-adam": (None, 87.15, 90.72), "fig8b-nesterov-clr": (92.1, 92.47, None),
    "fig9a-192": (92.1, None, None), "fig9a-125": (92.4, 92.44, None), "fig9a-64": (91.7, None, None),
    "fig9a-32": (89.5, None, None), "fig9b": (None, None, None), "fig10a-0.80": (92.1, 91.86, None),
    "fig10a-0.85": (91.9, 92.29, None), "fig10a-0.90": (92.4, 92.44, None), "fig10a-0.95": (90.7, 90.74, None),
    "fig10b-1e-3": (None, 9.95, None), "fig10b-1e-4": (92.4, 92.44, None), "fig10b-1e-5": (None, 88.28, None),
    "fig10b-1e-6": (None, 87.25, None), "fig11a": (None, None, None), "fig11b": (None, None, None),
}  # fmt: skip
RUNS = {id: row for id, row in ROWS.items() if not row.like}


@pytest.mark.parametrize(("id", "figures"), PUBLISHED.items())
def test_the_published_figures(id, figures):
    row = ROWS[id]
    assert (row.paper, row.log, row.best) == figures
    assert row.target == (row.paper if row.log is None else row.log)


def test_the_rest_are_ours_and_have_no_published_figure():
    rest = [row for id, row in ROWS.items() if id not in PUBLISHED and not id.startswith(("fig5", "fig8b"))]
    assert {row.id.split("-")[0] for row in rest} == {"onecycle", "wrn32", "densenet40", "lenet", "cpu20"}
    assert all(row.target is None and "project's choice" in row.about for row in rest)


def test_rows_under_a_second_name_are_the_same_run():
    for row in ROWS.values():
        if row.like:
            of = run_of(row)
            assert not of.like
            assert (row.net, row.solver, row.fraction, row.data, row.train, row.batch, row.replicas) == (
                of.net, of.solver, of.fraction, of.data, of.train, of.batch, of.replicas,
            )  # fmt: skip
    assert run_of(ROWS["fig1b-3k"]).id == "tab1-steps-6k"
    assert run_of(ROWS["fig4a"]) is ROWS["fig4a"]


def test_no_run_stands_there_twice():
    seen = {}
    for id, row in RUNS.items():
        key = repr(
            (row.net, sorted(row.solver.items()), row.fraction, row.data, row.train, row.batch, row.estimate)
        )
        assert key not in seen, f"{id} is {seen.get(key)}"
        seen[key] = id


@pytest.mark.parametrize("id", RUNS)
def test_a_row_has_a_net_and_a_schedule(id):
    row = ROWS[id]
    assert Path(net_file(row.net)).is_file()
    solver = solver_of(row)
    rates = Schedule(solver).table(solver.max_iter).lr
    if solver.lr_policy == "triangular" and solver.stepsize == solver.max_iter:  # a range test
        assert rates[0] == 0 and (rates[1:] > rates[:-1]).all()
        assert rates[-1] == pytest.approx(solver.max_lr, rel=1e-3)
    elif row.estimate == 1:
        assert solver.max_iter == 300
    elif solver.lr_policy == "triangular" and id != "fig5b-clr":
        assert solver.max_iter == 2 * solver.stepsize
        assert rates.max() == pytest.approx(solver.max_lr)
        assert rates[0] == pytest.approx(solver.base_lr)
    elif solver.lr_policy == "multistep":
        assert rates[-1] == pytest.approx(solver.base_lr / 100)
    assert list(solver.test_iter) and solver.display and solver.snapshot


def test_settings_that_the_paper_states():
    def of(id):
        row = ROWS[id]
        return row, row.solver

    row, solver = of("fig1a-pc")
    assert (row.fraction, row.replicas, solver["stepvalue"], solver["max_iter"]) == (
        0.999,
        8,
        [50000, 70000],
        80000,
    )
    assert (solver["base_lr"], solver["gamma"], solver["momentum"], solver["weight_decay"]) == (
        0.35,
        0.1,
        0.9,
        1e-4,
    )
    assert (solver["test_iter"], solver["test_interval"], solver["display"]) == ([200], 100, 100)
    fractions = {id[11:]: ROWS[id].fraction for id in ROWS if id.startswith("tab1-steps-")}
    assert fractions == {
        "20k": 0.97, "15k": 0.96, "10k": 0.95, "8k": 0.93, "6k": 0.90, "4k": 0.85, "2k": 0.80,
    }  # fmt: skip
    assert [of(id)[0].batch for id in ("fig6b-110-clr", "fig4b-110", "fig11a", "fig11b", "fig9a-192")] == [
        100, 100, 100, 85, 192,
    ]  # fmt: skip
    assert [of(id)[0].train for id in ("tab1-40k-pc", "tab1-10k-clr", "fig1a-clr")] == [40000, 10000, 0]
    assert of("fig8a-adagrad")[1]["momentum"] == 0 and of("fig8a-adam")[1]["base_lr"] == 0.0035
    assert (
        of("fig4a")[1]["max_lr"] == 2
        and of("fig11a")[1]["max_lr"] == 0.61
        and of("fig11b")[1]["max_lr"] == 0.7
    )
    assert [of(id)[0].estimate for id in ("fig5a-clr", "fig5b-constant", "fig1a-clr")] == [1, 10, 0]


def test_the_cpu_comparison_is_at_equal_budgets():
    shared = ("max_iter", "test_iter", "test_interval", "display", "weight_decay")
    rows = [ROWS[f"cpu20-{name}"] for name in ("clr", "onecycle", "pc")]
    assert {tuple(str(row.solver[name]) for name in shared) for row in rows} == {
        ("1000", "[80]", "200", "50", "0.0001")
    }
    assert {(row.net, row.fraction, row.replicas, row.batch) for row in rows} == {("resnet20", 0.95, 1, 0)}
    assert rows[0].solver["stepsize"] == 500 and rows[0].solver["max_lr"] == 1
    assert rows[1].solver["stepsize"] == 450 and rows[1].solver["cyclical_momentum"] == [0.85, 450]
    assert rows[1].solver["momentum"] == 0.95
    assert rows[2].solver["stepvalue"] == [625, 875] and rows[2].solver["base_lr"] == 0.35


def test_figures_and_tables_are_of_rows():
    for name, ids in catalogue.groups().items():
        assert set(ids) <= set(ROWS), name
    for shown in FIGURES.values():
        assert set(shown.labels) <= set(shown.ids)
    assert len(TABLES["tab1"]) == 1 + 6 + 7 + 8


def test_names_are_selected_once_and_in_order():
    assert [row.id for row in select(["fig6b", "fig6b-20-pc"])] == [
        "fig6b-20-pc", "fig6b-20-clr", "fig6b-110-pc", "fig6b-110-clr",
    ]  # fmt: skip
    assert [row.id for row in select(["tab1-?0k-clr"])] == [f"tab1-{n}0k-clr" for n in (4, 3, 2, 1)]
    assert len(select(["all"])) == len(ROWS)


def test_names_that_begin_several():
    assert [row.id for row in catalogue.select(["fig5"])] == [
        *catalogue.FIGURES["fig5a"].ids, *catalogue.FIGURES["fig5b"].ids,
    ]  # fmt: skip
    assert {row.id for row in catalogue.select(["fig11"])} == {"fig11a", "fig11b"}
    assert catalogue.select(["tab1-max"]) == catalogue.select(["tab1-max-*"])
    assert catalogue.select(["fig2"]) == catalogue.select(["fig2b"])


def test_unknown_names():
    with pytest.raises(
        UsageError, match=r"no experiment is called 'fig1a_clr'; did you mean 'fig1a-clr'.*list"
    ):
        select(["fig1a_clr"])
    with pytest.raises(UsageError, match="no experiment is called 'zzz'; see caffe-compat experiment list"):
        select(["zzz"])
    with pytest.raises(
        UsageError, match=r"no figure is called 'fig22'; did you mean .*the figures are fig1a, fig1b"
    ):
        figure("fig22")


def test_nothing_here_needs_torch():
    names = ("catalogue", "prepare", "results", "runner", "curves", "lr_range", "estimate", "grid", "figures")
    program = "".join(f"import caffe_compat.experiments.{name}\n" for name in names)
    program += "import sys; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
