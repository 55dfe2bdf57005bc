"""Distribution shift: risk on test stimuli with other variance along the brain-insensitive directions (THEORY section 5).

In: a system, a design, the factor s by which the variance outside of the brain subspace is multiplied. Out: risk inside and
outside of the brain subspace, M = M_in + M_out at s = 1, and the shifted risk M_in + s M_out; the same for the learner without
brain data; their ratio. A gain below one means that the shift hurts the brain-informed learner more, as it does when the task
depends on the misaligned part. Other test covariances: ``covariance``. The parts are those of ``subspace``, which projects on all
latents together. Limits: M_out where it is small; ``validity`` says when, ``case_studies/theory`` how much.
"""

from __future__ import annotations

from dataclasses import dataclass

from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.subspace import risk_inside
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]


@register_dataclass
@dataclass(frozen=True)
class Shifted:
    """Risk under shift, in squared units of the label."""

    risk_in: Scalar
    """Part of the risk along the brain latents."""
    risk_out: Scalar
    """Part of the risk along everything else, at s = 1."""
    excess_risk: Scalar
    """risk_in + s risk_out of the brain-informed learner."""
    task_only_excess_risk: Scalar
    """The same without brain data, at equal labels."""

    @property
    def robustness_gain(self) -> Scalar:
        """Shifted risk without brain data divided by shifted risk with brain data; below 1 if brain data hurt."""
        return self.task_only_excess_risk / self.excess_risk


def shifted(
    system: System, design: Design, factor: Scalar | float, directions: Float[Array, " node"] | None = None
) -> Shifted:
    """Return the risks with the variance outside of the latents' span times ``factor``, and of directions as they differ.

    What ``shifted_risk`` and ``covariance.risks_under`` have in common; valid where they are.
    """
    encoding = encode(system, design)
    inside, total = risk_inside(system, encoding, design.n_task, directions)
    plain_inside, plain = risk_inside(system, encoding.forgotten(), design.n_task, directions)
    return Shifted(
        risk_in=inside,
        risk_out=total - inside,
        excess_risk=inside + factor * (total - inside),
        task_only_excess_risk=plain_inside + factor * (plain - plain_inside),
    )


def shifted_risk(system: System, design: Design, factor: Scalar | float) -> Shifted:
    """Return the risks at a shift of the brain-insensitive directions.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Numbers of samples.
    factor : scalar
        s >= 0, by which the variance of test stimuli outside of the latents' span is multiplied.

    Notes
    -----
    THEORY section 5, for the optimal learner, all latents projected on together. Against Monte Carlo M_out is within 1 % in the
    median where latents are learned and k sum h_i^2 is at most 0.5. Above, M_out is too low by up to 8 % of M (90 % quantile,
    ``case_studies/theory/results/directions.md``); ``validity`` warns.
    """
    return shifted(system, design, factor)
