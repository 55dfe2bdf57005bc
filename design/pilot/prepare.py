"""The tables of a pilot as they are used: one spelling of every name, no copies, no missing values, nothing that is no measurement.

In: the tables as they were read, and what the study file says about spellings. Out: the tables that ``build`` turns into a pilot,
and remarks. Errors: what ``rules`` refuse or ask about; each is a ``BadInput`` with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import problem, quoted, quoted_list
from brainworth.design.pilot.rules.answers import either
from brainworth.design.pilot.rules.cleaning import cleaned, without, without_copies
from brainworth.design.pilot.rules.duplicates import first_equal, labels_twice
from brainworth.design.pilot.rules.plausible import columns_that_copy, counters, gross_outliers
from brainworth.design.pilot.rules.raters import one_label_a_row, rater_codes
from brainworth.design.pilot.rules.spelling import one_spelling, unknown_spelling
from brainworth.design.pilot.tables.tables import Table

HEAD_ROWS = 4096
"""Rows of a table left on disk whose values are looked at before the passes over all of it."""
_SHOWN = 3


@dataclass(frozen=True)
class PilotTables:
    """The tables of a study with a pilot."""

    stimuli: Table
    """Read as ``STIMULI``."""
    labels: Table
    """Read as ``LABELS`` or ``BINARY_LABELS``."""
    recordings: Mapping[str, Table]
    """By modality, read as ``RECORDINGS``; modalities without a pilot are absent."""

    @property
    def all(self) -> tuple[Table, ...]:
        """Every table."""
        return (self.stimuli, self.labels, *self.recordings.values())


def prepared(tables: PilotTables, spelling: Mapping[str, str | None]) -> PilotTables:
    """Return the tables after every rule that needs no fit was applied to them.

    Parameters
    ----------
    tables : PilotTables
        As they were read.
    spelling : mapping of str to str or None
        "merge" or "exact" by kind of name (``[study.spelling]``); absent or None: ask.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    given = tables.stimuli.keys["stimulus"]
    stimuli = _spelled(_spelled(tables.stimuli, "stimulus", spelling), "group", spelling)
    stimuli = cleaned(stimuli, "stimuli")
    known = dict.fromkeys(stimuli.keys["stimulus"].tolist())
    gone = set(given.tolist()) - set(known) if len(stimuli) < len(given) else set[str]()
    labels = cleaned(_spelled(one_label_a_row(tables.labels), "label", spelling), "labels")
    labels = _of_stimuli(_renamed(labels, known, spelling), gone, "labels")
    labels = _without_copied_labels(labels)
    recordings: dict[str, Table] = {}
    for name, table in tables.recordings.items():
        spelled = _spelled(_spelled(table, "subject", spelling), "session", spelling)
        recordings[name] = _measured(_of_stimuli(_renamed(spelled, known, spelling), gone, "samples"))
    stimuli = _noted_features(stimuli)
    target = _mean_label(labels)
    stimuli = _noted_label(stimuli, target) if len(stimuli.columns) == 1 else stimuli
    _refuse_label(stimuli, target, "feature")
    for table in recordings.values():
        _refuse_label(_head(table), target, "channel")
    return PilotTables(stimuli, _noted_labels(labels), recordings)


def _spelled(table: Table, kind: str, spelling: Mapping[str, str | None]) -> Table:
    """Return a table whose names of one kind have one spelling each; sessions are compared within a person."""
    if kind not in table.keys:
        return table
    names, notes = table.keys[kind].copy(), list(table.notes)
    parts = [np.arange(len(names))]
    if kind == "session":
        people = table.keys["subject"]
        parts = [np.flatnonzero(people == who) for who in dict.fromkeys(people.tolist())]
    for rows in parts:
        place = lambda row, rows=rows: table.place(int(rows[row]))  # noqa: E731
        names[rows], more = one_spelling(names[rows], kind, spelling.get(kind), table.source, place)
        notes += [note for note in more if note not in notes]
    return replace(table, keys=table.keys | {kind: names}, notes=tuple(notes))


