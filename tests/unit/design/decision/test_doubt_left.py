"""What the pilot taught: exact shares, and what they do to the value of a larger pilot."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.design.decision.sensitivity.information import Experiment, sampled
from brainworth.design.decision.sensitivity.pilots import Basis
from brainworth.design.decision.sensitivity.prior import MOST, shares_left
from brainworth.models.forecast.forecast import PilotSize

EMPTY = PilotSize(*(np.zeros(1) for _ in range(8)))  # type: ignore[arg-type]


def test_shares_are_those_of_normal_variables_on_an_open_scale() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = 2.0 * rng.standard_normal(20_000), 1.0 + rng.standard_normal(20_000)
    before = {
        "alignment": 1 / (1 + np.exp(-wide)),
        "snr:EEG": np.exp(wide),
        "task_exponent": wide,
        "known": 0 * wide + 1,
    }
    after = {
        "alignment": 1 / (1 + np.exp(-narrow)),
        "snr:EEG": np.exp(narrow),
        "task_exponent": narrow,
        "known": 0 * wide + 1,
    }
    left = shares_left(after, before)
    assert set(left) == {"alignment", "snr:EEG", "task_exponent"}
    assert all(share == pytest.approx(0.25, rel=0.05) for share in left.values())
    assert shares_left(before, after)["snr:EEG"] == MOST, "a posterior that is wider than its prior has learned nothing"


def test_a_second_pilot_of_the_same_size_leaves_what_normal_variables_would() -> None:
    """Prior variance 1; a pilot of noise s leaves v = s / (1 + s); two of them leave s / (2 + s)."""
    for noise in (0.2, 1.0, 5.0):
        left = noise / (1.0 + noise)
        seen = Basis(EMPTY, reuse=True, left={"alignment": left}).data_noise("alignment")
        assert left * seen / (1.0 + seen) == pytest.approx(noise / (2.0 + noise))
    assert Basis(EMPTY, reuse=True).data_noise("alignment") == 1.0


def test_a_pilot_that_taught_nothing_makes_more_of_it_worth_little() -> None:
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(2_000)
    utilities = np.column_stack([0 * truth, truth])
    said = {
        share: sampled(utilities, Experiment(truth[:, None], np.array([1.0 / (1.0 - share)])), seed=0).value
        for share in (0.0, 0.5, MOST)
    }
    exact = {share: np.sqrt(1.0 / (1.0 + 1.0 / (1.0 - share)) / (2.0 * np.pi)) for share in said}
    for share, value in said.items():
        assert value == pytest.approx(exact[share], abs=0.04), "E max(0, posterior mean), 4 standard errors"
    assert said[0.0] > said[0.5] > said[MOST]
