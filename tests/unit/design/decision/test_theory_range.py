"""The health check that says whether a plan lies where the formula was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import pytest

from brainworth.design.allocation import ModalityPurchase, NewData
from brainworth.design.api import Study
from brainworth.design.common.checks import overall
from brainworth.design.decision.theory_range import theory_range
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study

STUDY = """
[system]
file = "system.toml"
[task]
cost_per_label = 1.0
[[modality]]
name = "EEG"
new_subjects = true
cost = { per_sample = 0.1 }
[budget]
total = 500
[objective]
SHIFT
"""
SYSTEM = """
noise_variance = 2.0
alignment = [0.3, 0.2]
[spectrum]
dimension = 120
exponent = 0.5
[[source]]
name = "EEG"
channels = 20
snr = [2.0, 1.0]
"""


def _posterior(folder: Path, system: str = SYSTEM, shift: str = "shift = 1.0") -> PosteriorDraws:
    (folder / "system.toml").write_text(system, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY.replace("SHIFT", shift), encoding="utf-8")
    return fit_study(Study.from_file(folder / "study.toml"), 0)


def _plan(samples: int, people: int = 1) -> NewData:
    return NewData(100, {"EEG": ModalityPurchase(samples, people, people, samples, 1)})


def test_a_plan_inside_of_the_range_is_fine(tmp_path: Path) -> None:
    check = theory_range(_posterior(tmp_path), _plan(2000))
    assert (check.name, check.status, check.value, check.threshold) == ("theory_range", "ok", 0.0, 0.0)
    assert "within 3 %" in check.sentence


def test_weak_latents_of_many_people_warn_and_labels_alone_do_not(tmp_path: Path) -> None:
    posterior = _posterior(tmp_path)
    weak = replace(
        posterior,
        draws=replace(posterior.draws, system=replace(posterior.draws.system, snr=0.02 * posterior.draws.system.snr)),
    )
    check = theory_range(weak, _plan(2000, people=8))
    assert check.status == "warn"
    assert check.value == 1.0
    assert "barely learned" in check.sentence
    assert overall([check]) == "warn"
    assert theory_range(weak, _plan(0)).status == "ok"


@pytest.mark.parametrize(
    ("shift", "status"), [("shift = 1.0", "ok"), ("shift = 3.0", "warn"), ("shifts = [1.0, 3.0]", "warn")]
)
def test_shared_directions_matter_for_a_shift_only(tmp_path: Path, shift: str, status: str) -> None:
    steep = SYSTEM.replace("exponent = 0.5", "exponent = 2.0")
    assert theory_range(_posterior(tmp_path, steep, shift), _plan(2000)).status == status


def test_medians_of_draws_decide(tmp_path: Path) -> None:
    posterior = _posterior(tmp_path)
    once = posterior.draws
    many = replace(
        once,
        system=replace(
            once.system,
            signal_variance=jnp.repeat(once.system.signal_variance, 3, axis=0),
            noise_variance=jnp.repeat(once.system.noise_variance, 3, axis=0),
            alignment=jnp.repeat(once.system.alignment, 3, axis=0),
            snr=once.system.snr * jnp.asarray([1e-3, 1.0, 1.0])[:, None, None],
            brain_exponent=jnp.repeat(once.system.brain_exponent, 3, axis=0),
            task_exponent=jnp.repeat(once.system.task_exponent, 3, axis=0),
        ),
        people=jnp.repeat(once.people, 3, axis=0),
    )
    assert theory_range(replace(posterior, draws=many), _plan(2000)).status == "ok"
