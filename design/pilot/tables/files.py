"""Tables in files: csv, tsv, parquet, npz.

In: a path and which columns are wanted. Out: ``Table``. Errors: a file that is missing, unreadable, damaged, too large, of an
unknown format or not of the wanted form; each is a ``BadInput``. No pickle is ever loaded, and sizes are read from a file's own
directory before anything is unpacked.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from brainworth.design.common.errors import BadInput
from brainworth.design.common.hints import conversion
from brainworth.design.common.messages import one_line, problem, quoted
from brainworth.design.pilot.rules.identity import renamed
from brainworth.design.pilot.tables.arrays import matrix_columns
from brainworth.design.pilot.tables.columns import Wanted, check_columns, split_columns
from brainworth.design.pilot.tables.csv_files import CsvSource, record_line
from brainworth.design.pilot.tables.csv_files import read as read_csv
from brainworth.design.pilot.tables.tables import MAX_FILE_BYTES, Table, check_keys, check_size, from_columns

MAX_CSV_BYTES = 2**30
FORMATS = ".csv, .tsv, .parquet, .npz, .h5, .nc, .zarr"


def _load_parquet(path: Path, source: str, wanted: Wanted) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the wanted columns and the names of the ignored ones; size and names are checked before anything is read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        stored = list(file.schema_arrow.names)
        rows = file.metadata.num_rows
    names = renamed(stored, wanted.answers, source)
    check_columns(names, wanted, source)
    check_size(rows, len(names), source)
    keys, numbers, ignored = split_columns(names, wanted, source)
    of = dict(zip(names, stored, strict=True))
    loaded = pq.read_table(path, columns=[of[n] for n in (*keys, *numbers)], read_dictionary=[of[n] for n in keys])
    return {n: np.asarray(loaded.column(of[n]).to_pandas()) for n in (*keys, *numbers)}, ignored


@contextmanager
def opened_npz(path: Path, source: str, most: int, right: str) -> Generator[NpzFile]:
    """Open an archive of arrays, none of Python objects; ``right`` says what to do if they take more than ``most`` bytes."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise problem(source, "", f"its arrays take {size} bytes", right)
    with np.load(path, allow_pickle=False) as archive:
        yield archive


def _load_npz(path: Path, source: str) -> dict[str, np.ndarray]:
    """Return the arrays of an archive; a matrix NAME becomes the columns NAME_1, NAME_2, ..."""
    columns: dict[str, np.ndarray] = {}
    with opened_npz(path, source, MAX_FILE_BYTES, f"At most {MAX_FILE_BYTES} bytes can be read.") as archive:
        for name in archive.files:
            columns |= matrix_columns(name, np.asarray(archive[name]), source)
    return columns


def _read_archive(path: Path, source: str, wanted: Wanted) -> Table:
    """Read parquet or npz; damaged files make pyarrow, zipfile, zlib and numpy raise a dozen types of errors."""
    kind = "npz" if path.suffix.lower() == ".npz" else "parquet"
    ignored: list[str] = []
    read = wanted
    try:
        if kind == "npz":
            loaded = _load_npz(path, source)
            columns = dict(zip(renamed(loaded, wanted.answers, source), loaded.values(), strict=True))
        else:
            columns, ignored = _load_parquet(path, source, wanted)
            numbers = tuple(name for name in columns if name not in (*wanted.required, *wanted.optional))
            read = replace(wanted, answers=replace(wanted.answers, ignore=(), keep=numbers))
    except BadInput:
        raise
    except Exception as error:
        raise _unreadable(source, kind, error) from None
    table = from_columns(columns, source, read)
    return replace(table, ignored=(*table.ignored, *ignored), answers=wanted.answers)


def _unreadable(source: str, kind: str, error: Exception) -> BadInput:
    detail = one_line(error, 200).rstrip(".")
    hint = " Python objects are never loaded." if "pickle" in detail else ""
    return problem(source, "", f"the file cannot be read as {kind} ({detail})", f"Save it again as plain {kind}.{hint}")


def _read_text(path: Path, source: str, wanted: Wanted, separator: str) -> Table:
    text = CsvSource(path, source, separator)

    def names_ok(header: list[str]) -> tuple[list[str], list[str], list[str]]:
        names = renamed(header, wanted.answers, source)
        check_columns(names, wanted, source)
        return names, *split_columns(names, wanted, source)[:2]

    names, keys, values, notes = read_csv(text, names_ok)
    check_size(values.shape[0], len(names), source)
    _, numbers, ignored = split_columns(names, wanted, source)
    table = Table(source, keys, tuple(numbers), values, tuple(ignored), answers=wanted.answers, notes=notes)
    return check_keys(replace(table, locate=lambda row: record_line(text, row)))


def read_table(path: Path, source: str, wanted: Wanted) -> Table:
    """Return the table in a file.

    Parameters
    ----------
    path : Path
        The file; its ending says the format.
    source : str
        How messages call the file.
    wanted : Wanted
        Columns it must and may have.

    Raises
    ------
    BadInput
        The file is missing, unreadable, too large, of an unknown format, empty, or not of the wanted form.
    """
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".parquet", ".pq", ".npz"}:
        right = f"Known formats: {FORMATS}.{conversion(path.name)}"
        raise problem(source, "", f"the ending {quoted(suffix)} is no known table format", right)
    limit = MAX_CSV_BYTES if suffix in {".csv", ".tsv"} else MAX_FILE_BYTES
    if path.stat().st_size > limit:
        raise problem(
            source, "", f"the file is larger than {limit} bytes", "Average or reduce it, or save it as parquet."
        )
    if path.stat().st_size == 0:
        raise problem(source, "", "the file is empty", f"It needs a header and rows ({FORMATS}).")
    if suffix in {".parquet", ".pq", ".npz"}:
        return _read_archive(path, source, wanted)
    return _read_text(path, source, wanted, "\t" if suffix == ".tsv" else ",")
