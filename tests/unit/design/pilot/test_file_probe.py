"""Files that never end, or that kill whoever reads them, are refused; whole ones pass."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.tables import containers as tables_containers
from brainworth.design.pilot.tables import probe as file_probe
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.containers import read_container
from brainworth.design.pilot.tables.probe import check_ends

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
    monkeypatch.setattr(file_probe, "_LOOK", "import os; os.abort()")
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


PAST_ITS_END = bytes.fromhex(
    "02013120003d7d0008017b000400006000000014000000480000001f770100081f00010c007b7d7d303030303030"
)
"""Found by fuzzing: a chunk of 46 bytes whose header speaks of 1.6 GB. Blosc reads them, and the process dies."""


def _store(folder: Path, chunk: bytes | None, **how: Any) -> Path:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    path = folder / "eeg.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=how.pop("zarr_format", 3))
    for name in ("subject", "stimulus"):
        group.create_array(name, data=np.arange(40) % 20)
    group.create_array("eeg", data=1.0 + np.arange(160).reshape(40, 4), chunks=(10, 4), **how)
    stored = [file for file in sorted((path / "eeg").rglob("*")) if file.is_file() and file.name[0] not in ".z"]
    if chunk is not None:
        stored[0].write_bytes(chunk)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("chunk", [PAST_ITS_END, PAST_ITS_END[:9]], ids=["past", "cut"])
def test_a_chunk_that_blosc_would_read_past_its_end(version: int, chunk: bytes, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    blosc = numcodecs.Blosc() if version == 2 else zarr.codecs.BloscCodec()
    path = _store(tmp_path, chunk, zarr_format=version, compressors=blosc)
    with pytest.raises(BadInput, match=r"^eeg\.zarr: array 'eeg': its chunk '.*' is shorter than its header says"):
        read_container(path, "eeg.zarr", Wanted(("subject", "stimulus")))


def test_a_store_that_kills_its_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within shards chunks have no file of their own: what a trial is for."""
    path = _store(tmp_path, b"whatever")
    monkeypatch.setattr(file_probe, "_ZARR", "import os; os.abort()")
    with pytest.raises(BadInput, match="kills the process"):
        read_container(path, "eeg.zarr", Wanted(("subject", "stimulus")))
    monkeypatch.undo()
    (tmp_path / "again").mkdir()
    path = _store(tmp_path / "again", b"whatever")
    with pytest.raises(BadInput, match="the file cannot be read as zarr"):
        read_container(path, "eeg.zarr", Wanted(("subject", "stimulus")))


def test_shards_whose_chunks_are_damaged(tmp_path: Path) -> None:
    """The chunk that blosc reads past its end, first in a shard whose index is whole."""
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    path = _store(tmp_path, None, compressors=zarr.codecs.BloscCodec(), shards=(40, 4))
    shard = path / "eeg" / "c" / "0" / "0"
    shard.write_bytes(PAST_ITS_END[:16] + shard.read_bytes()[16:])
    with pytest.raises(BadInput, match=r"^eeg\.zarr: "):
        read_container(path, "eeg.zarr", Wanted(("subject", "stimulus")))
