"""A lab's pilot in BIDS, EEG and fMRI of the same words, from its folders to the plan; what was put in is known.

Three people read 120 words. EEG: two sessions each in BrainVision files, events for fixations and words, a channel that is bad in
one person. fMRI: two runs, catch trials among the words, drifts and head motion in the images, and beside the raw data what
fMRIPrep makes of them: images in a common space, brain masks, confounds whose first row is empty. Written by mne-bids and nibabel.

The intervals that are checked hold 99 % of the posterior or of the forecast, and there are seven of them: for a posterior that is
exactly right, about one seed in 14 raises a false alarm; this seed raises none. The wrong twin has events that name other words.
"""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.api import Study
from brainworth.design.cli import main
from brainworth.design.performance.purchase import Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.posterior.notes import pilot_notes
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.pilot.pilot import Recording
from brainworth.models.pilot.summary import summarise

mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
mne_bids = pytest.importorskip("mne_bids", reason="the extra 'eeg' is not installed")
nib = pytest.importorskip("nibabel", reason="the extra 'fmri' is not installed")
pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")

PEOPLE = ("01", "02", "03")
WORDS = np.array([f"word{i:03d}" for i in range(120)])
FEATURES, LATENTS, LABELLED = 40, 2, 100
RATE, TR, VOLUMES = 100.0, 2.0, 160
SHAPE = (5, 4, 3)
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
INSIDE = np.ones(SHAPE, dtype=bool)
INSIDE[0, 0] = INSIDE[-1, -1] = False
ELECTRODES = [f"E{i:02d}" for i in range(16)]
SIGNAL = np.array([[1.5, 0.0], [0.0, 0.8]])
ALIGNMENT, NOISE = 0.8, 0.5

STUDY = """\
[study]
title = "Reading words: EEG and fMRI"
seed = 0

[stimuli]
table = "features.csv"

[task]
labels = "ratings.csv"
cost_per_label = 60.0

[[modality]]
name = "EEG"
recordings = "eeg"
new_subjects = true

[modality.reader]
task = "read"
stimulus = "word"
where = { trial_type = ["word"] }
epoch = [-0.1, 0.6]
baseline = [-0.1, 0.0]
windows = [[0.3, 0.5]]

[modality.cost]
per_session = 200.0
samples_per_session = 400
per_subject = 40.0

[[modality]]
name = "fMRI"
recordings = "fmri"
new_subjects = true

[modality.reader]
where = { trial_type = ["word"] }
derivatives = "derivatives/fmriprep"
space = "MNI152NLin2009cAsym"
confounds = ["trans_?", "rot_?"]

[modality.cost]
per_session = 700.0
samples_per_session = 300
per_subject = 50.0

[budget]
total = 6000

[priors]
max_latents = 2
"""


@dataclass(frozen=True)
class Truth:
    """What was put into the data set."""

    x: np.ndarray
    """Features of every word."""
    maps: np.ndarray
    """Orthonormal: latents are features times these."""
    task: np.ndarray
    """Labels are features times this, plus noise."""
    patterns: dict[tuple[str, str], np.ndarray]
    """What a latent adds to every channel, by modality and person."""


def _truth(rng: np.random.Generator) -> Truth:
    x = rng.standard_normal((WORDS.size, FEATURES)).round(4)
    frame = np.linalg.qr(rng.standard_normal((FEATURES, LATENTS + 1)))[0]
    task = np.sqrt(ALIGNMENT) * frame[:, 0] + np.sqrt(1 - ALIGNMENT) * frame[:, LATENTS]
    sizes = {"EEG": len(ELECTRODES), "fMRI": int(INSIDE.sum())}
    patterns = {
        (name, who): SIGNAL @ np.linalg.qr(rng.standard_normal((size, LATENTS)))[0].T
        for name, size in sizes.items()
        for who in PEOPLE
    }
    return Truth(x, frame[:, :LATENTS], task, patterns)


def _amplitudes(truth: Truth, name: str, who: str) -> np.ndarray:
    return truth.x @ truth.maps @ truth.patterns[name, who]


