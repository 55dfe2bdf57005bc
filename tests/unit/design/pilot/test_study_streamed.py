"""A study whose recordings stay on disk: the statistics of the in-memory path to 1e-10, the same plan, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pandas as pd
import pytest
import tomli_w

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot import large
from brainworth.design.pilot.checks import data_checks
from brainworth.design.pilot.large import StoredChannels, resumable
from brainworth.design.pilot.tables import rows as rows_module
from brainworth.models.learner.learning_curve import Recorded, learned
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.sources import pilot_sources, streamed_moments
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from large_pilots import is_large

PEOPLE, STIMULI, P, Q = 3, 150, 8, 12
TOLERANCE = 1e-10


def world(seed: int = 0) -> dict[str, Any]:
    """Three people see 150 stimuli twice, in two sessions, interleaved; two latents; the second person's gain is small."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((STIMULI, P)) * np.arange(1.0, P + 1) + 3.0
    latent = (features - 3.0) @ rng.standard_normal((P, 2)) / 8.0
    person = np.tile(np.arange(PEOPLE), 2 * STIMULI)
    stimulus = np.concatenate([np.repeat(rng.permutation(STIMULI), PEOPLE) for _ in range(2)])
    session = np.repeat([0, 1], PEOPLE * STIMULI)
    gain = np.array([1.0, 0.4, 0.8])[person][:, None]
    patterns = rng.standard_normal((2, Q))
    values = gain * latent[stimulus] @ patterns + rng.standard_normal((len(person), Q)) * 1.5 + 20.0 * session[:, None]
    label = latent @ [1.0, -0.5] + 0.7 * rng.standard_normal(STIMULI)
    return {
        "features": features,
        "label": label,
        "values": values,
        "keys": {
            "subject": np.array([f"p{i}" for i in person]),
            "stimulus": np.array([f"w{i:03d}" for i in stimulus]),
            "session": np.array([f"day{i}" for i in session]),
        },
    }


def _hdf5(path: Path, data: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, texts in data["keys"].items():
            file.create_dataset(name, data=texts.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("eeg", data=data["values"][:, 1:], chunks=(64, Q - 1))
        file.create_dataset("first", data=data["values"][:, 0])


def _netcdf(path: Path, data: dict[str, Any]) -> None:
    import xarray as xr

    coordinates: dict[str, Any] = {name: ("sample", texts.astype(str)) for name, texts in data["keys"].items()}
    coordinates["channel"] = [f"E{i}" for i in range(Q)]
    array = xr.DataArray(data["values"], dims=("sample", "channel"), coords=coordinates, name="eeg")
    array.to_netcdf(path, engine="h5netcdf")


def _zarr(path: Path, data: dict[str, Any]) -> None:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    group = zarr.open_group(path, mode="w")
    for name, texts in data["keys"].items():
        group.create_array(name, data=np.unique(texts, return_inverse=True)[1].astype(np.int64))
    group.create_array("eeg", data=data["values"], chunks=(100, Q))


def _parquet(path: Path, data: dict[str, Any]) -> None:
    frame = pd.DataFrame(data["values"], columns=[f"E{i}" for i in range(Q)])
    pd.DataFrame(data["keys"]).join(frame).to_parquet(path, row_group_size=130)


def _npy(path: Path, data: dict[str, Any], order: str = "C") -> None:
    np.save(path, data["values"] if order == "C" else np.asfortranarray(data["values"]))
    pd.DataFrame(data["keys"]).to_csv(path.with_name("ids.csv"), index=False)


FORMATS = {"h5": _hdf5, "nc": _netcdf, "zarr": _zarr, "parquet": _parquet, "npy": _npy}


def write(folder: Path, ending: str, data: dict[str, Any], *, stream: bool | None) -> Path:
    """Write a study whose recordings are in one of the formats."""
    folder.mkdir(parents=True, exist_ok=True)
    FORMATS[ending](folder / f"eeg.{ending}", data)
    codes = [str(i) if ending == "zarr" else f"w{i:03d}" for i in range(STIMULI)]
    features = pd.DataFrame(data["features"], columns=[f"f{i}" for i in range(P)])
    features.insert(0, "stimulus", codes)
    features.insert(1, "group", [f"g{i // 5}" for i in range(STIMULI)])
    features.to_csv(folder / "stimuli.csv", index=False)
    pd.DataFrame({"stimulus": codes, "label": data["label"]}).to_csv(folder / "labels.csv", index=False)
    reader = ({} if stream is None else {"stream": stream}) | ({"ids": "ids.csv"} if ending == "npy" else {})
    study = {
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "cost_per_label": 1.0, "max_labels": 2000},
        "modality": [{"name": "EEG", "recordings": f"eeg.{ending}", "reader": reader, "cost": {"per_sample": 0.5}}],
        "budget": {"total": 500},
    }
    path = folder / "study.toml"
    path.write_text(tomli_w.dumps(study))
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "CHUNK_BYTES", 8 * (P + Q) * 260)


