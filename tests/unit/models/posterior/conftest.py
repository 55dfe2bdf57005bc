"""A small pilot for the tests of the posterior."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import SourceSize, StudySize, simulate_study


@pytest.fixture(scope="module")
def summary() -> SummarisedPilot:
    """Three people, 300 samples, 100 labels, two latents."""
    system = System(
        spectrum=Spectrum.power_law(30, 0.5),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([0.5, 0.1]),
        snr=jnp.asarray([[2.0, 0.5]]),
        channels=jnp.asarray([10.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    pilot, _ = simulate_study(system, StudySize((SourceSize("EEG", 300, people=3),), 100, 300), 2)
    return summarise(pilot, ("EEG",), 2, 0)
