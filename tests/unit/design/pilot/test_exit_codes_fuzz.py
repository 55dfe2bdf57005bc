"""Whatever a study file or the results of a plan hold, a command ends with one of the documented codes and one paragraph."""

from __future__ import annotations

import copy
import io
import json
import math
import os
import tempfile
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from brainworth.design.cli import main
from brainworth.design.study_file.scaffold import example_files
from memory import watched

CODES = {0, 2, 3, 4, 130}
EXAMPLES = int(os.environ.get("BRAINWORTH_FUZZ", "60"))
"""Examples of each test; more by BRAINWORTH_FUZZ=2000."""
LONGEST = 120.0
"""Seconds that no command takes, whatever it reads, on a slow and busy machine."""
MOST_MEMORY = 1_000_000_000
"""Bytes that no command takes for inputs of some kilobytes; libraries that a first command loads are among them."""
REPORTS = Path(__file__).parents[3] / "saved_reports"
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
    start = time.monotonic()
    with watched() as taken, redirect_stderr(told), redirect_stdout(said):
        code = main(arguments)
    assert time.monotonic() - start < LONGEST
    assert (taken.bytes or 0) < MOST_MEMORY
    assert code in CODES, (code, told.getvalue())
    assert told.getvalue().count("\n") == (1 if code else 0), told.getvalue()
    assert "Traceback" not in told.getvalue()


EXAMPLE = tomllib.loads(FILES["study.toml"].decode())
PLACES = places(EXAMPLE)


@seed(16)
@settings(max_examples=EXAMPLES, deadline=None, database=None)
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


LINES = FILES["study.toml"].decode().splitlines()
SLIPS = st.sampled_from(
    [
        lambda line: line[:0],
        lambda line: line + line,
        lambda line: line + "\n" + line,
        lambda line: line[: len(line) // 2],
        lambda line: line.replace('"', "'", 1),
        lambda line: line.replace('"', ""),
        lambda line: line.replace("=", ":"),
        lambda line: line.replace("[", "").replace("]", ""),
        lambda line: line.replace("0", ",").replace("true", "True"),
        lambda line: line.replace("e", "\u0435"),
        lambda line: line.replace(".csv", "\\csv"),
        lambda line: "\x00" + line,
        lambda line: "[[study]]\n" + line,
        lambda line: line.replace("#", ""),
    ]
)


@seed(16)
@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), SLIPS), min_size=1, max_size=3), st.binary(max_size=4))
def test_study_files_with_slips_of_the_pen(changes: list[tuple[int, Any]], noise: bytes) -> None:
    lines = list(LINES)
    for number, slip in changes:
        lines[number] = slip(lines[number])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES.items():
            (Path(folder) / name).write_bytes(content)
        (Path(folder) / "study.toml").write_bytes("\n".join(lines).encode() + (noise if len(noise) > 3 else b""))
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
@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(st.one_of(JSON, st.dictionaries(st.sampled_from(SECTIONS), JSON)), JSON, st.binary(max_size=20))
def test_results_with_odd_content(plan: Any, details: Any, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(plan, dict):
            plan = {"schema": "brainworth.plan/1", **plan}
        (Path(folder) / "plan.json").write_bytes(json.dumps(plan).encode() + (noise if len(noise) > 15 else b""))
        (Path(folder) / "details.json").write_text(json.dumps(details))
        expect_one_paragraph(["report", folder, "--quiet"])


def _keys(path: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple("#" if isinstance(step, int) else step for step in path)


SAVED = {name: json.loads((REPORTS / "demo" / f"{name}.json").read_text()) for name in ("plan", "details")}
ALL_PLACES = [(name, path) for name, data in SAVED.items() for path in places(data)]
SAVED_PLACES = list({(name, *map(str, _keys(path))): (name, path) for name, path in ALL_PLACES}.values())
"""One place of each kind: not every number of a list."""


@seed(16)
@settings(max_examples=max(EXAMPLES // 8, 1), deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(SAVED_PLACES), st.one_of(ODD, st.none())), min_size=1, max_size=2))
def test_saved_results_with_odd_values(changes: list[tuple[tuple[str, tuple[Any, ...]], Any]]) -> None:
    data = dict(SAVED)
    for (name, path), value in changes:
        try:
            data[name] = changed(data[name], path, value)
        except (KeyError, IndexError, TypeError):
            continue
    with tempfile.TemporaryDirectory() as folder:
        for name, content in data.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(content))
        expect_one_paragraph(["report", folder, "--quiet"])


def test_the_bound_of_memory_can_be_exceeded() -> None:
    """The wrong twin: a block that does take more is seen, although the process has held more before."""
    with watched() as first:
        _ = bytearray(b"x") * (2 * MOST_MEMORY)
    with watched() as second:
        _ = bytearray(b"x") * (MOST_MEMORY + 2**26)
    with watched() as third:
        _ = bytearray(b"x") * (MOST_MEMORY // 2)
    if first.bytes is None:
        pytest.skip("this system does not tell the peak of a block")
    assert min(first.bytes, second.bytes or 0) > MOST_MEMORY > (third.bytes or 0)
