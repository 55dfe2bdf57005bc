"""Hold forecasts from priors against published results of learning with brain recordings.

Run it with ``uv run python case_studies/literature/run.py``. In: ``results.toml`` beside this file and nothing else. Out: a folder
with ``results.csv`` (one row per published result, with its forecast) and the study file that each result implies; with
``--keep``, ``results/`` beside this file and the tables of its README.
"""

# pyright: reportMissingImports=false
# (a shared module lies in the folder above)

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from forecasts import BELIEVER, Forecast, Reported, forecast
from published import NUMBERS, Result, load

from brainworth.design.common.runtime import use_compilation_cache

sys.path.append(str(Path(__file__).parents[1]))

from kept import command_line, keep, rows

HERE = Path(__file__).parent
SIGNS = {"+": "gain", "0": "none", "-": "loss"}


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("literature", __doc__, backtest=False)
    parser.add_argument("--only", nargs="+", metavar="STUDY", help="forecast results of these studies only")
    parser.add_argument("--no-twin", action="store_true", help="leave out the deliberately wrong priors")
    given = parser.parse_args()
    if given.keep and (given.only or given.no_twin):
        parser.error("--keep needs all results and the twin.")
    return given


def percent(value: float) -> str:
    """Return a share of the error in per cent, with its sign."""
    return f"{100.0 * value:+.1f}"


def seen(report: Reported) -> str:
    """Return mean and 90 % interval of what a paper would report, in per cent."""
    return f"{percent(report.mean)} ({percent(report.q05)} to {percent(report.q95)})"


def published(result: Result) -> str:
    """Return the scores or the gain of a result as published."""
    unit = "" if result.unit in (None, "1") else f" {result.unit}"
    if {"baseline", "informed"} <= result.values.keys():
        return f"{result.values['baseline']:g} to {result.values['informed']:g}{unit}"
    if not result.has_numbers:
        return f"{SIGNS[result.published_sign]}; no number found"
    interval = f" ({result.values['low']:+g} to {result.values['high']:+g})" if "low" in result.values else ""
    return f"{result.values['gain']:+g}{unit}{interval}"


def count(result: Result, field: str) -> str:
    """Return a number of samples, or a dash if it was not found."""
    return f"{result.values[field]:,.0f}" if field in result.values else "–"


def name(result: Result) -> str:
    """Return authors, year and identifier of the study of a result."""
    return f"{result.study['authors']} {result.study['year']} ({result.study['identifier']})"


def forecasts_text(found: Sequence[Forecast]) -> str:
    """Return published results and their forecasts as Markdown."""
    header = ["study", "task", "brain samples", "labels", "score", "error removed, published (%)",
              "forecast (%, 90 %)", "given the score without (%)", "P(gain ≥ 0.01)", "sign", "size"]  # fmt: skip
    body: list[list[str]] = []
    for one in found:
        own = one.result
        known = one.given_baseline
        body.append([
            f"{own.study['authors']} {own.study['year']}", own.task,
            f"{count(own, 'n_brain')} {own.study['modality']}", count(own, "n_task"), f"{published(own)} ({own.metric})",
            f"{percent(own.removed)} ± {100.0 * own.error:.1f}", seen(one.reported), "–" if known is None else seen(known),
            f"{one.worthwhile:.0%}",
            f"{SIGNS[own.published_sign]}: {'agrees' if one.sign_agrees else 'does not agree'}",
            "agrees" if one.size_agrees else "does not agree",
        ])  # fmt: skip
    return rows(header, body)


def others_text(results: Sequence[Result]) -> str:
    """Return results that have no forecast, and why, as Markdown."""
    header = ["study", "task", "modality", "brain samples", "published", "control", "null", "why there is no forecast"]
    body = [
        [
            name(own), f"{own.task} ({own.metric})", str(own.study["modality"]), count(own, "n_brain"), published(own),
            own.control, "yes" if own.null else "no", own.note or str(own.study["note"]),
        ]
        for own in results
    ]  # fmt: skip
    return rows(header, body)


