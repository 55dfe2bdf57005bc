"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import HERE, remove_leftovers, require_writable, write_atomic


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    assert write_atomic(path, b"one") == path
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_an_interruption_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomic(tmp_path / "a.txt", b"old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("brainworth.design.common.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_explained(tmp_path: Path) -> None:
    write_atomic(tmp_path / "taken", b"")
    with pytest.raises(BadInput, match="cannot be written"):
        write_atomic(tmp_path / "taken" / "a.txt", b"")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS])
def test_a_fault_of_the_disk_is_one_paragraph_and_leaves_nothing(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomic(tmp_path / "a.txt", b"old")

    def fails(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    for name in ("os.fsync", "Path.replace", "Path.mkdir"):
        with monkeypatch.context() as broken:
            broken.setattr(f"brainworth.design.common.files.{name}", fails)
            with pytest.raises(BadInput, match=rf"a\.txt cannot be written: {os.strerror(code)}"):
                write_atomic(path, b"new")
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_dead_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = HERE
    gone = tmp_path / f".plan.json.{host}-{dead.pid}-0123abcd.tmp"
    stays = [
        tmp_path / f".plan.json.{host}-{os.getpid()}-0123abcd.tmp",
        tmp_path / f".plan.json.{'f' * 8}-{dead.pid}-0123abcd.tmp",
        tmp_path / ".mine.12345678.tmp",
        tmp_path / "plan.json",
    ]
    for path in (gone, *stays):
        path.write_text("x")
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == set(stays)


def test_an_occupied_output_is_known_before_the_work(tmp_path: Path) -> None:
    require_writable(tmp_path / "new", ["posterior.nc"])
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "out" / "posterior.nc").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"posterior\.nc cannot be written: it is a folder"):
        require_writable(tmp_path / "out", ["posterior.nc"])
    write_atomic(tmp_path / "file", b"")
    with pytest.raises(BadInput, match="cannot be written"):
        require_writable(tmp_path / "file", ["posterior.nc"])
