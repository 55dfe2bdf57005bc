"""Numbers that look alike: every probability, price, R² and gain that could be taken for another, side by side.

In: `Saved` results. Out: rows of text in four groups: where a number stands, what it is here, of what it is the probability or
the price, and why it is not the one above it. What can go wrong: nothing; a number that was not computed has no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brainworth.design.decision.records.details import Compared, Threshold
from brainworth.design.report.affordable import can_be_bought, none_can_be_bought, price_today
from brainworth.design.report.evidence import backtests, labels_in_all
from brainworth.design.report.regime_figure import WORTH, probability_worth
from brainworth.design.report.saved import Saved
from brainworth.design.report.summary import LIKELY, gain
from brainworth.design.report.words import TINY, as_summary, chance, count, interval, listed, parameter, rounded

_SAME = 0.01
"""Probabilities that differ by less are called the same."""


@dataclass(frozen=True)
class Number:
    """One number, as text."""

    place: str
    anchor: str
    """The section it stands in."""
    value: str
    meaning: str
    differs: str
    """Why it is not the one above it."""


@dataclass(frozen=True)
class Group:
    """Numbers that could be taken for each other."""

    title: str
    numbers: list[Number]


def alike(saved: Saved) -> list[Group]:
    """Return the groups that hold two numbers or more."""
    groups = [
        Group("Probabilities", list(_probabilities(saved))),
        Group("Prices of brain data", list(_prices(saved))),
        Group("R² of labels", list(_accuracies(saved))),
        Group("Gains in explainable R²", list(_gains(saved))),
    ]
    return [group for group in groups if len(group.numbers) > 1]


def verdict_is_of(saved: Saved) -> str:
    """Say which purchase the verdict's probability speaks of."""
    if saved.plan.verdict.collect_brain_data:
        return "this plan's purchase, by however little"
    if none_can_be_bought(saved):
        return "no purchase with brain data fits the budget and the limits, so none can"
    return "the best purchase with brain data that was met, by however little"


def _probabilities(saved: Saved) -> Iterator[Number]:
    verdict, data = saved.plan.verdict.probability, saved.details.regime
    if verdict is None:
        return
    yield Number(
        "Verdict",
        "verdict",
        chance(verdict),
        f"That buying brain data beats labels alone at the same budget: {verdict_is_of(saved)}.",
        "One purchase, chosen before the state of the world is known.",
    )
    if data is not None and data.posterior and data.gain:
        worth = probability_worth(data)
        why = "Another question, though here with the same answer."
        if worth > verdict + _SAME:
            why = "Above the verdict's: here the purchase is fitted to each state."
        elif worth < verdict - _SAME:
            why = f"Below the verdict's: gains up to {WORTH:g} do not count here."
        yield Number(
            "Map: where brain data pay",
            "decision",
            chance(worth),
            f"That some purchase with brain data gains more than {WORTH:g} in explainable R², were the state of the world known "
            "before buying.",
            why,
        )
    yield from _flip(saved)
    yield from _modalities(saved, verdict)


def _flip(saved: Saved) -> Iterator[Number]:
    rows = saved.details.sensitivity.thresholds if saved.details.sensitivity else []
    row = next((r for r in rows if r.value is not None and (r.probability_beyond or 0.0) >= LIKELY), None)
    if row is not None and row.pays:
        best = "labels only are best" if saved.plan.verdict.collect_brain_data else "brain data pay"
        yield Number(
            f"Where the decision flips: {parameter(row.parameter)}",
            "decision",
            chance(row.probability_beyond),
            f"That this one quantity lies where {best}, all others averaged over.",
            "Of a quantity, not of how the purchase turns out: it and the verdict's need not add up to 100 %.",
        )


def _modalities(saved: Saved, verdict: float) -> Iterator[Number]:
    rows = {
        row.name: float(p)
        for row in saved.details.compare
        if isinstance(p := (row.model_extra or {}).get("probability_worth_it"), float | int)
        and row.name in saved.plan.allocation.modalities
        and can_be_bought(saved, row.name)
    }
    if not rows:
        return
    trial = " (or a trial purchase for half of the money, if the best holds none)"
    other = [name for name, p in rows.items() if abs(p - verdict) >= _SAME]
    yield Number(
        "Modalities side by side",
        "compare",
        "; ".join(f"{name} {chance(p)}" for name, p in rows.items()),
        f"That the best purchase with one modality alone{trial} beats labels alone.",
        f"{listed(other)}: not the verdict's purchase, but one found for that modality by a quicker search."
        if other
        else "The verdict's purchase, or one as good.",
    )


