"""Files of summaries: every wrong one is refused in one paragraph, and what is said about what they reveal is true."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.cli.app import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.summaries.format import SiteSummary, channels_of, read_summary, write_summary
from sites import FEATURES, PEOPLE, exchanged, tables, write_site, write_study

_HELD = [{"EEG": ("p1", "p2"), "fMRI": ("p1",)}, {"EEG": ("p3", "p4"), "fMRI": ("p3", "q1")}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sites, their files of both rounds, and the files' study in memory."""
    path = tmp_path_factory.mktemp("exchange")
    sites = [write_site(path / name, tables(), held) for name, held in zip("ab", _HELD, strict=True)]
    exchanged(path, sites, 2)
    return path


def plans(folder: Path, files: list[Path]) -> Study:
    """Return the study that plans from some files."""
    return Study.from_file(folder / "a" / "study.toml").with_summaries(files)


def changed(folder: Path, to: Path, change: Callable[[dict[str, np.ndarray]], None], file: str = "b_2.npz") -> Path:
    """Write a copy of a file of site b with other arrays."""
    with np.load(folder / file) as found:
        arrays = dict(found)
    change(arrays)
    np.savez(to / "b_2.npz", allow_pickle=False, **arrays)
    return to / "b_2.npz"


def _header(text: bytes, other: bytes) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        before = arrays["header"].tobytes()
        assert text in before
        arrays["header"] = np.frombuffer(before.replace(text, other, 1), dtype=np.uint8)

    return change


def _array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, np.ndarray]], None]:
    def changes(arrays: dict[str, np.ndarray]) -> None:
        arrays[name] = change(arrays[name])

    return changes


def _without(name: str) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        del arrays[name]

    return change


