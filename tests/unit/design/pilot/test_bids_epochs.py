"""BIDS EEG and MEG, written by mne-bids: the samples are what MNE's own epochs hold."""

from __future__ import annotations

import sys
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

mne = pytest.importorskip("mne", reason="the extra 'eeg' is not installed")
mne_bids = pytest.importorskip("mne_bids", reason="the extra 'eeg' is not installed")

RATE = 100.0
CHANNELS = ["Fz", "Cz", "Pz", "Oz"]
ONSETS = 1.0 + 1.5 * np.arange(12)


def raw(seed: int, kind: str = "eeg") -> Any:
    rng = np.random.default_rng(seed)
    info = mne.create_info(CHANNELS, RATE, kind, verbose="error")
    info["line_freq"] = 50.0
    made = mne.io.RawArray(1e-5 * rng.standard_normal((4, 2200)), info, verbose="error")
    names = ["word" if i % 3 else "pause" for i in range(12)]
    return made.set_annotations(mne.Annotations(ONSETS, 0.5, names))


def write(root: Path, subject: str, run: int, recording: Any, datatype: str = "eeg", **options: Any) -> Path:
    path = mne_bids.BIDSPath(subject=subject, task="read", run=f"{run:02d}", root=root, datatype=datatype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mne-bids, about converting
        mne_bids.write_raw_bids(recording, path, allow_preload=True, overwrite=True, verbose="error", **options)
    events = next(root.rglob(f"{datatype}/sub-{subject}_task-read_run-{run:02d}_events.tsv"))
    table = pd.read_csv(events, sep="\t")
    table["item"] = [f"r{run}e{i}" for i in range(len(table))]
    table["some"] = [
        item if kind == "word" else "n/a" for item, kind in zip(table["item"], table["trial_type"], strict=True)
    ]
    table["none"] = "n/a"
    table.to_csv(events, sep="\t", index=False)
    return events


@pytest.fixture(scope="module")
def eeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eeg")
    for subject, seed in (("01", 0), ("02", 10)):
        for run in (1, 2):
            recording = raw(seed + run)
            if (subject, run) == ("02", 2):
                recording.info["bads"] = ["Oz"]
            write(folder / "data", subject, run, recording, format="BrainVision")
    return folder


def read(folder: Path, **reader: Any) -> tuple[Table, Folder]:
    (folder / "study.toml").write_text("")
    modality = {"name": "EEG", "recordings": "data", "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    opened = Folder(folder / "study.toml")
    return read_recordings(opened, config.modality[0]), opened


def numbers(table: Table) -> np.ndarray:
    return table.values  # noqa: PD011


def expected(seed: int, rows: list[int], window: tuple[int, int]) -> np.ndarray:
    data = raw(seed).get_data()
    starts = np.round(ONSETS[rows] * RATE).astype(int)
    return np.stack([data[:, s + window[0] : s + window[1]].mean(axis=1) for s in starts])


def test_samples_are_means_around_events(eeg: Path) -> None:
    words = [i for i in range(12) if i % 3]
    table, folder = read(
        eeg, stimulus="item", where={"trial_type": ["word"]}, epoch=[-0.1, 0.6], windows=[[0.3, 0.5]], picks=["eeg"]
    )
    assert table.columns == tuple(CHANNELS)
    assert table.keys["subject"].tolist() == ["01"] * 16 + ["02"] * 16
    assert table.keys["session"].tolist() == (["run-01"] * 8 + ["run-02"] * 8) * 2
    assert table.keys["stimulus"][:8].tolist() == [f"r1e{i}" for i in words]
    parts = [expected(seed, words, (30, 50)) for seed in (1, 2, 11, 12)]
    scale = 2e-9  # BrainVision keeps whole numbers of nanovolts
    np.testing.assert_allclose(numbers(table)[:16], np.concatenate(parts[:2]), atol=scale)
    np.testing.assert_allclose(numbers(table)[16:, :3], np.concatenate(parts[2:])[:, :3], atol=scale)
    assert np.isnan(numbers(table)[16:, 3]).all(), "Oz of the second person is bad in one of the runs"
    assert table.ignored == ("Oz of 02",)
    assert {name for name in folder.digest if "sub-01" in name and "run-01" in name} == {
        f"data/sub-01/eeg/sub-01_task-read_run-01_{name}"
        for name in ("eeg.vhdr", "eeg.eeg", "eeg.vmrk", "events.tsv", "channels.tsv")
    }


def test_baseline_and_edges(eeg: Path) -> None:
    table, _ = read(
        eeg, stimulus="item", subjects=["01"], epoch=[-0.2, 0.2], baseline=[-0.2, 0.0], windows=[[0.1, 0.2]]
    )
    every = list(range(12))
    difference = expected(1, every, (10, 21)) - expected(1, every, (-20, 1))
    np.testing.assert_allclose(numbers(table)[:12], difference, atol=2e-9)
    late, _ = read(eeg, stimulus="item", subjects=["01"], epoch=[0.0, 5.0])
    assert late.keys["stimulus"][:10].tolist() == [f"r1e{i}" for i in range(10)], "two epochs leave the recording"


def test_meg_and_eeg_in_one_data_set(tmp_path: Path) -> None:
    write(tmp_path / "data", "01", 1, raw(1), format="BrainVision")
    write(tmp_path / "data", "01", 1, raw(2, "mag"), "meg", format="FIF")
    with pytest.raises(BadInput, match="reader > datatype: the data set holds recordings of the kinds 'eeg', 'meg'"):
        read(tmp_path, stimulus="trial_type")
    events = next((tmp_path / "data").rglob("meg/*_events.tsv"))
    table, folder = read(tmp_path, datatype="meg", stimulus="item", epoch=[0.0, 0.3])
    assert set(table.keys["stimulus"]) == set(pd.read_csv(events, sep="\t")["item"])
    np.testing.assert_allclose(numbers(table), expected(2, list(range(12)), (0, 31)), rtol=1e-4, atol=1e-9)
    assert any(name.endswith("_meg.fif") for name in folder.digest)


def test_what_can_be_wrong(eeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for reader, words in (
        ({"stimulus": "itme"}, "column 'itme': the column is missing.*Did you mean 'item'"),
        ({"stimulus": "none"}, r"row 1, column 'none': the cell is empty.*by reader\.where\.$"),
        (
            {"stimulus": "some"},
            r"row 1, column 'some': the cell is empty.*e\.g\. where = \{ trial_type = \[\"word\"\] \}\.$",
        ),
        ({"stimulus": "item", "subjects": ["03"]}, "the data set holds no '03'"),
        ({"stimulus": "item", "epoch": [90.0, 91.0]}, "no epoch is left"),
        ({"stimulus": "item", "tr": 2.0}, "reader > tr: 'tr' means nothing for BIDS EEG or MEG"),
        ({"stimulus": "item", "picks": ["Fx"]}, "no channel and no kind 'Fx'"),
    ):
        with pytest.raises(BadInput, match=words):
            read(eeg, **reader)
    write(tmp_path / "data", "01", 1, raw(1), format="BrainVision")
    header = next(tmp_path.rglob("*.vhdr"))
    text = header.read_text()
    header.write_text(text.replace("DataFile=", "DataFile=../"))
    with pytest.raises(BadInput, match=r"DataFile: it names '\.\./sub-01_task-read_run-01_eeg\.eeg'"):
        read(tmp_path, stimulus="item")
    header.write_text(text)
    data = next(tmp_path.rglob("*_eeg.eeg"))
    outside = tmp_path.parent / f"{tmp_path.name}_outside.eeg"
    data.rename(outside)
    data.symlink_to(outside)
    with pytest.raises(BadInput, match="leads out of the study's folder by a link"):
        read(tmp_path, stimulus="item")
    data.unlink()
    with pytest.raises(BadInput, match="the recording cannot be read"):
        read(tmp_path, stimulus="item")
    monkeypatch.setitem(sys.modules, "mne_bids", None)
    with pytest.raises(BadInput, match=r"data: reading BIDS EEG and MEG needs the extra 'eeg'.*brainworth\[eeg\]"):
        read(eeg, stimulus="item")


def test_ctf_recordings_are_refused_not_left_out(tmp_path: Path) -> None:
    write(tmp_path / "data", "01", 1, raw(0), format="BrainVision")
    (tmp_path / "data" / "sub-02" / "meg" / "sub-02_task-read_meg.ds").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"'sub-02/meg/sub-02_task-read_meg\.ds' is a CTF recording.*format='FIF'"):
        read(tmp_path)
    assert len(read(tmp_path, datatype="eeg")[0]) == 12
