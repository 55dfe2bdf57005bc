"""fMRI from images: single-trial estimates against explicit regressions, round trips of images and BIDS data sets, real data."""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.design.api import Study
from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.readers import read_recordings
from brainworth.design.pilot.recordings.events import Events, events_of, read_events
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.posterior.fingerprint import fingerprint
from brainworth.design.study_file.config import parse_study
from brainworth.design.study_file.reader import Reader

nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")

from brainworth.design.pilot.recordings import nifti  # noqa: E402
from brainworth.design.pilot.recordings.fmri import (  # noqa: E402
    Run,
    masked_recordings,
    samples_of_run,
)
from brainworth.design.pilot.recordings.single_trials import (  # noqa: E402
    Timing,
    event_regressors,
    least_squares_all,
    least_squares_separate,
    nuisance_regressors,
    projected_out,
)

TR, VOLUMES = 2.0, 90
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
SHAPE = (4, 3, 2)
TIMING = Timing(TR, VOLUMES)


def onsets(seed: int, count: int = 12) -> np.ndarray:
    return 10.0 + np.cumsum(np.random.default_rng(seed).uniform(9.0, 15.0, count)) - 9.0


def events(seed: int = 0, run: int = 1, count: int = 12) -> pd.DataFrame:
    ids = [f"r{run}e{i}" for i in range(count)]
    kinds = ["word", "picture"] * (count // 2)
    return pd.DataFrame({"onset": onsets(seed, count), "duration": 1.0, "stimulus": ids, "trial_type": kinds})


def as_events(frame: pd.DataFrame) -> Events:
    return events_of({str(c): frame[c].tolist() for c in frame.columns}, "events.tsv", Reader())


def bold(frame: pd.DataFrame, seed: int = 0, noise: float = 0.0) -> tuple[Any, np.ndarray]:
    """Return an image in which every voxel answers every event with its own amplitude, and the amplitudes."""
    rng = np.random.default_rng(seed)
    amplitude = rng.standard_normal((len(frame), int(np.prod(SHAPE))))
    response = event_regressors(as_events(frame), TIMING, Reader())[:, :, 0]
    drift = np.outer(np.linspace(-1, 1, VOLUMES), rng.standard_normal(amplitude.shape[1]))
    series = 100.0 + response @ amplitude + 0.0 * drift + noise * rng.standard_normal((VOLUMES, amplitude.shape[1]))
    image = nib.Nifti1Image(series.T.reshape(*SHAPE, VOLUMES), AFFINE)
    image.header.set_zooms((3.0, 3.0, 3.0, TR))
    image.header.set_xyzt_units("mm", "sec")
    return image, amplitude


def full_mask(values: np.ndarray | None = None) -> Any:
    return nib.Nifti1Image(np.ones(SHAPE, np.int16) if values is None else values.astype(np.int16), AFFINE)


# ---------------------------------------------------------------------------------------------- regressions


def regression(columns: list[np.ndarray], target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(np.column_stack(columns), target, rcond=None)[0]


@pytest.mark.parametrize("reader", [Reader(), Reader(hrf="spm"), Reader(hrf="fir", fir_delays=[1, 2, 3])])
def test_shortcuts_equal_explicit_regressions(reader: Reader) -> None:
    rng = np.random.default_rng(3)
    happened = as_events(events(1))
    confounds = rng.standard_normal((VOLUMES, 4))
    nuisance = nuisance_regressors(TIMING, reader, confounds)
    np.testing.assert_allclose(nuisance.T @ nuisance, np.eye(nuisance.shape[1]), atol=1e-12)
    shapes = event_regressors(happened, TIMING, reader)
    delays = shapes.shape[2]
    series = rng.standard_normal((VOLUMES, 5))
    clean, responses = projected_out(series, nuisance), projected_out(shapes, nuisance)
    together = least_squares_all(clean, responses, "x")
    explicit = regression([shapes.reshape(VOLUMES, -1), nuisance], series)[: 12 * delays]
    np.testing.assert_allclose(together, np.moveaxis(explicit.reshape(12, delays, 5), 1, 2), atol=1e-9)
    separate = least_squares_separate(clean, responses, "x")
    for i in range(12):
        others = shapes.sum(axis=1) - shapes[:, i]
        explicit = regression([shapes[:, i], others, nuisance], series)[:delays]
        np.testing.assert_allclose(separate[i], explicit.T, atol=1e-9)


def _noise(seed: int, coefficients: np.ndarray) -> np.ndarray:
    """Return autoregressive series, one per coefficient, each of unit innovations."""
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((VOLUMES, coefficients.size))
    for volume in range(1, VOLUMES):
        series[volume] += coefficients * series[volume - 1]
    return series


def _estimated(series: np.ndarray, frame: pd.DataFrame, **keys: Any) -> np.ndarray:
    reader = Reader(**keys)
    run = Run("1", "run-1", "x", None, TIMING, as_events(frame), None)
    part = samples_of_run(series, run, [str(i) for i in range(series.shape[1])], reader)
    return part.values  # noqa: PD011


def test_prewhitened_amplitudes_are_those_of_nilearn() -> None:
    """All events in one regression: nilearn's own run_glm with noise model ar1 on the same design."""
    from nilearn.glm.first_level import run_glm

    frame = events(1)
    series = _noise(0, np.linspace(-0.4, 0.9, 14))
    happened = event_regressors(as_events(frame), TIMING, Reader())[:, :, 0]
    design = np.hstack([happened, nuisance_regressors(TIMING, Reader(), None)])
    labels, fitted = run_glm(series, design, noise_model="ar1")
    expected = np.empty((len(frame), series.shape[1]))
    for label, result in fitted.items():
        expected[:, labels == label] = result.theta[: len(frame)]
    assert len(fitted) > 5
    np.testing.assert_allclose(_estimated(series, frame, estimate="lsa", noise_model="ar1"), expected, atol=1e-9)


def test_prewhitening_makes_estimates_more_precise() -> None:
    """Slow noise, 40 channels: the variance of prewhitened estimates is lower, by 20 % or more (seen: 40 to 60 %).

    The ratio of two variances of 480 values each has a standard error below 10 %: a false alarm below 1e-4.
    """
    frame = events(1)
    slow = _noise(1, np.full(40, 0.8))
    for estimate in ("lss", "lsa"):
        plain, white = (_estimated(slow, frame, estimate=estimate, noise_model=m).var() for m in ("ols", "ar1"))
        assert white < 0.8 * plain, estimate
    fast = _noise(2, np.zeros(40))
    plain, white = (_estimated(fast, frame, noise_model=m) for m in ("ols", "ar1"))
    assert np.corrcoef(plain.ravel(), white.ravel())[0, 1] > 0.98


def test_amplitudes_are_recovered() -> None:
    frame = events(2)
    image, amplitude = bold(frame)
    found = masked_recordings(_masker(), [image], [frame], reader={"estimate": "lsa"})
    assert list(found.columns[:3]) == ["subject", "stimulus", "session"]
    np.testing.assert_allclose(found.iloc[:, 3:].to_numpy(), amplitude, atol=1e-6)
    assert found["stimulus"].tolist() == frame["stimulus"].tolist()


def test_events_that_cannot_be_told_apart() -> None:
    frame = events(2)
    image, _ = bold(frame, noise=1.0)
    frame.loc[1, "onset"] = frame.loc[0, "onset"]
    for estimate in ("lss", "lsa"):
        with pytest.raises(
            BadInput, match=r"row 2, column 'onset': 'r1e0' and 'r1e1' \(row 1\) begin at the same onset"
        ):
            masked_recordings(_masker(), [image], [frame], reader={"estimate": estimate})
    frame.loc[1, "onset"] += 1e-7
    with pytest.raises(BadInput, match="12 amplitudes cannot be told apart"):
        masked_recordings(_masker(), [image], [frame], reader={"estimate": "lsa"})
    frame.loc[0, "onset"] = 400.0
    with pytest.raises(BadInput, match=r"event 1 \('r1e0', at 400 s\): its response lies outside of the run"):
        masked_recordings(_masker(), [image], [frame])


# --------------------------------------------------------------------------------------- maskers in Python


def _masker() -> Any:
    from nilearn.maskers import NiftiMasker

    return NiftiMasker(mask_img=full_mask(), standardize=False, reports=False)


def test_maskers_of_nilearn_build_a_study() -> None:
    from nilearn.maskers import NiftiLabelsMasker

    frames = [events(i, i) for i in range(3)]
    images = [bold(frame, i, noise=0.5)[0] for i, frame in enumerate(frames)]
    atlas = full_mask(np.arange(1, 25).reshape(SHAPE) % 5 + 1)
    masker = NiftiLabelsMasker(labels_img=atlas, standardize=False, reports=False)
    recordings = masked_recordings(masker, images, frames, reader={"subject": "anna"})
    ids = [i for frame in frames for i in frame["stimulus"]]
    rng = np.random.default_rng(0)
    study = Study.from_frames(
        stimuli=pd.DataFrame({"stimulus": ids, "group": [i[:2] for i in ids], "f": rng.standard_normal(36)}),
        labels=pd.DataFrame({"stimulus": ids, "label": rng.standard_normal(36)}),
        recordings={"fMRI": recordings},
        config=CONFIG,
    )
    (recording,) = study.pilot.recordings
    assert (recording.subject, recording.channels.shape) == ("anna", (36, 5))
    assert recording.session is not None
    np.testing.assert_array_equal(recording.session, np.repeat([0, 1, 2], 12))


def test_maskers_and_their_company() -> None:
    frame = events(0)
    image, _ = bold(frame)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"events": [frame, frame]}, "events: there are 2 for 1 images"),
        ({"events": None}, "events and estimate do not fit together"),
        ({"events": [frame], "confounds": [np.ones((3, 2))]}, r"confounds\[0\]: its shape is \(3, 2\)"),
        ({"events": [frame], "reader": {"mask": "a.nii"}}, "'mask' means nothing for images with a masker"),
        ({"events": [frame], "reader": {"hrv": "spm"}}, "reader: hrv: unknown key 'hrv'. Did you mean 'hrf'"),
    ]
    for kwargs, words in cases:
        with pytest.raises(BadInput, match=words):
            masked_recordings(_masker(), [image], **kwargs)
    with pytest.raises(BadInput, match=r"images\[0\]: its shape is \(4, 3, 2\)"):
        masked_recordings(_masker(), [full_mask()], [frame])


