"""Prices and price lists: a number, or ``[low, high]`` as a 90 % interval; graduated tiers; exact in any unit of money.

In: plain values. Out: ``Price`` and ``Schedule``, which charge whole-number counts in whole cents at the upper end of what is
believed. A cent is the smallest amount that is told apart: a hundredth of the currency unit, or what ``cent_of`` makes of the
size of the budget, so that a study in millions, or in an inflated currency, is planned to the same number of digits. A negative,
reversed or non-finite price, or tiers out of order, raise ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.errors import BadInput

Counts = Int[np.ndarray, "..."]
CENT = 10_000
"""Parts of a cent in which prices are kept."""
HUNDREDTH = Decimal("0.01")
"""The cent of a problem whose size is not known."""
DIGITS = 8
"""A budget is at least this power of ten cents."""
MOST_DIGITS = 11
"""A budget is below ten times this power of ten cents."""
PRICE_DIGITS = 4
"""The largest price is at least this power of ten cents, where there is no budget."""
MOST_CENTS = 10**14
"""Largest amount that is told apart from a larger one."""
_MOST_MICRO = 2 * 10**18
_Z95 = 1.6448536269514722


def _decimal(value: object, name: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise BadInput(f"The price '{name}' must be a number or [low, high]. Got {value!r} instead.") from None
    if not amount.is_finite() or amount < 0:
        raise BadInput(f"The price '{name}' must be finite and at least 0. Got {value} instead.")
    return amount


@dataclass(frozen=True)
class Price:
    """A price, known or believed: a 90 % interval of a log-normal (of a half-cut normal if it starts at 0)."""

    low: Decimal = Decimal(0)
    """5 % point, in currency units."""
    high: Decimal = Decimal(0)
    """95 % point; equal to ``low`` for a known price. This is what a plan is charged."""

    @classmethod
    def of(cls, value: object, name: str = "price") -> Price:
        """Return the price that a number, a pair, or an object with ``low`` and ``high`` stands for."""
        if isinstance(value, Price):
            return value
        low, high = getattr(value, "low", None), getattr(value, "high", None)
        if low is None and isinstance(value, Sequence) and not isinstance(value, str):
            if len(value) != 2:
                raise BadInput(f"The interval '{name}' must be [low, high]. Got {len(value)} values instead.")
            low, high = value[0], value[1]
        if low is None or high is None:
            low = high = value
        price = cls(_decimal(low, name), _decimal(high, name))
        if price.low > price.high:
            raise BadInput(f"The interval '{name}' must be [low, high]. Got [{price.low}, {price.high}] instead.")
        return price

    def parts(self, cent: Decimal) -> int:
        """Return the upper end in parts of a cent, rounded up."""
        return int((self.high * CENT / cent).to_integral_value(rounding=ROUND_CEILING))

    def scaled(self, factor: Decimal) -> Price:
        """Return the price times a factor (escalation, hours per session)."""
        return Price(self.low * factor, self.high * factor)

    def quantile(self, normal: Float[np.ndarray, " draw"]) -> Float[np.ndarray, " draw"]:
        """Return the believed price at standard normal scores, in currency units."""
        low, high = float(self.low), float(self.high)
        z = normal / _Z95
        if low == high:
            return np.full(normal.shape, high)
        if low > 0:
            return np.sqrt(low * high) * (high / low) ** (z / 2)
        return np.maximum(0.0, high / 2 * (1 + z))


@dataclass(frozen=True)
class PriceTier:
    """A price that holds for the units above a threshold."""

    above: int
    """Units charged at earlier prices."""
    price: Price
    """Price of each unit after them."""


@dataclass(frozen=True)
class Schedule:
    """A price list: a base price and graduated tiers."""

    base: Price = Price()
    tiers: tuple[PriceTier, ...] = ()
    cent: Decimal = HUNDREDTH
    """The smallest amount that is told apart, in currency units."""

    def __post_init__(self) -> None:
        above = [tier.above for tier in self.tiers]
        if above != sorted(set(above)) or any(a < 1 for a in above):
            raise BadInput(f"The tiers of a price must start at increasing counts of at least 1. Got {above} instead.")

    @property
    def certain(self) -> bool:
        """Whether every price of the list is one number."""
        return all(p.low == p.high for p in (self.base, *(t.price for t in self.tiers)))

    def _segments(self, count: Counts) -> list[tuple[Price, Counts]]:
        """Return how many units are charged at each price."""
        edges = [0, *(tier.above for tier in self.tiers)]
        prices = [self.base, *(tier.price for tier in self.tiers)]
        tops = [*edges[1:], None]
        return [
            (price, np.clip(count - edge, 0, None if top is None else top - edge))
            for price, edge, top in zip(prices, edges, tops, strict=True)
        ]

    @cached_property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Where the price changes, and by how many parts of a cent: the charge is the sum of step * units above."""
        micro = [
            min(price.parts(self.cent), _MOST_MICRO) for price in (self.base, *(tier.price for tier in self.tiers))
        ]
        edges = [0, *(tier.above for tier in self.tiers)]
        changes = [micro[0], *(b - a for a, b in pairwise(micro))]
        return tuple((edge, change) for edge, change in zip(edges, changes, strict=True) if change)

    def cents(self, count: Counts) -> Counts:
        """Return the charge for a whole number of units in cents, rounded half up once per line.

        Charges above 2e14 cents, more than any budget (``MOST_CENTS``), are all 2e14: prices times counts never overflow.
        """
        units = np.asarray(count, dtype=np.int64)
        if not self.steps:
            return np.zeros_like(units)
        if units.size and int(units.max()) * self._steepest <= _MOST_MICRO:
            return (self._micro(units) + CENT // 2) // CENT
        rough = np.zeros(units.shape)
        with np.errstate(over="ignore"):
            micro = self._micro(units)
            for edge, change in self.steps:
                rough = rough + float(change) * np.maximum(units - edge, 0)
        return (np.where(rough > _MOST_MICRO, _MOST_MICRO, micro) + CENT // 2) // CENT

    @cached_property
    def _steepest(self) -> int:
        """Parts of a cent per unit that no partial sum of a charge exceeds."""
        return sum(abs(change) for _, change in self.steps)

    def _micro(self, units: Counts) -> Counts:
        """Return the charge in parts of a cent."""
        micro = units * self.steps[0][1] if self.steps[0][0] == 0 else np.zeros_like(units)
        for edge, change in self.steps[self.steps[0][0] == 0 :]:
            micro = micro + change * np.maximum(units - edge, 0)
        return micro

    def money(self, count: int, normal: Float[np.ndarray, " draw"]) -> Float[np.ndarray, " draw"]:
        """Return the believed charge in currency units at standard normal scores of the price."""
        units = self._segments(np.asarray(count, dtype=np.int64))
        return np.sum([price.quantile(normal) * int(n) for price, n in units], axis=0)

    def escalated(self, factor: Decimal) -> Schedule:
        """Return the list with all prices times a factor."""
        if factor == 1:
            return self
        tiers = tuple(PriceTier(t.above, t.price.scaled(factor)) for t in self.tiers)
        return replace(self, base=self.base.scaled(factor), tiers=tiers)

    def counted_in(self, cent: Decimal) -> Schedule:
        """Return the list with charges in another cent."""
        return self if cent == self.cent else replace(self, cent=cent)


def cent_of(budget: Decimal | None, prices: Sequence[Decimal]) -> Decimal:
    """Return a power of ten that is small beside a budget, or beside the largest price if there is no budget.

    A study whose amounts are all multiplied by a power of ten is planned alike. The last digit of the finest price counts, unless
    it is below ``MOST_DIGITS`` digits of the budget.
    """
    largest = max(prices, default=Decimal(0))
    if budget is not None and budget > 0:
        finest = min((_last_digit(price) for price in prices if price), default=0)
        least = budget.adjusted() - MOST_DIGITS
        return Decimal(1).scaleb(max(min(budget.adjusted() - DIGITS, finest), least))
    return Decimal(1).scaleb(largest.adjusted() - PRICE_DIGITS) if largest > 0 else HUNDREDTH


def _last_digit(price: Decimal) -> int:
    """Return the power of ten of the last digit of a price."""
    exponent = price.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


FREE = Price()
"""No price."""
NO_CHARGE = Schedule()
"""A price list that charges nothing."""
