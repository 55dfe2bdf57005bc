"""The study file as typed, frozen models: every key, its default, its range, and what must hold between keys.

In: the parsed TOML of ``study.toml`` (or a dict of the same form). Out: ``StudyConfig``. What can go wrong: unknown
keys, values out of range and contradictions; ``parse_study`` turns each into a ``BadInput`` that names the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from .config_constraints import Constraint, check_constraints
from .config_errors import did_you_mean, explain, quoted, value_problem
from .config_fields import (
    Count,
    CountOrZero,
    Name,
    OpenShare,
    Positive,
    RelativePath,
    Section,
    ShareBelowOne,
    Text,
    plain_text,
)
from .config_money import Money, Price
from .config_priors import Priors
from .config_reader import Reader

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


class About(Section):
    """[study]: what the study is called, and its seed."""

    title: Text = "Untitled study"
    """Title, shown in the report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of every random number."""


class Stimuli(Section):
    """[stimuli]: the features of every stimulus that was recorded or labelled."""

    table: RelativePath
    """csv, tsv, parquet, npz, h5, nc or zarr: `stimulus` = unique id; optional `group` (never split across folds); every
    other column is one numeric feature."""


class Task(Section):
    """[task]: what the model is trained to predict, and what a label costs."""

    labels: RelativePath | None = None
    """Table with the columns stimulus and label; several rows of a stimulus are repeated labels. Not needed with
    [system]."""
    kind: Literal["regression", "binary"] = "regression"
    """regression, or binary (two different labels)."""
    cost_per_label: Price
    """Price of one label; a number, or [low, high] as a 90 % interval."""
    max_labels: CountOrZero | None = None
    """Most new labels that can be bought."""
    min_labels: CountOrZero = 0
    """Fewest new labels to buy."""
    tiers: Tiers = Field(default_factory=list)
    """Volume prices: answers beyond `above` cost `price` instead of `cost_per_label`."""
    raters: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Answers paid for each new label, where a label is the mean of several raters' (every row of `labels` must then be such a
    mean: a new label is taken to be as noisy as one of them)."""
    setup: Price = FREE
    """Paid once, if the plan buys any label."""


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
    reader: Reader = Reader()
    """How epochs, images, BIDS data sets and arrays are read."""
    new_subjects: bool = False
    """Whether the plan may enrol new people, or only record the pilot's again."""
    cost: Cost = Cost()
    """Prices."""
    design: Limits = Limits()
    """Possible designs."""

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


class Budget(Section):
    """[budget]: what may be spent."""

    total: Positive | None = None
    """Money that may be spent; omit it and give `objective.target` to get the cheapest plan that reaches the target."""
    currency: Annotated[str, Field(max_length=16), AfterValidator(plain_text)] = "USD"
    """Currency of every price."""
    reuse_pilot: bool = True
    """Whether the pilot's data also train the final model."""
    max_weeks: Positive | None = None
    """Longest recording time in calendar weeks (modalities with `sessions_per_week`, recorded in parallel)."""
    max_hours: Positive | None = None
    """Most scanner or laboratory hours, all modalities together (modalities with `hours_per_session`)."""
    escalation: ShareBelowOne = 0.0
    """Yearly rise of all prices, e.g. 0.03."""
    years_ahead: Annotated[int, Field(ge=0, le=50)] = 0
    """Years until the work is billed; prices have then risen by `escalation` so many times."""
    rounds: Annotated[int, Field(ge=1, le=3)] = 1
    """2 or 3: also simulate buying in so many rounds (collect, refit, collect) and say what that gains."""


