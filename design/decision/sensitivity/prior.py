"""What the pilot taught: how much of the prior's doubt about a parameter is left.

In: a posterior with a pilot. Out: by parameter, the variance after the pilot over that before it. A known system, or a study
without a pilot, has no entry.

Why it matters: sample-size scaling takes all of a posterior's doubt for the noise of the pilot's data, so that three times the data
would leave a third of the variance. Where the pilot taught little, most of that doubt is the prior's, and the data are
noisier than it: as normal variables combine, the pilot's data alone had the variance v / (1 - v / prior variance), if v is what
is left. Without this, refits of extended pilots showed values of further labels three times too high
(``case_studies/calibration``).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from brainworth.design.decision.sensitivity.parameters import Column, columns
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.literature import study_priors
from brainworth.design.posterior.sampled import PRIOR_DRAWS
from brainworth.design.study_file.config import StudyConfig
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.this_world import systems_of_draws

MOST = 0.9
"""A larger share that seems to be left counts as this: spreads of some hundred draws are not known better than to a tenth, and
refits of extended pilots leave about what follows."""


def doubt_left(config: StudyConfig, posterior: PosteriorDraws) -> dict[str, float]:
    """Return the share of the prior variance that is left of each parameter of a study with a pilot."""
    if not posterior.study.has_pilot:
        return {}
    priors, channels = study_priors(config)
    sites = sample_prior(priors, np.zeros(0, dtype=np.int64), config.priors.max_latents, posterior.seed, PRIOR_DRAWS)
    system = systems_of_draws(sites, posterior.draws.system.spectrum, jnp.asarray(channels))
    names = posterior.modalities
    before = Draws(system, jnp.ones((PRIOR_DRAWS, len(names), MAX_PEOPLE)))
    return shares_left(columns(posterior.draws, names), columns(before, names))


def shares_left(after: Mapping[str, Column], before: Mapping[str, Column]) -> dict[str, float]:
    """Return variance after over variance before, at most ``MOST``, of each parameter that varied before."""
    spreads = {name: (_spread(name, after[name]), _spread(name, before[name])) for name in after if name in before}
    return {name: min(MOST, (now / then) ** 2) for name, (now, then) in spreads.items() if then > 0}


def _spread(name: str, values: Column) -> float:
    """Return the spread of a parameter on a scale without bounds: logit of a share, logarithm of a ratio."""
    if name.endswith("_exponent"):
        return float(np.std(values))
    inside = np.clip(values, 1e-6, 1.0 - 1e-6) if name == "alignment" else np.maximum(values, 1e-12)
    scale = np.log(inside / (1.0 - inside)) if name == "alignment" else np.log(inside)
    low, high = np.quantile(scale, [0.16, 0.84])
    return 0.5 * float(high - low)
