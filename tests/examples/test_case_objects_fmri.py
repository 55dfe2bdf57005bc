"""The objects case study: patterns come back from dissimilarities exactly, nothing leaks, and its command checks a forecast."""

# pyright: reportGeneralTypeIssues=false
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

CASE = Path(__file__).parents[2] / "case_studies" / "objects_fmri"

pytestmark = needs_data


@pytest.fixture(scope="module")
def loaded() -> Any:
    from brainworth.design.pilot.datasets import fetch

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import objects

        return objects, objects.load(fetch("kriegeskorte92_fmri_objects"))


def test_patterns_come_back_up_to_a_rotation(loaded: Any) -> None:
    objects, _ = loaded
    patterns = np.random.default_rng(0).standard_normal((30, 100))
    patterns = (patterns - patterns.mean(axis=1, keepdims=True)) / patterns.std(axis=1, keepdims=True) / 10.0
    gram = 1.0 - (1.0 - np.corrcoef(patterns))
    found = objects.embedded(gram)
    centred = patterns - patterns.mean(axis=0)
    np.testing.assert_allclose(found @ found.T, centred @ centred.T, atol=1e-10)
    assert (np.diff((found**2).sum(axis=0)) < 1e-9).all()


def test_the_pilot_does_not_know_the_other_images(loaded: Any) -> None:
    """Changing what the other images look like to the brain changes nothing of the pilot's recordings."""
    objects, data = loaded
    pilot = np.random.default_rng(0).permutation(92)[:60]
    others = np.setdiff1d(np.arange(92), pilot)
    before = data.recordings(pilot)
    changed = {person: gram.copy() for person, gram in data.gram.items()}
    for gram in changed.values():
        gram[np.ix_(others, others)] *= 3.0
        gram[np.ix_(others, pilot)] = 0.0
        gram[np.ix_(pilot, others)] = 0.0
    after = type(data)(data.features, data.label, changed, data.reliability).recordings(pilot)
    for person in objects.PEOPLE:
        assert before[person].shape == (60, objects.CHANNELS)
        np.testing.assert_array_equal(before[person], after[person])


def test_data_are_the_known_ones(loaded: Any) -> None:
    objects, data = loaded
    assert data.features.shape == (92, 44)
    assert [round(value, 2) for value in data.reliability.values()] == [0.29, 0.10, 0.40, 0.12]
    # The leading dimension of the judgements is animacy: the first 48 images are animate.
    assert np.corrcoef(data.label, np.arange(92) < 48)[0, 1] > 0.8
    alike, chance = objects.shared_rest(data, 50)
    assert len(alike) == 6
    assert np.mean(alike) > 2 * chance, "what features leave of the patterns is shared between people"


def test_command_checks_its_forecast(tmp_path: Path) -> None:
    command = [sys.executable, str(CASE / "run.py"), "--out", str(tmp_path), "--forecast-only"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    table = pd.read_csv(tmp_path / "forecast_check.csv")
    assert table["images"].tolist() == [60, 60, 76, 76]
    assert table["tested"].tolist() == [32, 32, 16, 16]
    assert ((table["q05"] < table["forecast"]) & (table["forecast"] < table["q95"])).all()
    # Each intended 90 % interval misses one time in ten: both of the learners without fMRI miss in about one of fifty.
    labels = table[~table["learner"].str.contains("fMRI")]
    assert labels["inside"].any()
    assert (tmp_path / "study" / "fmri.csv").is_file()
