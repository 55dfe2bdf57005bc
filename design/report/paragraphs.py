"""Sample-size paragraphs, ready to paste: one for a grant application, one for a registered report."""

from __future__ import annotations

from brainworth.design.decision.records.plan import Allocation, Alternative
from brainworth.design.report.evidence import unproven
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import (
    chance,
    count,
    effort,
    interval,
    listed,
    money,
    number,
    objective,
    percent,
    r2,
    share,
)

_MEASURE = (
    "Here explainable R² means how much of the predictable part of a label the trained model predicts on new stimuli: 1 is all of "
    "it, 0 is no more than the average label does."
)
_REQUEST = "We ask for {cost} to collect {bought}."
_BECAUSE = "{people}, because {reason}."
_EXPECT = "We expect an explainable R² of {reached}, mean and 90\u00a0% interval."
_ALONE = "The same money spent on {labels} labels without recordings would reach {reached}."
_REASON = "no other purchase for {limit} has a higher {aim}"
_REHEARSED = "of the purchases for {limit} that were rehearsed in simulated studies, this one has the highest {aim}"
_NOT_WORTHWHILE = "recordings are unlikely to raise explainable R² by enough to be worth the trouble"
_BY = "The numbers were computed with brainworth{version}"
_FROM_PRIORS = "{tool} from published signal-to-noise ratios, without a pilot of our own."


def in_a_page(version: str) -> dict[str, str]:
    """Return the sentences of a grant application for a page that fills in the words in braces; without a pilot."""
    return {
        "request": _REQUEST,
        "because": _BECAUSE,
        "expect": _EXPECT,
        "alone": _ALONE,
        "reason": _REASON.format(limit="{limit}", aim=objective(None)),
        "not_worthwhile": _NOT_WORTHWHILE,
        "basis": _FROM_PRIORS.format(tool=_BY.format(version=f" {version}")),
        "measure": _MEASURE,
    }


def grant(saved: Saved) -> str:
    """Return the sample-size paragraph of a grant application."""
    return " ".join([_request(saved), _because(saved), *_chosen(saved), _range(saved), _basis(saved), _MEASURE])


def registered(saved: Saved) -> str:
    """Return the sampling plan of a registered report."""
    parts = [
        f"Sampling plan. {_will(saved)}",
        *_chosen(saved),
        _aim(saved),
        *_losses(saved),
        _stopping(saved),
        _rule(saved),
    ]
    return " ".join(part for part in parts if part)


def _bought(saved: Saved) -> str:
    allocation = saved.plan.allocation
    parts = [
        f"{name} recordings ({effort(row, saved.hours(name))})"
        for name, row in allocation.modalities.items()
        if row.n_samples > 0
    ]
    if allocation.n_task > 0:
        parts.append(f"{count(allocation.n_task)} labels")
    return listed(parts) if parts else "no new data"


def _recorded(saved: Saved, allocation: Allocation) -> str:
    rows = allocation.modalities.items()
    return listed([f"{name}: {effort(row, saved.hours(name))}" for name, row in rows if row.n_samples > 0])


def _people(saved: Saved) -> str:
    rows = {name: row.subjects or 0 for name, row in saved.plan.allocation.modalities.items() if row.n_samples > 0}
    said = [
        f"{count(n)} {'person' if n == 1 else 'people'}{f' with {name}' if len(rows) > 1 else ''}"
        for name, n in rows.items()
        if n
    ]
    return listed(said) if said else f"{count(saved.plan.allocation.n_task)} labels and no recordings"


def _request(saved: Saved) -> str:
    return _REQUEST.format(cost=money(saved.plan.cost.total, saved.currency), bought=_bought(saved))


def _labels_alone(saved: Saved) -> Alternative | None:
    return saved.plan.alternatives.get("task_only") if saved.plan.allocation.holds_brain_data else None


def _because(saved: Saved) -> str:
    reached = interval(saved.plan.performance.explainable_r2, "r2")
    said = [_BECAUSE.format(people=_people(saved), reason=_reason(saved)), _EXPECT.format(reached=reached)]
    alone = _labels_alone(saved)
    if alone is not None:
        other = interval(alone.performance.explainable_r2, "r2")
        said.append(_ALONE.format(labels=count(alone.allocation.n_task), reached=other))
    return " ".join([*said, *_judged(saved), *_open(saved)])


_JUDGED = {
    "collect": "So recordings are worth their cost",
    "toss_up": "So it is open whether recordings are worth their cost",
    "labels_only": "So recordings are not expected to be worth their cost",
}


