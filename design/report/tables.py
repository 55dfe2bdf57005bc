"""The report's tables as text for the page; `csv_tables` holds the same as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import Assumption, ModalityPrices
from brainworth.design.decision.records.plan import Alternative
from brainworth.design.report.affordable import without_modality
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import (
    TINY,
    count,
    effort,
    interval,
    listed,
    meaning,
    money,
    number,
    objective,
    parameter,
    price,
    share,
)

LITTLE = 0.05
"""An R² of all label variance below this is next to nothing."""


@dataclass(frozen=True)
class PurchaseRow:
    """One line of the purchase list, as text."""

    item: str
    quantity: str
    prices: str
    bill: str
    """Lines of the bill; empty where there is but one."""
    cost: str
    range: str
    """Quantities that are as good within the plan's tolerance."""


def purchase_list(saved: Saved) -> list[PurchaseRow]:
    """Write what to buy as lines of a shopping list, labels first; what is not bought is left out."""
    plan, currency, near = saved.plan, saved.currency, saved.plan.near_optimal
    prices = saved.details.prices
    per_label = prices.task if prices else saved.details.task.cost_per_label if saved.details.task else None
    lines = [
        PurchaseRow(
            item="Task labels",
            quantity=f"{count(plan.allocation.n_task)} labels",
            prices="" if per_label is None else f"{price(per_label, currency)} per label",
            bill=_bill(saved, "task"),
            cost=money(plan.cost.task, currency),
            range=_range(near.n_task, "labels") if near else "",
        )
    ]
    for name, bought in plan.allocation.modalities.items():
        if bought.n_samples <= 0:
            continue
        costs = prices.modalities.get(name) if prices else None
        lines.append(
            PurchaseRow(
                item=f"{name} recordings",
                quantity=effort(bought, saved.hours(name)),
                prices=_price_list(costs, currency) if costs else "",
                bill=_bill(saved, name),
                cost=money(plan.cost.modalities.get(name, 0.0), currency),
                range=_range(near.modalities.get(name), "samples") if near else "",
            )
        )
    return lines


@dataclass(frozen=True)
class TotalRow:
    """One line under the purchase list."""

    name: str
    note: str
    amount: str


def bottom(saved: Saved) -> list[TotalRow]:
    """Explain the total: what is charged, what it is likely to be, and what is left of the budget."""
    total, currency, likely = saved.plan.cost.total, saved.currency, saved.details.cost_spread
    uncertain = likely is not None and likely.q95 is not None and likely.q95 != likely.q05
    note = "uncertain prices counted at their upper end, so that the budget holds" if uncertain else ""
    lines = [TotalRow("Total", note, money(total, currency))]
    if uncertain:
        lines.append(TotalRow("Likely cost", "mean and 90\u00a0% interval", interval(likely, "count", currency)))
    if saved.details.budget is not None and saved.details.budget - total >= 0.005:
        lines.append(TotalRow("Left of the budget", "", money(saved.details.budget - total, currency)))
    return lines


_BILL = {
    "labels": "labels",
    "samples": "samples",
    "sessions": "sessions",
    "hours": "hours",
    "subjects": "new people",
    "setup": "set-up",
}
"""Lines of a bill in plain words."""


def _bill(saved: Saved, owner: str) -> str:
    lines = {line: cost for line, cost in saved.plan.cost.items.get(owner, {}).items() if cost}
    if len(lines) < 2:
        return ""
    return " + ".join(f"{_BILL.get(line, line)} {money(cost, '')}" for line, cost in lines.items())


