"""Rounds and worst cases: what learning between rounds can and cannot gain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brainworth.design.allocation import AllocationOptions, Problem, allocate
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.rounds import RoundsOptions, plan_rounds
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.decision.round_plan import rounds_record
from price_lists import schedule
from toy_surfaces import ToyPeopleSurface, ToySurface
from worst_case import WorstCase

PROBLEM = Problem(
    TaskCost(schedule(1)), ((ModalityCost("A", schedule(1)), ModalityLimits(max_subjects=1)),), Decimal(2000)
)


def undecided(n_draws: int = 80) -> ToySurface:
    """Half of the draws say that the brain carries the whole task, half that it carries nothing."""
    plain = ToySurface.random(np.random.default_rng(0), 1, n_draws, scale=500.0)
    aligned = np.where(np.arange(n_draws) % 2 == 0, 0.95, 0.02)
    ones = np.ones(n_draws)
    return replace(
        plain,
        aligned=aligned,
        few=20 * ones,
        many=2000 * ones,
        threshold=np.zeros((n_draws, 1)),
        half=400 * ones[:, None],
    )


def test_learning_pays_where_the_draws_disagree() -> None:
    found = plan_rounds(PROBLEM, undecided(), RoundsOptions(draws=80))
    assert found.gain > 3 * found.standard_error > 0
    assert found.gain <= found.perfect_information + 1e-12
    assert found.expected == pytest.approx(found.one_round + found.gain)
    assert 0 < found.first_share < 0.6
    assert found.first.holds_brain_data


def test_nothing_is_learned_where_the_draws_agree() -> None:
    certain = replace(undecided(), aligned=np.full(80, 0.9))
    found = plan_rounds(PROBLEM, certain, RoundsOptions(draws=80))
    assert found.perfect_information == pytest.approx(0.0, abs=1e-9)
    assert found.gain <= 1e-9


def test_labels_too_noisy_to_show_anything_teach_less() -> None:
    clear = plan_rounds(PROBLEM, undecided(), RoundsOptions(draws=80, first_shares=(0.3,)))
    noisy = plan_rounds(PROBLEM, undecided(), RoundsOptions(draws=80, first_shares=(0.3,), reliability=0.002))
    assert noisy.gain < clear.gain - 2 * clear.standard_error


def test_what_is_seen_on_the_way_decides_what_is_learned() -> None:
    """The final performance disagrees; a first round that shows the same under every draw teaches nothing."""
    alike = replace(undecided(), aligned=np.full(80, 0.5))
    options = RoundsOptions(draws=80, first_shares=(0.3,))
    blind = plan_rounds(PROBLEM, undecided(), options, alike)
    assert blind.gain <= 1e-9 < plan_rounds(PROBLEM, undecided(), options).gain
    assert blind.perfect_information > 0.01


def test_three_rounds_stay_below_perfect_information() -> None:
    found = plan_rounds(PROBLEM, undecided(), RoundsOptions(draws=80, rounds=3, first_shares=(0.15,)))
    assert 0 < found.gain <= found.perfect_information + 1e-12


def test_what_cannot_be_split_is_said() -> None:
    with pytest.raises(BadInput, match="rounds"):
        plan_rounds(PROBLEM, undecided(), RoundsOptions(rounds=4))
    with pytest.raises(Infeasible, match="too small"):
        plan_rounds(replace(PROBLEM, budget=Decimal(1)), undecided(), RoundsOptions())


def test_worst_case_is_below_every_surface_and_certified() -> None:
    rng = np.random.default_rng(1)
    plain = undecided(40)
    surfaces = [
        ToyPeopleSurface.of(replace(plain, many=plain.many * f), rng, spread=0.3, most=4) for f in (0.5, 1.0, 3.0)
    ]
    worst = WorstCase(tuple(surfaces))
    options = AllocationOptions(frontier_factors=(), share_points=0, program=False, search_draws=20)
    result = allocate(PROBLEM, worst, options)
    assert result.certificate.gap <= 1e-3
    for surface in surfaces:
        assert allocate(PROBLEM, surface, options).certificate.bound >= result.plan.utility
    with pytest.raises(BadInput, match="same modalities"):
        WorstCase((surfaces[0], ToyPeopleSurface.of(undecided(38), rng, spread=0.3, most=4)))


def test_what_rounds_gain_is_said_with_its_error() -> None:
    posterior: Any = SimpleNamespace(
        draws=SimpleNamespace(
            people=np.ones((80, 1, 1)),
        ),
        explained_share=np.full(80, 2.0 / 3.0),
        pilot=SimpleNamespace(labels=50.0),
        seed=0,
        surface=undecided,
        surface_unshifted=undecided,
    )
    found = rounds_record(PROBLEM, posterior, 2)
    assert found["gain"] > 2 * found["standard_error"] > 0
    assert found["expected"] == pytest.approx(found["one_round"] + found["gain"])
    for words in (
        "2 rounds",
        "A samples",
        f"{found['gain']:+.4f}",
        "gains over",
        f"error {found['standard_error']:.4f}",
    ):
        assert words in found["sentence"]
    small = rounds_record(replace(PROBLEM, budget=Decimal(1)), posterior, 2)
    assert "too small" in small["sentence"]
    posterior.surface, posterior.draws.people = lambda: undecided(1), np.ones((1, 1, 1))
    assert "Nothing is uncertain" in rounds_record(PROBLEM, posterior, 3)["sentence"]
