"""Tables of events: when which stimulus was shown.

In: a tsv or csv file with the columns onset, duration (seconds) and one with the stimulus id, or such columns in memory; the keys
``stimulus`` and ``where`` of the modality's reader. Out: ``Events``. Errors: an unreadable table, missing columns, times that are
no numbers, no event left; each is a ``BadInput`` with its row and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.tables.tables import text_of
from brainworth.design.study_file.reader import Reader

_MAX_BYTES = 2**28
_MAX_KINDS = 5
"""Most kinds of events that a message proposes to keep."""
_NONE = ("", "n/a", "N/A", "nan", "NaN", "NA")


@dataclass(frozen=True)
class Events:
    """Events of one run."""

    source: str
    """Where they come from."""
    onset: np.ndarray
    """Onsets in seconds."""
    duration: np.ndarray
    """Durations in seconds; 0 where none is given."""
    stimulus: tuple[str, ...]
    """Stimulus id of each event."""
    columns: Mapping[str, tuple[str, ...]]
    """All columns, as text."""
    named_by: str
    """The column that holds the stimulus ids."""
    row: tuple[int, ...] = ()
    """Row of each event in its table, from 1."""
    total: int = 0
    """Rows of the table, those left out by ``where`` included."""

    def place(self, event: int) -> str:
        """Return "row 5" for an event, as its table counts."""
        return f"row {self.row[event]}" if self.row else f"event {event + 1}"

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.stimulus)

    def take(self, rows: np.ndarray) -> Events:
        """Return some of the events."""
        return Events(
            self.source,
            self.onset[rows],
            self.duration[rows],
            tuple(self.stimulus[i] for i in rows),
            {name: tuple(column[i] for i in rows) for name, column in self.columns.items()},
            self.named_by,
            tuple(self.row[i] for i in rows) if self.row else (),
            self.total,
        )

    @property
    def advice(self) -> str:
        """What to say of a stimulus id that is unknown."""
        return id_advice(self.named_by, "the events")


def id_advice(column: str, of: str) -> str:
    """Return what to say of a stimulus id that is unknown: where it was read, and what would change that."""
    return (
        f" The ids are the column {quoted(column)} of {of}; name another by reader.stimulus, or leave rows that are no "
        "stimulus out by reader.where."
    )


def read_events(path: Path, source: str, reader: Reader) -> Events:
    """Return the events in a table (tsv, csv): columns onset, duration, and one with the stimulus id.

    Raises
    ------
    BadInput
        The table cannot be read, lacks a column, holds an onset that is no number, or no event is left by ``where``.
    """
    right = "It needs a header with onset, duration and the stimulus, separated by tabs (.tsv) or commas (.csv)."
    return events_of(text_columns(path, source, right), source, reader)


def text_columns(path: Path, source: str, right: str) -> dict[str, list[str]]:
    """Return the columns of a small table (tsv, csv) as text; ``BadInput`` with the advice ``right`` if there are none."""
    import pandas as pd

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise problem(source, "", f"the file is larger than {_MAX_BYTES} bytes", right)
        separator = "," if path.suffix.lower() == ".csv" else "\t"
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError, pd.errors.ParserError):
        raise problem(source, "", "the table cannot be read", right) from None
    return {str(name): [str(v) for v in frame[name].tolist()] for name in frame.columns}


def events_of(columns: Mapping[str, Sequence[object]], source: str, reader: Reader) -> Events:
    """Return the events of a table's columns; see ``read_events``."""
    texts = {name: tuple(text_of(v) for v in column) for name, column in columns.items()}
    stimulus = reader.stimulus or next((c for c in ("stimulus", "trial_type") if c in texts), "stimulus")
    for name in ("onset", stimulus, *reader.where):
        if name not in texts:
            right = f"The columns are {quoted_list(texts)}.{did_you_mean(name, texts)}"
            raise problem(source, f"column {quoted(name)}", "the column is missing", right)
    used = np.ones(len(texts["onset"]), dtype=bool)
    for name, allowed in reader.where.items():
        used &= np.array([text in allowed for text in texts[name]], dtype=bool)
    rows = np.flatnonzero(used)
    if rows.size == 0:
        right = "Allow values that occur." if reader.where else "Give one row per event."
        raise problem(source, "reader > where" if reader.where else "", "no event is left", right)
    onset = _seconds(texts["onset"], rows, source, "onset", lambda _: None)
    absent = ("",) * len(texts["onset"])
    duration = _seconds(texts.get("duration", absent), rows, source, "duration", lambda v: 0.0 if v in _NONE else None)
    if np.any(duration < 0):
        row = int(rows[np.flatnonzero(duration < 0)[0]])
        raise problem(
            source, f"row {row + 1}, column 'duration'", "the duration is negative", "Give seconds, 0 or more."
        )
    ids = tuple(texts[stimulus][i] for i in rows)
    for row, text in zip(rows.tolist(), ids, strict=True):
        if text in _NONE:
            raise _no_stimulus(texts, stimulus, rows, source, row)
    chosen = {name: tuple(c[i] for i in rows) for name, c in texts.items()}
    numbers = tuple(int(i) + 1 for i in rows)
    return Events(source, onset, duration, ids, chosen, stimulus, numbers, len(texts["onset"]))


