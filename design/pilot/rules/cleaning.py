"""A table after its values were checked: codes for missing values, sizes, copies of rows.

In: a ``Table`` in memory. Out: the table without the rows that the study file says to leave out, and with a ``Loss`` for each
reason and person. Errors: values that no one can compute with, and doubtful ones of which the study file says nothing; each is a
``BadInput`` that asks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import problem, quoted, quoted_list
from brainworth.design.pilot.rules.answers import either
from brainworth.design.pilot.rules.duplicates import equal_rows
from brainworth.design.pilot.rules.identity import is_missing
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.rules.plausible import MAX_SIZE, MIN_SPREAD, codes_among, too_large, too_little_spread
from brainworth.design.pilot.tables.tables import Table


def without(table: Table, kept: Bool[np.ndarray, " row"], reason: str, unit: str) -> Table:
    """Return some of the rows, and a ``Loss`` for those that are left out, person by person."""
    if kept.all():
        return table
    people = table.keys.get("subject")
    if people is None:
        losses = [Loss(table.source, reason, int(np.sum(~kept)), len(kept), None, unit)]
    else:
        losses = [
            Loss(table.source, reason, int(np.sum(~kept & mine)), int(mine.sum()), str(who), unit)
            for who in dict.fromkeys(people.tolist())
            if np.any(~kept & (mine := people == who))
        ]
    return replace(table.take(np.flatnonzero(kept)), losses=(*table.losses, *losses))


def cleaned(table: Table, unit: str) -> Table:
    """Return the table after its values were checked and its missing values left out.

    Parameters
    ----------
    table : Table
        Stimuli, labels or recordings in memory.
    unit : str
        What its rows are called: stimuli, labels, samples.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    if table.rows is not None:
        return table
    require_plausible(table, unit)
    if table.answers.missing is None:
        return table
    values = np.where(np.isin(table.values, table.answers.codes), np.nan, table.values)
    table = replace(table, values=values)
    if not table.answers.missing:
        return table
    kept = ~_incomplete(table)
    if not kept.any():
        right = f"At least some {unit} must hold values."
        raise problem(table.source, f"{table.answers.section} missing", f"it leaves none of the {unit}", right)
    return without(table, kept, "left out, because a value is missing", unit)


def require_plausible(table: Table, unit: str) -> None:
    """Raise ``BadInput`` for numbers that no one can compute with, and for codes of which the study file says nothing."""
    _require_sizes(table)
    if table.answers.missing is None:
        _ask_about_codes(table, unit)


def _incomplete(table: Table) -> Bool[np.ndarray, " row"]:
    """Return the rows in which a value is missing; a channel that a person lacks throughout is no loss of samples."""
    bad = np.zeros(len(table), dtype=bool)
    if "label" in table.keys:
        bad |= np.array([_no_label(table, text) for text in table.keys["label"].tolist()], dtype=bool)
    if "subject" not in table.keys:
        return bad | np.isnan(table.values).any(axis=1)
    people = table.keys["subject"]
    for who in dict.fromkeys(people.tolist()):
        mine = people == who
        there = ~np.isnan(table.values[mine]).all(axis=0)
        bad[mine] = np.isnan(table.values[mine][:, there]).any(axis=1) if there.any() else True
    return bad


def _no_label(table: Table, text: str) -> bool:
    try:
        return is_missing(text, "label", table.answers) or float(text) in table.answers.codes
    except ValueError:
        return False


def _require_sizes(table: Table) -> None:
    large = too_large(table.values)
    if large.any():
        row, column = (int(i) for i in np.argwhere(large)[0])
        wrong = f"the number {table.values[row, column]:g} is too large"
        right = f"Numbers are at most {MAX_SIZE:g}: choose another unit, or correct the cell."
        raise problem(table.source, table.place(row, table.columns[column]), wrong, right)
    alike = np.flatnonzero(too_little_spread(table.values))
    if alike.size:
        wrong = f"its values differ by less than {MIN_SPREAD:g}"
        raise problem(table.source, f"column {quoted(table.columns[alike[0]])}", wrong, "Choose another unit.")


def _ask_about_codes(table: Table, unit: str) -> None:
    """Raise ``BadInput`` for the first value that is usually a code for "no value", far from all others."""
    values, names = table.values, table.columns
    if "label" in table.keys:
        values, names = _numeric_classes(table), ("label",)
    found = codes_among(values)
    if not found:
        return
    odd = found[0]
    row = int(np.flatnonzero(values[:, odd.column] == odd.value)[0])
    codes = sorted({each.value for each in found})
    more = f" ({odd.count} such cells)" if odd.count > 1 else ""
    wrong = f"{odd.value:g}{more} is a usual code for a missing value, far outside of the others, {odd.low:g} to {odd.high:g}"
    options = [
        (
            table.answers.lines("missing", [int(c) if c.is_integer() and abs(c) < 1e15 else c for c in codes]),
            f"leave such {unit} out",
        ),
        (table.answers.lines("missing", []), "it is a real value"),
    ]
    raise problem(table.source, table.place(row, names[odd.column]), wrong, either("", options).strip())


def _numeric_classes(table: Table) -> np.ndarray:
    """Return the labels of a binary task as numbers; none of them if they are words."""
    try:
        return np.array([[float(text)] for text in table.keys["label"].tolist()])
    except ValueError:
        return np.zeros((len(table), 0))


def without_copies(table: Table) -> Table:
    """Return recordings without samples that equal another one in every channel, if the study file says so.

    Raises
    ------
    BadInput
        There are such samples, they cannot be chance, and the study file says nothing about them.
    """
    if table.rows is not None or len(table) < 2 or not table.columns or table.answers.duplicates == "keep":
        return table
    first = equal_rows(table.values)
    copied = first != np.arange(len(table))
    if not copied.any():
        return table
    if table.answers.duplicates == "drop":
        return without(table, ~copied, "left out, because another sample has equal values in every channel", "samples")
    raise _copied(table, first, copied)


def _copied(table: Table, first: np.ndarray, copied: np.ndarray) -> BadInput:
    row = int(np.flatnonzero(copied)[0])
    subject, stimulus = table.keys["subject"], table.keys["stimulus"]
    same = [int(np.sum(copied & (key == key[first]))) for key in (subject, stimulus)]
    total = int(copied.sum())
    if same[0] < total:
        people = sorted({str(p) for p in (*subject[copied], *subject[first[copied]])})
        what = f"recordings of {quoted_list(people)} are copies of each other"
    elif same[1] < total:
        what = "one sample is given to different stimuli"
    else:
        what = "samples are given twice"
    wrong = f"every channel equals that of {table.place(int(first[row]))} ({total} such samples in all): {what}"
    options = [
        (table.answers.lines("duplicates", "drop"), "use each once"),
        (table.answers.lines("duplicates", "keep"), "they are measurements of their own"),
    ]
    right = either("Measured values never agree in every digit by chance.", options)
    return problem(table.source, table.place(row), wrong, right)
