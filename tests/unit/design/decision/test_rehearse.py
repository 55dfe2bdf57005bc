"""Rehearsals of purchases and the learner of a plan, from known systems and from a pilot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from brainworth.design.decision.learner import plan_learner
from brainworth.design.decision.rehearse import LEARNER, RehearsalOptions, rehearse_purchases
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import SourceSize, StudySize, Truth, simulate_study

SYSTEM = """
signal_variance = 1.0
noise_variance = 2.0
alignment = [0.5, 0.3]
[spectrum]
dimension = 40
exponent = 0.4
[[source]]
name = "EEG"
channels = 24
snr = [2.0, 0.5]
"""
STUDY = """
[system]
file = "system.toml"
[task]
cost_per_label = 30.0
max_labels = 2000
[[modality]]
name = "EEG"
new_subjects = true
[modality.cost]
per_session = 120.0
samples_per_session = 150
[budget]
total = 3000
[objective]
shift = 1.0
"""


def _known(folder: Path, study: str = STUDY) -> PosteriorDraws:
    (folder / "system.toml").write_text(SYSTEM, encoding="utf-8")
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return fit_study(StudyData.from_file(folder / "study.toml"), 0)


def _purchases(*rows: tuple[int, int, int]) -> Purchase:
    """Return purchases of (labels, samples, people)."""
    table = np.array(rows)
    return Purchase(table[:, 0], table[:, 1:2], table[:, 2:], np.ones((len(rows), 1), dtype=int))


class Backwards:
    """Workers that compute the last task first."""

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,  # noqa: ARG002 (protocol)
    ) -> Iterator[Any]:
        return iter([function(*common, *task) for task in reversed(tasks)][::-1])


def test_a_known_system_is_rehearsed_with_its_gain_over_labels_alone(tmp_path: Path) -> None:
    posterior, said = _known(tmp_path), []
    bought = _purchases((40, 1500, 1), (100, 0, 1), (60, 600, 1))
    plan, alone, other = rehearse_purchases(posterior, bought, progress=said.append)
    assert plan.gain is not None
    assert alone.gain is not None
    assert (plan.n, plan.learner, said[-1]) == (len(plan.realised), LEARNER, f"rehearsals: {plan.n} of 64 done")
    assert plan.explainable_r2.q05 < plan.explainable_r2.q50 < plan.explainable_r2.q95
    np.testing.assert_allclose(plan.explainable_r2.mean, plan.realised.mean())
    np.testing.assert_allclose(plan.gain.mean, plan.realised.mean() - alone.realised.mean())
    np.testing.assert_allclose(
        plan.r2.mean, plan.explainable_r2.mean / 3.0
    )  # tau^2 / (tau^2 + sigma^2) = 1 / 3, exactly
    assert plan.gain.mean > 3.0 * plan.gain.se
    assert plan.gain.probability > 0.8
    assert (alone.gain.mean, alone.gain.probability) == (0.0, 0.0)
    assert other.n == plan.n
    again = rehearse_purchases(posterior, bought, workers=Backwards())
    np.testing.assert_array_equal(again[0].realised, plan.realised)
    assert not np.array_equal(
        rehearse_purchases(posterior, bought, RehearsalOptions(seed=1))[0].realised, plan.realised
    )


def test_the_studys_shift_is_rehearsed(tmp_path: Path) -> None:
    options = RehearsalOptions(n=12, labels_alone=None)
    plain = rehearse_purchases(_known(tmp_path), _purchases((40, 1500, 1)), options)[0]
    shifted = rehearse_purchases(
        _known(tmp_path, STUDY.replace("shift = 1.0", "shift = 0.0")), _purchases((40, 1500, 1)), options
    )[0]
    assert plain.gain is None
    assert shifted.explainable_r2.mean > plain.explainable_r2.mean
    assert shifted.r2 == plain.r2


@pytest.fixture(scope="module")
def pilot() -> tuple[PosteriorDraws, Pilot, Pilot, Truth]:
    """A pilot of one person and 60 labels, what a belief around the truth says of it, and the new data of two more people."""
    spectrum = Spectrum.power_law(30, 0.6)
    system = System(
        spectrum=spectrum,
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.0),
        alignment=jnp.asarray([0.6, 0.2]),
        snr=jnp.asarray([[1.5, 0.5]]),
        channels=jnp.asarray([12.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    whole, truth = simulate_study(system, StudySize((SourceSize("EEG", 1200, people=3),), 140, 1400), 5)
    old = replace(
        whole,
        recordings=whole.recordings[:1],
        label_stimulus=whole.label_stimulus[:60],
        label=10.0 * whole.label[:60] + 100.0,
    )
    new = replace(
        whole,
        recordings=whole.recordings[1:],
        label_stimulus=whole.label_stimulus[60:],
        label=10.0 * whole.label[60:] + 100.0,
    )
    ids = np.array([f"s{i}" for i in range(len(whole.features))])
    features = pd.DataFrame(whole.features, columns=[f"f{i}" for i in range(30)])
    recording = old.recordings[0]
    channels = pd.DataFrame(recording.in_memory, columns=[f"c{i}" for i in range(12)])
    study = StudyData.from_frames(
        stimuli=features.assign(stimulus=ids),
        labels=pd.DataFrame({"stimulus": ids[old.label_stimulus], "label": old.label}),
        recordings={"EEG": channels.assign(stimulus=ids[recording.stimulus], subject="p1")},
        config={
            "study": {"title": "test"},
            "stimuli": {"table": "stimuli.csv"},
            "task": {"labels": "labels.csv", "cost_per_label": 1.0},
            "modality": [{"name": "EEG", "recordings": "eeg.csv", "new_subjects": True, "cost": {"per_sample": 0.1}}],
            "budget": {"total": 100.0},
        },
    )
    scale, rng, n = float(old.label.std()), np.random.default_rng(0), 200
    one = np.ones(n)
    alignment = np.column_stack([rng.uniform(0.3, 0.7, n), rng.uniform(0.0, 0.3, n)])
    unit = (10.0 / scale) ** 2
    draws = Draws(
        System(
            spectrum=spectrum,
            signal_variance=jnp.asarray(unit * rng.uniform(0.6, 1.6, n)),
            noise_variance=jnp.asarray(unit * rng.uniform(0.6, 1.6, n)),
            alignment=jnp.asarray(alignment),
            snr=jnp.asarray(rng.lognormal(0.0, 0.3, (n, 1, 2)) * [1.5, 0.5]),
            channels=jnp.asarray([12.0]),
            brain_exponent=jnp.asarray(one),
            task_exponent=jnp.asarray(one),
        ),
        jnp.ones((n, 1, MAX_PEOPLE)),
    )
    a, z = jnp.ones(1), jnp.zeros(1)
    size = PilotSize(jnp.asarray([400.0]), a, a, z, jnp.asarray(60.0), a, z, a, z)
    return (
        PosteriorDraws(study, draws, size, scale, study.config.modality_names, study.config.study.seed),
        old,
        new,
        truth,
    )


def _score(coef: np.ndarray, intercept: float, truth: Truth) -> float:
    """Return explainable R^2 in the world of the labels, 10 y + 100."""
    return 1.0 - (truth.excess_risk(coef / 10.0) + ((intercept - 100.0) / 10.0) ** 2) / truth.signal_variance


def test_the_plans_learner_reaches_what_is_rehearsed(pilot: tuple[PosteriorDraws, Pilot, Pilot, Truth]) -> None:
    posterior, _, new, truth = pilot
    rehearsed = rehearse_purchases(posterior, _purchases((80, 800, 2), (80, 0, 1)), RehearsalOptions(n=24, early=False))
    brain = [(new.features[r.stimulus], r.in_memory) for r in new.recordings]
    x, y = new.features[new.label_stimulus], new.label
    learner = plan_learner(posterior, reuse_pilot=True).fit(x, y, brain=brain)
    reached = _score(learner.coef_, learner.intercept_, truth)
    value = rehearsed[0].explainable_r2
    assert value.q05 - 0.1 < reached < value.q95 + 0.1
    assert len(learner.draw_weight_) == 40
    np.testing.assert_allclose(learner.draw_weight_.sum(), 1.0)
    assert learner.basis_.rotation.shape[1] == 30
    # Without the new recordings and without the pilot's data less is learned.
    alone = plan_learner(posterior, reuse_pilot=True).fit(x, y)
    config = posterior.study.config
    fresh = replace(
        posterior,
        study=replace(
            posterior.study,
            config=config.model_copy(update={"budget": config.budget.model_copy(update={"reuse_pilot": False})}),
        ),
    )
    unused = plan_learner(posterior, reuse_pilot=False)
    assert unused.pilot is None
    nothing = unused.fit(x, y)
    assert np.all(nothing.stage_one_.learned.maps == 0.0)
    scores = [_score(model.coef_, model.intercept_, truth) for model in (nothing, alone, learner)]
    assert scores[0] < scores[2]
    without_pilot = rehearse_purchases(fresh, _purchases((80, 800, 2), (80, 0, 1)), RehearsalOptions(n=24, early=False))
    for kept, dropped in zip(rehearsed, without_pilot, strict=True):
        assert kept.explainable_r2.mean > dropped.explainable_r2.mean


def test_pilot_labels_do_not_move_the_belief_that_they_formed(
    pilot: tuple[PosteriorDraws, Pilot, Pilot, Truth],
) -> None:
    posterior, old, new, _ = pilot
    few = plan_learner(posterior, reuse_pilot=True).fit(new.features[new.label_stimulus][:2], new.label[:2])
    assert few.draw_weight_.max() < 3.0 / 40
    # Were they counted again, as new ones, the belief would move.
    twice = plan_learner(posterior, reuse_pilot=True).fit(old.features[old.label_stimulus], old.label)
    assert twice.draw_weight_.max() > few.draw_weight_.max()


def test_a_returning_person_keeps_the_patterns(pilot: tuple[PosteriorDraws, Pilot, Pilot, Truth]) -> None:
    posterior, old, new, _ = pilot
    x, y, recording = new.features[new.label_stimulus], new.label, new.recordings[0]
    brain = [(new.features[recording.stimulus], recording.in_memory)]
    name = posterior.study.pilot.recordings[0].subject
    joined = plan_learner(posterior, reuse_pilot=True).fit(x, y, brain=brain, modality=["EEG"], person=[name])
    apart = plan_learner(posterior, reuse_pilot=True).fit(x, y, brain=brain, modality=["EEG"], person=["somebody else"])
    assert not np.allclose(joined.coef_, apart.coef_)
    assert old.recordings[0].subject != recording.subject
