"""MNE epochs in several files, or several objects, one per person: who was recorded, lost channels, messages."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

from brainworth.design.api import Study
from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.recordings.epochs_files import MAX_MATCHES

mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
WORDS = 40
STIMULI = pd.DataFrame(
    {"stimulus": [f"w{i}" for i in range(WORDS)], "f": np.sin(np.arange(WORDS)), "g": np.cos(3.0 * np.arange(WORDS))}
)
LABELS = pd.DataFrame({"stimulus": STIMULI["stimulus"], "label": np.cos(np.arange(WORDS))})


def epochs_of(seed: int, bad: str = "", **metadata: Any) -> Any:
    rng = np.random.default_rng(seed)
    info = mne.create_info(["Fz", "Cz", "Pz", "STI"], 100.0, ["eeg"] * 3 + ["stim"], verbose="error")
    info["bads"] = [bad] if bad else []
    table = pd.DataFrame({"word": rng.permutation(STIMULI["stimulus"].to_numpy()), **metadata})
    return mne.EpochsArray(1e-6 * rng.standard_normal((WORDS, 4, 20)), info, metadata=table, verbose="error")


def save(path: Path, epochs: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about MNE
        epochs.save(path, verbose="error")


def study_file(folder: Path, recordings: str, **reader: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    STIMULI.to_csv(folder / "stimuli.csv", index=False)
    LABELS.to_csv(folder / "labels.csv", index=False)
    reader = {"stimulus": "word"} | reader
    config = {
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "cost_per_label": 0.1},
        "modality": [{"name": "EEG", "recordings": recordings, "reader": reader, "cost": {"per_sample": 0.5}}],
        "budget": {"total": 100.0},
    }
    (folder / "study.toml").write_text(tomli_w.dumps(config))
    return folder / "study.toml"


def test_a_file_each_person_and_session(tmp_path: Path) -> None:
    """Names come from the path; a channel that is bad in one person is missing for that person only."""
    for index, name in enumerate(("sub-ann/ses-1", "sub-ann/ses-2", "sub-ben/ses-1")):
        person, session = name.split("/")
        save(tmp_path / name / f"{person}_{session}_epo.fif", epochs_of(index, bad="Cz" if person == "sub-ben" else ""))
    study = Study.from_file(study_file(tmp_path, "sub-*/ses-?/sub-*_epo.fif"))
    ann, ben = study.pilot.recordings
    assert (ann.subject, ben.subject) == ("ann", "ben")
    assert ann.in_memory.shape == (2 * WORDS, 3)
    assert study.names.channels["EEG", "ben"] == ("Fz", "Pz")
    assert ann.session is not None
    assert np.bincount(ann.session).tolist() == [WORDS, WORDS]
    expected = epochs_of(1)
    np.testing.assert_allclose(ann.in_memory[WORDS:], expected.get_data()[:, :3].mean(axis=2), rtol=1e-5)
    assert [study.names.stimuli[i] for i in ann.stimulus[WORDS:]] == expected.metadata["word"].tolist()
    assert sum(name.endswith(".fif") for name in study.digest) == 3


def test_metadata_and_reader_say_more_than_the_name(tmp_path: Path) -> None:
    save(tmp_path / "a-epo.fif", epochs_of(0, subject="zoe", session="evening"))
    save(tmp_path / "b-epo.fif", epochs_of(1))
    people = {r.subject for r in Study.from_file(study_file(tmp_path, "?-epo.fif")).pilot.recordings}
    assert people == {"zoe", "b"}
    people = {r.subject for r in Study.from_file(study_file(tmp_path, "b*.fif", subject="kim")).pilot.recordings}
    assert people == {"kim"}


def test_objects_by_person() -> None:
    config = {
        "task": {"cost_per_label": 0.1},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}, "reader": {"stimulus": "word"}}],
        "budget": {"total": 100.0},
    }
    recordings = {"EEG": {"ann": epochs_of(0), "ben": epochs_of(1, bad="Fz")}}
    study = Study.from_frames(stimuli=STIMULI, labels=LABELS, recordings=recordings, config=config)
    assert [r.subject for r in study.pilot.recordings] == ["ann", "ben"]
    assert [r.in_memory.shape for r in study.pilot.recordings] == [(WORDS, 3), (WORDS, 2)]
    broken = epochs_of(1)
    broken.metadata = None
    with pytest.raises(BadInput, match=r"recordings\['EEG'\]\['ben'\]: metadata: the epochs have no metadata"):
        Study.from_frames(stimuli=STIMULI, labels=LABELS, recordings={"EEG": {"ben": broken}}, config=config)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("c*-epo.fif", r"0 files fit the pattern 'c\*-epo\.fif'\. It must name 1 to 2000 files"),
        ("*.csv", r"'\*\.csv' is a pattern\. A pattern names files of MNE epochs"),
        ("../*-epo.fif", r"the path '\.\.' leaves the study's folder"),
        ("/etc/*-epo.fif", r"leaves the study's folder"),
        ("absent/*-epo.fif", r"the file 'absent' does not exist"),
        ("*/../*-epo.fif", "0 files fit"),
        ("stimuli.csv/*-epo.fif", "0 files fit"),
        ("a-epo.f*", "is a pattern"),
    ],
)
def test_what_can_be_wrong_with_a_pattern(pattern: str, words: str, tmp_path: Path) -> None:
    save(tmp_path / "study" / "a-epo.fif", epochs_of(0))
    save(tmp_path / "outside-epo.fif", epochs_of(0))
    with pytest.raises(BadInput, match=words):
        Study.from_file(study_file(tmp_path / "study", pattern))


def test_links_may_not_lead_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "outside-epo.fif", epochs_of(0))
    file = study_file(tmp_path / "study", "*-epo.fif")
    (tmp_path / "study" / "a-epo.fif").symlink_to(tmp_path / "outside-epo.fif")
    with pytest.raises(BadInput, match="leads out of the study's folder by a link"):
        Study.from_file(file)
    assert MAX_MATCHES > 1
    monkeypatch.setattr("brainworth.design.pilot.recordings.epochs_files.MAX_MATCHES", 0)
    with pytest.raises(BadInput, match="1 files fit"):
        Study.from_file(file)


def test_json_is_all_that_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """MNE tells on the same stream what it does."""
    save(tmp_path / "a-epo.fif", epochs_of(0))
    save(tmp_path / "b-epo.fif", epochs_of(1))
    capfd.readouterr()
    for recordings in ("a-epo.fif", "?-epo.fif"):
        assert main(["check", str(study_file(tmp_path, recordings)), "--json"]) == 0
        assert json.loads(capfd.readouterr().out)["modalities"]["EEG"]["pilot"]
