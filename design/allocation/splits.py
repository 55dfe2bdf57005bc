"""Other splits of the budget: a few purchases that really differ from the plan and that the formula cannot tell from it.

In: a finished search and its plan. Out: at most ``MOST`` purchases, the best by the formula first. Of every other set of
modalities the best purchase met is looked at, and of the plan's own set the best that spends about half, and about twice, as
much on brain data. Labels alone are not among them: they are compared with every plan anyway.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from brainworth.design.allocation.describe import design_of, plans
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs
from brainworth.design.allocation.result import Purchased
from brainworth.design.allocation.search import Search

FORMULA_ERROR = 0.02
"""Explainable R^2 by which the formula may misjudge one purchase against another.

Trained learners reach about that much less than the formula says, because they do not know the parameters (THEORY section 9), and
how much less depends on the purchase. What the formula puts further below the plan is not rehearsed.
"""
MOST = 3
"""Other splits that are kept."""
_LESS, _MORE = (0.35, 0.65), (1.6, 2.6)
"""Brain money in multiples of the plan's that counts as about half and about twice."""
_MOVED = 0.05
"""Share of the budget that must be spent on something else: other splits are no near copies of the plan."""


def other_splits(search: Search, evaluator: Evaluator, plan: Purchased) -> tuple[Purchased, ...]:
    """Return purchases within the budget that differ from the plan and are within the formula's error of it."""
    designs, _, utilities = search.pool.stacked()
    best = [
        int(kind[utilities[kind].argmax()]) for kind in map(np.flatnonzero, _kinds(search, designs, plan)) if kind.size
    ]
    if not best:
        return ()
    found = plans(search.problem, evaluator, designs.take(np.array(best)))
    # Were it underrated by the error in every study, it would be as good as the plan: this holds for every utility.
    close = [one for one in found if float(evaluator.utility(one.values + FORMULA_ERROR)) >= plan.utility]
    return tuple(sorted(close, key=lambda one: -one.utility)[:MOST])


def _kinds(search: Search, designs: Designs, plan: Purchased) -> list[Bool[np.ndarray, " design"]]:
    """Return which designs are of each kind that differs from the plan."""
    own = design_of(search.problem, plan.allocation)
    money, mine = search.problem.modality_cents(designs), search.problem.modality_cents(own)[0]
    whole = max(1, search.problem.budget_cents)
    more, less = np.maximum(money - mine, 0).sum(axis=1), np.maximum(mine - money, 0).sum(axis=1)
    far = np.maximum(more, less) >= _MOVED * whole
    held, mine_held = designs.stimuli > 0, own.stimuli[0] > 0
    sets = np.unique(held[held.any(axis=1)], axis=0)
    kinds = [far & (held == one).all(axis=1) for one in sets if not np.array_equal(one, mine_held)]
    if mine.sum() > 0:
        same, times = far & (held == mine_held).all(axis=1), money.sum(axis=1) / mine.sum()
        kinds += [same & (times >= low) & (times <= high) for low, high in (_LESS, _MORE)]
    return kinds
