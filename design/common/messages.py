"""Messages of the form the user is promised: file, place, what is wrong, what would be right; one paragraph.

In: the parts of a sentence. Out: a ``BadInput`` whose text holds no line break and no control character, whatever the file
contained. A message that grows too long is cut.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from decimal import Decimal

from brainworth.design.common.errors import BadInput

MAX_SHOWN = 80
"""Longest piece of user text that is quoted in a message."""
_MAX_MESSAGE = 1200


def one_line(text: object, limit: int = _MAX_MESSAGE) -> str:
    """Return text as one line without control characters, cut after ``limit`` characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def quoted(value: object) -> str:
    """Return a short, printable, quoted form of something the user wrote."""
    return f"'{one_line(value, MAX_SHOWN)}'"


def quoted_list(values: Iterable[object], limit: int = 8) -> str:
    """Return ``'a', 'b' and 3 more``: the first ``limit`` values, quoted."""
    items = list(values)
    shown = ", ".join(quoted(v) for v in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known word, or an empty string."""
    known = [str(k) for k in known]
    folded = {k.casefold().lstrip("0"): k for k in reversed(known)}
    same = folded.get(word.strip().casefold().lstrip("0"))
    near = [same] if same is not None else difflib.get_close_matches(word[:MAX_SHOWN], known[:20_000], n=1, cutoff=0.6)
    return f" Did you mean {quoted(near[0])}?" if near else ""


def amount(value: float | Decimal, currency: str = "") -> str:
    """Return an amount of money in a sentence: "12,000 USD", "7.50 USD"."""
    return f"{f'{value:,.2f}'.removesuffix('.00')} {currency}".strip()


def problem(file: object, place: str, wrong: str, right: str) -> BadInput:
    """Return the error "file: place: what is wrong. What would be right.".

    Parameters
    ----------
    file : object
        The file (or the name of an in-memory table), as the user knows it.
    place : str
        Row and column, or the field; empty if the whole file is meant.
    wrong : str
        What is wrong, without a full stop.
    right : str
        What would be right, a sentence with its full stop.
    """
    where = f"{one_line(file, 200)}: {place}: " if place else f"{one_line(file, 200)}: "
    return BadInput(one_line(f"{where}{wrong}. {right}"))


def require_whole(name: str, value: object, least: int, most: int) -> None:
    """Raise ``BadInput`` unless a value is a whole number within limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise problem(name, "", f"got {quoted(value)}", f"Give a whole number from {least:,} to {most:,}.")
