"""What the pilot's own data say of the forecast: health checks with units, backtests, each person left out.

In: `Saved` results. Out: rows and sentences, as text. A check of another version of brainworth has no known unit and is shown
as it is; what has not been computed is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.common.checks import Check
from brainworth.design.common.summaries import interval as signed
from brainworth.design.decision.records.findings import PersonLeftOut
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import (
    PER_CENT,
    Plain,
    capital,
    count,
    interval,
    listed,
    number,
    parameter,
    plain,
    r2,
)

_BEFORE = {"R-hat": "R-hat ", "r": "r = "}
"""Units that stand before the number."""
_DIGITS = {"R-hat": 4}
"""Significant digits, where they are not two."""


@dataclass(frozen=True)
class CheckRow:
    """One health check, as text."""

    name: str
    status: str
    sentence: str
    value: str
    limit: str


def check_rows(saved: Saved) -> list[CheckRow]:
    """Write the health checks, those that complain first, each number with its unit."""
    checks = sorted(saved.plan.health.checks, key=lambda check: check.status == "ok")
    return [
        CheckRow(check.name.replace("_", " "), check.status, check.sentence, *_value_and_limit(check))
        for check in checks
    ]


def unit_name(check: Check) -> str:
    """Return the unit of a check's value and limit as a plain name; a share is a number from 0 to 1."""
    name = check.unit.strip("()")
    return f"share {name}" if check.kind == "share" else name


def _value_and_limit(check: Check) -> tuple[str, str]:
    if check.name == "encoder":
        return "not converged", "converged"
    if not check.unit:
        return plain(check.value, 3), plain(check.threshold, 3)
    value, limit = (_with_unit(v, check) for v in (check.value, check.threshold))
    return value, f"{check.side or ''} {limit}".strip() if limit else ""


def _with_unit(value: Plain, check: Check) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return plain(value)
    before, digits = _BEFORE.get(check.unit, ""), _DIGITS.get(check.unit, 2)
    after = "" if before else f" {check.unit}"
    if check.kind == "count":
        return f"{before}{count(value)}{after.removesuffix('s') if value == 1 else after}"
    if check.kind == "share":
        return f"{before}{number(100 * value, digits)}{PER_CENT}{after}"
    return f"{before}{number(float(value), digits)}{after}"


@dataclass(frozen=True)
class BacktestRow:
    """One test inside the pilot: trained on a part, tested on the rest."""

    labels: int
    """About so many labels to learn from."""
    reached: str
    """R² of all label variance."""
    low: str
    high: str
    above: bool
    """Whether the forecast lies above what was reached."""


def backtests(saved: Saved) -> list[BacktestRow]:
    """Return the tests inside the pilot, the smallest part first."""
    pilot = saved.details.pilot
    if pilot is None or not saved.pilot_labels:
        return []
    return [
        BacktestRow(
            round(check.share * saved.pilot_labels),
            *(f"{value:.2f}".replace("-", "−") for value in (check.observed, forecast.low, forecast.high)),
            above=forecast.mean > check.observed,
        )
        for check in saved.plan.health.checks
        if (forecast := check.forecast) is not None and check.share is not None and check.observed is not None
    ]


def tested(saved: Saved) -> str:
    """Say in short how the largest test inside the pilot came out, beside what the plan is forecast to reach."""
    found = backtests(saved)
    if not found:
        return ""
    last = found[-1]
    return (
        f"Tested inside the pilot with about {last.labels} labels: R² of {last.reached} reached, {last.low} to {last.high} "
        f"forecast (share of all label variance). No pilot can test the plan itself, which has {count(labels_in_all(saved))} labels"
    )


def labels_in_all(saved: Saved) -> float:
    """Labels that the final model learns from: the pilot's, where they are used, and those bought."""
    pilot = saved.details.pilot
    return saved.plan.allocation.n_task + (saved.pilot_labels if pilot and pilot.reused else 0.0)


def belonging(saved: Saved) -> list[str]:
    """Say how the plan's forecast and the tests inside the pilot belong together, and what the tests cannot check."""
    found, performance = backtests(saved), saved.plan.performance
    if not found or performance.r2 is None:
        return []
    results = listed(
        [f"{test.reached} with about {test.labels} labels (forecast {test.low} to {test.high})" for test in found]
    )
    bought = count(saved.plan.allocation.n_task)
    every = count(labels_in_all(saved))
    both = "" if every == bought else f" ({bought} new ones and the pilot's)"
    said = (
        f"The plan's forecast is for {every} labels{both}: R² {interval(performance.r2, 'r2')} of all label variance, which is "
        f"an explainable R² of {interval(performance.explainable_r2, 'r2')} once the label noise, which nothing can predict, is "
        f"left out. The backtests are for the few labels inside the pilot, and their R² counts the label noise: {results}."
    )
    limits = (
        "They check whether the model is right about what so few labels and recordings teach, within the error of testing on the "
        "few that are left over. They do not check how far R² rises from there to the plan: that rests on the model, and only "
        "new data can check it."
    )
    missed = [test for test in found if test.above]
    if len(missed) == len(found):
        limits += (
            f" {'Both results lie' if len(found) == 2 else 'The result lies' if len(found) == 1 else 'All results lie'} below the "
            "middle of the forecast, which hints, and no more, that the plan's forecast is too high."
        )
    return [said, limits]


