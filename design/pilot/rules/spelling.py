"""Names that differ only in their spelling: S1 and s1, 1 and 01, sub-1 and 1, run_1 and run-1.

In: a column of names and what the study file says of this kind of name. Out: the column, with one spelling each if the user says
that they are one. Errors: two spellings of which the user has not said whether they are one; a ``BadInput`` that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from brainworth.design.common.messages import problem, quoted, quoted_list
from brainworth.design.pilot.rules.answers import either, lines
from brainworth.design.pilot.rules.identity import folded

WORDS = {"subject": "person", "stimulus": "stimulus", "group": "group", "session": "session", "label": "class"}
"""What a name of each kind stands for."""
_SEVERAL = {"subject": "people", "stimulus": "stimuli", "group": "groups", "session": "sessions", "label": "classes"}


def options(kind: str) -> list[tuple[str, str]]:
    """Return the lines of the study file that say whether two spellings are one, and what they mean."""
    return [
        (lines("[study.spelling]", kind, "merge"), f"they are one {WORDS[kind]}"),
        (lines("[study.spelling]", kind, "exact"), f"they are different {_SEVERAL[kind]}"),
    ]


def spellings(names: np.ndarray) -> list[list[str]]:
    """Return the names that differ only in spelling, group by group, in order of first appearance."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names.tolist()):
        groups.setdefault(folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def one_spelling(
    names: np.ndarray, kind: str, said: str | None, source: str, place: Callable[[int], str]
) -> tuple[np.ndarray, list[str]]:
    """Return names with one spelling each, and remarks.

    Parameters
    ----------
    names : ndarray of str
        A column of names.
    kind : str
        subject, stimulus, group, session or label.
    said : str or None
        "merge", "exact", or nothing.
    source : str
        How messages call the table.
    place : callable
        How messages call a row.

    Raises
    ------
    BadInput
        Two spellings occur, and nothing is said.
    """
    found = [] if said == "exact" else spellings(names)
    if not found:
        return names, []
    if said is None:
        row = int(np.flatnonzero(names == found[0][1])[0])
        more = f" ({len(found)} such groups in all)" if len(found) > 1 else ""
        wrong = f"{quoted(found[0][1])} differs from {quoted(found[0][0])} only in its spelling{more}"
        raise problem(source, f"{place(row)}, column {quoted(kind)}", wrong, either("Write them alike.", options(kind)))
    first = {name: group[0] for group in found for name in group}
    merged = np.array([first.get(name, name) for name in names.tolist()], dtype=object)
    told = "; ".join(f"{quoted_list(group[1:])} as {quoted(group[0])}" for group in found[:8])
    return merged, [f"{source}: spellings of one {WORDS[kind]} are read as one: {told}."]


def unknown_spelling(name: str, known: Mapping[str, object]) -> str | None:
    """Return the one known name that an unknown one differs from in its spelling only, if there is one."""
    near = [other for other in known if folded(other) == folded(name)]
    return near[0] if len(near) == 1 else None
