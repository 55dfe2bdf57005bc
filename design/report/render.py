"""Assemble the report: read saved results, draw, fill the page, write everything.

In: the folder of a finished plan. Out: `report.html`, `figures/` and `tables/` in it, each file written in one step. Saved
results that are missing or damaged, or a folder that cannot be written, raise `BadInput`.

The page is one file without any request to the network: styles, script, data and figures are inside, and its
Content-Security-Policy forbids everything else. All text from the study is escaped by the template engine.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from brainworth.design.common.files import remove_file, remove_leftovers, write_atomic
from brainworth.design.common.records import Number
from brainworth.design.decision.records.plan import Plan
from brainworth.design.report import (
    affordable,
    changes,
    controls_figure,
    csv_tables,
    decision_figures,
    decision_tables,
    evidence,
    figures,
    front,
    glossary,
    information_figure,
    learning_figures,
    paragraphs,
    planner,
    posterior_figure,
    regime_figure,
    split_table,
    tables,
    update_figure,
    words,
)
from brainworth.design.report.methods import methods, references
from brainworth.design.report.saved import Saved, load
from brainworth.design.report.style import Plot, printable

_FIGURES = (
    figures.frontier,
    figures.split,
    learning_figures.learning,
    figures.exchange,
    posterior_figure.posterior,
    decision_figures.tornado,
    decision_figures.sobol,
    regime_figure.regime,
    information_figure.information,
    decision_figures.modalities,
    controls_figure.controls,
    update_figure.update,
)
FIGURE_NAMES = (
    *("frontier", "split", "learning", "exchange", "posterior"),
    *("tornado", "sobol", "regime", "information", "modalities", "controls", "update"),
)
"""Stems of every file that may appear in `figures/`."""


def write_report(directory: Path) -> Path:
    """Write the report of a saved plan into its folder.

    Parameters
    ----------
    directory
        A folder written by `brainworth plan`, with `plan.json` and usually `details.json`.

    Returns
    -------
    Path
        The page, `report.html`.

    Raises
    ------
    BadInput
        If the saved results are missing or damaged, or the folder cannot be written.
    """
    directory = Path(directory)
    saved = load(directory)
    remove_leftovers(directory)
    plots = drawn(saved)
    for name in FIGURE_NAMES:
        for suffix in ("svg", "png"):
            path = directory / "figures" / f"{name}.{suffix}"
            if name in plots:
                write_atomic(path, plots[name].svg if suffix == "svg" else plots[name].png)
            else:
                remove_file(path)
    contents = csv_tables.csv_files(saved)
    for name in csv_tables.TABLES:
        path = directory / "tables" / f"{name}.csv"
        if path.name in contents:
            write_atomic(path, contents[path.name])
        else:
            remove_file(path)
    return write_atomic(directory / "report.html", page(saved, plots).encode())


def drawn(saved: Saved) -> dict[str, Plot]:
    """Return the figures of a plan, by name; those without data are left out."""
    return {plot.name: plot for plot in (draw(saved) for draw in _FIGURES) if plot is not None}


def write_page(plan: Plan, path: Path) -> Path:
    """Write the report of a plan as one page, without the files of figures and tables beside it."""
    saved = Saved.of(plan)
    return write_atomic(path, page(saved, drawn(saved)).encode())


def page(saved: Saved, plots: dict[str, Plot]) -> str:
    """Fill the page.

    Parameters
    ----------
    saved
        Saved results.
    plots
        Finished figures by name; sections without figure or data are left out.

    Returns
    -------
    str
        One HTML document.
    """

    def money(value: Number) -> str:
        return words.money(value, saved.currency)

    environment = Environment(
        loader=FileSystemLoader(planner.TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {
        "count": words.count,
        "number": words.number,
        "share": words.share,
        "chance": words.chance,
        "percent": words.percent,
        "r2": words.r2,
        "rounded": words.rounded,
        "interval": words.interval,
        "parameter": words.parameter,
        "plain": words.plain,
        "money": money,
    }
    plannable = planner.planner(saved)
    files = ["report.js", *(planner.SCRIPTS if plannable else [])]
    script = "\n".join(planner.text(name) for name in files)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    heads, rows = decision_tables.compared(saved)
    fill = partial(
        environment.get_template("report.html.j2").render,
        plan=saved.plan,
        details=saved.details,
        complete=saved.complete,
        title=saved.details.title.strip() or "Plan",
        currency=saved.currency,
        budget=saved.budget,
        plots=plots,
        inline={name: Markup(plot.inline) for name, plot in plots.items()},
        look=front.look(saved),
        facts=front.facts(saved),
        steps=front.steps(saved),
        sure=front.sure(saved),
        instead=front.instead(saved),
        inside=front.inside_line(saved),
        health_line=front.health_line(saved),
        turned=changes.turned(saved),
        others=changes.others(saved),
        flip_heading=changes.flip_heading(saved),
        standard=changes.Standard.of(saved),
        grant=paragraphs.grant(saved),
        registered=paragraphs.registered(saved),
        aim=words.objective(saved.details.objective),
        flips=decision_tables.flips(saved),
        steady=decision_tables.steady(saved),
        from_priors=saved.from_priors,
        larger=decision_tables.larger_pilots(saved),
        orders=decision_tables.orders(saved),
        checks=evidence.check_rows(saved),
        belonging=evidence.belonging(saved),
        left_out=evidence.left_out(saved),
        controlled=evidence.controlled(saved),
        updated=evidence.updated(saved),
        look_rows=evidence.look_rows(saved),
        belief_rows=evidence.belief_rows(saved),
        worths=affordable.worths(saved),
        hours_unknown=affordable.hours_unknown(saved),
        purchase=tables.purchase_list(saved),
        bottom=tables.bottom(saved),
        not_bought=tables.not_bought(saved),
        certified=tables.certified(saved),
        splits_sentence=split_table.splits_sentence(saved),
        splits_rows=split_table.splits_rows(saved),
        hopeless=tables.hopeless(saved),
        rule_name=tables.rule_name,
        marginal_money=10.0 ** math.floor(math.log10(max(saved.budget, 10.0) / 10)),
        believed=tables.believed(saved),
        assumptions=tables.assumptions(saved),
        compare_heads=heads,
        wordy="best purchase with it" in heads,
        trial=decision_tables.on_trial(saved),
        compare_rows=rows,
        style=Markup(planner.text("report.css") + planner.text("planner.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        data=planner.script_json({"planner": plannable}),
        planner=plannable,
        site=None,
        methods=methods(saved),
        references=references(saved),
    )
    empty = _Contents([], [])
    terms = glossary.occurring(fill(terms=[], contents=empty))
    return glossary.linked(fill(terms=terms, contents=_contents(fill(terms=terms, contents=empty))))


@dataclass(frozen=True)
class _Contents:
    """Anchors and headings of the page's parts."""

    front: list[tuple[str, Markup]]
    appendix: list[tuple[str, Markup]]


def _contents(page: str) -> _Contents:
    """Read the headings off a page."""
    found = (re.findall(pattern, page) for pattern in (_SECTION, _PART))
    return _Contents(*([(anchor, Markup(heading)) for anchor, heading in pairs] for pairs in found))


_SECTION = re.compile(r'<section id="([\w-]+)"[^>]*>\s*<h2[^>]*>(.*?)</h2>')
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")
"""A hyphen that begins a number, not one within a word, a range or a date."""
_PART = re.compile(r'<details id="([\w-]+)" class="part">\s*<summary><h2>(.*?)</h2>')


def _printable(value: Any) -> Any:
    """Replace characters that HTML forbids in any plain text that reaches the page; a hyphen before a number is a minus sign."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _MINUS.sub("−", printable(value))
