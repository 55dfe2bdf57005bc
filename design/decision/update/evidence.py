"""What data that came in since a plan have taught: beliefs then and now, forecast then and reached now, and the monitoring rule.

In: the posterior of before and today's, pilots of before and today. Out: records of ``records.update``. Errors: stimuli with other
features than before (``BadInput``).
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.errors import BadInput
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.decision.records.update import Belief, Monitored, Reached
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.forecast.luck import stratified_normals
from brainworth.models.forecast.monitoring import advise, within
from brainworth.models.forecast.predictive import predictive
from brainworth.models.learner.learning_curve import Recorded, feature_scale, trained, trained_without
from brainworth.models.pilot.pilot import Pilot

CAP = 1.0
"""The gain on one label is counted up to so many label variances, either way: the monitoring rule needs bounded gains, and it
decides the sooner, the tighter their bound is."""
FEWEST = 10
"""New labels below which the monitoring rule is not asked."""


def beliefs(earlier: PosteriorDraws, posterior: PosteriorDraws) -> dict[str, Belief]:
    """Return what was and is believed of every quantity of the plan file; variances of labels by their share."""
    then, now = earlier.columns(), posterior.columns()
    names = [name for name in now if name not in {"misalignment", "signal_variance", "noise_variance"}]
    found = {name: Belief(then=spread(then[name]), now=spread(now[name])) for name in names}
    shares = [own.explained_share for own in (earlier, posterior)]
    return found | {"explainable share": Belief(then=spread(shares[0]), now=spread(shares[1]))}


def reached(earlier: PosteriorDraws, posterior: PosteriorDraws) -> Reached | None:
    """Return what a learner reached within the data so far, and what the posteriors of then and now say of it."""
    if not posterior.notes.learning_curve:
        return None
    point = posterior.notes.learning_curve[-1]
    size = posterior.pilot
    part = replace(size, samples=point.share * size.samples, labels=point.share * size.labels)

    def forecast(own: PosteriorDraws) -> Summary:
        found = predictive(own.draws.system, own.draws.people, part, jnp.asarray(own.notes.fold_efficiency))
        luck = stratified_normals(len(found.r2), 1), stratified_normals(len(found.r2), 2)
        return spread(np.asarray(found.r2) + np.asarray(found.r2_deviation) * luck[0] + point.error * luck[1])

    return Reached(share=point.share, r2=point.r2, r2_se=point.error, then=forecast(earlier), now=forecast(posterior))


def paired_gains(before: Pilot, after: Pilot) -> NDArray[np.float64]:
    """Return what recordings gain on each new label: learners of before, with and without recordings, predict it.

    A gain is the difference of squared errors, counted up to ``CAP`` label variances either way, and divided by that: gains lie in
    [-1, 1]. Labels of stimuli that had a label before are left out.
    """
    known = {row.tobytes() for row in np.ascontiguousarray(before.features[before.label_stimulus])}
    features = np.ascontiguousarray(after.features[after.label_stimulus])
    new = np.array([row.tobytes() not in known for row in features], dtype=bool)
    if features.shape[1] != before.features.shape[1]:
        raise BadInput(
            f"The stimuli had {before.features.shape[1]} features when the plan was made, and have {features.shape[1]} now. "
            "An update needs the same features."
        )
    if not new.any() or not before.recordings:
        return np.zeros(0)
    recorded = Recorded.of(before)
    scale = feature_scale(before, recorded)
    errors = [
        (after.label[new] - np.asarray(model.predict(features[new]))) ** 2 / np.var(before.label)
        for model in (trained_without(before, recorded, scale), trained(before, recorded, scale))
    ]
    return np.clip(errors[0] - errors[1], -CAP, CAP) / CAP


def monitored(gains: list[float], worthwhile: float, level: float) -> Monitored | None:
    """Return what the monitoring rule says of the gains so far; gains, and the least that is worthwhile, are in R^2."""
    if len(gains) < FEWEST:
        return None
    found = advise(np.asarray(gains), worthwhile / CAP, level)
    words = {
        "stop": "The recordings so far gain less than is worthwhile",
        "enough": "The recordings so far gain what is worthwhile",
        "go on": "Whether the recordings so far gain what is worthwhile is open",
    }
    low, high = CAP * found.low, CAP * found.high
    limits = within(f"{low:+.3f}", f"{high:+.3f}", changed=low > high)
    sentence = (
        f"{words[found.decision]}: {limits} in R² on {found.looks:,} labels that came after them (worthwhile: {worthwhile:.3f}; "
        f"one label counts up to the variance of the labels, either way). With probability {1.0 - level:.0%}, at all looks "
        "together, the gain was above the lower limit at some look, and below the upper one at some look."
    )
    return Monitored(
        decision=found.decision,
        labels=found.looks,
        low=low,
        high=high,
        worthwhile=worthwhile,
        level=level,
        sentence=sentence,
    )
