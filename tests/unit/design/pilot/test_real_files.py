"""Real files that nibabel and nilearn carry: our reading against the libraries' own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.readers import read_recordings
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.config import parse_study

nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
nilearn = pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")

IMAGES = Path(nib.__file__).parent / "tests" / "data"
CONFOUNDS = Path(nilearn.__file__).parent / "interfaces" / "fmriprep" / "data"


def read(folder: Path, name: str, **reader: object) -> Table:
    shutil.copy(IMAGES / name, folder)
    (folder / "study.toml").write_text("")
    modality = {"name": "fMRI", "recordings": name, "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    return read_recordings(Folder(folder / "study.toml"), config.modality[0])


@pytest.mark.skipif(not (IMAGES / "functional.nii").is_file(), reason="nibabel is installed without its images")
def test_a_functional_image_holds_what_nibabel_reads(tmp_path: Path) -> None:
    image = nib.load(IMAGES / "functional.nii")
    inside = np.zeros(image.shape[:3], dtype=np.uint8)
    inside[4:12, 5:15, 1] = 1
    nib.save(nib.Nifti1Image(inside, image.affine), tmp_path / "mask.nii.gz")
    table = read(tmp_path, "functional.nii", estimate="volumes", mask="mask.nii.gz", high_pass=0.0)
    assert len(table) == image.shape[3] == 20
    values = np.asarray(image.dataobj, dtype=float)
    for column, name in enumerate(table.columns[::7]):
        series = values[tuple(int(n) for n in name.split("_")[1:])]
        np.testing.assert_allclose(table.values[:, column * 7], series - series.mean(), atol=1e-3)  # noqa: PD011


@pytest.mark.skipif(not (IMAGES / "example4d.nii.gz").is_file(), reason="nibabel is installed without its images")
def test_a_header_in_milliseconds_that_claims_seconds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"example4d.nii.gz: header: it gives 2000 s per volume.*reader.tr"):
        read(tmp_path, "example4d.nii.gz", estimate="volumes")


@pytest.mark.skipif(not CONFOUNDS.is_dir(), reason="nilearn is installed without its confounds")
def test_confounds_of_fmriprep_are_the_columns_of_the_table() -> None:
    from brainworth.design.pilot.recordings.nifti import read_confounds

    path = next(CONFOUNDS.glob("test-v21_desc-confounds_timeseries.tsv"))
    frame = pd.read_csv(path, sep="\t")
    found = read_confounds(path, path.name, ["trans_x", "rot_?", "csf"], len(frame))
    names = ["trans_x", *(name for name in frame.columns if name.startswith("rot_") and len(name) == 5), "csf"]
    np.testing.assert_allclose(found, frame[names].to_numpy(), rtol=1e-9)
    derivative = read_confounds(path, path.name, ["trans_x_derivative1"], len(frame))[:, 0]
    expected = frame["trans_x_derivative1"].to_numpy()
    np.testing.assert_allclose(derivative, np.where(np.isnan(expected), np.nanmean(expected), expected), rtol=1e-9)
