"""What an allocation says: the plan, its bill, its certificate, and what surrounds it.

In: whole-number designs and performance over draws. Out: plain records for the plan file and the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.allocation.bnb.certify import Proof
from brainworth.design.allocation.costs import Bill


@dataclass(frozen=True)
class ModalityPurchase:
    """What is bought of one modality."""

    n_samples: int
    """Recorded samples, before loss."""
    subjects: int
    sessions: int
    stimuli: int
    """Different stimuli shown."""
    repeats: int


@dataclass(frozen=True)
class NewData:
    """NEW samples to buy."""

    n_task: int
    modalities: dict[str, ModalityPurchase]

    @property
    def holds_brain_data(self) -> bool:
        """Whether any brain sample is bought."""
        return any(m.n_samples > 0 for m in self.modalities.values())


@dataclass(frozen=True)
class Purchased:
    """One purchase with its bill and its performance over posterior draws."""

    allocation: NewData
    bill: Bill
    utility: float
    values: Float[np.ndarray, " draw"]
    """Explainable R^2 per draw, at pilot + new, as the utility is taken of it."""
    expected: Float[np.ndarray, " draw"]
    """The same on average over studies of this size: what varies is what is not known of the parameters."""
    outcomes: Float[np.ndarray, " study"]
    """The same as single studies read it off."""

    @property
    def mean(self) -> float:
        """Expected explainable R^2."""
        return float(self.expected.mean())


@dataclass(frozen=True)
class SimpleRule:
    """A simple rule at the same budget."""

    plan: Purchased
    regret: float
    """Utility lost against the plan."""
    also: tuple[str, ...] = ()
    """Other rules that buy the same here."""


@dataclass(frozen=True)
class Rival:
    """What brain data gain over labels alone at the same cost, on average over studies, draw by draw."""

    plan: Purchased | None
    """The plan itself if it holds brain data, else the best design met that does; None if none can be bought."""
    gain: Float[np.ndarray, " draw"]
    """Explainable R^2 above that of labels alone."""

    def probability(self, worthwhile: float) -> float:
        """Return the share of draws in which the gain is at least ``worthwhile``."""
        return float((self.gain >= worthwhile).mean())


@dataclass(frozen=True)
class NearOptimalRanges:
    """Ranges of the allocations met whose utility is within a tolerance of the plan's; wider ones may exist."""

    tolerance: float
    """Relative to the plan's utility."""
    n_task: tuple[int, int]
    modalities: dict[str, tuple[int, int]]
    """Samples."""


@dataclass(frozen=True)
class PerDraw:
    """The allocation that would be best if a draw were the truth, among the designs evaluated."""

    n_task: Int[np.ndarray, " draw"]
    samples: dict[str, Int[np.ndarray, " draw"]]
    regret: Float[np.ndarray, " draw"]
    """What not knowing the truth costs: best value under the draw minus the plan's."""


@dataclass(frozen=True)
class SharePurchase:
    """The best design found that spends about a share of the budget on brain data."""

    share: float
    """What it really spends."""
    plan: Purchased


@dataclass(frozen=True)
class FrontierPurchase:
    """The best design found at one budget."""

    budget: Decimal
    plan: Purchased
    task_only: Purchased | None


@dataclass(frozen=True)
class AllocationResult:
    """The plan and all that surrounds it."""

    plan: Purchased
    certificate: Proof
    alternatives: dict[str, SimpleRule]
    """``task_only`` and other simple rules; absent if the limits forbid it, or if another one (``also``) buys the same."""
    rival: Rival
    """The brain data that labels alone are compared with."""
    near_optimal: NearOptimalRanges
    per_draw: PerDraw
    share_curve: tuple[SharePurchase, ...]
    frontier: tuple[FrontierPurchase, ...]
    marginal_value: float
    """Utility per currency unit, between 95 % and 105 % of the budget."""
    cost_spread: dict[str, float]
    """``mean, q05, q50, q95`` of the bill under uncertain prices; the plan is charged the upper ends."""
    assumptions: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0
    """Designs evaluated on all draws."""
    others: tuple[Purchased, ...] = ()
    """Other splits of the budget that the formula cannot tell from the plan; none for a target without a budget."""
