"""Tables as labs have them: keys under other names, labels of several raters."""

from __future__ import annotations

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
RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((N, 3))
RATINGS = RNG.integers(1, 8, (N, 3)).astype(float)
CHANNELS = RNG.standard_normal((2 * N, 4)).round(6)
COLUMNS = {"Proband": "subject", "Wort": "stimulus", "Termin": "session"}


def config(**sections: Any) -> dict[str, Any]:
    return {
        "stimuli": sections.get("stimuli", {}),
        "task": {"cost_per_label": 1.0, "max_labels": 1000} | sections.get("task", {}),
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}, "reader": sections.get("reader", {})}],
        "budget": {"total": 100.0},
    }


def stimuli(key: str = "stimulus") -> pd.DataFrame:
    return pd.DataFrame({key: IDS} | {f"f{i}": FEATURES[:, i] for i in range(3)})


def recordings(**names: str) -> pd.DataFrame:
    keys = {"subject": ["p1"] * N + ["p2"] * N, "stimulus": IDS * 2, "session": ["a"] * N + ["b"] * N}
    return pd.DataFrame({names.get(k, k): v for k, v in keys.items()} | {f"E{i}": CHANNELS[:, i] for i in range(4)})


def study(labels: pd.DataFrame, **sections: Any) -> StudyData:
    given = {"EEG": sections.pop("recordings", recordings())}
    table = sections.pop("table", stimuli())
    return StudyData.from_frames(stimuli=table, labels=labels, recordings=given, config=config(**sections))


def long(*order: str) -> pd.DataFrame:
    frame = pd.DataFrame({"stimulus": IDS * 3, "rater": np.repeat(["r1", "r2", "r3"], N), "label": RATINGS.T.ravel()})
    return frame.loc[:, list(order)] if order else frame


def mean_labels(found: StudyData) -> np.ndarray:
    pilot = found.pilot
    return np.bincount(pilot.label_stimulus, pilot.label) / np.bincount(pilot.label_stimulus)


# ------------------------------------------------------------ names of columns


def write(path: Path, kind: str, table: pd.DataFrame) -> str:
    name = f"eeg.{kind}"
    plain: dict[str, Any] = {
        str(c): table[c].to_numpy() if table[c].dtype.kind == "f" else table[c].to_numpy("U") for c in table
    }
    if kind in {"csv", "tsv"}:
        table.to_csv(path / name, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "parquet":
        table.to_parquet(path / name)
    elif kind == "npz":
        np.savez(path / name, **plain)
    elif kind == "h5":
        with h5py.File(path / name, "w") as file:
            for column, values in plain.items():
                file[column] = values if values.dtype.kind == "f" else values.astype("S9")
    elif kind == "nc":
        columns = {str(c): ("sample", table[c].to_numpy()) for c in table}
        xr.Dataset(columns).to_netcdf(path / name, engine="h5netcdf")
    else:
        np.save(path / name, table[[f"E{i}" for i in range(4)]].to_numpy())
        table.drop(columns=[f"E{i}" for i in range(4)]).to_csv(path / "ids.csv", index=False)
    return name


@pytest.mark.parametrize("stream", [None, True])
@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "npz", "h5", "nc", "npy"])
def test_columns_are_mapped_in_every_format(kind: str, stream: bool | None, tmp_path: Path) -> None:
    if stream and kind in {"csv", "tsv", "npz"}:
        pytest.skip("text and npz are read into memory")
    stimuli("Wort").to_csv(tmp_path / "stimuli.csv", index=False)
    pd.DataFrame({"Wort": IDS, "Urteil": RATINGS[:, 0]}).to_csv(tmp_path / "labels.csv", index=False)
    reader: dict[str, Any] = {"columns": COLUMNS} | ({"stream": True} if stream else {})
    reader |= {"ids": "ids.csv"} if kind == "npy" else {}
    data = config(
        stimuli={"table": "stimuli.csv", "columns": {"Wort": "stimulus"}},
        task={"labels": "labels.csv", "columns": {"Wort": "stimulus", "Urteil": "label"}},
        reader=reader,
    )
    names = {key: name for name, key in COLUMNS.items()}
    data["modality"][0]["recordings"] = write(tmp_path, kind, recordings(**names))
    (tmp_path / "study.toml").write_text(tomli_w.dumps(data), encoding="utf-8")
    found = StudyData.from_file(tmp_path / "study.toml")
    assert [r.subject for r in found.pilot.recordings] == ["p1", "p2"]
    assert found.names.stimuli == tuple(IDS)
    np.testing.assert_array_equal(found.pilot.label, RATINGS[:, 0])
    second = found.pilot.recordings[1]
    if not stream:
        assert len(found.names.channels["EEG", "p1"]) == 4
        np.testing.assert_array_equal(np.sort(np.asarray(second.channels), axis=0), np.sort(CHANNELS[N:], axis=0))


