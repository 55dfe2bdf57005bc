"""The plan: the form of `plan.json` ("brainworth.plan/1")."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from brainworth.design.common.cards import Card, HasCard, several
from brainworth.design.common.checks import Check
from brainworth.design.common.messages import amount
from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary, interval
from brainworth.design.decision.records.details import Details

ROUNDING = 1e-9
"""A gain up to this is rounding."""


class Bought(Record):
    """New recordings of one modality."""

    n_samples: int
    subjects: int | None = None
    sessions: int | None = None
    stimuli: int | None = None
    repeats: int | None = None


class Allocation(Record):
    """New labels and recordings to buy."""

    n_task: int
    modalities: dict[str, Bought] = Field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """Return a field, or what is bought of a modality."""
        return super().__getitem__(key) if key in type(self).model_fields else self.modalities[key]

    @property
    def holds_brain_data(self) -> bool:
        """Whether any brain sample is bought."""
        return any(bought.n_samples > 0 for bought in self.modalities.values())


class PlanCost(Record):
    """Money, in `currency`."""

    total: float
    task: float
    modalities: dict[str, float] = Field(default_factory=dict)
    currency: str = ""
    items: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Lines of the bill, by ``task`` and modality."""


class Forecast(Record):
    """A forecast of both measures."""

    explainable_r2: Summary
    """Share of the label variance that features can explain at all."""
    r2: Summary | None = None
    """Share of all label variance, label noise included."""


class RehearsedGain(Record):
    """What the learner gained over labels alone in rehearsals, paired."""

    mean: Number
    se: Number = None
    """Monte Carlo standard error of the mean."""
    q05: Number = None
    q95: Number = None
    probability: Number = None
    """Share of the rehearsals in which it gained at least what is worthwhile."""


class RehearsedScore(Summary):
    """What the learner reached in rehearsals."""

    se: Number = None
    """Monte Carlo standard error of the mean."""


class Rehearsal(Record):
    """The plan executed in simulated worlds that the posterior believes in."""

    n: int
    """Worlds."""
    learner: str
    explainable_r2: RehearsedScore
    gain: RehearsedGain | None = None


class Performance(Forecast):
    """What a lab will read off at pilot plus purchase."""

    expected: Forecast | None = None
    """The belief about the average over such studies: uncertain parameters only."""
    today: Forecast | None = None
    """With the pilot alone, nothing bought."""
    rehearsal: Rehearsal | None = None


class Alternative(Record):
    """Another plan at the same budget."""

    allocation: Allocation
    performance: Performance
    cost: PlanCost | None = None
    regret: Number = None
    """Utility lost against the plan."""
    also: list[str] = Field(default_factory=list)
    """Other rules that buy the same."""


class Verdict(Record):
    """Whether to collect brain data at all."""

    decision: Literal["collect", "toss_up", "labels_only"] | None = None
    """Follows from ``gain`` and ``probability`` alone."""
    collect_brain_data: bool
    """Whether the plan holds brain data."""
    probability: Number = None
    gain: Summary | None = None
    """In explainable R², over labels alone."""
    worthwhile: Number = None
    """Smallest gain that is worth the trouble of recording."""
    binding: list[str] = Field(default_factory=list)
    """Limits without which the plan would be another one."""
    judged: Allocation | None = None
    """The purchase with brain data that gain and probability are about: the plan, or the best such purchase if it holds none."""
    sentence: str

    @property
    def mean_gain(self) -> float | None:
        """What brain data gain over labels alone on average; None if that is not known."""
        return None if self.gain is None else self.gain.mean

    @property
    def least(self) -> float:
        """Gain from which brain data pay."""
        return max(self.worthwhile or 0.0, ROUNDING)

    @property
    def pays(self) -> bool | None:
        """Whether brain data gain what is worthwhile on average; None if the gain is not known."""
        return None if self.mean_gain is None else self.mean_gain >= self.least


class Exchange(Record):
    """Labels per brain sample, and the price at which the best plan stops buying any."""

    marginal: Summary | None = None
    average: Summary | None = None
    break_even_price: Summary | None = None


class ChosenStimuli(Record):
    """What it is worth that the plan's labels are for chosen stimuli."""

    pool: str
    """Where they are chosen from."""
    candidates: int
    """Stimuli there."""
    chosen: int
    """Labels whose stimuli are chosen one after the other; the plan's others are for random stimuli of the pool."""
    saved: Summary
    """Labels of random stimuli of the pool that would teach as much, less those of the plan."""
    counted_as: Summary
    """Labels of random stimuli like the pilot's that the forecast counts the plan's labels as."""
    sentence: str


