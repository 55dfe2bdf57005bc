"""How the cell of a numeric column is read, in every format.

In: a cell: text, bytes, a number, a decimal. Out: a float, NaN for "no value". Anything else is a ``ValueError``; numbers that no
computation can square are refused where a table is complete (``plausible``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from brainworth.design.pilot.rules.identity import MISSING_WORDS

_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\uff0b": "+"})
"""Minus and plus signs of typography."""


def number_of_text(text: str) -> float:
    """Return the number that a text stands for, NaN for "no value"; ``ValueError`` for anything else.

    No-break spaces around a number and typographic minus signs are read as what they look like.
    """
    text = text.strip()
    if text.casefold() in MISSING_WORDS:
        return np.nan
    if "_" in text:
        raise ValueError(text)
    return float(text.translate(_SIGNS))


def number_of(value: Any) -> float:
    """Return a cell as a number, NaN for a missing one; ``ValueError`` for anything else."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return np.nan
    if isinstance(value, bytes):
        return number_of_text(value.decode("utf-8", "replace"))
    if isinstance(value, str):
        return number_of_text(value)
    real = isinstance(value, bool | int | float | np.number | np.bool_ | Decimal)
    if real and not isinstance(value, np.complexfloating):
        try:
            return float(value)
        except OverflowError:  # a whole number beyond every float
            return np.inf
    raise ValueError(str(value))
