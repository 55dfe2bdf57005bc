"""A rule for stopping early that holds however often one looks: limits of the mean of paired gains.

In: paired gains in [-1, 1] in the order in which they came (one per held-out label, or per session). Out: a lower and an upper
limit after every gain. The mean of a gain given those before may change: learners improve as data come in. With probability
1 - level, at all looks together, the largest of these means is above the lower limit and the smallest one below the upper limit; if
they are all the same, that is a confidence interval of the mean. Method: betting (Waudby-Smith and Ramdas 2024, JRSS B 86:1-27).
For a mean m, one gambler bets on gains above m, with stakes that depend on earlier gains only; if no mean is above m, the gambler's
capital is a non-negative supermartingale, which exceeds 2 / level with probability at most level / 2 (Ville). Where it does, m lies
below the lower limit. A second gambler bets on gains below m. Each keeps an account: in one account, as in that paper's hedged
capital, the gain of one would count against the other's mean where means change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

Decision = Literal["stop", "go on", "enough"]

MEANS = np.unique(np.concatenate([np.linspace(-1.0, 1.0, 201), np.linspace(-0.1, 0.1, 401)]).round(9))
"""Candidate means, finer where gains usually are; a limit is the last candidate that is left out."""
_SAFETY = 0.75
"""Largest share of the stake that cannot ruin a gambler."""


@dataclass(frozen=True)
class Sequence:
    """Limits of the mean gain at every look. Where the lower one lies above the upper one, the mean has changed."""

    low: Float[np.ndarray, "*study look"]
    """Lower limit after each gain; never falls."""
    high: Float[np.ndarray, "*study look"]
    """Upper limit after each gain; never rises."""

    def decided(self, worthwhile: float) -> tuple[Bool[np.ndarray, "*study look"], Bool[np.ndarray, "*study look"]]:
        """Return where the gain was surely above, and where it was surely below, what is worth recording for."""
        return self.low >= worthwhile, self.high <= worthwhile


def stakes(gains: Float[np.ndarray, "*study look"], level: float) -> Float[np.ndarray, "*study look"]:
    """Return the stake at every look, from earlier gains only ("predictable plug-in", Waudby-Smith and Ramdas 2024, section 3)."""
    unit = (np.asarray(gains) + 1.0) / 2.0
    number = np.arange(1, unit.shape[-1] + 1)
    mean = (0.5 + np.cumsum(unit, axis=-1)) / (number + 1.0)
    variance = (0.25 + np.cumsum((unit - mean) ** 2, axis=-1)) / (number + 1.0)
    before = np.concatenate([np.full((*unit.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    return np.sqrt(2.0 * np.log(2.0 / level) / (before * number * np.log(1.0 + number)))


def log_capitals(
    gains: Float[np.ndarray, "*study look"], mean: float, level: float
) -> tuple[Float[np.ndarray, "*study look"], Float[np.ndarray, "*study look"]]:
    """Return the log capital of the gamblers on gains above and below one mean (in the unit of the gains)."""
    unit, m = (np.asarray(gains) + 1.0) / 2.0, (mean + 1.0) / 2.0
    stake = stakes(gains, level)
    up = np.minimum(stake, _SAFETY / max(m, 1e-12))
    down = np.minimum(stake, _SAFETY / max(1.0 - m, 1e-12))
    rich = np.cumsum(np.log1p(up * (unit - m)), axis=-1)
    poor = np.cumsum(np.log1p(-down * (unit - m)), axis=-1)
    return rich, poor


def confidence_sequence(gains: Float[np.ndarray, "*study look"], level: float = 0.05) -> Sequence:
    """Return limits of the mean of gains in [-1, 1], valid at all looks together.

    Parameters
    ----------
    gains
        Paired gains in their order; leading axes are independent studies.
    level
        Bound on the probability that a limit is ever wrong (see the module's docstring).

    Raises
    ------
    ValueError
        If a gain is not in [-1, 1], or the level not in (0, 1).
    """
    values = np.asarray(gains, dtype=np.float64)
    if values.size == 0 or not np.all(np.abs(values) <= 1.0):
        raise ValueError("Gains must lie in [-1, 1]: divide differences of losses by the largest possible one.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"The 'level' must lie between 0 and 1. Got {level} instead.")
    low: NDArray[np.float64] = np.full(values.shape, -1.0)
    high: NDArray[np.float64] = np.full(values.shape, 1.0)
    enough = np.log(2.0 / level)
    for mean in MEANS:
        rich, poor = log_capitals(values, float(mean), level)
        low = np.where(np.maximum.accumulate(rich, axis=-1) >= enough, np.maximum(low, mean), low)
        high = np.where(np.maximum.accumulate(poor, axis=-1) >= enough, np.minimum(high, mean), high)
    return Sequence(low, high)


def within(low: str, high: str, *, changed: bool) -> str:
    """Return both limits in words; where the lower one lies above the upper one, the mean has changed between looks."""
    return f"above {low} at some looks and below {high} at others" if changed else f"between {low} and {high}"


@dataclass(frozen=True)
class Advice:
    """What the gains so far say."""

    decision: Decision
    """"stop": brain data gain less than is worthwhile; "enough": they surely gain more, the question is answered; "go on": open."""
    looks: int
    """Gains so far."""
    decided_at: int | None
    """Gain at which the decision fell; None while it is open."""
    low: float
    """Limits of the mean gain, valid at all looks together."""
    high: float
    sentence: str


def advise(gains: Float[np.ndarray, " look"], worthwhile: float = 0.0, level: float = 0.05) -> Advice:
    """Return whether to stop, from paired gains in [-1, 1] in their order.

    Parameters
    ----------
    gains
        Gain of the learner with brain data over the one without, per new held-out label or per session.
    worthwhile
        Smallest mean gain that is worth recording for, in the unit of the gains.
    level
        Bound on the probability, over all looks together, of a "stop" although the gain was worthwhile at every look, or of an
        "enough" although it never was.
    """
    found = confidence_sequence(np.asarray(gains, dtype=np.float64).reshape(1, -1), level)
    above, below = found.decided(worthwhile)
    low, high, looks = float(found.low[0, -1]), float(found.high[0, -1]), found.low.shape[1]
    either = np.flatnonzero(above[0] | below[0])
    first = int(either[0]) + 1 if either.size else None
    decision: Decision = "go on" if first is None else "enough" if above[0, first - 1] else "stop"
    words = {
        "stop": f"Stop buying brain data: the mean gain is below {worthwhile:g}",
        "enough": f"The question is answered: the mean gain is above {worthwhile:g}",
        "go on": f"Go on: whether the mean gain is above {worthwhile:g} is open",
    }
    limits = within(f"{low:.3f}", f"{high:.3f}", changed=low > high)
    sentence = f"{words[decision]} ({limits} after {looks} gains, at level {level:g} over all looks)."
    return Advice(decision, looks, first, low, high, sentence)