def _renamed(table: Table, known: Mapping[str, None], spelling: Mapping[str, str | None]) -> Table:
    """Return a table whose stimuli are spelt as in the table of stimuli, if the study file says that spellings are one."""
    ids = table.keys["stimulus"]
    if spelling.get("stimulus") != "merge":
        return table
    new = {name: unknown_spelling(name, known) for name in set(ids.tolist()) - set(known)}
    new = {name: other for name, other in new.items() if other is not None}
    if not new:
        return table
    told = f"{table.source}: {len(new)} ids of stimuli are spelt otherwise than in the table of stimuli and read as the same."
    keys = table.keys | {"stimulus": np.array([new.get(name, name) for name in ids.tolist()], dtype=object)}
    return replace(table, keys=keys, notes=(*table.notes, told))


def _of_stimuli(table: Table, gone: set[str], unit: str) -> Table:
    """Return a table without the rows of stimuli that were left out."""
    if not gone:
        return table
    kept = np.array([name not in gone for name in table.keys["stimulus"].tolist()], dtype=bool)
    if table.rows is not None and not kept.all():
        row = int(np.flatnonzero(~kept)[0])
        right = "Leave the samples of such stimuli out of the file, or read it into memory by stream = false."
        raise problem(
            table.source, table.place(row, "stimulus"), "the stimulus was left out for a missing value", right
        )
    return without(table, kept, "left out, because a feature of their stimulus is missing", unit)


def _measured(table: Table) -> Table:
    """Return recordings after their values were checked; of a table left on disk, the first rows are looked at here."""
    _require_numbered(table)
    table = without_copies(cleaned(table, "samples"))
    head = _head(table)
    if table.rows is not None:
        without_copies(cleaned(head, "samples"))
        if table.answers.duplicates == "drop":
            right = "Leave the copies out of the file, or read it into memory by stream = false."
            raise problem(table.source, f"{table.answers.section} duplicates", "the numbers are read in slices", right)
    _refuse_counters(head, "channel")
    return table


def _require_numbered(table: Table) -> None:
    """Raise ``BadInput`` if presentations of a stimulus are numbered, but two have one number."""
    if "repeat" not in table.keys:
        return
    parts = [table.keys[n].tolist() for n in ("subject", "stimulus", "session", "repeat") if n in table.keys]
    seen: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*parts, strict=True)):
        if seen.setdefault(key, row) != row:
            wrong = f"subject, stimulus, session and repeat are the same as in {table.place(seen[key])}"
            right = "Number the presentations of a stimulus in the column repeat, or leave that column out."
            raise problem(table.source, table.place(row), wrong, right)


def _head(table: Table) -> Table:
    """Return a table itself, or the first rows of one that stays on disk."""
    if table.rows is None:
        return table
    rows = np.arange(min(HEAD_ROWS, len(table)))
    values = np.asarray(table.rows.read(0, rows.size), dtype=np.float64)
    return replace(replace(table, values=values, rows=None, keys={n: k[rows] for n, k in table.keys.items()}))


def _refuse_counters(table: Table, word: str) -> None:
    """Raise ``BadInput`` for columns that only count the rows."""
    people = table.keys["subject"].tolist() if "subject" in table.keys else []
    where = counters(table.values, people)
    names = [table.columns[i] for i in where if table.columns[i] not in table.answers.keep]
    if names:
        options = [
            (table.answers.lines("ignore", names), "leave out"),
            (table.answers.lines("keep", names), f"use as a {word}"),
        ]
        shown = ", ".join(f"{v:g}" for v in table.values[:_SHOWN, where[0]])
        wrong = f"its values count the rows ({shown}, ...), as no {word} does"
        raise problem(table.source, f"column {quoted(names[0])}", wrong, either("", options).strip())


def _noted_features(table: Table) -> Table:
    """Return the stimuli with remarks about gross outliers and equal stimuli, after counters were refused."""
    if not table.columns:
        return table
    _refuse_counters(table, "feature")
    notes = [note for i in range(len(table.columns)) if (note := _outliers(table, i))]
    twice = (
        np.flatnonzero(first_equal(table.values) != np.arange(len(table))) if np.isfinite(table.values).all() else []
    )
    if len(twice):
        ids = table.keys["stimulus"]
        notes.append(
            f"{table.source}: {len(twice)} stimuli have the features of another one, e.g. {quoted(ids[twice[0]])}."
        )
    return replace(table, notes=(*table.notes, *notes[:8]))


def _noted_labels(table: Table) -> Table:
    if "label" in table.keys or "label" not in table.columns:
        return table
    note = _outliers(table, table.columns.index("label"))
    return replace(table, notes=(*table.notes, note)) if note else table


