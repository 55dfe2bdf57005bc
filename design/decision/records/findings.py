"""What would change the decision, where brain data pay, and what is worth finding out first: a part of `details.json`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary


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
    """As things are believed: ``brain`` where brain data pay, else ``labels``."""
    worthwhile: Number = None
    """Gain in explainable R² from which brain data pay; None in results of earlier versions, where any gain counted."""
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
