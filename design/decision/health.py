"""The health gate: whether this pilot, and this posterior, are fit to spend money on.

In: a posterior and, once there is one, the purchase it recommends. Out: checks in three levels, each with value, threshold and
one plain sentence; ``refuse`` stops the plan (exit code 4) unless forced. A check whose input does not exist is left out, so a
study without a pilot has none of the sampler's checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from brainworth.design.common.checks import Check, CheckLimits, Expected, overall
from brainworth.design.common.errors import HealthRefusal
from brainworth.design.pilot.checks import data_checks
from brainworth.design.pilot.study import PriorsOnly
from brainworth.design.posterior.assumption_checks import assumption_checks
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.encoding_check import encoding_checks, representation_checks
from brainworth.models.forecast.predictive import predictive
from brainworth.models.pilot.likeness import precision_of_mean

MISSED = 2.5
"""Standard errors by which a forecast within the pilot may miss."""
NO_PILOT = Check(
    name="no pilot",
    status="warn",
    value=0.0,
    threshold=1.0,
    side="at least",
    unit="pilots",
    kind="count",
    sentence=(
        "There is no pilot: every number is the prior's, from the literature or the study's [priors]. Only a "
        "pilot of labels and recordings can check it."
    ),
)


def pilot_checks(posterior: PosteriorDraws) -> list[Check]:
    """Return every check that needs no plan."""
    if not posterior.study.has_pilot:
        return [NO_PILOT] if isinstance(posterior.study.material, PriorsOnly) else []
    return [
        *_sampler(posterior),
        *data_checks(posterior.study),
        *_pilot(posterior),
        *_likeness(posterior),
        *_conflict(posterior),
        *_encoding(posterior),
        *encoding_checks(posterior),
        *representation_checks(posterior),
        *assumption_checks(posterior.notes.assumptions),
        *_learning_curve(posterior),
    ]


def require_healthy(checks: Sequence[Check], what: str, verb: str, *, force: bool) -> None:
    """Raise ``HealthRefusal`` if a check refuses and this is not forced; its message says what is refused: "to plan", "plan"."""
    if overall(checks) == "refuse" and not force:
        reasons = " ".join(check.sentence for check in checks if check.status == "refuse")
        raise HealthRefusal(f"The pilot's health check refuses {what}. {reasons} Use --force to {verb} anyway.")


def _sampler(posterior: PosteriorDraws) -> Iterator[Check]:
    found = posterior.notes.sampler
    if found is None:
        return
    limits = CheckLimits(1.01, 1.05)
    yield limits.at_most(
        "convergence",
        found.rhat,
        "R-hat",
        f"The chains agree with each other: worst R-hat {found.rhat:.3f}; above 1.01 they would need longer runs.",
    )
    for name, value in (("bulk", found.ess_bulk), ("tail", found.ess_tail)):
        limits = CheckLimits(400, 100)
        yield limits.at_least(
            f"effective sample size ({name})",
            value,
            "draws",
            f"The posterior is described by {value:.0f} effectively independent draws; "
            "below 400 its 5 % and 95 % limits are imprecise.",
            kind="count",
        )
    limits, value = CheckLimits(0.005, 0.05), found.divergences
    yield limits.at_most(
        "divergences",
        value,
        "of steps",
        f"{value:.2%} of the sampler's steps diverged; many would mean regions of the posterior that it cannot reach.",
        kind="share",
    )
    limits, value = CheckLimits(0.3), found.bfmi
    yield limits.at_least(
        "energy",
        value,
        "(a fraction)",
        f"The sampler's energy fraction is {value:.2f}; below 0.3 it explores slowly.",
    )


def _pilot(posterior: PosteriorDraws) -> Iterator[Check]:
    notes = posterior.notes
    if not notes.encoder_converged or not notes.folds_converged:
        yield Check(
            name="encoder",
            status="warn",
            value=0.0,
            threshold=1.0,
            sentence="The encoding model did not converge; its read-outs are weaker than they could be.",
        )
    for name, people in notes.people.items():
        if people > 1:
            share = notes.leverage.get(name, 0.0) / people
            yield CheckLimits(max(0.5, 2.0 / people)).at_most(
                f"leverage of one person ({name})",
                share,
                "of the signal",
                f"The most informative person of {name} carries {share:.0%} of its signal.",
                kind="share",
            )


def _likeness(posterior: PosteriorDraws) -> Iterator[Check]:
    """Say what presentations of one stimulus have in common beyond its features, where any stimulus was shown twice."""
    for name, (share, error) in posterior.notes.likeness.items():
        ten = float(precision_of_mean(np.array(10.0), share))
        yield CheckLimits(0.3).at_most(
            f"same stimulus ({name})",
            share,
            "of the noise",
            f"{share:.0%} (standard error {error:.1%}) of the noise of {name} is the same in all presentations of a stimulus, "
            f"beyond what the features explain: ten repeats, or people who see the same, are worth {ten:.1f}. Forecasts count "
            "with it. Above 30 %, richer features or other stimuli for everyone are worth more than further people.",
            kind="share",
        )


def _conflict(posterior: PosteriorDraws) -> Iterator[Check]:
    snr = np.log(np.asarray(posterior.draws.system.snr)).max(axis=2)
    samples = np.asarray(posterior.pilot.samples)
    for m, name in enumerate(posterior.modalities):
        if samples[m] == 0:
            continue
        before = posterior.snr_before[name]
        score = abs(float(snr[:, m].mean() - before.level)) / before.spread
        yield CheckLimits(3.0).at_most(
            f"prior and data ({name})",
            score,
            "standard deviations",
            f"The signal-to-noise ratio of {name} lies {score:.1f} prior standard deviations from its literature value.",
        )


def _encoding(posterior: PosteriorDraws) -> Iterator[Check]:
    """Posterior predictive check of encoding accuracy, and the noise ceiling, for the strongest latent."""
    accuracy, ceiling = (
        np.asarray(v) for v in (posterior.expected.encoding_accuracy, posterior.expected.noise_ceiling)
    )
    samples = np.asarray(posterior.pilot.samples)
    for m, name in enumerate(posterior.modalities):
        seen = posterior.notes.readout_accuracy.get(name)
        if not seen:
            continue
        predicted = accuracy[:, m, 0]
        low, high = np.quantile(predicted, [0.005, 0.995])
        slack = 2.0 / np.sqrt(max(float(samples[m]), 1.0))
        outside = max(low - slack - seen[0], seen[0] - high - slack, 0.0)
        yield Check(
            name=f"encoding accuracy ({name})",
            status=CheckLimits(0.0, 0.5).judge(outside),
            value=seen[0],
            threshold=float(low if seen[0] < low else high),
            side="expected at least" if seen[0] < low else "expected at most",
            unit="r",
            observed=seen[0],
            forecast=Expected(mean=float(predicted.mean()), low=float(low), high=float(high), probability=0.99),
            sentence=(
                f"Cross-validated encoding accuracy of the strongest latent of {name} is r = {seen[0]:.2f}; the model expects "
                f"{low:.2f} to {high:.2f}."
            ),
        )
        top = float(np.quantile(ceiling[:, m, 0], 0.95))
        yield Check(
            name=f"noise ceiling ({name})",
            status=CheckLimits(1.0).judge((seen[0] - slack) / max(top, 1e-9)),
            value=seen[0],
            threshold=top,
            side="at most",
            unit="r",
            sentence=(
                f"Encoding accuracy of {name} is {seen[0] / max(top, 1e-9):.0%} of its noise ceiling r = {top:.2f}; above 100 % "
                "something has leaked between folds."
            ),
        )


def _learning_curve(posterior: PosteriorDraws) -> Iterator[Check]:
    """Backtest within the pilot: what the model says of parts of the pilot against what the learner reached with them.

    A forecast that is too high by more than ``MISSED`` standard errors is warned of, by more than twice as many refused; and if
    it is too high at every size, it is refused, too: forecasts for larger sizes start from these.
    """
    found = list(_points(posterior))
    missed = [check.status != "ok" and _falls_short(check) for check in found]
    for check in found:
        if len(found) > 1 and all(missed):
            told = (
                f"{check.sentence} The learner falls short at every size that the pilot can test: do not plan with it."
            )
            yield check.model_copy(update={"status": "refuse", "sentence": told})
        else:
            yield check


def _falls_short(check: Check) -> bool:
    return check.observed is not None and check.forecast is not None and check.observed < check.forecast.mean


def _points(posterior: PosteriorDraws) -> Iterator[Check]:
    draws, kept = posterior.draws, jnp.asarray(posterior.notes.fold_efficiency)
    for point in posterior.notes.learning_curve:
        share, size = point.share, posterior.pilot
        samples, labels = (jnp.asarray(share * np.asarray(value)) for value in (size.samples, size.labels))
        part = replace(size, samples=samples, labels=labels)
        found = predictive(draws.system, draws.people, part, kept)
        rng = np.random.default_rng(0)
        forecast = np.asarray(found.r2)
        forecast = forecast + np.asarray(found.r2_deviation) * rng.standard_normal(forecast.size)
        spread = float(np.hypot(forecast.std(), point.error))
        off = (point.r2 - float(forecast.mean())) / max(spread, 1e-6)
        limits = CheckLimits(MISSED, 2.0 * MISSED) if off < 0.0 else CheckLimits(MISSED)
        low, high = np.quantile(forecast + point.error * rng.standard_normal(forecast.size), [0.05, 0.95])
        yield limits.at_most(
            f"backtest with {share:.0%} of the pilot",
            abs(off),
            "standard errors",
            f"Trained on {share:.0%} of the pilot, the learner reached R² = {point.r2:.2f} on the rest; the model says "
            f"{low:.2f} to {high:.2f}, {abs(off):.1f} standard errors {'above' if off < 0.0 else 'below'} what was seen.",
            share=share,
            observed=point.r2,
            forecast=Expected(mean=float(forecast.mean()), low=float(low), high=float(high), probability=0.9),
        )


def plan_checks(posterior: PosteriorDraws, n_task: int, samples: dict[str, int]) -> list[Check]:
    """Return the checks of a recommended purchase: how far beyond the pilot it extrapolates."""
    if not posterior.study.has_pilot:
        return []
    recorded = np.asarray(posterior.pilot.samples)
    factors = {"labels": 1.0 + n_task / max(float(posterior.pilot.labels), 1.0)}
    for m, name in enumerate(posterior.modalities):
        pilot = float(recorded[m])
        if pilot > 0:
            factors[name] = 1.0 + samples[name] / pilot
    worst = max(factors, key=lambda name: factors[name])
    return [
        CheckLimits(30.0).at_most(
            "extrapolation",
            factors[worst],
            "times the pilot",
            f"The plan holds {factors[worst]:.1f} times the pilot's {worst if worst == 'labels' else worst + ' samples'}; "
            "beyond 30 times, the tail of the features' spectrum, which the pilot hardly sees, decides.",
        )
    ]
