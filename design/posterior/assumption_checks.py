"""Checks of assumptions that forecasts rest on, each with its numbers and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from brainworth.design.common.checks import Check, Limits
from brainworth.design.posterior.assumptions import Assumptions, InCommon

LEAST_IN_COMMON = 0.9
"""Share of a latent that people should have in common. The mean of two people's latents, the smallest group that a plan buys, then
holds 1 / (1 + (1 - S) / (2 S)) = 95 % common signal; forecasts count on all of it."""
ONE_SIDED = 1.645
"""Standard errors to the 95 % limit on one side."""


def assumption_checks(seen: Assumptions) -> Iterator[Check]:
    """Return the checks that the pilot had something to say about."""
    for name, common in seen.in_common.items():
        yield _shared_by_people(name, common)


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
            kind="share",
            sentence=f"The pilot cannot tell how much of {about} its {seen.people} people have in common{width}. "
            "Forecasts count on all of it.",
        )
    low, high = (min(max(seen.share + sign * ONE_SIDED * seen.error, 0.0), 1.0) for sign in (-1.0, 1.0))
    share = min(max(seen.share, 0.0), 1.0)
    follows = (
        "Forecasts count on all of it. What is a person's own does not average out over this person's samples, only over people: plan "
        "with more people and fewer samples of each, and take the forecast for too high."
        if high < LEAST_IN_COMMON
        else "Forecasts count on all of it."
    )
    return Check(
        name=title,
        status=Limits(LEAST_IN_COMMON).judge_low(high),
        value=seen.share,
        threshold=LEAST_IN_COMMON,
        side="at least",
        kind="share",
        sentence=f"The {seen.people} people share about {share:.0%} ({low:.0%} to {high:.0%}) of {about}; the rest follows a map of each "
        f"person's own. {follows}",
    )
