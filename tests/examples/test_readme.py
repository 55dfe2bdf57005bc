"""The README's own code: its commands and its Python blocks run as they stand, in an empty folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from brainworth.design.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
SHELL = [
    line.split("#")[0].split()
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]
COMMANDS = [words[1:] for words in SHELL if words and words[0] == "brainworth"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


def test_readme_has_code() -> None:
    assert len(PYTHON) == 2
    assert [command[0] for command in COMMANDS] == ["init", "check", "plan"]


def test_commands_run_in_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for command in COMMANDS:
        assert main(command) == 0, command
    plan = json.loads((folder / "my_study/plan/plan.json").read_text(encoding="utf-8"))
    assert plan["schema"] == "brainworth.plan/1"
    assert plan["verdict"]["sentence"] in capsys.readouterr().out
    assert plan["cost"]["total"] <= 8000
    assert plan["certificate"]["bound"] >= plan["certificate"]["objective"]
    for name in ("report.html", "posterior.nc", "details.json", "figures", "tables"):
        assert (folder / "my_study/plan" / name).exists()


def test_running_again_reuses_the_posterior_and_gives_the_same_plan(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = folder / "my_study/plan/plan.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    assert main(["plan", "my_study/study.toml", "--out", "my_study/plan", "--quiet"]) == 0
    after = json.loads(path.read_text(encoding="utf-8"))
    assert "reused" in after["provenance"]["seconds"]
    for block in ("allocation", "cost", "posterior", "certificate", "exchange_rate"):
        assert after[block] == before[block]


@pytest.mark.parametrize("index", range(len(PYTHON)))
def test_python_blocks_run(
    index: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    exec(compile(PYTHON[index], f"README.md, Python block {index + 1}", "exec"), names)
    assert capsys.readouterr().out
    if "model" in names:
        prediction = names["model"].predict(np.zeros((1, 20)))  # pyright: ignore[reportAttributeAccessIssue]
        assert np.isfinite(prediction).all()
