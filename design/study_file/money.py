"""Prices: a number, or ``[low, high]`` as a 90 % interval.

In: what the study file says. Out: ``Money``, from which ``brainworth.design.allocation.costs`` makes bills. Errors: a negative,
infinite or reversed price; the message says which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from brainworth.design.common.hints import number_hint
from brainworth.design.common.messages import quoted
from brainworth.design.common.validation import value_problem

_MAX_PRICE = 1e30


@dataclass(frozen=True)
class Money:
    """An amount of money, known or as the 5 % and 95 % points of what is believed about it."""

    low: float
    """5 % point, in the currency of the budget."""
    high: float
    """95 % point; equal to ``low`` for a known price."""

    @property
    def certain(self) -> bool:
        """Whether the price is one number."""
        return self.low == self.high


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = number_hint(value) if isinstance(value, str) else ""
        raise value_problem(f"got {quoted(value)}", f"A price is a number, or [low, high] as a 90 % interval.{hint}")
    if value < 0:
        raise value_problem(f"the price {quoted(value)} is negative", "A price is a number of at least 0.")
    if not isinstance(value, int) and not math.isfinite(value):
        raise value_problem(f"the price {value} is not finite", "A price is a number of at least 0.")
    if value > _MAX_PRICE:
        raise value_problem(f"the price {quoted(value)} is too large", f"A price is at most {_MAX_PRICE:g}.")
    return float(value)


def parse_money(value: object) -> Money:
    """Return the price that a number or a ``[low, high]`` pair stands for, or raise a ``value_problem``."""
    if isinstance(value, Money):
        return value
    if isinstance(value, list | tuple):
        pair = cast("list[Any] | tuple[Any, ...]", value)
        if len(pair) != 2:
            raise value_problem(f"got {len(pair)} values", "A price interval has two: [low, high].")
        low, high = _amount(pair[0]), _amount(pair[1])
        if low > high:
            raise value_problem(f"the interval [{low:g}, {high:g}] is reversed", "Write [low, high], low first.")
        return Money(low, high)
    amount = _amount(value)
    return Money(amount, amount)


def _dump_money(money: Money) -> float | list[float]:
    return money.low if money.certain else [money.low, money.high]


_NUMBER = {"type": "number", "minimum": 0}
Price = Annotated[
    Money,
    BeforeValidator(parse_money),
    PlainSerializer(_dump_money),
    WithJsonSchema({"anyOf": [_NUMBER, {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}]}),
]
"""The pydantic type of a price."""
