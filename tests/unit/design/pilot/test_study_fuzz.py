"""Whatever bytes the files hold, reading ends in a study or in one paragraph of ``BadInput``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import problem
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.files import read_table
from brainworth.design.study_file.config import parse_study
from brainworth.design.study_file.scaffold import example_files
from brainworth.design.study_file.system_file import parse_system

FILES = example_files()
WANTED = Wanted(("stimulus",), ("group",), number_word="feature")


def assert_one_paragraph(error: BadInput) -> None:
    message = str(error)
    assert message.isprintable()
    assert message.strip() == message
    assert len(message) < 1500


def read_study(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            Study.from_file(Path(folder) / "study.toml")
        except BadInput as error:
            assert_one_paragraph(error)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_files(name: str, data: st.DataObject) -> None:
    """Bytes of one file are overwritten, removed or inserted."""
    content = FILES[name]
    start = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, 40))
    noise = data.draw(
        st.one_of(st.binary(max_size=12), st.text(max_size=6).map(lambda t: t.encode("utf-8", "replace")))
    )
    read_study(FILES | {name: content[:start] + noise + content[start + length :]})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".csv", ".tsv", ".parquet", ".npz"]), st.binary(min_size=1, max_size=300))
def test_arbitrary_bytes_as_a_table(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(content)
        try:
            read_table(path, path.name, WANTED)
        except BadInput as error:
            assert_one_paragraph(error)


def _archive(suffix: str) -> bytes:
    frame = pd.DataFrame({"stimulus": [f"s{i}" for i in range(40)], "f": np.arange(40.0)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        if suffix == ".npz":
            np.savez_compressed(path, stimulus=frame["stimulus"].to_numpy(dtype=str), f=frame["f"].to_numpy())
        else:
            frame.to_parquet(path)
        return path.read_bytes()


ARCHIVES = {suffix: _archive(suffix) for suffix in (".npz", ".parquet")}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ARCHIVES)), st.data())
def test_damaged_archives(suffix: str, data: st.DataObject) -> None:
    """One to four bytes of a good archive are changed."""
    content = bytearray(ARCHIVES[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(bytes(content))
        try:
            table = read_table(path, path.name, WANTED)
        except BadInput as error:
            assert_one_paragraph(error)
        else:
            assert len(table) > 0


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "study",
        "stimuli",
        "task",
        "modality",
        "budget",
        "objective",
        "system",
        "priors",
        "name",
        "cost",
        "cost_per_label",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=6))
def test_arbitrary_configurations(data: dict[str, object]) -> None:
    for parse in (parse_study, parse_system):
        try:
            parse(data)
        except BadInput as error:
            assert_one_paragraph(error)


@given(st.text(), st.text(), st.text(min_size=1), st.text(min_size=1))
def test_every_message_is_one_paragraph(file: str, place: str, wrong: str, right: str) -> None:
    assert_one_paragraph(problem(file, place, wrong, right))