def _outliers(table: Table, column: int) -> str:
    """Return the remark about gross outliers of a column, or nothing."""
    values = table.values[:, column]
    rows = gross_outliers(values) if np.isfinite(values).all() else []
    if not len(rows):
        return ""
    row, name = int(rows[0]), table.columns[column]
    lower, upper = np.quantile(values, [0.25, 0.75])
    some = f"{len(rows)} values lie" if len(rows) > 1 else "the value lies"
    return (
        f"{table.source}: {table.place(row, name)}: {values[row]:g}: {some} far outside of the middle half of the others, "
        f"{lower:g} to {upper:g}: check whether they are real."
    )


def _without_copied_labels(table: Table) -> Table:
    """Return labels without copies, if the study file says so; ``BadInput`` if it says nothing and there are some."""
    if table.answers.duplicates == "keep" or not len(table):
        return table
    stimulus = np.unique(table.keys["stimulus"].astype(str), return_inverse=True)[1].reshape(-1)
    raters = rater_codes(table)
    first = labels_twice(stimulus * (int(raters.max()) + 1) + raters, _label_numbers(table))
    copied = first != np.arange(len(table))
    if not copied.any():
        return table
    if table.answers.duplicates == "drop":
        return without(table, ~copied, "left out, because they are copies of others", "labels")
    raise _labels_copied(table, int(np.flatnonzero(copied)[0]), first, int(copied.sum()))


def _labels_copied(table: Table, row: int, first: Int[np.ndarray, " label"], total: int) -> BadInput:
    wrong = f"stimulus and label are those of {table.place(int(first[row]))} ({total} such labels in all): labels are given twice"
    options = [
        (table.answers.lines("duplicates", "drop"), "use each once"),
        (table.answers.lines("duplicates", "keep"), "they are labels of their own"),
    ]
    return problem(table.source, table.place(row), wrong, either("", options).strip())


def _label_numbers(table: Table) -> Float[np.ndarray, " label"]:
    """Return labels as numbers; classes by their order."""
    if "label" in table.keys:
        return np.unique(table.keys["label"].astype(str), return_inverse=True)[1].reshape(-1).astype(float)
    return table.values[:, table.columns.index("label")]


def _mean_label(table: Table) -> dict[str, float]:
    """Return the mean label of every labelled stimulus."""
    ids, where = np.unique(table.keys["stimulus"].astype(str), return_inverse=True)
    values, where = _label_numbers(table), where.reshape(-1)
    if not np.isfinite(values).all():
        return {}
    means = np.bincount(where, weights=values) / np.bincount(where)
    return dict(zip(ids.tolist(), means.tolist(), strict=True))


def _noted_label(table: Table, target: Mapping[str, float]) -> Table:
    """Return the stimuli with a remark if their only feature is the label, which cannot be left out then."""
    try:
        _refuse_label(table, target, "feature")
    except BadInput:
        note = f"{table.source}: the only feature, {quoted(table.columns[0])}, is the label itself, but for its unit."
        answers = replace(table.answers, keep=(*table.answers.keep, *table.columns))
        return replace(table, notes=(*table.notes, note), answers=answers)
    return table


def _refuse_label(table: Table, target: Mapping[str, float], word: str) -> None:
    """Raise ``BadInput`` for a feature or channel that is the label itself."""
    rows = np.array([i for i, name in enumerate(table.keys["stimulus"].tolist()) if name in target], dtype=int)
    whole = np.flatnonzero(np.isfinite(table.values[rows]).all(axis=0)) if rows.size else np.array([], dtype=int)
    if not whole.size:
        return
    goal = np.array([target[str(table.keys["stimulus"][i])] for i in rows.tolist()])
    if np.unique(goal).size < 2:
        return
    found = whole[columns_that_copy(goal, table.values[rows][:, whole])]
    names = [table.columns[int(i)] for i in found if table.columns[i] not in table.answers.keep]
    if names:
        options = [
            (table.answers.lines("ignore", names), "leave out"),
            (table.answers.lines("keep", names), f"use as a {word}"),
        ]
        wrong = f"it is the label: the {word} equals the label of every stimulus, but for its unit"
        raise problem(
            table.source,
            f"column {quoted(names[0])}",
            wrong,
            either(f"{quoted_list(names)} would tell the answer.", options),
        )
