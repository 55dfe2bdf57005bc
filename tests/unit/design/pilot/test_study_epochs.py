"""MNE epochs as recordings: files, metadata, bad channels, windows; and the message where MNE is missing."""

from __future__ import annotations

import gzip
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.build import RECORDINGS
from brainworth.design.pilot.recordings.epochs import epochs_table, is_epochs, read_epochs
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.reader import parse_reader
from brainworth.design.study_file.scaffold import write_example

CONFIG: dict[str, Any] = {
    "task": {"cost_per_label": 0.1},
    "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}}],
    "budget": {"total": 100.0},
}


def test_without_mne_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mne", None)
    (tmp_path / "eeg-epo.fif").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"eeg-epo\.fif: reading MNE epochs needs the extra 'eeg'.*brainworth\[eeg\]"):
        read_epochs(tmp_path / "eeg-epo.fif", "eeg-epo.fif", RECORDINGS)


def test_optional_libraries_are_imported_only_when_needed(tmp_path: Path) -> None:
    """Reading a study of tables takes none of the extras, nor what only they need."""
    write_example(tmp_path)
    program = "import sys, brainworth as bw; bw.Study.from_file(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-c", program, str(tmp_path / "study.toml")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "brainworth.design.pilot.readers" in loaded
    assert not {"mne", "mne_bids", "nilearn", "nibabel", "zarr", "distributed", "dask", "sklearn"} & set(loaded)


def test_a_frame_is_no_epochs() -> None:
    assert not is_epochs(pd.DataFrame())


def make_epochs(metadata: pd.DataFrame | None, count: int = 40) -> Any:
    mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
    rng = np.random.default_rng(0)
    info = mne.create_info(["Fz", "Cz", "Pz", "bad", "STI"], 100.0, ["eeg"] * 4 + ["stim"], verbose="error")
    info["bads"] = ["bad"]
    data = rng.standard_normal((count, 5, 20)) * 1e-6
    return mne.EpochsArray(data, info, tmin=0.3, metadata=metadata, verbose="error")


def table_of(epochs: Any, **reader: Any) -> Table:
    return epochs_table(epochs, "eeg", RECORDINGS, parse_reader(reader))


def numbers(table: Table) -> np.ndarray:
    return table.values  # noqa: PD011


def test_windows_and_steps_are_columns() -> None:
    """Samples every 10 ms from 300 to 490 ms; a window holds the samples from its start to before its end."""
    epochs = make_epochs(metadata())
    data = epochs.get_data()[:, :3]
    one = table_of(epochs, windows=[[0.35, 0.4]])
    assert one.columns == ("Fz", "Cz", "Pz")
    np.testing.assert_allclose(one.values, data[:, :, 5:10].mean(axis=2))
    two = table_of(epochs, windows=[[0.3, 0.4], [0.4, 0.5]], picks=["Cz", "Fz"])
    assert two.columns == ("Fz 300-400 ms", "Fz 400-500 ms", "Cz 300-400 ms", "Cz 400-500 ms")
    np.testing.assert_allclose(numbers(two)[:, 1], data[:, 0, 10:].mean(axis=1))
    np.testing.assert_allclose(numbers(two)[:, 2], data[:, 1, :10].mean(axis=1))
    steps = table_of(epochs, time_step=0.05, picks=["eeg"])
    assert len(steps.columns) == 12
    np.testing.assert_allclose(steps.values, data.reshape(40, 12, 5).mean(axis=2))


def test_rows_and_ids_are_chosen() -> None:
    epochs = make_epochs(metadata().assign(item=[f"i{n}" for n in range(40)], kind=["word", "pause"] * 20))
    table = table_of(epochs, stimulus="item", where={"kind": ["word"]})
    assert table.keys["stimulus"].tolist() == [f"i{n}" for n in range(0, 40, 2)]
    assert set(table.keys["subject"]) == {"a"}
    alone = make_epochs(metadata().drop(columns="subject"))
    assert set(table_of(alone, subject="anna").keys["subject"]) == {"anna"}


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (
            {"windows": [[0.1, 0.2]]},
            "reader > windows: the window from 0.1 to 0.2 s holds no sample or leaves the epoch",
        ),
        ({"windows": [[0.3, 0.6]]}, "leaves the epoch. The epoch lasts from 0.3 to 0.49 s"),
        ({"windows": [[0.301, 0.309]]}, "holds no sample"),
        ({"time_step": 0.5}, "reader > time_step: it is longer than the window"),
        ({"time_step": 1e-9}, "too many steps"),
        ({"picks": ["egg"]}, "reader > picks: there is no channel and no kind 'egg'.*Did you mean 'eeg'"),
        ({"picks": ["bad"]}, "no good data channel"),
        ({"stimulus": "wrod"}, "metadata: they have no column 'wrod'.*Did you mean 'word'"),
        ({"where": {"word": ["x"]}}, "reader > where: it leaves no epoch"),
    ],
)
def test_what_can_be_wrong_with_a_reader(reader: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        table_of(make_epochs(metadata()), **reader)


def test_a_study_in_memory_follows_its_reader() -> None:
    epochs = make_epochs(metadata())
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"stimulus": np.arange(40), "f": rng.standard_normal(40)})
    modality = CONFIG["modality"][0] | {"reader": {"windows": [[0.35, 0.4]]}}
    study = Study.from_frames(
        stimuli=frame,
        labels=frame.rename(columns={"f": "label"}),
        recordings={"EEG": epochs},
        config=CONFIG | {"modality": [modality]},
    )
    expected = epochs.get_data()[::2, :3, 5:10].mean(axis=2)
    np.testing.assert_allclose(study.pilot.recordings[0].in_memory, expected)


