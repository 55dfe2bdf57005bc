"""``preregister``: freeze a finished plan, or check that a frozen one was not changed.

In: the folder of a plan, or of a preregistration. Out: a folder, or a line that says that nothing was changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json


def preregister(  # noqa: PLR0913  (one parameter per option of the command)
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder that plan wrote.", show_default=False)
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new or empty folder.", show_default=False)
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="DIR", help="Check a preregistration instead.", show_default=False),
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option("--hash", metavar="SHA256", help="With --check: the deposited hash.", show_default=False),
    ] = None,
    test_labels: Annotated[
        int | None,
        typer.Option("--test-labels", min=2, help="Labels held out for the primary comparison.", show_default=False),
    ] = None,
    monitor: Annotated[bool, typer.Option("--monitor", help="Allow an early end by the monitoring rule.")] = False,
    level: Annotated[float, typer.Option("--level", help="Level of the primary test and of an early end.")] = 0.05,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Freeze a finished plan as JSON, Markdown and HTML, with hashes; or check a frozen plan.

    --check exits with 0 if nothing was changed, with 2 and the name of the file and field otherwise.

    Example: brainworth preregister plan --out preregistration, then brainworth preregister --check preregistration
    """
    from brainworth.design.decision import preregistration as frozen

    if check is not None:
        if directory is not None or out is not None:
            raise typer.BadParameter("--check takes no other folder; give --check DIR alone")
        record = frozen.check(check, expected)
        said = f"Nothing was changed since {record.provenance.registered}. SHA-256: {record.sha256}"
    elif directory is None or out is None:
        raise typer.BadParameter("give the folder of a plan and --out DIR, or --check DIR")
    else:
        record = frozen.preregister(directory, out, frozen.Pledge(test_labels, monitor, level))
        said = f"Preregistration: {out / frozen.HTML}. Deposit this hash where it cannot be changed: {record.sha256}"
    if as_json:
        print_json(record.model_dump(mode="json", by_alias=True))
    elif not quiet:
        typer.echo(said)
