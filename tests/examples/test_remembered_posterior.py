"""A command without a folder uses the posterior that another command saved, if nothing that it depends on has changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brainworth.design.cli import main
from brainworth.design.posterior import sampled

EVALUATE = (
    "import sys, brainworth.design.cli as c; c.main(['evaluate', *sys.argv[1:]]); print(*sys.modules, file=sys.stderr)"
)
DESIGN = ("--labels", "30", "--brain", "EEG=500", "--json", "--quiet")


def test_evaluate_reuses_the_posterior_of_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same numbers as with the folder; a change of price needs no fit; without the file it is computed again."""
    study, out = tmp_path / "study" / "study.toml", tmp_path / "out"
    assert main(["init", str(study.parent), "--quiet"]) == 0
    study.write_text(re.sub(r"(?m)^seed = \d+", "seed = 4711", study.read_text()))  # nobody else fits this study
    fitted: list[str] = []
    sample = sampled.sample_mixed
    monkeypatch.setattr(sampled, "sample_mixed", lambda *given: fitted.append("fit") or sample(*given))
    assert main(["plan", str(study), "--out", str(out), "--rehearsals", "0", "--quiet"]) == 0
    assert fitted == ["fit"]
    capsys.readouterr()
    assert main(["evaluate", str(study), *DESIGN, "--out", str(out)]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(study), *DESIGN]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert main(["compare", str(study), "--quiet"]) == 0
    study.write_text(study.read_text().replace("total = ", "total = 1"))
    assert main(["evaluate", str(study), *DESIGN]) == 0
    assert fitted == ["fit"]
    assert not _imported_by_evaluate(study) & {"arviz", "matplotlib", "numpyro", "scipy.stats", "sklearn", "xarray"}
    (out / "posterior.nc").unlink()
    monkeypatch.setattr(sampled, "sample_mixed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["evaluate", str(study), *DESIGN]) == 130


def _imported_by_evaluate(study: Path) -> set[str]:
    """Return what a new process imports that finds the posterior: nothing that samples one, which takes a second."""
    command = [sys.executable, "-c", EVALUATE, str(study), *DESIGN]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())
