"""Numbers and names in the words of the report.

In: numbers, parameter names of the posterior. Out: text with unit and interval, escaped later by the template. A number
that is missing or not finite is written as "not available" or "unlimited".
"""

from __future__ import annotations

import math
from functools import partial

from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import PlanObjective, Price
from brainworth.design.decision.records.plan import Bought
from brainworth.design.report.style import printable

Plain = float | str | bool | None
NONE = "not available"
PER_CENT = "\N{NO-BREAK SPACE}%"
TINY = 0.0001
"""Smaller numbers are written as smaller than this."""
_NAMES = {
    "alignment": ("alignment", "share of the predictable part of the label that the brain's latents carry, 0 to 1"),
    "misalignment": ("misalignment", "share of the predictable part of the label that brain data cannot teach, 0 to 1"),
    "signal_variance": ("signal variance", "predictable variance of the label, in squared label units"),
    "label_noise": ("label noise", "variance of the noise of one label over that of its predictable part"),
    "brain_exponent": (
        "focus of the brain",
        "how much the brain's latents prefer the strong directions of the features",
    ),
    "task_exponent": ("focus of the task", "how much the task prefers the strong directions of the features"),
    "everything_else": ("everything else", "how the latents differ, and luck with new people"),
    "price_of_a_brain_sample": (
        "price of a brain sample",
        "all modalities together; sessions, people and set-up included",
    ),
    "price_of_a_label": ("price of a label", "one answer about one stimulus"),
    "noise_variance": ("label noise variance", "unpredictable variance of one label, in squared label units"),
    "latent_dimension": ("latent dimension", "number of directions in the stimulus features that brain data reveal"),
    "r2_plan": ("explainable R², plan", "share of the predictable part of a label predicted with the plan, 0 to 1"),
    "r2_task_only": ("explainable R², labels only", "the same with labels only, 0 to 1"),
}


_OF = {
    "snr": "signal-to-noise of",
    "people": "new people in",
    "price_of_a_sample": "price of a sample of",
    "price_of_hour": "price of an hour of",
    "price_of_session": "price of a session of",
}
"""Quantities of one modality."""


def parameter(column: str) -> str:
    """Name of a posterior column in plain words, e.g. ``snr:EEG`` → ``signal-to-noise of EEG``."""
    kind, colon, name = column.partition(":")
    if colon and kind in _OF:
        return f"{_OF[kind]} {printable(name)}"
    return _NAMES[column][0] if column in _NAMES else printable(column).replace("_", " ")


def meaning(column: str) -> str:
    """Say what a posterior column means, with its unit; empty when unknown."""
    if column.startswith("snr"):
        return "signal variance over noise variance of one recorded sample, summed over channels and latents"
    if column.startswith("price_of_a_sample:"):
        return "sessions, people and set-up included"
    if column.startswith(("price_of_hour:", "price_of_session:")):
        return "people and set-up keep their prices"
    if column.startswith("people:"):
        return "signal-to-noise of new people over that of the pilot's people"
    return _NAMES[column][1] if column in _NAMES else ""


def number(value: Number, digits: int = 3) -> str:
    """Round to `digits` significant digits, with thousands separators and no exponent where it can be avoided."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "unlimited" if value > 0 else "−unlimited"
    if value == 0:
        return "0"
    if abs(value) < TINY:
        return f"under {TINY}" if value > 0 else f"over −{TINY}"
    size = math.floor(math.log10(abs(value)))
    if size >= 15:
        text = f"{value:.{digits - 1}e}"
    elif size >= digits - 1:
        text = f"{round(value, digits - 1 - size) if size < 4 else round(value):,.0f}"
    else:
        text = f"{value:.{digits - 1 - size}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def count(value: Number) -> str:
    """Write a whole number with thousands separators."""
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{round(value):,}".replace("-", "−")


def money(value: Number, currency: str) -> str:
    """Write an amount of money; cents only below 100."""
    if value is None or not math.isfinite(value):
        return number(value)
    text = f"{value:,.2f}" if abs(value) < 100 and value != round(value) else f"{value:,.0f}"
    return f"{text.replace('-', '−')} {currency}".strip()


def price(value: Price, currency: str) -> str:
    """Write a price, or the 90 % interval it lies in."""
    if isinstance(value, list):
        if not value:
            return NONE
        low, high = min(value), max(value)
        return money(low, currency) if low == high else f"{money(low, '')} to {money(high, currency)}"
    return money(value, currency)


def effort(bought: Bought, hours_per_session: Number = None) -> str:
    """Say how many people, sessions, hours and samples a purchase means: "3 people × 4 sessions, 24 hours, 6,000 samples"."""
    people, sessions = bought.subjects or 0, bought.sessions or 0
    parts: list[str] = []
    if people:
        parts.append(_counted(people, "person", "people"))
    if people and sessions and sessions % people == 0:
        parts[0] += f" × {_counted(sessions // people, 'session', 'sessions')}"
    elif sessions:
        parts.append(f"{_counted(sessions, 'session', 'sessions')} in all")
    if sessions and hours_per_session:
        parts.append(f"{number(sessions * hours_per_session)} hours")
    parts.append(_counted(bought.n_samples, "sample", "samples"))
    if bought.repeats and bought.repeats > 1:
        parts.append(f"each stimulus {count(bought.repeats)} times")
    return ", ".join(parts)


def _counted(value: int, one: str, many: str) -> str:
    return f"{count(value)} {one if value == 1 else many}"


def share(value: Number) -> str:
    """Write a share as a percentage."""
    if value is None or not math.isfinite(value):
        return NONE
    percent = 100 * value
    if 0 < percent < 1:
        return f"under 1{PER_CENT}"
    return f"over 99{PER_CENT}" if 99 < percent < 100 else f"{percent:.0f}{PER_CENT}"


def percent(value: float) -> str:
    """Write a small share with the decimals it needs, e.g. ``0.005`` → ``0.5 %``."""
    return f"{number(100 * value, 2)}{PER_CENT}"


def chance(value: Number) -> str:
    """Write a probability that was counted over draws, which never shows certainty."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 0.005:
        return f"under 1{PER_CENT}"
    return f"over 99{PER_CENT}" if value > 0.995 else f"{100 * value:.0f}{PER_CENT}"


