"""What the study file says about doubtful things in one table, and the lines that would say it.

In: the keys ``columns``, ``ignore``, ``keep``, ``missing``, ``duplicates`` of a section, and ``[study.spelling]``. Out:
``Answers``, which the rules ask before they ask the user.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Duplicates = Literal["drop", "keep"]
Spelling = Literal["merge", "exact"]


@dataclass(frozen=True)
class Answers:
    """What the user has said about one table."""

    section: str = ""
    """Section of the study file that holds the keys; empty for tables that have none."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    keep: tuple[str, ...] = ()
    """Columns to use, whatever they look like."""
    missing: tuple[float | str, ...] | None = None
    """Values that mean "no value"; ``None``: the user has not said, an empty tuple: there are none."""
    duplicates: Duplicates | None = None
    """What to do with rows that occur twice; ``None``: ask."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """By a column's name in the table: the key that it is."""
    may_lack: bool = False
    """Whether the table may lack columns of ``columns``: they were said of another table of its kind."""
    spelling: Mapping[str, Spelling] = field(default_factory=dict)
    """By key: whether names that differ in spelling are one ("merge") or several ("exact"); absent: ask."""

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers among the missing values."""
        return tuple(float(v) for v in self.missing or () if not isinstance(v, str))

    @property
    def words(self) -> tuple[str, ...]:
        """The texts among the missing values."""
        return tuple(v for v in self.missing or () if isinstance(v, str))

    def lines(self, key: str, value: object) -> str:
        """Return the two lines of the study file that set a key, as they are shown within a sentence."""
        return lines(self.section or "[modality.reader]", key, value)


def lines(section: str, key: str, value: object) -> str:
    """Return ``[section] key = value``: two lines of the study file, shown within a sentence."""
    if isinstance(value, tuple | list | set):
        value = list(value)
    return f"{section} {key} = {json.dumps(value, ensure_ascii=False)}"


def either(question: str, options: Iterable[tuple[str, str]]) -> str:
    """Return "Say in the study file: LINES (meaning), or LINES (meaning)." for the answers to a question."""
    shown = ", or ".join(f"{text} ({meaning})" for text, meaning in options)
    return f"{question} Answer in the study file: {shown}."
