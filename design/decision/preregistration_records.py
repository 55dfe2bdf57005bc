"""The form of ``preregistration.json`` ("brainworth.preregistration/1"), with what it takes over from a plan."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    """A record of which every field is known: an unknown one was added later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Taken(BaseModel):
    """A part of a plan's record of which only these fields are taken over."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class PlannedInterval(_Taken):
    """Mean and 90 % interval."""

    mean: float | None
    q05: float | None
    q95: float | None


class PlannedRecordings(_Taken):
    """New recordings of one modality."""

    n_samples: int
    subjects: int | None = None
    sessions: int | None = None
    stimuli: int | None = None
    repeats: int | None = None


class PlannedPurchase(_Taken):
    """New labels and recordings."""

    n_task: int
    modalities: dict[str, PlannedRecordings]


class PlannedCost(_Taken):
    """Money."""

    total: float
    currency: str = ""


class PlannedPerformance(_Taken):
    """Forecast at pilot plus purchase."""

    explainable_r2: PlannedInterval
    r2: PlannedInterval | None = None


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