# ------------------------------------------------------------------------------------- images in a study file


CONFIG: dict[str, Any] = {
    "task": {"cost_per_label": 0.1},
    "modality": [{"name": "fMRI", "cost": {"per_sample": 0.5}}],
    "budget": {"total": 100.0},
}


def read(folder: Path, recordings: str, **reader: Any) -> Table:
    """Return what the reader makes of files in a folder."""
    (folder / "study.toml").write_text("")
    modality = {"name": "fMRI", "recordings": recordings, "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study(CONFIG | {"modality": [modality]})
    return read_recordings(Folder(folder / "study.toml"), config.modality[0])


def numbers(table: Table) -> np.ndarray:
    return table.values  # noqa: PD011


@pytest.fixture
def single(tmp_path: Path) -> Path:
    frame = events(0)
    nib.save(bold(frame, noise=0.1)[0], tmp_path / "bold.nii.gz")
    nib.save(full_mask(), tmp_path / "mask.nii.gz")
    frame.to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    confounds = pd.DataFrame(np.random.default_rng(5).standard_normal((VOLUMES, 3)), columns=["rot_x", "rot_y", "fd"])
    confounds.loc[0, "fd"] = np.nan
    confounds.to_csv(tmp_path / "confounds.tsv", sep="\t", index=False, na_rep="n/a")
    return tmp_path


BASE = {"events": "events.tsv", "mask": "mask.nii.gz"}


def test_an_image_equals_the_masker(single: Path) -> None:
    frame = pd.read_csv(single / "events.tsv", sep="\t")
    columns = pd.read_csv(single / "confounds.tsv", sep="\t")
    for reader in ({}, {"estimate": "lsa"}, {"hrf": "fir", "fir_delays": [2, 3]}, {"standardise": True}):
        table = read(single, "bold.nii.gz", **BASE, **reader)
        expected = masked_recordings(_masker(), [single / "bold.nii.gz"], [frame], reader=reader)
        np.testing.assert_allclose(numbers(table), expected.iloc[:, 3:].to_numpy(), rtol=1e-5, atol=1e-6)
    assert table.columns[:2] == ("voxel_0_0_0", "voxel_0_0_1")
    table = read(single, "bold.nii.gz", **BASE, confounds=["rot_*"], confounds_file="confounds.tsv")
    moved = [columns[["rot_x", "rot_y"]].to_numpy()]
    expected = masked_recordings(_masker(), [single / "bold.nii.gz"], [frame], moved)
    np.testing.assert_allclose(numbers(table), expected.iloc[:, 3:].to_numpy(), rtol=1e-5, atol=1e-6)
    plain = read(single, "bold.nii.gz", **BASE)
    assert np.max(np.abs(numbers(plain) - numbers(table))) > 1e-3, "confounds change something"
    assert (
        read(single, "bold.nii.gz", **BASE, confounds=["fd"], confounds_file="confounds.tsv").columns == plain.columns
    )


def test_regions_are_means_of_their_voxels(single: Path) -> None:
    region = np.arange(24).reshape(SHAPE) // 8
    nib.save(full_mask(region), single / "atlas.nii.gz")
    voxels = read(single, "bold.nii.gz", **BASE)
    regions = read(single, "bold.nii.gz", events="events.tsv", atlas="atlas.nii.gz")
    assert regions.columns == ("region_1", "region_2")
    flat = region.reshape(-1)
    expected = np.column_stack([numbers(voxels)[:, flat == n].mean(axis=1) for n in (1, 2)])
    np.testing.assert_allclose(numbers(regions), expected, rtol=1e-6, atol=1e-8)


def test_rows_and_ids_can_be_chosen(single: Path) -> None:
    table = read(single, "bold.nii.gz", **BASE, where={"trial_type": ["word"]}, subject="anna")
    assert table.keys["stimulus"].tolist() == [f"r1e{i}" for i in range(0, 12, 2)]
    assert set(table.keys["subject"]) == {"anna"}
    assert set(read(single, "bold.nii.gz", **BASE, stimulus="trial_type").keys["stimulus"]) == {"word", "picture"}


def test_several_runs_behind_each_other(tmp_path: Path) -> None:
    frames = [events(i, i + 1) for i in range(2)]
    images = [bold(frame, i, noise=0.1)[0] for i, frame in enumerate(frames)]
    joined = nib.Nifti1Image(np.concatenate([i.get_fdata() for i in images], axis=3), AFFINE)
    nib.save(joined, tmp_path / "bold.nii")
    nib.save(full_mask(), tmp_path / "mask.nii.gz")
    both = pd.concat([frame.assign(run=i + 1) for i, frame in enumerate(frames)])
    both.to_csv(tmp_path / "events.csv", index=False)
    sizes = {"volumes_per_run": [VOLUMES, VOLUMES], "tr": TR}
    table = read(tmp_path, "bold.nii", events="events.csv", mask="mask.nii.gz", **sizes)
    expected = masked_recordings(_masker(), images, frames)
    np.testing.assert_allclose(numbers(table), expected.iloc[:, 3:].to_numpy(), rtol=1e-6, atol=1e-8)
    assert table.keys["session"].tolist() == ["run-1"] * 12 + ["run-2"] * 12
    volumes = read(tmp_path, "bold.nii", mask="mask.nii.gz", estimate="volumes", **sizes)
    assert (volumes.keys["stimulus"][0], volumes.keys["stimulus"][-1]) == ("run-1:1", f"run-2:{VOLUMES}")
    assert volumes.runs
    with pytest.raises(BadInput, match=r"bold\.nii: reader > volumes_per_run: they sum to 80"):
        read(tmp_path, "bold.nii", events="events.csv", mask="mask.nii.gz", volumes_per_run=[80], tr=TR)


def _write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def test_what_can_be_wrong_with_an_image(single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = nib.load(single / "bold.nii.gz")
    untimed = nib.Nifti1Image(image.get_fdata(), AFFINE)
    untimed.header.set_zooms((3.0, 3.0, 3.0, 0.0))
    nib.save(untimed, single / "untimed.nii")
    away = nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE + np.outer([1e4, 1e4, 1e4, 0], [0, 0, 0, 1]))
    nib.save(away, single / "away.nii")
    (single / "broken.nii.gz").write_bytes((single / "bold.nii.gz").read_bytes()[:-200])
    texts = {
        "no_onset.tsv": "start\tstimulus\n1\ta\n",
        "bad_onset.tsv": "onset\tduration\tstimulus\nsoon\t1\ta\n",
        "negative.tsv": "onset\tduration\tstimulus\n1\t-1\ta\n",
        "short.tsv": "rot_x\n1\n",
        "ragged.tsv": "onset\tduration\tstimulus\n1\t1\ta\tb\tc\n2\n",
        "empty_id.tsv": "onset\tduration\tstimulus\n1\t1\tn/a\n",
    }
    for name, text in texts.items():
        _write(single, name, text)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"recordings": "mask.nii.gz"}, r"mask\.nii\.gz: its shape is \(4, 3, 2\)"),
        ({"recordings": "untimed.nii"}, r"untimed\.nii: header: it gives 0 s per volume. Give the repetition time"),
        ({"recordings": "broken.nii.gz"}, r"broken\.nii\.gz: the file cannot be read as a NIfTI image"),
        ({"mask": "events.tsv"}, r"events\.tsv: its ending is not that of a NIfTI image"),
        ({"mask": "away.nii"}, r"away\.nii: no voxel of it lies within the images"),
        ({"mask": "bold.nii.gz"}, r"bold\.nii\.gz: its shape is \(4, 3, 2, 90\)"),
        ({"mask": "../mask.nii.gz"}, "reader > mask: the path '../mask.nii.gz' leaves the study's folder"),
        ({"mask": "msak.nii.gz"}, "reader > mask: the file 'msak.nii.gz' does not exist.*Did you mean 'mask.nii.gz'"),
        ({"events": "no_onset.tsv"}, "column 'onset': the column is missing"),
        ({"events": "bad_onset.tsv"}, "row 1, column 'onset': 'soon' is no time"),
        ({"events": "negative.tsv"}, "row 1, column 'duration': the duration is negative"),
        ({"events": "ragged.tsv"}, "the table cannot be read|column"),
        ({"events": "empty_id.tsv"}, "row 1, column 'stimulus': the cell is empty"),
        ({"where": {"trial_type": ["wrod"]}}, "reader > where: no event is left"),
        ({"where": {"kind": ["word"]}}, "column 'kind': the column is missing"),
        ({"stimulus": "stimlus"}, "column 'stimlus': the column is missing.*Did you mean 'stimulus'"),
        ({"estimate": "volumes"}, "events and estimate do not fit together"),
        ({"confounds": ["fdd"], "confounds_file": "confounds.tsv"}, "no column fits 'fdd'"),
        ({"confounds": ["*"], "confounds_file": "short.tsv"}, "it has 1 rows for 90 volumes"),
        ({"picks": ["eeg"]}, "reader > picks: 'picks' means nothing for an image"),
        ({"high_pass": 0.24}, "90 volumes, 8[0-9] nuisance regressors"),
    ]
    for changes, words in cases:
        name = changes.pop("recordings", "bold.nii.gz")
        with pytest.raises(BadInput, match=words):
            read(single, name, **(BASE | changes))
    monkeypatch.setattr(nifti, "MAX_VOXELS", 10)
    with pytest.raises(BadInput, match=r"mask\.nii\.gz: it holds 24 voxels. At most 10"):
        read(single, "bold.nii.gz", **BASE)
    monkeypatch.setattr(nifti, "MAX_VALUES", 100)
    with pytest.raises(BadInput, match=r"bold\.nii\.gz: it holds more than 100 values"):
        read(single, "bold.nii.gz", **BASE)
    monkeypatch.setitem(sys.modules, "nilearn", None)
    with pytest.raises(
        BadInput, match=r"bold\.nii\.gz: reading NIfTI images needs the extra 'fmri'.*brainworth\[fmri\]"
    ):
        read(single, "bold.nii.gz", **BASE)


