"""Where a configuration leaves the range in which the formula was found accurate to 3 %, in plain sentences.

In: a system and a design; if wanted the shift and the estimator. Out: one ``Excursion`` per respect in which the configuration
lies outside, with the deviation measured there; none inside. The measurements compare the formula with the executed learner:
``case_studies/theory/results/accuracy.md`` has them, ``accuracy.py`` repeats them, and a test holds the numbers below to that
table. What was found *not* to matter to the risk is not asked: as few as 2 labels or 5 brain samples, few channels a latent,
spectra up to i^-3 and latents that share directions (``results/directions.md``), label noise from 0.02 to 60 times the signal.
More features, samples and channels per sample than measured are not warned of either, because the theory is the limit of many.
Limits: data that are not linear and Gaussian (``case_studies/theory/results/nonlinear.md``), which no parameter shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from brainworth.models.programs import Program
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import BrainRidge, Estimator
from brainworth.models.theory.system import Design, System, effective_channels

ACCURATE = 0.03
"""Relative deviation up to which the formula counts as accurate."""
DETECTION_EDGES = (0.25, 0.75)
"""Bands of a latent's encoding R^2."""
CHANNEL_EDGES = (0.5, 1.0)
"""Bands of channel weights to learn per latent and feature: channels of all people and sources that record it, over p."""
RISK_DEVIATION = ((0.017, 0.073, 0.093), (0.023, 0.037, 0.048), (0.018, 0.018, 0.025))
"""Measured deviation of the risk (90 % quantile) by band of detection, then of channels; the formula is too low."""
OUTSIDE_DEVIATION = ((0.047, 0.078, 0.085), (0.011, 0.020, 0.028), (0.011, 0.013, 0.019))
"""The same for the part of the risk outside of the brain subspace, up to k sum h_i^2 = 1."""
SHARED, SHARED_DEVIATION = 0.5, 0.084
"""k sum h_i^2 above which the part outside is too low although all latents are learned, and by how much (90 % quantile), as a
share of the whole risk (``results/directions.md``)."""
FEW_FEATURES = 40
FEW_DEVIATION = 0.039
"""Measured deviation of the risk with few features (90 % quantile)."""
FEWEST_FEATURES, MOST_LATENTS = 5, 14
"""Ends of what was measured, where beyond them the formula can only be worse."""
SMALL_SHARE = 0.03
"""Alignment of a latent that cannot move the risk by more than 3 % of the explainable variance."""
ROUGH = 0.1
"""Deviation of the parts of the risk that is not mentioned while nothing multiplies them."""


@dataclass(frozen=True)
class Excursion:
    """One respect in which a configuration lies outside of the measured range."""

    name: str
    """weak latents, few features, many latents, part outside, shared directions or ridge."""
    value: float
    """Where the configuration is, in the unit of ``limit``."""
    limit: float
    """Where the range ends."""
    deviation: float
    """Relative deviation of the formula measured there; nan where nothing was measured."""
    sentence: str
    """What this means, for people."""


@dataclass(frozen=True)
class Facts:
    """What is looked up."""

    encoding_r2: Float[np.ndarray, " latent"]
    weights: Float[np.ndarray, " latent"]
    """Channel weights to learn per latent; 0 for a latent that nothing records."""
    overlap: Float[np.ndarray, ""]
    """k sum h_i^2, latents per effective direction."""
    alignment: Float[np.ndarray, " latent"]
    features: Float[np.ndarray, ""]
    n_task: Float[np.ndarray, ""]


def looked_up(system: System, design: Design) -> dict[str, Array]:
    """Return the fields of ``Facts``; pure, so that a program can hold it."""
    view, encoding = effective_channels(system, design), encode(system, design)
    recorded = view.samples[:, None] * view.snr > 0
    k, shares = system.alignment.shape[0], system.brain_shares
    return {
        "encoding_r2": encoding.encoding_r2,
        "weights": jnp.sum(jnp.where(recorded, (view.multiplicity * view.channels)[:, None], 0.0), axis=0),
        "overlap": k * jnp.sum(system.spectrum.count * shares**2),
        "alignment": system.alignment,
        "features": jnp.sum(system.spectrum.count),
        "n_task": jnp.asarray(design.n_task),
    }


_looked_up = Program(looked_up, "measured_range")


def validity(
    system: System, design: Design, shift: float | None = None, estimator: Estimator | None = None
) -> tuple[Excursion, ...]:
    """Return in which respects a configuration lies outside of the measured range; nothing inside of it.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Numbers of samples.
    shift : float, optional
        Variance factor outside of the brain subspace; without it the parts of the risk are not looked at.
    estimator : Estimator, optional
        The learner; the optimal one if not given.

    Returns
    -------
    tuple of Excursion
        Worst first.
    """
    return excursions(_looked_up(system, design), shift, estimator)


