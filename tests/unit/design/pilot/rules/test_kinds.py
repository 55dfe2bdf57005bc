"""What goes wrong in the files of labs: each kind is refused with the lines that answer it, or mended with a remark."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import tomli_w
import xarray as xr

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.study import StudyData

N = 30
IDS = [f"w{i:03d}" for i in range(N)]
Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def tables() -> Tables:
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.standard_normal((N, 3)), columns=["f1", "f2", "f3"])
    stimuli = pd.concat([pd.DataFrame({"stimulus": IDS}), features], axis=1)
    labels = pd.DataFrame({"stimulus": IDS, "label": rng.standard_normal(N).round(6)})
    channels = pd.DataFrame(rng.standard_normal((2 * N, 4)).round(6), columns=["E1", "E2", "E3", "E4"])
    keys = pd.DataFrame({"subject": ["p1", "p2"] * N, "stimulus": [i for i in IDS for _ in range(2)]})
    return stimuli, labels, pd.concat([keys, channels], axis=1)


def config(**sections: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": {"cost_per_label": 1.0, "max_labels": 1000} | sections.get("task", {}),
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}, "reader": sections.get("reader", {})}],
        "budget": {"total": 100.0},
    }
    found |= {name: sections[name] for name in ("stimuli", "study") if name in sections}
    return found


def frames(given: Tables, **sections: Any) -> StudyData:
    stimuli, labels, recordings = given
    return StudyData.from_frames(
        stimuli=stimuli, labels=labels, recordings={"EEG": recordings}, config=config(**sections)
    )


def _csv(path: Path, table: pd.DataFrame) -> str:
    table.to_csv(path / "eeg.csv", index=False)
    return "eeg.csv"


def _parquet(path: Path, table: pd.DataFrame) -> str:
    table.to_parquet(path / "eeg.parquet")
    return "eeg.parquet"


def _npz(path: Path, table: pd.DataFrame) -> str:
    columns: dict[str, Any] = {
        str(c): table[c].to_numpy() if table[c].dtype.kind in "fi" else table[c].to_numpy(dtype="U") for c in table
    }
    np.savez(path / "eeg.npz", **columns)
    return "eeg.npz"


def _hdf5(path: Path, table: pd.DataFrame) -> str:
    with h5py.File(path / "eeg.h5", "w") as file:
        for name in table:
            values = table[name].to_numpy()
            file[str(name)] = values if values.dtype.kind in "fi" else values.astype("S9")
    return "eeg.h5"


def _netcdf(path: Path, table: pd.DataFrame) -> str:
    columns = {str(c): ("sample", table[c].to_numpy()) for c in table}
    xr.Dataset(columns).set_coords(["subject", "stimulus"]).to_netcdf(path / "eeg.nc", engine="h5netcdf")
    return "eeg.nc"


FORMATS: list[Callable[[Path, pd.DataFrame], str]] = [_csv, _parquet, _npz, _hdf5, _netcdf]


def from_files(path: Path, given: Tables, write: Callable[[Path, pd.DataFrame], str], **sections: Any) -> StudyData:
    stimuli, labels, recordings = given
    stimuli.to_csv(path / "stimuli.csv", index=False)
    labels.to_csv(path / "labels.csv", index=False)
    found = config(**sections)
    found["stimuli"] = {"table": "stimuli.csv"} | found.get("stimuli", {})
    found["task"]["labels"] = "labels.csv"
    found["modality"][0]["recordings"] = write(path, recordings)
    (path / "study.toml").write_text(tomli_w.dumps(found))
    return StudyData.from_file(path / "study.toml")


# ------------------------------------------------------------ columns


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("name", ["run", "Session", "onset", "trial_number"])
def test_a_bookkeeping_column_is_asked_about_in_every_format(
    write: Callable[[Path, pd.DataFrame], str], name: str, tmp_path: Path
) -> None:
    stimuli, labels, recordings = tables()
    values = np.random.default_rng(1).standard_normal(2 * N)
    named: dict[str, Any] = {name: values}
    given = stimuli, labels, recordings.assign(**named)
    with pytest.raises(
        BadInput, match=rf"'{name}'.* is called like bookkeeping.*\[modality.reader\] ignore = \[\"{name}\"\]"
    ):
        from_files(tmp_path, given, write)
    left = from_files(tmp_path, given, write, reader={"ignore": [name]})
    assert len(left.names.channels["EEG", "p1"]) == 4
    kept = from_files(tmp_path, given, write, reader={"keep": [name]})
    assert any(name in channel for channel in kept.names.channels["EEG", "p1"])
    with pytest.raises(BadInput, match=r"there is no column 'rnu'"):
        from_files(tmp_path, given, write, reader={"ignore": ["rnu"]})


def test_the_index_of_pandas_is_left_out_with_a_remark(tmp_path: Path) -> None:
    stimuli, labels, recordings = tables()
    filtered = recordings.query("stimulus != 'w003'")
    study = from_files(tmp_path, (stimuli, labels, filtered), _parquet)
    assert study.names.channels["EEG", "p1"] == ("E1", "E2", "E3", "E4")
    written = recordings.reset_index().rename(columns={"index": "Unnamed: 0"})
    study = frames((stimuli, labels, written))
    assert study.names.channels["EEG", "p1"] == ("E1", "E2", "E3", "E4")
    assert any("Unnamed: 0" in remark for remark in study.remarks)
    named = recordings.set_index(pd.RangeIndex(2 * N, name="trial"))
    study = frames((stimuli, labels, named))
    assert study.names.channels["EEG", "p1"] == ("E1", "E2", "E3", "E4")
    assert any("index trial" in remark for remark in study.remarks)
    by_keys = frames((stimuli, labels, recordings.set_index(["subject", "stimulus"])))
    assert len(by_keys.pilot.recordings) == 2


@pytest.mark.parametrize("step", [1.0, -2.5, 1e-9, 1e9])
def test_a_counter_is_no_channel_whatever_its_name(step: float) -> None:
    stimuli, labels, recordings = tables()
    counted = recordings.assign(E9=3.0 + step * np.arange(2 * N))
    with pytest.raises(BadInput, match=r"column 'E9': its values count the rows"):
        frames((stimuli, labels, counted))
    within = recordings.assign(E9=np.arange(2 * N) // 2 * step)
    with pytest.raises(BadInput, match=r"column 'E9': its values count the rows"):
        frames((stimuli, labels, within))
    with pytest.raises(BadInput, match=r"\[stimuli\] ignore = \[\"n\"\]"):
        frames((stimuli.assign(n=np.arange(N) * step), labels, recordings))
    assert "n" in frames((stimuli.assign(n=np.arange(N)), labels, recordings), stimuli={"keep": ["n"]}).names.features


def test_the_label_among_features_or_channels_is_named_as_such() -> None:
    stimuli, labels, recordings = tables()
    rating = 1e6 - 3.0 * labels.label
    with pytest.raises(BadInput, match=r"column 'rating': it is the label.*\[stimuli\] ignore = \[\"rating\"\]"):
        frames((stimuli.assign(rating=rating), labels, recordings))
    by_row = np.repeat(labels.label.to_numpy(), 2)
    with pytest.raises(BadInput, match=r"column 'E9': it is the label"):
        frames((stimuli, labels, recordings.assign(E9=by_row)))
    noisy = rating + np.random.default_rng(0).standard_normal(N)
    assert "rating" in frames((stimuli.assign(rating=noisy), labels, recordings)).names.features


# ------------------------------------------------------------ missing values


@pytest.mark.parametrize("word", ["n/a", "NA", "nan", "?", "null", "None", "#N/A", " na "])
def test_a_missing_label_is_no_class(word: str, tmp_path: Path) -> None:
    stimuli, labels, recordings = tables()
    classes = labels.assign(label=np.where(np.arange(N) % 2, "yes", "no").astype(object))
    classes.loc[4, "label"] = word
    given = stimuli, classes, recordings
    with pytest.raises(BadInput, match=r"row 5.*column 'label'.*\[task\] missing = "):
        frames(given, task={"kind": "binary"})
    with pytest.raises(BadInput, match=r"row 5.*column 'label'.*\[task\] missing = "):
        from_files(tmp_path, given, _csv, task={"kind": "binary"})
    study = frames(given, task={"kind": "binary", "missing": [word.strip()]})
    assert study.names.classes == ("no", "yes")
    assert study.pilot.label.size == N - 1
    assert [(loss.count, loss.total, loss.unit) for loss in study.losses] == [(1, N, "labels")]


@pytest.mark.parametrize("key", ["subject", "group", "session"])
def test_a_missing_key_is_no_name(key: str) -> None:
    stimuli, labels, recordings = tables()
    stimuli["group"] = [f"g{i % 6}" for i in range(N)]
    recordings["session"] = "a"
    table = stimuli if key == "group" else recordings
    table.loc[3, key] = "n/a"
    with pytest.raises(BadInput, match=rf"row 4, column '{key}': 'n/a' means that there is no value"):
        frames((stimuli, labels, recordings))


@pytest.mark.parametrize("code", [-999, 9999, -99, 999, 1e20])
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_a_code_for_missing_values_is_asked_about(code: float, scale: float) -> None:
    stimuli, labels, recordings = tables()
    asked = r"is a usual code for a missing value"
    bad = labels.assign(label=labels.label * scale)
    bad.loc[3, "label"] = code
    with pytest.raises(BadInput, match=rf"labels: row 4, column 'label': .* {asked}.*\[task\] missing = \["):
        frames((stimuli, bad, recordings))
    assert frames((stimuli, bad, recordings), task={"missing": []}).pilot.label.size == N
    assert frames((stimuli, bad, recordings), task={"missing": [code]}).pilot.label.size == N - 1
    features = stimuli.assign(f2=stimuli.f2 * scale)
    features.loc[[3, 7], "f2"] = code
    with pytest.raises(BadInput, match=rf"stimuli: row 4, column 'f2': .*2 such cells.* {asked}"):
        frames((features, labels, recordings))
    study = frames((features, labels, recordings), stimuli={"missing": [code]})
    assert len(study.names.stimuli) == N - 2
    assert {(loss.unit, loss.subject, loss.count) for loss in study.losses} == {
        ("stimuli", None, 2),
        ("labels", None, 2),
        ("samples", "p1", 2),
        ("samples", "p2", 2),
    }
    channels = recordings.assign(E1=recordings.E1 * scale)
    channels.loc[6, "E1"] = code
    with pytest.raises(BadInput, match=rf"row 7, column 'E1': .* {asked}.*\[modality.reader\] missing"):
        frames((stimuli, labels, channels))
    study = frames((stimuli, labels, channels), reader={"missing": [code]})
    assert [r.stimulus.size for r in study.pilot.recordings] == [N - 1, N]


def test_ordinary_numbers_are_no_codes() -> None:
    stimuli, labels, recordings = tables()
    counts = stimuli.assign(frequency=np.geomspace(1, 9999, N).round())
    assert frames((counts, labels, recordings)).pilot.features.shape[1] == 4


def test_gross_outliers_are_reported() -> None:
    stimuli, labels, recordings = tables()
    bad = labels.copy()
    bad.loc[3, "label"] = 1234.5
    study = frames((stimuli, bad, recordings))
    assert any("labels: row 4, column 'label': 1234.5" in remark for remark in study.remarks)
    assert frames((stimuli, labels, recordings)).remarks == ()


# ------------------------------------------------------------ duplicates


def test_rows_people_and_labels_given_twice_are_asked_about() -> None:
    stimuli, labels, recordings = tables()
    twice = pd.concat([recordings, recordings])
    with pytest.raises(
        BadInput,
        match=r"row 61: every channel equals that of row 1 \(60 such samples in all\): samples are given twice",
    ):
        frames((stimuli, labels, twice))
    study = frames((stimuli, labels, twice), reader={"duplicates": "drop"})
    assert sum(r.stimulus.size for r in study.pilot.recordings) == 2 * N
    assert sum(loss.count for loss in study.losses) == 2 * N
    assert any("60 of 120 samples" in remark for remark in study.remarks)
    kept = frames((stimuli, labels, twice), reader={"duplicates": "keep"})
    assert sum(r.stimulus.size for r in kept.pilot.recordings) == 4 * N
    person = pd.concat([recordings, recordings[recordings.subject == "p1"].assign(subject="p3")])
    with pytest.raises(BadInput, match=r"recordings of 'p1', 'p3' are copies of each other"):
        frames((stimuli, labels, person))
    with pytest.raises(BadInput, match=r"labels are given twice.*\[task\] duplicates = \"drop\""):
        frames((stimuli, pd.concat([labels, labels]), recordings))
    study = frames((stimuli, pd.concat([labels, labels]), recordings), task={"duplicates": "drop"})
    assert study.pilot.label.size == N


def test_coarse_measurements_may_coincide() -> None:
    stimuli, labels, recordings = tables()
    coarse = recordings[["subject", "stimulus"]].assign(E1=np.random.default_rng(0).integers(0, 5, 2 * N))
    assert len(frames((stimuli, labels, coarse)).pilot.recordings) == 2
    ratings = pd.concat([labels, labels.sample(frac=1.0, random_state=0)]).assign(label=lambda t: t.label.round(0))
    assert frames((stimuli, ratings, recordings)).pilot.label.size == 2 * N


# ------------------------------------------------------------ spellings

PAIRS = [("1", "01"), ("S1", "s1"), ("sub-01", "01"), ("1", "1.0"), ("a b", "a_b"), ("sub_1", "sub-01")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_spellings_of_a_person_are_asked_about(first: str, second: str) -> None:
    stimuli, labels, recordings = tables()
    odd = np.arange(2 * N) % 4 == 0
    spelt = recordings.assign(subject=np.where(recordings.subject == "p1", np.where(odd, first, second), "other"))
    with pytest.raises(BadInput, match=r"only in its spelling.*\[study.spelling\] subject = \"merge\""):
        frames((stimuli, labels, spelt))
    merged = frames((stimuli, labels, spelt), study={"spelling": {"subject": "merge"}})
    assert [(r.subject, r.stimulus.size) for r in merged.pilot.recordings] == [(first, N), ("other", N)]
    exact = frames((stimuli, labels, spelt), study={"spelling": {"subject": "exact"}})
    assert len(exact.pilot.recordings) == 3


def test_two_spellings_of_groups_sessions_classes_and_stimuli() -> None:
    stimuli, labels, recordings = tables()
    groups = stimuli.assign(group=[("G" if i % 2 else "g") + str(i // 6) for i in range(N)])
    with pytest.raises(BadInput, match=r"column 'group'.*only in its spelling"):
        frames((groups, labels, recordings))
    merged = frames((groups, labels, recordings), study={"spelling": {"group": "merge"}})
    assert len(merged.names.groups) == 5
    with pytest.raises(BadInput, match=r"column 'session'.*only in its spelling"):
        frames((stimuli, labels, recordings.assign(session=["1", "1", "01", "01"] * (N // 2))))
    yes = labels.assign(label=[("yes", "Yes", "no")[i % 3] for i in range(N)])
    with pytest.raises(BadInput, match=r"column 'label'.*only in its spelling"):
        frames((stimuli, yes, recordings), task={"kind": "binary"})
    two = frames((stimuli, yes, recordings), task={"kind": "binary"}, study={"spelling": {"label": "merge"}})
    assert two.names.classes == ("no", "yes")
    with pytest.raises(BadInput, match=r"column 'stimulus'.*only in its spelling"):
        frames((stimuli.replace("w000", "W001"), labels.iloc[2:], recordings.iloc[4:]))
    padded = labels.assign(stimulus=[name.replace("w0", "w") for name in labels.stimulus])
    with pytest.raises(BadInput, match=r"Did you mean 'w000'\?.*\[study.spelling\] stimulus = \"merge\""):
        frames((stimuli, padded, recordings))
    assert frames((stimuli, padded, recordings), study={"spelling": {"stimulus": "merge"}}).pilot.label.size == N


def test_accents_are_one_however_they_are_composed() -> None:
    stimuli, labels, recordings = tables()
    composed = [f"é{i}" for i in range(N)]
    names = dict(zip(IDS, composed, strict=True))
    apart = labels.assign(stimulus=[unicodedata.normalize("NFD", name) for name in composed])
    study = frames((stimuli.replace(names), apart, recordings.replace(names)))
    assert study.pilot.label.size == N


# ------------------------------------------------------------ cells that are read as what they are


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("-", "\u2212"),
        lambda text: text.replace(",0.", ",\u00a00."),
        lambda text: "sep=,\n" + text,
    ],
)
def test_what_spreadsheets_do_to_numbers_is_undone(change: Callable[[str], str], tmp_path: Path) -> None:
    expected = from_files(tmp_path, tables(), _csv).pilot
    path = tmp_path / "labels.csv"
    path.write_text(change(path.read_text()), encoding="utf-8")
    study = StudyData.from_file(tmp_path / "study.toml")
    np.testing.assert_allclose(study.pilot.label, expected.label)


def test_decimals_are_numbers() -> None:
    stimuli, labels, recordings = tables()
    exact = labels.assign(label=[Decimal(str(v)) for v in labels.label])
    np.testing.assert_allclose(frames((stimuli, exact, recordings)).pilot.label, labels.label)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_numbers_that_no_one_can_compute_with_are_refused_where_they_are_read(scale: float) -> None:
    stimuli, labels, recordings = tables()
    with pytest.raises(BadInput, match="unit"):
        frames((stimuli, labels.assign(label=labels.label * scale), recordings))
    with pytest.raises(BadInput, match="unit"):
        frames((stimuli.assign(f1=stimuli.f1 * scale), labels, recordings))
    with pytest.raises(BadInput, match="unit"):
        frames((stimuli, labels, recordings.assign(E1=recordings.E1 * scale)))


# ------------------------------------------------------------ arrays


def arrays() -> tuple[np.ndarray, np.ndarray, dict[Any, Any]]:
    stimuli, labels, recordings = tables()
    place = {name: i for i, name in enumerate(IDS)}
    people = {
        who: (np.array([place[n] for n in part.stimulus]), part[["E1", "E2", "E3", "E4"]].to_numpy())
        for who, part in recordings.groupby("subject")
    }
    return stimuli[["f1", "f2", "f3"]].to_numpy(), labels.label.to_numpy(), people


def test_arrays_are_checked_like_files() -> None:
    features, label, people = arrays()

    def study(labels: Any, recorded: Any = None, **sections: Any) -> StudyData:
        return StudyData.from_arrays(features, labels, {"EEG": recorded or people}, config(**sections))

    rows = np.arange(5, N)
    expected = study((rows, label[5:]))
    mask = np.isin(np.arange(N), rows)
    for same in [(mask, label[5:]), (rows, label[5:, None]), (rows.astype(float), label[5:].tolist())]:
        np.testing.assert_allclose(study(same).pilot.label, expected.pilot.label)
        np.testing.assert_array_equal(study(same).pilot.label_stimulus, expected.pilot.label_stimulus)
    with pytest.raises(BadInput, match=r"labels: got an array of shape \(30,\)"):
        study(label)
    with pytest.raises(BadInput, match=r"labels: it has 25 row numbers for 30 values"):
        study((rows, label))
    with pytest.raises(BadInput, match=r"the people 1 \(int\) and '1' \(str\) have one name"):
        study((rows, label[5:]), {1: people["p1"], "1": people["p2"]})
    with pytest.raises(BadInput, match=r"recordings\['EEG'\]\['p1'\]: got an array of shape"):
        study((rows, label[5:]), {"p1": people["p1"][1]})
    masked = {who: (a, np.ma.masked_where(b > 1.5, b)) for who, (a, b) in people.items()}
    with pytest.raises(BadInput, match=r"the cell is empty or NaN.*\[modality.reader\] missing = \[\"nan\"\]"):
        study((rows, label[5:]), masked)
    left = study((rows, label[5:]), masked, reader={"missing": ["nan"]})
    assert left.pilot.recordings[0].in_memory.max() <= 1.5
    assert {loss.subject for loss in left.losses} == {"p1", "p2"}
