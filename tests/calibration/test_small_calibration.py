"""A small simulation-based calibration: truths drawn from the prior lie where the posterior says, and a wrong twin fails.

The full run is ``case_studies/calibration/run.py``. With n worlds and quantity-wise 90 % intervals, the number of misses
is binomial(n, 0.1); a quantity fails when the number has probability below 2e-4. Over the eleven quantities that is a
false-alarm rate of about 0.2 %.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from brainworth.models.worlds.simulate import Realism

sys.path.append(str(Path(__file__).parents[2] / "case_studies"))

from simulated_fits import GAIN_SPREAD, PilotShape, Settings, Verdict, draw_system, draw_world, examine, world_priors

WORLDS = 8
FALSE_ALARM = 2e-4
JUDGED = ((300.0, 120.0), (300.0, 1000.0), (2000.0, 120.0), (2000.0, 1000.0), (10000.0, 3000.0))


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    shape = PilotShape(features=40, channels=12, samples=300, labels=120, stimuli=500)
    priors = world_priors()
    settings = Settings(JUDGED, JUDGED[:1])
    found: list[Verdict] = []
    for world in range(WORLDS):
        rng = np.random.default_rng([7, world])
        system = draw_system(rng, priors, shape)
        realism = Realism(gain_spread=abs(GAIN_SPREAD * rng.standard_normal()))
        found.append(examine(draw_world(system, rng, shape, realism), priors, shape, settings))
    return found


def misses(verdicts: list[Verdict], name: str, squeeze: float = 1.0) -> int:
    """Return how many truths lie outside of the 90 % interval, which is squeezed around its median."""
    count = 0
    for verdict in verdicts:
        low, middle, high = np.quantile(verdict.draws[name], [0.05, 0.5, 0.95])
        low, high = middle - squeeze * (middle - low), middle + squeeze * (high - middle)
        count += not low <= verdict.truth[name] <= high
    return count


def test_intervals_hold_as_often_as_they_say(verdicts: list[Verdict]) -> None:
    too_many = int(binom.isf(FALSE_ALARM, WORLDS, 0.1))
    counts = {name: misses(verdicts, name) for name in verdicts[0].truth}
    assert max(counts.values()) <= too_many, counts


def test_an_overconfident_posterior_fails(verdicts: list[Verdict]) -> None:
    too_many = int(binom.isf(FALSE_ALARM, WORLDS, 0.1))
    counts = {name: misses(verdicts, name, squeeze=0.2) for name in verdicts[0].truth}
    assert max(counts.values()) > too_many, counts


def test_chains_do_not_diverge(verdicts: list[Verdict]) -> None:
    assert np.mean([verdict.diverging for verdict in verdicts]) < 0.02
