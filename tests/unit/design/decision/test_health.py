"""The gate's backtest within the pilot: one miss is warned of, a large one or misses at every size are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import pytest

from brainworth.design.common.checks import Status
from brainworth.design.decision.health import _learning_curve  # pyright: ignore[reportPrivateUsage]
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.posterior.notes import Learned, Notes

STUDY = """
[task]
cost_per_label = 1.0
[[modality]]
name = "EEG"
[modality.cost]
per_sample = 1.0
[budget]
total = 100
[priors]
dimension = 20
max_latents = 2
"""


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> PosteriorDraws:
    path = tmp_path_factory.mktemp("health") / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return fit_study(StudyData.from_file(Path(path)), 0)


def statuses(prior: PosteriorDraws, *reached: float, error: float = 0.01) -> list[Status]:
    """Return the level of each check of a learner that reached so much with 33 % and 67 % of a pilot of 400 labels."""
    size = replace(prior.pilot, labels=jnp.asarray(400.0), samples=jnp.asarray([400.0]))
    curve = [Learned(share=share, r2=r2, error=error) for share, r2 in zip((0.33, 0.67), reached, strict=False)]
    posterior = replace(prior, pilot=size, notes=Notes(learning_curve=curve, fold_efficiency=[1.0]))
    return [check.status for check in _learning_curve(posterior)]


def test_a_learner_as_forecast_passes(prior: PosteriorDraws) -> None:
    assert statuses(prior, 0.4, 0.4) == ["ok", "ok"]


def test_one_miss_is_warned_of_and_a_large_one_refused(prior: PosteriorDraws) -> None:
    assert statuses(prior, 0.4, -0.6) == ["ok", "warn"]
    assert statuses(prior, 0.4, -3.0) == ["ok", "refuse"]


def test_misses_at_every_size_are_refused(prior: PosteriorDraws) -> None:
    assert statuses(prior, -0.6, -0.6) == ["refuse", "refuse"]


def test_a_single_size_decides_nothing_by_itself(prior: PosteriorDraws) -> None:
    assert statuses(prior, -0.6) == ["warn"]


def test_a_learner_that_is_better_than_forecast_is_never_refused(prior: PosteriorDraws) -> None:
    assert "refuse" not in statuses(prior, 5.0, 5.0)
