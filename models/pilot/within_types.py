"""Noise that rows of one type have in common: its covariance, and rows freed of it.

Tokens of one type (the same word in several sentences) share what the features leave unexplained. A label i of a type then has the
noise sigma^2 ((1 - r) / m_i on the diagonal, plus r between all labels of the type), m_i the labels of its stimulus: a lone token
with one label has the noise variance sigma^2 whatever r is. ``WithinTypes`` multiplies rows by a matrix W whose W'W is the inverse
of that covariance, in one pass over the rows, and knows its determinant. Rows of no type in common stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_array

from brainworth.models.pilot.pilot import Pilot


@dataclass(frozen=True)
class WithinTypes:
    """What rows of one type have in common."""

    member: Int[np.ndarray, " row"]
    """Type of each row, from 0."""
    share: float
    """r: share of a lone row's noise variance that all rows of its type have in common; at least 0, below 1."""

    @cached_property
    def _by_type(self) -> csr_array:
        rows = len(self.member)
        return csr_array((np.ones(rows), (self.member, np.arange(rows))), shape=(int(self.member.max()) + 1, rows))

    def _precisions(self, weight: Float[np.ndarray, " row"]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the precision of each row, were its own noise all there is, and the sum over every type."""
        own = weight / (1.0 - self.share)
        return own, np.bincount(self.member, weights=own).astype(np.float64)

    def whitened(
        self, values: Float[np.ndarray, "row column"], weight: Float[np.ndarray, " row"]
    ) -> Float[np.ndarray, "row column"]:
        """Return W times the values: independent rows of unit noise variance.

        Parameters
        ----------
        values : (row, column)
            Means over the labels of a stimulus.
        weight : (row,)
            Labels of each stimulus, m.
        """
        own, of_type = self._precisions(weight)
        root = np.sqrt(own)[:, None]
        scaled = root * values
        shrunk = (1.0 / np.sqrt(1.0 + self.share * of_type) - 1.0) / of_type
        common = shrunk[:, None] * (self._by_type @ (root * scaled))
        return scaled + root * common[self.member]

    def drawn(
        self, rng: np.random.Generator, weight: Float[np.ndarray, " row"] | float = 1.0
    ) -> Float[np.ndarray, " row"]:
        """Return noise of rows that are worth so many labels each; of unit variance where that is one."""
        own, common = rng.standard_normal(len(self.member)), rng.standard_normal(int(self.member.max()) + 1)
        return np.sqrt((1.0 - self.share) / weight) * own + np.sqrt(self.share) * common[self.member]

    def log_volume(self, weight: Float[np.ndarray, " row"]) -> float:
        """Return log |det W| less log |W 1|: by how much whitening changes a density whose mean is integrated out."""
        own, of_type = self._precisions(weight)
        log_determinant = 0.5 * float(np.sum(np.log(own)) - np.sum(np.log1p(self.share * of_type)))
        return log_determinant - float(np.log(np.linalg.norm(self.whitened(np.ones((len(weight), 1)), weight))))


def types_in_common(pilot: Pilot, stimulus: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"] | None:
    """Return the type of each row, from 0; none if the pilot has no types, or no two different stimuli share one."""
    if pilot.kind is None or not len(stimulus):
        return None
    member = np.unique(pilot.kind[stimulus], return_inverse=True)[1].reshape(-1)
    return member if np.unique(stimulus).size > int(member.max()) + 1 else None
