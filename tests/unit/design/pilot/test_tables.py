"""Tables: limits, places, and agreement of the fast parser with the slow one that explains its failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.tables import columns, tables
from brainworth.design.pilot.tables import files as tables_files
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.csv_files import is_number
from brainworth.design.pilot.tables.files import read_table
from brainworth.design.pilot.tables.tables import from_columns

WANTED = Wanted(("id",), ("group",))


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_place_counts_lines_as_an_editor_does(tmp_path: Path) -> None:
    """Blank lines and line breaks in quoted cells move the line of a row."""
    path = write(tmp_path, 'id,x\na,1\n\n"b b",2\nc,inf\n')
    table = read_table(path, "t.csv", WANTED)
    assert table.place(2, "x") == "row 3 (line 5), column 'x'"
    with pytest.raises(BadInput, match=r"t\.csv: row 3 \(line 5\), column 'x': the cell is infinite\."):
        table.require_finite()
    table.require_finite(np.array([True, True, False]))


def test_a_line_break_in_an_id_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, 'id,x\na,1\n"b\nb",2\n')
    with pytest.raises(BadInput, match=r"row 2 \(line 4\), column 'id'.*control characters"):
        read_table(path, "t.csv", WANTED)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "id,x\na,1\nb,2\n")
    monkeypatch.setattr(tables, "MAX_ROWS", 1)
    with pytest.raises(BadInput, match="2 rows"):
        read_table(path, "t.csv", WANTED)
    monkeypatch.setattr(tables, "MAX_ROWS", 10)
    monkeypatch.setattr(tables, "MAX_CELLS", 3)
    with pytest.raises(BadInput, match="3 cells"):
        read_table(path, "t.csv", WANTED)
    monkeypatch.setattr(tables_files, "MAX_CSV_BYTES", 4)
    with pytest.raises(BadInput, match="larger than 4 bytes"):
        read_table(path, "t.csv", WANTED)
    monkeypatch.setattr(columns, "MAX_COLUMNS", 1)
    with pytest.raises(BadInput, match="2 columns"):
        from_columns({"id": np.array(["a"]), "x": np.array([1.0])}, "t", WANTED)


def test_archives_that_grow_when_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is read from the archive's directory before anything is unpacked."""
    np.savez_compressed(tmp_path / "t.npz", id=np.arange(50_000), x=np.zeros(50_000))
    monkeypatch.setattr(tables_files, "MAX_FILE_BYTES", 100_000)
    assert (tmp_path / "t.npz").stat().st_size < 100_000 * 2
    with pytest.raises(BadInput, match="its arrays take"):
        read_table(tmp_path / "t.npz", "t.npz", WANTED)


def test_columns_of_unequal_length_and_odd_types() -> None:
    with pytest.raises(BadInput, match="it has 2 rows, 'id' has 3"):
        from_columns({"id": np.arange(3), "x": np.arange(2)}, "t", WANTED)
    with pytest.raises(BadInput, match="column 'x': its cells are of type complex128"):
        from_columns({"id": np.arange(3), "x": np.arange(3) * 1j}, "t", WANTED)
    with pytest.raises(BadInput, match="row 2, column 'x': 'two' is not a number"):
        from_columns({"id": np.arange(2), "x": np.array(["1", "two"], dtype=object)}, "t", WANTED)
    with pytest.raises(BadInput, match="row 1, column 'id': the cell is empty"):
        from_columns({"id": np.array([np.nan, 1.0]), "x": np.arange(2)}, "t", WANTED)
    table = from_columns({"id": np.arange(3), "x": np.array([1, None, "2.5"], dtype=object)}, "t", WANTED)
    np.testing.assert_array_equal(table.values[:, 0], [1.0, np.nan, 2.5])


@given(st.one_of(st.floats(), st.text(max_size=6), st.integers()).map(str))
def test_both_parsers_agree_on_what_a_number_is(text: str) -> None:
    """A cell that one parser refuses and the other accepts would be an error without a place."""
    import io

    import pyarrow as pa
    from pyarrow import csv

    from brainworth.design.pilot.rules.identity import EMPTY_CELLS

    cell = '"' + text.replace('"', '""') + '"'
    options = csv.ConvertOptions(
        column_types={"x": pa.float64()}, null_values=list(EMPTY_CELLS), strings_can_be_null=False
    )
    try:
        csv.read_csv(io.BytesIO(f"x,y\n{cell},1\n".encode()), convert_options=options)
        accepted = True
    except (pa.ArrowException, UnicodeEncodeError):
        accepted = False
    if accepted:
        assert is_number(text)


def test_what_the_slow_parser_accepts_and_the_fast_one_not_is_still_told(tmp_path: Path) -> None:
    path = write(tmp_path, "id,x\na,1\nb,infinit\n")
    with pytest.raises(BadInput, match=r"row 2 \(line 3\), column 'x': 'infinit' is not a number"):
        read_table(path, "t.csv", WANTED)
