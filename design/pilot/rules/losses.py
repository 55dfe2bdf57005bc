"""What was left out, merged, filled or averaged on the way from the files to the pilot, counted by reason and person.

In: counts, where they arise. Out: ``Loss`` records, one sentence for each reason. Nothing is lost without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from brainworth.design.common.messages import quoted, quoted_list


@dataclass(frozen=True)
class Loss:
    """How much of one table, of one person, did not become a sample or a label, or became one by a change."""

    source: str
    """The table, as messages call it."""
    reason: str
    """What happened to them: "marked bad", "left out by reader.where", ..."""
    count: int
    """How many."""
    total: int
    """Of how many."""
    subject: str | None = None
    """The person, where the table has people."""
    unit: str = "samples"
    """What is counted: samples, labels, stimuli, epochs, volumes, channels."""


def sentences(losses: Iterable[Loss]) -> list[str]:
    """Return one sentence for every source and reason, with the people it happened to."""
    groups: dict[tuple[str, str, str], list[Loss]] = {}
    for loss in losses:
        if loss.count:
            groups.setdefault((loss.source, loss.reason, loss.unit), []).append(loss)
    return [_sentence(*key, found) for key, found in groups.items()]


def _sentence(source: str, reason: str, unit: str, found: list[Loss]) -> str:
    count, total = sum(loss.count for loss in found), sum(loss.total for loss in found)
    people = [f"{loss.count} of {loss.total} of {quoted(loss.subject)}" for loss in found if loss.subject is not None]
    who = (
        f" ({', '.join(people[:8])}{f' and {len(people) - 8} more people' if len(people) > 8 else ''})"
        if people
        else ""
    )
    return f"{source}: {count} of {total} {unit}{who}: {reason}."


def record(losses: Iterable[Loss]) -> list[dict[str, Any]]:
    """Return the losses as they are written to a file."""
    return [asdict(loss) for loss in losses if loss.count]


def kept_out(source: str, names: Iterable[str]) -> str:
    """Return the sentence about columns that are not used."""
    return f"{source}: not used: {quoted_list(names)}."
