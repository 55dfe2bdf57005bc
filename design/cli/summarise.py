"""``summarise``: what the posterior needs of recordings that may not leave their site.

In: a study file, the summaries of other sites. Out: a file, and on the terminal what it reveals.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json
from brainworth.design.cli.study import StudyFile


def summarise(
    study: StudyFile,
    *,
    out: Annotated[Path, typer.Option("--out", help="The file to write, e.g. site_a.npz.")],
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="FILE",
            help="Summary of a site from the round before; once for each site. Without it: the first round.",
            show_default=False,
        ),
    ] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Replace the names of people, the same way in every round.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write what a plan needs of recordings that may not leave their site: moments, then read-outs; no recordings.

    Example: brainworth summarise study.toml --out site_a.npz
    """
    from brainworth.design.api import Study

    found = Study.from_file(study).summarise(out, others or (), pseudonyms=pseudonyms)
    if as_json:
        print_json(found)
    elif not quiet:
        typer.echo(f"Wrote {found.path} (round {found.round}). What it reveals:")
        for sentence in found.reveals:
            typer.echo(f"- {sentence}")
        typer.echo(found.next)
