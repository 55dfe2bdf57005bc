"""Data where they are: paths lead out of the study's folder only for one who allows it; what never ends is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.study import StudyData
from brainworth.design.study_file.scaffold import write_example


@pytest.fixture
def apart(tmp_path: Path) -> tuple[Path, Path]:
    """Return the study file and the folder of its data, side by side."""
    write_example(tmp_path / "data")
    study = tmp_path / "project" / "study.toml"
    study.parent.mkdir()
    (tmp_path / "data" / "study.toml").rename(study)
    return study, tmp_path / "data"


def rooted(study: Path, root: str) -> None:
    text = study.read_text()
    assert "[study]\n" in text
    study.write_text(text.replace("[study]\n", f'[study]\ndata_root = "{root}"\n', 1))


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_data_root_elsewhere_is_read_if_it_is_allowed(
    apart: tuple[Path, Path], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study, data = apart
    rooted(study, data.as_posix() if kind == "absolute" else "../data")
    with pytest.raises(BadInput, match=r"study > data_root: the path .* leaves the study's folder.*--allow-outside"):
        StudyData.from_file(study)
    assert main(["check", str(study), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    read = StudyData.from_file(study, allow_outside=True)
    assert {"stimuli.csv", "labels.csv", "eeg.csv"} < set(read.digest)
    assert main(["check", "--allow-outside", str(study), "--quiet"]) == 0
    assert main(["check", str(study), "--quiet"]) == 2


def test_links_and_absolute_paths_are_followed_if_it_is_allowed(apart: tuple[Path, Path]) -> None:
    study, data = apart
    for name in ("stimuli.csv", "labels.csv"):
        (study.parent / name).symlink_to(data / name)
    study.write_text(study.read_text().replace('"eeg.csv"', f'"{(data / "eeg.csv").as_posix()}"'))
    with pytest.raises(BadInput, match=r"leads out of the study's folder by a link|leaves the study's folder"):
        StudyData.from_file(study)
    read = StudyData.from_file(study, allow_outside=True)
    assert len(read.pilot.recordings) == 2
    assert any(name.endswith("data/eeg.csv") for name in read.digest)


def test_a_root_within_the_folder_needs_no_permission(tmp_path: Path) -> None:
    write_example(tmp_path / "tables")
    (tmp_path / "tables" / "study.toml").rename(tmp_path / "study.toml")
    rooted(tmp_path / "study.toml", "tables")
    assert len(StudyData.from_file(tmp_path / "study.toml").pilot.recordings) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are named on POSIX systems only")
def test_pipes_are_refused_at_once(tmp_path: Path) -> None:
    write_example(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "store.zarr").mkdir()
    os.mkfifo(tmp_path / "store.zarr" / ".zarray")
    study = tmp_path / "study.toml"
    assert main(["check", str(tmp_path / "pipe.toml"), "--quiet"]) == 2
    text = study.read_text()
    for name in ("pipe.csv", "store.zarr"):
        study.write_text(text.replace('"eeg.csv"', f'"{name}"'))
        with pytest.raises(BadInput, match=r"not a regular file|device or a pipe"):
            StudyData.from_file(study)


def test_an_option_without_a_value_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example(tmp_path)
    assert main(["plan", str(tmp_path / "study.toml"), "--out", ""]) == 2
    assert capsys.readouterr().err.startswith("--out: it is empty")


def test_every_file_has_a_hash(tmp_path: Path) -> None:
    write_example(tmp_path)
    assert set(Folder(tmp_path / "study.toml").digest) == {"study.toml"}
