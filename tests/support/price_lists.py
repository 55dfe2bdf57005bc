"""Price lists from plain values."""

from __future__ import annotations

from collections.abc import Sequence

from brainworth.design.allocation.prices import Price, PriceTier, Schedule


def schedule(price: object, tiers: Sequence[tuple[int, object]] = (), name: str = "price") -> Schedule:
    """Return a price list: ``schedule(0.12, [(5000, 0.10)])``."""
    return Schedule(Price.of(price, name), tuple(PriceTier(above, Price.of(p, name)) for above, p in tiers))
