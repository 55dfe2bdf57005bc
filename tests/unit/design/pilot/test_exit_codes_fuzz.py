"""Whatever a study file or the results of a plan hold, a command ends with one of the documented codes and one paragraph."""

from __future__ import annotations

import copy
import io
import json
import math
import tempfile
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from brainworth.design.cli import main
from brainworth.design.study_file.scaffold import example_files

CODES = {0, 2, 3, 4, 130}
FILES = example_files()
ODD = st.one_of(
    st.sampled_from(
        [0, -1, 10**15, 10**30, 1e-300, 1e300, math.inf, math.nan, "", "=1+1", "../x", "nan", True, [], {}, [1, 0]]
    ),
    st.text(max_size=8),
    st.integers(-(2**62), 2**62),
    st.lists(st.floats(), max_size=3),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value of nested tables and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, part in inner for found in places(part, (*path, key))]


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    data = copy.deepcopy(data)
    part = data
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return data


def expect_one_paragraph(arguments: list[str]) -> None:
    said, told = io.StringIO(), io.StringIO()
    with redirect_stderr(told), redirect_stdout(said):
        code = main(arguments)
    assert code in CODES, (code, told.getvalue())
    assert told.getvalue().count("\n") == (1 if code else 0), told.getvalue()
    assert "Traceback" not in told.getvalue()


EXAMPLE = tomllib.loads(FILES["study.toml"].decode())
PLACES = places(EXAMPLE)


@seed(16)
@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=2))
def test_study_files_with_odd_values(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    data = EXAMPLE
    for path, value in changes:
        try:
            data = changed(data, path, value)
        except (KeyError, IndexError, TypeError):  # an earlier change has replaced the table around it
            continue
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES.items():
            (Path(folder) / name).write_bytes(content)
        (Path(folder) / "study.toml").write_text(tomli_w.dumps(data), encoding="utf-8")
        expect_one_paragraph(["check", str(Path(folder) / "study.toml"), "--quiet"])


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
SECTIONS = [
    "allocation",
    "cost",
    "performance",
    "verdict",
    "health",
    "provenance",
    "posterior",
    "alternatives",
    "certificate",
]


@seed(16)
@settings(max_examples=60, deadline=None, database=None)
@given(st.one_of(JSON, st.dictionaries(st.sampled_from(SECTIONS), JSON)), JSON, st.binary(max_size=20))
def test_results_with_odd_content(plan: Any, details: Any, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(plan, dict):
            plan = {"schema": "brainworth.plan/1", **plan}
        (Path(folder) / "plan.json").write_bytes(json.dumps(plan).encode() + (noise if len(noise) > 15 else b""))
        (Path(folder) / "details.json").write_text(json.dumps(details))
        expect_one_paragraph(["report", folder, "--quiet"])
