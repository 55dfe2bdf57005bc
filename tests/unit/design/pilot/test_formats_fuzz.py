"""Damaged recordings of every format end in a table or in one paragraph of ``BadInput``, whether read or streamed.

Every example starts from a good file; bytes are changed, removed or repeated. ``pytest --run-slow`` draws new examples; a minute in
all on a quiet machine.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import good_recordings as made
from brainworth.design.api import Study
from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.large import StoredChannels
from brainworth.design.pilot.readers import read_recordings
from brainworth.design.study_file.config import parse_study
from brainworth.design.study_file.scaffold import write_example
from memory import watched

MOST_MEMORY = 2**31
"""Bytes that reading a damaged file of some kilobytes never takes; compressed content may claim more than it holds."""
FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


NEEDS = {".zarr": "zarr", ".fif": "mne", ".nii": "nilearn", ".gz": "nilearn"}


def good(name: str) -> dict[str, bytes]:
    """Return the content of every file of a good recording, by its path."""
    if (ending := Path(name).suffix) in NEEDS:
        pytest.importorskip(NEEDS[ending], reason="an extra is not installed")
    return made.good(name)


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


@pytest.mark.parametrize("name", sorted(made.WRITERS))
@FUZZ
@given(st.data())
def test_damaged_recordings(name: str, data: st.DataObject) -> None:
    files = good(name)
    chosen = data.draw(st.sampled_from(sorted(files)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        changed = {path: damaged(content, data) if path == chosen else content for path, content in files.items()}
        reader = made.write_around(folder, name, changed)
        if name in made.STREAMS:
            reader["stream"] = data.draw(st.booleans())
        if ".nii" in name:
            reader["noise_model"] = "ar1"
        with watched() as taken:
            made.read(folder, name, reader)
        assert (taken.bytes or 0) < MOST_MEMORY


@FUZZ
@given(st.data())
def test_damaged_events(data: st.DataObject) -> None:
    files = good("bold.nii")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reader = made.write_around(folder, "bold.nii", files | {"events.tsv": damaged(made.EVENTS.encode(), data)})
        made.read(folder, "bold.nii", reader)


@pytest.mark.parametrize("name", sorted(made.WRITERS))
def test_the_good_files_are_read(name: str, tmp_path: Path) -> None:
    """The twin of the fuzz tests: without damage nothing is refused."""
    reader = made.write_around(tmp_path, name, good(name))
    assert len(made.table_of(tmp_path, name, reader)) == (14 if ".nii" in name else made.ROWS)


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
    made.one_paragraph(caught.value)
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
    pd.DataFrame(made.keys()).head(30).to_csv(study / "ids.csv", index=False)
    assert "array of object" in _refused(study, "eeg.npy", f'ids = "ids.csv"\nstream = {stream}')
    assert not mark.exists()
    write_example(study.parent / "second")
    with h5py.File(study.parent / "second" / "eeg.h5", "w") as file:
        for name, texts in made.keys().items():
            file.create_dataset(name, data=texts.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("eeg", data=np.zeros(made.ROWS, dtype=[("a", "f8"), ("b", "i4")]))
    assert "array 'eeg': it is of" in _refused(study.parent / "second", "eeg.h5", f"stream = {stream}")


def test_bombs_are_refused_before_they_are_unpacked(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Archives of a few kilobytes that hold a thousand times as much: their directory says so."""
    monkeypatch.setattr("brainworth.design.pilot.tables.files.MAX_FILE_BYTES", 2**22)
    arrays: dict[str, Any] = {"eeg": np.zeros(2**22), **made.keys()}
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
    (study / "events.tsv").write_text(made.EVENTS)
    assert "it holds more than 1000000000 values" in _refused(study, "bold.nii.gz", 'events = "events.tsv"')


def test_ids_and_stores_cannot_leave_the_folder(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(study / "eeg.npy", made.values())
    pd.DataFrame(made.keys()).to_csv(study.parent / "ids.csv", index=False)
    assert "leaves the study's folder" in _refused(study, "eeg.npy", 'ids = "../ids.csv"')
    (study / "ids.csv").symlink_to(study.parent / "ids.csv")
    text = (study / "study.toml").read_text().replace("../ids.csv", "ids.csv")
    (study / "study.toml").write_text(text)
    with pytest.raises(BadInput, match="by a link"):
        Study.from_file(study / "study.toml")


def test_a_file_that_changes_between_check_and_pass_is_told(study: Path) -> None:
    """The header was fine when the study was read; the values are gone when the pass comes."""
    made.WRITERS["eeg.parquet"](study / "eeg.parquet")
    table_of = Folder(study / "study.toml")
    modality = {"name": "M", "recordings": "eeg.parquet", "cost": {"per_sample": 0.5}, "reader": {"stream": True}}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    table = read_recordings(table_of, config.modality[0])
    assert table.rows is not None
    shutil.copyfile(study / "eeg.csv", study / "eeg.parquet")
    with pytest.raises(BadInput, match=r"eeg\.parquet: rows 1 to 60: the values cannot be read"):
        table.rows.read(0, made.ROWS)
    assert not isinstance(table.rows, StoredChannels)
