"""Commands about study files: ``init``, ``check``, ``schema``.

In: paths. Out: an example study, a table of what was read, the JSON Schema. What can go wrong: bad input, exit code 2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json, print_table

if TYPE_CHECKING:
    from brainworth.design.api import Study

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

    found = overview(Study.from_file(study))
    if as_json:
        print_json(found)
    elif not quiet:
        _print_overview(found)


def schema(*, quiet: Quiet = False) -> None:
    """Print the JSON Schema of study files.

    Example: brainworth schema > study.schema.json
    """
    from brainworth.design.study_file.config import StudyConfig

    if not quiet:
        typer.echo(json.dumps(StudyConfig.model_json_schema(), indent=2, ensure_ascii=False))


def overview(study: Study) -> dict[str, Any]:
    """Return what was read: counts of stimuli, labels, people, samples and channels, remarks, checks without a fit."""
    from brainworth.design.common.checks import overall
    from brainworth.design.common.records import plain
    from brainworth.design.pilot.checks import data_checks
    from brainworth.design.pilot.rules import losses

    found: dict[str, Any] = {
        "title": study.config.study.title,
        "status": "ok",
        "files": dict(study.digest),
        "remarks": list(study.remarks),
        "losses": losses.record(study.losses),
    }
    if study.system is not None:
        system = study.system.system
        found["system"] = {
            "latents": int(system.alignment.size),
            "features": int(system.spectrum.count.sum()),
            "sources": list(study.system.sources),
        }
        return found
    if study.variance is not None:
        found["priors"] = {"features": int(study.variance.size), "modalities": list(study.config.modality_names)}
        return found
    pilot, names = study.pilot, study.names
    found["stimuli"] = {
        "count": len(names.stimuli),
        "features": len(names.features),
        "groups": len(names.groups),
    }
    found["labels"] = {
        "count": int(pilot.label.size),
        "stimuli": len(set(pilot.label_stimulus.tolist())),
        "kind": study.config.task.kind,
    }
    found["modalities"] = {name: _modality(study, name) for name in study.config.modality_names}
    checks = data_checks(study)
    found["health"] = plain({"status": overall(checks), "checks": checks})
    return found


def _modality(study: Study, name: str) -> dict[str, Any]:
    people = [r for r in study.pilot.recordings if r.modality == name]
    stimuli = {row for r in people for row in r.stimulus.tolist()}
    samples = sum(r.stimulus.size for r in people)
    seen = sum(len(set(r.stimulus.tolist())) for r in people)
    return {
        "pilot": bool(people),
        "subjects": len(people),
        "samples": samples,
        "stimuli": len(stimuli),
        "channels": sorted({r.channels.shape[1] for r in people}),
        "repeats": round(samples / seen, 2) if seen else None,
    }


def _print_overview(found: dict[str, Any]) -> None:
    if "priors" in found:
        priors = found["priors"]
        print_table(
            "", ("features", "modalities planned from priors"), [(priors["features"], ", ".join(priors["modalities"]))]
        )
        return
    if "system" in found:
        system = found["system"]
        row = (system["features"], system["latents"], ", ".join(system["sources"]))
        print_table(found["title"], ("known system: features", "latents", "sources"), [row])
    else:
        stimuli, labels = found["stimuli"], found["labels"]
        print_table(
            found["title"],
            ("stimuli", "features", "groups", "labels", "labelled stimuli", "task"),
            [(*stimuli.values(), labels["count"], labels["stimuli"], labels["kind"])],
        )
        print_table("", ("modality", "people", "samples", "stimuli", "channels", "repeats"), _modality_rows(found))
    for remark in found["remarks"]:
        typer.echo(f"Note: {remark}")
    for worry in found.get("health", {}).get("checks", []):
        if worry["status"] != "ok":
            typer.echo(f"Health ({worry['status']}): {worry['sentence']}")
    typer.echo("The study can be read.")


def _modality_rows(found: dict[str, Any]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, m in found["modalities"].items():
        if m["pilot"]:
            low, high = m["channels"][0], m["channels"][-1]
            channels = str(low) if low == high else f"{low} to {high}"
            rows.append((name, m["subjects"], m["samples"], m["stimuli"], channels, m["repeats"]))
        else:
            rows.append((name, "no pilot: planned from its prior", "", "", "", ""))
    return rows
