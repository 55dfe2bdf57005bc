"""The same study from every format, and every way to build it in memory, is the same pilot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.study_file.config import parse_study
from brainworth.design.study_file.scaffold import write_example
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.pilot.pilot import Pilot

CONFIG: dict[str, Any] = {
    "task": {"cost_per_label": 0.1},
    "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}}],
    "budget": {"total": 100.0},
}
KEYS = ("stimulus", "group", "subject")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_example(tmp_path / "study")
    return tmp_path / "study"


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(folder / f"{name}.csv", converters=dict.fromkeys(KEYS, str))

    return read("stimuli"), read("labels"), read("eeg")


def assert_same(a: Pilot, b: Pilot) -> None:
    np.testing.assert_array_equal(a.features, b.features)
    np.testing.assert_array_equal(a.group, b.group)
    np.testing.assert_array_equal(a.label_stimulus, b.label_stimulus)
    np.testing.assert_array_equal(a.label, b.label)
    assert a.binary == b.binary
    assert [(r.modality, r.subject) for r in a.recordings] == [(r.modality, r.subject) for r in b.recordings]
    for x, y in zip(a.recordings, b.recordings, strict=True):
        np.testing.assert_array_equal(x.stimulus, y.stimulus)
        np.testing.assert_array_equal(x.channels, y.channels)


def test_content_of_the_example(folder: Path) -> None:
    study = Study.from_file(folder / "study.toml")
    stimuli, labels, eeg = frames(folder)
    pilot = study.pilot
    np.testing.assert_array_equal(pilot.features, stimuli.drop(columns=["stimulus", "group"]).to_numpy())
    np.testing.assert_array_equal(pilot.group, np.repeat(np.arange(12), 10))
    np.testing.assert_array_equal(pilot.label, labels["label"].to_numpy())
    assert [study.names.stimuli[row] for row in pilot.label_stimulus] == labels["stimulus"].tolist()
    person = eeg[eeg["subject"] == "s2"]
    np.testing.assert_array_equal(pilot.recordings[1].channels, person.drop(columns=["subject", "stimulus"]).to_numpy())
    assert [study.names.stimuli[row] for row in pilot.recordings[1].stimulus] == person["stimulus"].tolist()
    assert study.names.channels["EEG", "s1"] == tuple(f"E{i}" for i in range(1, 9))
    assert study.digest == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("study.toml", "stimuli.csv", "labels.csv", "eeg.csv")
    }
    assert study.remarks == ()


@pytest.mark.parametrize("ending", ["tsv", "parquet", "npz"])
def test_formats_agree(ending: str, folder: Path) -> None:
    reference = Study.from_file(folder / "study.toml")
    for name, frame in zip(("stimuli", "labels", "eeg"), frames(folder), strict=True):
        path = folder / f"{name}.{ending}"
        if ending == "tsv":
            frame.to_csv(path, sep="\t", index=False)
        elif ending == "parquet":
            frame.to_parquet(path, index=False)
        else:
            arrays: dict[str, Any] = {str(c): frame[c].to_numpy(str if c in KEYS else float) for c in frame.columns}
            np.savez(path, **arrays)
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace('.csv"', f'.{ending}"'))
    assert_same(Study.from_file(folder / "study.toml").pilot, reference.pilot)


def test_frames_and_arrays_agree_with_the_file(folder: Path) -> None:
    reference = Study.from_file(folder / "study.toml").pilot
    stimuli, labels, eeg = frames(folder)
    from_frames = Study.from_frames(stimuli=stimuli, labels=labels, recordings={"EEG": eeg}, config=CONFIG)
    assert_same(from_frames.pilot, reference)
    indexed = Study.from_frames(
        stimuli=stimuli.set_index("stimulus"), labels=labels, recordings={"EEG": eeg}, config=parse_study(CONFIG)
    )
    assert_same(indexed.pilot, reference)
    assert indexed.digest == from_frames.digest
    people = {r.subject: (r.stimulus, r.in_memory) for r in reference.recordings}
    from_arrays = Study.from_arrays(
        reference.features, (reference.label_stimulus, reference.label), {"EEG": people}, CONFIG, reference.group
    )
    assert_same(from_arrays.pilot, reference)
    changed = labels.assign(label=labels["label"] + 1e-9)
    other = Study.from_frames(stimuli=stimuli, labels=changed, recordings={"EEG": eeg}, config=CONFIG)
    assert other.digest["labels"] != from_frames.digest["labels"]
    assert other.digest["stimuli"] == from_frames.digest["stimuli"]


def small(ids: list[Any], label_ids: list[Any] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(1)
    n = len(ids)
    stimuli = pd.DataFrame({"stimulus": ids, "f": rng.standard_normal(n), "g": rng.standard_normal(n)})
    return stimuli, pd.DataFrame({"stimulus": label_ids or ids, "label": rng.standard_normal(n)})


def no_pilot(stimuli: pd.DataFrame, labels: pd.DataFrame, **task: Any) -> Study:
    config = CONFIG | {"task": CONFIG["task"] | task}
    return Study.from_frames(stimuli=stimuli, labels=labels, recordings={}, config=config)


def test_ids_are_text_everywhere() -> None:
    """Whole numbers, floats from a column with gaps, and text name the same stimulus; "01" is another than "1"."""
    numbers = list(range(25))
    study = no_pilot(*small(numbers, [str(i) for i in numbers]))
    assert study.names.stimuli[:3] == ("0", "1", "2")
    study = no_pilot(*small([float(i) for i in numbers], numbers))
    assert study.names.stimuli[:3] == ("0", "1", "2")
    with pytest.raises(BadInput, match=r"'01' is not in stimuli.*Did you mean '1'"):
        no_pilot(*small(numbers, ["0", "01", *(str(i) for i in numbers[2:])]))


@pytest.mark.parametrize("odd", ["NA", "nan", "null", "None", "true", "1e5", "0x10", "-", "é", "a,b", 'a"b', "1.0"])
def test_odd_ids_survive_csv(odd: str, tmp_path: Path) -> None:
    ids = [odd, *(f"s{i}" for i in range(30))]
    stimuli, labels = small(ids)
    stimuli.to_csv(tmp_path / "stimuli.csv", index=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "study.toml").write_text(
        '[stimuli]\ntable = "stimuli.csv"\n[task]\nlabels = "labels.csv"\ncost_per_label = 1.0\n'
        '[[modality]]\nname = "EEG"\ncost.per_sample = 1.0\n[budget]\ntotal = 10\n'
    )
    study = Study.from_file(tmp_path / "study.toml")
    assert study.names.stimuli[0] == odd
    assert study.pilot.recordings == ()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1], ("0", "1")),
        ([2.0, 1.0], ("1", "2")),
        (["house", "face"], ("face", "house")),
        ([True, False], ("False", "True")),
    ],
)
def test_binary_labels_become_signs(labels: list[Any], classes: tuple[str, str]) -> None:
    stimuli, frame = small([f"s{i}" for i in range(24)])
    frame["label"] = labels * 12
    study = no_pilot(stimuli, frame, kind="binary")
    assert study.pilot.binary
    assert study.names.classes == classes
    second = [str(v) if isinstance(v, str | bool) else f"{v:g}" for v in labels * 12]
    np.testing.assert_array_equal(study.pilot.label, [1.0 if v == classes[1] else -1.0 for v in second])


def test_boolean_features_of_a_typed_table_are_numbers() -> None:
    stimuli, labels = small([f"s{i}" for i in range(24)])
    stimuli["flag"] = [True, False] * 12
    np.testing.assert_array_equal(no_pilot(stimuli, labels).pilot.features[:, 2], [1.0, 0.0] * 12)


def test_a_channel_without_values_is_missing_for_that_person(folder: Path) -> None:
    _, _, eeg = frames(folder)
    eeg.loc[eeg["subject"] == "s2", "E3"] = np.nan
    eeg.to_csv(folder / "eeg.csv", index=False)
    study = Study.from_file(folder / "study.toml")
    assert [r.channels.shape[1] for r in study.pilot.recordings] == [8, 7]
    assert "E3" not in study.names.channels["EEG", "s2"]
    assert study.remarks == ("eeg.csv: subject 's2' lacks 1 of 8 channels.",)


def test_sessions_repeats_and_unused_columns(folder: Path) -> None:
    _, labels, eeg = frames(folder)
    eeg["session"] = np.where(np.arange(240) % 120 < 60, "monday", "tuesday")
    eeg["repeat"] = 1
    eeg.to_csv(folder / "eeg.csv", index=False)
    labels.assign(comment="x").to_csv(folder / "labels.csv", index=False)
    study = Study.from_file(folder / "study.toml")
    session = study.pilot.recordings[0].session
    assert session is not None
    np.testing.assert_array_equal(session, np.repeat([0, 1], 60))
    assert study.names.channels["EEG", "s1"] == tuple(f"E{i}" for i in range(1, 9))
    assert study.remarks == ("labels.csv: not used: 'comment'.",)


def test_csv_written_by_other_programs(folder: Path) -> None:
    """Byte-order mark, Windows line ends, blank lines, spaces around cells, quoted cells: the same table."""
    reference = Study.from_file(folder / "study.toml").pilot
    lines = (folder / "labels.csv").read_text().splitlines()
    odd = ["stimulus , label", *(f'"{line.split(",")[0]}", {line.split(",")[1]} ' for line in lines[1:])]
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*odd[:5], "", *odd[5:], "", ""]).encode())
    assert_same(Study.from_file(folder / "study.toml").pilot, reference)


def test_matrix_in_an_archive_becomes_columns(folder: Path) -> None:
    reference = Study.from_file(folder / "study.toml")
    stimuli, _, _ = frames(folder)
    np.savez_compressed(
        folder / "stimuli.npz",
        stimulus=stimuli["stimulus"].to_numpy(dtype=str),
        group=stimuli["group"].to_numpy(dtype=str),
        feature=reference.pilot.features,
    )
    text = (folder / "study.toml").read_text().replace("stimuli.csv", "stimuli.npz")
    (folder / "study.toml").write_text(text)
    study = Study.from_file(folder / "study.toml")
    assert_same(study.pilot, reference.pilot)
    assert study.names.features == reference.names.features


def test_a_study_of_a_known_system(tmp_path: Path) -> None:
    (tmp_path / "system.toml").write_text(
        "noise_variance = 2.0\nalignment = [0.3, 0.1]\nspectrum = {dimension = 20, exponent = 1.0}\n"
        '[[source]]\nname = "fMRI"\nchannels = 60\nsnr = [4.0, 1.0]\n'
        '[[source]]\nname = "EEG"\nchannels = 30\nsnr = [0.5, 0.2]\n'
    )
    text = (
        '[task]\ncost_per_label = 1.0\n[[modality]]\nname = "EEG"\ncost.per_sample = 1.0\n'
        '[budget]\ntotal = 10\n[system]\nfile = "system.toml"\n'
    )
    (tmp_path / "study.toml").write_text(text)
    study = Study.from_file(tmp_path / "study.toml")
    assert isinstance(study.material, NamedSystem)
    assert study.material.sources == ("EEG",)
    np.testing.assert_array_equal(study.material.system.snr, [[0.5, 0.2]])
    assert set(study.digest) == {"study.toml", "system.toml"}
    with pytest.raises(BadInput, match="known system"):
        _ = study.pilot
    (tmp_path / "study.toml").write_text(text.replace('"EEG"', '"MEG"'))
    with pytest.raises(BadInput, match=r"system.toml: source: no source is called 'MEG'.*Did you mean 'EEG'"):
        Study.from_file(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_text(text + "[objective]\nshift = 0.0\n")
    assert isinstance(Study.from_file(tmp_path / "study.toml").material, NamedSystem)
    system = (tmp_path / "system.toml").read_text()
    (tmp_path / "system.toml").write_text(system.replace("[0.3, 0.1]", "[0.0, 0.0]"))
    with pytest.raises(BadInput, match="objective > shift: at 0 only what brains respond to varies"):
        Study.from_file(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recordings": {"MEG": pd.DataFrame()}}, "no such modality.*Did you mean 'EEG'"),
        ({"labels": [1, 2]}, "labels: got a list. It must be a pandas DataFrame"),
        ({"config": {"task": {}}}, "the study configuration"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], expected: str) -> None:
    stimuli, labels = small([f"s{i}" for i in range(24)])
    arguments: dict[str, Any] = {"stimuli": stimuli, "labels": labels, "recordings": {}, "config": CONFIG}
    with pytest.raises(BadInput, match=expected):
        Study.from_frames(**(arguments | change))


@pytest.mark.parametrize("matrix", [np.zeros(5), np.zeros((5, 0)), np.zeros((2, 2, 2))])
def test_arrays_of_the_wrong_shape(matrix: np.ndarray) -> None:
    with pytest.raises(BadInput, match="features: its shape is"):
        Study.from_arrays(matrix, (np.arange(2), np.arange(2.0)), {}, CONFIG)
