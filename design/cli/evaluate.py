"""The command ``evaluate``: what a design of one's own is worth, or a row of designs.

In: a study and numbers of labels, people, sessions, samples; one of them may be a range (10:40:5). Out: a table or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json, print_table, show_progress
from brainworth.design.cli.plan import StudyPath, opened

if TYPE_CHECKING:
    from brainworth.design.api import Posterior
    from brainworth.design.decision.evaluate import Evaluation

_RANGE = re.compile(r"(\d+)(?::(\d+)(?::(\d+))?)?")
_MOST = 200
"""Designs of one row."""


def whole_numbers(text: str, entry: str) -> list[int]:
    """Return ``[N]`` for N, and every number of a range for FIRST:LAST or FIRST:LAST:STEP; a usage error for anything else."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(
            f"{entry!r} needs a whole number of at least 0, without separators of thousands (1500, not 1,500), or a range "
            "FIRST:LAST:STEP, e.g. 10:40:5"
        )
    first, last, step = (None if part is None else int(part) for part in found.groups())
    numbers = list(range(first or 0, (first or 0 if last is None else last) + 1, step or 1)) if step != 0 else []
    if not numbers or len(numbers) > _MOST:
        raise typer.BadParameter(
            f"{entry!r} must be a range of 1 to {_MOST} numbers whose step is above 0, e.g. 10:40:5"
        )
    return numbers


@dataclass(frozen=True)
class AskedDesigns:
    """What was asked for: each entry one number, or all numbers of a range."""

    labels: list[int] | None
    named: Mapping[str, Mapping[str, list[int]]]
    """By option (brain, people, sessions, repeats), then by modality."""

    @classmethod
    def of(cls, labels: str | None, given: Mapping[str, list[str] | None]) -> AskedDesigns:
        """Return what the options say; at most one entry may be a range."""
        named: dict[str, dict[str, list[int]]] = {}
        for option, entries in given.items():
            named[option] = {}
            for entry in entries or []:
                name, equals, text = entry.rpartition("=")
                if not equals or not name.strip():
                    raise typer.BadParameter(f"--{option}: {entry!r} is not of the form NAME=N, e.g. EEG=20")
                if name.strip() in named[option]:
                    raise typer.BadParameter(f"--{option}: {name.strip()!r} is given twice; give each modality once")
                named[option][name.strip()] = whole_numbers(text, f"--{option} {entry}")
        numbers = None if labels is None else whole_numbers(labels, f"--labels {labels}")
        found = cls(numbers, named)
        if len([numbers for numbers in found.ranges() if len(numbers) > 1]) > 1:
            raise typer.BadParameter("only one of the numbers can be a range: give the others as one number")
        return found

    def ranges(self) -> Iterator[list[int]]:
        """Yield the numbers of every entry."""
        yield from ([] if self.labels is None else [self.labels])
        for entries in self.named.values():
            yield from entries.values()

    @property
    def size(self) -> int:
        """How many designs are asked for."""
        return max((len(numbers) for numbers in self.ranges()), default=1)

    def evaluated(self, posterior: Posterior) -> list[Evaluation]:
        """Return the evaluation of each design."""
        return [self._one(posterior, i) for i in range(self.size)]

    def _one(self, posterior: Posterior, i: int) -> Evaluation:
        def at(numbers: list[int]) -> int:
            return numbers[min(i, len(numbers) - 1)]

        chosen = {option: {name: at(n) for name, n in entries.items()} for option, entries in self.named.items()}
        return posterior.evaluate(None if self.labels is None else at(self.labels), **chosen)


def evaluate(  # noqa: PLR0913  (one parameter per option of the command)
    study: StudyPath,
    *,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="N", help="New labels; what the study's budget leaves if not given."),
    ] = None,
    brain: Annotated[
        list[str] | None,
        typer.Option("--brain", metavar="NAME=SAMPLES", help="Recorded samples of a modality, all people together."),
    ] = None,
    people: Annotated[
        list[str] | None,
        typer.Option("--people", metavar="NAME=N", help="People of a modality; FIRST:LAST:STEP for a row of designs."),
    ] = None,
    sessions: Annotated[
        list[str] | None, typer.Option("--sessions", metavar="NAME=N", help="Sessions of each person; 1 if not given.")
    ] = None,
    repeats: Annotated[
        list[str] | None, typer.Option("--repeats", metavar="NAME=N", help="Presentations of each stimulus.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder whose posterior is used again, or is kept in; if not given, that of this study's last plan.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say what a design of your own costs and brings: against labels alone, and against the best for the same money.

    Example: brainworth evaluate study.toml --people EEG=20 --sessions EEG=2 --labels 500

    Example: brainworth evaluate study.toml --people EEG=10:40:5 --labels 500
    """
    asked = AskedDesigns.of(labels, {"brain": brain, "people": people, "sessions": sessions, "repeats": repeats})
    found = asked.evaluated(opened(study, out).fit(progress=show_progress(quiet=quiet or as_json), out=out))
    if as_json:
        one, *more = [evaluation.to_json() for evaluation in found]
        print_json({"schema": "brainworth.evaluations/1", "designs": [one, *more]} if more else one)
    elif not quiet:
        _show(found)


def _show(found: list[Evaluation]) -> None:
    first = found[0]
    for evaluation in found if len(found) == 1 else []:
        typer.echo(repr(evaluation))
        lines = [(f"{owner}, {line}", f"{money:,.2f}") for owner, bill in evaluation.bill.items.items()
                 for line, money in bill.items() if money]  # fmt: skip
        print_table("What it costs", ("", first.currency), [*lines, ("total", f"{evaluation.bill.total:,.2f}")])
    if len(found) == 1:
        return
    from brainworth.design.common.summaries import interval
    from brainworth.design.decision.evaluate import describe

    targeted = first.performance.probability_of_target is not None
    head = ("design", first.currency, "explainable R²", "gain over labels", f"P(gain ≥ {first.worthwhile:g})")
    rows = [
        (
            describe(evaluation.allocation) + (" (breaks limits)" if evaluation.broken else ""),
            f"{evaluation.bill.total:,.0f}",
            interval(evaluation.performance.explainable_r2),
            f"{evaluation.gain.mean:+.3f}",
            f"{evaluation.gain.probability:.0%}",
            *([f"{evaluation.performance.probability_of_target:.0%}"] if targeted else []),
        )
        for evaluation in found
    ]
    print_table("Designs of your own", (*head, "P(target)") if targeted else head, rows)
    for limit in dict.fromkeys(limit for evaluation in found for limit in evaluation.broken):
        typer.echo(f"Breaks {limit}.")
