"""A process lets go of compiled programs before it holds more of them than the system allows."""

from __future__ import annotations

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
