"""The measured range: silent where the formula was accurate, and the numbers it quotes are those of the committed table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from brainworth.models.theory import measured_range as module
from brainworth.models.theory.estimators import BrainRidge, LeastSquares
from brainworth.models.theory.measured_range import validity
from brainworth.models.theory.system import Design, Spectrum, System

CASE = Path(__file__).parents[4] / "case_studies" / "theory"
TABLE = pd.read_csv(CASE / "results" / "accuracy.csv")
SHARED = pd.read_csv(CASE / "results" / "directions.csv")

SYSTEM = System(
    spectrum=Spectrum(variance=jnp.ones(1), count=jnp.asarray([100.0])),
    signal_variance=jnp.asarray(1.0),
    noise_variance=jnp.asarray(1.5),
    alignment=jnp.asarray([0.4, 0.2, 0.01]),
    snr=jnp.asarray([[2.0, 1.0, 0.5]]),
    channels=jnp.asarray([40.0]),
    brain_exponent=jnp.asarray(1.0),
    task_exponent=jnp.asarray(1.0),
)
DESIGN = Design.simple([1000.0], 60.0)


@pytest.fixture(scope="module")
def maps() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import maps

        return maps


def test_numbers_are_those_of_the_committed_table(maps: Any) -> None:
    assert maps.DETECTION == module.DETECTION_EDGES
    assert maps.CHANNELS == module.CHANNEL_EDGES
    assert maps.FEW == module.FEW_FEATURES
    for (row, column), found in maps.detection_bands(TABLE).items():
        assert module.RISK_DEVIATION[row][column] == pytest.approx(found["90 %"], abs=5.1e-4)
    for (row, column), found in maps.outside_bands(TABLE).items():
        assert module.OUTSIDE_DEVIATION[row][column] == pytest.approx(found["90 %"], abs=5.1e-4)
    few = TABLE.loc[(TABLE["p"] < module.FEW_FEATURES).to_numpy()]
    assert maps.spread(few, "informed")["90 %"] == pytest.approx(module.FEW_DEVIATION, abs=5.1e-4)
    latents, features = (TABLE[name].to_numpy() for name in ("k", "p"))
    assert latents.max() == module.MOST_LATENTS
    assert features.min() == module.FEWEST_FEATURES
    crowded, rho2 = SHARED["overlap"].to_numpy() > module.SHARED, SHARED["rho2"].to_numpy()
    outside, formula, risk = (SHARED[name].to_numpy() for name in ("outside_mc", "outside_formula", "risk_mc"))
    missed = np.abs((outside - formula) / risk)[crowded & (rho2 < 1.0)]
    assert np.quantile(missed, 0.9) == pytest.approx(module.SHARED_DEVIATION, abs=5.1e-4)


def test_shared_directions_do_the_risk_itself_no_harm() -> None:
    """Median deviation at most 3 %, worst 8 %: p 40 to 150, i^-1 to i^-2.5, 2 to 12 latents, known and learned."""
    size, spread = (
        np.abs(SHARED[f"{name}_formula"].to_numpy() / SHARED[f"{name}_mc"].to_numpy() - 1.0) for name in ("risk", "sd")
    )
    assert len(size) >= 40
    assert np.median(size) < 0.03
    assert size.max() < 0.08
    assert np.median(spread) < 0.05
    assert np.isinf(SHARED["n_brain"].to_numpy()).sum() > 20
    assert (SHARED["overlap"].to_numpy() > 1.0).sum() > 20


def test_silence_means_three_per_cent(maps: Any) -> None:
    """In the comfortable range nine out of ten measured deviations are within 3 % or two standard errors; not outside."""
    size = np.abs(maps.deviation(TABLE, "informed"))
    error = (TABLE["informed_se"] / TABLE["informed_mc"]).to_numpy()
    kept, inside = (size <= 0.03) | (size <= 2 * error), maps.comfortable(TABLE)
    assert inside.sum() > 150
    assert kept[inside].mean() > 0.97
    assert kept[~inside].mean() < 0.75


def test_inside_of_the_range_nothing_is_said() -> None:
    assert validity(SYSTEM, DESIGN) == ()
    assert validity(SYSTEM, DESIGN, shift=2.0) == ()
    assert validity(SYSTEM, DESIGN, estimator=LeastSquares()) == ()


def test_no_brain_data_have_no_weak_latents() -> None:
    assert validity(SYSTEM, Design.simple([0.0], 60.0)) == ()


def test_weak_latent_is_named_by_what_it_carries() -> None:
    wide = replace(SYSTEM, channels=jnp.asarray([400.0]), snr=jnp.asarray([[2.0, 0.05, 0.01]]))
    (found,) = validity(wide, DESIGN)
    assert found.name == "weak latents"
    assert "Latent 2" in found.sentence, "the third is weaker still, but carries almost nothing"
    assert found.value < 0.25
    assert found.deviation == module.RISK_DEVIATION[0][2]
    assert "9%" in found.sentence


def test_people_add_channel_weights() -> None:
    weak = replace(SYSTEM, snr=jnp.asarray([[2.0, 0.08, 0.01]]))
    assert validity(weak, DESIGN) == ()
    assert validity(weak, replace(DESIGN, subjects=jnp.asarray([5.0])))


def test_shared_directions_concern_the_shift_only() -> None:
    steep = replace(SYSTEM, spectrum=Spectrum.power_law(60, 1.5))
    assert validity(steep, DESIGN) == ()
    assert validity(steep, DESIGN, shift=1.0) == ()
    (found,) = validity(steep, DESIGN, shift=3.0)
    assert (found.name, found.deviation) == ("shared directions", module.SHARED_DEVIATION)
    assert found.value > found.limit
    assert "share few directions" in found.sentence


def test_few_features_many_latents_and_small_penalties_are_said() -> None:
    few = replace(SYSTEM, spectrum=Spectrum(variance=jnp.ones(1), count=jnp.asarray([12.0])))
    assert [one.name for one in validity(few, DESIGN)] == ["few features"]
    fewer = replace(SYSTEM, spectrum=Spectrum(variance=jnp.ones(1), count=jnp.asarray([4.0])))
    assert np.isnan(validity(fewer, DESIGN)[0].deviation)
    many = replace(SYSTEM, alignment=jnp.full(15, 0.02), snr=jnp.full((1, 15), 2.0))
    assert [one.name for one in validity(many, DESIGN)] == ["many latents"]
    assert [one.name for one in validity(SYSTEM, DESIGN, estimator=BrainRidge(0.01, 0.01))] == ["ridge"]
    assert validity(SYSTEM, DESIGN, estimator=BrainRidge(0.01, 1.0)) == ()
