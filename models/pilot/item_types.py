"""How much better new tokens of known types are predicted than new types: the same learner on two kinds of folds.

In: features and labels of stimuli, groups for new tokens, groups for new types. Out: ``TokensAndTypes``. None with fewer than
``FEWEST`` parts that share no type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainworth.models.pilot.lack_of_fit import FEWEST, held_out_linear


@dataclass(frozen=True)
class TokensAndTypes:
    """Held-out R^2 of the linear learner, against the mean of all labels."""

    types: int
    """Parts that share no type."""
    by_tokens: float
    by_types: float
    error: float
    """Paired standard error of the difference, over these parts."""


def tokens_and_types(
    x: NDArray[np.float64], y: NDArray[np.float64], tokens: NDArray[np.int64], types: NDArray[np.int64]
) -> TokensAndTypes | None:
    """Return the fit on new tokens and on new types.

    Parameters
    ----------
    x : (stimulus, direction)
        Features.
    y : (stimulus,)
        Labels.
    tokens, types : (stimulus,)
        Groups that are not split if new stimuli are tokens, or types; those of types contain those of tokens.
    """
    member = np.unique(types, return_inverse=True)[1].reshape(-1)
    count = int(member.max()) + 1
    if count < FEWEST:
        return None
    plain = float(np.sum((y - y.mean()) ** 2))
    errors = [(y - held_out_linear(x, y, group)) ** 2 for group in (tokens, types)]
    worse = np.bincount(member, weights=errors[1] - errors[0]) / plain
    r2 = [1.0 - float(error.sum()) / plain for error in errors]
    return TokensAndTypes(count, r2[0], r2[1], float(np.sqrt(count) * worse.std(ddof=1)))
