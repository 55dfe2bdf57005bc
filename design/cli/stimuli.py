"""``stimuli``: which stimuli of a pool to label or record next.

In: a study file and a table of candidates. Out: a ranked table (csv), a figure beside it, the result on the terminal or as JSON.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, number, print_json, print_table, show_progress
from brainworth.design.cli.plan import StudyPath
from brainworth.design.common.progress import shown

if TYPE_CHECKING:
    from brainworth.design.decision.stimuli import StimulusChoice


class Measured(StrEnum):
    """What is chosen."""

    labels = "labels"
    recordings = "recordings"


CandidatesPath = Annotated[
    Path | None,
    typer.Option(
        "--candidates",
        metavar="FILE",
        help="Stimuli to choose from, with the study's features; default those of the study's [design].",
        show_default=False,
    ),
]
TestPath = Annotated[
    Path | None,
    typer.Option("--test", metavar="FILE", help="Target stimuli, if they differ from the study's.", show_default=False),
]
PriceColumn = Annotated[
    str | None,
    typer.Option("--price-column", metavar="NAME", help="Column with the price of each candidate.", show_default=False),
]
Modality = Annotated[
    str | None,
    typer.Option("--modality", metavar="NAME", help="For recordings: the modality to record.", show_default=False),
]


def stimuli(  # noqa: PLR0913  (one parameter per option of the command)
    study: StudyPath,
    *,
    n: Annotated[int, typer.Option("--n", min=1, help="Labels or recordings to choose.")],
    candidates: CandidatesPath = None,
    of: Annotated[Measured, typer.Option("--for", help="What is measured.")] = Measured.labels,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Ranked table (csv).")] = Path("chosen.csv"),
    price_column: PriceColumn = None,
    test: TestPath = None,
    modality: Modality = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="How often a stimulus may be chosen.")] = 1,
    posterior: Annotated[
        Path | None,
        typer.Option("--plan", metavar="DIR", help="Folder of a plan; its posterior is reused.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random choices.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Choose the stimuli whose labels or recordings lower the expected risk most.

    Writes a ranked table, and a figure with the same name and the ending .svg.

    Example: brainworth stimuli study.toml --candidates pool.csv --n 100 --for labels --out chosen.csv
    """
    from brainworth.design.common.messages import problem
    from brainworth.design.common.runtime import remember_posteriors, use_compilation_cache
    from brainworth.design.pilot.candidates import Candidates
    from brainworth.design.pilot.study import StudyData

    loaded = StudyData.from_file(study)
    if not loaded.has_pilot:
        raise problem(
            study,
            "",
            "stimuli can only be chosen for a study with a pilot",
            "Add stimuli and labels to the study file.",
        )
    if out.suffix.lower() != ".csv":
        raise problem(out, "", "the ranked table is written as csv", "Give --out a name that ends in .csv.")
    features, given = loaded.names.features, loaded.config.stimuli
    pool = loaded.candidates if candidates is None else Candidates.from_file(candidates, features, price_column, given)
    if pool is None:
        right = "Give --candidates FILE, or write in the study file: [design] chosen_stimuli = true, and candidates."
        raise problem(study, "", "there are no stimuli to choose from", right)
    if candidates is None and price_column is not None:
        raise problem(
            study, "", "--price-column is given without --candidates", "Give --candidates FILE with that column."
        )
    target = None if test is None else Candidates.from_file(test, features, given=given).features
    use_compilation_cache()
    remember_posteriors()
    from brainworth.design.decision.stimuli import ChoiceOptions, check_size, choose
    from brainworth.design.posterior.fit import fit_study

    check_size(pool, n, repeats)
    options = ChoiceOptions(modality=modality, repeats=repeats, test=target, seed=seed)
    with shown(show_progress(quiet=quiet or as_json)) as say:
        say("posterior")
        archive = None if posterior is None else posterior / "posterior.nc"
        fitted = fit_study(loaded, loaded.config.study.seed, archive, say)
        say("choosing stimuli")
        found = choose(fitted, pool, n, of=of.value, options=options)
    write_choice(found, out, priced=pool.priced)
    if as_json:
        print_json(asdict(found))
    elif not quiet:
        show_choice(found)
        typer.echo(f"Table: {out}")


def write_choice(found: StimulusChoice, out: Path, *, priced: bool) -> None:
    """Write the ranked table and the figure."""
    from brainworth.design.common.files import write_atomic
    from brainworth.design.report.stimuli_figure import ChoiceCurves, choice_figure

    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(found.rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in found.rows)
    write_atomic(out, text.getvalue().encode())
    last = {row.rank: row for row in found.rows}
    curves = ChoiceCurves(
        spent=[0.0, *(row.spent for row in last.values())],
        risk=[found.risk_today.mean, *(row.expected_risk for row in last.values())],
        random_spent=found.random.count,
        random_risk=found.random.curve,
        low=found.random.low,
        high=found.random.high,
        unit="money spent" if priced else found.of,
    )
    write_atomic(out.with_suffix(".svg"), choice_figure(curves, found.sentence))


def show_choice(found: StimulusChoice, most: int = 15) -> None:
    """Print the first stimuli and what the choice is worth."""
    rows = [
        (row.stimulus, row.rank, number(row.gain), number(row.expected_risk), row.in_pilot) for row in found.rows[:most]
    ]
    title = f"The first {len(rows)} of {len(found.rows)} {found.of}"
    print_table(title, ("stimulus", "rank", "gain", "expected risk", "in the pilot"), rows)
    typer.echo(found.sentence)
    for remark in found.remarks:
        typer.echo(remark)
