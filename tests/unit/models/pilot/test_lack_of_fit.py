"""Lack of fit and the order of labels: found where they are, with stated rates of false alarms where they are not."""

from __future__ import annotations

import time

import numpy as np
import pytest

from brainworth.models.pilot.label_order import FALSE_ALARM, FEWEST, LabelOrder, label_order
from brainworth.models.pilot.lack_of_fit import LackOfFit, held_out, lack_of_fit, some_groups


def _world(seed: int, kind: str, labels: int = 200, seen: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and groups of four; a third of the labels' variance is noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((labels, seen)) * np.arange(1, seen + 1) ** -0.5
    score = x @ rng.standard_normal(seen)
    score = (score - score.mean()) / score.std()
    signal = {"linear": score, "saturating": 1.5 * np.tanh(2.0 * (score - 0.8)), "smooth": np.sin(2.0 * x[:, 0]) * 1.5}[
        kind
    ]
    noise = rng.standard_t(4, labels) / np.sqrt(2.0)
    return x, signal / signal.std() + 0.7 * noise, np.arange(labels) // 4


def _fit(seed: int, kind: str) -> LackOfFit:
    x, y, group = _world(seed, kind)
    found = lack_of_fit(y, held_out(x, y, group), group)
    assert found is not None
    return found


def test_linear_worlds_hardly_ever_lack_fit() -> None:
    """With a rate of at most 0.5 %, two alarms or more in 40 worlds have a probability of under 2 %."""
    assert sum(_fit(seed, "linear").found for seed in range(40)) <= 1


@pytest.mark.parametrize("kind", ["saturating", "smooth"])
def test_nonlinear_worlds_lack_fit(kind: str) -> None:
    """Most of 10 pilots of 200 labels show it."""
    assert sum(_fit(seed, kind).found for seed in range(10)) >= 7


def test_fits_to_labels_that_were_seen_give_false_alarms() -> None:
    """The wrong twin: the nonlinear learner is judged by labels it was trained on."""
    alarms = 0
    for seed in range(6):
        x, y, _ = _world(seed, "linear", labels=80)
        twice = np.concatenate([x, x]), np.concatenate([y, y]), np.arange(160)
        found = lack_of_fit(twice[1], held_out(*twice), twice[2])
        assert found is not None
        alarms += found.found
    assert alarms >= 4


def test_it_is_cheap() -> None:
    """1,000 labels and 300 features take about 2 s of processor time; 4 leave room for slower machines."""
    x, y, group = _world(0, "linear", 1000, 300)
    begun = time.process_time()
    held_out(x, y, group)
    assert time.process_time() - begun < 4.0


def test_of_many_stimuli_whole_groups_are_looked_at() -> None:
    """About as many as asked for."""
    group = np.repeat(np.arange(100), 7)
    kept = some_groups(group, 300)
    assert 290 < kept.sum() <= 300
    assert not set(group[kept]) & set(group[~kept])


def _order(seed: int, kind: str) -> LabelOrder:
    """Return what 150 residuals say, with heavy tails and runs of three that have something in common."""
    rng = np.random.default_rng(seed)
    run = np.arange(150) // 3
    residual = rng.standard_t(4, 150) + rng.standard_normal(50)[run]
    residual[60:105] *= 2.5 if kind == "noisy block" else 1.0
    residual = residual + (np.linspace(-2.0, 2.0, 150) if kind == "drift" else 0.0)
    found = label_order(residual, run)
    assert found is not None
    return found


def _alarm(found: LabelOrder) -> bool:
    return found.mean.stands_out or found.noise.stands_out


def test_an_order_that_means_nothing_hardly_ever_stands_out() -> None:
    """With a rate of 1 % for mean and noise together, five alarms or more in 100 worlds have a probability of 0.3 %."""
    assert FALSE_ALARM == 0.005
    assert sum(_alarm(_order(seed, "none")) for seed in range(100)) <= 4


def test_a_drift_and_a_noisy_block_stand_out() -> None:
    """Most of 10 worlds each; the block is found where it is."""
    assert sum(_order(seed, "drift").mean.stands_out for seed in range(10)) >= 7
    blocks = [_order(seed, "noisy block").noise for seed in range(10)]
    assert sum(block.stands_out for block in blocks) >= 6
    assert abs(np.median([block.first for block in blocks]) - 61) < 10
    assert np.median([block.inside / block.outside for block in blocks]) > 1.8


def test_exchanging_single_labels_of_a_run_gives_false_alarms() -> None:
    """The wrong twin: labels that belong together count as independent."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        residual = np.repeat(rng.standard_normal(40), 8) + 0.5 * rng.standard_normal(320)
        found = label_order(residual, np.arange(320))
        assert found is not None
        alarms += found.mean.stands_out
    assert alarms > 10


def test_few_runs_say_nothing() -> None:
    """None then."""
    assert label_order(np.random.default_rng(0).standard_normal(40), np.arange(40) // 4) is None
    assert FEWEST == 20
