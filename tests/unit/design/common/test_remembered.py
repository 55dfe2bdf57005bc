"""Where results lie is remembered between commands, and only there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from brainworth.design.common.remembered import forgotten_at_the_end, remember, remember_in, remembered


def test_a_path_is_remembered_until_the_command_ends(tmp_path: Path) -> None:
    kept = tmp_path / "posterior.nc"
    kept.write_bytes(b"")
    remember("mark", kept)
    assert remembered("mark") is None
    with forgotten_at_the_end():
        remember_in(tmp_path / "places")
        remember("mark", kept)
        assert remembered("mark") == kept
        assert remembered("another") is None
        (tmp_path / "places" / "bad").write_bytes(b"\xff\x00")
        assert remembered("bad") is None
        kept.unlink()
        assert remembered("mark") is None
    with suppress(RuntimeError), forgotten_at_the_end():
        remember_in(tmp_path / "places")
        raise RuntimeError
    kept.write_bytes(b"")
    assert remembered("mark") is None
