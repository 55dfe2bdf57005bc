"""[[modality]] of the study file: its recordings, what they cost, which designs are possible.

In: parsed TOML. Out: ``Modality``, frozen. Errors: what no facility could bill or no lab could record; the key is named.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from brainworth.design.common.fields import Count, CountOrZero, Name, Positive, RelativePath, Section, ShareBelowOne
from brainworth.design.common.messages import quoted
from brainworth.design.common.validation import value_problem
from brainworth.design.study_file.money import Money, Price
from brainworth.design.study_file.reader import Reader

FREE = Money(0.0, 0.0)


class Tier(Section):
    """A volume price."""

    above: CountOrZero
    """Units bought beyond this number cost `price` each."""
    price: Price
    """Price of one unit of this tier."""


def _rising(tiers: list[Tier]) -> list[Tier]:
    if any(b.above <= a.above for a, b in pairwise(tiers)):
        raise value_problem("the tiers are not in order", "List them with rising, different values of above.")
    return tiers


Tiers = Annotated[list[Tier], AfterValidator(_rising)]


class Cost(Section):
    """[modality.cost]: what recordings of one modality cost. Every field is optional."""

    per_sample: Price = FREE
    """Price of one recorded sample (one stimulus presented once to one person)."""
    per_session: Price = FREE
    """Price of one started session; billed in whole sessions of `samples_per_session`."""
    samples_per_session: Count | None = None
    """Samples that fit into one session of one person."""
    per_subject: Price = FREE
    """Price of each new person."""
    setup: Price = FREE
    """Paid once, if the plan uses the modality at all."""
    usable_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the recorded samples that survives quality control."""
    tiers: Tiers = Field(default_factory=list)
    """Volume prices: samples beyond `above` cost `price` instead of `per_sample`."""
    hours_per_session: Positive | None = None
    """Scanner or laboratory hours of one session; billed by `per_hour`, counted against `budget.max_hours`."""
    per_hour: Price = FREE
    """Price of an hour of the facility, billed in whole `billing_quantum_minutes` of every session."""
    billing_quantum_minutes: Annotated[int, Field(ge=1, le=10_080)] = 15
    """Every session's time is rounded up to a multiple of so many minutes."""
    cancellation: ShareBelowOne = 0.0
    """Share of the booked sessions that are cancelled too late and billed all the same."""
    attrition: ShareBelowOne = 0.0
    """Share of the new people who drop out after they have been paid."""
    escalation: ShareBelowOne | None = None
    """Yearly rise of this modality's prices; `budget.escalation` if not given."""
    sessions_per_week: Positive | None = None
    """Sessions that can be run in a week; counted against `budget.max_weeks`."""

    @model_validator(mode="after")
    def _sessions_have_a_size(self) -> Self:
        if self.samples_per_session is None:
            for key in ("per_session", "hours_per_session", "sessions_per_week"):
                if getattr(self, key) not in (FREE, None):
                    raise value_problem(
                        f"{key} is given without samples_per_session",
                        "Add samples_per_session = samples of one session.",
                    )
        if self.per_hour != FREE and self.hours_per_session is None:
            raise value_problem(
                "per_hour is given without hours_per_session", "Add hours_per_session = hours of one session."
            )
        return self


class Limits(Section):
    """[modality.design]: which designs are possible. Every field is optional; pin a value by an equal min and max."""

    max_samples: CountOrZero | None = None
    """Most new samples of the modality."""
    min_samples: CountOrZero = 0
    """Fewest new samples of the modality."""
    max_subjects: CountOrZero | None = None
    """Most people recorded."""
    min_subjects: CountOrZero = 0
    """Fewest people recorded."""
    max_sessions_per_subject: Count | None = None
    """Most new sessions of one person."""
    min_sessions_per_subject: CountOrZero = 0
    """Fewest new sessions of each person recorded, if anyone is."""
    max_sessions: Count | None = None
    """Most new sessions of all people together."""
    max_stimuli: Count | None = None
    """Most different stimuli shown."""
    repeats: Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=50)] = Field(
        default_factory=lambda: [1]
    )
    """Allowed numbers of presentations of a stimulus, averaged."""
    shared_stimuli: bool = False
    """Whether all people see the same stimuli."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for what in ("samples", "subjects", "sessions_per_subject"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if high is not None and low > high:
                raise value_problem(
                    f"min_{what} = {low} is above max_{what} = {high}", "The minimum must not exceed it."
                )
        if len(set(self.repeats)) < len(self.repeats):
            raise value_problem(f"repeats = {self.repeats} lists a number twice", "Each number once, e.g. [1, 2, 4].")
        return self


class Modality(Section):
    """[[modality]]: one kind of recording that can be bought."""

    name: Name
    """Unique name, used in results, file names and `--brain NAME=N`."""
    recordings: RelativePath | None = None
    """csv, tsv, parquet, npz, h5, nc or zarr: columns subject, stimulus, optional session and repeat; every other column
    is a channel. Or MNE epochs (pilot-epo.fif; epochs/sub-*-epo.fif for a file each person), a NIfTI image, a BIDS folder (see
    reader). Omit it if there is no pilot of this modality: it is then planned from its prior."""
    summaries: Annotated[list[RelativePath], Field(max_length=1000)] = Field(default_factory=list)
    """Instead of recordings: files that `brainworth summarise --with` wrote, one of each site that recorded this modality."""
    reader: Reader = Reader()
    """How epochs, images, BIDS data sets and arrays are read."""
    new_subjects: bool = False
    """Whether the plan may enrol new people, or only record the pilot's again."""
    cost: Cost = Cost()
    """Prices."""
    design: Limits = Limits()
    """Possible designs."""

    @model_validator(mode="after")
    def _one_kind_of_pilot(self) -> Self:
        if self.recordings is not None and self.summaries:
            right = "Give one of them; the recordings of your own site are summarised, too: brainworth summarise."
            raise value_problem("both recordings and summaries are given", right)
        if len(set(self.summaries)) < len(self.summaries):
            raise value_problem("summaries lists a file twice", "Give the file of each site once.")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        cost, limits = self.cost, self.design
        last_price = cost.tiers[-1].price if cost.tiers else cost.per_sample
        sized = cost.samples_per_session is not None and limits.max_sessions_per_subject is not None
        people_end = limits.max_subjects is not None or not self.new_subjects or cost.per_subject != FREE
        if (
            last_price == FREE
            and cost.per_session == FREE
            and cost.per_hour == FREE
            and limits.max_samples is None
            and not (sized and people_end)
        ):
            raise value_problem(
                f"samples of {quoted(self.name)} are free and without limit",
                "Give a price (cost.per_sample or cost.per_session) or a limit (design.max_samples).",
            )
        for key in ("min_sessions_per_subject", "max_sessions"):
            if getattr(limits, key) and cost.samples_per_session is None:
                raise value_problem(
                    f"design.{key} is given without cost.samples_per_session",
                    "Add cost.samples_per_session = samples of one session.",
                )
        return self
