"""The columns of a table: which must and may be there, and which of them are keys.

A column that is missing, doubled or not expected is a ``BadInput`` that names it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.rules.answers import Answers
from brainworth.design.pilot.rules.identity import measured, require_known
from brainworth.design.pilot.rules.raters import rater_columns

MAX_COLUMNS = 50_000
_OFTEN = {
    "stimulus": ("word", "words", "item", "image", "picture", "sound", "sentence", "stim", "id", "text", "target"),
    "label": ("rating", "score", "response", "answer", "value", "target", "y", "judgement", "judgment", "class"),
    "subject": ("participant", "person", "sub", "subj", "proband", "id", "participant_id", "subject_id"),
}
"""What the keys are often called."""


@dataclass(frozen=True)
class Wanted:
    """Which columns a table must and may have."""

    required: tuple[str, ...]
    """Keys (text) that must be there."""
    optional: tuple[str, ...] = ()
    """Keys (text) that may be there."""
    numbers: tuple[str, ...] | None = None
    """Numeric columns that must be there; ``None``: all columns that are no keys, at least one."""
    may_lack_numbers: bool = False
    """Whether a table without any numeric column will do, where ``numbers`` is ``None``."""
    number_word: str = "numeric"
    """What a numeric column is called: feature, channel, label."""
    answers: Answers = field(default_factory=Answers)
    """What the study file says about doubtful columns and values."""


def _of_raters(names: Sequence[str], wanted: Wanted) -> Wanted:
    """Return what is wanted of labels, if each rater's are in a column of their own."""
    raters = rater_columns(names, wanted.answers) if wanted.number_word == "label" else ()
    if not raters:
        return wanted
    if wanted.numbers:
        return replace(wanted, numbers=raters)
    return replace(wanted, required=(*(name for name in wanted.required if name != "label"), *raters))


def check_columns(names: Sequence[str], wanted: Wanted, source: str) -> None:
    """Raise ``BadInput`` if a header is empty, doubled or lacks a wanted column."""
    wanted = _of_raters(names, wanted)
    if len(names) > MAX_COLUMNS:
        raise problem(source, "", f"the table has {len(names)} columns", f"At most {MAX_COLUMNS} can be read.")
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise problem(source, f"column {number}", "the column has no name", "The first row must name every column.")
        if name in seen:
            raise problem(
                source, f"column {quoted(name)}", "two columns have this name", "Give each column its own name."
            )
        seen.add(name)
    needed = (*wanted.required, *(wanted.numbers or ()))
    for name in needed:
        if name not in seen:
            right = f"The table has the columns {quoted_list(names)}; it needs {', '.join(needed)}.{_mapping(name, names, wanted)}"
            raise problem(source, f"column {quoted(name)}", "the column is missing", right)
    lacks = wanted.numbers is None and not seen - {*wanted.required, *wanted.optional}
    if lacks and not wanted.may_lack_numbers:
        raise problem(
            source,
            "",
            f"the table has no {wanted.number_word} column",
            f"{', '.join((*wanted.required, *wanted.optional))} do not count; add at least one.",
        )


def _mapping(name: str, names: Sequence[str], wanted: Wanted) -> str:
    """Return how the study file says which column is a key; without a label, also that several are raters'."""
    free = [n for n in names if n not in (*wanted.required, *wanted.optional)]
    hint, section = did_you_mean(name, free), wanted.answers.section
    if not section or not free:
        return hint
    near = difflib.get_close_matches(name, free, n=1) or [
        n for n in free if n.strip().casefold() in _OFTEN.get(name, ())
    ]
    one = near[0] if near else free[0] if len(free) == 1 else "its name here"
    text = f"{hint} If it has another name there, say so in the study file: {section} columns = {_pairs([one], name)}."
    if name == "label" and len(free) > 1:
        text += f" If each column holds the labels of one rater: {section} columns = {_pairs(free, name)}."
    return text


def _pairs(names: Sequence[str], key: str) -> str:
    shown = ", ".join(f"{json.dumps(n, ensure_ascii=False)} = {json.dumps(key)}" for n in names[:3])
    return f"{{ {shown}{', ...' if len(names) > 3 else ''} }}"


def split_columns(names: Iterable[str], wanted: Wanted, source: str) -> tuple[list[str], list[str], list[str]]:
    """Return the names of the key, the numeric and the ignored columns.

    Raises
    ------
    BadInput
        It is doubtful whether a column holds numbers of the study (``rules.identity.measured``), or none is left.
    """
    names = list(names)
    wanted = _of_raters(names, wanted)
    keys = [n for n in names if n in wanted.required or n in wanted.optional]
    others = [n for n in names if n not in keys]
    if wanted.numbers is not None:
        return keys, [n for n in others if n in wanted.numbers], [n for n in others if n not in wanted.numbers]
    require_known(others, wanted.answers, source)
    numbers, ignored = measured(others, wanted.answers, source, wanted.number_word)
    if others and not numbers and not wanted.may_lack_numbers:
        right = f"Of its columns, {quoted_list(ignored)} are left out; add at least one."
        raise problem(source, "", f"the table has no {wanted.number_word} column", right)
    return keys, numbers, ignored
