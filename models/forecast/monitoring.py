"""A rule for stopping early that holds however often one looks: a confidence sequence of the mean of paired gains.

In: paired gains in [-1, 1] in the order in which they came (one per held-out label, or per session). Out: an interval after every
gain; with probability 1 - level the true mean lies in *all* of them, so that one may look after every session and stop at will.
The gains may differ in distribution as long as each has the same mean given those before. Method: betting (Waudby-Smith and
Ramdas 2024, JRSS B 86:1-27, hedged capital process). For a mean m, two gamblers bet on gains above and below m with
stakes that depend on earlier gains only; if m is the mean, their joint capital is a non-negative martingale that exceeds 1 / level
with probability at most level (Ville). Means whose gamblers got that rich are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

Decision = Literal["stop", "go on", "enough"]

MEANS = np.unique(np.concatenate([np.linspace(-1.0, 1.0, 201), np.linspace(-0.1, 0.1, 401)]).round(9))
"""Candidate means, finer where gains usually are; the interval is widened to the next candidate on both sides."""
_SAFETY = 0.5
"""Largest share of the stake that cannot ruin a gambler."""


@dataclass(frozen=True)
class Sequence:
    """A confidence sequence of the mean gain."""

    low: Float[np.ndarray, "*study look"]
    """Lower limit after each gain; never falls."""
    high: Float[np.ndarray, "*study look"]
    """Upper limit after each gain; never rises."""

    def decided(self, worthwhile: float) -> tuple[Bool[np.ndarray, "*study look"], Bool[np.ndarray, "*study look"]]:
        """Return where the gain is surely above, and where it is surely below, what is worth recording for."""
        return self.low > worthwhile, self.high < worthwhile


def stakes(gains: Float[np.ndarray, "*study look"], level: float) -> Float[np.ndarray, "*study look"]:
    """Return the stake at every look, from earlier gains only ("predictable plug-in", Waudby-Smith and Ramdas 2024, section 3)."""
    unit = (np.asarray(gains) + 1.0) / 2.0
    number = np.arange(1, unit.shape[-1] + 1)
    mean = (0.5 + np.cumsum(unit, axis=-1)) / (number + 1.0)
    variance = (0.25 + np.cumsum((unit - mean) ** 2, axis=-1)) / (number + 1.0)
    before = np.concatenate([np.full((*unit.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    return np.sqrt(2.0 * np.log(2.0 / level) / (before * number * np.log(1.0 + number)))


def log_capital(gains: Float[np.ndarray, "*study look"], mean: float, level: float) -> Float[np.ndarray, "*study look"]:
    """Return the log capital of the two gamblers together against one mean (in the unit of the gains)."""
    unit, m = (np.asarray(gains) + 1.0) / 2.0, (mean + 1.0) / 2.0
    stake = stakes(gains, level)
    up = np.minimum(stake, _SAFETY / max(m, 1e-12))
    down = np.minimum(stake, _SAFETY / max(1.0 - m, 1e-12))
    rich = np.cumsum(np.log1p(up * (unit - m)), axis=-1)
    poor = np.cumsum(np.log1p(-down * (unit - m)), axis=-1)
    return np.logaddexp(rich, poor) - np.log(2.0)


def confidence_sequence(gains: Float[np.ndarray, "*study look"], level: float = 0.05) -> Sequence:
    """Return the confidence sequence of the mean of gains in [-1, 1].

    Parameters
    ----------
    gains
        Paired gains in their order; leading axes are independent studies.
    level
        Bound on the probability that the mean is ever outside.

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
    low: NDArray[np.float64] = np.full(values.shape, 1.0)
    high: NDArray[np.float64] = np.full(values.shape, -1.0)
    wide = np.concatenate([[-1.0], MEANS, [1.0]])
    for before, mean, after in zip(wide, MEANS, wide[2:], strict=False):
        kept = np.maximum.accumulate(log_capital(values, float(mean), level), axis=-1) < np.log(1.0 / level)
        low = np.where(kept, np.minimum(low, before), low)
        high = np.where(kept, np.maximum(high, after), high)
    return Sequence(np.maximum.accumulate(low, axis=-1), np.minimum.accumulate(high, axis=-1))


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
        Bound on the probability of a wrong "stop" or "enough", over all looks together.
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
    sentence = (
        f"{words[decision]} (between {low:.3f} and {high:.3f} after {looks} gains, at level {level:g} over all looks)."
    )
    return Advice(decision, looks, first, low, high, sentence)