WRONG: dict[str, tuple[Callable[[dict[str, np.ndarray]], None], str]] = {
    "another format": (_header(b"summary/1", b"summary/9"), r"of format 'brainworth.summary/9'"),
    "unknown key": (_header(b'"version"', b'"verdict"'), r"header, .* of another format"),
    "another seed": (_header(b'"seed":3', b'"seed":4'), r"made with study.seed = 4, this study has 3"),
    "no header": (_without("header"), r"it has no header"),
    "an array is missing": (
        _without("0_gram"),
        r"EEG, subject 'p3': the array 'gram' is missing",
    ),
    "not finite": (
        _array("0_gram", lambda v: np.where(v == v.max(), np.nan, v)),
        r"'gram' holds a value that is not finite",
    ),
    "channels": (_array("1_cross", lambda v: v[:, :, 1:]), r"EEG, subject 'p4': the array 'cross' has the shape"),
    "no symmetry": (_array("0_gram", np.triu), r"not those of any recording"),
    "text": (_array("0_stimulus", lambda v: v.astype(str)), r"something other than numbers"),
    "unknown stimulus": (_array("0_stimulus", lambda v: v + 900), r"of no stimulus"),
    "read-outs": (_array("0_raw", lambda v: 1.01 * v), r"read-outs contradict its moments"),
    "moments": (_array("0_cross", lambda v: 1.01 * v), r"made together with other summaries"),
    "another modality": (_header(b'"modality":"EEG"', b'"modality":"EEC"'), r"modality 'EEC'.*Did you mean 'EEG'"),
    "twice": (_header(b'"subject":"p3"', b'"subject":"p1"'), r"subject 'p1' \(EEG\) is in .*--pseudonyms"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused(folder: Path, tmp_path: Path, case: str) -> None:
    change, message = WRONG[case]
    with pytest.raises(BadInput, match=message) as error:
        plans(folder, [folder / "a_2.npz", changed(folder, tmp_path, change)])
    assert "\n" not in str(error.value)


def test_files_that_are_no_summaries_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    whole = (folder / "b_2.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with (
        zipfile.ZipFile(folder / "b_2.npz") as source,
        zipfile.ZipFile(tmp_path / "small.npz", "w", zipfile.ZIP_DEFLATED) as to,
    ):
        for info in source.infolist():
            to.writestr(info.filename, source.read(info))
    np.savez(tmp_path / "objects.npz", header=np.array([{}], dtype=object))
    for name in ("text", "half", "flipped", "small", "objects"):
        with pytest.raises(BadInput, match=rf"{name}.npz: it is no summary, or a damaged one"):
            plans(folder, [folder / "a_2.npz", tmp_path / f"{name}.npz"])
    with pytest.raises(BadInput, match="does not exist"):
        plans(folder, [folder / "none.npz"])


def test_rounds_and_sets_are_told_apart(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"a_1.npz: it is of the first round"):
        plans(folder, [folder / "a_1.npz", folder / "b_1.npz"])
    with pytest.raises(BadInput, match="made together with other summaries"):
        plans(folder, [folder / "a_2.npz"])


def test_other_stimuli_and_labels_are_refused(folder: Path, tmp_path: Path) -> None:
    data = tables()
    files = [folder / "a_2.npz", folder / "b_2.npz"]
    for name, column, message in (("stimuli", "f0", "of other stimuli"), ("labels", "label", "beside other labels")):
        table = data[name].copy()
        table.loc[0, column] += 1.0
        study = Study.from_file(write_site(tmp_path / name, data | {name: table}, _HELD[0]))
        with pytest.raises(BadInput, match=message):
            study.with_summaries(files)


def test_the_study_file_names_summaries(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [{"name": n, "cost": {"per_sample": 0.5}, "summaries": ["a_2.npz", "b_2.npz"]} for n in PEOPLE]
    study = write_study(folder, tables(), blocks)
    assert main(["check", str(study)]) == 0
    assert "are not checked here" in " ".join(capsys.readouterr().out.split())
    for command in (["backtest", str(study)], ["controls", str(study), "--out", str(folder / "out")]):
        assert main(command) == 2
        assert "summaries do not carry them" in capsys.readouterr().err
    assert main(["summarise", str(study), "--out", str(folder / "c.npz")]) == 2
    assert "has summaries instead of recordings" in capsys.readouterr().err
    with pytest.raises(BadInput, match="those of one seed"):
        Study.from_file(study).fit(seed=8)
    for changes, message in (
        ({"recordings": "x.csv"}, "both recordings and summaries"),
        ({"summary": ["a_2.npz"]}, "Did you mean 'summaries'"),
    ):
        write_study(folder, tables(), [blocks[0] | changes])
        assert main(["check", str(study)]) == 2
        assert message in capsys.readouterr().err


def test_few_stimuli_give_the_recordings_away(folder: Path, tmp_path: Path) -> None:
    """The mean response to a stimulus follows from X'R where a fold has no more stimuli than features; the command says so."""
    data = tables()
    ample = Study.from_file(folder / "a" / "study.toml").summarise(tmp_path / "ample.npz")
    assert not any("exactly" in sentence for sentence in ample.reveals)
    few = data["stimuli"]["stimulus"].tolist()[:25]
    held = {name: table.loc[table["stimulus"].isin(few)] for name, table in data.items() if name in PEOPLE}
    site = write_site(tmp_path / "few", data | held, {"fMRI": ("p1",)})
    study = Study.from_file(site)
    told = study.summarise(tmp_path / "few.npz")
    assert any("exactly" in sentence for sentence in told.reveals)
    one = channels_of(read_summary(tmp_path / "few.npz", "few.npz").recordings[0])
    from brainworth.design.pilot.summaries.together import folds_of

    fold = folds_of(study.pilot, 3)[one.stimulus]
    features = study.pilot.features[one.stimulus]
    features = features - features.mean(axis=0)
    which = next(f for f in range(5) if 0 < np.sum(fold == f) <= FEATURES)
    computed = np.linalg.pinv(features[fold == which].T) @ one.folds.cross[which]
    recorded = study.pilot.recordings[0].in_memory
    recorded = recorded - recorded.mean(axis=0)
    rows = [int(np.flatnonzero(study.pilot.recordings[0].stimulus == s)[0]) for s in one.stimulus[fold == which]]
    assert computed == pytest.approx(recorded[rows], abs=1e-6)


def test_a_file_is_read_back_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    first = read_summary(folder / "a_2.npz", "a")
    write_summary(tmp_path / "again.npz", first.header, first.recordings)
    again = read_summary(tmp_path / "again.npz", "a")
    assert isinstance(again, SiteSummary)
    assert again.header == first.header
    assert again.marks == first.marks