class Objective(Section):
    """[objective]: which plan is best."""

    utility: Literal["mean", "quantile", "cvar", "probability"] = "mean"
    """Functional of the posterior of explainable R²."""
    level: OpenShare = 0.1
    """Lower tail of quantile and cvar."""
    target: OpenShare | None = None
    """Explainable R² to reach: for probability, or without a budget."""
    confidence: OpenShare = 0.9
    """Without a budget: reach the target with this probability."""
    shift: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Test variance factor along brain-insensitive directions; 1 is no shift."""
    shifts: Annotated[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    """Instead of one shift: plan for the worst of these, draw by draw."""

    @model_validator(mode="after")
    def _one_kind_of_shift(self) -> Self:
        if self.shifts and self.shift != 1.0:
            raise value_problem(
                "both shift and shifts are given", "Give shift for one circumstance, shifts for the worst of several."
            )
        if len(set(self.shifts)) < len(self.shifts):
            raise value_problem(
                f"shifts = {self.shifts} lists a number twice", "Each number once, e.g. [0.5, 1.0, 2.0]."
            )
        return self


class KnownSystem(Section):
    """[system]: plan for known parameters instead of a pilot."""

    file: RelativePath
    """The system file; its sources are matched to the modalities by name."""


class StudyConfig(Section):
    """A study file."""

    study: About = About()
    """Title and seed."""
    stimuli: Stimuli | None = None
    """Stimulus features; not needed with [system]."""
    task: Task
    """The task and the price of its labels."""
    modality: Annotated[list[Modality], Field(min_length=1, max_length=32)]
    """The modalities, one [[modality]] block each."""
    budget: Budget = Budget()
    """Money and time."""
    objective: Objective = Objective()
    """Which plan is best."""
    constraint: Annotated[list[Constraint], Field(max_length=100)] = Field(default_factory=list)
    """Conditions of your own, one [[constraint]] block each."""
    system: KnownSystem | None = None
    """Known parameters, instead of any pilot."""
    priors: Priors = Priors()
    """Overrides of the literature priors."""

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Names of the modalities, in the order of the file."""
        return tuple(m.name for m in self.modality)

    @model_validator(mode="after")
    def _names_match(self) -> Self:
        seen: dict[str, str] = {}
        for name in self.modality_names:
            if name.casefold() in seen:
                raise value_problem(
                    f"two modalities are called {quoted(name)}", "Give each a name of its own (capitals do not count)."
                )
            seen[name.casefold()] = name
        for name in self.priors.modality:
            if name not in self.modality_names:
                hint = did_you_mean(name, self.modality_names)
                raise value_problem(
                    f"priors.modality names {quoted(name)}, which is no modality of the study",
                    f"The modalities are {', '.join(map(quoted, self.modality_names))}.{hint}",
                )
        return self

    @model_validator(mode="after")
    def _constraints_name_quantities(self) -> Self:
        check_constraints(self.constraint, self.modality_names)
        return self

    @model_validator(mode="after")
    def _aim_is_complete(self) -> Self:
        aim = self.objective
        if aim.target is None and aim.utility == "probability":
            raise value_problem("objective.utility = 'probability' needs a target", "Add objective.target, e.g. 0.6.")
        if aim.target is None and self.budget.total is None:
            raise value_problem(
                "neither a budget nor a target is given",
                "Add budget.total, or objective.target to get the cheapest plan that reaches it.",
            )
        if self.budget.total is None and self.budget.rounds > 1:
            raise value_problem("budget.rounds is given without budget.total", "Rounds are compared at a budget.")
        task = self.task
        last_price = task.tiers[-1].price if task.tiers else task.cost_per_label
        if last_price == FREE and task.max_labels is None:
            raise value_problem(
                "labels are free and without limit", "Give task.cost_per_label a price, or task.max_labels."
            )
        if task.max_labels is not None and task.min_labels > task.max_labels:
            raise value_problem(
                f"task.min_labels = {task.min_labels} is above task.max_labels = {task.max_labels}",
                "The minimum must not exceed the maximum.",
            )
        return self


def parse_study(data: Mapping[str, Any], file: object = "the study configuration") -> StudyConfig:
    """Return the validated study, or raise ``BadInput`` naming the key that is wrong.

    Parameters
    ----------
    data : mapping
        Parsed TOML, or a dict of the same form.
    file : object
        What to call the source in messages.
    """
    try:
        return StudyConfig.model_validate(dict(data))
    except ValidationError as error:
        raise explain(error, StudyConfig, file, data) from None
