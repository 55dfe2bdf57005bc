"""What figures and tables are drawn from: the form of `details.json` ("brainworth.details/1")."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.controls import Controls
from brainworth.design.decision.records.findings import InformationValue, Regime, Sensitivity
from brainworth.design.decision.records.performance_table import PerformanceTable
from brainworth.design.decision.records.update import Update

Price = float | list[float] | None
"""One price, or the two ends of its 90 % interval."""


def upper_end(price: Price) -> float:
    """Return the upper end of a price, which plans are charged; 0 for none."""
    if isinstance(price, list):
        return max(price, default=0.0)
    return price or 0.0


class ModalityPrices(Record):
    """Prices of one modality, in the study's currency."""

    per_sample: Price = None
    per_session: Price = None
    samples_per_session: int | None = None
    per_subject: Price = None
    setup: Price = None
    per_hour: Price = None
    hours_per_session: Number = None
    billing_quantum_minutes: int | None = None
    cancellation: Number = None
    attrition: Number = None
    usable_fraction: Number = None


class Prices(Record):
    """Prices of labels and of every modality."""

    task: Price = None
    modalities: dict[str, ModalityPrices] = Field(default_factory=dict)


class FrontierPoint(Record):
    """The best plan at one budget."""

    budget: float
    n_task: int
    modalities: dict[str, int] = Field(default_factory=dict)
    explainable_r2: Summary
    task_only: Summary | None = None


class SharePoint(Record):
    """The best plan that spends one share of the budget on brain data."""

    brain_share: float
    n_task: int | None = None
    modalities: dict[str, int] = Field(default_factory=dict)
    explainable_r2: Summary


class LearningCurve(Record):
    """Performance against labels at one amount of brain data."""

    label: str
    explainable_r2: list[Summary]


class LearningSurface(Record):
    """Explainable R² over brain samples (rows) and labels (columns of the same grid as the curves)."""

    n_brain: list[float]
    mean: list[list[Number]]
    q05: list[list[Number]]
    q95: list[list[Number]]


class Learning(Record):
    """Learning curves on one grid of new labels, and the surface over labels and brain samples."""

    n_task_grid: list[int]
    curves: list[LearningCurve] = Field(default_factory=list)
    surface: LearningSurface | None = None
    samples: dict[str, int] = Field(default_factory=dict)
    """The brain samples that the surface multiplies."""

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        surface = self.surface
        if surface is not None:
            for grid in (surface.mean, surface.q05, surface.q95):
                if [len(row) for row in grid] != [len(self.n_task_grid)] * len(surface.n_brain):
                    raise ValueError("a learning surface must have one row per n_brain and one column per n_task_grid")
        return self


class ExchangePoint(Record):
    """Labels that `n_brain` samples are worth."""

    n_brain: float
    equivalent_labels: Summary


class Compared(Record):
    """What one modality buys."""

    name: str


class BudgetPoint(Record):
    """Performance at one budget."""

    budget: float
    explainable_r2: Summary


class OrderChange(Record):
    """The budget at which one modality overtakes another."""

    budget: float
    below: str
    above: str


class LabelsOnly(Record):
    """What labels alone reach at the budget."""

    n_task: int
    explainable_r2: Summary


class ComparisonCurves(Record):
    """What the modalities reach over budgets, alone and together."""

    budget: Number = None
    shift: Number = None
    labels_only: LabelsOnly | None = None
    curves: dict[str, list[BudgetPoint]] = Field(default_factory=dict)
    order_changes: list[OrderChange] = Field(default_factory=list)


class PlanObjective(Record):
    """What the plan makes as large as it can."""

    utility: str = "mean"
    level: Number = None
    target: Number = None
    stimuli: str = ""
    """Which test stimuli every performance is for; empty if they are of the pilot's kind."""


class Assumption(Record):
    """One assumption in plain words."""

    text: str
    checkable: bool = False
    checked: str | None = None


class PilotModality(Record):
    """Recordings the pilot holds."""

    n_samples: Number = None
    subjects: int | None = None
    channels: Number = None
    stimuli: Number = None


class PilotSummary(Record):
    """What the pilot holds."""

    n_task: Number = None
    """Labels, repeated ones counted by what they are worth."""
    labels: int | None = None
    """Labels, every rating counted."""
    modalities: dict[str, PilotModality] = Field(default_factory=dict)
    reused: bool = False
    """Whether it also trains the final model."""


class PlanTask(Record):
    """The task to be learned."""

    kind: str = "regression"
    cost_per_label: Price = None


class FirstRound(Record):
    """What is bought first."""

    share: float
    n_task: int
    modalities: dict[str, int] = Field(default_factory=dict)


class RehearsedSplit(Record):
    """A split of the budget that was rehearsed."""

    n_task: int
    modalities: dict[str, int] = Field(default_factory=dict)
    """Samples."""
    subjects: dict[str, int] = Field(default_factory=dict)
    cost: float
    n: int
    """Rehearsals; fewer than the plan's if this split soon was unlikely to be clearly better."""
    explainable_r2: float
    """Mean of single studies, as rehearsals correct it."""
    difference: Number = None
    """Against the best by the formula in the study's utility, over the rehearsals of both; None for that one itself."""
    se: Number = None
    """Monte Carlo standard error of the difference."""
    planned: bool = False
    """Whether it is what is planned."""


class RehearsedSplits(Record):
    """Splits that the formula cannot tell from its best one, rehearsed in the same worlds."""

    formula: RehearsedSplit
    """The best by the formula."""
    others: list[RehearsedSplit]


class RoundsGain(Record):
    """What buying in rounds gains over buying at once."""

    rounds: int
    sentence: str
    first: FirstRound | None = None
    expected: Number = None
    one_round: Number = None
    gain: Number = None
    standard_error: Number = None
    perfect_information: Number = None


class Details(Record):
    """`details.json`."""

    schema_: Literal["brainworth.details/1"] = Field(
        default="brainworth.details/1", validation_alias="schema", serialization_alias="schema"
    )
    title: str = ""
    forced: bool = False
    objective: PlanObjective | None = None
    task: PlanTask | None = None
    currency: str = ""
    budget: Number = None
    pilot: PilotSummary | None = None
    prices: Prices | None = None
    frontier: list[FrontierPoint]
    share_curve: list[SharePoint]
    learning: Learning | None = None
    exchange_curve: dict[str, list[ExchangePoint]] = Field(default_factory=dict)
    posterior_draws: dict[str, list[Number]] = Field(default_factory=dict)
    prior_draws: dict[str, list[Number]] = Field(default_factory=dict)
    regime: Regime | None = None
    sensitivity: Sensitivity | None = None
    voi: InformationValue | None = None
    compare: list[Compared] = Field(default_factory=list)
    comparison: ComparisonCurves | None = None
    controls: Controls | None = None
    update: Update | None = None
    """What had come in since an earlier plan, if this is the next one."""
    assumptions: list[Assumption] = Field(default_factory=list)
    marginal_value: Number = None
    """Utility per unit of money, near the budget."""
    cost_spread: Summary | None = None
    """The plan's cost under uncertain prices."""
    rounds: RoundsGain | None = None
    rehearsed_splits: RehearsedSplits | None = None
    """Other splits that might have been planned, if any were rehearsed."""
    performance_table: PerformanceTable | None = None
    """What the planner in the report searches."""
    methods: list[str] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
