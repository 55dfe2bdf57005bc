"""What recordings are worth beyond their controls: what `brainworth controls --json` prints ("brainworth.controls/1")."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.records import Record
from brainworth.design.common.summaries import Summary, interval


class Arm(Record):
    """One control of one modality."""

    name: str
    """``labels alone``, ``shuffled``, ``surrogate`` or ``stimulus only``."""
    r2: float
    """On held-out labels."""
    gain: float
    """R² with the recordings minus R² with this control."""
    gain_se: float
    """Standard error of the gain over groups of labels."""


class Controlled(Record):
    """One modality against its controls."""

    r2: float
    """With the recordings, on held-out labels."""
    r2_se: float
    """Its standard error over groups of labels."""
    latents: float
    """Latents that the recordings confirmed."""
    arms: list[Arm]
    exceeds: bool
    """Whether the recordings exceed every control by more than its sampling error, at 5 % one-sided each."""
    sentence: str
    """What the recordings are worth beyond their stimuli, in one sentence."""

    @property
    def best(self) -> Arm:
        """The control that comes nearest to the recordings."""
        return min(self.arms, key=lambda arm: arm.gain)


class Controls(HasCard, Record):
    """All modalities with a pilot against their controls."""

    schema_: Literal["brainworth.controls/1"] = Field(
        default="brainworth.controls/1", validation_alias="schema", serialization_alias="schema"
    )
    modalities: dict[str, Controlled]
    labels: int
    groups: int
    """Groups of labels that are never divided: the observations behind each standard error."""
    splits: int
    level: float
    """Standard errors of a 90 % interval: Student's t with one degree of freedom less than groups."""
    alignment: Summary | None = None
    """Posterior of the task-brain alignment."""
    shuffled_alignment: Summary | None = None
    """The same of a pilot with shuffled recordings: what the prior and chance make of recordings that say nothing."""

    @property
    def alignment_sentence(self) -> str:
        """What the fit makes of shuffled recordings, in one sentence."""
        if self.alignment is None or self.shuffled_alignment is None:
            return ""
        return (
            f"The posterior of the alignment is {interval(self.alignment)}; with shuffled recordings it is "
            f"{interval(self.shuffled_alignment)}, which is what prior and chance make of recordings without a relation to stimuli."
        )

    def card(self) -> Card:
        """Return R² of the recordings and of each control."""
        rows = [
            (f"{name}, {arm.name}", f"{arm.r2:.3f}", f"{arm.gain:+.3f} ± {arm.gain_se:.3f}")
            for name, found in self.modalities.items()
            for arm in found.arms
        ]
        said = [found.sentence for found in self.modalities.values()]
        return Card("Controls", "", ("instead of the recordings", "R²", "recordings gain"), rows, said)