def _judged(saved: Saved) -> list[str]:
    """Say what the verdict is, and the gain and the probability that it follows from."""
    verdict = saved.plan.verdict
    gain = verdict.gain
    if verdict.decision is None or verdict.judged is None or gain is None or None in (gain.mean, gain.q05, gain.q95):
        return []
    held = saved.plan.allocation.holds_brain_data
    who = "Recordings" if held else f"The best purchase with recordings ({_recorded(saved, verdict.judged)})"
    likely = (
        f", and by at least {number(verdict.worthwhile)} with a probability of {chance(verdict.probability)}"
        if verdict.worthwhile and verdict.probability is not None
        else ""
    )
    change = f"{gain.mean:+.3f} ({gain.q05:+.3f} to {gain.q95:+.3f})".replace("-", "−")
    against = (
        "change explainable R² by" if held else "would change explainable R² against labels alone for the same money by"
    )
    return [f"{who} {against} {change}{likely}. {_JUDGED[verdict.decision]}."]


def _open(saved: Saved) -> list[str]:
    """Say which recordings that are bought the pilot cannot tell from a control; nothing if there are none."""
    names = unproven(saved) if saved.plan.verdict.decision == "collect" else []
    if not names:
        return []
    verb = "teaches" if len(names) == 1 else "teach"
    return [
        f"In the pilot, {listed(names)} {verb} a learner no more yet than control recordings do; the expected gain rests on the "
        "model."
    ]


def _reason(saved: Saved) -> str:
    aim = saved.details.objective
    if saved.cheapest:
        target = "the target" if aim is None or aim.target is None else f"an explainable R² of {number(aim.target)}"
        return f"no cheaper purchase reaches {target} with the confidence that was asked for"
    limit = money(saved.budget, saved.currency)
    splits = saved.details.rehearsed_splits
    said = _REHEARSED if splits is not None and any(one.planned for one in splits.others) else _REASON
    return said.format(limit=limit, aim=objective(aim).removeprefix("the "))


def _range(saved: Saved) -> str:
    near = saved.plan.near_optimal
    if near is None:
        return ""
    said = [
        f"{count(low)} to {count(high)} samples of {name}"
        for name, (low, high) in near.modalities.items()
        if high > low and saved.plan.allocation.modalities.get(name)
    ]
    if near.n_task and near.n_task[1] > near.n_task[0]:
        said.append(f"{count(near.n_task[0])} to {count(near.n_task[1])} labels")
    if not said:
        return ""
    return f"Purchases within {percent(near.tolerance)} of the best hold {listed(said)}."


def _basis(saved: Saved) -> str:
    version = f" {saved.plan.provenance.version}" if saved.plan.provenance.version else ""
    tool = _BY.format(version=version)
    pilot = saved.details.pilot
    if saved.from_priors or pilot is None:
        return _FROM_PRIORS.format(tool=tool)
    held = [
        f"{count(row.n_samples)} samples of {name}{f' from {count(row.subjects)} people' if row.subjects else ''}"
        for name, row in pilot.modalities.items()
        if row.n_samples
    ]
    if saved.pilot_labels:
        held.append(f"{count(saved.pilot_labels)} labels")
    return f"{tool} from a pilot of {listed(held)}."


def _chosen(saved: Saved) -> list[str]:
    return [] if saved.plan.chosen_stimuli is None else [saved.plan.chosen_stimuli.sentence]


def _will(saved: Saved) -> str:
    return f"We will collect {_bought(saved)}."


def _aim(saved: Saved) -> str:
    reached = saved.plan.performance.explainable_r2
    return (
        "The outcome is explainable R² on stimuli that were not used for training. We expect a value of "
        f"{r2(reached.mean)}; it lies between {r2(reached.q05)} and {r2(reached.q95)} with a probability of 90\u00a0%."
    )


def _losses(saved: Saved) -> list[str]:
    prices = saved.details.prices
    said = [
        f"{share(kept)} of the {name} samples"
        for name, row in saved.plan.allocation.modalities.items()
        if row.n_samples > 0 and prices and name in prices.modalities
        if (kept := prices.modalities[name].usable_fraction) is not None and kept < 1
    ]
    return [f"The numbers allow for losses: {listed(said)} are expected to be usable."] if said else []


def _stopping(saved: Saved) -> str:
    total = money(saved.plan.cost.total, saved.currency)
    return (
        f"Collection stops when these numbers are reached or {total} are spent, whichever comes first. Nobody looks at the outcome "
        "before, and the numbers do not change in between."
    )


def _rule(saved: Saved) -> str:
    verdict = saved.plan.verdict
    if not saved.plan.allocation.holds_brain_data or not verdict.worthwhile:
        return ""
    sure = (
        ""
        if verdict.probability is None
        else f" Before collection, the probability of such a gain is {chance(verdict.probability)}."
    )
    return (
        f"Recordings count as worthwhile if they raise explainable R² by at least {number(verdict.worthwhile)} over what labels "
        f"alone reach at the same cost.{sure}"
    )
