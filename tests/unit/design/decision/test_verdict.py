"""The verdict: three decisions that follow from the gain alone, and never contradict it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainworth.design.allocation import ModalityPurchase, NewData, Problem, TaskLimits
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.problem import LinearConstraint
from brainworth.design.decision.verdict import LIKELY, UNLIKELY, Gain, binding, decide
from price_lists import schedule

gains = st.builds(
    Gain,
    mean=st.floats(-1, 1),
    q05=st.floats(-1, 1),
    q95=st.floats(-1, 1),
    probability=st.floats(0, 1),
)


@given(gain=gains, worthwhile=st.floats(0, 0.5))
def test_a_decision_never_contradicts_its_numbers(gain: Gain, worthwhile: float) -> None:
    decision = decide(gain, worthwhile)
    if decision == "collect":
        assert gain.mean >= worthwhile
        assert gain.mean > 0
        assert gain.probability >= LIKELY
    elif decision == "labels_only":
        assert gain.mean <= 0 or gain.probability <= UNLIKELY
    else:
        assert gain.mean > 0
        assert gain.probability > UNLIKELY
        assert gain.mean < worthwhile or gain.probability < LIKELY


@given(gain=gains, worthwhile=st.floats(0, 0.5), more=st.floats(0, 0.5))
def test_a_dearer_threshold_never_speaks_for_recordings(gain: Gain, worthwhile: float, more: float) -> None:
    order = ("labels_only", "toss_up", "collect")
    assert order.index(decide(gain, worthwhile + more)) <= order.index(decide(gain, worthwhile))


def test_a_difference_that_only_its_sign_shows_is_no_reason_to_record() -> None:
    gain = Gain.of(np.full(1000, 7.7e-7), 0.01)
    assert gain.probability == 0.0
    assert decide(gain, 0.01) == "labels_only"


@pytest.mark.parametrize(
    ("mean", "probability", "decision"),
    [
        (0.05, 0.9, "collect"),
        (0.05, 0.4, "toss_up"),
        (0.005, 0.3, "toss_up"),
        (0.05, 0.2, "labels_only"),
        (0.0, 0.9, "labels_only"),
    ],
)
def test_the_three_decisions(mean: float, probability: float, decision: str) -> None:
    assert decide(Gain(mean, -1.0, 1.0, probability), 0.01) == decision


def bought(labels: int, samples: int, people: int) -> NewData:
    return NewData(labels, {"EEG": ModalityPurchase(samples, people, people, samples, 1)})


def problem() -> Problem:
    cost = ModalityCost("EEG", per_sample=schedule("1"), samples_per_session=100)
    limits = ModalityLimits(max_samples=1000, max_subjects=5)
    return Problem(
        TaskCost(schedule("1")),
        ((cost, limits),),
        Decimal(2000),
        TaskLimits(800),
        constraints=(LinearConstraint("ten people", {"EEG.subjects": 1.0}, lower=3.0),),
    )


def test_conditions_that_bind_are_named() -> None:
    free = problem()
    assert binding(free, bought(500, 400, 4), bought(700, 0, 0)) == ()
    assert binding(free, bought(500, 400, 3), bought(700, 0, 0)) == ("ten people",)
    held = binding(free, bought(800, 1000, 5), bought(800, 0, 0))
    assert held == ("task.max_labels = 800", "EEG: max_samples = 1,000", "EEG: max_subjects = 5")
    assert binding(free, bought(500, 400, 4), bought(800, 0, 0)) == ("task.max_labels = 800 (for labels alone)",)
    assert binding(replace(free, constraints=()), bought(500, 400, 3), None) == ()
