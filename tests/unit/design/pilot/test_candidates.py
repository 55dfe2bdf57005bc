"""The pool of a study whose labels are for chosen stimuli: from the study file, beside its other tables, and what can be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from brainworth.design.api import Study
from brainworth.design.cli.app import main
from brainworth.design.common.errors import BadInput
from brainworth.design.posterior.fingerprint import fingerprint
from brainworth.design.study_file.scaffold import write_example

CHOOSE = "\n[design]\nchosen_stimuli = true\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example study, with a pool of 50 stimuli whose ids are called words."""
    write_example(tmp_path / "study")
    stimuli = pd.read_csv(tmp_path / "study" / "stimuli.csv", dtype={"stimulus": str})
    pool = stimuli.head(50).assign(stimulus=[f"new{i}" for i in range(50)])
    pool.to_csv(tmp_path / "study" / "pool.csv", index=False)
    return tmp_path / "study"


def _study(folder: Path, more: str, old: str = "", new: str = "") -> Path:
    file = folder / "study.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new) + more, encoding="utf-8")
    return file


def test_a_study_file_names_the_pool(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = Study.from_file(folder / "study.toml")
    file = _study(folder, f'{CHOOSE}candidates = "pool.csv"\n')
    study = Study.from_file(file)
    assert plain.pool is None
    assert study.pool == (50, "pool.csv")
    assert "pool.csv" in study.digest
    assert study.candidates is not None
    assert study.candidates.group[0] != study.candidates.stimulus[0]
    # A posterior does not depend on the pool: it is not fitted again.
    assert fingerprint(study, 0) == fingerprint(plain, 0)
    assert study.with_random_labels() == replace(study, candidates=None)
    assert main(["check", str(file)]) == 0
    assert "chosen from pool.csv, 50 in all" in " ".join(capsys.readouterr().out.split())


def test_the_pool_is_the_studys_own_stimuli_without_labels(folder: Path) -> None:
    assert Study.from_file(_study(folder, CHOOSE)).pool == (40, "the study's own stimuli without labels")


def test_keys_of_the_pool_may_be_called_as_in_the_table_of_stimuli(folder: Path) -> None:
    mapped = 'table = "stimuli.csv"\ncolumns = { word = "stimulus", sentence = "group" }'
    file = _study(folder, f'{CHOOSE}candidates = "pool.csv"\n', 'table = "stimuli.csv"', mapped)
    stimuli = pd.read_csv(folder / "stimuli.csv", dtype=str)
    stimuli.rename(columns={"stimulus": "word", "group": "sentence"}).to_csv(folder / "stimuli.csv", index=False)
    with_keys = Study.from_file(file).candidates
    pool = pd.read_csv(folder / "pool.csv", dtype=str)
    pool.rename(columns={"stimulus": "word", "group": "sentence"}).to_csv(folder / "pool.csv", index=False)
    mapped_keys = Study.from_file(file).candidates
    assert with_keys is not None
    assert mapped_keys is not None
    assert (with_keys.stimulus, with_keys.group) == (mapped_keys.stimulus, mapped_keys.group)


BAD = {
    "no such file": (f'{CHOOSE}candidates = "pol.csv"\n', "", "", "Did you mean 'pool.csv'"),
    "outside": (f'{CHOOSE}candidates = "../pool.csv"\n', "", "", "leaves the study's folder"),
    "a known system": (f'{CHOOSE}\n[system]\nfile = "system.toml"\n', "", "", "with a pilot of labelled stimuli"),
    "priors alone": (CHOOSE, 'recordings = "eeg.csv"', "", "with a pilot of labelled stimuli"),
    "too many labels": (CHOOSE, "max_labels = 20000", "min_labels = 41", "41 labels must be bought, .* 40 stimuli"),
    "misspelt": ("\n[design]\nchosen_stimulus = true\n", "", "", "Did you mean 'chosen_stimuli'"),
    "misspelt table": ("\n[desing]\nchosen_stimuli = true\n", "", "", "Did you mean 'design'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pools(folder: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    more, old, new, message = BAD[case]
    file = _study(folder, more, old, new)
    if case == "priors alone":
        _study(folder, "", 'labels = "labels.csv"', "")
    with pytest.raises(BadInput, match=message):
        Study.from_file(file)
    assert main(["check", str(file)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_pool_without_a_feature_and_a_study_without_a_free_stimulus(folder: Path) -> None:
    file = _study(folder, f'{CHOOSE}candidates = "pool.csv"\n')
    pool = pd.read_csv(folder / "pool.csv", dtype=str)
    pool.drop(columns="feature_3").to_csv(folder / "pool.csv", index=False)
    with pytest.raises(BadInput, match="'feature_3': the column is missing"):
        Study.from_file(file)
    stimuli, labels = (pd.read_csv(folder / f"{name}.csv", dtype=str) for name in ("stimuli", "labels"))
    rest = sorted(set(stimuli["stimulus"]) - set(labels["stimulus"]))
    more = pd.DataFrame({"stimulus": rest, "label": [f"{i / 7:.3f}" for i in range(len(rest))]})
    pd.concat([labels, more]).to_csv(folder / "labels.csv", index=False)
    _study(folder, "", 'candidates = "pool.csv"\n', "")
    with pytest.raises(BadInput, match=r"has a label already.*candidates = \"pool.csv\""):
        Study.from_file(file)
