"""Boxes as cells with prices: every affordable design of a box is in a cell of each modality, and within a split of the money."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from brainworth.design.allocation import Problem
from brainworth.design.allocation.bnb.boxes import Bounded, bound, root
from brainworth.design.allocation.bnb.cuts import halves
from brainworth.design.allocation.bnb.spending import CELLS, SPLITS, spending_of
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.prices import Price
from brainworth.design.allocation.problem import Designs
from price_lists import schedule


def problem() -> Problem:
    """Return prices of three modalities: everyone sees others, everyone sees the same, repeats and a set-up."""
    session = {"per_session": schedule(30), "samples_per_session": 60, "per_subject": Price.of(4)}
    others = ModalityCost(name="A", per_sample=schedule(0.5), **session)  # type: ignore[arg-type]
    same = replace(others, name="B", samples_per_session=None)
    dear = replace(others, name="C", setup=Price.of(200), per_sample=schedule(0.2, [(100, 0.1)]))
    limits = ModalityLimits(max_subjects=12, max_sessions_per_subject=4)
    modalities = (
        (others, limits),
        (same, replace(limits, shared_stimuli=True, max_sessions_per_subject=None, max_stimuli=150)),
        (dear, replace(limits, repeats=(1, 3))),
    )
    return Problem(TaskCost(schedule(2)), modalities, Decimal(1500))


def designs_of(made: Problem, seed: int) -> Designs:
    """Return random feasible designs."""
    rng, count = np.random.default_rng(seed), 6000
    stimuli = rng.integers(0, 160, (count, 3)) * rng.integers(0, 2, (count, 3))
    people, repeats = rng.integers(1, 13, (count, 3)), rng.choice([1, 3], (count, 3))
    repeats[:, :2] = 1
    full, feasible = made.complete(Designs.build(np.zeros(count, dtype=np.int64), stimuli, people, repeats))
    return full.take(feasible)


def within(known: Bounded, designs: Designs) -> np.ndarray:
    """Return which designs are in a box (the first)."""
    b, used = known.boxes, designs.stimuli > 0
    position = (designs.repeats > 1).astype(int)
    inside = (designs.stimuli >= b.stimuli_low[0]) & (designs.stimuli <= b.stimuli_high[0])
    people = (designs.subjects >= b.people_low[0]) & (designs.subjects <= b.people_high[0])
    repeats = (position >= b.repeat_low[0]) & (position <= b.repeat_high[0])
    return (inside & (~used | people & repeats)).all(axis=1)


def test_every_design_of_a_box_is_in_its_cells_and_splits() -> None:
    made = problem()
    designs = designs_of(made, 0)
    samples, cents = made.samples(designs), made.modality_cents(designs)
    shared = np.array([False, True, False])
    pending, checked = [root(made)], 0
    for _ in range(120):
        known = bound(made, pending.pop(0))
        rows = np.flatnonzero(within(known, designs))
        if not rows.size or not known.possible[0]:
            continue
        asked, held = spending_of(made, known)
        assert held[0]
        assert asked.price.shape == (1, 1 + CELLS, 3)
        s, q = samples[rows, None], np.maximum(designs.subjects[rows, None], 1)
        used = s > 0
        people = (q >= asked.fewest) & (q <= asked.most)
        patterns = np.where(shared, q <= asked.subjects, q >= asked.subjects)
        repeats = designs.repeats[rows, None] <= asked.repeats
        fits = (s <= asked.samples) & (cents[rows, None] >= asked.price) & (~used | people & patterns & repeats)
        assert fits.any(axis=1).all(), "a design is in no cell"
        spent = cents[rows].sum(axis=1)[:, None]
        assert ((spent <= asked.money) & (designs.n_task[rows, None] <= asked.labels)).any(axis=1).all()
        assert asked.money.shape == (1, SPLITS)
        checked += rows.size
        parts = halves(made, known, people_matter=True)
        pending += [parts.take(slice(i, i + 1)) for i in range(len(parts))]
        if not pending:
            break
    assert checked > 4 * len(designs)


def test_cells_get_finer_with_the_box() -> None:
    """With the people known, all cells are ranges of stimuli."""
    made = problem()
    box = root(made)
    box.people_low[:], box.people_high[:] = 3, 3
    asked, _ = spending_of(made, bound(made, box))
    held = np.isfinite(asked.price[0])
    assert held[1:, 0].sum() > 4
    assert np.all(asked.fewest[0][held] == 3)
    tops = asked.samples[0, 1:, 0][held[1:, 0]]
    assert np.all(np.diff(tops) > 0)
    assert asked.price[0, 0] == pytest.approx(0.0)
