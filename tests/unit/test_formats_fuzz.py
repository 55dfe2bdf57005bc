"""Damaged recordings of every format end in a table or in one paragraph of ``BadInput``, whether read or streamed.

Every example starts from a good file; bytes are changed, removed or repeated. Hypothesis draws new examples on every run;
a minute in all on a quiet machine.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainworth.design.cli import main
from brainworth.design.config import parse_study
from brainworth.design.errors import BadInput
from brainworth.design.large import StoredChannels
from brainworth.design.readers import read_recordings
from brainworth.design.scaffold import write_example
from brainworth.design.study import Study
from brainworth.design.study_folder import Folder

ROWS, CHANNELS = 60, 4
FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def keys() -> dict[str, np.ndarray]:
    return {
        "subject": np.repeat(["a", "b"], ROWS // 2),
        "stimulus": np.tile([f"w{i}" for i in range(ROWS // 2)], 2),
    }


def _values() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((ROWS, CHANNELS))


def _h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, texts in keys().items():
            file.create_dataset(name, data=texts.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("eeg", data=_values(), chunks=(16, CHANNELS), compression="gzip")


def _nc(path: Path) -> None:
    import xarray as xr

    coordinates = {name: ("sample", texts) for name, texts in keys().items()}
    xr.DataArray(_values(), dims=("sample", "channel"), coords=coordinates, name="eeg").to_netcdf(
        path, engine="h5netcdf"
    )


def _zarr(path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    group = zarr.open_group(path, mode="w")
    group.create_array("subject", data=np.repeat([1, 2], ROWS // 2))
    group.create_array("stimulus", data=np.tile(np.arange(ROWS // 2), 2))
    group.create_array("eeg", data=_values(), chunks=(25, CHANNELS))


def _parquet(path: Path) -> None:
    frame = pd.DataFrame(_values(), columns=[f"E{i}" for i in range(CHANNELS)])
    pd.DataFrame(keys()).join(frame).to_parquet(path, row_group_size=20)


def _npy(path: Path) -> None:
    np.save(path, _values())


def _npz(path: Path) -> None:
    np.savez_compressed(path, allow_pickle=False, eeg=_values(), **keys())


def _fif(path: Path) -> None:
    mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg", verbose="error")
    metadata = pd.DataFrame(keys())
    data = 1e-6 * np.random.default_rng(0).standard_normal((ROWS, CHANNELS, 5))
    epochs = mne.EpochsArray(data, info, metadata=metadata, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about MNE
        epochs.save(path, overwrite=True, verbose="error")


def _nifti(path: Path) -> None:
    nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
    pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")
    series = 100.0 + np.random.default_rng(0).standard_normal((3, 3, 2, 50))
    image = nib.Nifti1Image(series, np.eye(4))
    image.header.set_zooms((1.0, 1.0, 1.0, 2.0))
    image.to_filename(path)
    nib.Nifti1Image(np.ones((3, 3, 2), np.int16), np.eye(4)).to_filename(path.with_name("mask.nii"))


WRITERS: dict[str, Callable[[Path], None]] = {
    "eeg.h5": _h5,
    "eeg.nc": _nc,
    "eeg.zarr": _zarr,
    "eeg.parquet": _parquet,
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


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """Return content with some bytes changed, a stretch removed or repeated, or cut short."""
    kind = data.draw(st.sampled_from(["change", "remove", "repeat", "cut", "insert"]))
    place = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(1, 64))
    if kind == "cut":
        return content[:place]
    if kind == "insert":
        return content[:place] + data.draw(st.binary(min_size=1, max_size=20)) + content[place:]
    if kind != "change":
        again = content[place : place + length] * 2 if kind == "repeat" else b""
        return content[:place] + again + content[place + length :]
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed)


def one_paragraph(error: BadInput) -> None:
    message = str(error)
    assert message.isprintable()
    assert 20 < len(message) < 1500


def read(folder: Path, name: str, reader: dict[str, Any]) -> None:
    """Read recordings, and the values of those that stay on disk."""
    (folder / "study.toml").write_text("")
    modality = {"name": "M", "recordings": name, "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nibabel and MNE about damaged headers
        try:
            table = read_recordings(Folder(folder / "study.toml"), config.modality[0])
            if table.rows is not None:
                table.rows.read(0, len(table))
        except BadInput as error:
            one_paragraph(error)


@pytest.mark.parametrize("name", sorted(WRITERS))
@FUZZ
@given(st.data())
def test_damaged_recordings(name: str, data: st.DataObject) -> None:
    files = good(name)
    chosen = data.draw(st.sampled_from(sorted(files)))
    streams = {"eeg.h5", "eeg.nc", "eeg.zarr", "eeg.parquet", "eeg.npy"}
    reader: dict[str, Any] = {"stream": data.draw(st.booleans())} if name in streams else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(damaged(content, data) if path == chosen else content)
        if name.endswith(".npy"):
            pd.DataFrame(keys()).to_csv(folder / "ids.csv", index=False)
            reader["ids"] = "ids.csv"
        if ".nii" in name:
            (folder / "events.tsv").write_text(EVENTS)
            reader |= IMAGE | {"noise_model": "ar1"}
        read(folder, name, reader)


@FUZZ
@given(st.data())
def test_damaged_events(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, content in good("bold.nii").items():
            (folder / path).write_bytes(content)
        (folder / "events.tsv").write_bytes(damaged(EVENTS.encode(), data))
        read(folder, "bold.nii", IMAGE)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_the_good_files_are_read(name: str, tmp_path: Path) -> None:
    """The twin of the fuzz tests: without damage nothing is refused."""
    for path, content in good(name).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "study.toml").write_text("")
    pd.DataFrame(keys()).to_csv(tmp_path / "ids.csv", index=False)
    (tmp_path / "events.tsv").write_text(EVENTS)
    reader = {"ids": "ids.csv"} if name.endswith("npy") else IMAGE if ".nii" in name else {}
    modality = {"name": "M", "recordings": name, "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    table = read_recordings(Folder(tmp_path / "study.toml"), config.modality[0])
    assert len(table) == (14 if ".nii" in name else ROWS)


class Bomb:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.mark,))


def _refused(folder: Path, name: str, reader: str = "") -> str:
    """Return what ``check`` says of a study with these recordings, after it was refused."""
    text = (folder / "study.toml").read_text().replace('"eeg.csv"', f'"{name}"')
    (folder / "study.toml").write_text(
        text.replace("[modality.cost]", f"[modality.reader]\n{reader}\n[modality.cost]", 1)
    )
    with pytest.raises(BadInput) as caught:
        Study.from_file(folder / "study.toml")
    one_paragraph(caught.value)
    assert main(["check", str(folder / "study.toml")]) == 2
    return str(caught.value)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_example(tmp_path / "study")
    return tmp_path / "study"


@pytest.mark.parametrize("stream", ["true", "false"])
def test_no_pickle_is_loaded_from_a_matrix_or_hdf5(
    stream: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = study / "exploded"
    np.save(study / "eeg.npy", np.array([[Bomb(mark)] * 3] * 30, dtype=object), allow_pickle=True)
    pd.DataFrame(keys()).head(30).to_csv(study / "ids.csv", index=False)
    assert "array of object" in _refused(study, "eeg.npy", f'ids = "ids.csv"\nstream = {stream}')
    assert not mark.exists()
    write_example(study.parent / "second")
    with h5py.File(study.parent / "second" / "eeg.h5", "w") as file:
        for name, texts in keys().items():
            file.create_dataset(name, data=texts.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("eeg", data=np.zeros(ROWS, dtype=[("a", "f8"), ("b", "i4")]))
    assert "array 'eeg': it is of" in _refused(study.parent / "second", "eeg.h5", f"stream = {stream}")


def test_bombs_are_refused_before_they_are_unpacked(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Archives of a few kilobytes that hold a thousand times as much: their directory says so."""
    monkeypatch.setattr("brainworth.design.tables_files.MAX_FILE_BYTES", 2**22)
    arrays: dict[str, Any] = {"eeg": np.zeros(2**22), **keys()}
    np.savez_compressed(study / "eeg.npz", **arrays)
    assert (study / "eeg.npz").stat().st_size < 2**17
    assert "its arrays take 335" in _refused(study, "eeg.npz")