# ------------------------------------------------------------------------------------------------ BIDS


@pytest.fixture(scope="module")
def bids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, four runs; preprocessed images with masks and confounds below derivatives."""
    folder = tmp_path_factory.mktemp("bids")
    root, prep = folder / "data", folder / "data" / "derivatives" / "fmriprep"
    for subject in ("01", "02"):
        raw_func, func = root / f"sub-{subject}" / "func", prep / f"sub-{subject}" / "func"
        raw_func.mkdir(parents=True)
        func.mkdir(parents=True)
        for run in range(1, 5):
            stem = f"sub-{subject}_task-read_run-{run}"
            frame = events(run, run)
            image, _ = bold(frame, run + 10 * int(subject), noise=0.3)
            nib.save(nib.Nifti1Image(image.get_fdata(), AFFINE), raw_func / f"{stem}_bold.nii.gz")
            nib.save(image, func / f"{stem}_space-MNI_desc-preproc_bold.nii.gz")
            frame.to_csv(raw_func / f"{stem}_events.tsv", sep="\t", index=False)
            inside = np.ones(SHAPE, np.uint8)
            inside[0, 0, 0] = 0 if run == 1 else 1
            nib.save(nib.Nifti1Image(inside, AFFINE), func / f"{stem}_space-MNI_desc-brain_mask.nii.gz")
            moved = pd.DataFrame(np.random.default_rng(run).standard_normal((VOLUMES, 2)), columns=["rot_x", "rot_y"])
            moved.to_csv(func / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False)
    (root / "task-read_bold.json").write_text(json.dumps({"RepetitionTime": 99.0, "TaskName": "read"}))
    (root / "sub-01" / "sub-01_task-read_bold.json").write_text(json.dumps({"RepetitionTime": TR}))
    (root / "sub-02" / "sub-02_task-read_bold.json").write_text(json.dumps({"RepetitionTime": TR}))
    (root / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.9.0"}))
    nib.save(full_mask(), folder / "mask.nii.gz")
    return folder


def test_bids_events_masks_and_confounds_belong_to_their_runs(bids: Path) -> None:
    table = read(bids, "data", derivatives="derivatives/fmriprep", confounds=["rot_?"])
    assert numbers(table).shape == (2 * 4 * 12, 23), "one voxel lies outside of the mask of one run"
    assert set(table.keys["session"]) == {f"run-{r}" for r in range(1, 5)}
    from nilearn.maskers import NiftiMasker

    inside = np.ones(SHAPE)
    inside[0, 0, 0] = 0
    masker = NiftiMasker(mask_img=full_mask(inside), standardize=False, reports=False)
    func = bids / "data" / "derivatives" / "fmriprep" / "sub-02" / "func"
    images = [func / f"sub-02_task-read_run-{r}_space-MNI_desc-preproc_bold.nii.gz" for r in range(1, 5)]
    moved = [np.random.default_rng(r).standard_normal((VOLUMES, 2)) for r in range(1, 5)]
    expected = masked_recordings(masker, images, [events(r, r) for r in range(1, 5)], moved)
    np.testing.assert_allclose(numbers(table)[48:], expected.iloc[:, 3:].to_numpy(), rtol=1e-5, atol=1e-5)
    assert table.keys["stimulus"][48:].tolist() == expected["stimulus"].tolist()


def test_raw_bids_takes_the_repetition_time_from_the_nearest_json(bids: Path) -> None:
    raw = read(bids, "data", mask="mask.nii.gz", subjects=["01"])
    prep = read(bids, "data", mask="mask.nii.gz", subjects=["01"], derivatives="derivatives/fmriprep")
    np.testing.assert_allclose(numbers(raw), numbers(prep), rtol=1e-5, atol=1e-5)


STUDY = """
[stimuli]
table = "stimuli.csv"
[task]
labels = "labels.csv"
cost_per_label = 1.0
[[modality]]
name = "fMRI"
recordings = "data"
cost.per_sample = 1.0
[modality.reader]
mask = "mask.nii.gz"
[budget]
total = 10
"""


def test_runs_become_sessions_and_groups(bids: Path) -> None:
    ids = [f"r{r}e{i}" for r in range(1, 5) for i in range(12)]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"stimulus": [*ids, "new"], "f": rng.standard_normal(49)})
    frame.to_csv(bids / "stimuli.csv", index=False)
    frame.rename(columns={"f": "label"}).to_csv(bids / "labels.csv", index=False)
    (bids / "study.toml").write_text(STUDY)
    study = Study.from_file(bids / "study.toml")
    np.testing.assert_array_equal(study.pilot.group, [*np.repeat([0, 1, 2, 3], 12), 4])
    assert study.names.groups == ("run-1", "run-2", "run-3", "run-4", "new")
    assert any("stimuli of one run are a group" in remark for remark in study.remarks)
    assert "data/sub-01/func/sub-01_task-read_run-1_events.tsv" in study.digest
    assert "data/sub-02/sub-02_task-read_bold.json" in study.digest
    (bids / "study.toml").write_text(STUDY.replace("[modality.reader]", "[modality.reader]\nstandardise = true"))
    other = Study.from_file(bids / "study.toml")
    assert fingerprint(other, 0) != fingerprint(study, 0), "another reader, another posterior"
    assert main(["check", str(bids / "study.toml"), "--quiet"]) == 0
    frame.assign(group="g" + (np.arange(49) // 7).astype(str).astype(object)).to_csv(bids / "stimuli.csv", index=False)
    assert np.unique(Study.from_file(bids / "study.toml").pilot.group).size == 7, "groups that are given are kept"


def test_what_can_be_wrong_with_a_data_set(bids: Path, tmp_path: Path) -> None:
    for changes, words in (
        (
            {"subjects": ["1"]},
            "data: reader > subjects: the data set holds no '1'. There are '01', '02'. Did you mean '01'",
        ),
        ({"task": "raed"}, "reader > task: the data set holds no 'raed'.*Did you mean 'read'"),
        ({"datatype": "eeg"}, "reader > datatype: the data set holds recordings of the kinds 'func'"),
        ({"derivatives": "../x"}, "leaves the study's folder"),
        ({"derivatives": "derivatives/fmriperp"}, "does not exist.*Did you mean 'fmriprep'"),
        ({"space": "T1w"}, "no func recording fits|no 'read'"),
        ({"confounds": ["rot_x"]}, "the run has no confounds"),
        ({"events": "events.tsv"}, "reader > events: 'events' means nothing for BIDS fMRI"),
    ):
        with pytest.raises(BadInput, match=words):
            read(bids, "data", mask="mask.nii.gz", **changes)
    copy = tmp_path / "study" / "data"
    shutil.copytree(bids / "data", copy)
    shutil.copy(bids / "mask.nii.gz", tmp_path / "study")
    func = copy / "sub-01" / "func"
    shutil.copy(func / "sub-01_task-read_run-1_bold.nii.gz", func / "sub-01_task-read_run-1_desc-x_bold.nii.gz")
    with pytest.raises(BadInput, match="are images of the same run"):
        read(tmp_path / "study", "data", mask="mask.nii.gz")
    (func / "sub-01_task-read_run-1_desc-x_bold.nii.gz").unlink()
    events_file = func / "sub-01_task-read_run-1_events.tsv"
    events_file.rename(tmp_path / "outside.tsv")
    with pytest.raises(BadInput, match="the run has no table of events"):
        read(tmp_path / "study", "data", mask="mask.nii.gz")
    events_file.symlink_to(tmp_path / "outside.tsv")
    with pytest.raises(BadInput, match="leads out of the study's folder by a link"):
        read(tmp_path / "study", "data", mask="mask.nii.gz")


# --------------------------------------------------------------------------------------- damaged files


def one_paragraph(call: Any) -> str:
    """Return the message of a call that ends in ``BadInput``, or nothing if it succeeds."""
    try:
        call()
    except BadInput as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_images_end_in_one_paragraph(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Up to four bytes of header or values are changed."""
    folder = tmp_path_factory.mktemp("damaged")
    nib.save(bold(events(0))[0], folder / "bold.nii")
    nib.save(full_mask(), folder / "mask.nii.gz")
    events(0).to_csv(folder / "events.tsv", sep="\t", index=False)
    raw = bytearray((folder / "bold.nii").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    (folder / "bold.nii").write_bytes(bytes(raw))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy about values that overflow
        message = one_paragraph(lambda: read(folder, "bold.nii", tr=TR, **BASE))
    assert message.isprintable()
    assert len(message) < 1500


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: ("onset\tstimulus\n" + t).encode())))
def test_any_bytes_as_events(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("events") / "events.tsv"
    path.write_bytes(content)
    message = one_paragraph(lambda: read_events(path, path.name, Reader()))
    assert message.isprintable()
    assert len(message) < 1500


# ------------------------------------------------------------------------------------------- real data


HAXBY = Path(os.environ.get("BRAINWORTH_DATA", "/nowhere")) / "haxby2001_fmri_categories"
real = pytest.mark.skipif(not HAXBY.is_dir(), reason="BRAINWORTH_DATA names no folder with haxby2001_fmri_categories")


def decoded(values: np.ndarray, kind: np.ndarray, run: np.ndarray) -> int:
    """Return how many samples resemble their kind's mean over the other runs most."""
    values = values - np.array([values[run == r].mean(axis=0) for r in run])
    right = 0
    for i in range(len(values)):
        others = run != run[i]
        means = {k: values[others & (kind == k)].mean(axis=0) for k in np.unique(kind)}
        right += max(means, key=lambda k: np.corrcoef(means[k], values[i])[0, 1]) == kind[i]
    return right


@real
def test_categories_of_haxby_are_decoded(tmp_path: Path) -> None:
    """96 blocks, chance 1 in 8: 25 or more right by chance has probability 0.0003; with shuffled labels it fails.

    Voxels of 25 mm differ in size of their signal, and a category occurs once in a run of 5 minutes: hence the keys.
    """
    func = tmp_path / "data" / "sub-001" / "func"
    func.mkdir(parents=True)
    for run in range(1, 13):
        source, stem = HAXBY / "sub001" / "BOLD" / f"task001_run{run:03d}", f"sub-001_task-objects_run-{run:02d}"
        shutil.copy(source / "bold_25mm.nii.gz", func / f"{stem}_bold.nii.gz")
        shutil.copy(source / "bold_events.tsv", func / f"{stem}_events.tsv")
    shutil.copy(HAXBY / "sub001" / "masks" / "25mm" / "brain.nii.gz", tmp_path / "brain.nii.gz")
    table = read(tmp_path, "data", mask="brain.nii.gz", standardise=True, high_pass=0.005)
    assert numbers(table).shape == (96, 129)
    assert set(table.keys["stimulus"]) == {
        "face",
        "house",
        "cat",
        "shoe",
        "bottle",
        "scissors",
        "chair",
        "scrambledpix",
    }
    kind, run = table.keys["stimulus"].astype(str), table.keys["session"].astype(str)
    assert decoded(numbers(table), kind, run) >= 25
    assert decoded(numbers(table), np.random.default_rng(0).permutation(kind), run) < 25


@real
def test_half_slice_of_haxby_holds_twelve_runs(tmp_path: Path) -> None:
    """One image of 1,452 volumes, labelled volume by volume."""
    shutil.copy(HAXBY / "halfslice_bold.nii.gz", tmp_path / "bold.nii.gz")
    label = pd.read_csv(HAXBY / "halfslice_attributes_literal.txt", sep=" ", names=["kind", "run"])
    image = nib.load(tmp_path / "bold.nii.gz")
    mean = np.asarray(image.dataobj, dtype=float).mean(axis=3)
    nib.save(nib.Nifti1Image((mean > 0.5 * mean.max()).astype(np.int16), image.affine), tmp_path / "mask.nii.gz")
    rows: list[dict[str, Any]] = []
    for run, part in label.groupby("run"):
        kinds = part["kind"].to_numpy()
        starts = np.flatnonzero(np.r_[True, kinds[1:] != kinds[:-1]])
        ends = np.r_[starts[1:], len(kinds)]
        rows += [
            {"run": int(str(run)) + 1, "onset": 2.5 * a, "duration": 2.5 * (b - a), "trial_type": kinds[a]}
            for a, b in zip(starts, ends, strict=True)
            if kinds[a] != "rest"
        ]
    pd.DataFrame(rows).to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    reader = {"events": "events.tsv", "mask": "mask.nii.gz", "volumes_per_run": [121] * 12}
    table = read(tmp_path, "bold.nii.gz", **reader)
    assert len(table) == 96
    assert decoded(numbers(table), table.keys["stimulus"].astype(str), table.keys["session"].astype(str)) >= 25
