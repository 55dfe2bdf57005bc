"""The cloze case study: its tables are what its README says, and its command runs from data to checked forecast."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# pyright: reportMissingImports=false
# (pandas' own annotations are incomplete)

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from case_data import needs_data

CASE = Path(__file__).parents[2] / "case_studies" / "cloze_eeg"

pytestmark = needs_data


@pytest.fixture(scope="module")
def corpus() -> Any:
    from brainworth.design.pilot.datasets import fetch

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import cloze

        return cloze, cloze.load(fetch("nieuwland2018_n400"), fetch("glove50_subset"), people=400)


def test_every_noun_is_there_once_and_no_pair_is_split(corpus: Any) -> None:
    _, loaded = corpus
    assert loaded.n400.shape == (159, 334)
    assert loaded.sentence.nunique() == 40
    assert sorted(loaded.sentence.value_counts().unique()) == [3, 4]
    assert np.isfinite(loaded.features.to_numpy()).all()
    assert loaded.label.between(0, 1).all()
    nouns = loaded.features.index.str.split(" ").str[1]
    # "apartment" is in the pair with "studio" only; every noun and every sentence lies within one pair.
    assert loaded.sentence.groupby(nouns).nunique().max() == 1
    assert loaded.sentence.groupby(loaded.features.index.str[:3]).nunique().max() == 1


def test_design_balances_the_nouns_while_the_brain_follows_cloze(corpus: Any) -> None:
    cloze, loaded = corpus
    found = cloze.balance(loaded)
    assert found["cloze of a noun in its two sentences"] == pytest.approx(-0.80, abs=0.02)
    assert found["item-mean N400 with cloze"] == pytest.approx(0.50, abs=0.02)


@pytest.mark.slow
def test_command_checks_its_forecast(tmp_path: Path) -> None:
    command = [sys.executable, str(CASE / "run.py"), "--out", str(tmp_path), "--people", "4"]
    finished = subprocess.run(
        [*command, "--splits", "1", "--forecast-only"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    table = pd.read_csv(tmp_path / "forecast_check.csv")
    assert set(table["grows"]) == {"labels", "labels and EEG", "EEG"}
    # The tool must not promise what features of nouns cannot give. A forecast of half the variance would fail here.
    assert table["r2_mean"].max() < 0.1
    assert table["r2_q95"].max() < 0.25
    assert table["r2_reached"].abs().max() < 0.25
    assert "pairs of nouns held out" in (tmp_path / "results.md").read_text(encoding="utf-8")
