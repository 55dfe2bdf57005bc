"""Noise ceilings against Pingouin's intraclass correlations, one-way random effects."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from brainworth.models.pilot.ceiling import noise_ceiling


@pytest.mark.parametrize("repeats", [2, 5])
def test_explainable_share_is_the_intraclass_correlation(repeats: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies, at import
        import pingouin
    rng = np.random.default_rng(repeats)
    stimuli = 60
    values = rng.standard_normal((stimuli, 1)) + 1.3 * rng.standard_normal((stimuli, repeats))
    long = pd.DataFrame(
        {
            "stimulus": np.repeat(np.arange(stimuli), repeats),
            "presentation": np.tile(np.arange(repeats), stimuli),
            "value": values.ravel(),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pingouin.intraclass_corr(long, targets="stimulus", raters="presentation", ratings="value")
    column = table["ICC"].to_numpy()
    found = noise_ceiling(long[["value"]].to_numpy(), long["stimulus"].to_numpy())
    assert float(found.explainable()[0]) == pytest.approx(float(column[0]), abs=1e-6)
    assert float(found.explainable(repeats)[0]) == pytest.approx(float(column[3]), abs=1e-6)