def excursions(
    values: Mapping[str, Array], shift: float | None = None, estimator: Estimator | None = None
) -> tuple[Excursion, ...]:
    """Return what ``validity`` does, from the values of ``looked_up``."""
    facts = Facts(**{name: np.asarray(value) for name, value in values.items()})
    features = float(facts.features)
    found = [*_size(features, facts.alignment.size), *_ridge(features, float(facts.n_task), estimator)]
    weak = _weak(facts, RISK_DEVIATION)
    if weak is not None and weak.deviation > ACCURATE:
        found.append(weak)
    if shift is not None:
        hidden = _weak(facts, OUTSIDE_DEVIATION)
        found += _split(facts, shift, 0.0 if hidden is None else hidden.deviation)
    return tuple(sorted(found, key=lambda one: -one.deviation if np.isfinite(one.deviation) else -1.0))


def _weak(facts: Facts, table: tuple[tuple[float, ...], ...]) -> Excursion | None:
    """Return the latent for which the table's deviation is largest; None if nothing of weight is recorded."""
    matters = np.flatnonzero((facts.weights > 0) & (facts.alignment >= SMALL_SHARE))
    if not matters.size:
        return None
    seen, per_feature = facts.encoding_r2[matters], facts.weights[matters] / float(facts.features)
    rows, columns = np.digitize(seen, DETECTION_EDGES), np.digitize(per_feature, CHANNEL_EDGES)
    deviations = np.asarray(table)[rows, columns]
    worst = int(np.lexsort((seen, -deviations))[0])
    latent, r2 = int(matters[worst]) + 1, float(seen[worst])
    return Excursion(
        "weak latents",
        r2,
        DETECTION_EDGES[1],
        float(deviations[worst]),
        f"Latent {latent} is barely learned (encoding R² {r2:.2f}) from channels that need {per_feature[worst]:.1f} weights "
        f"per feature: there, a learner that keeps such a latent was measured up to {deviations[worst]:.0%} above the risk "
        "of the formula.",
    )


def _size(features: float, latents: int) -> list[Excursion]:
    found: list[Excursion] = []
    if features < FEW_FEATURES:
        measured = features >= FEWEST_FEATURES
        seen = f"{FEWEST_FEATURES} to {FEW_FEATURES - 1}, the risk was measured up to {FEW_DEVIATION:.0%} above the formula"
        unseen = f"fewer than {FEWEST_FEATURES}, nothing was measured"
        found.append(
            Excursion(
                "few features",
                features,
                float(FEW_FEATURES),
                FEW_DEVIATION if measured else float("nan"),
                f"{features:.0f} features are few: with {seen if measured else unseen}.",
            )
        )
    if latents > MOST_LATENTS:
        found.append(
            Excursion(
                "many latents",
                float(latents),
                float(MOST_LATENTS),
                float("nan"),
                f"{latents} latents are more than the {MOST_LATENTS} up to which the formula was measured.",
            )
        )
    return found


def _split(facts: Facts, shift: float, hidden: float) -> list[Excursion]:
    """Return whether the part outside of the brain subspace is off: for latents barely learned, or too many for the directions."""
    overlap = float(facts.overlap)
    limit = ACCURATE if shift != 1.0 else ROUGH
    words = "The part of the risk outside of the brain's directions, which a shift multiplies, is too low by up to "
    found: list[Excursion] = []
    if hidden > limit:
        found.append(
            Excursion("part outside", hidden, limit, hidden, f"{words}{hidden:.0%}: a latent is barely learned.")
        )
    if overlap > SHARED and shift != 1.0:
        reason = f"{SHARED_DEVIATION:.0%} of the whole risk: the latents share few directions (k Σh² = {overlap:.2f})."
        found.append(Excursion("shared directions", overlap, SHARED, SHARED_DEVIATION, words + reason))
    return found


def _ridge(features: float, n_task: float, estimator: Estimator | None) -> list[Excursion]:
    """Return whether ridge regression is asked for where its deterministic equivalent is poor."""
    if not isinstance(estimator, BrainRidge) or n_task >= 1.3 * features or estimator.penalty_out >= 1.0:
        return []
    return [
        Excursion(
            "ridge",
            n_task / features,
            1.3,
            float("nan"),
            f"Ridge regression with a small penalty ({estimator.penalty_out:g}) and {n_task:.0f} labels for {features:.0f} "
            "features is near interpolation, where finite-size effects are large.",
        )
    ]
