"""The report's tables as text for the page.

In: `Saved` results. Out: rows for the template; `twin` holds the same as numbers. What can go wrong: nothing; a value that is
missing is said to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import Assumption, ModalityPrices
from brainworth.design.decision.records.plan import Bought
from brainworth.design.report.affordable import without
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import (
    TINY,
    count,
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
class Purchase:
    """One line of the purchase list, as text."""

    item: str
    quantity: str
    details: str
    prices: str
    cost: str
    range: str
    """Quantities that are as good within the plan's tolerance."""
    bought: bool = True


def purchase_list(saved: Saved) -> list[Purchase]:
    """Write what to buy as lines of a shopping list, labels first."""
    plan, currency, near = saved.plan, saved.currency, saved.plan.near_optimal
    prices = saved.details.prices
    per_label = prices.task if prices else saved.details.task.cost_per_label if saved.details.task else None
    lines = [
        Purchase(
            item="Task labels",
            quantity=f"{count(plan.allocation.n_task)} labels",
            details="",
            prices="" if per_label is None else f"{price(per_label, currency)} per label",
            cost=money(plan.cost.task, currency),
            range=_range(near.n_task, "labels") if near else "",
            bought=plan.allocation.n_task > 0,
        )
    ]
    for name, bought in plan.allocation.modalities.items():
        costs = prices.modalities.get(name) if prices else None
        lines.append(
            Purchase(
                item=f"{name} recordings",
                quantity=f"{count(bought.n_samples)} samples" if bought.n_samples > 0 else "none",
                details=_effort(bought) if bought.n_samples > 0 else without(saved, name),
                prices=_price_list(costs, currency) if costs else "",
                cost=money(plan.cost.modalities.get(name, 0.0), currency),
                range=_range(near.modalities.get(name), "samples") if near else "",
                bought=bought.n_samples > 0,
            )
        )
    return lines


def _range(ends: tuple[float, float] | None, unit: str) -> str:
    """Write an inclusive range of counts with its unit."""
    if ends is None:
        return ""
    low, high = (count(end) for end in ends)
    return "none" if ends[1] == 0 else f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _effort(bought: Bought) -> str:
    """Say how many people, sessions, stimuli and repeats a purchase means."""
    parts: list[str] = []
    for value, one, many in (
        (bought.subjects, "person", "people"),
        (bought.sessions, "session", "sessions"),
        (bought.stimuli, "stimulus", "stimuli"),
    ):
        if value:
            parts.append(f"{count(value)} {one if value == 1 else many}")
    if bought.repeats and bought.repeats > 1:
        parts.append(f"each stimulus {count(bought.repeats)} times")
    return ", ".join(parts)


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
class Believed:
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


def certified(saved: Saved) -> str:
    """Say how far the plan can be from the best: in utility within a budget, in money when a target was set."""
    certificate = saved.plan.certificate
    if certificate is None or certificate.bound is None or certificate.objective is None:
        return ""
    total, method = saved.plan.cost.total, f" ({certificate.method})" if certificate.method else ""
    cheapest = certificate.objective > 1 and abs(certificate.objective - total) < 0.01 + 1e-6 * total
    if cheapest or certificate.bound < certificate.objective:
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


def as_good_without(saved: Saved) -> bool:
    """Whether labels alone do as well as a plan with brain data, within the tolerance of near-optimal plans."""
    alone, near = saved.plan.alternatives.get("task_only"), saved.plan.near_optimal
    if alone is None or not saved.plan.verdict.collect_brain_data:
        return False
    best, own = saved.plan.performance.explainable_r2.mean, alone.performance.explainable_r2.mean
    if best is None or own is None:
        return False
    lost = best - own if alone.regret is None else alone.regret
    return lost <= (near.tolerance if near else 0.01) * abs(best)


_STYLES = {"latent_dimension": "tenths"}


def believed(saved: Saved) -> list[Believed]:
    """Write the posterior's parameters with their 90 % intervals."""
    return [
        Believed(parameter(key), meaning(key), interval(value, _STYLES.get(key, "number")))
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
