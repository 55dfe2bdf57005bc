"""A preregistration in words: the sample-size paragraph, fields of reporting standards, Markdown and HTML.

In: the records of a plan. Out: text. The HTML is one file without scripts that opens without a network.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import starmap

from brainworth.design.common.messages import amount
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.preregistration_records import (
    PlannedInterval,
    PlannedRecordings,
    Preregistration,
    ReportingField,
)
from brainworth.design.decision.records import plan as planned
from brainworth.design.decision.records.details import Details


def _interval(values: PlannedInterval | Summary, digits: int = 2) -> str:
    if values.mean is None or values.q05 is None or values.q95 is None:
        return "not stated"
    return f"{values.mean:.{digits}f} (90 % interval {values.q05:.{digits}f} to {values.q95:.{digits}f})"


def _amount(name: str, bought: PlannedRecordings | planned.Bought) -> str:
    """Return "6,000 EEG samples from 3 people in 12 sessions"."""
    text = f"{bought.n_samples:,} {name} samples"
    if bought.subjects:
        text += f" from {bought.subjects:,} {'person' if bought.subjects == 1 else 'people'}"
    if bought.sessions:
        text += f" in {bought.sessions:,} session{'' if bought.sessions == 1 else 's'}"
    return text


def sample_size(plan: planned.Plan, details: Details) -> str:
    """Return the paragraph that justifies the numbers."""
    bought = [_amount(name, entry) for name, entry in plan.allocation.modalities.items() if entry.n_samples]
    what = " and ".join([", ".join([f"{plan.allocation.n_task:,} labels", *bought[:-1]]), *bought[-1:]])
    pilot = details.pilot
    seen = [] if pilot is None else [f"{pilot.n_task or 0.0:,.0f} labels"]
    if pilot is not None:
        seen += [f"{entry.n_samples or 0.0:,.0f} {name} samples" for name, entry in pilot.modalities.items()]
    source = f"a pilot of {', '.join(seen)}" if seen else "known or assumed parameters"
    text = (
        f"We will collect {what}, at a cost of {amount(plan.cost.total, plan.cost.currency)}. These numbers maximise the expected "
        f"performance of the learner for this money, given the posterior from {source}. "
        f"Together with the pilot they are expected to reach an explainable R2 of {_interval(plan.performance.explainable_r2)}"
    )
    if plan.performance.r2 is not None:
        text += f" and an R2 on held-out labels of {_interval(plan.performance.r2)}"
    text += "."
    if plan.chosen_stimuli is not None:
        text += f" {plan.chosen_stimuli.sentence}"
    if plan.verdict.probability is not None:
        text += f" The probability that brain data are worth their price is {plan.verdict.probability:.0%}."
    return text + (" The health check of the pilot advised against this plan." if details.forced else "")


def reporting_fields(plan: planned.Plan, details: Details, level: float) -> tuple[ReportingField, ...]:
    """Return the fields of COBIDAS (source, level and target of the effect) and BIDS-style counts."""
    source = (
        "posterior of a pilot" if details.pilot is not None and details.pilot.n_task else "known or assumed parameters"
    )
    target = "" if plan.verdict.probability is None else f"; probability of it {plan.verdict.probability:.0%}"
    pairs = [
        ("COBIDAS", "Effect size: source", source),
        ("COBIDAS", "Effect size: predicted", f"explainable R2 {_interval(plan.performance.explainable_r2, 3)}"),
        ("COBIDAS", "Significance level", f"{level:g}, one-sided"),
        ("COBIDAS", "Target", f"gain over labels alone{target}"),
        ("COBIDAS", "Number of labelled stimuli", f"{plan.allocation.n_task}"),
    ]
    for name, entry in plan.allocation.modalities.items():
        pairs += [
            ("BIDS", f"{name}: participants", str(entry.subjects or 0)),
            ("BIDS", f"{name}: sessions", str(entry.sessions or 0)),
            ("BIDS", f"{name}: trials", str(entry.n_samples)),
            ("BIDS", f"{name}: stimuli", "not stated" if entry.stimuli is None else str(entry.stimuli)),
            ("BIDS", f"{name}: presentations of a stimulus", str(entry.repeats or 1)),
        ]
    return tuple(
        ReportingField(standard="COBIDAS" if standard == "COBIDAS" else "BIDS", field=field, value=value)
        for standard, field, value in pairs
    )


Section = tuple[str, list[str], list[tuple[str, ...]]]
"""Heading, paragraphs, rows of a table with its header first."""


def _sections(record: Preregistration) -> list[Section]:
    rule, test, origin = record.decision_rule, record.primary_comparison, record.provenance
    held_out = "not fixed in advance" if test.test_labels is None else f"{test.test_labels:,}"
    chance = "not stated" if rule.probability is None else f"{rule.probability:.0%}"
    bought = [("kind", "amount"), ("labels", f"{record.purchase.n_task:,}")]
    bought += [(name, _amount(name, entry)) for name, entry in record.purchase.modalities.items()]
    bought += [("cost", amount(record.cost.total, record.cost.currency))]
    forecast = [("quantity", "forecast"), ("explainable R2", _interval(record.forecast.explainable_r2, 3))]
    if record.forecast.r2 is not None:
        forecast.append(("R2 on held-out labels", _interval(record.forecast.r2, 3)))
    return [
        ("Design", [], bought),
        ("Sample size", [record.sample_size], []),
        (
            "Decision rule",
            [
                rule.sentence,
                f"Decision: {rule.decision}. Smallest gain in explainable R2 that is worth recording for: {rule.worthwhile:g}. "
                f"Probability: {chance}.",
            ],
            [],
        ),
        ("Stopping rule", [record.stopping_rule.sentence], []),
        (
            "Primary comparison",
            [
                f"Outcome: {test.outcome}. Compared: {test.arms[0]}; {test.arms[1]}. Held-out labels: {held_out}.",
                test.analysis,
                f"Success: {test.success}",
            ],
            [],
        ),
        ("Forecast", [], forecast),
        ("Assumptions", list(record.assumptions), []),
        ("Methods", list(record.methods), []),
        ("References", list(record.references), []),
        (
            "Reporting fields",
            [],
            [("standard", "field", "value"), *((f.standard, f.field, f.value) for f in record.reporting)],
        ),
        (
            "Provenance",
            [
                f"Planned {origin.planned} with brainworth {origin.version}, seed {origin.seed}; registered {origin.registered}.",
                f"SHA-256 of this record: {record.sha256}",
            ],
            [
                ("file", "SHA-256"),
                ("plan.json", origin.plan_sha256),
                ("details.json", origin.details_sha256),
                *origin.inputs.items(),
            ],
        ),
    ]


def _cell(text: str) -> str:
    """Return text that cannot end a cell or start markup in Markdown."""
    flat = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return flat.replace("<", "&lt;").replace("`", "\\`").replace("*", "\\*").replace("[", "\\[")


def markdown_of(record: Preregistration) -> str:
    """Return the record as Markdown."""
    lines = [f"# Preregistration: {_cell(record.title)}", ""]
    for heading, paragraphs, rows in _sections(record):
        lines += [f"## {heading}", ""]
        for paragraph in paragraphs:
            lines += [_cell(paragraph), ""]
        if rows:
            lines += [_line(rows[0]), _line(["---"] * len(rows[0])), *(_line(row) for row in rows[1:]), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if cell == "---" else _cell(cell) for cell in cells) + " |"


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b2330;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d9dee5;text-align:left;padding:.3rem .6rem;"
    "overflow-wrap:anywhere}"
)


def html_of(record: Preregistration) -> str:
    """Return the record as one HTML file."""
    title = html.escape(record.title)
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Preregistration: {title}</title>',
        f"<style>{_STYLE}</style></head><body><h1>Preregistration: {title}</h1>",
    ]
    parts += starmap(_html_section, _sections(record))
    return "\n".join([*parts, "</body></html>\n"])


def _html_section(heading: str, paragraphs: list[str], rows: list[tuple[str, ...]]) -> str:
    parts = [f"<h2>{heading}</h2>", *(f"<p>{html.escape(text)}</p>" for text in paragraphs)]
    if rows:
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(parts)
