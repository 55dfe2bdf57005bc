"""Prices: a number, or ``[low, high]`` as a 90 % interval.

In: what the study file says. Out: ``Money``, which knows its mean and its quantiles. What can go wrong: a negative,
infinite or reversed price; the message says which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from .config_errors import value_problem

_Z95 = 1.6448536269514722
_MAX_PRICE = 1e15


@dataclass(frozen=True)
class Money:
    """An amount of money, known or as the 5 % and 95 % points of what is believed about it.

    An uncertain price is log-normal; with a lower end of 0 it is a normal one cut at 0 (5 % of it is then 0).
    """

    low: float
    """5 % point, in the currency of the budget."""
    high: float
    """95 % point; equal to ``low`` for a known price."""

    @property
    def certain(self) -> bool:
        """Whether the price is one number."""
        return self.low == self.high

    @property
    def mean(self) -> float:
        """Mean of the believed price."""
        if self.certain:
            return self.low
        if self.low > 0:
            spread = math.log(self.high / self.low) / (2 * _Z95)
            return math.sqrt(self.low * self.high) * math.exp(spread**2 / 2)
        centre, spread = self.high / 2, self.high / (2 * _Z95)
        below = math.erfc(_Z95 / math.sqrt(2)) / 2
        density = math.exp(-(_Z95**2) / 2) / math.sqrt(2 * math.pi)
        return centre * (1 - below) + spread * density

    def quantile(self, level: Float[np.ndarray, " draw"]) -> Float[np.ndarray, " draw"]:
        """Return the quantiles of the believed price at ``level`` in (0, 1): feed uniforms to draw from it."""
        from scipy.special import ndtri

        if self.certain:
            return np.full(np.shape(level), self.low)
        z = np.asarray(ndtri(level)) / _Z95
        if self.low > 0:
            return np.sqrt(self.low * self.high) * (self.high / self.low) ** (z / 2)
        return np.maximum(0.0, self.high / 2 * (1 + z))


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise value_problem(f"got {value!r}", "A price is a number, or [low, high] as a 90 % interval.")
    if not math.isfinite(value):
        raise value_problem(f"the price {value} is not finite", "A price is a number of at least 0.")
    if value < 0:
        raise value_problem(f"the price {value} is negative", "A price is a number of at least 0.")
    if value > _MAX_PRICE:
        raise value_problem(f"the price {value} is too large", f"A price is at most {_MAX_PRICE:g}.")
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