def refuse_simultaneous(events: Events, moment: np.ndarray, when: str) -> None:
    """Raise ``BadInput`` for the first event that begins with another one, by onset or by sample."""
    seen: dict[float, int] = {}
    for event, at in enumerate(moment.tolist()):
        if at in seen:
            first = seen[at]
            names = f"{quoted(events.stimulus[first])} and {quoted(events.stimulus[event])}"
            wrong = f"{names} ({events.place(first)}) begin {when}, {events.onset[event]:g} s"
            right = "No recording tells them apart: leave one out by where in [modality.reader], or correct the onset."
            raise problem(events.source, f"{events.place(event)}, column 'onset'", wrong, right)
        seen[at] = event


def left_out(events: Events, subject: str) -> tuple[Loss, ...]:
    """Return how many rows of the table ``where`` has left out."""
    lost = events.total - len(events)
    return (Loss(events.source, "left out by reader.where", lost, events.total, subject, "events"),) if lost else ()


def _no_stimulus(
    texts: Mapping[str, tuple[str, ...]], stimulus: str, rows: np.ndarray, source: str, row: int
) -> BadInput:
    """Return the error of an event without a stimulus, or of a column that holds none at all."""
    wrong, right = "the cell is empty", f"leave others out by reader.where{_telling(texts, stimulus, rows)}."
    if rows.size > 1 and all(texts[stimulus][i] in _NONE for i in rows):
        others = [name for name in texts if name not in {stimulus, "onset", "duration"}]
        wrong += ", and so are all others of this column"
        right = f"name another column by stimulus in [modality.reader] (there are {quoted_list(others)}), or {right}"
    return problem(
        source, f"row {row + 1}, column {quoted(stimulus)}", wrong, f"Every event needs a stimulus id; {right}"
    )


def _telling(texts: Mapping[str, tuple[str, ...]], stimulus: str, rows: np.ndarray) -> str:
    """Return the setting that would leave out the events without an id, if a column tells them from the others."""
    named = np.array([texts[stimulus][row] not in _NONE for row in rows])
    for name in sorted(texts, key=lambda column: column != "trial_type"):
        kinds = np.array([texts[name][row] for row in rows], dtype=object)
        wanted, others = sorted(set(kinds[named])), set(kinds[~named])
        if 0 < len(wanted) <= _MAX_KINDS and not others & set(wanted) and not set(wanted) & {*_NONE}:
            key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
            return f", e.g. where = {{ {key} = {json.dumps(wanted, ensure_ascii=False)} }}"
    return ""


def _seconds(
    texts: Sequence[str], rows: np.ndarray, source: str, name: str, default: Callable[[str], float | None]
) -> np.ndarray:
    values = np.empty(rows.size)
    for place, row in enumerate(int(r) for r in rows):
        text = texts[row]
        given = default(text)
        try:
            values[place] = float(text) if given is None else given
        except ValueError:
            values[place] = np.nan
        if not np.isfinite(values[place]):
            right = "Give seconds, a finite number."
            raise problem(source, f"row {row + 1}, column {quoted(name)}", f"{quoted(text)} is no time", right)
    return values
