"""The form of `plan.json` ("brainworth.plan/1").

In: parsed JSON. Out: frozen pydantic records. What can go wrong: a field that is missing or has the wrong type, which
pydantic reports and `saved.load` turns into one sentence. Fields of newer versions are ignored.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Number = float | None
"""A number, or None where the plan could not state one."""


class Record(BaseModel):
    """A saved record; fields of newer versions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Summary(Record):
    """Mean, median and 90 % interval of a quantity over posterior draws."""

    mean: Number
    q05: Number
    q50: Number = None
    q95: Number


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


class Cost(Record):
    """Money, in `currency`."""

    total: float
    task: float
    modalities: dict[str, float] = Field(default_factory=dict)
    currency: str = ""


class Performance(Record):
    """Forecast at pilot plus purchase."""

    explainable_r2: Summary
    r2: Summary | None = None


class Alternative(Record):
    """Another plan at the same budget."""

    allocation: Allocation
    performance: Performance
    cost: Cost | None = None
    regret: Number = None
    """Utility lost against the plan."""
    also: list[str] = Field(default_factory=list)
    """Other rules that buy the same."""


class Verdict(Record):
    """Whether to collect brain data at all."""

    collect_brain_data: bool
    probability: Number = None
    sentence: str


class Exchange(Record):
    """Labels per brain sample, and the price at which the best plan stops buying any."""

    marginal: Summary | None = None
    average: Summary | None = None
    break_even_price: Summary | None = None


class NearOptimal(Record):
    """Ranges of allocations that are as good as the plan, within `tolerance` relative to its utility."""

    tolerance: float
    n_task: tuple[float, float] | None = None
    modalities: dict[str, tuple[float, float]] = Field(default_factory=dict)


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


class Check(Record):
    """One health check of the pilot."""

    name: str
    status: Literal["ok", "warn", "refuse"]
    value: float | str | bool | None = None
    threshold: float | str | bool | None = None
    sentence: str = ""


class Health(Record):
    """All health checks and the worst of their states."""

    status: Literal["ok", "warn", "refuse"] = "ok"
    checks: list[Check] = Field(default_factory=list)


class Provenance(Record):
    """Where the numbers come from."""

    version: str = ""
    seed: int | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    created: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)


class Plan(Record):
    """`plan.json`."""

    schema_: Literal["brainworth.plan/1"] = Field(alias="schema")
    allocation: Allocation
    cost: Cost
    performance: Performance
    alternatives: dict[str, Alternative] = Field(default_factory=dict)
    verdict: Verdict
    exchange_rate: dict[str, Exchange] = Field(default_factory=dict)
    near_optimal: NearOptimal | None = None
    certificate: Certificate | None = None
    posterior: Believed = Field(default_factory=Believed)
    health: Health = Field(default_factory=Health)
    provenance: Provenance = Field(default_factory=Provenance)
