"""What a prior of the signal-to-noise ratio means: the total of one sample, in the shipped file and in a study alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.posterior.fit import fit_study
from brainworth.design.posterior.literature import literature, study_priors, total_snr

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
dimension = 50
"""


def _study(folder: Path, more: str = "") -> Study:
    path = folder / "study.toml"
    path.write_text(STUDY + more, encoding="utf-8")
    return Study.from_file(path)


@pytest.mark.parametrize("latents", [1, 4])
def test_the_median_of_the_file_is_that_of_the_total(tmp_path: Path, latents: int) -> None:
    """1,000 draws: the share below the median is within four standard errors, 0.063, of one half."""
    posterior = fit_study(_study(tmp_path, f"max_latents = {latents}\n"), 0)
    entry, total = literature()["eeg"], posterior.columns()["snr:EEG"]
    assert np.mean(total < entry["snr"]) == pytest.approx(0.5, abs=0.063)
    assert np.mean(total < entry["snr"] * entry["factor"]) == pytest.approx(0.95, abs=0.028)


def test_the_interval_of_a_study_is_that_of_the_total(tmp_path: Path) -> None:
    study = _study(tmp_path, "[priors.modality.EEG]\nsnr = [0.02, 0.5]\n")
    assert total_snr(study.config, "EEG").ends == (0.02, 0.5)
    total = fit_study(study, 0).columns()["snr:EEG"]
    assert np.mean(total < 0.02) == pytest.approx(0.05, abs=0.028)
    assert np.mean(total > 0.5) == pytest.approx(0.05, abs=0.028)


def test_every_kind_says_what_it_rests_on(tmp_path: Path) -> None:
    kinds = {name: entry for name, entry in literature().items() if "snr" in entry}
    assert {"eeg", "meg", "fmri_3t", "unknown"} <= set(kinds)
    for name, entry in kinds.items():
        assert entry["basis"], name
        assert entry["citation"], name
        assert entry["factor"] > 1.0, name
    assert kinds["meg"]["snr"] == kinds["eeg"]["snr"], "largely equivalent results, by the source cited"
    priors, channels = study_priors(_study(tmp_path).config)
    assert float(priors.log_snr[0]) < np.log(kinds["eeg"]["snr"])
    assert channels.tolist() == [kinds["eeg"]["channels"]]
