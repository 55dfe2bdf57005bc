"""Whether a pilot's signal-to-noise ratio comes from its recordings or from the prior: a check with all numbers.

Held-out encoding accuracy is what recordings say without any prior. Where it is about zero, the recordings only limit the ratio
from above, and the prior, which is wide and never zero, says the rest: the posterior may have a ratio that no data support. (Seen:
100 samples of pure noise, a prior with the median 0.9, a posterior with the median 0.5.)

* Warning: no latent is predicted on held-out samples better than the best of as many latents of pure noise would be, in all but
  ``FALSE_ALARM`` of pilots. The ratio is then hardly more than a belief.
* An encoder at the posterior's median ratio would have reached an accuracy that is missed by more than ``CONTRADICTED`` standard
  errors: the recordings contradict the ratio. A refusal where they show no signal at all; a warning where they show one that is
  weaker than the model makes of it (real recordings do: their latents are not as independent of one another as the model's).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtri

from brainworth.design.common.checks import Check, Status

if TYPE_CHECKING:
    from brainworth.design.posterior.draws import PosteriorDraws

FALSE_ALARM = 0.025
"""Share of pilots of pure noise whose recordings seem to show a signal."""
CONTRADICTED = 4.0
"""Standard errors by which the median expected accuracy may be missed."""


CLEAR = 0.95
"""Posterior probability from which on the pilot has chosen between raw and standardised features."""
SAME = 1.5
"""Ratio of the features' largest to their smallest standard deviation below which both representations are nearly the same."""


@dataclass(frozen=True)
class EncodingEvidence:
    """What a pilot's recordings and the prior say of one modality's signal."""

    name: str
    """Modality."""
    accuracy: float
    """Held-out correlation of the best latent's read-outs with their prediction."""
    error: float
    """Standard error of one latent's correlation where there is no signal."""
    chance: float
    """What the best of as many latents of pure noise stays below, in all but ``FALSE_ALARM`` of pilots."""
    expected: float
    """The correlation that the posterior's median draw expects of the first latent."""
    snr: tuple[float, float, float]
    """5 %, 50 % and 95 % quantiles of the posterior's total signal-to-noise ratio."""
    prior_snr: float
    """Prior median of the same."""


def encoding_evidence(posterior: PosteriorDraws) -> list[EncodingEvidence]:
    """Return the numbers of every modality with a pilot; nothing where the notes of the pilot were not kept."""
    notes, draws = posterior.notes, posterior.draws
    accuracy = notes.readout_accuracy
    if not accuracy:
        return []
    expected = np.asarray(posterior.expected.encoding_accuracy)
    total = np.asarray(draws.system.snr).sum(axis=2)
    found: list[EncodingEvidence] = []
    for m, name in enumerate(posterior.modalities):
        if name not in accuracy:
            continue
        error = float(1.0 / np.sqrt(max(float(posterior.pilot.samples[m]), 1.0)))
        low, middle, high = (float(value) for value in np.quantile(total[:, m], [0.05, 0.5, 0.95]))
        found.append(
            EncodingEvidence(
                name=name,
                accuracy=float(np.max(accuracy[name])),
                error=error,
                chance=error * float(ndtri((1.0 - FALSE_ALARM) ** (1.0 / len(accuracy[name])))),
                expected=float(np.median(expected[:, m].max(axis=1))),
                snr=(low, middle, high),
                prior_snr=posterior.snr_before[name].total,
            )
        )
    return found


Judgement = Literal["shown", "weaker", "prior", "contradicted"]
"""What recordings say of the posterior's signal-to-noise ratio: they show it, show a weaker one, show nothing, speak against it."""


def encoding_judgement(evidence: EncodingEvidence) -> Judgement:
    """Return whether the recordings support the posterior's signal-to-noise ratio, leave it to the prior, or contradict it."""
    missed = evidence.expected - evidence.accuracy > CONTRADICTED * evidence.error
    if evidence.accuracy > evidence.chance:
        return "weaker" if missed else "shown"
    return "contradicted" if missed else "prior"


_VERDICTS: dict[Judgement, tuple[Status, str]] = {
    "shown": ("ok", "The recordings themselves show the signal."),
    "weaker": (
        "warn",
        "The recordings show a signal, but a weaker one than this ratio promises (r = {expected:.2f}): what {name} is worth may be "
        "stated too high. State a lower ratio under [priors.modality.{name}] to see what would change.",
    ),
    "prior": (
        "warn",
        "The recordings do not show a signal, so this ratio comes from the prior: set [priors.modality.{name}] snr to what you "
        "believe, or record more, before you trust a plan that buys {name}.",
    ),
    "contradicted": (
        "refuse",
        "That is less than the ratio promises (r = {expected:.2f}): the recordings contradict it. Look for wrong times, "
        "stimuli or channels, or state a lower ratio under [priors.modality.{name}].",
    ),
}


def encoding_checks(posterior: PosteriorDraws) -> Iterator[Check]:
    """Say for every modality where its signal-to-noise ratio comes from; value and threshold are correlations."""
    for evidence in encoding_evidence(posterior):
        low, middle, high = evidence.snr
        status, text = _VERDICTS[encoding_judgement(evidence)]
        verdict = text.format(name=evidence.name, expected=evidence.expected)
        yield Check(
            name=f"source of the signal-to-noise ratio ({evidence.name})",
            status=status,
            value=evidence.accuracy,
            threshold=evidence.chance,
            sentence=f"Held-out encoding accuracy of {evidence.name} is r = {evidence.accuracy:.3f} "
            f"(standard error {evidence.error:.3f}); "
            f"its signal-to-noise ratio is {middle:.2g} ({low:.2g} to {high:.2g}) after the pilot and was "
            f"{evidence.prior_snr:.2g} before. "
            f"{verdict}",
            side="at least",
            unit="correlation",
        )


def representation_checks(posterior: PosteriorDraws) -> Iterator[Check]:
    """Say how the pilot weighs its features, where that makes a difference; nothing without the notes of a pilot."""
    notes = posterior.notes
    if notes.standardised is not None and notes.feature_spread is not None and notes.feature_spread >= SAME:
        share, spread = notes.standardised, notes.feature_spread
        name, most = ("standardised", share) if share >= 0.5 else ("raw", 1.0 - share)
        told = (
            "The pilot has chosen."
            if most >= CLEAR
            else "The pilot cannot tell, so posterior, forecast and learner average over both by these probabilities."
        )
        yield Check(
            name="raw or standardised features",
            status="ok",
            value=most,
            threshold=CLEAR,
            side="at least",
            kind="share",
            unit="probability",
            sentence=f"The features' standard deviations differ by a factor of {spread:.3g}. By recordings and labels, {name} "
            f"features are the right ones with a probability of {most:.0%}. {told}",
        )
    if notes.blocks:
        parts = ", ".join(f"{share:.0%} {name}" for name, share in notes.blocks.items())
        least = min(notes.blocks, key=lambda name: notes.blocks[name])
        yield Check(
            name="blocks of features",
            status="ok",
            value=notes.blocks[least],
            threshold=0.0,
            side="at least",
            kind="share",
            unit=f"of what features explain ({least})",
            sentence=f"Of what the features explain, recordings and labels give each block of features this share: {parts}. "
            "Shares that the pilot cannot tell apart are averaged.",
        )
