"""What figures and tables are drawn from: the form of `details.json` ("brainworth.details/1")."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.controls import Controls

Price = float | list[float] | None
"""One price, or the two ends of its 90 % interval."""


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


class RegimeMap(Record):
    """What brain data gain, ``gain[i][j]`` in explainable R², at one label noise."""

    label_noise: float
    share: list[list[Number]] = Field(default_factory=list)
    gain: list[list[Number]]


class Regime(Record):
    """Where brain data pay, ``[i][j]`` at ``alignment[i]`` and ``price_ratio[j]`` (labels per brain sample)."""

    alignment: list[float]
    price_ratio: list[float]
    share: list[list[Number]]
    """Best share of the budget for brain data."""
    gain: list[list[Number]] = Field(default_factory=list)
    """What the best brain data add to labels alone, in explainable R²; results of earlier versions have none."""
    label_noise: Number = None
    panels: list[RegimeMap] = Field(default_factory=list)
    """The gain at other label noise."""
    posterior: list[tuple[float, float]] = Field(default_factory=list)
    posterior_noise: list[float] = Field(default_factory=list)

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        for grid in (self.share, self.gain, *(panel.gain for panel in self.panels)):
            if grid and [len(row) for row in grid] != [len(self.price_ratio)] * len(self.alignment):
                raise ValueError("share and gain must have one row per alignment and one column per price_ratio")
        return self


class TornadoBar(Record):
    """Utility when one parameter sits at each end of its interval."""

    parameter: str
    low: Number = None
    high: Number = None
    utility_low: float
    utility_high: float
    task_only_low: Number = None
    task_only_high: Number = None


class Centre(Record):
    """Utility with every parameter at its median, where the bars of the tornado start."""

    plan: float
    task_only: Number = None


class SobolBar(Record):
    """Share of the forecast's variance explained by a parameter."""

    parameter: str
    first: float
    total: float
    first_error: Number = None
    total_error: Number = None
    """Half of the bootstrap 95 % interval of ``total``."""


class Threshold(Record):
    """The value of a parameter or price at which the decision flips."""

    parameter: str
    unit: str = ""
    decision: str = ""
    """What the plan decides: ``brain`` or ``labels``."""
    believed: Summary | None = None
    pays: Literal["above", "below"] | None = None
    """On which side brain data pay."""
    value: Number = None
    probability_beyond: Number = None
    sentence: str = ""


class PersonLeftOut(Record):
    """The decision after a fit without one person."""

    modality: str
    subject: str
    advantage: Number = None
    """What the best purchase with brain data gains over labels only."""
    brain_share: Number = None
    flips: bool = False


class Elasticity(Record):
    """Per cent that the forecast changes with one per cent more of a parameter."""

    parameter: str
    elasticity: Number = None


class PowerScaled(Record):
    """The decision with the prior, or a part of the likelihood, to a power."""

    part: str
    power: float
    effective_draws: Number = None
    advantage: Number = None
    brain_share: Number = None
    flips: bool = False


class Sensitivity(Record):
    """What would change the decision."""

    tornado: list[TornadoBar] = Field(default_factory=list)
    centre: Centre | None = None
    elasticities: list[Elasticity] = Field(default_factory=list)
    sobol: list[SobolBar] = Field(default_factory=list)
    sobol_share: list[SobolBar] = Field(default_factory=list)
    """The same for the share of the budget that is best spent on brain data, were the parameters known."""
    correlation: Number = None
    thresholds: list[Threshold] = Field(default_factory=list)
    power_scaling: list[PowerScaled] = Field(default_factory=list)
    people: list[PersonLeftOut] = Field(default_factory=list)
    """The decision without each person in turn, where that was asked for."""
    robustness: str = ""
    """What power scaling and leaving people out say, in plain words."""


class Evppi(Record):
    """Value of knowing one parameter exactly."""

    parameter: str
    value: float
    se: Number = None
    money: Number = None


