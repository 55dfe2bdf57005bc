"""Events and images that are physically impossible, or that are there twice: file, row and key are named."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.readers import read_recordings
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.config import parse_study


def read(folder: Path, **reader: Any) -> Table:
    (folder / "study.toml").write_text("")
    modality = {"name": "M", "recordings": "data", "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    return read_recordings(Folder(folder / "study.toml"), config.modality[0])


# ------------------------------------------------------------------------------------------------ BIDS EEG


@pytest.fixture
def eeg(tmp_path: Path) -> Path:
    mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
    mne_bids = pytest.importorskip("mne_bids", reason="the extra 'eeg' is not installed")
    info = mne.create_info(["Fz", "Cz"], 100.0, "eeg", verbose="error")
    info["line_freq"] = 50.0
    raw = mne.io.RawArray(1e-5 * np.random.default_rng(0).standard_normal((2, 2200)), info, verbose="error")
    raw.set_annotations(mne.Annotations(1.0 + 1.5 * np.arange(12), 0.5, ["word"] * 12))
    path = mne_bids.BIDSPath(subject="01", task="read", root=tmp_path / "data", datatype="eeg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mne-bids, about converting
        mne_bids.write_raw_bids(raw, path, allow_preload=True, format="BrainVision", verbose="error")
    change(tmp_path, lambda table: table.assign(item=[f"e{i}" for i in range(12)]))
    return tmp_path


def change(folder: Path, by: Any) -> None:
    path = next(folder.rglob("*_events.tsv"))
    by(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)


def moved(row: int, onset: float) -> Any:
    def by(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row - 1, "onset"] = onset
        return table

    return by


def test_an_event_after_the_end_is_named(eeg: Path) -> None:
    change(eeg, moved(12, 400.0))
    with pytest.raises(BadInput, match=r"_events.tsv: row 12, column 'onset': the onset of 400 s lies outside"):
        read(eeg, stimulus="item")


def test_two_events_of_one_sample_are_named(eeg: Path) -> None:
    change(eeg, moved(3, 2.501))
    with pytest.raises(BadInput, match=r"_events.tsv: row 3.*'e1' and 'e2' \(row 2\) begin at the same sample"):
        read(eeg, stimulus="item")


def test_a_column_without_ids_is_named(eeg: Path) -> None:
    change(eeg, lambda table: table.assign(trial_type="n/a"))
    with pytest.raises(
        BadInput, match=r"row 1, column 'trial_type': .*so are all others.*stimulus in \[modality.reader\]"
    ):
        read(eeg)


def test_epochs_that_leave_the_recording_are_counted(eeg: Path) -> None:
    change(eeg, moved(12, 21.9))
    table = read(eeg, stimulus="item")
    assert len(table) == 11
    found = [(loss.count, loss.total, loss.subject, loss.unit) for loss in table.losses]
    assert found == [(1, 12, "01", "epochs")]


def test_one_recording_in_two_formats_is_read_once(eeg: Path) -> None:
    header = next(eeg.rglob("*.vhdr"))
    shutil.copy(header, header.with_suffix(".set"))
    with pytest.raises(BadInput, match=r"files of the same run.*\[modality.reader\] ending = \"\.set\""):
        read(eeg, stimulus="item")
    assert len(read(eeg, stimulus="item", ending=".vhdr")) == 12
    header.with_suffix(".set").unlink()
    for file in header.parent.glob("*_eeg.*"):
        shutil.copy(file, file.with_name(file.name.replace("_eeg.", "_proc-clean_eeg.")))
    with pytest.raises(BadInput, match=r"files of the same run.*entities = \{ proc = \"clean\" \}"):
        read(eeg, stimulus="item")
    assert len(read(eeg, stimulus="item", entities={"proc": ""})) == 12


# ------------------------------------------------------------------------------------------------ BIDS fMRI

SHAPE, VOLUMES, TR = (4, 3, 2), 90, 2.0


@pytest.fixture
def fmri(tmp_path: Path) -> Path:
    nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
    pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")
    func = tmp_path / "data" / "sub-01" / "func"
    func.mkdir(parents=True)
    values = 100.0 + np.random.default_rng(0).standard_normal((*SHAPE, VOLUMES))
    save(nib, func / "sub-01_task-read_bold.nii.gz", values)
    mask = nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.diag([3.0, 3.0, 3.0, 1.0]))
    nib.save(mask, tmp_path / "mask.nii.gz")
    onset = 6.0 + 12.0 * np.arange(12)
    events = pd.DataFrame({"onset": onset, "duration": 1.0, "stimulus": [f"e{i}" for i in range(12)]})
    events.to_csv(func / "sub-01_task-read_events.tsv", sep="\t", index=False)
    return tmp_path


def save(nib: Any, path: Path, values: np.ndarray, tr: float = TR) -> None:
    image = nib.Nifti1Image(values, np.diag([3.0, 3.0, 3.0, 1.0]))
    image.header.set_zooms((3.0, 3.0, 3.0, tr))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)


def test_an_event_longer_than_its_run_is_named(fmri: Path) -> None:
    change(fmri, lambda table: table.assign(duration=[1.0] * 11 + [1000.0]))
    with pytest.raises(
        BadInput, match=r"_events.tsv: row 12, column 'duration': the duration of 1000 s is longer than the run"
    ):
        read(fmri, mask="mask.nii.gz")


@pytest.mark.parametrize("estimate", ["lss", "lsa"])
def test_two_stimuli_at_one_onset_are_named(fmri: Path, estimate: str) -> None:
    change(fmri, moved(5, 42.0))
    with pytest.raises(
        BadInput, match=r"_events.tsv: row 5, column 'onset': 'e3' and 'e4' \(row 4\) begin at the same onset"
    ):
        read(fmri, mask="mask.nii.gz", estimate=estimate)


def test_the_time_between_volumes_is_stated_once(fmri: Path) -> None:
    side = fmri / "data" / "sub-01" / "func" / "sub-01_task-read_bold.json"
    side.write_text('{"RepetitionTime": 1.5}')
    with pytest.raises(BadInput, match=r"header says 2 s per volume.* 1.5 s.*\[modality.reader\] tr = 2.0"):
        read(fmri, mask="mask.nii.gz")
    assert len(read(fmri, mask="mask.nii.gz", tr=2.0)) == 12
    side.write_text('{"RepetitionTime": 2.0}')
    assert len(read(fmri, mask="mask.nii.gz")) == 12


def test_echoes_are_chosen_by_a_key_that_exists(fmri: Path) -> None:
    func = fmri / "data" / "sub-01" / "func"
    image = func / "sub-01_task-read_bold.nii.gz"
    for echo in "12":
        shutil.copy(image, func / f"sub-01_task-read_echo-{echo}_bold.nii.gz")
    image.unlink()
    with pytest.raises(BadInput, match=r"images of the same run.*entities = \{ echo = \"2\" \}"):
        read(fmri, mask="mask.nii.gz")
    assert len(read(fmri, mask="mask.nii.gz", entities={"echo": "2"})) == 12


def test_volumes_without_values_are_left_out_and_counted(fmri: Path) -> None:
    """nilearn reads NaN as 0: an estimate that used such a volume would be far from the one without it."""
    import nibabel as nib

    path = next(fmri.rglob("*_bold.nii.gz"))
    whole = read(fmri, mask="mask.nii.gz")
    values = np.asarray(nib.load(path).dataobj)  # pyright: ignore[reportAttributeAccessIssue]
    values[..., 40] = np.nan
    values[0, 0, 0, 7] = np.nan
    save(nib, path, values)
    table = read(fmri, mask="mask.nii.gz")
    assert [(loss.count, loss.total, loss.unit, loss.subject) for loss in table.losses] == [
        (1, VOLUMES, "volumes", "01"),
        (1, 24, "channels", "01"),
    ]
    same = whole.values[:, 1:]  # noqa: PD011
    assert np.corrcoef(table.values.ravel(), same.ravel())[0, 1] > 0.95  # noqa: PD011
    with pytest.raises(BadInput, match=r"volume 41: 1 of its 90 volumes hold no values"):
        read(fmri, mask="mask.nii.gz", noise_model="ar1")
    assert "run-1:41" not in read(fmri, mask="mask.nii.gz", estimate="volumes").keys["stimulus"].tolist()
