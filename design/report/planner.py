"""What a planner in a page needs: the performance table, and the prices, limits and numbers that its inputs begin with."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from brainworth.design.decision.records.details import ModalityPrices, Prices, upper_end
from brainworth.design.decision.records.performance_table import ModalityTable, PerformanceTable
from brainworth.design.decision.records.plan import Bought
from brainworth.design.report import front, paragraphs, words
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import printable

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("planner_table.js", "planner.js", "planner_page.js")
"""Scripts of a planner, each of which needs those before it."""
_ONE_SESSION = Bought(n_samples=0, subjects=1, sessions=1)
_BLOCKS = 200
"""Without sessions of a known size, samples are bought in blocks of this part of the table's largest amount."""

_WHY = {
    "collect": "The mean gain is worth the trouble, and such a gain is at least as likely as not.",
    "toss_up": "The mean gain is positive, but it is too small or too unlikely for a clear answer.",
    "labels_only": "The mean gain is not positive, or a gain that is worth the trouble is unlikely.",
}
"""Why a verdict is as it is, in words."""


def planner(saved: Saved) -> dict[str, Any] | None:
    """Return the planner's data; None if the plan was saved without a performance table."""
    table, prices = saved.details.performance_table, saved.details.prices
    if table is None or prices is None or not table.modalities:
        return None
    plan = saved.plan
    own = plan.allocation if plan.allocation.holds_brain_data or plan.verdict.judged is None else plan.verdict.judged
    begin = Beginning(saved.currency, saved.budget, own.n_task, plan.verdict.worthwhile)
    return inputs(table, prices, begin, own.modalities)


@dataclass(frozen=True)
class Beginning:
    """What a planner's inputs begin with, beside prices."""

    currency: str
    budget: float
    labels: int
    """Of the reader's own design."""
    worthwhile: float | None
    """Smallest gain in explainable R² that is worth the trouble of recording."""


def inputs(
    table: PerformanceTable, prices: Prices, begin: Beginning, bought: dict[str, Bought] | None = None
) -> dict[str, Any]:
    """Return the data of a planner: what it searches, and what its inputs begin with.

    The reader's own design begins with what is bought; without recordings in it (``bought`` empty) with labels alone, and with one
    session of one person where nothing is said (None).
    """
    return {
        "table": table.model_dump(),
        "currency": begin.currency,
        "budget": round(begin.budget, 2),
        "label": upper_end(prices.task),
        "labels": begin.labels,
        "most_labels": table.most_labels,
        "worthwhile": begin.worthwhile,
        "prices": {
            name: _modality(
                own,
                prices.modalities.get(name, ModalityPrices()),
                _ONE_SESSION if bought is None else bought.get(name),
            )
            for name, own in table.modalities.items()
        },
    }


def _modality(own: ModalityTable, prices: ModalityPrices, bought: Bought | None) -> dict[str, Any]:
    """Return prices of whole sessions and of people: late cancellations and people who drop out are paid for, too.

    People of the pilot who return have no price of their own.
    """
    size = int(upper_end(prices.samples_per_session)) or max(1, own.samples[-1] // _BLOCKS)
    session = upper_end(prices.per_session) + upper_end(prices.per_hour) * (prices.hours_per_session or 0.0)
    session = session / (1 - (prices.cancellation or 0.0)) + size * upper_end(prices.per_sample)
    people = (bought.subjects or 0) if bought is not None else 0
    sessions = (bought.sessions or 0) if bought is not None else 0
    person = upper_end(prices.per_subject) / (1 - (prices.attrition or 0.0)) if own.returning is None else 0.0
    limits = [] if own.most_sessions is None else [own.most_sessions]
    limits += [] if own.most_samples is None else [own.most_samples // size]
    return {
        "session": round(session, 2),
        "person": round(person, 2),
        "setup": upper_end(prices.setup),
        "size": size,
        "people": people,
        "each": max(1, round(sessions / max(people, 1))),
        "most_each": own.most_sessions_each,
        "most_sessions": min(limits, default=None),
        "most_people": own.most_people,
        "fixed": own.returning,
    }


def fragment(presets: dict[str, dict[str, Any]], likely: float, unlikely: float, version: str) -> str:
    """Return a planner without a report around it, as HTML for any page: style, inputs, data and scripts.

    Parameters
    ----------
    presets
        By name, data as of ``inputs``, and the text of a study file (``study``) in which words in braces stand for the inputs
        (``label``, ``session_0`` for the first modality).
    likely, unlikely
        Thresholds of the verdict (``decision.verdict``).
    version
        Of brainworth, for the paragraph.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = words.count
    first = next(iter(presets.values()))
    kinds = list(max((given["prices"] for given in presets.values()), key=len).items())
    section = environment.get_template("planner.html.j2").render(
        planner=first, currency=first["currency"], site={"presets": list(presets), "kinds": kinds}
    )
    said = {
        "headings": {kind: look.heading for kind, look in front.LOOKS.items()},
        "likely": likely,
        "unlikely": unlikely,
        "why": _WHY,
        "instead": front.INSTEAD,
        **paragraphs.in_a_page(version),
    }
    data = script_json({"presets": list(presets.values()), "words": said})
    *before, page = SCRIPTS
    script = "\n".join(text(name) for name in (*before, "planner_site.js", page))
    return (
        f"<style>\n{text('planner.css')}</style>\n{section}\n"
        f'<script type="application/json" id="brainworth-data">{data}</script>\n<script>\n{script}</script>\n'
    )


def text(name: str) -> str:
    """Return a file beside the templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def script_json(data: dict[str, Any]) -> Markup:
    """Write data as JSON that is safe inside a `<script>` element, numbers that are not finite as null."""
    written = json.dumps(_finite(data), allow_nan=False, separators=(",", ":"))
    for character in "<>&'":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return Markup(written)


def _finite(value: Any) -> Any:
    """Round to seven significant digits, and replace what JSON cannot hold by null."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {printable(str(key)): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
