"""Controls of studies: every modality of a pilot, those that a plan buys, and studies that cannot be asked."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import brainworth as bw
from brainworth.design.allocation.result import ModalityPurchase, NewData
from brainworth.design.decision.controls import SPLITS, against_controls, control_checks, controls, controls_of_plan
from brainworth.design.decision.records.controls import Controls
from brainworth.design.decision.wording import beyond_controls
from brainworth.models.learner.controlled import CONTROLS, LABELS, RECORDINGS, Errors

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
    both = bought(EEG=100, fMRI=100)
    assert [check.status for check in control_checks(found, both)] == ["ok", "warn"]
    said = beyond_controls(found, both)
    assert said.startswith("In the pilot, EEG teaches a learner more than labels alone, shuffled recordings")
    assert "In the pilot, fMRI cannot be told from " in said
    assert said.endswith(" yet: its gain rests on the model.")
    assert "fMRI" not in beyond_controls(found, bought(EEG=100)), "it is not bought"
    assert len(control_checks(found, bought(EEG=100))) == 1


def test_a_plan_asks_for_what_it_buys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect.signature(controls).parameters["splits"].default == SPLITS
    monkeypatch.setattr("brainworth.design.decision.controls.SPLITS", 1)
    found = controls_of_plan(study(), bought(EEG=100))
    assert found is not None
    assert list(found.modalities) == ["EEG"]
    assert found.modalities["EEG"] == controls(study(), splits=1).modalities["EEG"], (
        "what the command says is what the plan says"
    )


def test_the_control_that_is_not_exceeded_is_named() -> None:
    """Labels alone may be what recordings do not exceed, though they exceed everything that replaces recordings."""
    rng = np.random.default_rng(0)
    noise, plain = rng.chisquare(1, 200), 3.0 * rng.chisquare(1, 200)
    worse = dict.fromkeys(CONTROLS, 1.5 * noise)
    errors = Errors(worse | {RECORDINGS: noise, LABELS: noise}, plain, 2.0)
    found = against_controls("EEG", errors, np.arange(200))
    assert not found.exceeds
    every = Controls(modalities={"EEG": found}, labels=200, groups=200, splits=1, level=1.65)
    said = beyond_controls(every, bought(EEG=100))
    assert said == "In the pilot, EEG cannot be told from labels alone yet: its gain rests on the model."


def test_a_learner_worse_than_the_mean_teaches_nothing() -> None:
    rng = np.random.default_rng(1)
    noise = rng.chisquare(1, 200)
    errors = Errors(dict.fromkeys(CONTROLS, 1.5 * noise) | {RECORDINGS: noise}, 0.9 * noise, 2.0)
    found = against_controls("EEG", errors, np.arange(200))
    assert found.r2 < 0.0
    assert not found.exceeds
    assert "cannot be judged" in found.sentence


def test_a_plan_does_not_ask_where_the_pilot_cannot_say() -> None:
    assert controls_of_plan(study(), bought()) is None, "no recordings are bought"
    assert controls_of_plan(study(labels=30), bought(EEG=100)) is None, "too few labels"
    assert control_checks(None, bought(EEG=100)) == []
    with pytest.raises(bw.BadInput, match="Controls need at least 40 labelled stimuli"):
        controls(study(labels=30))
