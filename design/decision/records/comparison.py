"""What each modality buys for the same money: the form of what `brainworth compare --json` prints ("brainworth.compare/1")."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.messages import amount
from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records import details as detail


class Robustness(Record):
    """Performance on shifted stimuli."""

    explainable_r2: Summary
    labels_only: Summary
    gain: Summary
    """Error of labels alone over the error of the purchase: above 1, brain data make the model more robust."""


class Trial(Record):
    """A purchase that is looked at where the best one holds no brain data."""

    samples: dict[str, int]
    gain: Summary


class BestPurchase(Record):
    """The best purchase of labels and some of the modalities."""

    n_task: int
    samples: dict[str, int]
    cost: float
    buys_brain_data: bool
    explainable_r2: Summary
    gain: Summary
    """Over labels alone for the same money."""
    r2_per_money: Summary
    probability: float
    """That it gains at least what is worthwhile over labels alone (``Comparison.worthwhile``; on average over studies)."""
    robustness: Robustness
    trial: Trial | None = None
    exchange_rate: Summary | None = None
    """Labels that a sample replaces; of one modality only."""
    break_even_price: Summary | None = None


class BudgetUtilities(Record):
    """Utility at one budget of labels alone, and of the best plan with each modality, by its name."""

    budget: float
    labels_only: float


class Comparison(HasCard, Record):
    """The modalities side by side."""

    schema_: Literal["brainworth.compare/1"] = Field(
        default="brainworth.compare/1", validation_alias="schema", serialization_alias="schema"
    )
    budget: float
    currency: str
    shift: float
    """Variance factor under which robustness is stated."""
    worthwhile: Number = None
    """Gain in explainable R² that the probabilities are of; None in results of earlier versions, where any gain counted."""
    labels_only: detail.LabelsOnly
    modalities: dict[str, BestPurchase]
    together: BestPurchase
    frontier: list[BudgetUtilities]
    curves: dict[str, list[detail.BudgetPoint]]
    order_changes: list[detail.OrderChange]

    @property
    def entries(self) -> dict[str, BestPurchase]:
        """The modalities and, if there are several, all together."""
        return self.modalities | ({"all together": self.together} if len(self.modalities) > 1 else {})

    def card(self) -> Card:
        """Return a row for each modality, and for all together."""
        rows = [
            (
                name,
                ", ".join(f"{count:,} {what}" for what, count in {"labels": entry.n_task, **entry.samples}.items()),
                f"{entry.explainable_r2.mean:.3f}",
                f"{entry.probability:.0%}",
            )
            for name, entry in self.entries.items()
        ]
        enough = f"gains at least {self.worthwhile:g}" if self.worthwhile else "beats labels alone"
        title = f"What each modality buys for {amount(self.budget, self.currency)}"
        return Card(title, "", ("", "best purchase", "explainable R²", enough), rows)

    def rows(self) -> list[detail.Compared]:
        """Return the rows of the report's table."""
        return [
            detail.Compared.model_validate(
                {
                    "name": name,
                    "buys": {"labels": entry.n_task, **entry.samples},
                    "explainable_r2": entry.explainable_r2,
                    "r2_per_money": entry.r2_per_money,
                    "exchange": entry.exchange_rate,
                    "break_even": entry.break_even_price,
                    "probability_worthwhile" if self.worthwhile else "probability_worth_it": entry.probability,
                    "robustness_under_shift": entry.robustness.gain,
                }
            )
            for name, entry in self.entries.items()
        ]

    def details(self) -> detail.ComparisonCurves:
        """Return what the report draws and says beside the table."""
        return detail.ComparisonCurves(
            budget=self.budget,
            shift=self.shift,
            labels_only=self.labels_only,
            curves=self.curves,
            order_changes=self.order_changes,
        )
