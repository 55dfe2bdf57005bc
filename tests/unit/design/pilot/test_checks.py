"""Checks of a pilot that need no fit: reliability from repeats, artefacts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brainworth as bw
from brainworth.design.pilot.checks import data_checks


def _study(channels: np.ndarray, repeats: int) -> bw.Study:
    rng = np.random.default_rng(0)
    stimuli = len(channels) // repeats
    ids = [f"s{i}" for i in range(stimuli)]
    features = pd.DataFrame({"stimulus": ids, "a": rng.standard_normal(stimuli), "b": rng.standard_normal(stimuli)})
    labels = pd.DataFrame({"stimulus": ids, "label": rng.standard_normal(stimuli)})
    recording = pd.DataFrame({"subject": "p", "stimulus": np.tile(ids, repeats)})
    for column in range(channels.shape[1]):
        recording[f"c{column}"] = channels[:, column]
    config = {
        "task": {"cost_per_label": 1.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
        "budget": {"total": 100.0},
    }
    return bw.Study.from_frames(stimuli=features, labels=labels, recordings={"EEG": recording}, config=config)


@pytest.mark.parametrize(("signal", "status"), [(1.0, "ok"), (0.0, "warn")])
def test_reliability_of_repeated_presentations(signal: float, status: str) -> None:
    rng = np.random.default_rng(1)
    common = signal * rng.standard_normal((60, 5))
    check = {c.name: c for c in data_checks(_study(np.tile(common, (3, 1)) + rng.standard_normal((180, 5)), 3))}
    assert check["reliability (EEG)"].status == status
    assert check["artefacts (EEG)"].status == "ok"


def test_artefacts_are_reported_and_without_repeats_there_is_no_reliability() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((100, 8))
    noise[:3] *= 50.0
    check = {c.name: c for c in data_checks(_study(noise, 1))}
    assert check["artefacts (EEG)"].status == "warn"
    assert check["artefacts (EEG)"].value == pytest.approx(0.03)
    assert "reliability (EEG)" not in check
