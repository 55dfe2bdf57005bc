"""HDF5, netCDF, zarr and xarray as tables: round trips, sizes, and what is never opened."""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.build import RECORDINGS, STIMULI
from brainworth.design.pilot.tables import arrays as tables_arrays
from brainworth.design.pilot.tables.arrays import is_labelled, labelled_table
from brainworth.design.pilot.tables.containers import read_container
from brainworth.design.pilot.tables.tables import Table

RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((40, 3))
STIMULUS = np.array([f"s{i}" for i in range(40)])
SUBJECT = np.array(["a", "bb"] * 20)


def read(path: Path, node: str | None = None) -> Table:
    return read_container(path, path.name, RECORDINGS, node)


def expect(table: Table, columns: tuple[str, ...]) -> None:
    assert table.columns == columns
    np.testing.assert_array_equal(table.values, VALUES)
    assert table.keys["stimulus"].tolist() == STIMULUS.tolist()
    assert table.keys["subject"].tolist() == SUBJECT.tolist()


def dataset() -> xr.Dataset:
    coordinates = {"stimulus": ("sample", STIMULUS), "subject": ("sample", SUBJECT), "channel": ["Fz", "Cz", "Pz"]}
    return xr.Dataset({"eeg": (("sample", "channel"), VALUES)}, coords=coordinates)


def write_hdf5(path: Path, node: str = "/") -> Path:
    with h5py.File(path, "w") as file:
        group = file.require_group(node)
        group["eeg"] = VALUES
        group["stimulus"] = STIMULUS.astype(object)
        group["subject"] = SUBJECT.astype("S4")
    return path


def write_zarr(path: Path, version: int = 3) -> Path:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about text in version 3 of its format
        group = zarr.open_group(path, mode="w", zarr_format=version)
        group.create_array("eeg", data=VALUES, chunks=(10, 3))
        group.create_array("stimulus", data=STIMULUS)
        group.create_array("subject", data=SUBJECT)
    return path


def test_hdf5(tmp_path: Path) -> None:
    columns = ("eeg_1", "eeg_2", "eeg_3")
    expect(read(write_hdf5(tmp_path / "a.h5")), columns)
    expect(read(write_hdf5(tmp_path / "b.hdf5", "pilot/eeg"), "pilot/eeg"), columns)
    with pytest.raises(BadInput, match=r"b\.hdf5: reader > node: there is no group 'pilto'.*Did you mean 'pilot'"):
        read(tmp_path / "b.hdf5", "pilto")


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(tmp_path: Path, version: int) -> None:
    expect(read(write_zarr(tmp_path / "a.zarr", version)), ("eeg_1", "eeg_2", "eeg_3"))


