"""What a user writes in another form is answered by what to write."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.cli import main
from brainworth.design.common.hints import conversion, number_hint, path_hint, share_hint, toml_hint
from brainworth.design.study_file.scaffold import write_example


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("8,000", "Write 8000, without a separator of thousands, or 8 if"),
        ("1,234,567.50", "Write 1234567.50, without"),
        ("8 000 €", "Write 8000, without"),
        ("0,12", "Write 0.12, with a decimal point"),
        ("0,120", "Write 0.120, with a decimal point"),
        ("12,5 %", "Write 12.5, with"),
        ("$8000", "Write 8000, without quotes"),
        ("60 %", "Write 0.6: 60 % as a share"),
        ("many", ""),
        ("", ""),
    ],
)
def test_numbers(text: str, write: str) -> None:
    assert number_hint(text).strip().startswith(write)
    assert bool(number_hint(text)) == bool(write)


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("total = 8,000  # USD", "Write 8000"),
        (r'labels = "data\labels.csv"', 'labels = "data/labels.csv"'),
        (r'labels = "data\\labels.csv', "data/labels.csv"),
        ("labels = labels.csv", 'labels = "labels.csv"'),
        ("reuse_pilot = True", "reuse_pilot = true"),
        ("title = \u201cPilot\u201d", "straight quotes"),
        ("[budget", ""),
    ],
)
def test_lines_that_are_no_toml(line: str, write: str) -> None:
    assert write in toml_hint(line)
    assert bool(toml_hint(line)) == bool(write)


def test_shares_and_paths() -> None:
    assert "for 60 % write 0.6" in share_hint(60, 1.0)
    assert share_hint(600, 1) == share_hint(5, None) == share_hint("60", 1) == ""
    assert '"data/labels.csv"' in path_hint("data\\labels.csv")
    assert path_hint("data/labels.csv") == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("total = 8000", "total = 8,000", "Write 8000, without a separator"),
        ("cost_per_label = 0.12", "cost_per_label = 0,12", "Write 0.12, with a decimal point"),
        ("cost_per_label = 0.12", 'cost_per_label = "0,12"', "Write 0.12, with a decimal point"),
        ('labels = "labels.csv"', "labels = 'data\\labels.csv'", 'Write / between folders: "data/labels.csv"'),
        ('labels = "labels.csv"', 'labels = "C:\\\\data\\\\labels.csv"', "Put the file beside the study file"),
        ("# target = 0.6", "target = 60", "for 60 % write 0.6"),
        ('"eeg.csv"', '"eeg.vhdr"', "cut epochs by MNE and save them as eeg-epo.fif"),
    ],
)
def test_the_command_says_what_to_write(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path)
    (tmp_path / "eeg.vhdr").write_text("x")
    text = (tmp_path / "study.toml").read_text()
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new, 1))
    assert main(["check", str(tmp_path / "study.toml")]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def converted(folder: Path, name: str) -> None:
    """Run the command that the message shows."""
    found = re.fullmatch(
        r" Convert it: python (-c \".*\") and name \w+\.(csv|npz) in the study file\.", conversion(name)
    )
    assert found is not None
    subprocess.run(f"{sys.executable} {found[1]}", shell=True, cwd=folder, check=True)


@pytest.mark.skipif(shutil.which("sh") is None, reason="the command is one of a shell")
def test_the_shown_commands_convert(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io")
    io.savemat(tmp_path / "pilot.mat", {"stimulus": np.arange(3), "f": np.arange(6.0).reshape(3, 2)})
    converted(tmp_path, "pilot.mat")
    with np.load(tmp_path / "pilot.npz") as made:
        assert sorted(made.files) == ["f", "stimulus"]
        np.testing.assert_array_equal(made["f"], np.arange(6.0).reshape(3, 2))
    frame = pd.DataFrame({"stimulus": ["a", "b"], "label": [1, 2]})
    frame.to_json(tmp_path / "labels.json")
    converted(tmp_path, "labels.json")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "labels.csv"), frame)


def test_names_that_a_shell_would_run_are_not_shown_as_commands() -> None:
    assert "pd.read_excel('labels.xlsx').to_csv('labels.csv', index=False)" in conversion("labels.xlsx")
    for name in ("a'; rm -rf x; '.mat", 'a".xlsx', "$(x).mat", "`x`.mat", "-x.mat"):
        assert conversion(name) == ""
    assert conversion("table.csv") == ""


def test_check_ends_with_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example(tmp_path)
    study = tmp_path / "study.toml"
    assert main(["check", str(study)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"brainworth plan {study} --out {tmp_path / 'plan'}" in last
    assert "minutes" in last
    assert main(["check", str(study), "--json"]) == 0
    assert capsys.readouterr().out.lstrip().startswith("{")


def test_the_shell_can_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--install-completion" in capsys.readouterr().out
