"""Utilities: what a distribution of explainable R^2 over posterior draws is worth.

In: performance values ``[..., draw]``. Out: one number per design, ``[...]``. Every utility is nondecreasing in each draw's
value, which the certificate of the allocation relies on. Errors: a level or a share outside (0, 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput

Values = Float[np.ndarray, "*design draw"]
Utilities = Float[np.ndarray, "*design"]


class Utility(Protocol):
    """A nondecreasing functional of performance over draws."""

    @property
    def name(self) -> str:
        """Name for reports."""
        ...

    def __call__(self, values: Values) -> Utilities:
        """Return the utility of each design."""
        ...


def _checked(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise BadInput(f"The '{name}' of a utility must lie between 0 and 1. Got {value} instead.")


@dataclass(frozen=True)
class Mean:
    """Expected explainable R^2."""

    name: str = "mean"

    def __call__(self, values: Values) -> Utilities:
        """Return the mean over draws."""
        return values.mean(axis=-1)


@dataclass(frozen=True)
class Quantile:
    """The explainable R^2 that is exceeded with probability 1 - level."""

    level: float = 0.1
    name: str = "quantile"

    def __post_init__(self) -> None:
        _checked(self.level, "level")

    def __call__(self, values: Values) -> Utilities:
        """Return the sample quantile (linear between order statistics, as NumPy's default)."""
        return np.quantile(values, self.level, axis=-1)


@dataclass(frozen=True)
class CVaR:
    """Mean of the worst ``level`` share of draws (Rockafellar and Uryasev 2000), fractional last draw included."""

    level: float = 0.1
    name: str = "cvar"

    def __post_init__(self) -> None:
        _checked(self.level, "level")

    def __call__(self, values: Values) -> Utilities:
        """Return the mean of the worst ``level * n`` draws."""
        size = self.level * values.shape[-1]
        whole = min(math.ceil(size), values.shape[-1])
        worst = np.sort(np.partition(values, whole - 1, axis=-1)[..., :whole], axis=-1)
        weight = np.ones(whole)
        weight[-1] = size - (whole - 1)
        return worst @ (weight / size)


@dataclass(frozen=True)
class Probability:
    """Probability that explainable R^2 reaches a target."""

    target: float
    name: str = "probability"

    def __call__(self, values: Values) -> Utilities:
        """Return the share of draws at or above the target."""
        return (values >= self.target).mean(axis=-1)


@dataclass(frozen=True)
class Reliable:
    """The explainable R^2 reached with a given confidence: the largest t with P(R^2 >= t) >= confidence."""

    confidence: float = 0.9
    name: str = "reliable"

    def __post_init__(self) -> None:
        _checked(self.confidence, "confidence")

    def __call__(self, values: Values) -> Utilities:
        """Return the order statistic, exactly a value of some draw."""
        n = values.shape[-1]
        needed = math.ceil(self.confidence * n - 1e-9)
        return np.partition(values, n - needed, axis=-1)[..., n - needed]


def utility_from_name(name: str, *, level: float = 0.1, target: float | None = None) -> Utility:
    """Return the utility that a study file names.

    Parameters
    ----------
    name : str
        ``mean``, ``quantile``, ``cvar`` or ``probability``.
    level : float
        For ``quantile`` and ``cvar``.
    target : float, optional
        For ``probability``, which needs it.

    Raises
    ------
    BadInput
        For another name, or a probability without a target.
    """
    makers: dict[str, Callable[[], Utility]] = {
        "mean": Mean,
        "quantile": lambda: Quantile(level),
        "cvar": lambda: CVaR(level),
    }
    if name == "probability":
        if target is None:
            raise BadInput("The utility 'probability' needs a 'target': the explainable R^2 to be reached.")
        return Probability(target)
    if name not in makers:
        raise BadInput(f"The 'utility' must be mean, quantile, cvar or probability. Got '{name}' instead.")
    return makers[name]()
