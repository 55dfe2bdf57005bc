"""Text tables: parsed by pyarrow with the types we state, so that nothing is guessed from the content.

In: a csv or tsv file and which of its columns are text. Out: names, key columns, a float64 matrix. Errors: rows of unequal
length, cells that are not numbers, bytes that are not UTF-8; the message names line and column, which a second, slow pass looks
up.
"""

from __future__ import annotations

import csv
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput
from brainworth.design.common.hints import number_hint
from brainworth.design.common.messages import one_line, problem, quoted, quoted_list
from brainworth.design.pilot.rules.identity import EMPTY_CELLS, MISSING_WORDS, clean_text
from brainworth.design.pilot.rules.numbers import number_of_text

if TYPE_CHECKING:
    import pyarrow as pa

_EXCEL = re.compile(r"sep=.?", re.IGNORECASE)
"""First line of Excel that names the separator: no header."""


@dataclass(frozen=True)
class CsvSource:
    """A text table on disk."""

    path: Path
    """The file."""
    name: str
    """How messages call it."""
    separator: str
    """Comma or tab."""

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of its last line, cells) of every record that is not blank, header first."""
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.separator, strict=True)
            for record in reader:
                if record and not (reader.line_num == 1 and _EXCEL.fullmatch(self.separator.join(record))):
                    yield reader.line_num, record


def record_line(source: CsvSource, row: int) -> int:
    """Return the line of the file on which the 0-based data row ends."""
    return next(itertools.islice(source.records(), row + 1, None))[0]


def _header(source: CsvSource) -> tuple[int, list[str]]:
    try:
        records = source.records()
        line, names = next(records)
        empty = next(records, None) is None
    except UnicodeDecodeError:
        raise _not_utf8(source) from None
    except csv.Error as error:
        raise problem(
            source.name, "line 1", f"the header cannot be read ({error})", "Name every column in it."
        ) from None
    except StopIteration:
        raise problem(source.name, "", "the file is empty", "It needs a header and rows.") from None
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise problem(
            source.name,
            "line 1",
            "the columns are separated by semicolons or tabs",
            "Separate columns by commas in .csv and by tabs in .tsv files, and write decimal points.",
        )
    if empty:
        raise problem(source.name, "", "the table has no rows", "It needs one row per stimulus, sample or label.")
    return line, [name.strip() for name in names]


def _not_utf8(source: CsvSource) -> BadInput:
    return problem(source.name, "", "the file is not UTF-8 text", "Save it as comma-separated UTF-8 text.")


def is_number(text: str) -> bool:
    """Return whether a cell is empty or a decimal number."""
    try:
        number_of_text(text)
    except ValueError:
        return False
    return True


def _explain(source: CsvSource, names: list[str], numbers: list[str], detail: str) -> BadInput:
    """Return the error of the first bad record, found by reading the file again, slowly."""
    places = [names.index(n) for n in numbers]
    try:
        records = source.records()
        next(records)
        for row, (line, cells) in enumerate(records, start=1):
            where = f"row {row} (line {line})"
            if len(cells) != len(names):
                return problem(
                    source.name,
                    where,
                    f"it has {len(cells)} cells, the header {len(names)}",
                    "All rows need the same number. Numbers have a decimal point; text with a comma stands in quotes.",
                )
            for place in places:
                if not is_number(cells[place]):
                    return problem(
                        source.name,
                        f"{where}, column {quoted(names[place])}",
                        f"{quoted(cells[place])} is not a number",
                        f"Every cell must hold a finite number with a decimal point.{number_hint(cells[place])}",
                    )
    except UnicodeDecodeError:
        return _not_utf8(source)
    except csv.Error as error:
        detail = str(error)
    return problem(
        source.name, "", f"the table cannot be read ({one_line(detail, 200)})", "Save it again as plain csv."
    )


def _parse(source: CsvSource, header: tuple[int, list[str]], keys: list[str], numbers: list[str]) -> pa.Table:
    """Return the columns of a file, numbers as doubles; as text if a cell is no number as pyarrow reads it."""
    import pyarrow as pa

    try:
        return _columns(source, header, keys, numbers, pa.float64())
    except (pa.ArrowException, OSError, ValueError) as error:
        try:
            return _columns(source, header, keys, numbers, pa.string())
        except (pa.ArrowException, OSError, ValueError):
            raise _explain(source, header[1], numbers, str(error)) from None


def _columns(
    source: CsvSource, header: tuple[int, list[str]], keys: list[str], numbers: list[str], kind: pa.DataType
) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    line, names = header
    types = {n: pa.string() for n in names} | dict.fromkeys(numbers, kind)
    return pa_csv.read_csv(
        source.path,
        read_options=pa_csv.ReadOptions(column_names=names, skip_rows=line, block_size=2**24),
        parse_options=pa_csv.ParseOptions(delimiter=source.separator, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            null_values=list(EMPTY_CELLS),
            strings_can_be_null=False,
            include_columns=[*keys, *numbers],
        ),
    )


def _numbers(column: pa.ChunkedArray) -> tuple[Float[np.ndarray, " row"], bool]:
    """Return the numbers of a column, and whether typographic signs or blanks were read as what they look like."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return column.to_numpy(), False
    texts = column.to_pylist()
    odd = any(not text.isascii() and text.strip().casefold() not in MISSING_WORDS for text in texts)
    return np.array([number_of_text(text) for text in texts]), odd


def read(
    source: CsvSource, choose: Callable[[list[str]], tuple[list[str], list[str], list[str]]]
) -> tuple[list[str], dict[str, np.ndarray], Float[np.ndarray, "row column"], tuple[str, ...]]:
    """Return the column names, the key columns (text), the numbers (NaN where a cell is empty) and remarks.

    Parameters
    ----------
    source : CsvSource
        The file.
    choose : callable
        Checks the names of the header and returns what its columns are called, and which of them are keys and numbers.

    Raises
    ------
    BadInput
        Unreadable text, ragged rows, cells that are not numbers.
    """
    line, written = _header(source)
    names, keys, numbers = choose(written)
    header = line, names
    table = _parse(source, header, keys, numbers)
    texts = {name: np.array([clean_text(t) for t in table.column(name).to_pylist()], dtype=object) for name in keys}
    values = np.empty((table.num_rows, len(numbers)))
    odd: list[str] = []
    for i, name in enumerate(numbers):
        try:
            values[:, i], mended = _numbers(table.column(name))
        except ValueError as error:
            raise _explain(source, names, numbers, str(error)) from None
        odd += [name] * mended
    told = f"{source.name}: typographic signs or blanks in {quoted_list(odd)} were read as the numbers they look like."
    return names, texts, values, (told,) if odd else ()
