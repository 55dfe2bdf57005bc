"""Saying what is being done: a bar on a terminal or in a notebook, a function of the caller's own, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

Say = Callable[[str], None]
"""Called with the name of each stage of the work."""
Progress = Say | bool
"""A function of the caller's own, or whether to show a bar."""
STAGES = {
    "posterior": "Fitting the posterior",
    "allocation": "Searching for the best purchase and proving it",
    "exchange rates": "Exchange rates",
    "rounds": "Simulating rounds",
    "sensitivity": "What moves the forecast",
    "thresholds": "What would change the decision",
    "regime": "Where brain data pay",
    "information": "What is worth finding out",
    "together": "All modalities together",
    "report": "Writing the report",
}
"""What is shown of the stages that have a longer name."""


def silent(_stage: str) -> None:
    """Say nothing."""


@contextmanager
def shown(progress: Progress, stages: tuple[str, ...] = ()) -> Generator[Say]:
    """Yield a function that is called with each stage.

    Parameters
    ----------
    progress : callable or bool
        A function of the caller's own, or whether to show a bar.
    stages : tuple of str
        The stages that will come, for a bar that knows how long it is; without them a spinner turns.
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield silent
    else:
        with _bar(stages) as say:
            yield say


@contextmanager
def _bar(stages: tuple[str, ...]) -> Generator[Say]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    bars = (BarColumn(bar_width=24),) if stages else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *bars, TimeElapsedColumn())
    notebook = "ipykernel" in sys.modules  # rich draws into the cell's output by itself
    with Bar(*columns, console=None if notebook else Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=len(stages) + 1 if stages else None)

        def say(stage: str) -> None:
            bar.update(task, advance=float(stage in stages), description=STAGES.get(stage, stage))

        yield say
