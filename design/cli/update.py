"""``update``: an earlier plan and everything collected since; whether to go on.

In: the folder of a plan, the study with all data so far. Out: a folder with the next plan; the decision on the terminal, or the
record as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json, print_table, show_progress
from brainworth.design.cli.plan import Force, Rehearsals, Scheduler, WorkerCount, opened


def update(  # noqa: PLR0913  (one parameter per option of the command)
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The earlier plan, or an earlier update.", show_default=False)
    ],
    *,
    study: Annotated[
        Path, typer.Option("--with", metavar="STUDY", help="The study with all data so far.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the next plan.", show_default=False)],
    before: Annotated[
        Path | None,
        typer.Option(
            "--before",
            metavar="STUDY",
            help="The study of the earlier plan; asks the monitoring rule.",
            show_default=False,
        ),
    ] = None,
    spent: Annotated[
        float | None,
        typer.Option(
            "--spent", min=0.0, help="Money spent since; from the study's prices if not given.", show_default=False
        ),
    ] = None,
    level: Annotated[
        float, typer.Option("--level", help="Bound on the probability of a wrong end by the rule.")
    ] = 0.05,
    registered: Annotated[
        Path | None,
        typer.Option(
            "--registered", metavar="DIR", help="The plan's preregistration; lists deviations.", show_default=False
        ),
    ] = None,
    rehearsals: Rehearsals = 64,
    workers: WorkerCount = 1,
    scheduler: Scheduler = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare what came in with what was forecast, and say whether to go on: brain data, labels instead, or stop.

    Example: brainworth update plan --with so_far/study.toml --out next
    """
    from brainworth.design.api import Study

    loaded = opened(study, out)
    earlier = None if before is None else Study.from_file(before)
    from brainworth.design.common.workers import team

    with team(workers, scheduler) as people:
        plan = loaded.update(
            directory,
            out,
            spent=spent,
            before=earlier,
            level=level,
            registered=registered,
            rehearsals=rehearsals,
            force=force,
            progress=show_progress(quiet=quiet or as_json),
            workers=people,
        )
    found = None if plan.details is None else plan.details.update
    if found is None:
        return
    if as_json:
        print_json(found)
        return
    if quiet:
        return
    card = found.card()
    print_table("What is believed", ("", "then", "now"), card.rows)
    for said in (found.sentence, *card.notes):
        typer.echo(said)
    typer.echo(f"Report: {out / 'report.html'}")
