"""Every way a study can be wrong ends in exit code 2 and one paragraph: file, place, what is wrong, what is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.cli import main
from brainworth.design.study_file.scaffold import write_example

Change = Callable[[Path], object]


def edit(name: str, old: str, new: str, count: int = 1) -> Change:
    """Replace text in one file of the study."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, count))

    return change


def toml(old: str, new: str) -> Change:
    return edit("study.toml", old, new)


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """Read a table as text, change it, write it back."""

    def apply(folder: Path) -> None:
        frame = change(pd.read_csv(folder / name, dtype=str, keep_default_na=False))
        frame.to_csv(folder / name, index=False)

    return apply


def cell(name: str, row: int, column: str, value: str) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row - 1, column] = value
        return frame

    return table(name, change)


def column(name: str, label: str, value: object) -> Change:
    return table(name, lambda frame: frame.assign(**{label: value}))


def content(name: str, data: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(data)


def recordings(name: str, data: bytes) -> Change:
    """Name another file for the recordings, and write it."""

    def change(folder: Path) -> None:
        toml('"eeg.csv"', f'"{name}"')(folder)
        (folder / name).write_bytes(data)

    return change


def link(folder: Path) -> None:
    """Replace the recordings by a link to a copy outside of the folder."""
    outside = folder.parent / "outside.csv"
    (folder / "eeg.csv").rename(outside)
    (folder / "eeg.csv").symlink_to(outside)


def only_rows(name: str, count: int) -> Change:
    return table(name, lambda frame: frame.head(count))


CASES: dict[str, tuple[Change, tuple[str, ...]]] = {
    # the study file
    "not toml": (toml("[task]", "[task"), ("study.toml", "line", "TOML")),
    "not utf-8": (content("study.toml", b"title = '\xff'"), ("study.toml", "UTF-8")),
    "unknown key": (
        toml("per_sample", "per_sampel"),
        ("study.toml", "modality 'EEG' > cost", "per_sampel", "Did you mean 'per_sample'"),
    ),
    "unknown section": (toml("[budget]", "[bugdet]"), ("study.toml", "bugdet", "Did you mean 'budget'")),
    "negative price": (toml("0.12 ", "-0.12 "), ("study.toml", "task > cost_per_label", "-0.12", "at least 0")),
    "negative sample price": (toml("0.05", "-1"), ("modality 'EEG' > cost > per_sample", "negative")),
    "reversed interval": (toml("0.12 ", "[3, 1]"), ("task > cost_per_label", "reversed")),
    "interval of three": (toml("0.12 ", "[1, 2, 3]"), ("task > cost_per_label", "3 values")),
    "price in words": (toml("0.12 ", '"cheap"'), ("task > cost_per_label", "cheap", "number")),
    "infinite price": (toml("0.12 ", "inf"), ("task > cost_per_label", "finite")),
    "price true": (toml("0.12 ", "true"), ("task > cost_per_label", "number")),
    "no price of a label": (toml("cost_per_label = 0.12", ""), ("task", "cost_per_label", "missing")),
    "usable fraction": (toml("usable_fraction = 0.9", "usable_fraction = 1.5"), ("usable_fraction", "1.5", "1")),
    "no usable fraction": (toml("usable_fraction = 0.9", "usable_fraction = 0"), ("usable_fraction", "greater than 0")),
    "count as text": (toml("= 600", '= "600"'), ("samples_per_session", "whole number")),
    "fractional count": (toml("= 600", "= 600.5"), ("samples_per_session", "whole number")),
    "session without size": (toml("samples_per_session = 600", ""), ("per_session", "samples_per_session")),
    "unknown utility": (toml('"mean"', '"maen"'), ("objective > utility", "maen", "Did you mean 'mean'")),
    "unknown task": (toml('"regression"', '"regresion"'), ("task > kind", "Did you mean 'regression'")),
    "level": (toml("# level = 0.1", "level = 1.0"), ("objective > level", "less than 1")),
    "probability without target": (toml('"mean"', '"probability"'), ("study.toml", "objective", "target")),
    "no budget, no target": (toml("total = 8000", ""), ("study.toml", "budget.total", "objective.target")),
    "negative budget": (toml("total = 8000", "total = -1"), ("budget > total", "greater than 0")),
    "budget nan": (toml("total = 8000", "total = nan"), ("budget > total", "finite")),
    "no repeats": (toml("[1, 2, 4]", "[]"), ("design > repeats", "at least 1")),
    "zero repeats": (toml("[1, 2, 4]", "[0, 2]"), ("design > repeats", "0")),
    "min above max": (
        toml("max_subjects = 40", "max_subjects = 4\nmin_subjects = 9"),
        ("min_subjects", "max_subjects"),
    ),
    "name with a slash": (toml('name = "EEG"', 'name = "a/b"'), ("modality 'a/b' > name", "cannot be used")),
    "name with an escape": (toml('name = "EEG"', 'name = "a\\u001b[2J"'), ("name", "printable")),
    "name with a line break": (toml('name = "EEG"', 'name = "a\\nb"'), ("name", "printable")),
    "long name": (toml('name = "EEG"', f'name = "{"x" * 500}"'), ("name", "64")),
    "empty title": (toml('title = "Example: EEG pilot"', 'title = ""'), ("study > title", "not empty")),
    "modality twice": (
        toml("[budget]", '[[modality]]\nname = "eeg"\ncost.per_sample = 1.0\n[budget]'),
        ("study.toml", "two modalities", "eeg"),
    ),
    "prior of an unknown modality": (
        toml("[budget]", "[priors.modality.EGG]\nsnr = [1.0, 2.0]\n[budget]"),
        ("priors.modality", "EGG", "Did you mean 'EEG'"),
    ),
    "prior kind": (
        toml("[budget]", '[priors.modality.EEG]\nkind = "fmri"\n[budget]'),
        ("priors > modality > EEG > kind", "fmri_3t"),
    ),
    "prior interval": (
        toml("[budget]", "[priors.modality.EEG]\nsnr = [2.0, 1.0]\n[budget]"),
        ("priors > modality > EEG > snr", "low < high"),
    ),
    "prior share": (toml("[budget]", "[priors]\nalignment = [0.1, 1.5]\n[budget]"), ("priors", "alignment", "share")),
    "free labels": (
        toml("max_labels = 20000", "tiers = [{above = 10, price = 0.0}]"),
        ("study.toml", "task.max_labels", "free and without limit"),
    ),
    "free samples": (
        lambda folder: (
            edit("study.toml", "per_sample = 0.05", "")(folder),
            edit("study.toml", "per_session = 150.0", "")(folder),
            edit("study.toml", "max_sessions_per_subject = 4", "")(folder),
        ),
        ("modality 'EEG'", "free and without limit", "design.max_samples"),
    ),
    "tiers out of order": (
        toml("max_labels = 20000", "tiers = [{above = 10, price = 0.1}, {above = 5, price = 0.1}]"),
        ("task > tiers", "order"),
    ),
    "quantity of no modality": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"EGG.sessions" = 1}\nat_most = 3\n[budget]'),
        ("study.toml", "constraint 'c'", "EGG.sessions", "Did you mean 'EEG.sessions'"),
    ),
    "constraint without a bound": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = 1}\n[budget]'),
        ("constraint 'c'", "no bound", "at_least"),
    ),
    "constraint reversed": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = 1}\nat_least = 3\nat_most = 2\n[budget]'),
        ("constraint 'c'", "at_least = 3 is above at_most = 2"),
    ),
    "constraint bounded twice": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = 1}\nat_least = 3\nequals = 3\n[budget]'),
        ("constraint 'c'", "equals alone"),
    ),
    "constraint on nothing": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = 0}\nat_least = 3\n[budget]'),
        ("constraint 'c'", "every number of terms is 0"),
    ),
    "constraint twice": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = 1}\nat_least = 3\n' * 2 + "[budget]"),
        ("study.toml", "two constraints are called 'c'"),
    ),
    "constraint in words": (
        toml("[budget]", '[[constraint]]\nname = "c"\nterms = {"n_task" = "many"}\nat_least = 3\n[budget]'),
        ("constraint 'c' > terms > n_task", "many", "number"),
    ),
    "hourly rate without hours": (
        toml("setup = 1000.0", "per_hour = 80.0"),
        ("modality 'EEG' > cost", "per_hour", "hours_per_session"),
    ),
    "everyone cancels": (
        toml("setup = 1000.0", "cancellation = 1.0"),
        ("modality 'EEG' > cost > cancellation", "less than 1"),
    ),
    "negative attrition": (toml("setup = 1000.0", "attrition = -0.1"), ("attrition", "greater than or equal to 0")),
    "no quantum": (toml("setup = 1000.0", "billing_quantum_minutes = 0"), ("billing_quantum_minutes", "1")),
    "no rater": (toml("max_labels = 20000", "raters = 0"), ("task > raters", "1")),
    "years in part": (
        toml("total = 8000", "total = 8000\nyears_ahead = 1.5"),
        ("budget > years_ahead", "whole number"),
    ),
    "four rounds": (toml("total = 8000", "total = 8000\nrounds = 4"), ("budget > rounds", "3")),
    "rounds without a budget": (
        lambda folder: (
            toml("total = 8000", "rounds = 2")(folder),
            toml("# target = 0.6", "target = 0.6")(folder),
        ),
        ("study.toml", "budget.rounds", "budget.total"),
    ),
    "shift and shifts": (
        toml("# level = 0.1", "shift = 2.0\nshifts = [1.0, 3.0]"),
        ("objective", "both shift and shifts"),
    ),
    "shift twice": (toml("# level = 0.1", "shifts = [1.0, 1.0]"), ("objective", "lists a number twice")),
    "no stimuli": (toml('[stimuli]\ntable = "stimuli.csv"', ""), ("study.toml", "[stimuli]", "[system]")),
    "no labels": (toml('labels = "labels.csv"', ""), ("study.toml", "labels", "[system]")),
    # paths
    "missing file": (
        toml('"eeg.csv"', '"egg.csv"'),
        ("study.toml", "modality 'EEG' > recordings", "egg.csv", "does not exist", "Did you mean 'eeg.csv'"),
    ),
    "missing system": (
        toml("[budget]", '[system]\nfile = "system.toml"\n[budget]'),
        ("system > file", "does not exist"),
    ),
    "absolute path": (toml('"eeg.csv"', '"/etc/passwd"'), ("modality 'EEG' > recordings", "/etc/passwd", "leaves")),
    "windows path": (toml('"eeg.csv"', "'C:\\eeg.csv'"), ("modality 'EEG' > recordings", "leaves")),
    "parent path": (toml('"eeg.csv"', '"../study/eeg.csv"'), ("modality 'EEG' > recordings", "leaves")),
    "windows parent path": (toml('"eeg.csv"', "'..\\study\\eeg.csv'"), ("modality 'EEG' > recordings", "leaves")),
    "link out of the folder": (link, ("modality 'EEG' > recordings", "eeg.csv", "link")),
    "folder without recordings": (toml('"eeg.csv"', '"."'), ("modality 'EEG' > recordings", "no BIDS recording")),
    "folder as a table": (toml('"stimuli.csv"', '"."'), ("stimuli > table", "not a regular file")),
    "path with a null": (toml('"eeg.csv"', '"eeg\\u0000.csv"'), ("modality 'EEG' > recordings", "printable")),
    "unknown ending": (recordings("eeg.xlsx", b"PK"), ("eeg.xlsx", ".xlsx", ".csv, .tsv, .parquet, .npz")),
    "image": (recordings("eeg.nii.gz", b"\x1f\x8b"), ("eeg.nii.gz", "NIfTI image")),
    "unknown reader key": (
        toml("[modality.cost]", "[modality.reader]\nwindws = [[0.1, 0.2]]\n[modality.cost]"),
        ("modality 'EEG' > reader > windws", "Did you mean 'windows'"),
    ),
    "reader key without meaning": (
        toml("[modality.cost]", "[modality.reader]\nwindows = [[0.1, 0.2]]\n[modality.cost]"),
        ("eeg.csv: reader > windows", "means nothing for a table"),
    ),
    "reversed window": (
        toml("[modality.cost]", "[modality.reader]\nwindows = [[0.2, 0.1]]\n[modality.cost]"),
        ("modality 'EEG' > reader > windows", "[from, to]"),
    ),
    "mask and atlas": (
        toml("[modality.cost]", '[modality.reader]\nmask = "a.nii"\natlas = "b.nii"\n[modality.cost]'),
        ("modality 'EEG' > reader", "mask and atlas"),
    ),
    "damaged hdf5": (recordings("eeg.h5", b"\x89HDF\r\n\x1a\n"), ("eeg.h5", "cannot be read as h5")),
    "damaged netcdf": (recordings("eeg.nc", b"CDF"), ("eeg.nc", "cannot be read as nc")),
    # tables as files
    "empty file": (content("stimuli.csv", b""), ("stimuli.csv", "empty")),
    "only a blank line": (content("stimuli.csv", b"\n"), ("stimuli.csv", "empty")),
    "only a header": (only_rows("stimuli.csv", 0), ("stimuli.csv", "no rows")),
    "table not utf-8": (content("stimuli.csv", b"stimulus,f\n\xff,1\n"), ("stimuli.csv", "UTF-8")),
    "binary as csv": (content("stimuli.csv", bytes(range(256))), ("stimuli.csv",)),
    "ragged row": (edit("stimuli.csv", "w003,", "w003,1,"), ("stimuli.csv", "row 3 (line 4)", "9 cells")),
    "open quote": (edit("stimuli.csv", "w003,", '"w003,'), ("stimuli.csv",)),
    "semicolons": (content("stimuli.csv", b"stimulus;f\na;1\n"), ("stimuli.csv", "line 1", "comma")),
    "no parquet": (recordings("eeg.parquet", b"PAR1 nothing"), ("eeg.parquet", "parquet")),
    "no npz": (recordings("eeg.npz", b"PK\x03\x04 nothing"), ("eeg.npz", "npz")),
    "doubled column": (edit("stimuli.csv", "feature_2", "feature_1"), ("stimuli.csv", "feature_1", "two columns")),
    "nameless column": (edit("stimuli.csv", "feature_2", " "), ("stimuli.csv", "column 4", "no name")),
    "no stimulus column": (
        edit("stimuli.csv", "stimulus", "stimulos"),
        ("stimuli.csv", "'stimulus'", "missing", "Did you mean 'stimulos'"),
    ),
    # stimuli
    "no feature": (
        table("stimuli.csv", lambda f: f.filter(["stimulus", "group"])),
        ("stimuli.csv", "no feature column"),
    ),
    "text in a feature": (
        cell("stimuli.csv", 7, "feature_3", "high"),
        ("stimuli.csv", "row 7 (line 8)", "feature_3", "high", "not a number"),
    ),
    "decimal comma": (
        cell("stimuli.csv", 7, "feature_3", "1,5"),
        ("stimuli.csv", "row 7", "feature_3", "1,5", "decimal point"),
    ),
    "true as a feature": (cell("stimuli.csv", 7, "feature_3", "true"), ("row 7", "feature_3", "true")),
    "empty cell": (cell("stimuli.csv", 7, "feature_3", ""), ("stimuli.csv", "row 7", "feature_3", "empty or NaN")),
    "nan": (cell("stimuli.csv", 7, "feature_3", "NaN"), ("stimuli.csv", "row 7", "feature_3", "NaN")),
    "infinity": (cell("stimuli.csv", 7, "feature_3", "-inf"), ("stimuli.csv", "row 7", "feature_3", "infinite")),
    "overflow": (cell("stimuli.csv", 7, "feature_3", "1e999"), ("stimuli.csv", "row 7", "feature_3", "infinite")),
    "constant feature": (column("stimuli.csv", "feature_3", "2.5"), ("stimuli.csv", "feature_3", "constant", "2.5")),
    "all but constant": (
        column("stimuli.csv", "feature_3", ["1.0"] * 119 + ["1.0000000000000002"]),
        ("stimuli.csv", "feature_3", "constant"),
    ),
    "doubled stimulus": (
        cell("stimuli.csv", 9, "stimulus", "w002"),
        ("stimuli.csv", "row 9 (line 10)", "w002", "row 2 (line 3)"),
    ),
    "empty id": (cell("stimuli.csv", 9, "stimulus", " "), ("stimuli.csv", "row 9", "stimulus", "empty")),
    "id with an escape": (cell("stimuli.csv", 9, "stimulus", "w\x1b[2J"), ("stimuli.csv", "row 9", "control")),
    "too few groups": (column("stimuli.csv", "group", ["a"] * 60 + ["b"] * 60), ("eeg.csv", "groups", "At least 3")),
    # recordings
    "no subject column": (edit("eeg.csv", "subject", "person"), ("eeg.csv", "'subject'", "missing")),
    "no channel": (table("eeg.csv", lambda f: f.filter(["subject", "stimulus"])), ("eeg.csv", "no channel column")),
    "unknown stimulus": (
        cell("eeg.csv", 30, "stimulus", "w30"),
        ("eeg.csv", "row 30 (line 31)", "'w30'", "stimuli.csv", "Did you mean 'w030'"),
    ),
    "empty subject": (cell("eeg.csv", 30, "subject", ""), ("eeg.csv", "row 30", "subject", "empty")),
    "text in a channel": (cell("eeg.csv", 30, "E2", "bad"), ("eeg.csv", "row 30", "E2", "bad")),
    "nan in a channel": (cell("eeg.csv", 30, "E2", "nan"), ("eeg.csv", "row 30", "E2", "NaN")),
    "infinite channel": (column("eeg.csv", "E2", "inf"), ("eeg.csv", "row 1", "E2", "infinite")),
    "constant channel": (column("eeg.csv", "E2", "0"), ("eeg.csv", "E2", "constant", "'s1'")),
    "channel constant for one": (
        column("eeg.csv", "E2", [str(i) for i in range(120)] + ["7"] * 120),
        ("eeg.csv", "E2", "constant", "'s2'"),
    ),
    "few stimuli": (only_rows("eeg.csv", 15), ("eeg.csv", "15 different stimuli", "At least 20")),
    "few samples of a person": (only_rows("eeg.csv", 125), ("eeg.csv", "'s2'", "5 samples", "at least 10")),
    "repeat twice": (
        table("eeg.csv", lambda f: pd.concat([f, f.head(1)]).assign(repeat="1")),
        ("eeg.csv", "row 241 (line 242)", "row 1 (line 2)", "repeat"),
    ),
    # labels
    "no label column": (edit("labels.csv", "label", "lable"), ("labels.csv", "'label'", "Did you mean 'lable'")),
    "unknown labelled stimulus": (
        cell("labels.csv", 4, "stimulus", "x"),
        ("labels.csv", "row 4", "'x'", "stimuli.csv"),
    ),
    "text label": (cell("labels.csv", 4, "label", "good"), ("labels.csv", "row 4 (line 5)", "label", "good")),
    "nan label": (cell("labels.csv", 4, "label", "nan"), ("labels.csv", "row 4", "label", "NaN")),
    "equal labels": (column("labels.csv", "label", "1.5"), ("labels.csv", "label", "equal", "vary")),
    "few labels": (only_rows("labels.csv", 12), ("labels.csv", "12 different stimuli", "At least 20")),
    "one class": (
        lambda folder: (toml('"regression"', '"binary"')(folder), column("labels.csv", "label", "1")(folder)),
        ("labels.csv", "label", "equal"),
    ),
    "many classes": (toml('"regression"', '"binary"'), ("labels.csv", "label", "80 values", "exactly two")),
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_example(tmp_path / "study")
    return tmp_path / "study"


