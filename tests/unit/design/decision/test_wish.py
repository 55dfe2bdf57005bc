"""Designs of one's own: as people say them, as whole numbers, and the limits that they break."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brainworth.design.allocation import Problem, TaskLimits
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.problem import LinearConstraint
from brainworth.design.common.errors import BadInput
from brainworth.design.decision.wish import Wish, broken, wished
from price_lists import schedule

EEG = ModalityCost("EEG", per_session=schedule("100"), samples_per_session=300)
FMRI = ModalityCost("fMRI", per_sample=schedule("2"))


def problem(**limits: object) -> Problem:
    eeg = ModalityLimits(max_subjects=30, max_sessions_per_subject=2, **limits)  # pyright: ignore[reportArgumentType]
    fmri = ModalityLimits(new_subjects=False, pilot_subjects=4, max_samples=900)
    return Problem(TaskCost(schedule("0.5")), ((EEG, eeg), (FMRI, fmri)), Decimal(5000), TaskLimits(2000))


def test_people_and_sessions_are_recorded_in_full() -> None:
    design = wished(problem(), Wish(500, people={"EEG": 20}, sessions={"EEG": 2}))
    assert design.n_task.tolist() == [500]
    assert design.subjects.tolist() == [[20, 0]]
    assert problem().samples(design).tolist() == [[12_000, 0]]
    assert problem().sessions(design).tolist() == [[40, 0]]
    assert problem().cents(design).tolist() == [100 * (40 * 100 + 250)]
    assert broken(problem(), design) == ()


def test_people_who_see_the_same_are_recorded_as_long() -> None:
    shared = problem(shared_stimuli=True)
    design = wished(shared, Wish(0, people={"EEG": 5}))
    assert shared.samples(design).tolist() == [[1500, 0]]
    assert design.stimuli.tolist() == [[300, 0]]


def test_samples_alone_take_the_fewest_people_that_can_see_them_and_the_pilots_people_return() -> None:
    design = wished(problem(), Wish(10, samples={"EEG": 1500, "fMRI": 400}))
    assert design.subjects.tolist() == [[3, 4]]
    assert problem().samples(design).tolist() == [[1500, 400]]


def test_labels_that_are_not_said_are_what_the_budget_leaves() -> None:
    design = wished(problem(), Wish(people={"EEG": 10}))
    assert design.n_task.tolist() == [2000]
    left = wished(replace(problem(), budget=Decimal(1200)), Wish(people={"EEG": 10}))
    assert left.n_task.tolist() == [400]
    with pytest.raises(BadInput, match="must be said"):
        wished(replace(problem(), budget=None), Wish(people={"EEG": 10}))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(5, people={"MEG": 3}), "no modality 'MEG'. It has EEG, fMRI"),
        (Wish(5, people={"fMRI": 3}), "not how much of each"),
        (Wish(-1), "labels must be at least 0"),
        (Wish(5, people={"EEG": -3}), "people must be at least 0"),
        (Wish(5, samples={"EEG": 3}, repeats={"EEG": 0}), "repeats must be at least 1"),
    ],
)
def test_a_wish_that_cannot_be_understood_is_refused(wish: Wish, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        wished(problem(), wish)


def test_every_limit_that_breaks_is_named_with_its_number() -> None:
    condition = LinearConstraint("few people", {"EEG.subjects": 1.0}, upper=10.0)
    held = replace(problem(), constraints=(condition,))
    design = wished(held, Wish(3000, people={"EEG": 40}, sessions={"EEG": 3}, samples={"fMRI": 1000}))
    said = broken(held, design)
    for expected in (
        "budget.total = 5,000 USD: the design costs 15,500",
        "task.max_labels = 2,000: the design has 3,000 labels",
        "EEG: max_subjects = 30: the design has 40",
        "EEG: max_sessions_per_subject = 2: the design has 3",
        "fMRI: max_samples = 900: the design has 1,000",
    ):
        assert expected in said
    fewer = wished(held, Wish(100, people={"EEG": 20}))
    assert broken(held, fewer) == ("the condition 'few people'",)