def test_a_compressed_image_cannot_grow_beyond_its_limit(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
    header = nib.Nifti1Header()
    header.set_data_shape((1000, 1000, 1000, 30))
    header.set_data_dtype(np.int16)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(study / "bold.nii.gz", "wb") as file:
        file.write(header.binaryblock + bytes(2**22))
    (study / "events.tsv").write_text(EVENTS)
    assert "it holds more than 1000000000 values" in _refused(study, "bold.nii.gz", 'events = "events.tsv"')


def test_ids_and_stores_cannot_leave_the_folder(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(study / "eeg.npy", _values())
    pd.DataFrame(keys()).to_csv(study.parent / "ids.csv", index=False)
    assert "leaves the study's folder" in _refused(study, "eeg.npy", 'ids = "../ids.csv"')
    (study / "ids.csv").symlink_to(study.parent / "ids.csv")
    text = (study / "study.toml").read_text().replace("../ids.csv", "ids.csv")
    (study / "study.toml").write_text(text)
    with pytest.raises(BadInput, match="by a link"):
        Study.from_file(study / "study.toml")


def test_a_file_that_changes_between_check_and_pass_is_told(study: Path) -> None:
    """The header was fine when the study was read; the values are gone when the pass comes."""
    _parquet(study / "eeg.parquet")
    table_of = Folder(study / "study.toml")
    modality = {"name": "M", "recordings": "eeg.parquet", "cost": {"per_sample": 0.5}, "reader": {"stream": True}}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    table = read_recordings(table_of, config.modality[0])
    assert table.rows is not None
    shutil.copyfile(study / "eeg.csv", study / "eeg.parquet")
    with pytest.raises(BadInput, match=r"eeg\.parquet: rows 1 to 60: the values cannot be read"):
        table.rows.read(0, ROWS)
    assert not isinstance(table.rows, StoredChannels)
