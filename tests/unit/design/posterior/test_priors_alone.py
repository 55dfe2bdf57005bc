"""Planning without any pilot: the draws are the prior's, it is said, and what is missing is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.decision.health import pilot_checks
from brainworth.design.pilot.study import PriorsOnly
from brainworth.design.posterior.fit import fit_study

STUDY = """
[task]
cost_per_label = 1.0
[[modality]]
name = "EEG"
new_subjects = true
cost = { per_sample = 0.1 }
[budget]
total = 500
[priors]
explainable = [0.2, 0.4]
"""


def _written(folder: Path, more: str) -> Path:
    path = folder / "study.toml"
    path.write_text(STUDY + more, encoding="utf-8")
    return path


def test_draws_are_the_priors(tmp_path: Path) -> None:
    """1,000 draws: the mean of a share with standard deviation 0.06 is known to 0.002, limits are five of them."""
    study = Study.from_file(_written(tmp_path, "dimension = 50\nspectrum_exponent = 0.5\n"))
    posterior = fit_study(study, 1)
    system = posterior.draws.system
    share = np.asarray(system.signal_variance / (system.signal_variance + system.noise_variance))
    assert share.mean() == pytest.approx(0.3, abs=0.01)
    assert np.quantile(share, [0.05, 0.95]) == pytest.approx([0.2, 0.4], abs=0.02)
    assert float(posterior.pilot.labels) == 0.0
    assert float(posterior.pilot.samples[0]) == 0.0
    people = np.asarray(posterior.draws.people)[:, 0, -1]
    assert people.mean() == pytest.approx(1.0, abs=0.05)
    assert [check.name for check in pilot_checks(posterior)] == ["no pilot"]
    again = fit_study(study, 1)
    assert np.array_equal(np.asarray(system.snr), np.asarray(again.draws.system.snr))


def test_the_spectrum_of_a_table_of_stimuli_is_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "\n".join(f"s{i},{a:.6f},{b:.6f}" for i, (a, b) in enumerate(rng.standard_normal((200, 2)) * [3.0, 1.0]))
    (tmp_path / "stimuli.csv").write_text(f"stimulus,a,b\n{rows}\n", encoding="utf-8")
    study = Study.from_file(_written(tmp_path, '[stimuli]\ntable = "stimuli.csv"\n'))
    assert isinstance(study.material, PriorsOnly)
    assert study.material.variance[0] / study.material.variance[1] == pytest.approx(9.0, rel=0.35)


def test_nothing_at_all_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither stimuli, labels nor recordings"):
        Study.from_file(_written(tmp_path, ""))
