"""Commands about the public pilots of the case studies: ``datasets``, ``datasets get``.

In: the name of a data set. Out: its source, licence, citation and checksums, or its files in the cache. What can go
wrong: an unknown name, no network and no mirror, a file that is not what it should be; exit code 2.
"""

from __future__ import annotations

from typing import Annotated

import typer

from brainworth.design.cli.output import AsJson, Quiet, print_json

datasets_app = typer.Typer(
    help="List or fetch the public pilots used in case studies.",
    epilog="Example: brainworth datasets get frank2015_eeg_reading",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@datasets_app.callback(invoke_without_command=True)
def show(context: typer.Context, *, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """List the public pilots used in case studies: source, licence, citation, checksum.

    Example: brainworth datasets --json
    """
    if context.invoked_subcommand is not None:
        return
    from brainworth.design.pilot.datasets import registry

    if as_json:
        print_json({d.name: d.describe() for d in registry()})
    elif not quiet:
        for d in registry():
            typer.echo(f"{d.name}: {d.title}")
            typer.echo(f"  source    {d.source}\n  licence   {d.licence}\n  cite      {d.citation}")
            typer.echo(f"  checksum  sha256 {d.checksum} ({len(d.files)} files, {d.bytes / 1e6:.1f} MB)\n")


@datasets_app.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.")],
    *,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set into the cache, verify every checksum and print its folder.

    BRAINWORTH_DATA names a folder that holds a copy (a local mirror); otherwise the public origin is used.

    Example: brainworth datasets get frank2015_eeg_reading
    """
    from brainworth.design.pilot.datasets import fetch

    folder = fetch(name, progress=not (quiet or as_json))
    if as_json:
        print_json({"name": name, "folder": str(folder)})
    elif not quiet:
        typer.echo(str(folder))
