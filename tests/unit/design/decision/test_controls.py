"""Controls of studies: every modality of a pilot, those that a plan buys, and studies that cannot be asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import brainworth as bw
from brainworth.design.allocation.result import ModalityPurchase, NewData
from brainworth.design.decision.controls import control_checks, controls, controls_of_plan
from brainworth.design.decision.wording import beyond_controls

NAMES = ("EEG", "fMRI")


def study(labels: int = 60) -> bw.Study:
    """Recordings of the task's own direction (EEG) and of chance (fMRI)."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((260, 30))
    direction = rng.standard_normal(30) / np.sqrt(30)
    label = features @ direction + 0.6 * rng.standard_normal(260)
    seen = np.arange(60, 260)
    signal = np.outer(features[seen] @ direction, rng.standard_normal(6))
    recordings = {"EEG": signal + 0.7 * rng.standard_normal(signal.shape), "fMRI": rng.standard_normal(signal.shape)}
    config: dict[str, Any] = {
        "task": {"cost_per_label": 1.0},
        "modality": [{"name": name, "new_subjects": True, "cost": {"per_sample": 0.1}} for name in NAMES],
        "budget": {"total": 50},
    }
    people = {name: {"p": (seen, values)} for name, values in recordings.items()}
    return bw.Study.from_arrays(features, (np.arange(labels), label[:labels]), people, config)


def bought(**samples: int) -> NewData:
    """A purchase of so many samples."""
    rows = {name: ModalityPurchase(samples.get(name, 0), 1, 1, samples.get(name, 0), 1) for name in NAMES}
    return NewData(n_task=10, modalities=rows)


def test_every_modality_of_a_pilot_is_compared() -> None:
    found = controls(study(), splits=1)
    assert list(found.modalities) == list(NAMES)
    assert found.modalities["EEG"].exceeds
    assert not found.modalities["fMRI"].exceeds
    assert [check.status for check in control_checks(found)] == ["ok", "warn"]
    said = beyond_controls(found)
    assert said.startswith("In the pilot, EEG teaches a learner more than shuffled recordings")
    assert said.endswith("In the pilot, fMRI cannot be told from them yet: that gain rests on the model.")


def test_a_plan_asks_for_what_it_buys() -> None:
    found = controls_of_plan(study(), bought(EEG=100))
    assert found is not None
    assert list(found.modalities) == ["EEG"]
    assert found.modalities["EEG"] == controls(study(), splits=1).modalities["EEG"]


def test_a_plan_does_not_ask_where_the_pilot_cannot_say() -> None:
    assert controls_of_plan(study(), bought()) is None, "no recordings are bought"
    assert controls_of_plan(study(labels=30), bought(EEG=100)) is None, "too few labels"
    assert control_checks(None) == []
    with pytest.raises(bw.BadInput, match="Controls need at least 40 labelled stimuli"):
        controls(study(labels=30))