def _write_eeg(root: Path, truth: Truth, rng: np.random.Generator) -> None:
    """A response of rectangular shape from 0.25 to 0.55 s after each word, in noise that is slow in time."""
    for who in PEOPLE:
        order = rng.permutation(WORDS.size)
        for session, mine in (("a", order[:60]), ("b", order[60:])):
            onset = 2.0 + 0.9 * np.arange(60) + 0.01 * rng.integers(0, 8, 60)
            signal = rng.standard_normal((len(ELECTRODES), int(RATE * (onset[-1] + 3))))
            signal = 2.0 * (signal + np.roll(signal, 1, axis=1) + np.roll(signal, 2, axis=1)) / np.sqrt(3)
            for start, amplitude in zip(onset, _amplitudes(truth, "EEG", who)[mine], strict=True):
                signal[:, round(RATE * (start + 0.25)) : round(RATE * (start + 0.55))] += amplitude[:, None]
            info = mne.create_info(ELECTRODES, RATE, "eeg")
            info["line_freq"] = 50.0
            if who == "03" and session == "b":
                info["bads"] = ["E03"]
            raw = mne.io.RawArray(1e-6 * signal, info, verbose="error")
            times = np.column_stack([onset - 0.3, onset]).ravel()
            raw.set_annotations(mne.Annotations(times, 0.2, ["fixation", "word"] * 60))
            path = mne_bids.BIDSPath(subject=who, session=session, task="read", datatype="eeg", root=root)
            mne_bids.write_raw_bids(raw, path, format="BrainVision", allow_preload=True, verbose="error")
            events = path.copy().update(suffix="events", extension=".tsv").fpath
            table = pd.read_csv(events, sep="\t")
            table["word"] = [text for word in WORDS[mine] for text in ("n/a", word)]
            table.to_csv(events, sep="\t", index=False)


def _write_fmri(root: Path, truth: Truth, rng: np.random.Generator) -> None:
    """Two runs of 60 words and 4 catch trials, 4 to 5 s apart."""
    root.mkdir()
    (root / "dataset_description.json").write_text(json.dumps({"Name": "words", "BIDSVersion": "1.8.0"}))
    (root / "task-read_bold.json").write_text(json.dumps({"RepetitionTime": TR, "TaskName": "read"}))
    for who in PEOPLE:
        order = rng.permutation(WORDS.size)
        for run, mine in ((1, order[:60]), (2, order[60:])):
            kind = rng.permutation(["word"] * 60 + ["catch"] * 4)
            shown = np.full(64, "n/a", dtype=object)
            shown[kind == "word"] = WORDS[mine]
            onset = (6.0 + np.cumsum(rng.uniform(4.0, 5.0, 64))).round(3)
            amplitude = np.full((64, int(INSIDE.sum())), 3.0)
            amplitude[kind == "word"] += _amplitudes(truth, "fMRI", who)[mine]
            events = {"onset": onset, "duration": 1.0, "trial_type": kind, "stimulus": shown}
            raw = root / f"sub-{who}" / "func" / f"sub-{who}_task-read_run-{run}"
            raw.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(events).to_csv(f"{raw}_events.tsv", sep="\t", index=False)
            motion = np.cumsum(0.02 * rng.standard_normal((VOLUMES, 6)), axis=0)
            series = _responses(onset) @ amplitude + motion @ rng.standard_normal((6, amplitude.shape[1]))
            series += 0.15 * rng.standard_normal(series.shape)
            _write_run(root, raw, series, motion)


def _responses(onset: np.ndarray) -> np.ndarray:
    from nilearn.glm.first_level import compute_regressor

    times = TR * np.arange(VOLUMES)
    one = [compute_regressor(np.array([[start], [1.0], [1.0]]), "glover", times, oversampling=16)[0] for start in onset]
    return np.hstack(one)


