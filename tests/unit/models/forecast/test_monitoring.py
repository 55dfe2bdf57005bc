"""Looking after every gain keeps the stated rate; a naive test at every look does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from brainworth.models.forecast.monitoring import MEANS, advise, confidence_sequence, log_capitals

STUDIES, LOOKS, LEVEL = 2000, 150, 0.05
RATE = STUDIES * LEVEL + 3.0 * np.sqrt(STUDIES * LEVEL * (1 - LEVEL))
"""Wrong decisions that a rule of this level exceeds with probability below 0.002."""


def _gains(kind: str, mean: float, seed: int = 0, studies: int = STUDIES) -> np.ndarray:
    """Gains of a given mean in [-1, 1]: smooth, two-point, or rare large ones."""
    rng = np.random.default_rng(seed)
    share = (mean + 1.0) / 2.0
    shape = (studies, LOOKS)
    if kind == "beta":
        return 2.0 * rng.beta(8.0 * share, 8.0 * (1.0 - share), shape) - 1.0
    if kind == "two points":
        return np.where(rng.random(shape) < share, 1.0, -1.0)
    return np.where(rng.random(shape) < 0.05, np.where(rng.random(shape) < share, 1.0, -1.0), mean)


def _naive_wrong(gains: np.ndarray, mean: float) -> int:
    """Studies in which a two-sided t test against the true mean is ever significant, looked at after each gain from the fifth."""
    n = np.arange(1, gains.shape[1] + 1)
    average = np.cumsum(gains, axis=1) / n
    variance = (np.cumsum(gains**2, axis=1) - n * average**2) / np.maximum(n - 1, 1)
    t = (average - mean) / np.sqrt(np.maximum(variance, 1e-12) / n)
    limit = stats.t.ppf(1.0 - LEVEL / 2.0, np.maximum(n - 1, 1))
    return int((np.abs(t) > limit)[:, 4:].any(axis=1).sum())


@pytest.mark.parametrize("kind", ["beta", "two points", "rare"])
@pytest.mark.parametrize("mean", [0.0, 0.1])
def test_the_rate_holds_over_all_looks(kind: str, mean: float) -> None:
    ever = np.maximum(*log_capitals(_gains(kind, mean), mean, LEVEL)).max(axis=1) >= np.log(2.0 / LEVEL)
    assert ever.sum() <= RATE


def _changing(first: float, last: float, seed: int = 6) -> np.ndarray:
    """Gains whose mean falls or rises from look to look, as that of learners does which get more data."""
    share = (np.linspace(first, last, LOOKS) + 1.0) / 2.0
    return 2.0 * np.random.default_rng(seed).beta(8.0 * share, 8.0 * (1.0 - share), (STUDIES, LOOKS)) - 1.0


@pytest.mark.parametrize(("first", "last"), [(0.5, 0.06), (0.06, 0.5)])
def test_a_gain_that_changes_is_not_called_what_it_never_was(first: float, last: float) -> None:
    """Worthwhile at every look, so that no study may stop; mirrored, none may say enough; limits hold largest and smallest mean."""
    gains, worthwhile, enough = _changing(first, last), 0.05, np.log(2.0 / LEVEL)
    half = STUDIES * LEVEL / 2 + 3.0 * np.sqrt(STUDIES * LEVEL / 2 * (1 - LEVEL / 2))
    for values, mean, side in (
        (gains, worthwhile, 1),
        (-gains, -worthwhile, 0),
        (gains, max(first, last), 0),
        (gains, min(first, last), 1),
    ):
        ever = log_capitals(values, mean, LEVEL)[side].max(axis=1) >= enough
        assert ever.sum() <= half, (mean, side)


def test_limits_are_not_those_of_the_average_where_the_mean_changes() -> None:
    """The wrong twin: the limits, read as an interval of the mean of all gains so far, are wrong far more often than stated."""
    found = confidence_sequence(_changing(0.5, 0.06)[:300], LEVEL)
    average = np.cumsum(np.linspace(0.5, 0.06, LOOKS)) / np.arange(1, LOOKS + 1)
    assert ((found.low > average) | (found.high < average)).any(axis=1).mean() > 2.0 * RATE / STUDIES


def test_the_naive_test_at_every_look_does_not_hold_the_rate() -> None:
    """The wrong twin: the same studies, a t test after every gain."""
    gains = _gains("beta", 0.0)
    assert _naive_wrong(gains, 0.0) > 3.0 * RATE


@pytest.mark.parametrize("mean", [0.05, -0.05])
def test_limits_hold_the_mean_at_every_look(mean: float) -> None:
    gains = _gains("beta", mean, seed=1, studies=400)
    found = confidence_sequence(gains, LEVEL)
    outside = ((found.low > mean) | (found.high < mean)).any(axis=1)
    assert outside.sum() <= 400 * LEVEL + 3.0 * np.sqrt(400 * LEVEL * (1 - LEVEL))
    assert np.all(np.diff(found.low, axis=1) >= 0)
    assert np.all(np.diff(found.high, axis=1) <= 0)


def test_a_clear_gain_is_seen_before_the_end() -> None:
    found = confidence_sequence(_gains("beta", 0.4, seed=2, studies=200), LEVEL)
    above, below = found.decided(0.05)
    assert above.any(axis=1).mean() > 0.95
    assert not below.any()
    first = np.where(above.any(axis=1), above.argmax(axis=1), LOOKS)
    assert np.median(first) < LOOKS / 3  # what stopping early saves


def test_capital_is_a_martingale_at_the_mean() -> None:
    gains = _gains("two points", 0.2, seed=3, studies=20_000)[:, :12]
    for logs in log_capitals(gains, 0.2, LEVEL):
        capital = np.exp(logs)
        error = capital.std(axis=0) / np.sqrt(len(capital))
        assert np.all(np.abs(capital.mean(axis=0) - 1.0) < 4.5 * error)


def test_intervals_are_those_of_the_capital() -> None:
    gains = _gains("beta", 0.1, seed=4, studies=3)
    found = confidence_sequence(gains, LEVEL)
    for study in range(3):
        best = np.array([[logs.max() for logs in log_capitals(gains[study], float(m), LEVEL)] for m in MEANS])
        below, above = (MEANS[best[:, side] >= np.log(2.0 / LEVEL)] for side in (0, 1))
        assert found.low[study, -1] == (below.max() if below.size else -1.0)
        assert found.high[study, -1] == (above.min() if above.size else 1.0)


def test_advice_in_words() -> None:
    rng = np.random.default_rng(5)
    good = advise(np.clip(rng.normal(0.5, 0.2, 80), -1, 1), worthwhile=0.05)
    bad = advise(np.clip(rng.normal(-0.5, 0.2, 80), -1, 1), worthwhile=0.05)
    unclear = advise(np.clip(rng.normal(0.05, 0.2, 8), -1, 1), worthwhile=0.05)
    assert (good.decision, bad.decision, unclear.decision) == ("enough", "stop", "go on")
    assert good.decided_at is not None
    assert good.decided_at < 80
    assert unclear.decided_at is None
    assert "over all looks" in good.sentence


@pytest.mark.parametrize("values", [[1.5], [np.nan], []])
def test_gains_out_of_range_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        confidence_sequence(np.array(values))
