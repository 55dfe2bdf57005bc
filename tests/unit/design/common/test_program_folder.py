"""Programs on disk: what is not whole is not there, and what cannot be written is done without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from brainworth.design.common import runtime
from brainworth.design.common.program_folder import ProgramFolder
from brainworth.models.programs import Program, keep_programs_in, programs_kept_in


@pytest.mark.parametrize("damage", ["shortened", "one bit", "empty", "a folder"])
def test_a_damaged_file_is_no_file(tmp_path: Path, damage: str) -> None:
    store, file = ProgramFolder(tmp_path / "programs"), tmp_path / "programs" / "name"
    assert store.read("name") is None
    store.write("name", b"a program")
    assert store.read("name") == b"a program"
    whole = file.read_bytes()
    if damage == "shortened":
        file.write_bytes(whole[:-1])
    elif damage == "one bit":
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        file.unlink()
        file.mkdir()
    assert store.read("name") is None
    store.write("name", b"a program")
    assert store.read("name") == (None if damage == "a folder" else b"a program")


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = ProgramFolder(tmp_path / "file")
    store.write("name", b"a program")
    assert store.read("name") is None


def test_commands_keep_programs_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = programs_kept_in()
    monkeypatch.setenv("BRAINWORTH_CACHE", str(tmp_path))
    try:
        runtime.keep_programs()
        found = Program(lambda x: 2.0 * x, "doubled")(jnp.ones(3))
        assert found.tolist() == [2.0, 2.0, 2.0]
        assert len(list((tmp_path / "programs").iterdir())) == 1
    finally:
        keep_programs_in(before)


@pytest.mark.parametrize(
    "start",
    [
        "runtime.use_compilation_cache()",
        "runtime.cache_from_the_start(); import brainworth.models.programs; runtime.keep_programs_once_imported()",
    ],
)
def test_a_new_process_keeps_its_programs(tmp_path: Path, start: str) -> None:
    """A command, before anything else imports the models; and a worker, when its first task has imported them."""
    code = f"""
from brainworth.design.common import runtime
{start}
from brainworth.models.programs import programs_kept_in
print(programs_kept_in().path)
"""
    settings = {**os.environ, "BRAINWORTH_CACHE": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == tmp_path / "programs"