def not_bought(saved: Saved) -> list[str]:
    """Say why the plan does not buy some modalities, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for name, bought in saved.plan.allocation.modalities.items():
        if bought.n_samples <= 0:
            reasons.setdefault(without_modality(saved, name), []).append(name)
    return [f"{listed(names)}: {reason}." for reason, names in reasons.items()]


def _range(ends: tuple[float, float] | None, unit: str) -> str:
    """Write an inclusive range of counts with its unit."""
    if ends is None:
        return ""
    low, high = (count(end) for end in ends)
    return "none" if ends[1] == 0 else f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _price_list(costs: ModalityPrices, currency: str) -> str:
    """Say every price of a modality that is not zero."""
    parts: list[str] = []
    session = costs.samples_per_session
    of = f" of {count(session)} samples" if isinstance(session, float | int) else ""
    for value, unit in (
        (costs.per_sample, "per sample"),
        (costs.per_session, f"per session{of}"),
        (
            costs.per_hour,
            f"per hour, {number(costs.hours_per_session)} hours a session" if costs.per_hour else "per hour",
        ),
        (costs.per_subject, "per new person"),
        (costs.setup, "set-up"),
    ):
        if value and value != [0.0, 0.0]:
            parts.append(f"{price(value, currency)} {unit}")
    if costs.usable_fraction is not None and costs.usable_fraction < 1:
        parts.append(f"{share(costs.usable_fraction)} of samples usable")
    if costs.cancellation:
        parts.append(f"{share(costs.cancellation)} of sessions cancelled and billed")
    if costs.attrition:
        parts.append(f"{share(costs.attrition)} of people drop out and are paid")
    return "; ".join(parts)


def hopeless(saved: Saved) -> bool:
    """Whether even the plan predicts next to nothing of the labels."""
    reached = saved.plan.performance.r2
    return reached is not None and reached.mean is not None and reached.mean < LITTLE


def assumptions(saved: Saved) -> list[Assumption]:
    """Return the assumptions, those that say the same of several modalities as one."""
    found: dict[tuple[str, bool, str], list[str]] = {}
    for item in saved.details.assumptions:
        name, colon, rest = item.text.partition(": ")
        own = bool(colon) and name in saved.plan.allocation.modalities
        found.setdefault((rest if own else item.text, item.checkable, item.checked or ""), []).extend(
            [name] if own else []
        )
    return [
        Assumption(text=f"{listed(names)}: {text}" if names else text, checkable=checkable, checked=checked)
        for (text, checkable, checked), names in found.items()
    ]


@dataclass(frozen=True)
class ParameterRow:
    """One parameter of the posterior, as text."""

    name: str
    meaning: str
    value: str


RULES = {
    "task_only": "Labels only",
    "half_and_half": "Half labels, half brain data",
    "equal_shares": "Equal shares for labels and each modality",
    "biggest_modality_only": "All for the largest modality",
}
"""Other plans in plain words."""
_NEAR_HALF = 0.1


def rule_name(name: str, other: Alternative) -> str:
    """Return what a rule is called; a half that whole sessions did not allow is not called a half."""
    said = [
        _half(other) if rule == "half_and_half" else RULES.get(rule, rule.replace("_", " "))
        for rule in (name, *other.also)
    ]
    return "; ".join(said)


def _half(other: Alternative) -> str:
    if other.cost is None or not other.cost.total:
        return RULES["half_and_half"]
    spent = sum(other.cost.modalities.values()) / other.cost.total
    if abs(spent - 0.5) <= _NEAR_HALF:
        return RULES["half_and_half"]
    return f"As near to half and half as whole sessions come: {share(spent)} for brain data"


def certified(saved: Saved) -> str:
    """Say how far the plan can be from the best: in utility within a budget, in money when a target was set."""
    certificate = saved.plan.certificate
    if certificate is None or certificate.bound is None or certificate.objective is None:
        return ""
    method = f" ({certificate.method})" if certificate.method else ""
    if saved.cheapest or certificate.bound < certificate.objective:
        return (
            f"No purchase that reaches the target costs less than {money(certificate.bound, saved.currency)}; this "
            f"plan costs {money(certificate.objective, saved.currency)}{method}."
        )
    behind = max(0.0, certificate.bound - certificate.objective)
    distance = f"at most {number(behind, 2)} below" if behind >= TINY else f"less than {TINY} below"
    return (
        f"No plan within the budget can bring {objective(saved.details.objective)} above {number(certificate.bound, 4)}; this "
        f"plan reaches {number(certificate.objective, 4)}, {distance}{method}."
    )


_STYLES = {"latent_dimension": "tenths"}


def believed(saved: Saved) -> list[ParameterRow]:
    """Write the posterior's parameters with their 90 % intervals."""
    return [
        ParameterRow(parameter(key), meaning(key), interval(value, _STYLES.get(key, "number")))
        for key, value in posterior_rows(saved)
    ]


def posterior_rows(saved: Saved) -> list[tuple[str, Summary]]:
    """Parameters of the plan's posterior, signal-to-noise by modality (and by latent where given so)."""
    posterior = saved.plan.posterior
    single = {
        "alignment": posterior.alignment,
        "misalignment": posterior.misalignment,
        "signal_variance": posterior.signal_variance,
        "noise_variance": posterior.noise_variance,
        "latent_dimension": posterior.latent_dimension,
    }
    pairs = [(key, value) for key, value in single.items() if value is not None]
    for name, value in posterior.snr.items():
        if isinstance(value, Summary):
            pairs.append((f"snr:{name}", value))
        else:
            pairs += [(f"snr:{name}, latent {i + 1}", latent) for i, latent in enumerate(value)]
    return pairs
