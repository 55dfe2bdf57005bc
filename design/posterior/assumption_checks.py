"""Checks of assumptions that forecasts rest on, each with its numbers and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from brainworth.design.common.checks import Check, CheckLimits
from brainworth.design.posterior.assumptions import Assumptions, FitNotes, InCommon, OrderNotes, RaterNotes, TypeNotes
from brainworth.models.pilot.label_order import FALSE_ALARM
from brainworth.models.pilot.lack_of_fit import STANDARD_ERRORS, WORTH

LEAST_IN_COMMON = 0.9
"""Share of a latent that people should have in common. The mean of two people's latents, the smallest group that a plan buys, then
holds 1 / (1 + (1 - S) / (2 S)) = 95 % common signal; forecasts count on all of it."""
MATERIAL_NOISE = 1.5
"""Ratio of raters' noise (standard deviations) above which weights of labels would matter: equal weights waste (1 + r^2)^2 / (4
r^2) - 1 =
17 % of the labels of two raters."""
COMMON_LABEL_NOISE = 0.3
"""Share of the labels' noise that may be the same in all labels of a stimulus."""
ONE_SIDED = 1.645
"""Standard errors to the 95 % limit on one side."""


def assumption_checks(seen: Assumptions) -> Iterator[Check]:
    """Return the checks that the pilot had something to say about."""
    for name, common in seen.in_common.items():
        yield _shared_by_people(name, common)
    if seen.raters is not None:
        yield _raters(seen.raters)
    if seen.order is not None:
        yield _order(seen.order)
    if seen.fit is not None:
        yield _fit(seen.fit)
    if seen.types is not None:
        yield _types(seen.types)
    if seen.same_labels is not None:
        yield _same_labels(*seen.same_labels)


def _shared_by_people(name: str, seen: InCommon) -> Check:
    title, about = f"shared by people ({name})", f"what the features explain of the leading latent of {name}"
    if not seen.known or seen.error is None:
        width = "" if seen.error is None else f" (standard error {seen.error:.0%})"
        return Check(
            name=title,
            status="ok",
            value=None if seen.error is None else seen.share,
            threshold=LEAST_IN_COMMON,
            side="at least",
            unit="of the latent",
            kind="share",
            sentence=f"The pilot cannot tell how much of {about} its {seen.people} people have in common{width}. "
            "Forecasts count on all of it.",
        )
    low, high = (min(max(seen.share + sign * ONE_SIDED * seen.error, 0.0), 1.0) for sign in (-1.0, 1.0))
    share = min(max(seen.share, 0.0), 1.0)
    follows = (
        "Forecasts count on all of it. What is a person's own does not average out over this person's samples, only over people: "
        "plan with more people and fewer samples of each, and take the forecast for too high."
        if high < LEAST_IN_COMMON
        else "Forecasts count on all of it."
    )
    return Check(
        name=title,
        status=CheckLimits(LEAST_IN_COMMON).judge_low(high),
        value=share,
        threshold=LEAST_IN_COMMON,
        side="at least",
        unit="of the latent",
        kind="share",
        sentence=f"The {seen.people} people share about {share:.0%} ({low:.0%} to {high:.0%}) of {about}; the rest follows a map "
        f"of each person's own. {follows}",
    )


def _raters(seen: RaterNotes) -> Check:
    offsets = (
        f"Offsets of the {seen.raters} raters have a standard deviation of {seen.offset:.2f}, in units of that of all labels"
        + (", and are subtracted from the labels. " if seen.subtracted else ". ")
    )
    if seen.offsets_differ and not seen.crossed:
        offsets += (
            "They differ, but no stimulus has labels of two raters: raters or their stimuli may be the reason, so nothing was "
            "subtracted. "
            "Let raters label some stimuli in common. "
        )
    noise = f"The noisiest rater has {seen.noise_ratio:.1f} times the noise of the least noisy one"
    noisy = seen.noise_differs and seen.noise_ratio > MATERIAL_NOISE
    noise += (
        "; each label counts by its rater's precision."
        if seen.weighed
        else "; all labels count the same, so leave the noisiest raters out, or expect more of labels by the others."
        if noisy
        else "; the labels do not show that raters' noise differs."
        if not seen.noise_differs
        else "."
    )
    return Check(
        name="raters",
        status="warn" if (noisy and not seen.weighed) or (seen.offsets_differ and not seen.subtracted) else "ok",
        value=seen.noise_ratio,
        threshold=MATERIAL_NOISE,
        side="at most",
        unit="times the noise",
        sentence=offsets + noise,
    )


