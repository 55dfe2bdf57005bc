"""A signal-to-noise ratio that no recording supports is said to be the prior's, and one that they contradict is refused."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.encoding_check import encoding_checks, encoding_evidence, representation_checks
from brainworth.design.posterior.fit import fit_study
from brainworth.design.posterior.notes import Notes

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
modality = { EEG = { snr = [0.3, 1.2] } }
"""


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> PosteriorDraws:
    path = tmp_path_factory.mktemp("prior") / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return fit_study(Study.from_file(path), 0)


def _with_pilot(prior: PosteriorDraws, accuracy: list[float], samples: float) -> PosteriorDraws:
    """Return a posterior that has learned nothing: the prior's draws, with a pilot of some accuracy."""
    pilot = replace(prior.pilot, samples=jnp.asarray([samples]))
    return replace(prior, pilot=pilot, notes=Notes(readout_accuracy={"EEG": accuracy}, fold_efficiency=[1.0]))


def test_no_accuracy_and_a_small_pilot_is_a_warning_with_all_numbers(prior: PosteriorDraws) -> None:
    (check,) = encoding_checks(_with_pilot(prior, [-0.01, 0.02, 0.0, -0.03], 30.0))
    assert check.status == "warn"
    assert check.value == 0.02
    (found,) = encoding_evidence(_with_pilot(prior, [-0.01, 0.02, 0.0, -0.03], 30.0))
    assert found.snr[1] == pytest.approx(0.6, rel=0.15)
    assert found.prior_snr == pytest.approx(0.6, rel=0.15)
    for said in ("r = 0.020", "standard error 0.183", f"{found.prior_snr:.2g} before", "comes from the prior"):
        assert said in check.sentence


def test_no_accuracy_and_a_large_pilot_contradicts_the_ratio(prior: PosteriorDraws) -> None:
    (check,) = encoding_checks(_with_pilot(prior, [-0.01, -0.02, 0.0, -0.03], 4000.0))
    assert check.status == "refuse"
    assert "contradict" in check.sentence


def test_a_weaker_signal_than_promised_is_a_warning(prior: PosteriorDraws) -> None:
    """Recordings that do show a signal are no reason to refuse, however little it is."""
    (check,) = encoding_checks(_with_pilot(prior, [0.06, 0.01, 0.0, 0.0], 7000.0))
    assert check.status == "warn"
    assert "weaker one than this ratio promises" in check.sentence


def test_accuracy_that_is_seen_is_well(prior: PosteriorDraws) -> None:
    (check,) = encoding_checks(_with_pilot(prior, [0.5, 0.1, 0.0, 0.0], 400.0))
    assert check.status == "ok"


def test_best_of_several_latents_of_noise_seldom_passes(prior: PosteriorDraws) -> None:
    """4,000 draws of the best of four normal variables: the share is within four standard errors of 2.5 %."""
    (found,) = encoding_evidence(_with_pilot(prior, [0.0] * 4, 400.0))
    best = np.random.default_rng(0).standard_normal((4000, 4)).max(axis=1) * found.error
    assert np.mean(best > found.chance) == pytest.approx(0.025, abs=0.01)


def test_without_recordings_there_is_nothing_to_check(prior: PosteriorDraws) -> None:
    assert list(encoding_checks(prior)) == []


def test_how_features_are_weighed_is_said_where_it_matters(prior: PosteriorDraws) -> None:
    (near,) = representation_checks(replace(prior, notes=Notes(standardised=0.3, feature_spread=20.0)))
    (clear,) = representation_checks(replace(prior, notes=Notes(standardised=0.99, feature_spread=20.0)))
    assert (near.value, clear.value) == (0.7, 0.99)
    assert "raw features are the right ones with a probability of 70%" in near.sentence
    assert "average over both" in near.sentence
    assert "The pilot has chosen" in clear.sentence
    same = replace(prior, notes=Notes(standardised=0.5, feature_spread=1.0))
    assert list(representation_checks(same)) == [], "both representations are the same"
    (blocks,) = representation_checks(replace(prior, notes=Notes(blocks={"words": 0.8, "vectors": 0.2})))
    assert blocks.value == 0.2
    assert "80% words, 20% vectors" in blocks.sentence
    assert list(representation_checks(prior)) == []
