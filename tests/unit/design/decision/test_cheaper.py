"""A purchase that is nearly as good for less money: checked against every purchase there is on a surface in closed form."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brainworth.design.allocation import AllocationOptions, Problem, allocate
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs
from brainworth.design.allocation.result import Purchased
from brainworth.design.decision.cheaper import LEAST_SAVED, cheaper
from brainworth.design.decision.wording import cheaper_sentence
from price_lists import schedule
from toy_surfaces import ToySurface

QUICK = AllocationOptions(search_draws=20, starts=2, share_points=0, frontier_factors=(), program=False)
WORTHWHILE = 0.01


def surface(many: float) -> ToySurface:
    """Half of the task is learned with ``many`` labels; with brain data half of it needs a tenth of them."""
    toy = ToySurface.random(np.random.default_rng(3), 1, 40, scale=300.0)
    return replace(
        toy, aligned=np.full(40, 0.5), few=np.full(40, many / 10), many=np.full(40, many), threshold=np.zeros((40, 1)),
        half=np.full((40, 1), 100.0),
    )  # fmt: skip


def problem(budget: int, per_sample: float = 0.5) -> Problem:
    eeg = ModalityCost(name="A", per_sample=schedule(per_sample)), ModalityLimits(max_subjects=1)
    return Problem(task=TaskCost(schedule(2)), modalities=(eeg,), budget=Decimal(budget))


def solved(budget: int, many: float, per_sample: float = 0.5) -> tuple[Problem, ToySurface, Purchased]:
    asked, toy = problem(budget, per_sample), surface(many)
    return asked, toy, allocate(asked, toy, QUICK).plan


@pytest.mark.parametrize("per_sample", [0.5, 500.0])
def test_it_is_nearly_the_cheapest_that_is_nearly_as_good(per_sample: float) -> None:
    asked, toy, plan = solved(20_000, 60.0, per_sample)
    assert plan.allocation.holds_brain_data == (per_sample < 1)
    found = cheaper(asked, toy, plan, WORTHWHILE)
    assert found is not None
    assert found.loss <= WORTHWHILE
    assert found.loss == pytest.approx(plan.mean - found.purchase.mean)
    # Every mix of labels and samples on a fine grid, priced and valued directly.
    labels, samples = (
        grid.ravel() for grid in np.meshgrid(np.arange(0, 10_000, 10), np.arange(0, 4000, 25) * (per_sample < 1))
    )
    money = 2.0 * labels + per_sample * samples
    inside = money <= 20_000
    stimuli = samples[inside][:, None]
    designs = Designs.build(labels[inside], stimuli, np.ones_like(stimuli), np.ones_like(stimuli))
    reached = Evaluator(toy, asked.utility).expected(asked.purchase(designs)).mean(axis=1)
    least = money[inside][reached >= plan.mean - WORTHWHILE].min()
    assert float(found.purchase.bill.total) <= 1.02 * least + 0.01 * float(plan.bill.total)
    assert found.purchase.allocation.holds_brain_data <= plan.allocation.holds_brain_data


def test_where_every_label_counts_nothing_is_named() -> None:
    assert cheaper(*solved(2_000, 3_000.0), WORTHWHILE) is None


def test_a_purchase_that_hardly_saves_is_not_named() -> None:
    asked, toy, plan = solved(20_000, 60.0)
    found = cheaper(asked, toy, plan, WORTHWHILE)
    assert found is not None
    assert float(found.purchase.bill.total) <= (1.0 - LEAST_SAVED) * float(plan.bill.total)
    assert cheaper(asked, toy, plan, 1e-6) is None


def test_without_a_budget_or_anything_worthwhile_there_is_none() -> None:
    asked, toy, plan = solved(20_000, 60.0)
    assert cheaper(replace(asked, budget=None, target=0.5), toy, plan, WORTHWHILE) is None
    assert cheaper(asked, toy, plan, 0.0) is None


def test_the_sentence_says_what_it_buys_costs_and_gives_up() -> None:
    row = SimpleNamespace(n_samples=600, subjects=2, sessions=4)
    bought = SimpleNamespace(n_task=50, modalities={"EEG": row})
    found: Any = SimpleNamespace(
        purchase=SimpleNamespace(allocation=bought, bill=SimpleNamespace(total=1_250)), loss=0.0061
    )
    bill: Any = SimpleNamespace(total=5_000)
    said = cheaper_sentence(found, bill, "EUR")
    assert said == (
        "Nearly as good for 25% of the money: 600 EEG samples (2 people, 4 sessions) and 50 labels for 1,250 EUR give up 0.006 "
        "of expected explainable R²."
    )
