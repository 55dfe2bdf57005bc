"""The contest of splits: another split of the budget takes the plan's place only if rehearsals clearly prefer it.

In: the study's utility, and what purchases reached in the same simulated worlds. Out: which of them are still in question, and what
each other split is worth against the plan, with a standard error. Nothing is known here of the formula: it only named them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.performance.utilities import Mean, Utility

CLEAR = 2.5
"""Standard errors of the paired difference by which a split must be better: three that are as good as the plan pass for better
in at most 2 % of all plans."""
NEGLIGIBLE = 0.01
"""Relative to the plan's utility: purchases this close count as equally good (``near_optimal``)."""
FEWEST = 32
"""Rehearsals that must be allowed for splits to contend: with fewer, standard errors are too uncertain themselves."""
_HOPE = 1.0
"""A split is dropped once it does not gain more than a negligible amount even so many standard errors above what was seen."""
_KEPT = (2, 1)
"""Splits that are kept at the first look and later: each costs as much as the plan."""
_RESAMPLES = 400


@dataclass(frozen=True)
class Difference:
    """What one purchase is worth against another, in the study's utility, over the worlds in which both were rehearsed."""

    mean: float
    se: float

    @classmethod
    def of(
        cls,
        utility: Utility,
        reached: Float[np.ndarray, "two world"],
        formula: Float[np.ndarray, "two draw"],
        rows: Int[np.ndarray, " world"],
    ) -> Difference:
        """Return the difference of two purchases, first less second; its error is that of a bootstrap over worlds.

        The formula has a difference for the same worlds and one for all draws. How far these two are apart is the luck of the draws
        that worlds were made from, and is taken off where that lowers the error (it halves it where the mean is the utility).

        Parameters
        ----------
        utility : Utility
            Of the study.
        reached : (two, world)
            Explainable R^2 of both purchases.
        formula : (two, draw)
            What the formula says of them, on average over studies.
        rows : (world,)
            The posterior draw of each world.
        """
        n = len(rows)
        drawn = np.random.default_rng(n).integers(0, n, (_RESAMPLES, n))
        there = formula[:, rows]
        plain, luck = _apart(utility, reached), _apart(utility, there) - _apart(utility, formula)
        spread = _apart(utility, reached[:, drawn])
        errors = np.std([spread, spread - _apart(utility, there[:, drawn])], axis=1) * np.sqrt(n / max(n - 1, 1))
        corrected = bool(errors[1] < errors[0])
        return cls(float(plain - luck if corrected else plain), float(errors[int(corrected)]))

    def clear(self, least: float) -> bool:
        """Return whether the first purchase is better beyond chance, and by more than what is negligible."""
        return self.mean > max(CLEAR * self.se, least)


def _apart(utility: Utility, values: Float[np.ndarray, "two *resample world"]) -> Float[np.ndarray, "*resample"]:
    return utility(values[0]) - utility(values[1])


@dataclass(frozen=True)
class SplitContest:
    """Which splits may still take the plan's place, while rehearsals go on."""

    utility: Utility
    plan: int
    """Row of the formula's plan."""
    others: tuple[int, ...]
    """Rows of the splits that contend with it."""
    formula: Float[np.ndarray, "purchase draw"]
    """What the formula says of every purchase, on average over studies."""
    rows: Int[np.ndarray, " world"]
    """The posterior draw of every world that may be rehearsed."""

    def difference(self, row: int, reached: Float[np.ndarray, "purchase world"]) -> Difference:
        """Return what one purchase is worth against the plan, over the worlds in which it was rehearsed."""
        n, pair = int(np.isfinite(reached[row]).sum()), [row, self.plan]
        return Difference.of(self.utility, reached[pair, :n], self.formula[pair], self.rows[:n])

    def mean(self, row: int, reached: Float[np.ndarray, "purchase world"]) -> float:
        """Return the mean explainable R^2 of a purchase as rehearsals correct it, so that means differ as the purchases do."""
        asked, plan = int(np.isfinite(reached[self.plan]).sum()), self.formula[self.plan]
        level = float(plan.mean() + (reached[self.plan, :asked] - plan[self.rows[:asked]]).mean())
        if row == self.plan:
            return level
        n, pair = int(np.isfinite(reached[row]).sum()), [row, self.plan]
        return level + Difference.of(Mean(), reached[pair, :n], self.formula[pair], self.rows[:n]).mean

    def least(self, reached: Float[np.ndarray, "purchase world"]) -> float:
        """Return the difference that does not matter."""
        return NEGLIGIBLE * abs(float(self.utility(reached[self.plan])))

    def still_there(self, reached: Float[np.ndarray, "purchase world"]) -> dict[int, Difference]:
        """Return the difference of every contender that was not dropped; the last value of one that was is no number."""
        return {row: self.difference(row, reached) for row in self.others if np.isfinite(reached[row]).all()}

    def winner(self, reached: Float[np.ndarray, "purchase world"]) -> int | None:
        """Return which contender is clearly better than the plan, the best if several are; None if none is."""
        found, least = self.still_there(reached), self.least(reached)
        clear = [row for row, one in found.items() if one.clear(least)]
        return max(clear, key=lambda row: found[row].mean, default=None)

    def __call__(self, reached: Float[np.ndarray, "purchase world"]) -> Sequence[int]:
        """Return the best of the contenders that may still turn out clearly better."""
        found = self.still_there(reached)
        hopeful = [row for row, one in found.items() if one.mean + _HOPE * one.se > self.least(reached)]
        early = reached.shape[1] <= len(self.rows) // 4
        return sorted(hopeful, key=lambda row: -found[row].mean)[: _KEPT[0] if early else _KEPT[1]]
