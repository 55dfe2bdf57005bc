"""Kernel ridge regression: its excess risk from the kernel's spectrum and the task's power along it.

In kernel ridge regression the features are the kernel's eigenfunctions, of variance d_i (its eigenvalues), and the learner
minimises sum (y - f)^2 + penalty |f|^2. Wide networks, trained lazily, are such learners, too, by their tangent kernel. With n
labels, a task of power t_i on direction i and label noise sigma^2:

    n = sum_i d_i / (d_i + kappa) + penalty / kappa,    l_i = d_i / (d_i + kappa)
    M + sigma^2 = (sigma^2 + sum_i (1 - l_i)^2 t_i) / (1 - sum_i l_i^2 / n)

(Sollich 1998; Bordelon, Canatar & Pehlevan 2020; Simon et al. 2023). That is the risk over *all* stimuli of which spectrum and
power are known. Where these are N stimuli of a sample, n labels fall on a share p = 1 - (1 - 1/N)^n of them, and there the learner
knows the label: it leaves a share s = penalty / (n kappa) of what it would be off on another stimulus, noise included, so that

    M = (1 - p) M_new + p (s^2 M_new + (1 - s)^2 sigma^2)

which is solved for M_new, the risk on stimuli that are none of the sample (our derivation).

Capacity and source conditions: d_i proportional to i^-a (``Spectrum.power_law``) and t_i to d_i^r (``Spectrum.shares``). With t_i
proportional to d_i and the best penalty it is the risk of ``TaskOnly``.

In: a spectrum, the power of a task, labels. Out: an excess risk, the best penalty. Limits: few labels and a vanishing penalty,
where eigenfunctions are not like Gaussian features; ``case_studies/theory/results/kernels.md`` measures how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.roots import unit_root
from brainworth.models.theory.stage_two import plain_prior
from brainworth.models.theory.system import Spectrum, System

Scalar = Float[Array, ""]

_SMALLEST = 1e-10
"""Directions with less than this share of the largest eigenvalue are rounding."""
_GRID = 200
"""Values of kappa that are looked through for the best penalty, twice."""


def kernel_spectrum(
    gram: Float[np.ndarray, "stimulus stimulus"],
    target: Float[np.ndarray, " stimulus"] | None = None,
    *,
    centre: bool = True,
) -> tuple[Spectrum, Float[Array, " node"]]:
    """Return the spectrum of a kernel and the power of a task along it, as a sample of stimuli shows them.

    Parameters
    ----------
    gram : (stimulus, stimulus)
        Gram matrix of stimuli drawn at random; symmetric, positive semi-definite.
    target : (stimulus,), optional
        The noise-free task of the same stimuli. Without it, the power is that of a task drawn from the kernel, in shares.
    centre : bool
        Whether the learner has an intercept. scikit-learn's ``KernelRidge`` has none.

    Raises
    ------
    ValueError
        If the matrix is not square or does not vary, or the target is not of the same stimuli.

    Notes
    -----
    Eigenvalues of the Gram matrix over the number of stimuli. Tell ``kernel_ridge_risk`` this number: its risk is then that on
    other stimuli. Use several times as many stimuli as the labels that are asked about.
    """
    values = np.asarray(gram, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"A Gram matrix must be square. Got the shape {values.shape} instead.")
    if target is not None and np.shape(target) != values.shape[:1]:
        raise ValueError(
            f"The target of {len(values)} stimuli must have as many values. Got {np.shape(target)} instead."
        )
    used = centred_gram(values)[1] if centre else values
    check_varies(used, values)
    variance, vectors = np.linalg.eigh(used)
    variance, vectors = variance[::-1] / len(values), vectors[:, ::-1]
    kept = variance > _SMALLEST * variance[0]
    spectrum = Spectrum(jnp.asarray(variance[kept]), jnp.ones(int(kept.sum())))
    if target is None:
        return spectrum, spectrum.shares(1.0)
    truth = np.asarray(target, dtype=np.float64)
    along = (vectors.T @ (truth - truth.mean() if centre else truth)) ** 2 / len(values)
    power = along[kept]
    power[-1] += along[~kept].sum()  # out of reach of the kernel, as its last direction is
    return spectrum, jnp.asarray(power)


def centred_gram(
    gram: Float[np.ndarray, "stimulus stimulus"],
) -> tuple[Float[np.ndarray, " stimulus"], Float[np.ndarray, "stimulus stimulus"]]:
    """Return the mean of each column, and the Gram matrix of features less their mean."""
    mean = gram.mean(axis=0)
    return mean, gram - mean - mean[:, None] + mean.mean()


def check_varies(used: Float[np.ndarray, "stimulus stimulus"], gram: Float[np.ndarray, "stimulus stimulus"]) -> None:
    """Raise ``ValueError`` if a Gram matrix, centred where it is used so, is nothing but rounding of the one given."""
    if not np.trace(used) > 1e-12 * len(gram) * np.abs(gram).max():
        raise ValueError("A kernel must differ between pairs of stimuli. Got one that is the same for all.")


class _Task(NamedTuple):
    """A task along a kernel's spectrum, and how much is known of it."""

    spectrum: Spectrum
    power: Float[Array, " node"]
    noise_variance: Scalar
    n_task: Scalar
    stimuli: Scalar