def agreement_text(found: Sequence[Forecast], twin: Sequence[Forecast]) -> str:
    """Return how often signs and sizes agree, for the priors and for the deliberately wrong twin, as Markdown."""
    header = ["", "results", "sign agrees", "size in the 90 % interval", "the same, given the score without",
              "gains expected", "gains published", "mean log probability of the sign"]  # fmt: skip
    body: list[list[str]] = []
    parts = {
        "all": lambda _: True,
        "a scale that can be compared": lambda own: own.scale != "rough",
        "against models without brain data": lambda own: not own.shuffled,
        "against shuffled recordings": lambda own: own.shuffled,
    }
    for label, every in (("priors of the literature", found), ("wrong twin: brain data always help", twin)):
        for part, belongs in parts.items():
            chosen = [one for one in every if belongs(one.result)]
            if not chosen:
                continue
            sharp = [f.sharp_agrees for f in chosen if f.sharp_agrees is not None]
            logs = [np.log(max(f.reported.probability(f.result.published_sign), 1e-6)) for f in chosen]
            body.append([
                f"{label}, {part}", str(len(chosen)), f"{sum(f.sign_agrees for f in chosen)}",
                f"{sum(f.size_agrees for f in chosen)}", f"{sum(sharp)} of {len(sharp)}",
                f"{sum(f.reported.positive for f in chosen):.1f}",
                f"{sum(f.result.published_sign == '+' for f in chosen)}", f"{np.mean(logs):.2f}",
            ])  # fmt: skip
    return rows(header, body)


def assumptions_text(found: Sequence[Forecast]) -> str:
    """Return what was assumed for each study, as a list."""
    by_study: dict[str, list[str]] = {}
    for one in found:
        held = by_study.setdefault(name(one.result), [])
        held += [words for words in one.assumptions if words not in held]
    return "\n".join(f"* {study}: {'; '.join(held)}." for study, held in by_study.items())


def write_csv(path: Path, results: Sequence[Result], found: Sequence[Forecast]) -> None:
    """Write one row per published result: numbers, sources, forecast, agreement; empty where there is none."""
    by_result = {id(one.result): one for one in found}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([
            "study", "authors", "year", "identifier", "modality", "kind", "task", "metric", "unit", "scale", "control", "null",
            *NUMBERS, "sign", "sources", "note", "removed", "removed_error", "forecast_mean", "forecast_q05",
            "forecast_q95", "given_q05", "given_q95", "probability_gain", "worthwhile", "sign_agrees", "size_agrees",
            "assumptions",
        ])  # fmt: skip
        for own in results:
            one = by_result.get(id(own))
            sources = "; ".join(f"{field} from {where}" for field, where in own.sources.items())
            sign = own.published_sign if own.sign is not None or own.forecastable else ""
            numbers = [own.values.get(field, "") for field in NUMBERS]
            writer.writerow([
                own.key, own.study["authors"], own.study["year"], own.study["identifier"], own.study["modality"],
                own.study["kind"], own.task, own.metric, own.unit or "", own.scale, own.control, own.null, *numbers, sign,
                sources, " ".join([str(own.study["note"]), own.note]).strip(), *([""] * 12 if one is None else cells(one)),
            ])  # fmt: skip


def cells(one: Forecast) -> list[object]:
    """Return the cells of a forecast in the table."""
    known, report = one.given_baseline, one.reported
    own = [one.result.removed, one.result.error, report.mean, report.q05, report.q95]
    given = ["", ""] if known is None else [f"{known.q05:.4f}", f"{known.q95:.4f}"]
    rest = [
        f"{report.positive:.3f}",
        f"{one.worthwhile:.3f}",
        one.sign_agrees,
        one.size_agrees,
        "; ".join(one.assumptions),
    ]
    return [*(f"{value:.4f}" for value in own), *given, *rest]


def main() -> None:
    """Forecast every published result that says enough, compare, and write what came out."""
    given = arguments()
    use_compilation_cache()
    results, _ = load(HERE / "results.toml")
    chosen = [own for own in results if own.forecastable and (not given.only or own.key in given.only)]
    given.out.mkdir(parents=True, exist_ok=True)
    found: list[Forecast] = []
    twin: list[Forecast] = []
    for number, own in enumerate(chosen):
        print(f"{own.key}: {own.task}")
        folder = given.out / "studies" / f"{number:02d}-{own.key}"
        found.append(forecast(own, folder))
        if not given.no_twin:
            twin.append(forecast(own, given.out / "twin" / f"{number:02d}-{own.key}", BELIEVER))
    write_csv(given.out / "results.csv", results, found)
    texts = {
        "forecasts": forecasts_text(found),
        "agreement": agreement_text(found, twin),
        "assumptions": assumptions_text(found),
        "others": others_text([own for own in results if not own.forecastable]),
    }
    print("\n" + "\n\n".join(texts.values()))
    if given.keep:
        keep(HERE, texts, [given.out / "results.csv"])


if __name__ == "__main__":
    main()
