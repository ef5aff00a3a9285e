"""The plot command: tables and pictures of a log."""

from pathlib import Path

import pytest

from caffe_compat import cli

CLI_LOGS = Path(__file__).parents[1] / "reference" / "solvers" / "cli"


def test_plot_prints_tables(capsys):
    assert cli.main(["plot", "--csv", str(CLI_LOGS / "train.log")]) == 0
    train, test = capsys.readouterr().out.split("\n\n")
    assert train.splitlines()[0] == "NumIters,Seconds,LearningRate,accuracy,loss"
    assert train.splitlines()[2] == "2,0.001025,0.05,0.125,2.29101"
    assert len(test.splitlines()) == 4


def test_plot_writes_tables_and_pictures(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "x.png"
    logs = [str(CLI_LOGS / "train.log"), str(CLI_LOGS / "resume.log")]
    assert (
        cli.main(["plot", *logs, "--out", str(out), "--csv-dir", str(tmp_path / "d"), "--labels", "a,b"]) == 0
    )
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "resume.log.test",
        "resume.log.train",
        "train.log.test",
        "train.log.train",
    ]
    assert (
        (tmp_path / "d" / "train.log.test")
        .read_text()
        .startswith("NumIters,Seconds,LearningRate,accuracy,loss\n")
    )
    assert out.stat().st_size > 10000
    assert capsys.readouterr().out == f"{out}\n"


def test_plot_wants_something_to_do(tmp_path, capsys):
    assert cli.main(["plot", str(CLI_LOGS / "train.log")]) == 2
    assert "--out FILE.png, --csv or --csv-dir DIR" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert cli.main(["plot", str(CLI_LOGS / "train.log"), "--csv-dir", str(tmp_path / "file")]) == 1
    assert "cannot write the table: File exists" in capsys.readouterr().err