def test_columns_are_mapped_in_frames_and_their_index() -> None:
    labels = pd.DataFrame({"Wort": IDS, "label": RATINGS[:, 0]}).set_index("Wort")
    task = {"columns": {"Wort": "stimulus"}}
    table, given = stimuli("Satz"), recordings(subject="Proband")
    reader = {"columns": {"Proband": "subject"}}
    found = study(
        labels, table=table, recordings=given, task=task, reader=reader, stimuli={"columns": {"Satz": "stimulus"}}
    )
    assert found.names.stimuli == tuple(IDS)
    assert [r.subject for r in found.pilot.recordings] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"wrd": "stimulus"}, r"\[stimuli\] columns: there is no column 'wrd'.*Did you mean 'word'"),
        (
            {"word": "stimulis"},
            r"columns > word: got 'stimulis'.*one of 'stimulus' or 'group'. Did you mean 'stimulus'",
        ),
        (
            {"stimulus": "word"},
            r"got stimulus = 'word'. Write the name in your table first: columns = { \"word\" = \"stimulus\" }",
        ),
        ({"word": "stimulus", "f1": "stimulus"}, r"'word' and another column are both 'stimulus'"),
    ],
)
def test_a_mapping_that_cannot_be_is_explained(columns: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        study(long(), table=stimuli("word"), stimuli={"columns": columns})


def test_a_key_that_is_there_already_is_asked_about() -> None:
    with pytest.raises(BadInput, match=r"'word' is to be 'stimulus', and there is a column of that name"):
        study(long(), table=stimuli().assign(word=IDS), stimuli={"columns": {"word": "stimulus"}})


def test_two_columns_may_change_places() -> None:
    table = stimuli("group").assign(stimulus=[f"g{i % 6}" for i in range(N)])
    found = study(long(), table=table, stimuli={"columns": {"group": "stimulus", "stimulus": "group"}})
    assert found.names.groups == tuple(f"g{i}" for i in range(6))


def test_a_missing_key_shows_the_line_that_maps_it() -> None:
    with pytest.raises(BadInput, match=r"\[stimuli\] columns = { \"stimulus_id\" = \"stimulus\" }"):
        study(long(), table=stimuli("stimulus_id"))


def test_the_usual_name_of_a_key_is_guessed() -> None:
    with pytest.raises(BadInput, match=r"\[stimuli\] columns = { \"word\" = \"stimulus\" }"):
        study(long(), table=stimuli("word"))
    with pytest.raises(BadInput, match=r"\[task\] columns = { \"rating\" = \"label\" }"):
        study(long().rename(columns={"label": "rating"}))


# ------------------------------------------------------------ raters


def wide(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"stimulus": IDS} | {name: RATINGS[:, i] for i, name in enumerate(names)})


@pytest.mark.parametrize(
    "names", [("rater1", "rater2", "rater3"), ("Judge_01", "Judge_02", "Judge_03"), ("r1", "r2", "r3")]
)
def test_a_column_a_rater_is_the_same_as_a_row_a_label(names: tuple[str, ...]) -> None:
    found, expected = study(wide(*names)), study(long("stimulus", "label"), task={"duplicates": "keep"})
    np.testing.assert_allclose(mean_labels(found), mean_labels(expected))
    assert found.pilot.label.size == 3 * N
    assert any("3 raters: 90 labels of 30 stimuli, 3 each" in remark for remark in found.remarks)


def test_raters_by_their_names_are_said_in_the_study_file() -> None:
    given = wide("Anna", "Ben", "Cleo")
    with pytest.raises(
        BadInput, match=r"\[task\] columns = { \"Anna\" = \"label\", \"Ben\" = \"label\", \"Cleo\" = \"label\" }"
    ):
        study(given)
    found = study(given, task={"columns": dict.fromkeys(("Anna", "Cleo"), "label")})
    np.testing.assert_allclose(mean_labels(found), RATINGS[:, [0, 2]].mean(axis=1))
    assert any("not used: 'Ben'" in remark for remark in found.remarks)


def test_empty_cells_of_raters_are_no_labels_and_counted() -> None:
    given = wide("rater1", "rater2", "rater3")
    given.loc[[3, 7], "rater2"] = np.nan
    found = study(given)
    assert found.pilot.label.size == 3 * N - 2
    assert mean_labels(found)[3] == RATINGS[3, [0, 2]].mean()
    assert any("88 labels of 30 stimuli, 2 to 3 each" in r and "2 cells are empty" in r for r in found.remarks)


def test_a_message_names_the_column_of_the_rater(tmp_path: Path) -> None:
    given = wide("rater1", "rater2", "rater3")
    given.loc[4, "rater2"] = -999
    with pytest.raises(BadInput, match=r"row 5, column 'rater2'.*-999 is a usual code"):
        study(given)


def test_classes_of_several_raters() -> None:
    classes = pd.DataFrame(np.where(RATINGS > 4, "yes", "no"), columns=["rater1", "rater2", "rater3"])
    classes.loc[5, "rater1"] = ""
    found = study(classes.assign(stimulus=IDS), task={"kind": "binary"})
    assert found.pilot.label.size == 3 * N - 1
    assert found.names.classes == ("no", "yes")
    expected = np.where(RATINGS > 4, 1.0, -1.0).mean(axis=1)
    expected[5] = np.where(RATINGS[5, 1:] > 4, 1.0, -1.0).mean()
    np.testing.assert_allclose(mean_labels(found), expected)


def test_a_rater_column_is_read_with_its_counts() -> None:
    found = study(long())
    assert any("the column 'rater' names 3 raters: 90 labels of 30 stimuli, 3 each" in r for r in found.remarks)
    assert not any("not used" in remark for remark in found.remarks)


def test_raters_who_agree_in_every_digit_are_no_copies_but_one_rater_twice_is() -> None:
    value = np.random.default_rng(1).standard_normal(N)
    both = pd.DataFrame({"stimulus": IDS * 2, "rater": ["a"] * N + ["b"] * N, "label": np.tile(value, 2)})
    assert study(both).pilot.label.size == 2 * N
    with pytest.raises(BadInput, match="labels are given twice"):
        study(both.assign(rater="a"))


def test_scales_that_are_not_called_raters_are_not_averaged() -> None:
    with pytest.raises(BadInput, match="column 'label': the column is missing"):
        study(wide("valence", "arousal", "dominance"))