def r2(value: Number, digits: int | None = None) -> str:
    """Write an R² with two decimals, or so many; with more where it is nearly 1."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{_r2_digits(value) if digits is None else digits}f}".replace("-", "−")


def _r2_digits(value: Number) -> int:
    left = 1.0 - value if value is not None and math.isfinite(value) else 1.0
    return 2 if left >= 0.01 or left <= 0 else min(4, math.ceil(-math.log10(left)))


def capital(text: str) -> str:
    """Begin a sentence with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def interval(summary: Summary | None, style: str = "number", unit: str = "") -> str:
    """Write a mean and its 90 % interval: "0.42 (0.31 to 0.52)", with the unit at the end.

    Parameters
    ----------
    summary
        The quantity; None is written as "not available".
    style
        ``number``, ``count``, ``tenths``, ``r2``, or ``compared``: an R² with one decimal more in the mean, for rows that are
        compared with each other.
    unit
        Unit to append.

    Returns
    -------
    str
    """
    if summary is None or summary.mean is None:
        return NONE
    ends = (summary.q05, summary.q95)
    sizes = [abs(value) for value in (summary.mean, *ends) if value is not None and math.isfinite(value)]
    largest = max(sizes, default=0.0)
    least = min((size for size in sizes if size > 0), default=0.0)
    far = style == "number" and 0.01 <= least < 0.5 * 10.0 ** -_decimals(largest) and largest >= 1
    plainly = partial(number, digits=2) if far else partial(_beside, largest=largest)
    digits = max(_r2_digits(value) for value in (summary.mean, *ends))
    same = partial(r2, digits=digits)
    write = {"number": plainly, "count": count, "r2": same, "compared": same, "tenths": _tenths}[style]
    if style == "number" and 0 < largest < TINY and min(v for v in (summary.mean, *ends) if v is not None) >= 0:
        return f"under {TINY} {unit}".strip()
    if style == "compared":
        text = r2(summary.mean, digits + 1)
    else:
        text = _mean(summary.mean, largest) if style == "number" and not far else write(summary.mean)
    if None not in ends:
        text += f" ({write(ends[0])} to {write(ends[1])})"
    return f"{text} {unit}".strip()


def as_summary(value: dict[str, Number], scale: float = 1.0) -> Summary:
    """Return a saved mean with its interval, if it has one, times a factor."""
    ends = {key: item * scale if isinstance(item, float | int) else None for key, item in value.items()}
    return Summary.model_validate({"mean": None, "q05": None, "q95": None} | ends)


def _tenths(value: Number) -> str:
    """Write a number with one decimal."""
    return number(value) if value is None or not math.isfinite(value) else f"{value:.1f}".replace("-", "−")


def _beside(value: Number, largest: float) -> str:
    """Write a number with as many decimals as the largest of its row needs for two significant digits."""
    if value is None or not math.isfinite(value) or not TINY <= largest < 1e5:
        return number(value)
    return f"{value:,.{_decimals(largest)}f}".replace("-", "−")


def _mean(value: float, largest: float) -> str:
    """Write a mean with one decimal more than its interval where it is less than a quarter of its end."""
    text = _beside(value, largest)
    far = TINY <= abs(value) < 0.25 * largest and largest < 1e5
    if far and _decimals(abs(value)) > _decimals(largest):
        return f"{value:,.{_decimals(largest) + 1}f}".replace("-", "−")
    return text


def _decimals(largest: float) -> int:
    """Return how many decimals give a number two significant digits."""
    return max(0, 1 - math.floor(math.log10(largest))) if largest > 0 else 0


def objective(aim: PlanObjective | None) -> str:
    """Say what the plan makes as large as it can."""
    kind = "mean" if aim is None else aim.utility
    level = "" if aim is None or aim.level is None else percent(aim.level)
    target = "" if aim is None or aim.target is None else number(aim.target)
    return {
        "quantile": f"the {level} quantile of explainable R²",
        "cvar": f"the mean of the worst {level} of explainable R²",
        "probability": f"the probability that explainable R² reaches {target}",
    }.get(kind, "expected explainable R²")


def rounded(value: Number, unit: str = "") -> str:
    """Write a number with two significant digits (three from 100), and its unit."""
    size = 0.0 if value is None or not math.isfinite(value) else abs(value)
    return f"{number(value, 2 if size < 100 else 3)} {unit}".strip()


def listed(items: list[str]) -> str:
    """Join as prose: "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"


def plain(value: Plain, digits: int = 4) -> str:
    """Write a value of unknown kind, nothing for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(float(value), digits) if isinstance(value, int | float) else value or ""
