"""What has come in since a plan, and whether to go on: what `brainworth update --json` prints ("brainworth.update/1")."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.records import Number, Record
from brainworth.design.common.summaries import Summary, interval


class Held(Record):
    """What a study holds."""

    labels: int
    """Every rating counted."""
    samples: dict[str, int] = Field(default_factory=dict)
    """Surviving samples, by modality."""
    people: dict[str, int] = Field(default_factory=dict)


class Belief(Record):
    """One quantity as it was believed when the plan was made, and as it is believed now."""

    then: Summary
    now: Summary


class Reached(Record):
    """R² within the data so far: what a learner reached, and what the plan's posterior and today's say of it."""

    share: float
    """Share of the data that the learner was trained on; it was tested on the rest."""
    r2: float
    r2_se: float
    then: Summary
    """Forecast by the posterior that the plan was made from, for one study of this size and one such test."""
    now: Summary
    """The same by today's posterior, which has seen these data."""

    @property
    def as_forecast(self) -> bool:
        """Whether the plan's 90 % interval holds what was reached."""
        low, high = self.then.q05, self.then.q95
        return low is not None and high is not None and low <= self.r2 <= high


class Monitored(Record):
    """The monitoring rule: limits of what the recordings gain on labels that came after the learners were fitted."""

    decision: Literal["stop", "go on", "enough"]
    labels: int
    """New labels so far, over all looks."""
    low: float
    """Limits of the gain in R², valid at all looks together; of its largest and smallest value where it changes between looks."""
    high: float
    worthwhile: float
    """Smallest worthwhile gain in R² of all label variance."""
    level: float
    """Bound on the probability that the limits are ever wrong."""
    sentence: str


class Registered(Record):
    """The preregistration of the plan, and where the study has left it or would leave it."""

    sha256: str
    registered: str
    """When, ISO 8601."""
    deviations: list[str] = Field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What is said of it."""
        own = f"Preregistered on {self.registered[:10]} (SHA-256 {self.sha256[:12]}…)"
        return (
            f"{own}: no deviation so far." if not self.deviations else f"{own}, deviations: {' '.join(self.deviations)}"
        )


class Look(Record):
    """One look at a study while data come in."""

    when: str
    """ISO 8601."""
    held: Held
    gain: Summary | None = None
    """Forecast gain of brain data over labels alone."""
    r2: Number = None
    """Reached within the data."""
    forecast: Summary | None = None
    """Of the same, by the posterior before."""
    decision: str = ""


class Update(HasCard, Record):
    """What has come in since a plan, what it taught, and whether to go on."""

    schema_: Literal["brainworth.update/1"] = Field(
        default="brainworth.update/1", validation_alias="schema", serialization_alias="schema"
    )
    decision: Literal["go_on", "toss_up", "labels_instead", "stop", "finished"]
    """``go_on`` with brain data; ``toss_up``; ``labels_instead`` of brain data; ``stop``: nothing more is worth its price;
    ``finished``: the budget is spent."""
    sentence: str
    then: Held
    now: Held
    spent: float
    spent_is_estimated: bool
    """Whether it follows from the study's prices, or was said by the user."""
    remaining: Number = None
    """None for a study without a budget."""
    currency: str
    beliefs: dict[str, Belief]
    reached: Reached | None = None
    monitored: Monitored | None = None
    """None where the study of before was not given, or too few labels came since."""
    gains: list[float] = Field(default_factory=list)
    """Paired gain of each new label in its order, in units of the cap; of earlier looks, too."""
    looks: list[Look] = Field(default_factory=list)
    """The plan, every update since, and this one."""
    deviations: list[str] = Field(default_factory=list)
    """Where what was collected differs from what was planned."""
    registered: Registered | None = None
    """None where no preregistration was given."""

    @property
    def remarks(self) -> list[str]:
        """What is said besides the decision: the monitoring rule, where the plan was left, and where what was promised."""
        said = [part.sentence for part in (self.monitored, self.registered) if part is not None]
        return [*said, *self.deviations]

    def card(self) -> Card:
        """Return what came, what was believed then and now."""
        rows = [(name, interval(own.then), interval(own.now)) for name, own in self.beliefs.items()]
        return Card("Update", self.sentence, ("", "then", "now"), rows, self.remarks)