def close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.max(np.abs(found - expected), initial=0.0) <= tolerance * max(np.max(np.abs(expected), initial=0.0), 1.0)


def same_summary(found: SummarisedPilot, expected: SummarisedPilot) -> None:
    """Compare everything the posterior step conditions on."""
    assert found.encoder is not None
    assert expected.encoder is not None
    assert found.readouts is not None
    assert expected.readouts is not None
    values = jax.tree.leaves(found.evidence), jax.tree.leaves(expected.evidence)
    for value, other in zip(*values, strict=True):
        finite = np.isfinite(np.asarray(other))
        assert np.array_equal(np.isfinite(np.asarray(value)), finite)
        close(np.asarray(value)[finite], np.asarray(other)[finite], 1e-9)
    close(found.basis.variance, expected.basis.variance)
    close(found.encoder.maps, expected.encoder.maps)
    close(found.encoder.snr, expected.encoder.snr)
    close(found.readouts.latent_accuracy, expected.readouts.latent_accuracy)
    for a, b in zip(found.readouts.channel_accuracy, expected.readouts.channel_accuracy, strict=True):
        close(a, b)
    assert found.readouts.confirmed == expected.readouts.confirmed


def _sources(study: Study) -> list[SourceStatistics]:
    """Return the statistics of every person."""
    pilot = study.pilot
    folds = group_folds(pilot.group, 5, 0)
    basis = FeatureBasis.from_features(pilot.features)
    return [source.statistics() for source in pilot_sources(pilot, basis, folds, streamed_moments(pilot, folds))]


@pytest.mark.parametrize("ending", sorted(FORMATS))
def test_the_summary_is_that_of_the_in_memory_path(ending: str, tmp_path: Path) -> None:
    data = world()
    read = Study.from_file(write(tmp_path / "read", ending, data, stream=False))
    streamed = Study.from_file(write(tmp_path / "streamed", ending, data, stream=True))
    assert all(isinstance(r.channels, np.ndarray) for r in read.pilot.recordings)
    assert all(isinstance(r.channels, StoredChannels) for r in streamed.pilot.recordings)
    assert streamed.names == read.names
    for a, b in zip(streamed.pilot.recordings, read.pilot.recordings, strict=True):
        np.testing.assert_array_equal(
            a.channels.first(10**6) if isinstance(a.channels, StoredChannels) else 0, b.in_memory
        )
        np.testing.assert_array_equal(a.stimulus, b.stimulus)
    found, expected = (summarise(study.pilot, ("EEG",), 3, 0) for study in (streamed, read))
    for a, b in zip(_sources(streamed), _sources(read), strict=True):
        for name in ("gram", "cross", "channel_gram"):
            close(getattr(a, name), getattr(b, name))
    same_summary(found, expected)


@pytest.mark.parametrize("ending", ["h5", "parquet"])
def test_a_channel_given_twice_is_left_out_of_a_streamed_file_too(ending: str, tmp_path: Path) -> None:
    data = world()
    data["values"][:, 5] = 1e-6 * data["values"][:, 3] + 2e-6
    data["values"][:, 7] = data["values"][:, 2] + 1e-4 * np.random.default_rng(0).standard_normal(len(data["values"]))
    read = Study.from_file(write(tmp_path / "read", ending, data, stream=False))
    streamed = Study.from_file(write(tmp_path / "streamed", ending, data, stream=True))
    assert streamed.names == read.names
    assert all(recording.channels.shape[1] == Q - 1 for recording in streamed.pilot.recordings)
    assert [r for r in streamed.remarks if "but for unit and offset" in r] == [r for r in read.remarks if "offset" in r]
    assert any("(up to 1 of a person; 3 people" in remark for remark in streamed.remarks)
    found, expected = (summarise(study.pilot, ("EEG",), 3, 0) for study in (streamed, read))
    same_summary(found, expected)


def test_the_size_decides_unless_the_reader_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "h5", world(), stream=None)
    assert not is_large(Study.from_file(path).pilot)
    monkeypatch.setattr("brainworth.design.pilot.tables.large.STREAM_BYTES", 8 * len(world()["values"]) * Q - 1)
    assert is_large(Study.from_file(path).pilot)
    assert not is_large(Study.from_file(write(tmp_path / "read", "h5", world(), stream=False)).pilot)