def test_xarray_in_memory_and_on_disk(tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    data = dataset()
    assert is_labelled(data)
    assert is_labelled(data["eeg"])
    assert not is_labelled(pd.DataFrame())
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about text in version 3 of its format
        data.to_zarr(tmp_path / "a.zarr")
    names = ("Fz", "Cz", "Pz")
    for table in (
        labelled_table(data, "eeg", RECORDINGS),
        labelled_table(data["eeg"], "eeg", RECORDINGS),
        labelled_table(data["eeg"].transpose("channel", "sample"), "eeg", RECORDINGS),
        read(tmp_path / "a.nc"),
        read(tmp_path / "a.zarr"),
    ):
        expect(table, names)


def test_dimensions_of_keys_are_crossed_and_unrecorded_combinations_left_out() -> None:
    values = np.arange(24.0).reshape(2, 4, 3)
    values[1, 2] = np.nan
    array = xr.DataArray(
        values, dims=("subject", "stimulus", "time"), coords={"subject": ["a", "b"], "stimulus": [0, 1, 2, 3]}
    )
    table = labelled_table(array, "x", RECORDINGS)
    assert table.columns == ("time_1", "time_2", "time_3")
    assert table.keys["subject"].tolist() == ["a"] * 4 + ["b"] * 3
    assert table.keys["stimulus"].tolist() == ["0", "1", "2", "3", "0", "1", "3"]
    np.testing.assert_array_equal(table.values, np.delete(values.reshape(8, 3), 6, axis=0))


def test_a_multi_index_and_several_variables() -> None:
    index = pd.MultiIndex.from_arrays([SUBJECT, STIMULUS], names=["subject", "stimulus"])
    array = xr.DataArray(VALUES, dims=("row", "c"), coords=xr.Coordinates.from_pandas_multiindex(index, "row"))
    expect(labelled_table(array, "x", RECORDINGS), ("c_1", "c_2", "c_3"))
    two = dataset().assign(pupil=("sample", VALUES[:, 0]))
    assert labelled_table(two, "x", RECORDINGS).columns == ("eeg Fz", "eeg Cz", "eeg Pz", "pupil")


def test_a_study_of_xarray_objects() -> None:
    features = xr.DataArray(
        RNG.standard_normal((40, 2)), dims=("stimulus", "feature"), coords={"stimulus": STIMULUS, "feature": ["f", "g"]}
    )
    labels = pd.DataFrame({"stimulus": STIMULUS, "label": RNG.standard_normal(40)})
    config = {
        "task": {"cost_per_label": 0.1},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}}],
        "budget": {"total": 100.0},
    }
    study = Study.from_frames(
        stimuli=features,
        labels=labels,
        recordings={"EEG": dataset()},
        config=config,
    )
    np.testing.assert_array_equal(study.pilot.recordings[0].channels, VALUES[::2])
    assert study.names.channels["EEG", "a"] == ("Fz", "Cz", "Pz")
    np.testing.assert_array_equal(study.pilot.features, features.values)


def test_what_xarray_can_lack() -> None:
    with pytest.raises(BadInput, match="variable 'subject': the variable is missing"):
        labelled_table(dataset().drop_vars("subject"), "x", RECORDINGS)
    with pytest.raises(BadInput, match="no variable has the dimensions of the keys"):
        labelled_table(dataset().drop_vars("eeg"), "x", RECORDINGS)
    doubled = dataset().assign_coords(channel=["Fz", "Fz", "Pz"])
    with pytest.raises(BadInput, match="two columns have one name"):
        labelled_table(doubled, "x", RECORDINGS)


def test_sizes_are_checked_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_hdf5(tmp_path / "a.h5"), write_zarr(tmp_path / "a.zarr")]
    dataset().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "huge.h5", "w") as file:  # a few kilobytes on disk
        file.create_dataset("eeg", (10**7, 10**4), chunks=(1000, 1000), dtype="f8", compression="gzip")
    with pytest.raises(BadInput, match=r"huge\.h5: its arrays take 800000000000 bytes"):
        read(tmp_path / "huge.h5")
    monkeypatch.setattr(tables_arrays, "MAX_FILE_BYTES", 1000)
    for path in [*paths, tmp_path / "a.nc"]:
        with pytest.raises(BadInput, match="bytes can be read"):
            read(path)


def test_hdf5_never_leaves_the_file(tmp_path: Path) -> None:
    secret = write_hdf5(tmp_path / "secret.h5")

    def case(name: str, change: Any) -> Path:
        path = write_hdf5(tmp_path / f"{name}.h5")
        with h5py.File(path, "a") as file:
            del file["eeg"]
            change(file)
        return path

    def external_storage(file: h5py.File) -> None:
        file.create_dataset("eeg", (40, 3), "f8", external=[(str(secret), 0, 960)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((40, 3), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "eeg", shape=(40, 3))
        file.create_virtual_dataset("eeg", layout)

    def link(file: h5py.File) -> None:
        file["eeg"] = h5py.ExternalLink(str(secret), "eeg")

    for name, change, words in (
        ("link", link, "it is a link"),
        ("external", external_storage, "keeps its values in another file"),
        ("virtual", virtual, "keeps its values in another file"),
    ):
        with pytest.raises(BadInput, match=words):
            read(case(name, change))
    with h5py.File(tmp_path / "node.h5", "w") as file:
        file["pilot"] = h5py.ExternalLink(str(secret), "/")
    with pytest.raises(BadInput, match="'pilot' is a link"):
        read(tmp_path / "node.h5", "pilot")


class Bomb:
    """Unpickling it writes a file."""

    target = ""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path(self.target),)  # pyright: ignore[reportReturnType]


def test_no_pickle_is_loaded_from_zarr(tmp_path: Path) -> None:
    """A store of version 2 whose text is pickled; loading it would write a file, as the twin below shows."""
    path = write_zarr(tmp_path / "a.zarr", 2)
    Bomb.target = str(tmp_path / "boom")
    metadata = json.loads((path / "stimulus" / ".zarray").read_text())
    metadata |= {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}], "compressor": None, "fill_value": None}
    (path / "stimulus" / ".zarray").write_text(json.dumps(metadata))
    objects = np.empty(40, dtype=object)
    objects[:] = [Bomb()] * 40
    (path / "stimulus" / "0").write_bytes(pickle.dumps(objects))
    with pytest.raises(BadInput, match="array 'stimulus': its codec 'pickle' is not used: it could run code"):
        read(path)
    assert not (tmp_path / "boom").exists()
    pickle.loads((path / "stimulus" / "0").read_bytes())
    assert (tmp_path / "boom").exists()


