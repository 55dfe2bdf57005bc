"""Commands about study files: ``init``, ``check``, ``schema``.

In: paths. Out: an example study, a table of what was read, the JSON Schema.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json, print_table

if TYPE_CHECKING:
    from brainworth.design.pilot.overview import Overview

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file, e.g. study.toml.")]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or one with the data of a pilot.")],
    *,
    quiet: Quiet = False,
) -> None:
    """Write a commented study.toml and example tables to replace by your own.

    Example: brainworth init my_study
    """
    from brainworth.design.study_file.scaffold import write_example

    written = write_example(folder)
    if not quiet:
        typer.echo(f"Wrote {', '.join(path.name for path in written)} to {folder}.")
        typer.echo(f"Replace the tables by your own, then: brainworth check {folder / 'study.toml'}")


def check(study: StudyFile, *, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Validate a study and its files; fits nothing.

    Example: brainworth check my_study/study.toml
    """
    from brainworth.design.api import Study

    found = Study.from_file(study).check()
    if as_json:
        print_json(found)
    elif not quiet:
        _print_overview(found)
        typer.echo(_next(found, study))


def _next(found: Overview, study: Path) -> str:
    """Return what to do after the check, and how long it takes."""
    if found.health is not None and found.health.status == "refuse":
        return "Next: mend what the health check refuses (above); brainworth plan would stop there with exit code 4."
    command = f"brainworth plan {shlex.quote(str(study))} --out {shlex.quote(str(study.parent / 'plan'))}"
    first = "Next: answer the notes above if one of them is news to you, then" if found.notes else "Next:"
    cells = sum(m.samples * max(m.channels, default=0) for m in found.modalities.values() if m.pilot)
    time = LONG if cells > MANY_CELLS else SHORT
    return f"{first} {command} ({time}; nothing is fitted twice if you run it again)."


MANY_CELLS = 2 * 10**7
"""Numbers in the recordings from which reading them takes longer than everything else."""
SHORT = "one to four minutes"
LONG = "ten minutes or more, most of them for reading the recordings"


def schema(*, quiet: Quiet = False) -> None:
    """Print the JSON Schema of study files.

    Example: brainworth schema > study.schema.json
    """
    from brainworth.design.study_file.config import StudyConfig

    if not quiet:
        typer.echo(json.dumps(StudyConfig.model_json_schema(), indent=2, ensure_ascii=False))


def _print_overview(found: Overview) -> None:
    if found.priors is not None:
        priors = found.priors
        print_table(
            "", ("features", "modalities planned from priors"), [(priors.features, ", ".join(priors.modalities))]
        )
        return
    if found.system is not None:
        system = found.system
        row = (system.features, system.latents, ", ".join(system.sources))
        print_table(found.title, ("known system: features", "latents", "sources"), [row])
    if found.stimuli is not None and found.labels is not None:
        stimuli, labels = found.stimuli, found.labels
        print_table(
            found.title,
            ("stimuli", "features", "groups", "labels", "labelled stimuli", "task"),
            [(stimuli.count, stimuli.features, stimuli.groups, labels.count, labels.stimuli, labels.kind)],
        )
        print_table("", found.card().head, found.card().rows)
    for note in found.notes:
        typer.echo(note)
    typer.echo("The study can be read.")
