"""Small good recordings of every format, and one door through which fuzzers read what became of them.

Used by ``unit/test_formats_fuzz.py`` (hypothesis) and ``fuzz_readers.py`` (atheris). Errors: a format whose library is not
installed (``ImportError``).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.readers import read_recordings
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.config import parse_study

ROWS, CHANNELS = 60, 4


def keys() -> dict[str, np.ndarray]:
    return {
        "subject": np.repeat(["a", "b"], ROWS // 2),
        "stimulus": np.tile([f"w{i}" for i in range(ROWS // 2)], 2),
    }


def values() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((ROWS, CHANNELS))


def _h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, texts in keys().items():
            file.create_dataset(name, data=texts.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("eeg", data=values(), chunks=(16, CHANNELS), compression="gzip")


def _nc(path: Path) -> None:
    import xarray as xr

    coordinates = {name: ("sample", texts) for name, texts in keys().items()}
    xr.DataArray(values(), dims=("sample", "channel"), coords=coordinates, name="eeg").to_netcdf(
        path, engine="h5netcdf"
    )


def _zarr(path: Path) -> None:
    import zarr

    group = zarr.open_group(path, mode="w")
    group.create_array("subject", data=np.repeat([1, 2], ROWS // 2))
    group.create_array("stimulus", data=np.tile(np.arange(ROWS // 2), 2))
    group.create_array("eeg", data=values(), chunks=(25, CHANNELS))


def _zarr_sharded(path: Path) -> None:
    """Text of variable length, arrays in shards of compressed chunks."""
    import zarr

    group = zarr.open_group(path, mode="w")
    for name, texts in keys().items():
        array = group.create_array(name, shape=texts.shape, dtype=str, chunks=(32,))
        array[:] = texts.astype(object)
    group.create_array("eeg", data=values(), chunks=(10, CHANNELS), shards=(30, CHANNELS))


def _zarr_old(path: Path) -> None:
    """The second version of the format: other metadata, compressed by blosc, big-endian, by column."""
    import zarr
    from numcodecs import Blosc

    group = zarr.open_group(path, mode="w", zarr_format=2)
    for name, texts in keys().items():
        group.create_array(name, data=texts.astype("<U8"), chunks=(32,))
    compressed: dict[str, Any] = {
        "compressors": Blosc(cname="lz4", shuffle=Blosc.SHUFFLE),
        "order": "F",
        "chunks": (25, CHANNELS),
    }
    group.create_array("eeg", data=values().astype(">f4"), **compressed)


def _parquet_rich(path: Path) -> None:
    """Dictionaries, missing values, several kinds of numbers, other compression, pages of the second version."""
    frame = pd.DataFrame(values().astype(np.float32), columns=[f"E{i}" for i in range(CHANNELS)])
    frame["count"] = pd.array([*range(ROWS - 1), None], dtype="Int64")
    frame["half"], frame["on"] = frame["E0"].astype(np.float16), frame["E1"] > 0
    texts = pd.DataFrame(keys()).astype("category")
    made: dict[str, Any] = {
        "compression": "zstd",
        "data_page_version": "2.0",
        "data_page_size": 256,
        "row_group_size": 25,
    }
    texts.join(frame).to_parquet(path, **made)


def _parquet(path: Path) -> None:
    frame = pd.DataFrame(values(), columns=[f"E{i}" for i in range(CHANNELS)])
    pd.DataFrame(keys()).join(frame).to_parquet(path, row_group_size=20)


def _npy(path: Path) -> None:
    np.save(path, values())


def _npz(path: Path) -> None:
    np.savez_compressed(path, allow_pickle=False, eeg=values(), **keys())


def _fif(path: Path) -> None:
    import mne

    info = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg", verbose="error")
    metadata = pd.DataFrame(keys())
    data = 1e-6 * np.random.default_rng(0).standard_normal((ROWS, CHANNELS, 5))
    epochs = mne.EpochsArray(data, info, metadata=metadata, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about MNE
        epochs.save(path, overwrite=True, verbose="error")


def _nifti(path: Path) -> None:
    import nibabel as nib

    series = 100.0 + np.random.default_rng(0).standard_normal((3, 3, 2, 50))
    image = nib.Nifti1Image(series, np.eye(4))
    image.header.set_zooms((1.0, 1.0, 1.0, 2.0))
    image.to_filename(path)
    nib.Nifti1Image(np.ones((3, 3, 2), np.int16), np.eye(4)).to_filename(path.with_name("mask.nii"))


WRITERS: dict[str, Callable[[Path], None]] = {
    "eeg.h5": _h5,
    "eeg.nc": _nc,
    "eeg.zarr": _zarr,
    "sharded.zarr": _zarr_sharded,
    "old.zarr": _zarr_old,
    "eeg.parquet": _parquet,
    "rich.parquet": _parquet_rich,
    "eeg.npy": _npy,
    "eeg.npz": _npz,
    "eeg-epo.fif": _fif,
    "bold.nii": _nifti,
    "bold.nii.gz": _nifti,
}
IMAGE = {"events": "events.tsv", "mask": "mask.nii"}
EVENTS = "onset\tduration\tstimulus\n" + "".join(f"{4 + 6 * i}\t1\tw{i}\n" for i in range(14))


@cache
def good(name: str) -> dict[str, bytes]:
    """Return the content of every file of a good recording, by its path."""
    with tempfile.TemporaryDirectory() as folder:
        WRITERS[name](Path(folder) / name)
        return {
            f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(Path(folder).rglob("*")) if f.is_file()
        }


STREAMS = tuple(name for name in WRITERS if name.endswith((".h5", ".nc", ".zarr", ".parquet", ".npy")))
"""Those that can stay on disk."""


def one_paragraph(error: BadInput) -> None:
    """Require that an error is one short paragraph of printable text."""
    message = str(error)
    assert message.isprintable()
    assert 20 < len(message) < 1500


def write_around(folder: Path, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Write the files of a recording and what it needs beside them; return the keys of its reader."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "study.toml").write_text("")
    if name.endswith(".npy"):
        pd.DataFrame(keys()).to_csv(folder / "ids.csv", index=False)
        return {"ids": "ids.csv"}
    if ".nii" in name:
        if "events.tsv" not in files:
            (folder / "events.tsv").write_text(EVENTS)
        return dict(IMAGE)
    return {}


def table_of(folder: Path, name: str, reader: Mapping[str, Any]) -> Table:
    """Return the table of recordings, read as a study reads it; also the values of those that stay on disk are read."""
    modality = {"name": "M", "recordings": name, "cost": {"per_sample": 0.5}, "reader": dict(reader)}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nibabel and MNE about damaged headers
        table = read_recordings(Folder(folder / "study.toml"), config.modality[0])
        if table.rows is not None:
            table.rows.read(0, len(table))
    return table


def read(folder: Path, name: str, reader: Mapping[str, Any]) -> None:
    """Read recordings: there is a table or one paragraph, nothing else."""
    try:
        table_of(folder, name, reader)
    except BadInput as error:
        one_paragraph(error)