def test_without_zarr_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(BadInput, match=r"a\.zarr: reading zarr arrays needs the extra 'zarr'.*brainworth\[zarr\]"):
        read(tmp_path / "a.zarr")


STUDY = """
[stimuli]
table = "stimuli.h5"
[task]
labels = "labels.csv"
cost_per_label = 1.0
[[modality]]
name = "EEG"
recordings = "eeg.zarr"
cost.per_sample = 1.0
[budget]
total = 10
"""


def write_study(folder: Path) -> Path:
    write_zarr(folder / "eeg.zarr")
    with h5py.File(folder / "stimuli.h5", "w") as file:
        file["stimulus"], file["f"] = STIMULUS.astype(object), RNG.standard_normal((40, 2))
    pd.DataFrame({"stimulus": STIMULUS, "label": RNG.standard_normal(40)}).to_csv(folder / "labels.csv", index=False)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def test_a_study_of_containers(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    study = Study.from_file(path)
    np.testing.assert_array_equal(study.pilot.recordings[1].channels, VALUES[1::2])
    assert set(study.digest) == {"study.toml", "stimuli.h5", "labels.csv", "eeg.zarr"}
    before = study.digest["eeg.zarr"]
    chunk = next(p for p in (tmp_path / "eeg.zarr" / "eeg").rglob("*") if p.is_file() and p.name != "zarr.json")
    write_zarr(tmp_path / "eeg.zarr")
    assert Study.from_file(path).digest["eeg.zarr"] == before
    chunk.unlink()  # zarr reads zeros where a chunk is missing
    with pytest.raises(BadInput, match="every channel equals that of row"):
        Study.from_file(path)


def test_a_store_cannot_leave_the_folder_by_a_link(tmp_path: Path) -> None:
    inside = tmp_path / "study"
    inside.mkdir()
    path = write_study(inside)
    (inside / "eeg.zarr" / "eeg").rename(tmp_path / "outside")
    (inside / "eeg.zarr" / "eeg").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match=r"eeg\.zarr/eeg' leads out of the study's folder by a link"):
        Study.from_file(path)


CONTENT: dict[str, bytes] = {}


def content(suffix: str, folder: Path) -> bytes:
    if suffix not in CONTENT:
        path = folder / f"original{suffix}"
        if suffix == ".nc":
            dataset().to_netcdf(path, engine="h5netcdf")
        else:
            write_hdf5(path)
        CONTENT[suffix] = path.read_bytes()
    return CONTENT[suffix]


@settings(max_examples=25, deadline=None)  # a process each; `tests/fuzz_readers.py` looks longer
@given(st.sampled_from([".h5", ".nc"]), st.data())
def test_damaged_containers_end_in_one_paragraph(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    raw = bytearray(content(suffix, folder))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"eeg{suffix}"
    path.write_bytes(bytes(raw))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about what they find
        message = ""
        try:
            assert len(read_container(path, path.name, STIMULI)) > 0
        except BadInput as error:
            message = str(error)
    assert len(message) < 1500
    assert message == "" or message.isprintable()