@pytest.mark.parametrize("name", CASES)
def test_bad_study_is_told_in_one_paragraph(name: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, expected = CASES[name]
    change(study)
    assert main(["check", str(study / "study.toml")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    message = err[:-1]
    assert message.isprintable(), "one paragraph: no line break, no control character"
    assert "Traceback" not in message
    assert re.search(r"[.?]$", message), message
    assert len(message) < 1500
    for part in expected:
        assert part in message, message


def test_the_study_without_a_change_is_fine(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(study / "study.toml")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", ["nowhere.toml", "."])
def test_missing_study_file(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_unreadable_table(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not _permissions_count(study):
        pytest.skip("the user may read everything (root)")
    (study / "eeg.csv").chmod(0)
    assert main(["check", str(study / "study.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def _permissions_count(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_text("x")
    probe.chmod(0)
    try:
        probe.read_text()
    except PermissionError:
        return True
    finally:
        probe.unlink()
    return False


def test_pickles_are_never_loaded(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An array of Python objects would run code when loaded: it must be refused, and the code must not run."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (study / "exploded",))  # pyright: ignore[reportReturnType]

    np.savez(study / "eeg.npz", subject=np.array([Bomb()] * 30, dtype=object))
    toml('"eeg.csv"', '"eeg.npz"')(study)
    assert main(["check", str(study / "study.toml")]) == 2
    assert "Python objects are never loaded" in capsys.readouterr().err
    assert not (study / "exploded").exists()