def _write_run(root: Path, raw: Path, series: np.ndarray, motion: np.ndarray) -> None:
    values = np.zeros((*SHAPE, VOLUMES), dtype=np.float32)
    values[INSIDE] = (100.0 + series).T
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_zooms((3.0, 3.0, 3.0, TR))
    nib.save(image, f"{raw}_bold.nii.gz")
    made = root / "derivatives" / "fmriprep" / raw.relative_to(root)
    made.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"{raw}_bold.nii.gz", f"{made}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
    mask = nib.Nifti1Image(INSIDE.astype(np.uint8), AFFINE)
    nib.save(mask, f"{made}_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz")
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    confounds = pd.DataFrame(motion, columns=names)
    confounds["framewise_displacement"] = np.r_[np.nan, np.abs(np.diff(motion, axis=0)).sum(axis=1)]
    confounds.to_csv(f"{made}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder, rng = tmp_path_factory.mktemp("lab"), np.random.default_rng(0)
    truth = _truth(rng)
    (folder / "study.toml").write_text(STUDY)
    features = pd.DataFrame(truth.x, columns=[f"dim_{i}" for i in range(FEATURES)])
    features.insert(0, "stimulus", WORDS)
    features.to_csv(folder / "features.csv", index=False)
    label = truth.x[:LABELLED] @ truth.task + np.sqrt(NOISE) * rng.standard_normal(LABELLED)
    pd.DataFrame({"stimulus": WORDS[:LABELLED], "label": label}).to_csv(folder / "ratings.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mne-bids, about converting; of nibabel, about its own future
        _write_eeg(folder / "eeg", truth, rng)
        _write_fmri(folder / "fmri", truth, rng)
    return folder, truth


UNIT = {"EEG": 1e-6, "fMRI": 1.0}
"""What an amplitude of 1 is in the recordings: BIDS keeps volts."""


def _errors(study: Study, truth: Truth, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return what every sample holds beside what was put in, and the patterns of the channels that were read."""
    names = study.names.channels[recording.modality, recording.subject]
    kept = [i for i, name in enumerate(ELECTRODES) if name in names] if recording.modality == "EEG" else slice(None)
    pattern = UNIT[recording.modality] * truth.patterns[recording.modality, recording.subject][:, kept]
    return recording.in_memory - truth.x[recording.stimulus] @ truth.maps @ pattern, pattern


def _true_snr(study: Study, truth: Truth, recording: Recording) -> float:
    """Signal-to-noise ratio of what was read, seen along the patterns: estimates of events 4 s apart leak into each other there."""
    errors, pattern = _errors(study, truth, recording)
    size = np.sum(pattern**2, axis=1)
    along = (errors @ pattern.T / size).var(axis=0)
    return float(np.sum(1.0 / along))


def test_samples_are_what_was_put_in(lab: tuple[Path, Truth]) -> None:
    study = Study.from_file(lab[0] / "study.toml")
    assert [(r.modality, r.subject) for r in study.pilot.recordings] == [
        (m, s) for m in ("EEG", "fMRI") for s in PEOPLE
    ]
    for recording in study.pilot.recordings:
        assert sorted(recording.stimulus) == list(range(WORDS.size)), "every word once, no fixation, no catch trial"
        assert recording.session is not None
        assert set(np.bincount(recording.session)) == {60}
    assert [r.in_memory.shape[1] for r in study.pilot.recordings] == [16, 16, 15, *[int(INSIDE.sum())] * 3]
    eeg = study.pilot.recordings[0]
    put_in = UNIT["EEG"] * _amplitudes(lab[1], "EEG", "01")[eeg.stimulus]
    slope = np.sum(eeg.in_memory * put_in) / np.sum(put_in**2)
    assert slope == pytest.approx(1.0, abs=0.25), "amplitudes in volts, of the window and less the baseline"


def _executed(study: Study, truth: Truth, bought: dict[str, Any], rng: np.random.Generator) -> float:
    """Buy what the plan says in the world that is known, fit the learner to it and the pilot, and return its explainable R2."""
    pilot = study.pilot
    fresh = rng.standard_normal((bought["n_task"], FEATURES))
    features = np.concatenate([pilot.features[pilot.label_stimulus], fresh])
    label = np.concatenate([pilot.label, fresh @ truth.task + np.sqrt(NOISE) * rng.standard_normal(len(fresh))])
    brain = [(pilot.features[r.stimulus], r.in_memory) for r in pilot.recordings]
    for name, order in bought["modalities"].items():
        first = next(r for r in pilot.recordings if r.modality == name)
        spread = _errors(study, truth, first)[0].std(axis=0)
        for _ in range(order["subjects"]):
            shown = rng.standard_normal((order["n_samples"] // order["subjects"], FEATURES))
            pattern = UNIT[name] * SIGNAL @ np.linalg.qr(rng.standard_normal((spread.size, LATENTS)))[0].T
            noise = spread * rng.standard_normal((len(shown), spread.size))
            brain.append((shown, shown @ truth.maps @ pattern + noise))
    learned = BrainInformedRegressor(n_latents=LATENTS).fit(features, label, brain=brain).coef_
    return 1.0 - float(np.sum((learned - truth.task) ** 2) / np.sum(truth.task**2))


def _known(study: Study, truth: Truth) -> dict[str, float]:
    """Return the true values of what a posterior's columns hold."""
    found = {"alignment": ALIGNMENT, "signal_variance": float(np.sum(truth.task**2)), "noise_variance": NOISE}
    for name in study.config.modality_names:
        people = [_true_snr(study, truth, r) for r in study.pilot.recordings if r.modality == name]
        found[f"snr:{name}"] = float(np.mean(people))
    return found


def _outside(posterior: PosteriorDraws, known: dict[str, float]) -> set[str]:
    """Return the quantities whose true value lies outside of 99 % of the posterior."""
    draws = posterior.columns()
    ends = {name: np.quantile(draws[name], [0.005, 0.995]) for name in known}
    return {name for name, (low, high) in ends.items() if not low <= known[name] <= high}


def test_a_plan_from_bids_holds(lab: tuple[Path, Truth]) -> None:
    folder, truth = lab
    out = folder / "plan"
    assert main(["plan", str(folder / "study.toml"), "--out", str(out), "--quiet"]) == 0
    assert "Reading words: EEG and fMRI" in (out / "report.html").read_text(encoding="utf-8")
    saved = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert saved["health"]["status"] != "refuse"
    study = Study.from_file(folder / "study.toml")
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc")  # what plan has saved
    assert _outside(posterior, _known(study, truth)) == set()
    surface, one = posterior.surface(), np.ones((1, 2))
    nothing: dict[str, Any] = {"n_task": 0, "modalities": {}}
    for order in (nothing, saved["allocation"]):
        bought = [order["modalities"].get(name, {"n_samples": 0, "subjects": 0}) for name in surface.modalities]
        samples, people = (np.array([[entry[key] for entry in bought]]) for key in ("n_samples", "subjects"))
        forecast = surface.explainable_r2(Purchase(np.array([order["n_task"]]), samples, people, one))[0]
        low, high = np.quantile(forecast, [0.005, 0.995])
        assert low <= _executed(study, truth, order, np.random.default_rng(1)) <= high
    stated = saved["performance"]["explainable_r2"]
    assert forecast.mean() == pytest.approx(stated["mean"], abs=0.01)


ACCURATE = 0.3
"""Five standard errors of a correlation over the 360 samples of a modality: a false alarm below 1e-6."""


def _accuracy(study: Study) -> dict[str, float]:
    """Return how well the strongest latent of each modality predicts recordings that it was not learned from."""
    notes = pilot_notes(study, summarise(study.pilot, study.config.modality_names, LATENTS, seed=0))
    return {name: max(values) for name, values in notes.readout_accuracy.items()}


def test_wrong_words_are_noticed(lab: tuple[Path, Truth], tmp_path: Path) -> None:
    """Each events table names its words in another order: the signal is gone, and the accuracy with it."""
    folder, _ = lab
    wrong = tmp_path / "lab"
    shutil.copytree(folder, wrong, ignore=shutil.ignore_patterns("plan"))
    rng = np.random.default_rng(2)
    for path in sorted(wrong.rglob("*_events.tsv")):
        table = pd.read_csv(path, sep="\t", keep_default_na=False)
        name = "word" if "word" in table else "stimulus"
        shown = table["trial_type"] == "word"
        table.loc[shown, name] = rng.permutation(table.loc[shown, name])
        table.to_csv(path, sep="\t", index=False)
    right, found = (_accuracy(Study.from_file(place / "study.toml")) for place in (folder, wrong))
    assert min(right.values()) > ACCURATE > max(found.values())
