"""A calibration run of many tasks that goes on where it was stopped: one line a task in a log, a table at the end.

In: what does a task, the tasks, and which fields of a line say which task it was. Out: ``NAME.jsonl`` and ``NAME.md`` in the
folder of the results; the table on the terminal. Errors: a log whose lines are not JSON (``ValueError``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.common.workers import importable, team

Line = dict[str, Any]


def command_line(text: str | None, count: str, default: int) -> argparse.Namespace:
    """Return the parsed command line: how many worlds or studies of each kind, seed, workers, folder of the results."""
    return command_parser(text, count, default).parse_args()


def command_parser(text: str | None, count: str, default: int) -> argparse.ArgumentParser:
    """Return the parser of ``command_line``, for scripts with options of their own."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{count}", type=int, default=default, dest="count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser


def carry_out(
    name: str,
    work: Callable[..., Line],
    tasks: Sequence[tuple[Any, ...]],
    fields: tuple[str, ...],
    table: Callable[[list[Line]], str],
    given: argparse.Namespace,
) -> None:
    """Do the tasks that the log does not hold yet, and write the table of all lines.

    Parameters
    ----------
    name : str
        Of the log and the table.
    work : callable
        Called with a task and the seed as its last argument; returns a line.
    tasks : sequence of tuple
        All tasks; each holds the values of ``fields`` in their order.
    fields : tuple of str
        Fields of a line that say which task it was.
    table : callable
        Returns the table of lines, in Markdown.
    given : Namespace
        See ``command_line``.
    """
    use_compilation_cache()
    given.out.mkdir(parents=True, exist_ok=True)
    log: Path = given.out / f"{name}.jsonl"
    lines: list[Line] = (
        [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    )
    done = {tuple(line[field] for field in fields) for line in lines}
    todo = [(*task, given.seed) for task in tasks if task not in done]
    with team(given.workers, paths=[str(Path(__file__).parent)]) as people, log.open("a", encoding="utf-8") as file:
        for line in people.results(importable(work), todo):
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
            print(*(line[field] for field in fields), f"({len(lines)} of {len(tasks)})", flush=True)
    (given.out / f"{name}.md").write_text(table(lines), encoding="utf-8")
    print(table(lines))