def kernel_ridge_risk(
    spectrum: Spectrum,
    power: Float[Array, " node"],
    noise_variance: Scalar,
    n_task: Scalar,
    penalty: Scalar,
    stimuli: Scalar | float = jnp.inf,
) -> Scalar:
    """Return the excess risk of kernel ridge regression with a given penalty.

    Parameters
    ----------
    spectrum : Spectrum
        Eigenvalues of the kernel.
    power : (node,)
        Variance of the noise-free task on *one* direction of each node, squared label units.
    noise_variance : scalar
        sigma^2, at least 0.
    n_task : scalar
        Labels, above 0.
    penalty : scalar
        Weight of the squared norm, at least 0: ``alpha`` of scikit-learn's ``KernelRidge``. With 0, the interpolating solution, of
        infinite risk where labels are as many as directions.
    stimuli : scalar
        Number of stimuli whose spectrum and power these are, if they are a sample (``kernel_spectrum``); the risk is then that on
        other stimuli.
    """
    variance, count = spectrum.variance, spectrum.count
    low, high = penalty / n_task, (penalty + jnp.sum(count * variance)) / n_task

    def excess(u: Scalar) -> Scalar:
        kappa = low + u * (high - low)
        return (penalty + kappa * jnp.sum(count * variance / (variance + kappa))) / (n_task * high) - kappa / high

    kappa = low + unit_root(excess, jnp.asarray(0.5)) * (high - low)
    return _risk(_Task(spectrum, power, noise_variance, n_task, jnp.asarray(stimuli)), kappa)


def best_kernel_ridge(
    spectrum: Spectrum,
    power: Float[Array, " node"],
    noise_variance: Scalar,
    n_task: Scalar,
    stimuli: Scalar | float = jnp.inf,
) -> tuple[Scalar, Scalar]:
    """Return the penalty with the smallest excess risk, and that risk.

    Parameters
    ----------
    spectrum, power, noise_variance, n_task, stimuli
        As for ``kernel_ridge_risk``.

    Returns
    -------
    penalty, risk : scalars
        The penalty to a relative precision of some percent, which the risk does not feel.
    """
    task = _Task(spectrum, power, noise_variance, n_task, jnp.asarray(stimuli))

    def risk(kappa: Scalar) -> Scalar:
        return jnp.where(_penalty(task, kappa) >= 0.0, _risk(task, kappa), jnp.inf)

    def finer(ends: tuple[Scalar, Scalar]) -> tuple[Array, Array]:
        grid = jnp.linspace(ends[0], ends[1], _GRID)
        return grid, jnp.argmin(jax.vmap(risk)(jnp.exp(grid)))

    top = jnp.log(100.0 * jnp.sum(spectrum.count * spectrum.variance))
    grid, best = finer((jnp.log(1e-6 * jnp.min(spectrum.variance)), top))
    grid, best = finer((grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, _GRID - 1)]))
    kappa = jnp.exp(grid[best])
    return _penalty(task, kappa), risk(kappa)


def _penalty(task: _Task, kappa: Scalar) -> Scalar:
    """Return the penalty that a kappa means."""
    variance = task.spectrum.variance
    return kappa * (task.n_task - jnp.sum(task.spectrum.count * variance / (variance + kappa)))


def _risk(task: _Task, kappa: Scalar) -> Scalar:
    count, noise, n = task.spectrum.count, task.noise_variance, task.n_task
    learned = task.spectrum.variance / (task.spectrum.variance + kappa)
    left = jnp.sum(count * (1.0 - learned) ** 2 * task.power)
    free = 1.0 - jnp.sum(count * learned**2) / n
    over_all = (noise + left) / jnp.where(free > 0, free, 1.0) - noise
    known = 1.0 - (1.0 - 1.0 / task.stimuli) ** n
    share = _penalty(task, kappa) / (n * kappa)
    new = (over_all - known * (1.0 - share) ** 2 * noise) / (1.0 - known * (1.0 - share**2))
    return jnp.where(free > 0, new, jnp.inf)


@dataclass(frozen=True)
class KernelRidge:
    """Kernel ridge regression on the labels alone, the kernel's eigenvalues the system's spectrum.

    The penalty is ``alpha`` of scikit-learn's ``KernelRidge``. The task's power is that of the system: source exponents, or
    ``task_spectrum``. Median deviation from executed kernel ridge regression, and the worst, in
    ``case_studies/theory/results/kernels.md``.
    """

    penalty: float

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:  # noqa: ARG002 (protocol)
        """Return the excess risk without brain data; ``encoding`` is not used."""
        power = plain_prior(system).remainder
        penalty = jnp.asarray(self.penalty)
        return kernel_ridge_risk(system.spectrum, power, system.noise_variance, n_task, penalty)
