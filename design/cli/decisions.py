"""Commands about the decision: ``compare`` (the modalities side by side) and ``sensitivity`` (what would change it).

In: a study. Out: tables on the terminal, JSON, a plan folder with its report. ``app.main`` turns failures into exit codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, number, print_json, print_table, show_progress
from brainworth.design.cli.plan import Force, LeaveOneOut, Out, Scheduler, StudyPath, WorkerCount, opened

if TYPE_CHECKING:
    from brainworth.design.common.records import Number
    from brainworth.design.common.summaries import Summary
    from brainworth.design.decision.records.comparison import Comparison
    from brainworth.design.decision.records.findings import Findings, InformationValue


def compare(
    study: StudyPath,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder whose posterior is reused and that keeps the comparison; "
            "if not given, that of this study's last plan.",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare what each modality buys per unit of money, alone and together.

    Example: brainworth compare study.toml --out plan
    """
    loaded = opened(study, out)
    found = loaded.compare(out, force=force, progress=show_progress(quiet=quiet or as_json))
    if as_json:
        print_json(found)
    elif not quiet:
        _show_comparison(found)


def controls(  # noqa: PLR0913  (one parameter per option of the command)
    study: StudyPath,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder whose posterior is reused and whose report shows the controls.")
    ] = None,
    splits: Annotated[int, typer.Option(min=1, max=100, help="Random divisions of the pilot into folds.")] = 3,
    workers: WorkerCount = 1,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare recordings with shuffled ones, surrogates and the stimuli alone.

    Example: brainworth controls study.toml --out plan
    """
    loaded = opened(study, out)
    from brainworth.design.common.workers import team

    with team(workers, scheduler) as people:
        visible = show_progress(quiet=quiet or as_json)
        found = loaded.controls(out, splits, progress=visible, workers=people)
    if as_json:
        print_json(found)
    elif not quiet:
        for name, own in found.modalities.items():
            print_table(
                f"R² on held-out labels: {own.r2:.3f} ± {own.r2_se:.3f} with {name}",
                ("in its place", "R²", f"{name} gains"),
                [(arm.name, f"{arm.r2:.3f}", f"{arm.gain:+.3f} ± {arm.gain_se:.3f}") for arm in own.arms],
            )
            typer.echo(own.sentence)
        if found.alignment_sentence:
            typer.echo(found.alignment_sentence)


def sensitivity(  # noqa: PLR0913  (one parameter per option of the command)
    study: StudyPath,
    *,
    out: Out = Path("plan"),
    leave_one_out: LeaveOneOut = False,
    workers: WorkerCount = 1,
    scheduler: Scheduler = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say what would change the decision, and what is worth finding out first; adds both to the plan's report.

    Example: brainworth sensitivity study.toml --out plan
    """
    loaded = opened(study, out)
    from brainworth.design.common.workers import team

    with team(workers, scheduler) as people:
        visible = show_progress(quiet=quiet or as_json)
        found = loaded.sensitivity(out, leave_one_out=leave_one_out, force=force, progress=visible, workers=people)
    if as_json:
        print_json(found)
    elif not quiet:
        _show_sensitivity(found)
        typer.echo(f"Report: {out / 'report.html'}")


def _range(summary: Summary | None, scale: float = 1.0) -> str:
    if summary is None:
        return ""
    mean, low, high = (_number(value, 3, scale) for value in (summary.mean, summary.q05, summary.q95))
    return f"{mean} ({low} to {high})"


def _show_comparison(found: Comparison) -> None:
    currency, per = found.currency, 1000.0
    header = (
        "", "samples", "labels", f"R² gained per {per:,.0f} {currency}", "labels per sample",
        f"break-even price ({currency})", "worth it", f"robustness (shift {found.shift:g})",
    )  # fmt: skip
    rows = [
        (
            name,
            ", ".join(f"{count:,}" for count in entry.samples.values()),
            f"{entry.n_task:,}",
            _range(entry.r2_per_money, per),
            _range(entry.exchange_rate),
            _range(entry.break_even_price),
            f"{100 * entry.probability:.0f} %",
            _range(entry.robustness.gain),
        )
        for name, entry in found.entries.items()
    ]
    print_table(f"Bought for {found.budget:,.2f} {currency}; mean and 90 % interval", header, rows)
    alone = found.labels_only
    typer.echo(f"Labels alone: {alone.n_task:,}, explainable R² {_range(alone.explainable_r2)}.")
    for change in found.order_changes:
        typer.echo(
            f"Below a budget of {change.budget:,.0f} {currency}, {change.below} buys more; above, {change.above}."
        )
    if len(found.modalities) > 1 and not found.order_changes:
        low, high = found.frontier[0].budget, found.frontier[-1].budget
        typer.echo(f"Their order is the same at all budgets from {low:,.0f} to {high:,.0f} {currency}.")


def _show_sensitivity(found: Findings) -> None:
    from brainworth.design.report.words import parameter

    rows = [
        (parameter(row.parameter), number(row.value, 3) if row.value is not None else "none", row.sentence)
        for row in found.sensitivity.thresholds
    ]
    print_table("What would flip the decision", ("parameter", "threshold", "meaning"), rows)
    if found.sensitivity.robustness:
        typer.echo(found.sensitivity.robustness)
    if found.voi is not None:
        _show_information(found.voi)


def _show_information(voi: InformationValue) -> None:
    from brainworth.design.report.words import parameter

    known = [(parameter(row.parameter), _with_error(row.value, row.se)) for row in voi.evppi[:6]]
    if known:
        print_table("What knowing exactly would gain", ("parameter", voi.unit), known)
    pilots = [
        (
            row.label,
            f"{row.cost:,.0f}",
            _with_error(row.value, row.se),
            _with_error(row.net, row.net_se),
            "" if row.net_money is None else f"{row.net_money:,.0f}",
        )
        for row in voi.best_sizes
    ]
    if pilots:
        heads = (
            "larger pilot", f"cost ({voi.currency})", f"teaches ({voi.unit})", "after its cost", "as extra budget",
        )  # fmt: skip
        print_table("The best size of each kind of larger pilot", heads, pilots)
    typer.echo(voi.sentence)


def _with_error(value: Number, error: Number) -> str:
    return f"{_number(value, 2)} ± {_number(error, 2)}"


def _number(value: Number, digits: int, scale: float = 1.0) -> str:
    return "unknown" if value is None else number(value * scale, digits)