class Evsi(Record):
    """Value of one larger pilot."""

    label: str
    kind: str = ""
    factor: Number = None
    """Size relative to the pilot."""
    labels: int | None = None
    samples: dict[str, int] = Field(default_factory=dict)
    people: int | None = None
    cost: Number = None
    value: float
    se: Number = None
    most: Number = None
    """What knowing exactly all that it informs about would be worth."""
    net: Number = None
    net_se: Number = None
    net_money: Number = None
    """The net gain as a change of budget that would do the same."""
    net_money_se: Number = None


class InformationValue(Record):
    """Value of information, in `unit`."""

    evpi: Number = None
    evpi_se: Number = None
    evpi_money: Number = None
    currency: str = ""
    best: Evsi | None = None
    """The larger pilot that is worth its money beyond Monte Carlo error."""
    best_sizes: list[Evsi] = Field(default_factory=list)
    """The best size of each kind of pilot."""
    sentence: str = ""
    evppi: list[Evppi] = Field(default_factory=list)
    evsi: list[Evsi] = Field(default_factory=list)
    unit: str = "explainable R²"


class Findings(HasCard, Record):
    """What would change the decision, where brain data pay, and what is worth finding out first."""

    sensitivity: Sensitivity
    regime: Regime | None = None
    voi: InformationValue | None = None

    def card(self) -> Card:
        """Return the thresholds of the decision, and what knowing more is worth."""
        rows = [
            (row.parameter, "none" if row.value is None else f"{row.value:.3g}", row.unit)
            for row in self.sensitivity.thresholds
        ]
        worth = [] if self.voi is None else [self.voi.sentence]
        return Card("What would flip the decision", "", ("parameter", "threshold", "unit"), rows, worth)


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


class Comparison(Record):
    """What the modalities reach over budgets, alone and together."""

    budget: Number = None
    shift: Number = None
    labels_only: LabelsOnly | None = None
    curves: dict[str, list[BudgetPoint]] = Field(default_factory=dict)
    order_changes: list[OrderChange] = Field(default_factory=list)


class Objective(Record):
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


class Task(Record):
    """The task to be learned."""

    kind: str = "regression"
    cost_per_label: Price = None


class FirstRound(Record):
    """What is bought first."""

    share: float
    n_task: int
    modalities: dict[str, int] = Field(default_factory=dict)


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


class ModalityTable(Record):
    """Explainable R² with recordings of one modality, ``[people][samples][labels]``."""

    samples: list[int]
    """New recorded samples."""
    sample_scale: float
    """Between its points the table is linear in ``log(1 + samples / sample_scale)``."""
    people: list[int]
    """New people; between its points the table is linear in their logarithm."""
    repeats: int = 1
    """Presentations of each stimulus."""
    most_people: int | None = None
    most_sessions_each: int | None = None
    returning: int | None = None
    """People of the pilot, where only they may be recorded."""
    mean: list[list[list[float]]]
    """On average over studies."""
    q05: list[list[list[float]]]
    """5 % quantile of single studies."""
    q95: list[list[list[float]]]


class PerformanceTable(Record):
    """What every amount of new data reaches, with one modality at a time; prices play no part in it."""

    labels: list[int]
    label_scale: float
    """Between its points the table is linear in ``log(1 + labels / label_scale)``."""
    most_labels: int | None = None
    modalities: dict[str, ModalityTable]


class Details(Record):
    """`details.json`."""

    schema_: Literal["brainworth.details/1"] = Field(
        default="brainworth.details/1", validation_alias="schema", serialization_alias="schema"
    )
    title: str = ""
    forced: bool = False
    objective: Objective | None = None
    task: Task | None = None
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
    comparison: Comparison | None = None
    controls: Controls | None = None
    assumptions: list[Assumption] = Field(default_factory=list)
    marginal_value: Number = None
    """Utility per unit of money, near the budget."""
    cost_spread: Summary | None = None
    """The plan's cost under uncertain prices."""
    rounds: RoundsGain | None = None
    performance_table: PerformanceTable | None = None
    """What the planner in the report searches."""
    methods: list[str] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