class NearOptimal(Record):
    """Ranges of allocations that are as good as the plan, within `tolerance` relative to its utility."""

    tolerance: float
    n_task: tuple[int, int] | None = None
    modalities: dict[str, tuple[int, int]] = Field(default_factory=dict)


class Cheaper(Record):
    """A purchase that costs less than the plan and loses less than is worthwhile."""

    allocation: Allocation
    cost: PlanCost
    explainable_r2: Summary
    """Of single studies, by the formula."""
    loss: float
    """Expected explainable R² that the plan has more, both by the formula."""
    sentence: str


class Certificate(Record):
    """The bound that no feasible plan exceeds."""

    objective: Number = None
    bound: Number = None
    gap: Number = None
    method: str = ""


class Believed(Record):
    """Posterior of the system's parameters."""

    alignment: Summary | None = None
    misalignment: Summary | None = None
    signal_variance: Summary | None = None
    noise_variance: Summary | None = None
    latent_dimension: Summary | None = None
    snr: dict[str, Summary | list[Summary]] = Field(default_factory=dict)


class Health(Record):
    """All health checks and the worst of their states."""

    status: Literal["ok", "warn", "refuse"] = "ok"
    checks: list[Check] = Field(default_factory=list)


class Provenance(Record):
    """Where the numbers come from."""

    version: str = ""
    seed: int | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    losses: list[dict[str, Any]] = Field(default_factory=list)
    """What was left out, merged or changed on the way from the files to the pilot, by source, reason and person."""
    created: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)


class Plan(HasCard, Record):
    """What to buy, what it will reach, and how sure that is."""

    schema_: Literal["brainworth.plan/1"] = Field(
        default="brainworth.plan/1", validation_alias="schema", serialization_alias="schema"
    )
    allocation: Allocation
    cost: PlanCost
    performance: Performance
    alternatives: dict[str, Alternative] = Field(default_factory=dict)
    verdict: Verdict
    chosen_stimuli: ChosenStimuli | None = None
    """What choosing the labelled stimuli is worth, if the study chooses them and labels are bought."""
    exchange_rate: dict[str, Exchange] = Field(default_factory=dict)
    near_optimal: NearOptimal | None = None
    cheaper: Cheaper | None = None
    """The cheapest purchase found that is nearly as good, if it saves enough to be named."""
    certificate: Certificate | None = None
    posterior: Believed = Field(default_factory=Believed)
    health: Health = Field(default_factory=Health)
    provenance: Provenance = Field(default_factory=Provenance)
    details: Details | None = Field(default=None, exclude=True, repr=False)
    """What the figures are drawn from; a file of its own, `details.json`."""

    def card(self) -> Card:
        """Return the purchase, its cost and what it is forecast to reach."""
        cost = self.cost
        rows = [("labels", f"{self.allocation.n_task:,}", "", "", f"{cost.task:,.2f}")]
        rows += [
            (
                name,
                f"{bought.n_samples:,}",
                f"{bought.subjects or 0:,}",
                f"{bought.sessions or 0:,}",
                f"{cost.modalities.get(name, 0.0):,.2f}",
            )
            for name, bought in self.allocation.modalities.items()
        ]
        rows.append(("total", "", "", "", f"{cost.total:,.2f}"))
        return Card(
            title=_title(self),
            sentence=self.verdict.sentence,
            head=("buy", "samples", "people", "sessions", cost.currency),
            rows=rows,
            notes=_notes(self),
        )


def _title(plan: Plan) -> str:
    name = plan.details.title if plan.details is not None else ""
    return f"Plan for {amount(plan.cost.total, plan.cost.currency)}" + (f" · {name}" if name else "")


def _notes(plan: Plan) -> list[str]:
    performance, verdict = plan.performance, plan.verdict
    reached = f"Explainable R²: {interval(performance.explainable_r2)}"
    if performance.today is not None:
        reached += f"; with the pilot alone {interval(performance.today.explainable_r2)}"
    notes = [reached]
    if verdict.gain is not None:
        chance = "" if verdict.probability is None else f", probability {verdict.probability:.0%}"
        notes.append(f"Gain over labels alone: {interval(verdict.gain, signed=True)}{chance}")
    if plan.cheaper is not None:
        notes.append(plan.cheaper.sentence)
    if plan.chosen_stimuli is not None:
        notes.append(plan.chosen_stimuli.sentence)
    worried = [check for check in plan.health.checks if check.status != "ok"]
    if worried:
        notes.append(
            f"Health of the pilot: {plan.health.status}, {several(len(worried), 'remark')} in plan.health.checks"
        )
    return notes
