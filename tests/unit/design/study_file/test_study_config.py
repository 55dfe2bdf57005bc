"""The study file's models: the documented example, defaults, prices, the schema and what must hold between keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean
from brainworth.design.common.validation import known_keys
from brainworth.design.study_file.config import StudyConfig, parse_study
from brainworth.design.study_file.money import Money, parse_money

FULL: dict[str, Any] = {
    "study": {"title": "Reading, EEG pilot", "seed": 0},
    "stimuli": {"table": "stimuli.csv"},
    "task": {
        "labels": "labels.csv",
        "kind": "regression",
        "cost_per_label": [0.1, 0.2],
        "max_labels": 20000,
        "raters": 3,
        "setup": 20,
    },
    "modality": [
        {
            "name": "EEG",
            "recordings": "eeg.csv",
            "new_subjects": True,
            "cost": {
                "per_sample": 0.5,
                "per_session": 300,
                "samples_per_session": 600,
                "per_subject": 40.0,
                "setup": 2000.0,
                "usable_fraction": 0.9,
                "tiers": [{"above": 1000, "price": 0.4}],
                "hours_per_session": 1.5,
                "per_hour": [60.0, 80.0],
                "billing_quantum_minutes": 30,
                "cancellation": 0.1,
                "attrition": 0.2,
                "escalation": 0.05,
                "sessions_per_week": 10,
            },
            "design": {
                "max_samples": 50000,
                "max_subjects": 40,
                "max_sessions_per_subject": 4,
                "min_sessions_per_subject": 1,
                "max_sessions": 90,
                "max_stimuli": 5000,
                "repeats": [1, 2, 4],
                "shared_stimuli": False,
            },
        }
    ],
    "budget": {
        "total": 25000,
        "currency": "USD",
        "reuse_pilot": True,
        "max_weeks": 10,
        "max_hours": 100,
        "escalation": 0.03,
        "years_ahead": 2,
        "rounds": 2,
    },
    "constraint": [{"name": "twice", "terms": {"EEG.sessions": 1, "EEG.subjects": -2.0}, "at_least": 0}],
    "objective": {"utility": "cvar", "level": 0.1, "target": 0.6, "confidence": 0.9, "shift": 2},
    "priors": {"max_latents": 3, "alignment": [0.1, 0.9], "modality": {"EEG": {"kind": "eeg", "snr": [0.01, 0.5]}}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(FULL))
    *steps, last = path.split(".")
    at: Any = data
    for step in steps:
        at = at[0] if step == "0" else at.setdefault(step, {})
    if value is None:
        at.pop(last)
    else:
        at[last] = value
    return data


def test_every_key_is_read() -> None:
    config = parse_study(FULL)
    assert config.task.cost_per_label == Money(0.1, 0.2)
    assert config.modality[0].cost.per_session == Money(300.0, 300.0)
    assert config.modality[0].cost.tiers[0].above == 1000
    assert config.budget.total == 25000
    assert config.objective.shift == 2
    assert config.priors.modality["EEG"].snr == (0.01, 0.5)
    assert parse_study(config.model_dump()) == config
    assert json.loads(config.model_dump_json())["task"]["cost_per_label"] == [0.1, 0.2]


def test_defaults() -> None:
    config = parse_study(
        {
            "task": {"cost_per_label": 1},
            "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
            "objective": {"target": 0.5},
        }
    )
    assert config.study.seed == 0
    assert config.budget.reuse_pilot
    assert config.objective.utility == "mean"
    assert config.objective.confidence == 0.9
    modality = config.modality[0]
    assert modality.cost.usable_fraction == 1.0
    assert modality.design.repeats == [1]
    assert not modality.new_subjects
    assert modality.cost.setup == Money(0.0, 0.0)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("modality.0.cost.samples_per_session", None, "samples_per_session"),
        ("modality.0.design.min_samples", 60000, "min_samples = 60000 is above max_samples"),
        ("modality.0.design.repeats", [2, 2], "lists a number twice"),
        ("task.min_labels", 30000, "min_labels = 30000"),
        ("objective.confidence", 1.0, "objective > confidence"),
        ("objective.level", 0.0, "objective > level"),
        ("objective.target", 1.5, "objective > target"),
        ("objective.shift", -1.0, "objective > shift"),
        ("study.seed", -1, "study > seed"),
        ("study.seed", 1.5, "study > seed"),
        ("study.title", "x" * 201, "study > title"),
        ("budget.currency", "\n", "budget > currency"),
        ("priors.max_latents", 0, "priors > max_latents"),
        ("priors.modality", {"EEG": {"kind": "eeg", "noise": 1}}, "priors > modality > EEG > noise: unknown key"),
        ("modality", [], "modality"),
        ("modality", {"name": "EEG"}, "modality.*list"),
        ("task", 3, r"task.*\[section\]"),
        ("budget.max_hours", 0, "budget > max_hours"),
        ("modality.0.name", "all", "cannot be used"),
        ("modality.0.name", ".hidden", "cannot be used"),
        ("modality.0.name", "a=b", "cannot be used"),
    ],
)
def test_wrong_values(path: str, value: Any, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        parse_study(changed(path, value), "study.toml")


def test_the_number_of_problems_is_told() -> None:
    data = changed("objective.level", 2.0)
    data["objective"]["confidence"] = 3.0
    with pytest.raises(BadInput, match=r"1 more problem in this file"):
        parse_study(data)


def test_every_key_is_described_in_the_schema() -> None:
    schema = StudyConfig.model_json_schema()
    sections = {"StudyConfig": schema, **schema["$defs"]}
    for name, section in sections.items():
        assert section["additionalProperties"] is False, name
        for key, entry in section["properties"].items():
            assert entry.get("description"), f"{name}.{key}"
    assert set(sections["Cost"]["properties"]) >= {"per_sample", "per_session", "usable_fraction", "tiers"}


def test_known_keys_of_a_nested_table() -> None:
    assert "per_sample" in known_keys(StudyConfig, ("modality", 0, "cost"))
    assert "snr" in known_keys(StudyConfig, ("priors", "modality", "EEG"))


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [("per_sampel", ["per_sample", "setup"], "per_sample"), ("01", ["1", "2"], "1"), ("eeg", ["EEG"], "EEG")],
)
def test_nearest_word(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == f" Did you mean '{hint}'?"


def test_no_nearest_word() -> None:
    assert did_you_mean("zzz", ["per_sample"]) == ""


def test_prices() -> None:
    assert parse_money(3) == Money(3.0, 3.0)
    assert parse_money([0, 3]) == Money(0.0, 3.0)
    assert parse_money((2.5, 2.5)).certain
    assert not parse_money([1.0, 4.0]).certain
    assert parse_money(Money(1.0, 2.0)) == Money(1.0, 2.0)
