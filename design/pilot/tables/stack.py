"""Tables of several people or runs, one below the other.

In: ``Part``, the samples of one person in one run. Out: one ``Table``; a channel that a person lacks is left empty for
them, a channel that only some runs of a person have is left out for them (and named in ``Table.ignored``). What can go
wrong: nothing to stack, or too much; a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.tables.columns import MAX_COLUMNS, Wanted
from brainworth.design.pilot.tables.tables import Table, check_keys, check_size


@dataclass(frozen=True)
class Part:
    """Samples of one person in one run or session."""

    subject: str
    """Name of the person."""
    session: str
    """Name of the run or session."""
    stimulus: tuple[str, ...]
    """Stimulus id of each sample."""
    channels: tuple[str, ...]
    """Name of each channel."""
    values: Float[np.ndarray, "sample channel"]
    """The recording."""
    advice: str = ""
    """As ``Table.advice``."""
    losses: tuple[Loss, ...] = ()
    """What did not become a sample."""


def _common(parts: Sequence[Part]) -> tuple[list[Part], list[str]]:
    """Return the parts of one person with the channels that all of them have, and what was left out."""
    shared = set(parts[0].channels).intersection(*(set(part.channels) for part in parts[1:]))
    lost = sorted({c for part in parts for c in part.channels} - shared)
    kept: list[Part] = []
    for part in parts:
        where = [i for i, c in enumerate(part.channels) if c in shared]
        names = tuple(part.channels[i] for i in where)
        kept.append(replace(part, channels=names, values=part.values[:, where]))
    return kept, [f"{name} of {parts[0].subject}" for name in lost]


def stacked(parts: Sequence[Part], source: str, wanted: Wanted, *, runs: bool = False) -> Table:
    """Return one table of all parts: keys subject, stimulus, session; one column per channel.

    Parameters
    ----------
    parts : sequence of Part
        At least one sample in all.
    source : str
        How messages call the table.
    wanted : Wanted
        Says what a column is called in messages.
    runs : bool
        Whether the sessions are runs of a continuous recording (see ``Table.runs``).

    Raises
    ------
    BadInput
        No sample, no channel, or more than ``tables`` reads.
    """
    people: dict[str, list[Part]] = {}
    for part in parts:
        people.setdefault(part.subject, []).append(part)
    common = [_common(mine) for mine in people.values()]
    kept = [part for mine, _ in common for part in mine if part.stimulus]
    rows = sum(len(part.stimulus) for part in kept)
    columns = {name: i for i, name in enumerate(dict.fromkeys(c for part in kept for c in part.channels))}
    check_size(rows, len(columns), source)
    if not columns or len(columns) > MAX_COLUMNS:
        right = f"At least one {wanted.number_word} must be there in all runs of a person, and at most {MAX_COLUMNS}."
        raise problem(source, "", f"there are {len(columns)} {wanted.number_word}s", right)
    values = np.full((rows, len(columns)), np.nan)
    keys = {name: np.empty(rows, dtype=object) for name in ("subject", "stimulus", "session")}
    start = 0
    for part in kept:
        stop = start + len(part.stimulus)
        values[start:stop, [columns[c] for c in part.channels]] = part.values
        keys["subject"][start:stop], keys["session"][start:stop] = part.subject, part.session
        keys["stimulus"][start:stop] = part.stimulus
        start = stop
    lost = tuple(name for _, names in common for name in names)
    origin = partial(_origin, keys["subject"], keys["session"])
    advice = next((part.advice for part in kept if part.advice), "")
    whole = Table(source, keys, tuple(columns), values, lost, origin=origin, advice=advice, runs=runs)
    losses = tuple(loss for part in parts for loss in part.losses)
    return check_keys(replace(whole, answers=wanted.answers, losses=losses))


def _origin(subject: np.ndarray, session: np.ndarray, row: int) -> str:
    """Return how messages call a row: by person, session and place within it."""
    before = np.count_nonzero((subject[:row] == subject[row]) & (session[:row] == session[row]))
    return f"person {quoted(subject[row])}, session {quoted(session[row])}, sample {before + 1}"