def test_epochs_that_continue_in_another_file(tmp_path: Path) -> None:
    epochs = make_epochs(metadata(6000), 6000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MNE, about small parts
        epochs.save(tmp_path / "eeg-epo.fif", split_size="2MB", verbose="error")
    assert len(list(tmp_path.iterdir())) > 1
    with pytest.raises(BadInput, match="the epochs continue in another file"):
        read_epochs(tmp_path / "eeg-epo.fif", "eeg-epo.fif", RECORDINGS)


def metadata(count: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"stimulus": np.arange(count), "subject": ["a", "b"] * (count // 2), "word": "w"})


def study_of(recordings: Any) -> Study:
    rng = np.random.default_rng(1)
    stimuli = pd.DataFrame({"stimulus": np.arange(40), "f": rng.standard_normal(40), "g": rng.standard_normal(40)})
    labels = pd.DataFrame({"stimulus": np.arange(40), "label": rng.standard_normal(40)})
    return Study.from_frames(stimuli=stimuli, labels=labels, recordings={"EEG": recordings}, config=CONFIG)


def test_a_channel_is_its_mean_over_the_epoch() -> None:
    epochs = make_epochs(metadata())
    assert is_epochs(epochs)
    study = study_of(epochs)
    first, second = study.pilot.recordings
    assert (first.subject, second.subject) == ("a", "b")
    assert study.names.channels["EEG", "a"] == ("Fz", "Cz", "Pz")
    np.testing.assert_array_equal(first.stimulus, np.arange(0, 40, 2))
    expected = epochs.get_data()[:, :3].mean(axis=2)
    np.testing.assert_allclose(first.in_memory, expected[::2])
    np.testing.assert_allclose(second.in_memory, expected[1::2])


def test_a_file_holds_the_same(tmp_path: Path) -> None:
    epochs = make_epochs(metadata())
    epochs.save(tmp_path / "eeg-epo.fif", verbose="error")
    (tmp_path / "study.toml").write_text(
        '[stimuli]\ntable = "stimuli.csv"\n[task]\nlabels = "labels.csv"\ncost_per_label = 1.0\n'
        '[[modality]]\nname = "EEG"\nrecordings = "eeg-epo.fif"\ncost.per_sample = 1.0\n[budget]\ntotal = 10\n'
    )
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"stimulus": np.arange(40), "f": rng.standard_normal(40)})
    frame.to_csv(tmp_path / "stimuli.csv", index=False)
    frame.rename(columns={"f": "label"}).to_csv(tmp_path / "labels.csv", index=False)
    from_file = Study.from_file(tmp_path / "study.toml").pilot.recordings
    in_memory = study_of(epochs).pilot.recordings
    for a, b in zip(from_file, in_memory, strict=True):
        np.testing.assert_array_equal(a.stimulus, b.stimulus)
        np.testing.assert_allclose(a.in_memory, b.in_memory, rtol=1e-5)


def test_one_person_needs_no_subject_column() -> None:
    study = study_of(make_epochs(metadata().drop(columns="subject")))
    assert [r.subject for r in study.pilot.recordings] == ["1"]


def test_what_can_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no metadata"):
        study_of(make_epochs(None))
    with pytest.raises(BadInput, match="column 'stimulus': the column is missing"):
        study_of(make_epochs(metadata().drop(columns="stimulus")))
    epochs = make_epochs(metadata())
    epochs.info["bads"] = epochs.ch_names
    with pytest.raises(BadInput, match="no good data channel"):
        study_of(epochs)
    (tmp_path / "x-epo.fif").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match=r"x-epo\.fif: the file cannot be read as MNE epochs"):
        read_epochs(tmp_path / "x-epo.fif", "x-epo.fif", RECORDINGS)


@pytest.mark.parametrize("ending", ["fif", "fif.gz"])
def test_tags_that_lead_back_are_not_followed_for_ever(ending: str, tmp_path: Path) -> None:
    """Found by fuzzing: the header of the third tag points to the first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about MNE
        make_epochs(metadata()).save(tmp_path / "good-epo.fif", verbose="error")
    content = bytearray((tmp_path / "good-epo.fif").read_bytes())
    place = 0
    for _ in range(2):
        place += 16 + int.from_bytes(content[place + 8 : place + 12], "big")
    content[place + 12 : place + 16] = (16).to_bytes(4, "big")
    path = tmp_path / f"bad-epo.{ending}"
    path.write_bytes(gzip.compress(bytes(content)) if ending.endswith("gz") else content)
    with pytest.raises(BadInput, match=rf"cannot be read as MNE epochs \(the tag at byte {place} leads to byte 16\)"):
        read_epochs(path, path.name, RECORDINGS)
