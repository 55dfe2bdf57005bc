"""Means over worlds, as precise as the worlds allow.

In: configurations and seeds. Out: means and standard errors of whatever is measured on the learner's error. The second stage is
linear in the labels, so in every world, with the encoder that was really fitted to its recordings and the stimuli that were
really labelled, the risk is averaged over label noise, over the misaligned part of the task and over the signs of the latents'
weights in closed form. The realised variance of the latents, whose expectation is known, is regressed out (a control variate). A
world is then worth ten or more. Errors: a learner whose weights are not linear in the labels;
``tests/examples/test_case_theory.py`` compares with labels really drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pipeline import Configuration, Learned, learn

from brainworth.models.learner.second_stage import Components, LabelledDesign
from brainworth.models.theory.system import System

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Second moments of the error of the weights in one world, in coordinates in which stimuli have unit variance."""

    informed: Matrix
    """(direction, direction), with brain data."""
    task_only: Matrix
    """Without."""
    latents: Matrix
    """(direction, latent): the true latents in these coordinates."""

    def risks(self, moments: Matrix, factors: Vector | None = None) -> tuple[float, float]:
        """Return the risk on test stimuli with variance factors per direction, and its part outside of the latents' span."""
        root = np.ones(len(moments)) if factors is None else np.sqrt(factors)
        weighted = root[:, None] * moments * root[None, :]
        basis, _ = np.linalg.qr(root[:, None] * self.latents)
        total = float(np.trace(weighted))
        return total, total - float(np.sum(basis * (weighted @ basis)))


Measure = Callable[[Errors], Sequence[float]]


def errors(configuration: Configuration, learned: Learned) -> Errors:
    """Return the second moments of the error, averaged over tasks and label noise of this world."""
    design, known = learned.design, learned.known
    none = np.zeros((len(design.variance), 0))
    plain = LabelledDesign(design.coordinates, design.variance, none, none)
    latents = learned.truth.latent_maps
    alone = Components(1.0, np.zeros(0), known.noise)
    task = Components(
        1.0 - configuration.rho2,
        np.full(configuration.k, configuration.rho2 / configuration.k),
        configuration.noise_variance,
    )
    return Errors(
        informed=moments(bayes(design, known), design, latents, task),
        task_only=moments(bayes(plain, alone), design, latents, task),
        latents=np.sqrt(design.variance)[:, None] * latents,
    )


@dataclass(frozen=True)
class LinearLearner:
    """A learner whose weights are linear in the labels: weights = lifted @ columns^T @ labels."""

    columns: Matrix
    lifted: Matrix


def bayes(design: LabelledDesign, known: Components) -> LinearLearner:
    """Return the posterior mean under known variance components."""
    columns = design.columns
    root = np.sqrt(design.prior(known))
    whitened = root[:, None] * (columns.T @ columns) * root[None, :]
    solved = root[:, None] * np.linalg.inv(known.noise * np.eye(len(root)) + whitened) * root[None, :]
    return LinearLearner(columns, np.hstack([np.eye(len(design.variance)), design.maps]) @ solved)


def moments(learner: LinearLearner, design: LabelledDesign, latents: Matrix, task: Components) -> Matrix:
    """Return the second moments of a learner's error, averaged over tasks with known variance components, and label noise."""
    columns, lifted = learner.columns, learner.lifted
    missed = lifted @ (columns.T @ design.coordinates) - np.eye(len(design.variance))
    shares = design.variance / design.variance.sum()
    along = missed @ latents
    aligned = (along * task.latent) @ along.T
    misaligned = task.misaligned * (missed * (shares / design.variance)) @ missed.T
    noise = task.noise * lifted @ (columns.T @ columns) @ lifted.T
    root = np.sqrt(design.variance)
    return root[:, None] * (aligned + misaligned + noise) * root[None, :]


def controlled(values: Vector, control: Vector) -> tuple[float, float]:
    """Return mean and standard error of values, given a control of expectation 1; plain ones with fewer than 12 worlds."""
    count = len(values)
    if count < 12:
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(count))
    design = np.column_stack([np.ones(count), control - 1.0])
    weights, _, _, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = values - design @ weights
    variance = float(residual @ residual) / (count - 2)
    return float(weights[0]), float(np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0]))


def measured(configuration: Configuration, system: System, seeds: range, measure: Measure) -> tuple[Vector, Vector]:
    """Return means and standard errors of everything a measure returns, over the worlds of the seeds."""
    rows: list[Sequence[float]] = []
    control: list[float] = []
    for seed in seeds:
        found = errors(configuration, learn(configuration, system, seed))
        rows.append(measure(found))
        control.append(float(np.mean(np.sum(found.latents**2, axis=0))))
    pairs = [controlled(column, np.array(control)) for column in np.array(rows, dtype=np.float64).T]
    return np.array([mean for mean, _ in pairs]), np.array([error for _, error in pairs])
