"""What a plan says about what it is for: objective, stimuli, proof."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from brainworth.design.decision.wording import aimed_at, stimuli_planned_for, verdict_sentence
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


def test_the_verdict_names_the_stimuli_it_is_for() -> None:
    bill, allocation = SimpleNamespace(total=100), SimpleNamespace(holds_brain_data=False, n_task=50, modalities={})
    result: Any = SimpleNamespace(plan=SimpleNamespace(allocation=allocation, bill=bill), probability_brain_worth=0.3)
    plain = verdict_sentence(result, "EUR")
    shifted = verdict_sentence(result, "EUR", stimuli_planned_for(Objective(shift=2.0)))
    assert plain.endswith("at the same budget is 30%.")
    assert shifted.endswith("at the same budget, on test stimuli whose variance outside of the brain's latents is 2 times the "
                            "pilot's, is 30%.")  # fmt: skip
