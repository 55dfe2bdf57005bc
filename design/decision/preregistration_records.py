"""The form of ``preregistration.json`` ("brainworth.preregistration/1"), and what it reads of a finished plan.

In: parsed JSON. Out: frozen records.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    """A record of which every field is known: an unknown one was added later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Read(BaseModel):
    """A part of a saved plan; the rest is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Quantiles(_Read):
    """Mean and 90 % interval."""

    mean: float | None
    q05: float | None
    q95: float | None


class Bought(_Read):
    """New recordings of one modality."""

    n_samples: int
    subjects: int | None = None
    sessions: int | None = None
    stimuli: int | None = None
    repeats: int | None = None


class PlannedPurchase(_Read):
    """New labels and recordings."""

    n_task: int
    modalities: dict[str, Bought]


class PlannedCost(_Read):
    """Money."""

    total: float
    currency: str = ""


class PlannedPerformance(_Read):
    """Forecast at pilot plus purchase."""

    explainable_r2: Quantiles
    r2: Quantiles | None = None


class PlannedVerdict(_Read):
    """What was decided."""

    collect_brain_data: bool
    probability: float | None = None
    sentence: str
    decision: str | None = None
    gain: Quantiles | None = None
    worthwhile: float | None = None


class PlanProvenance(_Read):
    """Where the plan comes from."""

    version: str = ""
    seed: int | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    created: str = ""


class PlanFile(_Read):
    """What is read of ``plan.json``."""

    schema_: Literal["brainworth.plan/1"] = Field(alias="schema")
    allocation: PlannedPurchase
    cost: PlannedCost
    performance: PlannedPerformance
    verdict: PlannedVerdict
    provenance: PlanProvenance


class Assumption(_Read):
    """What a plan rests on."""

    text: str
    checked: str = ""


class PilotSize(_Read):
    """What the pilot holds."""

    n_task: float = 0.0
    modalities: dict[str, dict[str, Any]] = Field(default_factory=dict)


class DetailsFile(_Read):
    """What is read of ``details.json``."""

    title: str = ""
    assumptions: list[Assumption] = Field(default_factory=list)
    methods: list[str] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
    task: dict[str, Any] = Field(default_factory=dict)
    objective: dict[str, Any] = Field(default_factory=dict)
    pilot: PilotSize | None = None
    forced: bool = False


class DecisionRule(_Frozen):
    """When brain data are bought."""

    decision: str
    """What the plan decided: collect, toss_up or labels_only."""
    probability: float | None
    """Probability that the plan beats labels alone by at least ``worthwhile``."""
    worthwhile: float
    """Smallest gain in explainable R2 that is worth the trouble."""
    sentence: str


class StoppingRule(_Frozen):
    """When collection ends."""

    kind: Literal["fixed", "monitored"]
    level: float
    """Bound on the probability of a wrong stop, over all looks together."""
    sentence: str


class PrimaryComparison(_Frozen):
    """What is compared at the end."""

    outcome: str
    arms: tuple[str, str]
    test_labels: int | None
    """Held-out labels; None where the plan does not say."""
    analysis: str
    success: str


class ReportingField(_Frozen):
    """One field of a reporting standard."""

    standard: Literal["COBIDAS", "BIDS"]
    field: str
    value: str


class Origin(_Frozen):
    """Where everything comes from."""

    version: str
    """Version of brainworth that made the plan."""
    seed: int | None
    planned: str
    """When the plan was made."""
    registered: str
    """When this record was made."""
    registered_with: str
    """Version of brainworth that made this record."""
    inputs: dict[str, str]
    """SHA-256 of every input of the plan."""
    plan_sha256: str
    details_sha256: str


class Preregistration(_Frozen):
    """``preregistration.json``."""

    schema_: Literal["brainworth.preregistration/1"] = Field(alias="schema")
    title: str
    purchase: PlannedPurchase
    cost: PlannedCost
    forecast: PlannedPerformance
    decision_rule: DecisionRule
    stopping_rule: StoppingRule
    primary_comparison: PrimaryComparison
    sample_size: str
    assumptions: tuple[str, ...]
    methods: tuple[str, ...]
    references: tuple[str, ...]
    reporting: tuple[ReportingField, ...]
    provenance: Origin
    sha256: str = ""
    """Hash of everything above."""
