"""Tables as the study names them, from csv, tsv, parquet, npz or a data frame: text keys and one matrix of numbers.

In: a file or columns in memory, and which columns are keys. Out: ``Table``; keys are always text (stimulus 1 in one file is
stimulus "1" in another, "01" and "NA" stay what they are), everything else is float64. Errors: missing or unreadable files,
missing, doubled or non-numeric columns, too large files; each is a ``BadInput`` with its place. No pickle is ever loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.rules.answers import Answers, either
from brainworth.design.pilot.rules.identity import clean_text, is_missing
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.rules.numbers import number_of
from brainworth.design.pilot.rules.raters import rater_columns
from brainworth.design.pilot.tables.columns import Wanted, check_columns, split_columns

if TYPE_CHECKING:
    from brainworth.design.pilot.tables.rows import RowSource

MAX_FILE_BYTES = 4 * 2**30
MAX_ROWS = 5_000_000
MAX_CELLS = 400_000_000
MAX_ID = 200
"""Longest id, in characters."""


@dataclass(frozen=True)
class Table:
    """Rows of a table: text keys and a matrix of numbers, which may still hold NaN and infinities."""

    source: str
    """How the user knows the table: its file or its argument."""
    keys: dict[str, np.ndarray]
    """Key columns, arrays of text, none empty."""
    columns: tuple[str, ...]
    """Names of the numeric columns."""
    values: Float[np.ndarray, "row column"]
    """The numbers."""
    ignored: tuple[str, ...] = ()
    """Columns that are neither wanted keys nor wanted numbers."""
    locate: Callable[[int], int] | None = field(default=None, repr=False)
    """For text files: the line of a row."""
    origin: Callable[[int], str] | None = field(default=None, repr=False)
    """Where a row comes from, if the table was put together: "person '01', session 'a', sample 5"."""
    advice: str = ""
    """What else to say of a stimulus id that is unknown: a sentence after a blank, or nothing."""
    runs: bool = False
    """Whether the sessions are runs of a continuous recording, whose neighbouring samples are not independent."""
    rows: RowSource | None = field(default=None, repr=False)
    """Where the numbers are, if there are too many for memory; ``values`` has no column then."""
    answers: Answers = field(default_factory=Answers)
    """What the study file says about doubtful columns and values."""
    losses: tuple[Loss, ...] = ()
    """What was left out or changed while the table was read."""
    notes: tuple[str, ...] = ()
    """Sentences about what was mended while the table was read."""
    number: np.ndarray | None = field(default=None, repr=False)
    """Number of every row in the file, from 0, if some were left out."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.values.shape[0]

    def place(self, row: int, column: str | None = None) -> str:
        """Return "row 5 (line 6), column 'f1'" for a 0-based row; of a table put together, its origin and the column."""
        row = row if self.number is None else int(self.number[row])
        line = f" (line {self.locate(row)})" if self.locate else ""
        where = self.origin(row) if self.origin else f"row {row + 1}{line}"
        return where + (f", column {quoted(column)}" if column else "")

    def _may_leave_out(self) -> str:
        """Return how the study file says that rows with an empty cell are to be left out."""
        return f", or say {self.answers.lines('missing', ['nan'])}" if self.answers.section else ""

    def take(self, rows: np.ndarray) -> Table:
        """Return some of the rows, which messages still call by their place in the file."""
        number = rows if self.number is None else self.number[rows]
        keys = {name: column[rows] for name, column in self.keys.items()}
        return replace(self, keys=keys, values=self.values[rows], number=number)

    def require_finite(self, rows: np.ndarray | None = None) -> None:
        """Raise ``BadInput`` for the first cell that is empty, NaN or infinite (among ``rows``, a mask, if given)."""
        bad = ~np.isfinite(self.values)
        if rows is not None:
            bad &= rows[:, None]
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            what = "is empty or NaN" if np.isnan(self.values[row, column]) else "is infinite"
            total = int(bad.sum())
            more = f" ({total} such cells in all)" if total > 1 else ""
            raise problem(
                self.source,
                self.place(row, self.columns[column]),
                f"the cell {what}{more}",
                f"Every cell must hold a finite number; leave out rows without data{self._may_leave_out()}.",
            )


