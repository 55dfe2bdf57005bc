"""What a plan says about what it is for: objective, stimuli, proof."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from brainworth.design.decision.verdict import Decision, Gain
from brainworth.design.decision.wording import Judged, aimed_at, stimuli_planned_for, verdict_sentence
from brainworth.design.study_file.aim import Objective


@pytest.mark.parametrize(
    ("aim", "said"),
    [
        ({}, ""),
        ({"shift": 2.0}, "2 times the pilot's"),
        ({"shifts": [1.0]}, ""),
        ({"shifts": [0.5, 1.0, 2.0]}, "0.5, 1 or 2 times the pilot's, whichever is worst"),
    ],
)
def test_shifted_stimuli_are_named_and_others_are_not(aim: dict[str, Any], said: str) -> None:
    sentence = stimuli_planned_for(Objective(**aim))
    assert sentence.endswith(said)
    assert bool(sentence) == bool(said)


@pytest.mark.parametrize(
    ("aim", "budgeted", "said"),
    [
        ({}, True, "maximises expected explainable R²"),
        ({"utility": "quantile", "level": 0.2}, True, "the 20% quantile"),
        ({"utility": "cvar", "level": 0.1}, True, "the worst 10%"),
        ({"utility": "probability", "target": 0.6}, True, "the probability that explainable R² reaches 0.6"),
        (
            {"target": 0.6, "confidence": 0.95},
            False,
            "cheapest that reaches an explainable R² of 0.6 with probability 95%",
        ),
    ],
)
def test_every_objective_is_named(aim: dict[str, Any], budgeted: bool, said: str) -> None:
    assert said in aimed_at(Objective(**aim), budgeted=budgeted)


def result(*, brain: bool, rival: bool = True) -> Any:
    row = SimpleNamespace(n_samples=600 * brain, subjects=2, sessions=4)
    bill = SimpleNamespace(total=100, modalities={"EEG": 60})
    plan = SimpleNamespace(
        allocation=SimpleNamespace(holds_brain_data=brain, n_task=50, modalities={"EEG": row}), bill=bill
    )
    other = SimpleNamespace(
        allocation=SimpleNamespace(
            n_task=20, modalities={"EEG": SimpleNamespace(n_samples=300, subjects=1, sessions=1)}
        )
    )
    return SimpleNamespace(plan=plan, rival=SimpleNamespace(plan=(plan if brain else other) if rival else None))


def judged(decision: Decision, mean: float, probability: float, **more: Any) -> Judged:
    return Judged(decision, Gain(mean, -0.1, 0.2, probability), 0.01, more.pop("binding", ()), "EUR", **more)


@pytest.mark.parametrize(
    ("decision", "brain", "first", "also"),
    [
        (
            "collect",
            True,
            "Collect brain data: buy 600 EEG samples (2 people, 4 sessions) and 50 labels for 100 EUR.",
            "+0.050",
        ),
        ("toss_up", True, "Toss-up: the plan buys 600 EEG samples", "60 EUR of it for recordings"),
        ("labels_only", True, "Labels alone do as well or better: the plan buys", "Against labels alone"),
        (
            "labels_only",
            False,
            "Do not collect brain data: buy 50 labels for 100 EUR.",
            "300 EEG samples (1 person, 1 session)",
        ),
        ("toss_up", False, "Toss-up: the plan buys 50 labels", "would gain +0.050"),
    ],
)
def test_the_verdict_begins_with_the_decision(decision: Decision, brain: bool, first: str, also: str) -> None:
    sentence = verdict_sentence(result(brain=brain), judged(decision, 0.05, 0.4))
    assert sentence.startswith(first)
    assert also in sentence
    assert "at least 0.01 with probability 40%" in sentence


def test_a_verdict_without_anything_to_buy_says_so() -> None:
    sentence = verdict_sentence(result(brain=False, rival=False), judged("labels_only", 0.0, 0.0))
    assert sentence.endswith("No brain data can be bought within the limits.")


def test_conditions_that_bind_are_part_of_the_verdict() -> None:
    sentence = verdict_sentence(result(brain=True), judged("labels_only", -0.02, 0.0, binding=("twenty people",)))
    assert sentence.endswith("These conditions of the study bind: twenty people.")
    assert "-0.020 in explainable R²" in sentence


def test_the_verdict_names_the_stimuli_it_is_for() -> None:
    stimuli = stimuli_planned_for(Objective(shift=2.0))
    plain = verdict_sentence(result(brain=True), judged("collect", 0.05, 0.6))
    shifted = verdict_sentence(result(brain=True), judged("collect", 0.05, 0.6, stimuli=stimuli))
    assert stimuli in shifted
    assert shifted.replace(f" on {stimuli}", "") == plain
