"""From draws of the sites of ``hierarchy`` to the systems that a forecast is about."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from brainworth.models.posterior.likelihoods import alignment_of, latent_power
from brainworth.models.theory.system import Spectrum, System


def systems_of_draws(
    sites: Mapping[str, np.ndarray], spectrum: Spectrum, channels: Float[Array, " modality"], unit: float = 1.0
) -> System:
    """Return draws of the sites (leading axis) as a batch of systems of the world that the pilot is of.

    The sites ``loading`` and ``explainable`` are of the average over worlds. In one world latent j has the variance P_j
    (``latent_power``), which the labels' likelihood puts before its weight: it contributes tau^2 e_j P_j. A forecast is about
    that same world, so it has the explainable variance tau^2 (1 - rho^2 + sum_l e_l P_l), of which latent j carries
    e_j P_j / (1 - rho^2 + sum_l e_l P_l). The read-outs measure the latents as they are in that world: ``log_snr`` stays.

    Parameters
    ----------
    sites : mapping
        Draws by name of the site, draw axis first; ``shared_noise`` (draw, modality), if known, is kappa of ``likeness``.
    spectrum : Spectrum
        Spectrum of the features.
    channels : (modality,)
        Channels of one sample.
    unit : float
        Squared unit of a label, by which variances are multiplied.
    """
    total, loading = jnp.asarray(np.exp(sites["scale"]) * unit), jnp.asarray(sites["loading"])
    exponent, explainable = jnp.asarray(sites["brain_exponent"]), jnp.asarray(sites["explainable"])
    average = jax.vmap(alignment_of)(loading)
    power = jax.vmap(latent_power, in_axes=(None, 0, 0))(spectrum, exponent, jnp.asarray(sites["latent_power_raw"]))
    carried = average * power
    here = 1.0 - jnp.sum(average, axis=1) + jnp.sum(carried, axis=1)
    return System(
        spectrum=spectrum,
        signal_variance=total * explainable * here,
        noise_variance=total * (1.0 - explainable),
        alignment=carried / here[:, None],
        snr=jnp.asarray(np.exp(sites["log_snr"])),
        channels=channels,
        brain_exponent=exponent,
        task_exponent=jnp.asarray(sites["task_exponent"]),
        shared_noise=None if "shared_noise" not in sites else jnp.asarray(sites["shared_noise"]),
    )
