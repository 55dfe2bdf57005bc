"""The best plan at other budgets, as a notebook shows it: points, a figure, a table.

Apart from ``overview``, whose figures need Matplotlib.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.summaries import interval
from brainworth.design.decision.records.details import FrontierPoint
from brainworth.design.decision.records.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Frontier(HasCard):
    """The best plan at each of several budgets."""

    of: Plan

    @property
    def points(self) -> list[FrontierPoint]:
        """Budget, purchase and forecast, from the smallest budget to the largest."""
        details = self.of.details
        return [] if details is None else sorted(details.frontier, key=lambda point: point.budget)

    def plot(self) -> Figure:
        """Return a figure: what a budget buys, with labels alone beside it."""
        from brainworth.design.report.overview import frontier_figure

        return frontier_figure(self.of)

    def card(self) -> Card:
        """Return a row for each budget."""
        currency = self.of.cost.currency
        rows = [
            (
                f"{point.budget:,.0f}",
                f"{point.n_task:,}",
                *(f"{point.modalities.get(name, 0):,}" for name in self.of.allocation.modalities),
                interval(point.explainable_r2),
            )
            for point in self.points
        ]
        return Card(
            "What a budget buys", "", (currency, "labels", *self.of.allocation.modalities, "explainable R²"), rows
        )