def _order(seen: OrderNotes) -> Check:
    mean, noise = seen.mean, seen.noise
    parts: list[str] = []
    if mean.stands_out:
        parts.append(
            f"Labels {mean.first} to {mean.last} of {seen.labels}, in the order of the file, lie "
            f"{mean.inside - mean.outside:+.1f} standard "
            f"deviations beside the others, for what their features say (p = {mean.p:.3f})."
        )
    if noise.stands_out:
        parts.append(
            f"Labels {noise.first} to {noise.last} of {seen.labels}, in the order of the file, have "
            f"{noise.inside / noise.outside:.1f} times "
            f"the noise of the others (p = {noise.p:.3f})."
        )
    smallest = min(mean.p, noise.p)
    follows = (
        "Another rater, a tired one or other stimuli may be the reason, and the forecast counts all labels the same. Give a "
        "column rater, or leave out what is not like the labels that you will buy."
        if parts
        else f"Neither mean nor noise of the labels changes along the file (smallest p = {smallest:.2f})."
    )
    return Check(
        name="order of the labels",
        status="warn" if parts else "ok",
        value=smallest,
        threshold=FALSE_ALARM,
        side="at least",
        unit="(a p value)",
        sentence=" ".join([*parts, follows]),
    )


def _fit(seen: FitNotes) -> Check:
    gain = seen.nonlinear - seen.linear
    follows = (
        "Forecasts are about a linear learner, and this one would leave something out: add features that make the relation "
        "linear (squares, "
        "logarithms, products), or read the forecast as that of the linear learner."
        if seen.found
        else "That is no reason to doubt the linear learner, which forecasts are about."
    )
    return Check(
        name="lack of fit",
        status="warn" if seen.found else "ok",
        value=gain,
        threshold=max(STANDARD_ERRORS * seen.error, WORTH),
        side="at most",
        unit="of R²",
        sentence=f"On held-out labels of {seen.stimuli} stimuli a linear learner reaches R² = {seen.linear:.2f}, a nonlinear one "
        f"({seen.learner}) {seen.nonlinear:.2f}: a difference of {gain:+.3f} (standard error {seen.error:.3f}). {follows}",
    )


def _types(seen: TypeNotes) -> Check:
    lost, limit = seen.by_tokens - seen.by_types, max(STANDARD_ERRORS * seen.error, WORTH)
    follows = (
        "The labels show no difference."
        if lost <= limit
        else "Tokens of a type share what the features leave out. Posterior, forecast and learner count with that, and every new "
        "label is taken for the first of its type: several labels of one new type are worth less."
        if seen.new == "types"
        else "Tokens of a type share what the features leave out. Posterior, forecast and learner count with that: forecasts are "
        "about what the features say, but tests inside the pilot are about new tokens of its types. If you will buy new types, "
        'write [stimuli] new = "types".'
    )
    return Check(
        name="tokens and types",
        status="warn" if lost > limit and seen.new != "types" else "ok",
        value=lost,
        threshold=limit,
        side="at most",
        unit="of R²",
        sentence=f"From labels alone, a linear learner reaches R² = {seen.by_tokens:.2f} on new tokens of known types and "
        f"{seen.by_types:.2f} on new types ({seen.types} parts that share no type): "
        f"a difference of {lost:+.3f} (standard error {seen.error:.3f}). "
        f"{follows}",
    )


def _same_labels(share: float, error: float) -> Check:
    follows = (
        "Forecasts count labels of one stimulus as independent: take what they say of further labels of the same stimuli for too "
        "high, and prefer new stimuli."
        if share > ONE_SIDED * error
        else "Forecasts count labels of one stimulus as independent, and nothing speaks against it."
    )
    return Check(
        name="same stimulus (labels)",
        status=CheckLimits(COMMON_LABEL_NOISE).judge(max(share - ONE_SIDED * error, 0.0)),
        value=share,
        threshold=COMMON_LABEL_NOISE,
        side="at most",
        unit="of the noise",
        kind="share",
        sentence=f"{share:.0%} (standard error {error:.0%}) of the noise of the labels is the same in all labels of a stimulus, "
        f"beyond what "
        f"the features explain. {follows}",
    )
