"""A process lets go of compiled programs before it holds more of them than the system allows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from brainworth.design.common import runtime


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not list memory mappings")
def test_programs_are_let_go_only_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[int] = []

    @jax.jit
    def traced(x: jax.Array) -> jax.Array:
        compiled.append(x.size)
        return 2.0 * x

    limit = tmp_path / "max_map_count"
    monkeypatch.setattr(runtime, "_MOST_MAPPINGS", limit)
    traced(jnp.ones(3))
    limit.write_text("100000000\n")
    assert not runtime.release_programs()
    traced(jnp.ones(3))
    assert compiled == [3]
    limit.write_text("10\n")
    assert not runtime.release_programs(every=3600.0), "looked a moment ago"
    assert runtime.release_programs()
    assert traced(jnp.ones(3)).tolist() == [2.0, 2.0, 2.0]
    assert compiled == [3, 3], "compiled again, with the same result"


def test_a_worker_that_has_imported_jax_already_uses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the workers of a script do that imports it."""
    before = jax.config.values["jax_compilation_cache_dir"]
    monkeypatch.setenv("BRAINWORTH_CACHE", str(tmp_path))
    try:
        runtime.cache_from_the_start()
        assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "compiled")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_nothing_happens_where_the_system_has_no_such_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_MOST_MAPPINGS", tmp_path / "none")
    assert not runtime.release_programs(0.0)


def test_a_program_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is being written nobody can read it, and a process that is stopped there leaves nothing."""
    from jax._src.lru_cache import LRUCache

    runtime.write_programs_whole()
    cache, entry = LRUCache(str(tmp_path), max_size=-1), tmp_path / "key-cache"
    write, seen = Path.write_bytes, []

    def slowly(self: Path, value: bytes) -> int:
        write(self, value[:3])
        seen.append(cache.get("key"))
        if b"stopped" in value:
            raise KeyboardInterrupt
        return write(self, value)

    monkeypatch.setattr(Path, "write_bytes", slowly)
    with pytest.raises(KeyboardInterrupt):
        cache.put("key", b"stopped half-way")
    assert list(tmp_path.iterdir()) == []
    cache.put("key", b"whole")
    cache.put("key", b"another")
    assert seen == [None, None]
    assert entry.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [entry]


def test_their_own_way_of_writing_shows_half_a_program(tmp_path: Path) -> None:
    """The twin without our change, in a process of its own: half an entry is what another process reads."""
    code = f"""
from pathlib import Path
from jax._src.lru_cache import LRUCache
cache, write, seen = LRUCache({str(tmp_path)!r}, max_size=-1), Path.write_bytes, []
def slowly(self, value):
    write(self, value[:3])
    seen.append(cache.get("key"))
    return write(self, value)
Path.write_bytes = slowly
cache.put("key", b"whole")
print(seen)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.strip() == "[b'who']"