@pytest.mark.parametrize("kind", ["memmap", "hdf5", "dask"])
def test_arrays_that_stay_where_they_are(kind: str, tmp_path: Path) -> None:
    data = world()
    person, rows = np.unique(data["keys"]["subject"], return_inverse=True)
    stimulus = np.array([int(w[1:]) for w in data["keys"]["stimulus"]])
    values = [np.ascontiguousarray(data["values"][rows == i]) for i in range(len(person))]
    config = {
        "task": {"cost_per_label": 1.0, "max_labels": 10},
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
        "budget": {"total": 10},
    }

    def study(people: list[Any]) -> Study:
        recordings = {"EEG": {f"p{i}": (stimulus[rows == i], people[i]) for i in range(len(person))}}
        return Study.from_arrays(data["features"], (np.arange(STIMULI), data["label"]), recordings, config)

    expected = summarise(study(values).pilot, ("EEG",), 3, 0)
    if kind == "dask":
        dask = pytest.importorskip("dask.array", reason="the extra 'cluster' is not installed")
        found = study([dask.from_array(v, chunks=(100, 5)) for v in values])
        same_summary(summarise(found.pilot, ("EEG",), 3, 0), expected)
        return
    with h5py.File(tmp_path / "eeg.h5", "w") as file:
        large_values: list[Any] = []
        for i, v in enumerate(values):
            np.save(tmp_path / f"{i}.npy", v)
            memory = np.load(tmp_path / f"{i}.npy", mmap_mode="r")
            large_values.append(memory if kind == "memmap" else file.create_dataset(f"p{i}", data=v))
        found = study(large_values)
        assert is_large(found.pilot)
        same_summary(summarise(found.pilot, ("EEG",), 3, 0), expected)


def test_a_person_may_lack_channels(tmp_path: Path) -> None:
    data = world()
    data["values"][data["keys"]["subject"] == "p1", 2] = np.nan
    read, streamed = (
        Study.from_file(write(tmp_path / str(stream), "parquet", data, stream=stream)) for stream in (False, True)
    )
    assert streamed.names == read.names
    assert streamed.remarks == read.remarks
    assert [r.channels.shape for r in streamed.pilot.recordings] == [(300, Q), (300, Q - 1), (300, Q)]
    same_summary(*(summarise(study.pilot, ("EEG",), 3, 0) for study in (streamed, read)))


def test_a_matrix_stored_by_column(tmp_path: Path) -> None:
    """What ``DataFrame.to_numpy`` gives is often in Fortran order."""
    path = write(tmp_path, "npy", world(), stream=True)
    rows = Study.from_file(path).pilot.recordings[1].channels
    assert isinstance(rows, StoredChannels)
    expected = rows.first(10**6)
    _npy(tmp_path / "eeg.npy", world(), "F")
    again = Study.from_file(path).pilot.recordings[1].channels
    assert isinstance(again, StoredChannels)
    np.testing.assert_array_equal(again.first(10**6), expected)


def test_a_part_of_a_large_pilot(tmp_path: Path) -> None:
    read, streamed = (
        Study.from_file(write(tmp_path / str(stream), "zarr", world(), stream=stream)).pilot for stream in (False, True)
    )
    some = np.arange(STIMULI) % 3 > 0
    same_summary(*(summarise(pilot.restricted(some, some), ("EEG",), 3, 0) for pilot in (streamed, read)))


def test_the_learner_learns_the_same(tmp_path: Path) -> None:
    """A large pilot is learned from by its moments, also part by part, as a backtest does; labels may change in between."""
    read, streamed = (
        Study.from_file(write(tmp_path / str(stream), "parquet", world(), stream=stream)).pilot
        for stream in (False, True)
    )
    some, half = np.arange(STIMULI) % 3 > 0, np.arange(STIMULI) < STIMULI // 2
    recorded = Recorded.of(streamed.restricted(some, some))
    for task in (some, half):
        found = learned(streamed.restricted(some, task), read.features, recorded)
        close(found, learned(read.restricted(some, task), read.features), 1e-9)
    assert np.std(found) > 0.5, "it learned something"


def test_checks_look_at_a_stated_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, streamed = (
        Study.from_file(write(tmp_path / str(stream), "h5", world(), stream=stream)) for stream in (False, True)
    )
    for a, b in zip(data_checks(streamed), data_checks(read), strict=True):
        assert (a.name, a.status) == (b.name, b.status)
        assert a.value == pytest.approx(b.value, rel=1e-9), a.name
    monkeypatch.setattr("brainworth.design.pilot.checks.SAMPLED_ROWS", 100)
    few = {check.name: check for check in data_checks(streamed)}
    assert "Over 50 repeated stimuli" in few["reliability (EEG)"].sentence


def _cell(data: dict[str, Any], value: float) -> None:
    data["values"][500, 3] = value


def _constant(data: dict[str, Any]) -> None:
    data["values"][data["keys"]["subject"] == "p2", 4] = 7.25


def _person_without_values(data: dict[str, Any]) -> None:
    data["values"][data["keys"]["subject"] == "p1"] = np.nan


