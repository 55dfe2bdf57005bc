"""The modality case study: prices have sources, beliefs are overridden as they say, and its command compares four modalities."""

# pyright: reportGeneralTypeIssues=false
# (pandas' own annotations are incomplete)

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.posterior.literature import study_priors
from brainworth.design.study_file.config import parse_study

CASE = Path(__file__).parents[2] / "case_studies" / "modality_costs"
STUDY = tomllib.loads((CASE / "study.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def modalities() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import modalities

        return modalities


def test_study_has_no_pilot_and_prices_are_intervals() -> None:
    config = parse_study(STUDY)
    assert config.modality_names == ("fMRI", "EEG", "MEG", "ECoG")
    assert all(modality.recordings is None for modality in config.modality)
    assert all(not modality.cost.per_session.certain for modality in config.modality)
    assert not config.task.cost_per_label.certain


def test_european_prices_have_sources_and_no_other_modality() -> None:
    config = parse_study(tomllib.loads((CASE / "euros.toml").read_text(encoding="utf-8")))
    assert (config.modality_names, config.budget.currency) == (("fMRI",), "EUR")
    price = config.modality[0].cost.per_session
    assert (price.low, price.high) == (1.5 * 150 + 2 * 9, 1.5 * 350 + 2 * 14)
    readme = (CASE / "README.md").read_text(encoding="utf-8")
    assert "https://btc.uni-bonn.de/mrt/first-visit/" in readme
    assert "| 3 T scanner, one hour | 150 to 350 EUR |" in readme


def test_beliefs_are_what_they_say(modalities: Any) -> None:
    plain = study_priors(parse_study(STUDY))[0]
    same = study_priors(parse_study(modalities.changed(STUDY, "snr 1")))[0]
    np.testing.assert_allclose(same.log_snr, plain.log_snr, atol=1e-6)
    np.testing.assert_allclose(same.log_snr_scale, plain.log_snr_scale, atol=1e-6)
    thrice = study_priors(parse_study(modalities.changed(STUDY, "snr 3")))[0]
    np.testing.assert_allclose(np.exp(thrice.log_snr - plain.log_snr), 3.0, rtol=1e-6)
    crowd = parse_study(modalities.changed(STUDY, "crowd labels"))
    assert (crowd.task.cost_per_label.low, crowd.task.cost_per_label.high) == tuple(modalities.CROWD)
    for belief in modalities.BELIEFS:
        parse_study(modalities.changed(STUDY, belief))
    assert STUDY["task"]["cost_per_label"] == [10.0, 25.0], "the study itself stays as it is"


def test_command_compares_four_modalities(tmp_path: Path) -> None:
    command = [sys.executable, str(CASE / "run.py"), "--out", str(tmp_path), "--small", "--budgets", "5000", "50000"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    table = pd.read_csv(tmp_path / "budgets.csv")
    assert table["modality"].tolist() == ["labels only", "fMRI", "EEG", "MEG", "ECoG", "all four"] * 2
    for _, part in table.groupby("budget"):
        rows = part.set_index("modality")
        alone, single = rows.loc["labels only", "mean"], rows.loc[["fMRI", "EEG", "MEG", "ECoG"], "mean"]
        assert (single >= alone - 1e-9).all(), "who may buy more is not worse off"
        assert rows.loc["all four", "mean"] >= single.max() - 1e-3
        assert rows["best"].sum() == pytest.approx(1.0, abs=1e-3)
    assert (table["gain_q05"] <= table["gain"] + 1e-4).all()
    assert table[table["modality"] == "labels only"]["labels"].tolist() == [200, 2000], (
        "a label is charged 25 USD, the upper end of its price"
    )
    # At 5,000 USD setup costs eat up whatever brain recordings teach.
    assert not table[table["budget"] == 5000]["brain"].any()
    assert (tmp_path / "budgets.svg").stat().st_size < 200_000