def text_of(value: Any) -> str:
    """Return a key as text: whole numbers without a decimal point, missing values as an empty text."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    return clean_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _as_numbers(column: np.ndarray, name: str, source: str) -> Float[np.ndarray, " row"]:
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    if column.dtype.kind not in "OUST":
        raise problem(
            source,
            f"column {quoted(name)}",
            f"its cells are of type {column.dtype}",
            "Every cell must hold a finite number.",
        )
    out = np.empty(column.size)
    for row, value in enumerate(column.tolist()):
        try:
            out[row] = number_of(value)
        except ValueError:
            raise problem(
                source,
                f"row {row + 1}, column {quoted(name)}",
                f"{quoted(value)} is not a number",
                "Every cell must hold a finite number; text belongs into key columns only.",
            ) from None
    return out


def check_keys(table: Table) -> Table:
    """Return the table, or raise ``BadInput`` for the first key that is missing, too long or not printable."""
    raters = rater_columns((*table.keys, *table.columns), table.answers)
    for name, column in table.keys.items():
        if name == "rater" or name in raters:
            continue  # who gave a label need not be known, and nobody need give them all
        verdicts: dict[str, bool] = {}
        for row, text in enumerate(column):
            if text not in verdicts:
                verdicts[text] = is_missing(text, name) or len(text) > MAX_ID or not text.isprintable()
            if verdicts[text] and not _declared_missing(table, name, text):
                raise _bad_key(table, name, row)
    return table


def _declared_missing(table: Table, name: str, text: str) -> bool:
    """Return whether the study file says what this text means: rows without a label may be left out."""
    said = table.answers.missing is not None and name == "label" and len(text) <= MAX_ID and text.isprintable()
    return said and bool(text or table.answers.missing)


def _bad_key(table: Table, name: str, row: int) -> BadInput:
    text = table.keys[name][row]
    right = f"Every row needs a {name}, printable text of at most {MAX_ID} characters."
    if not text:
        return problem(table.source, table.place(row, name), "the cell is empty", right)
    if not is_missing(text, name):
        wrong = f"{quoted(text)} is too long or holds control characters"
        return problem(table.source, table.place(row, name), wrong, right)
    right = f"Every row needs a {name}: leave the row out, or call it something else if {quoted(text)} is a name."
    if name == "label":
        found = sorted({t for t in table.keys[name].tolist() if is_missing(t, name)})
        options = [
            (table.answers.lines("missing", found), "leave such rows out"),
            (table.answers.lines("missing", []), "it is a class"),
        ]
        right = either("Every row needs a label.", options)
    return problem(table.source, table.place(row, name), f"{quoted(text)} means that there is no value", right)


def from_columns(columns: Mapping[str, np.ndarray], source: str, wanted: Wanted) -> Table:
    """Return the table of 1-D columns in memory, any dtype.

    Raises
    ------
    BadInput
        Missing or doubled columns, unequal lengths, no rows, cells that are not numbers, empty keys.
    """
    check_columns(list(columns), wanted, source)
    sizes = {name: column.size for name, column in columns.items()}
    length = sizes[wanted.required[0]]
    for name, size in sizes.items():
        if size != length:
            raise problem(
                source,
                f"column {quoted(name)}",
                f"it has {size} rows, {quoted(wanted.required[0])} has {length}",
                "All columns must have the same length.",
            )
    keys, numbers, ignored = split_columns(columns, wanted, source)
    check_size(length, len(columns), source)
    texts = {n: np.array([text_of(v) for v in columns[n].tolist()], dtype=object) for n in keys}
    matrix = np.empty((length, len(numbers)))
    for i, name in enumerate(numbers):
        matrix[:, i] = _as_numbers(columns[name], name, source)
    return check_keys(Table(source, texts, tuple(numbers), matrix, tuple(ignored), answers=wanted.answers))


def check_size(rows: int, columns: int, source: str) -> None:
    """Raise ``BadInput`` for an empty table or one above the limits of this module."""
    if rows == 0:
        raise problem(
            source, "", "the table has no rows", "It needs one row per stimulus, sample or label below its header."
        )
    if rows > MAX_ROWS or rows * columns > MAX_CELLS:
        raise problem(
            source,
            "",
            f"the table has {rows} rows and {columns} columns",
            f"At most {MAX_ROWS} rows and {MAX_CELLS} cells can be read; reduce the channels or average first.",
        )