def left_out(saved: Saved) -> str:
    """Say what becomes of the decision without each person in turn; empty where that was not computed."""
    sensitivity = saved.details.sensitivity
    rows = [row for row in sensitivity.people if row.advantage is not None] if sensitivity else []
    if not rows:
        return ""
    worst, best = (pick(rows, key=lambda row: row.advantage or 0.0) for pick in (min, max))
    turned = [_person(row) for row in rows if row.flips]
    ends = f"between {_gain(worst)} (without {_person(worst)}) and {_gain(best)} (without {_person(best)})"
    verdict = (
        "The decision stays the same each time."
        if not turned
        else f"The decision changes without {listed(turned)}, and stays the same without any other."
    )
    return capital(
        f"fitted again without each of {len(rows)} people in turn, the best purchase with brain data gains {ends} in expected "
        f"explainable R² over labels only; a negative gain is a loss. {verdict} Every person is in "
        "tables/leave_one_person_out.csv."
    )


def _person(row: PersonLeftOut) -> str:
    return f"{row.subject} ({row.modality})"


def _gain(row: PersonLeftOut) -> str:
    return r2(row.advantage, 4)


_NOT_ASKED = (
    "Whether the pilot's recordings teach a learner more than shuffled ones, random data with their spectra or the stimuli alone "
    "was not asked: the pilot has no recordings of what is bought, too few labels, or so much data that asking takes longer than "
    "the plan. brainworth controls asks where it can."
)


def controlled(saved: Saved) -> list[str]:
    """Say what the recordings are worth beyond shuffled ones, surrogates and the stimuli alone.

    Nothing if it was not computed, but for a plan that collects recordings of which there is a pilot: that nobody asked.
    """
    found = saved.details.controls
    if found is None:
        return [_NOT_ASKED] if saved.plan.verdict.decision == "collect" and saved.pilot_labels else []
    how = (
        "A learner was trained with the pilot's recordings, and others with a control in their place: responses of other stimuli "
        "(shuffled), data with the same spectra and no relation to anything (surrogate), the features' own leading directions "
        "(stimulus only), or nothing (labels alone). What the recordings are worth is what exceeds all of them."
    )
    said = [how, *(own.sentence for own in found.modalities.values()), found.alignment_sentence]
    if unproven(saved):
        said.append(
            "The plan buys recordings whose pilot cannot be told from a control: its forecast rests on the model and the prior, "
            "not on what the pilot has shown. Plan a larger pilot first, or say so."
        )
    return [capital(sentence) for sentence in said if sentence]


def unproven(saved: Saved) -> list[str]:
    """Return the modalities that are bought and whose pilot cannot be told from a control."""
    found, bought = saved.details.controls, saved.plan.allocation.modalities
    controlled = {} if found is None else found.modalities
    return [n for n, own in controlled.items() if not own.exceeds and n in bought and bought[n].n_samples > 0]


_DECISIONS = {
    "go_on": "go on",
    "toss_up": "a toss-up",
    "labels_instead": "labels instead",
    "stop": "stop",
    "finished": "finished",
}


def updated(saved: Saved) -> list[str]:
    """Say what came in since an earlier plan and whether to go on; nothing if this is the first plan."""
    found = saved.details.update
    return [] if found is None else [found.sentence, *found.remarks]


def look_rows(saved: Saved) -> list[tuple[str, ...]]:
    """Return a row per look: when, what was held, gain, what was reached and forecast, decision."""
    found = saved.details.update
    if found is None:
        return []
    return [
        (
            look.when[:10],
            f"{look.held.labels:,}",
            "; ".join(
                f"{name}: {n:,} of {look.held.people.get(name, 0)} people" for name, n in look.held.samples.items()
            ),
            "" if look.gain is None else signed(look.gain, signed=True),
            "" if look.forecast is None else interval(look.forecast, "r2"),
            "" if look.r2 is None else f"{look.r2:.3f}",
            _DECISIONS.get(look.decision, ""),
        )
        for look in found.looks
    ]


def belief_rows(saved: Saved) -> list[tuple[str, str, str]]:
    """Return a row per quantity: as it was believed when the earlier plan was made, and as it is now."""
    found = saved.details.update
    return (
        []
        if found is None
        else [(capital(parameter(name)), interval(own.then), interval(own.now)) for name, own in found.beliefs.items()]
    )
