"""Whether a modality can be bought at all, what a sample of it costs, and whether it would pay if it could be bought.

In: `Saved` results. Out: answers and sentences, as text. A price that was not saved is left out.

Prices are those the plan is charged: the upper end where a price is uncertain, as in the break-even prices beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.decision.records.details import ModalityPrices, upper_end
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import as_summary, interval, listed, rounded


def can_be_bought(saved: Saved, name: str) -> bool:
    """Whether any purchase that was tried within the budget and the limits holds some of a modality."""
    curves = [*saved.details.share_curve, *saved.details.frontier]
    tried = [point.modalities.get(name, 0.0) for point in curves if getattr(point, "budget", 0.0) <= saved.budget]
    for other in (saved.plan, *saved.plan.alternatives.values()):
        bought = other.allocation.modalities.get(name)
        tried.append(0 if bought is None else bought.n_samples)
    return any(count > 0 for count in tried) or not saved.details.share_curve


@dataclass(frozen=True)
class SamplePrice:
    """What one recorded sample costs."""

    money: float
    text: str
    """With its unit; "from" where people and set-up come on top."""


def price_today(saved: Saved, name: str) -> SamplePrice | None:
    """Return what a sample costs: all in if the plan buys the modality, else its samples and sessions alone."""
    bought = saved.plan.allocation.modalities.get(name)
    paid = saved.plan.cost.modalities.get(name, 0.0)
    if bought is not None and bought.n_samples > 0 and paid > 0:
        each = paid / bought.n_samples
        return SamplePrice(each, rounded(each, saved.currency))
    prices = saved.details.prices.modalities.get(name) if saved.details.prices else None
    each = _recording(prices) if prices else 0.0
    return SamplePrice(each, f"from {rounded(each, saved.currency)}") if each > 0 else None


def _recording(prices: ModalityPrices) -> float:
    """Return the price of a sample and its part of a session, without people and set-up."""
    size = upper_end(prices.samples_per_session)
    session = upper_end(prices.per_session) + upper_end(prices.per_hour) * (prices.hours_per_session or 0.0)
    return upper_end(prices.per_sample) + (session / size if size > 0 else 0.0)


def without_modality(saved: Saved, name: str) -> str:
    """Say why a plan holds nothing of a modality: too dear for the budget, not worth its price, or both."""
    if can_be_bought(saved, name):
        return "not worth its price in this plan"
    dear = "cannot be bought within this budget and these limits"
    rate, cost = saved.plan.exchange_rate.get(name), price_today(saved, name)
    worth = rate.break_even_price if rate is not None else None
    if worth is None or cost is None or worth.q05 is None or worth.q95 is None:
        return dear
    said = f"a sample costs {cost.text}, and is worth {interval(worth, unit=saved.currency)} of labels"
    if worth.q95 < cost.money:
        return f"{dear}, and would not be worth its price if it could: {said}"
    would = "would be worth its price if it could" if worth.q05 > cost.money else "whether it would pay is not clear"
    return f"{dear}; {would}: {said}"


@dataclass(frozen=True)
class WorthRow:
    """What samples of one modality are worth, and cost, as text."""

    name: str
    marginal: str
    average: str
    cost: str
    break_even: str
    session: str
    """The break-even price of a session, or of an hour of it, with its unit; empty if sessions have no size."""


def worths(saved: Saved) -> list[WorthRow]:
    """Write exchange rates and break-even prices, each beside what a sample costs now."""
    return [_worth(saved, name) for name in saved.plan.exchange_rate]


def _worth(saved: Saved, name: str) -> WorthRow:
    rate, cost = saved.plan.exchange_rate[name], price_today(saved, name)
    prices = saved.details.prices.modalities.get(name) if saved.details.prices else None
    session = ""
    size, each = upper_end(prices.samples_per_session) if prices else 0.0, rate.break_even_price
    if size > 0 and each is not None and prices is not None:
        hours = prices.hours_per_session
        value = as_summary(each.model_dump(), size / (hours or 1.0))
        session = f"{interval(value, unit=saved.currency)} {'an hour' if hours else 'a session'}"
    return WorthRow(
        name,
        interval(rate.marginal),
        interval(rate.average),
        cost.text if cost else "not known",
        interval(each, unit=saved.currency),
        session,
    )


def hours_unknown(saved: Saved) -> str:
    """Say why prices are of sessions and not of hours, where they are."""
    rows = saved.details.sensitivity.thresholds if saved.details.sensitivity else []
    names = [row.parameter.partition(":")[2] for row in rows if row.parameter.startswith("price_of_session:")]
    if not names:
        return ""
    return (
        f"For {listed(names)} prices are of sessions, as the study file does not say how many hours one takes "
        "(hours_per_session): for the break-even price of a scan hour, divide by them."
    )