@pytest.mark.parametrize(
    ("ending", "change", "words"),
    [
        ("parquet", lambda d: _cell(d, np.nan), r"eeg\.parquet: row 501, column 'E3': the cell is empty or NaN\."),
        ("h5", lambda d: _cell(d, -np.inf), r"eeg\.h5: row 501, column 'eeg_3': the cell is infinite\."),
        ("zarr", _constant, r"eeg\.zarr: column 'eeg_5': the channel is constant for subject '2'\."),
        ("npy", _person_without_values, r"eeg\.npy: row 2: subject 'p1' has no value in any channel\."),
    ],
)
def test_bad_values_stop_the_pass(ending: str, change: Any, words: str, tmp_path: Path) -> None:
    data = world()
    change(data)
    with pytest.raises(BadInput, match=words):
        summarise(Study.from_file(write(tmp_path, ending, data, stream=True)).pilot, ("EEG",), 3, 0)


def test_what_cannot_be_streamed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "npy", world(), stream=True)
    text = path.read_text()
    path.write_text(text.replace('ids = "ids.csv"\n', ""))
    with pytest.raises(BadInput, match=r"'eeg\.npy' is a matrix without ids\. Add ids = 'ids\.csv'"):
        Study.from_file(path)
    path.write_text(text)
    ids = pd.read_csv(tmp_path / "ids.csv")
    ids.head(30).to_csv(tmp_path / "ids.csv", index=False)
    with pytest.raises(BadInput, match=r"eeg\.npy: it has 900 rows, ids\.csv has 30\."):
        Study.from_file(path)
    pd.DataFrame(world()["keys"]).join(pd.DataFrame({"E1": world()["values"][:, 0]})).to_csv(
        tmp_path / "e.csv", index=False
    )
    path.write_text(text.replace("eeg.npy", "e.csv").replace('ids = "ids.csv"\n', ""))
    with pytest.raises(BadInput, match=r"e\.csv: reader > stream: '\.csv' files cannot be streamed\. Convert it"):
        Study.from_file(path)
    monkeypatch.setattr(large, "MAX_MOMENT_BYTES", 10_000)
    with pytest.raises(BadInput, match=r"3 people with 12 channels and 8 features need .* of moments\. At most"):
        Study.from_file(write(tmp_path / "h5", "h5", world(), stream=True))


def test_ids_that_are_crossed_dimensions_are_read_into_memory_or_refused(tmp_path: Path) -> None:
    import xarray as xr

    path = write(tmp_path, "nc", world(), stream=None)
    people, values = ["a", "b"], np.random.default_rng(0).standard_normal((2, STIMULI, 3))
    ids = [f"w{i:03d}" for i in range(STIMULI)]
    xr.DataArray(
        values,
        dims=("subject", "stimulus", "channel"),
        coords={"subject": people, "stimulus": ids, "channel": ["A", "B", "C"]},
        name="eeg",
    ).to_netcdf(tmp_path / "eeg.nc", engine="h5netcdf")
    assert len(Study.from_file(path).pilot.recordings) == 2
    content = (tmp_path / "eeg.nc").read_bytes()
    write(tmp_path, "nc", world(), stream=True)
    (tmp_path / "eeg.nc").write_bytes(content)
    with pytest.raises(BadInput, match="not laid out row by row"):
        Study.from_file(path)


class Interrupted(Exception):
    """What stops a pass in the middle."""


def test_an_interrupted_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second person's pass is cut; the next run reads neither the first person nor what was saved again."""
    monkeypatch.setattr("brainworth.design.pilot.streaming.SAVE_SECONDS", 0.0)
    study = Study.from_file(write(tmp_path, "npy", world(), stream=True))
    folds = group_folds(study.pilot.group, 5, 0)
    expected = streamed_moments(study.pilot, folds)
    told: list[str] = []

    def tell(sentence: str) -> None:
        if sentence == "Reading eeg.npy, p1: 100%":
            raise Interrupted
        told.append(sentence)

    with pytest.raises(Interrupted):
        streamed_moments(resumable(study, tmp_path / "unfinished", tell).pilot, folds)
    assert told == ["Reading eeg.npy, p0: 87%", "Reading eeg.npy, p0: 100%", "Reading eeg.npy, p1: 87%"]
    assert len(list((tmp_path / "unfinished").iterdir())) == 2
    told.clear()
    found = streamed_moments(resumable(study, tmp_path / "unfinished", told.append).pilot, folds)
    assert told == ["Reading eeg.npy, p1: 100%", "Reading eeg.npy, p2: 87%", "Reading eeg.npy, p2: 100%"]
    for a, b in zip(found, expected, strict=True):
        assert a is not None
        assert b is not None
        for x, y in zip((*a.second, a.first, a.count), (*b.second, b.first, b.count), strict=True):
            np.testing.assert_array_equal(x, y)
    large.forget(tmp_path / "unfinished")
    assert not (tmp_path / "unfinished").exists()
