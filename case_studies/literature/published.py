"""Published results: the table in ``results.toml``, read and checked, one record per result.

In: the TOML file. Out: ``Result`` records with a gain on a scale that is the same for all metrics. Errors: a number without a
source, or a result without a number that does not say so (``ValueError`` names it).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUMBERS = (
    "people", "n_brain", "repeats", "channels", "features", "encoding",
    "n_task", "baseline", "informed", "gain", "low", "high", "spread",
)  # fmt: skip
"""Fields that are numbers: { value, source, where }."""
SCALES = ("regression", "signs", "rough", "none")
UNITS = {"%": 0.01, "1": 1.0}
"""Units of a score, as a factor that makes it a share."""
LEAST_ERROR, UNSTATED_ERROR = 0.005, 0.01
"""Standard deviation of the difference between two trained models' scores: at least this, and this if a paper gives none (ours)."""
NORMAL_95 = 1.6448536269514722
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class Result:
    """One published result."""

    key: str
    """Of the study."""
    study: Mapping[str, Any]
    """What all results of the study share: authors, year, identifier, modality, kind."""
    task: str
    metric: str
    scale: str
    """How the score relates to what is forecast; one of ``SCALES``."""
    control: str
    shuffled: bool
    """Whether the control is the same model with recordings of other stimuli."""
    null: bool
    """Whether the authors, or the control, find no effect of brain data."""
    note: str
    sign: str | None
    """Sign in words, where no number was found."""
    unit: str | None
    values: Mapping[str, float]
    """Numbers by field, as published."""
    sources: Mapping[str, str]
    """By field: the key of its source, and where in it the number stands."""

    @property
    def has_numbers(self) -> bool:
        """Whether a gain was found as a number."""
        return "gain" in self.values or {"baseline", "informed"} <= self.values.keys()

    @property
    def gain(self) -> float | None:
        """Gain in the published unit."""
        if "gain" in self.values:
            return self.values["gain"]
        return self.values["informed"] - self.values["baseline"] if self.has_numbers else None

    @property
    def forecastable(self) -> bool:
        """Whether there are numbers enough for a forecast, of a score that can be compared with it."""
        return self.scale != "none" and {"n_brain", "n_task", "baseline", "informed"} <= self.values.keys()

    def score(self, field: str) -> float:
        """Return a score as a share: R^2 for a correlation, else accuracy or F1."""
        value = self.values[field] * UNITS[str(self.unit)]
        return value**2 if self.scale == "regression" else value

    @property
    def removed(self) -> float:
        """Share of the remaining error that brain data removed: gain / (1 - score without)."""
        return (self.score("informed") - self.score("baseline")) / (1.0 - self.score("baseline"))

    @property
    def error(self) -> float:
        """Standard deviation of ``removed``: as published, but not below ``LEAST_ERROR`` of a score; assumed if not published."""
        factor = UNITS[str(self.unit)]
        if "spread" in self.values:
            stated = max(self.values["spread"] * factor, LEAST_ERROR)
        elif {"low", "high"} <= self.values.keys():
            stated = max((self.values["high"] - self.values["low"]) * factor / (2.0 * NORMAL_975), LEAST_ERROR)
        else:
            stated = UNSTATED_ERROR
        slope = 2.0 * self.values["baseline"] * factor if self.scale == "regression" else 1.0
        return slope * stated / (1.0 - self.score("baseline"))

    @property
    def published_sign(self) -> str:
        """Sign of the gain where it exceeds 1.645 standard deviations, else 0; as said in words where there is no number."""
        if self.sign is not None:
            return self.sign
        return sign_of(self.removed, self.error)


def sign_of(gain: float, error: float) -> str:
    """Return "+", "-" or, within 1.645 standard deviations of nothing, "0"."""
    return "0" if abs(gain) <= NORMAL_95 * error else ("+" if gain > 0.0 else "-")


def load(path: Path) -> tuple[list[Result], dict[str, Any]]:
    """Return the results of a table, and its sources.

    Raises
    ------
    ValueError
        If a number has no source, a scale is unknown, or a result without a number does not say so.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sources = table["source"]
    found = [_result(study, own, sources) for study in table["study"] for own in study["result"]]
    if missing := sorted(
        set(sources) - {source.split(":")[0] for result in found for source in result.sources.values()}
    ):
        raise ValueError(f"No number is from {', '.join(missing)}.")
    return found, sources


def _result(study: Mapping[str, Any], own: Mapping[str, Any], sources: Mapping[str, Any]) -> Result:
    name = f"{study['key']}, {own['task']}"
    both = {**study, **own}
    values: dict[str, float] = {}
    where: dict[str, str] = {}
    for field in NUMBERS:
        if field not in both:
            continue
        number = both[field]
        if not isinstance(number, Mapping) or not {"value", "source", "where"} <= number.keys():
            raise ValueError(f"{name}: '{field}' must say value, source and where.")
        if number["source"] not in sources:
            raise ValueError(f"{name}: the source '{number['source']}' of '{field}' is not listed.")
        values[field] = float(number["value"])
        how = f" ({number['how']})" if "how" in number else ""
        where[field] = f"{number['source']}: {number['where']}{how}"
    if own["scale"] not in SCALES:
        raise ValueError(f"{name}: the scale must be one of {', '.join(SCALES)}. Got {own['scale']} instead.")
    result = Result(
        key=study["key"],
        study=study,
        task=own["task"],
        metric=own["metric"],
        scale=own["scale"],
        control=own["control"],
        shuffled=bool(own.get("shuffled", False)),
        null=bool(own["null"]),
        note=own.get("note", ""),
        sign=own.get("sign"),
        unit=own.get("unit"),
        values=values,
        sources=where,
    )
    if not result.has_numbers and (result.sign is None or not result.note):
        raise ValueError(f"{name}: a result without a number must give its sign in words and say so in a note.")
    return result