def _prices(saved: Saved) -> Iterator[Number]:
    bought = [name for name, entry in saved.plan.allocation.modalities.items() if entry.n_samples > 0]
    names = bought or list(saved.plan.allocation.modalities)
    today = [(name, price_today(saved, name)) for name in names]
    said = [f"{name} {cost.said}" for name, cost in today if cost is not None]
    if said:
        least = " (from: people and set-up come on top)" if any("from" in text for text in said) else ""
        yield Number(
            "Purchase list",
            "buy",
            "; ".join(said),
            f"What a sample costs now, as the plan is charged{least}.",
            "What is paid; the others are what it may cost.",
        )
    thresholds = [
        row
        for row in (saved.details.sensitivity.thresholds if saved.details.sensitivity else [])
        if row.value is not None and row.parameter.startswith("price") and row.parameter != "price_of_a_label"
    ]
    yield from _as_believed(thresholds)
    means = [
        f"{name} {interval(rate.break_even_price, unit=saved.currency)}"
        for name, rate in saved.plan.exchange_rate.items()
        if name in names and rate.break_even_price is not None
    ]
    if means:
        yield Number(
            "What a brain sample is worth",
            "exchange",
            "; ".join(means),
            "Break-even price state by state: in each state as if it were known, at the size of purchase that is best there, "
            "beside the plan's labels; mean and 90 % interval over the states.",
            "Not a price to agree to: the purchase is fitted to each state, so that the mean flatters.",
        )
    beside = [_beside(row, saved) for row in saved.details.compare if row.name in names]
    if any(beside):
        yield Number(
            "Modalities side by side",
            "compare",
            "; ".join(text for text in beside if text),
            "The same, beside the labels of the best (or a trial) purchase with that modality alone.",
            "Other labels and other sizes than the plan's.",
        )


def _as_believed(rows: list[Threshold]) -> Iterator[Number]:
    """Break-even prices of a sample, and of a session or an hour, as believed."""
    samples = [row for row in rows if row.parameter.startswith("price_of_a_")]
    single = [row for row in samples if ":" in row.parameter] or samples
    parts = [row for row in rows if row not in samples]
    for some, what, why in (
        (
            single,
            "Break-even price of a sample as believed: at it, averaged over all states, the best purchase with brain data and "
            "labels alone are worth the same. All lines of the bill move together.",
            "The price to negotiate with.",
        ),
        (
            parts,
            "The same for one line of the bill, the session or its hour; people and set-up keep their prices.",
            "Another line, another unit.",
        ),
    ):
        if some:
            values = [f"{parameter(r.parameter).removeprefix('price of a ')} {rounded(r.value, r.unit)}" for r in some]
            yield Number("Where the decision flips", "decision", "; ".join(values), what, why)


def _beside(row: Compared, saved: Saved) -> str:
    value = (row.model_extra or {}).get("break_even")
    return f"{row.name} {interval(as_summary(value), unit=saved.currency)}" if isinstance(value, dict) else ""


def _accuracies(saved: Saved) -> Iterator[Number]:
    performance, labels = saved.plan.performance, count(labels_in_all(saved))
    yield Number(
        "Forecast, explainable R²",
        "buy",
        interval(performance.explainable_r2, "r2"),
        f"Explainable R² with the plan ({labels} labels in all): of the predictable part of a label.",
        "Label noise is left out.",
    )
    if performance.r2 is not None:
        yield Number(
            "Forecast, R²",
            "buy",
            interval(performance.r2, "r2"),
            "R² with the plan: of all label variance.",
            "Label noise counts, and cannot be predicted.",
        )
    tests = backtests(saved)
    if tests:
        yield Number(
            "Backtests inside the pilot",
            "health",
            "; ".join(f"{test.reached} with {test.labels} labels" for test in tests),
            "R² of all label variance that was reached with part of the pilot.",
            f"Far fewer labels than the plan's {labels}; no forecast, but a test of it.",
        )


def _gains(saved: Saved) -> Iterator[Number]:
    voi, more = saved.details.voi, gain(saved)
    if more is not None and saved.plan.verdict.collect_brain_data:
        yield Number(
            "Verdict", "verdict", interval(more), "What the plan gains over labels only.", "Brain data against none."
        )
    if voi is None or voi.evpi is None or voi.evpi < TINY:
        return
    yield Number(
        "EVPI",
        "information",
        rounded(voi.evpi),
        "What knowing everything before buying would add to the plan.",
        "On top of the plan, not over labels only.",
    )
    if voi.evppi:
        top = max(voi.evppi, key=lambda row: row.value)
        yield Number(
            f"EVPPI of {parameter(top.parameter)}",
            "information",
            rounded(top.value),
            "The same for knowing this one thing.",
            "At most the EVPI.",
        )
    best = max(voi.evsi, key=lambda row: row.value if row.net is None else row.net, default=None)
    if best is not None:
        yield Number(
            f"EVSI: {best.label} first",
            "information",
            f"{rounded(best.value)}; net {rounded(best.net)}" if best.net is not None else rounded(best.value),
            f"What this {'pilot' if saved.from_priors else 'larger pilot'} teaches; net, what is left once it is paid for "
            "out of the same budget.",
            "Part of the EVPI, as a pilot shows things with noise.",
        )
