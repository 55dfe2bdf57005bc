"""Faults of the disk at every write and read of a command: exit code 2, one paragraph, nothing half written.

Errors are raised where Python opens, flushes and renames files; a full disk is also a real one (a tiny tmpfs), where mounting is
allowed.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brainworth.design.api import load_plan
from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.study_file.scaffold import write_example

REPORTS = Path(__file__).parents[3] / "saved_reports"
SYSTEM = """\
signal_variance = 1.0
noise_variance = 1.5
alignment = [0.7]
[spectrum]
dimension = 12
exponent = 1.0
[[source]]
name = "EEG"
channels = 4
snr = [1.0]
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, temporary ones included."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, code: int) -> Callable[[], int]:
    """Let the call of this number of ``os.fsync`` or ``Path.replace`` fail; return what tells how many there were."""
    owner: Any = os if name == "fsync" else Path
    true, calls = getattr(owner, name), 0

    def fails(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(code, os.strerror(code))
        return true(*given, **options)

    monkeypatch.setattr(owner, name, fails)
    return lambda: calls


def expect_one_paragraph(capsys: pytest.CaptureFixture[str], said: str) -> None:
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_write_of_init_fails(
    name: str,
    code: int,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as broken:
        failing(broken, name, number, code)
        assert main(["init", str(tmp_path / "new")]) == 2
    expect_one_paragraph(capsys, os.strerror(code))
    assert contents(tmp_path) == {}
    assert main(["init", str(tmp_path / "new"), "--quiet"]) == 0


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_write_of_simulate_fails(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "system.toml").write_text(SYSTEM)
    asked = ["simulate", str(tmp_path / "system.toml"), "--brain", "EEG=60", "--task", "30", "--quiet", "--out"]
    with monkeypatch.context() as broken:
        failing(broken, "fsync", number, errno.ENOSPC)
        assert main([*asked, str(tmp_path / "out")]) == 2
    expect_one_paragraph(capsys, "No space left on device")
    assert main([*asked, str(tmp_path / "again")]) == 0
    whole = contents(tmp_path / "again")
    assert len(whole) == 5
    left = contents(tmp_path / "out")
    assert left == {name: whole[name] for name in left}
    assert len(left) == number - 1


def test_writes_of_a_report_fail_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REPORTS / "demo", tmp_path / "plan")
    with monkeypatch.context() as counted:
        count = failing(counted, "fsync", -1, errno.ENOSPC)
        assert main(["report", str(tmp_path / "plan"), "--quiet"]) == 0
        total = count()
    old = contents(tmp_path / "plan")
    assert total == len(old) - len(contents(REPORTS / "demo"))
    for number, code in ((1, errno.EACCES), (total, errno.ENOSPC)):
        with monkeypatch.context() as broken:
            failing(broken, "fsync", number, code)
            assert main(["report", str(tmp_path / "plan"), "--quiet"]) == 2
        expect_one_paragraph(capsys, os.strerror(code))
        assert contents(tmp_path / "plan") == old


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_every_write_of_a_plan_fails_and_the_old_one_stays(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``plan.json`` and ``details.json``; the posterior's archive is tested with it (``test_archive.py``)."""
    shutil.copytree(REPORTS / "demo", tmp_path / "plan")
    plan, old = load_plan(tmp_path / "plan"), contents(tmp_path / "plan")
    new = plan.model_copy(update={"provenance": plan.provenance.model_copy(update={"seed": 12_345})})
    with monkeypatch.context() as counted:
        count = failing(counted, name, -1, code)
        plan.save(tmp_path / "elsewhere")
        total = count()
    assert total >= 2
    for number in range(1, total + 1):
        with monkeypatch.context() as broken:
            failing(broken, name, number, code)
            with pytest.raises(BadInput) as told:
                new.save(tmp_path / "plan")
        assert os.strerror(code) in str(told.value)
        assert "\n" not in str(told.value)
        left = contents(tmp_path / "plan")
        assert set(left) == set(old), "no temporary file is left"
        assert json.loads(left["plan.json"])["provenance"]["seed"] in {plan.provenance.seed, 12_345}
        assert load_plan(tmp_path / "plan").allocation == plan.allocation
    new.save(tmp_path / "plan")
    assert load_plan(tmp_path / "plan").provenance.seed == 12_345


# ------------------------------------------------------------ reads


def readable(broken: pytest.MonkeyPatch, path: Path, number: int, code: int) -> Callable[[], int]:
    """Let the file be opened so many times, then fail; of what compiled libraries open, the check before them fails."""
    true, calls = io.open, 0

    def opened(file: Any, *given: Any, **options: Any) -> Any:
        nonlocal calls
        if isinstance(file, str | os.PathLike) and Path(os.fspath(file)) == path:
            calls += 1
            if calls == number:
                raise OSError(code, os.strerror(code), str(file))
        return true(file, *given, **options)

    broken.setattr(io, "open", opened)
    broken.setattr(builtins, "open", opened)
    return lambda: calls


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("name", ["study.toml", "stimuli.csv", "labels.csv", "eeg.csv"])
def test_every_read_of_check_fails(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path)
    path, asked = tmp_path.resolve() / name, ["check", str(tmp_path.resolve() / "study.toml"), "--quiet"]
    with monkeypatch.context() as counted:
        count = readable(counted, path, -1, code)
        assert main(asked) == 0
        total = count()
    assert total >= 1
    for number in range(1, total + 1):
        with monkeypatch.context() as broken:
            readable(broken, path, number, code)
            assert main(asked) == 2, number
        expect_one_paragraph(capsys, name)


@pytest.mark.parametrize("name", ["plan.json", "details.json"])
def test_a_read_of_report_fails(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REPORTS / "demo", tmp_path / "plan")
    with monkeypatch.context() as broken:
        readable(broken, tmp_path / "plan" / name, 1, errno.EIO)
        assert main(["report", str(tmp_path / "plan"), "--quiet"]) == 2
    expect_one_paragraph(capsys, name)


def test_a_fault_that_nobody_expected_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "lib.so")

    monkeypatch.setattr("brainworth.design.api.Study.from_file", fails)
    assert main(["check", "study.toml"]) == 2
    expect_one_paragraph(capsys, f"lib.so: the system says: {os.strerror(errno.EIO)}.")


# ------------------------------------------------------------ a full disk, a kill

KILL = """
import os, signal, sys
from pathlib import Path
from brainworth.design.cli import main
number, true, calls = int(sys.argv[1]), os.fsync, [0]
def fsync(descriptor):
    calls[0] += 1
    if calls[0] == number:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    true(descriptor)
os.fsync = fsync
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_report_that_is_killed_leaves_whole_files_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    shutil.copytree(REPORTS / "demo", tmp_path / "plan")
    given = contents(tmp_path / "plan")
    asked = [sys.executable, "-c", KILL, "5", "report", str(tmp_path / "plan"), "--quiet"]
    assert subprocess.run(asked, check=False, capture_output=True).returncode == -signal.SIGKILL
    killed = contents(tmp_path / "plan")
    halves = [name for name in killed if name.endswith(".tmp")]
    assert len(halves) == 1
    assert len(killed) == len(given) + 5  # four whole files, and a half under a temporary name
    assert main(["report", str(tmp_path / "plan"), "--quiet"]) == 0
    after = contents(tmp_path / "plan")
    assert not [name for name in after if name.endswith(".tmp")]
    assert {name: after[name] for name in killed if name not in halves} == {
        n: killed[n] for n in killed if n not in halves
    }


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 kB, where mounting is allowed."""
    place, mount = tmp_path / "tiny", shutil.which("mount")
    place.mkdir()
    asked = [str(mount), "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if mount is None or subprocess.run(asked, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(full_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(REPORTS / "demo", full_disk / "plan", dirs_exist_ok=True)
    given = contents(full_disk)
    assert main(["report", str(full_disk / "plan"), "--quiet"]) == 2
    expect_one_paragraph(capsys, "No space left on device")
    left = contents(full_disk)
    assert not [name for name in left if name.endswith(".tmp")]
    assert {name: left[name] for name in given} == given
    assert all(content for content in left.values())
