"""Files that never end, or that kill whoever reads them, are refused; whole ones pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from brainworth.design import hdf_probe, tables_containers
from brainworth.design.errors import BadInput
from brainworth.design.hdf_probe import check_ends
from brainworth.design.tables import Wanted
from brainworth.design.tables_containers import read_container

LOOPS = Path(__file__).parent / "damaged" / "loops_netcdf"
"""Found by fuzzing: a heap of texts that leads back to itself."""


def test_a_file_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "eeg.nc"
    shutil.copy(LOOPS, path)
    monkeypatch.setattr(tables_containers, "check_ends", lambda file, source: check_ends(file, source, seconds=4.0))
    with pytest.raises(BadInput, match=r"^eeg\.nc: reading the file did not end within 4 seconds"):
        read_container(path, "eeg.nc", Wanted(("subject", "stimulus")))


def test_a_file_that_kills_its_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "eeg.h5"
    path.write_bytes(b"whatever")
    monkeypatch.setattr(hdf_probe, "_PROBE", "import os; os.abort()")
    with pytest.raises(BadInput, match="kills the process"):
        check_ends(path, "eeg.h5")


def test_whole_files_and_files_that_are_no_hdf5_are_left_to_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "eeg.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.zeros((3, 2))
        file["none"] = np.zeros((0, 2))
        file["names"] = np.array(["a", "b", "c"], dtype=h5py.string_dtype())
        file["one"] = 1.0
        file.create_dataset("large", (5_000_000,), chunks=True, dtype="f8")
    check_ends(path, "eeg.h5")
    path.write_text("no HDF5")
    check_ends(path, "eeg.h5")
