"""The reading study session by session: studies that only grow, results that add up, and a command that runs to the last look."""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from case_data import needs_data

CASE = Path(__file__).parents[2] / "case_studies" / "reading_sessions"


def test_kept_results_add_up() -> None:
    looks = json.loads((CASE / "results" / "looks.json").read_text())
    assert len(looks) == 4
    left = 8000.0
    for before, look in zip([None, *looks], looks, strict=False):
        left -= look["spent"]
        assert look["remaining"] == pytest.approx(left)
        assert before is None or look["then"] == before["now"]
        assert look["reached"]["then"]["q05"] <= look["reached"]["r2"] <= look["reached"]["then"]["q95"], (
            "as the page says"
        )
        assert look["monitored"]["low"] < look["monitored"]["worthwhile"] < look["monitored"]["high"], (
            "as the page says"
        )
        assert look["registered"]["sha256"] == looks[0]["registered"]["sha256"]
    assert {look["decision"] for look in looks} == {"labels_instead"}


@needs_data
def test_studies_only_grow(tmp_path: Path) -> None:
    from brainworth.design.pilot.datasets import fetch

    with pytest.MonkeyPatch.context() as patch:
        for folder in (CASE.parent, CASE.parent / "reading_eeg", CASE):
            patch.syspath_prepend(str(folder))
        import reading

        sys.modules.pop("run", None)  # other case studies have one, too
        import run

        corpus: Any = reading.load(fetch("frank2015_eeg_reading"), fetch("glove50_subset"))
        small, large = (run.study_of(corpus, count, tmp_path / str(count)) for count in (40, 80))
        sys.modules.pop("run")
    assert small.config.budget.total == large.config.budget.total == 8000
    for name in ("labels.csv", "eeg.csv"):
        before, after = (pd.read_csv(tmp_path / count / name) for count in ("40", "80"))
        assert len(after) > len(before)
        assert len(after.merge(before)) == len(before), "nothing that was there is gone or has changed"


@needs_data
@pytest.mark.slow
def test_command_runs_to_the_last_look(tmp_path: Path) -> None:
    command = [sys.executable, str(CASE / "run.py"), "--out", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert len(json.loads((tmp_path / "looks.json").read_text())) == 4
    assert (tmp_path / "look_4" / "report.html").is_file()
