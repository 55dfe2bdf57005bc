"""The reading case study: its tables are what its README says, and its command runs from data to checked forecast."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# (pandas' own annotations are incomplete)

# pyright: reportAttributeAccessIssue=false
# Columns of a data frame are inferred as arrays: pandas has no stubs here.

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from case_data import needs_data

CASE = Path(__file__).parents[2] / "case_studies" / "reading_eeg"

pytestmark = needs_data


@pytest.fixture(scope="module")
def corpus() -> Any:
    from brainworth.design.pilot.datasets import fetch

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import reading

        return reading, reading.load(fetch("frank2015_eeg_reading"), fetch("glove50_subset"))


def test_tables_hold_every_usable_word(corpus: Any) -> None:
    _, loaded = corpus
    assert loaded.features.shape == (1487, 55)
    assert loaded.n400.shape == (1487, 24)
    assert loaded.first_pass.shape == (1487, 35)
    assert np.isfinite(loaded.features.to_numpy()).all()
    assert loaded.label.notna().all()
    missing = loaded.n400.isna().to_numpy().mean()
    assert 0.09 < missing < 0.12


def test_words_keep_their_own_and_the_previous_words_values(corpus: Any) -> None:
    # Sentence 87, "He heaved his shoulders and swung the axe again."
    _, loaded = corpus
    words = loaded.features.loc[[f"s087w{position:02d}" for position in range(2, 9)]]
    assert words["length"].tolist() == [6, 3, 9, 3, 5, 3, 3]
    assert words["previous_length"].tolist() == [2, 6, 3, 9, 3, 5, 3]
    assert words["frequency"].idxmax() == "s087w07"  # "the": larger means more frequent
    assert words["frequency"].idxmin() == "s087w02"  # "heaved"


def test_reliabilities_are_the_known_ones(corpus: Any) -> None:
    reading, loaded = corpus
    assert reading.split_half(loaded.n400, halvings=30) == pytest.approx(0.36, abs=0.03)
    assert reading.split_half(loaded.first_pass, halvings=30) == pytest.approx(0.72, abs=0.03)
    scrambled = loaded.n400.apply(lambda column: np.random.default_rng(int(column.name)).permutation(column))
    assert reading.split_half(scrambled, halvings=30) < 0.2


def test_command_plans_and_checks_its_forecast(tmp_path: Path) -> None:
    command = [sys.executable, str(CASE / "run.py"), "--out", str(tmp_path), "--splits", "1"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    plan = json.loads((tmp_path / "plan" / "plan.json").read_text(encoding="utf-8"))
    assert plan["schema"] == "brainworth.plan/1"
    assert plan["cost"]["total"] <= 800
    table = pd.read_csv(tmp_path / "forecast_check.csv")
    assert set(table["grows"]) == {"labels", "labels and EEG", "EEG"}
    assert (table["r2_q05"] <= table["r2_mean"]).all()
    labels = table[table["grows"] == "labels"]
    assert (np.diff(labels["r2_mean"]) > 0).all()
    # One split of 45 sentences scatters by about 0.07 around what the forecast is about.
    assert (labels["r2_reached"] - labels["r2_mean"]).abs().max() < 0.15
    assert (tmp_path / "plan" / "report.html").is_file()
    assert (tmp_path / "forecast_check.svg").stat().st_size < 200_000
    assert "EEG" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_study_writes_the_pilot_only(corpus: Any, tmp_path: Path) -> None:
    from brainworth.design.api import Study

    reading, loaded = corpus
    sentences = loaded.sentence.unique()[:40]
    study = Study.from_file(reading.write_study(loaded, sentences, tmp_path))
    pilot = study.pilot
    assert pilot.features.shape == (1487, 55)
    assert np.unique(pilot.group[pilot.label_stimulus]).size == 40
    assert len(pilot.recordings) == 24
    recorded = np.concatenate([recording.stimulus for recording in pilot.recordings])
    assert set(recorded) <= set(pilot.label_stimulus)
