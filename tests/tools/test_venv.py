"""tools/venv.sh: what the set-up commands say where they cannot go on."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def set_up(tmp_path, **environment):
    """Run test.sh up to its first failure, with an environment folder of its own."""
    return subprocess.run(
        ["bash", str(ROOT / "tools" / "test.sh")],
        env={**os.environ, "VENV": str(tmp_path / "venv"), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def fake_python(tmp_path, answers):
    """An interpreter that is a shell script: `answers` is the body of a case over its first argument."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\ncase "$1" in {answers} esac\n')
    path.chmod(0o755)
    return str(path)


def test_an_old_python_is_named_with_its_version(tmp_path):
    python = fake_python(tmp_path, '-c) case "$2" in *print*) echo 3.9;; *) exit 1;; esac;;')
    result = set_up(tmp_path, PYTHON=python)
    assert result.returncode == 1
    assert f"Python 3.10 or newer is needed and was not found ( {python} is 3.9;" in result.stderr
    assert "PYTHON=/path/to/python3.12" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_no_python_at_all(tmp_path):
    result = set_up(tmp_path, PYTHON="no-such-python")
    assert result.returncode == 1
    assert "(none of them runs; tried: no-such-python)" in result.stderr


def test_a_python_without_venv_gets_the_package_to_install(tmp_path):
    result = set_up(tmp_path, PYTHON=fake_python(tmp_path, "-c) echo 3.12;; -m) exit 1;;"))
    assert result.returncode == 1
    assert (
        "cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
        in result.stderr
    )


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path):
    precious = tmp_path / "venv" / "precious"
    precious.mkdir(parents=True)
    result = set_up(tmp_path)
    assert result.returncode == 1
    assert "venv exists and is not a virtual environment; move it away, or set VENV" in result.stderr
    assert precious.is_dir()


@pytest.mark.parametrize("python", ["3.10", "3.11"])
def test_every_requirement_is_pinned(python):
    def names(text):
        return {
            re.split(r"[<>=!;\[ ]", line)[0].lower() for line in text if line and not line.startswith("#")
        }

    old = python == "3.10"
    lines = (ROOT / "tools" / "constraints.txt").read_text().splitlines()
    pins = names(line for line in lines if (">=" if old else "<") not in line.partition(";")[2])
    wanted = names(re.findall(r'"([\w-]+>=[^"]+)"', (ROOT / "setup.py").read_text()))
    assert len(wanted) > 10
    assert wanted - pins == set()
