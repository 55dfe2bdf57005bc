"""``plan``, ``demo``, ``simulate``, ``report``: from a study file to a finished folder.

In: paths. Out: files, and the verdict on the terminal or the plan as JSON. ``app.main`` turns failures into exit codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, number, print_json, print_table, show_progress
from brainworth.design.cli.predict import counts

if TYPE_CHECKING:
    from brainworth.design.api import Study
    from brainworth.design.decision.records.plan import Plan


def show_plan(plan: Plan, out: Path, *, quiet: bool, as_json: bool) -> None:
    """Print a finished plan."""
    if as_json:
        print_json(plan)
    elif not quiet:
        typer.echo(plan.verdict.sentence)
        if plan.chosen_stimuli is not None:
            typer.echo(plan.chosen_stimuli.sentence)
        if plan.details is not None and plan.details.rounds is not None:
            typer.echo(plan.details.rounds.sentence)
        if plan.health.status != "ok":
            worried = [check.sentence for check in plan.health.checks if check.status != "ok"]
            typer.echo(f"Health of the pilot: {plan.health.status}. {' '.join(worried)}")
        typer.echo(f"Report: {out / 'report.html'}")


StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (study.toml).", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder of the results; made if it does not exist.")]
LeaveOneOut = Annotated[
    bool, typer.Option("--leave-one-out", help="Fit again without each person in turn; takes a fit a person.")
]
WorkerCount = Annotated[
    int, typer.Option("--workers", min=1, help="Processes that share the work, or jobs of a SLURM cluster.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|slurm:FILE",
        help="A running Dask scheduler, or a TOML profile of SLURM jobs; give only schedulers of your own.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Plan even if the health check refuses; the report says so.")]


Rounds = Annotated[
    int | None,
    typer.Option(
        "--rounds",
        min=1,
        max=3,
        help="2 or 3: also say what buying in so many rounds gains; budget.rounds of the study if not given.",
        show_default=False,
    ),
]


Rehearsals = Annotated[
    int,
    typer.Option(
        "--rehearsals",
        min=0,
        max=4096,
        help="Most rehearsals: simulated studies in which the plan, labels alone and other splits are carried out. 0 for none.",
    ),
]


def plan(  # noqa: PLR0913  (one parameter per option of the command)
    study: StudyPath,
    *,
    out: Out = Path("plan"),
    rounds: Rounds = None,
    rehearsals: Rehearsals = 64,
    workers: WorkerCount = 1,
    scheduler: Scheduler = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit the pilot, find the best purchase, write plan.json, report.html, posterior.nc and figures.

    Workers share the rehearsals and the simulated rounds of --rounds.

    Example: brainworth plan study.toml --out plan
    """
    loaded = opened(study, out)
    from brainworth.design.common.workers import team

    with team(workers, scheduler) as people:
        visible = show_progress(quiet=quiet or as_json)
        finished = loaded.plan(out, rounds=rounds, rehearsals=rehearsals, force=force, progress=visible, workers=people)
    show_plan(finished, out, quiet=quiet, as_json=as_json)


def opened(study: Path, out: Path | None = None) -> Study:
    """Return a study that is computed with; ``BadInput`` before anything is, if results cannot be written to the folder."""
    from brainworth.design.api import Study
    from brainworth.design.common.runtime import remember_posteriors, use_compilation_cache

    loaded = Study.from_file(study)
    if out is not None:
        check_folder(out)
    use_compilation_cache()
    remember_posteriors()
    return loaded


def check_folder(out: Path) -> None:
    """Raise ``BadInput`` if results cannot be written to a folder."""
    from brainworth.design.common.errors import BadInput

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{out}: the folder cannot be made ({error.strerror}). Give --out a folder that can be written to."
        ) from None


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that plan wrote.", show_default=False)],
    *,
    quiet: Quiet = False,
) -> None:
    """Rebuild report.html, figures and tables from the saved results of a plan.

    Example: brainworth report plan
    """
    from brainworth.design.report import write_report

    path = write_report(directory)
    if not quiet:
        typer.echo(f"Report: {path}")


def demo(
    *,
    out: Out = Path("brainworth-demo"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Plan the embedded example study, a simulated fMRI and EEG pilot whose truth is known, end to end.

    Example: brainworth demo --out brainworth-demo
    """
    from brainworth.design.api import Study
    from brainworth.design.common.records import plain
    from brainworth.design.common.runtime import use_compilation_cache
    from brainworth.design.pilot.synthesis import demo_system, truth_covered, write_demo

    check_folder(out)
    use_compilation_cache()
    loaded = Study.from_file(write_demo(out / "study", seed))
    finished = loaded.plan(out, progress=show_progress(quiet=quiet or as_json))
    show_plan(finished, out, quiet=quiet, as_json=as_json)
    if not (quiet or as_json):
        rows = [
            (name, number(true), f"{number(low)} to {number(high)}", "yes" if low <= true <= high else "no")
            for name, (true, low, high) in truth_covered(demo_system(), plain(finished)).items()
        ]
        print_table("The truth behind the simulation", ("parameter", "truth", "90 % interval", "inside"), rows)


def simulate(
    system: Annotated[Path, typer.Argument(metavar="SYSTEM", help="The system file.", show_default=False)],
    *,
    brain: Annotated[
        list[str] | None, typer.Option("--brain", metavar="NAME=N", help="Brain samples of a source.")
    ] = None,
    task: Annotated[int, typer.Option("--task", help="Labels.")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic pilot study of a known system, with its truth in truth.toml.

    Example: brainworth simulate system.toml --brain fMRI=600 --task 300 --out simulated
    """
    from brainworth.design.pilot.synthesis import write_simulation
    from brainworth.design.study_file.system_file import read_system

    wanted = {name: int(count) for name, count in counts(brain or []).items()}
    path = write_simulation(read_system(system), wanted, task, out, seed)
    if not quiet:
        typer.echo(f"Study: {path}")


def backtest(
    study: StudyPath,
    *,
    splits: Annotated[int, typer.Option(min=1, max=100, help="Random splits of the pilot.")] = 3,
    workers: WorkerCount = 1,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit part of the pilot, forecast what the rest can check, and score the forecast.

    Example: brainworth backtest study.toml --splits 5 --workers 4
    """
    loaded = opened(study)
    from brainworth.design.common.workers import team

    with team(workers, scheduler) as people:
        found = loaded.backtest(splits, progress=show_progress(quiet=quiet or as_json), workers=people)
    if as_json:
        print_json(found)
    elif not quiet:
        rows = [
            (
                point.split,
                f"{point.brain_share:.0%}",
                point.n_task,
                f"{point.observed_r2:.3f}",
                f"{point.forecast_r2.q05:.3f} to {point.forecast_r2.q95:.3f}",
                f"{point.power_law_r2.q05:.3f} to {point.power_law_r2.q95:.3f}",
            )
            for point in found.points
        ]
        print_table(
            "R² on held-out labels",
            ("split", "recordings", "labels", "reached", "forecast, 90 %", "power law, 90 %"),
            rows,
        )
        typer.echo(
            f"The 90 % forecast interval held {found.coverage:.0%} of the time; its score (CRPS) is "
            f"{found.crps.forecast:.4f}, the power law's {found.crps.power_law:.4f} (smaller is better)."
        )
