"""What commands print: tables on a terminal, JSON for scripts, nothing with ``--quiet``.

In: plain results. Out: text on stdout. User text is printed as text, never as markup.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from brainworth.design.common.messages import one_line

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def show_progress(*, quiet: bool) -> bool:
    """Return whether to show what is being done: on a terminal only, unless nothing is to be printed."""
    return not quiet and sys.stderr.isatty()


def one_paragraph(message: object) -> str:
    """Return a message as one paragraph: one line, no control characters."""
    return one_line(message, 2000)


def plain_json(value: Any) -> Any:
    """Return a value with NaN and infinities as null, which is what JSON can say."""
    from brainworth.design.common.records import Record, plain  # pydantic, which --help never needs

    if isinstance(value, Record):
        return plain_json(plain(value))
    if isinstance(value, Mapping):
        return {str(k): plain_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(v) for v in value]
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # adding 0 makes -0 a plain 0
    return value


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(plain_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are shown as they are, the first column left, the others right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(one_line(title)), title_justify="left", box=box.SIMPLE_HEAD)
    for i, name in enumerate(header):
        table.add_column(Text(name), justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(table)


def number(value: float, digits: int = 4) -> str:
    """Return a number as people read it: four significant digits, "infinite" for infinity."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    value += 0.0  # -0 is 0 for people
    return f"{value:.{digits}g}" if abs(value) < 1e6 else f"{value:.3e}"
