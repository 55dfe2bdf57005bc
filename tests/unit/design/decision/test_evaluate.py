"""A design of one's own: the same numbers as the surface, labels alone for the same money, nothing better than the best."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from brainworth.design.api import Posterior, Study
from brainworth.design.cli import main

SYSTEM = """
signal_variance = 1.0
noise_variance = 2.0
alignment = [0.5, 0.3]
[spectrum]
dimension = 60
exponent = 0.4
[[source]]
name = "EEG"
channels = 12
snr = [0.6, 0.25]
"""
STUDY = """
[system]
file = "system.toml"
[task]
cost_per_label = 30.0
max_labels = 600
[[modality]]
name = "EEG"
new_subjects = true
[modality.cost]
per_session = 120.0
samples_per_session = 150
[modality.design]
max_subjects = 12
[budget]
total = 6000
currency = "EUR"
[objective]
target = 0.4
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "system.toml").write_text(SYSTEM)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


@pytest.fixture(scope="module")
def posterior(study: Path) -> Posterior:
    return Study.from_file(study).fit()


def test_a_design_is_compared_for_its_own_money(posterior: Posterior) -> None:
    found = posterior.evaluate(labels=80, people={"EEG": 10})
    assert found.feasible
    assert float(found.bill.total) == 80 * 30 + 10 * 120
    assert found.labels_alone.n_task == 120
    assert not found.labels_alone.holds_brain_data
    expected = found.performance["expected"]["explainable_r2"]["mean"]
    alone = found.labels_alone_performance["expected"]["explainable_r2"]["mean"]
    assert found.gain.mean == pytest.approx(expected - alone)
    assert found.loss_against_best >= -1e-9
    assert found.performance.probability_of_target is not None
    assert found.today.explainable_r2["mean"] < min(alone, expected)
    assert len(repr(found).splitlines()) <= 20


def test_a_design_beyond_the_limits_is_evaluated_and_says_so(posterior: Posterior) -> None:
    found = posterior.evaluate(labels=80, people={"EEG": 40})
    assert not found.feasible
    assert any("max_subjects = 12" in limit for limit in found.broken)
    assert any("budget.total" in limit for limit in found.broken)
    assert "left" not in repr(found)
    beyond = posterior.evaluate(labels=600, people={"EEG": 40})
    assert "(600 labels, all that the study allows; 4,800 EUR left)" in repr(beyond)
    assert np.isfinite(found.gain.mean)


def test_the_command_prints_what_the_contract_promises(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(study), "--people", "EEG=10", "--labels", "80", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cost"]["total"] == 3600
    assert found["feasible"] is True
    assert found["broken"] == []
    for block in (found["performance"], found["performance"]["expected"], found["performance"]["today"]):
        assert {"explainable_r2", "r2"} <= set(block)
    assert {"mean", "q05", "q95", "probability"} == set(found["gain"])
    assert found["loss_against_best"] >= -1e-9


def test_a_range_is_a_row_of_designs(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(study), "--people", "EEG=4:12:4", "--labels", "80", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["designs"]
    assert [row["allocation"]["modalities"]["EEG"]["subjects"] for row in found] == [4, 8, 12]
    targets = [row["performance"]["probability_of_target"] for row in found]
    assert targets == sorted(targets)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--people", "EEG"], "NAME=N"),
        (["--people", "EEG=4:2"], "a range of 1 to"),
        (["--people", "EEG=2.5"], "whole number"),
        (["--people", "EEG=2:4", "--labels", "10:20"], "only one"),
        (["--people", "EEG=2", "--people", "EEG=3"], "given twice"),
        (["--people", "MEG=2", "--labels", "10"], "no modality 'MEG'"),
        (["--people", "eeg=2", "--labels", "10"], "Did you mean 'EEG'?"),
        (["--people", "EEG=1,5", "--labels", "10"], "not 1,500"),
        (["--people", "EEG=2", "--labels", "4,00"], "not 1,500"),
        (["--people", "EEG=2", "--labels", "1_500"], "not 1,500"),
    ],
)
def test_slips_get_one_paragraph(
    study: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["evaluate", str(study), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
