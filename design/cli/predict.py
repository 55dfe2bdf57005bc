"""The command ``predict``.

In: a system file and numbers of samples. Out: a table or JSON; a warning on stderr for every respect in which the question lies
outside of the range where the formula was found accurate.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from brainworth.design.cli.output import AsJson, Quiet, number, print_json, print_table


def counts(entries: list[str]) -> dict[str, float]:
    """Return ``{NAME: N}`` from ``NAME=N`` entries; a usage error for anything else or a name given twice."""
    found: dict[str, float] = {}
    for entry in entries:
        name, equals, text = entry.rpartition("=")
        try:
            value = float("nan" if "_" in text else text)
        except ValueError:
            value = float("nan")
        if not equals or not name.strip() or not 0 <= value < float("inf"):
            raise typer.BadParameter(
                f"{entry!r} is not of the form NAME=N with a number N of at least 0, e.g. EEG=2000"
            )
        if name.strip() in found:
            raise typer.BadParameter(f"{name.strip()!r} is given twice; give each source once")
        found[name.strip()] = value
    return found


def predict(  # noqa: PLR0913  (one parameter per option of the command)
    system: Annotated[Path, typer.Argument(metavar="SYSTEM", help="The system file, e.g. system.toml.")],
    *,
    task: Annotated[float, typer.Option("--task", metavar="N", help="Labels.")],
    brain: Annotated[
        list[str] | None,
        typer.Option("--brain", metavar="NAME=N", help="Brain samples of a source; repeat for several."),
    ] = None,
    shift: Annotated[
        float, typer.Option("--shift", metavar="S", help="Test variance factor along brain-insensitive directions.")
    ] = 1.0,
    estimator: Annotated[
        str, typer.Option("--estimator", metavar="NAME", help="optimal, projection, ridge or ols.")
    ] = "optimal",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Predict the performance for known parameters.

    Example: brainworth predict system.toml --brain fMRI=2000 --task 300 --json
    """
    from brainworth.design.performance.prediction import Question
    from brainworth.design.performance.prediction import predict as run
    from brainworth.design.study_file.system_file import read_system

    question = Question(counts(brain or []), task, shift, estimator)
    result = run(read_system(system), question)
    if not quiet:
        for sentence in result["validity"]:
            typer.echo(f"Warning: {sentence}", err=True)
    if as_json:
        print_json(result)
    elif not quiet:
        print_table("Performance", ("quantity", "value"), _rows(result))


def _rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("excess risk", number(result["excess_risk"])),
        ("explainable R²", number(result["explainable_r2"])),
        ("R²", number(result["r2"])),
        ("excess risk without brain data", number(result["task_only"]["excess_risk"])),
        ("labels that the brain data replace", number(result["equivalent_labels"])),
    ]
    for name, values in result["encoding_r2"].items():
        whose = "all sources" if name == "all" else name
        rows.append((f"encoding R² of each latent, {whose}", ", ".join(number(v, 3) for v in values)))
    rows += [(f"labels replaced by one more sample, {name}", number(v)) for name, v in result["marginal_rate"].items()]
    names = {
        "risk_in": "risk along the brain's directions",
        "risk_out": "risk along the others",
        "excess_risk": "excess risk under the shift",
        "task_only_excess_risk": "the same without brain data",
        "robustness_gain": "robustness gain (ratio of the two)",
    }
    known = not math.isnan(result["shift"]["excess_risk"])  # only for the optimal estimator
    return rows + [(text, number(result["shift"][key])) for key, text in names.items() if known]
