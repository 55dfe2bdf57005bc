"""EEG and MEG in each format that BIDS allows: our samples against what MNE itself reads from the file.

Files are written here, EDF and BDF byte by byte after their specification, SET as a MATLAB structure, BrainVision by pybv, FIF by
MNE. Those that pyEDFlib carries were made by other programs, and are compared with what that library, not MNE, reads.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
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
pytest.importorskip("mne_bids", reason="the extra 'eeg' is not installed")

RATE, SECONDS = 100, 20
NAMES = ["Fz", "Cz", "Pz", "Oz"]
ONSETS = 1.0 + 1.5 * np.arange(12)
WINDOW = (0.1, 0.3)
Write = Callable[[Path, np.ndarray], None]


def microvolts() -> np.ndarray:
    """Return whole steps of the 16-bit and 24-bit files, so that every format holds the same values."""
    return np.random.default_rng(0).integers(-900, 900, (len(NAMES), RATE * SECONDS)) / 10.0


def edf(path: Path, values: np.ndarray, width: int = 2) -> None:
    """Write European (16 bit) or BioSemi (24 bit) data format: a header of texts, then a record of all channels each second."""
    digital, physical = (32_000, 3_200) if width == 2 else (8_000_000, 800_000)
    count = len(values)
    first = b"0       " if width == 2 else b"\xffBIOSEMI"
    header = first + b"".join(text.encode().ljust(size) for text, size in (("X X X X", 80), ("Startdate X X X X", 80)))
    header += b"01.01.2000.00.00"
    for text, size in ((256 * (count + 1), 8), ("" if width == 2 else "24BIT", 44), (SECONDS, 8), (1, 8), (count, 4)):
        header += str(text).encode().ljust(size)
    columns = (
        [(name, 16) for name in NAMES],
        [("AgAgCl", 80)] * count,
        [("uV", 8)] * count,
        [(-physical, 8)] * count,
        [(physical, 8)] * count,
        [(-digital, 8)] * count,
        [(digital, 8)] * count,
        [("none", 80)] * count,
        [(RATE, 8)] * count,
        [("", 32)] * count,
    )
    header += b"".join(str(text).encode().ljust(size)[:size] for column in columns for text, size in column)
    steps = np.round(values * 10.0).astype("<i4")
    records = np.stack([steps[:, i * RATE : (i + 1) * RATE] for i in range(SECONDS)])
    packed = np.ascontiguousarray(records).view(np.uint8).reshape(*records.shape, 4)[..., :width]
    path.write_bytes(header + packed.tobytes())


def bdf(path: Path, values: np.ndarray) -> None:
    edf(path, values, width=3)


def eeglab(path: Path, values: np.ndarray) -> None:
    """Write the structure EEG of EEGLAB, data included."""
    from scipy.io import savemat

    places = np.zeros(
        len(NAMES), dtype=[("labels", object), ("type", object), ("X", object), ("Y", object), ("Z", object)]
    )
    for i, name in enumerate(NAMES):
        places[i] = (name, "EEG", 0.0, 0.1 * i, 1.0)
    structure = {
        "setname": "pilot", "nbchan": len(NAMES), "trials": 1, "pnts": values.shape[1], "srate": float(RATE), "xmin": 0.0,
        "xmax": values.shape[1] / RATE, "data": values.astype(np.float32), "chanlocs": places, "event": np.zeros((0, 0)),
        "epoch": np.zeros((0, 0)), "ref": "common", "icawinv": np.zeros((0, 0)), "icaweights": np.zeros((0, 0)),
    }  # fmt: skip
    savemat(path, {"EEG": structure}, appendmat=False)


def brainvision(path: Path, values: np.ndarray) -> None:
    pybv = pytest.importorskip("pybv")
    pybv.write_brainvision(
        data=1e-6 * values,
        sfreq=RATE,
        ch_names=NAMES,
        fname_base=path.stem,
        folder_out=path.parent,
        fmt="binary_float32",
    )


def fif(path: Path, values: np.ndarray) -> None:
    info = mne.create_info(NAMES, RATE, "mag" if path.stem.endswith("meg") else "eeg", verbose="error")
    mne.io.RawArray(1e-6 * values, info, verbose="error").save(path, verbose="error")


def dataset(folder: Path, write: Write, ending: str, kind: str = "eeg") -> Path:
    """Write one person's recording and events as a BIDS data set, by hand; return the recording."""
    place = folder / "data" / "sub-01" / kind
    place.mkdir(parents=True)
    (folder / "data" / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    path = place / f"sub-01_task-read_{kind}{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(path, microvolts())
    table = pd.DataFrame({"onset": ONSETS, "duration": 0.5, "trial_type": [f"w{i}" for i in range(12)]})
    table.to_csv(place / "sub-01_task-read_events.tsv", sep="\t", index=False)
    return path


def read(folder: Path, **reader: Any) -> Table:
    (folder / "study.toml").write_text("")
    reader = {"windows": [list(WINDOW)], "epoch": [0.0, 0.5]} | reader
    modality = {"name": "EEG", "recordings": "data", "cost": {"per_sample": 0.5}, "reader": reader}
    config = parse_study({"task": {"cost_per_label": 0.1}, "budget": {"total": 10.0}, "modality": [modality]})
    return read_recordings(Folder(folder / "study.toml"), config.modality[0])


def attempt(folder: Path) -> Table | BadInput:
    try:
        return read(folder)
    except BadInput as error:
        return error


FORMATS = [
    pytest.param(edf, ".edf", "eeg", mne.io.read_raw_edf, id="EDF"),
    pytest.param(bdf, ".bdf", "eeg", mne.io.read_raw_bdf, id="BDF"),
    pytest.param(eeglab, ".set", "eeg", mne.io.read_raw_eeglab, id="SET"),
    pytest.param(brainvision, ".vhdr", "eeg", mne.io.read_raw_brainvision, id="BrainVision"),
    pytest.param(fif, ".fif", "meg", mne.io.read_raw_fif, id="FIF"),
]


@pytest.mark.parametrize(("write", "ending", "kind", "library"), FORMATS)
def test_samples_are_what_the_library_reads(
    write: Write, ending: str, kind: str, library: Callable[..., Any], tmp_path: Path
) -> None:
    path = dataset(tmp_path, write, ending, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = library(path, verbose="error").get_data()
    np.testing.assert_allclose(
        own[: len(NAMES)], 1e-6 * microvolts(), rtol=1e-4, atol=1e-9
    )  # the file says what we meant
    table = read(tmp_path)
    assert table.keys["stimulus"].tolist() == [f"w{i}" for i in range(12)]
    for row, onset in enumerate(ONSETS):
        first, last = (round((onset + t) * RATE) for t in WINDOW)
        expected = own[: len(NAMES), first:last].mean(axis=1)
        np.testing.assert_allclose(table.values[row], expected, rtol=1e-5, atol=1e-12)  # noqa: PD011


MADE_ELSEWHERE = ["test_generator.edf", "test_subsecond.edf", "test_utf8.edf"]


@pytest.mark.parametrize("name", MADE_ELSEWHERE)
def test_files_of_other_programs_hold_what_another_library_reads(name: str, tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    file = Path(pyedflib.__file__).parent / "tests" / "data" / name
    if not file.is_file():
        pytest.skip("pyEDFlib is installed without its files")
    path = dataset(tmp_path, lambda to, _: shutil.copyfile(file, to) and None, file.suffix)
    with pyedflib.EdfReader(str(file)) as recording:
        count, seconds = recording.signals_in_file, float(recording.file_duration)
        (rate,) = {float(recording.getSampleFrequency(i)) for i in range(count)}
        own = np.stack([recording.readSignal(i) for i in range(count)])
        units = [recording.getPhysicalDimension(i).strip() for i in range(count)]
    window = tuple(round(t * rate) for t in WINDOW)
    first = np.linspace(0.0, (seconds - 1.0) * rate, len(ONSETS)).astype(int)
    events = path.with_name("sub-01_task-read_events.tsv")
    pd.read_csv(events, sep="\t").assign(onset=first / rate).to_csv(events, sep="\t", index=False)
    table = read(tmp_path, windows=[[start / rate for start in window]])
    volts = np.array([{"uV": 1e-6, "mV": 1e-3}.get(unit, 1.0) for unit in units])
    expected = volts * np.stack([own[:, at + window[0] : at + window[1]].mean(axis=1) for at in first])
    np.testing.assert_allclose(table.values, expected, rtol=1e-4, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(("write", "ending", "kind", "library"), FORMATS)
@pytest.mark.parametrize("part", [0.0, 0.02, 0.6])
def test_a_file_that_was_cut_off_is_one_paragraph_or_what_is_left(
    write: Write, ending: str, kind: str, library: Any, part: float, tmp_path: Path
) -> None:
    path = dataset(tmp_path, write, ending, kind)
    data = path.with_suffix(".eeg") if ending == ".vhdr" else path
    data.write_bytes(data.read_bytes()[: int(part * data.stat().st_size)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = attempt(tmp_path)
    if isinstance(found, BadInput):
        assert "\n" not in str(found)
    else:
        assert np.isfinite(found.values).all()


def test_one_recording_in_two_formats_is_asked_about(tmp_path: Path) -> None:
    path = dataset(tmp_path, edf, ".edf")
    bdf(path.with_suffix(".bdf"), microvolts())
    with pytest.raises(BadInput, match=r"ending"):
        read(tmp_path)
    assert len(read(tmp_path, ending=".edf")) == 12
