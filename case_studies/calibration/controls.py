"""How often recordings that say nothing of a task pass for brain data, and what controls cost where there is an effect.

    uv run python case_studies/calibration/controls.py                       # results/controls.md
    uv run python case_studies/calibration/controls.py --worlds 4 --out /tmp/controls

In: number of worlds of each kind, seed. Out, in --out: ``controls.jsonl`` (one line a world; a run that was stopped goes on
from there) and ``controls.md``. In null worlds the recordings carry latents that the task has nothing to do with; in one kind
both follow the features' leading directions, in another noise and stimuli are autocorrelated. Every false alarm there is a
fault. Where the task has a latent in common with the brain, the gain over the best control should be the gain over labels
alone. Judging by labels alone is the twin without controls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from resumed import carry_out, command_line

from brainworth.design.decision.controls import against_controls, level
from brainworth.models.learner.controlled import LABELS, controlled_errors
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study


@dataclass(frozen=True)
class Kind:
    """One kind of worlds."""

    alignment: float = 0.0
    """Share of the explainable variance that the brain's first latent carries."""
    steepness: float = 0.3
    """Exponent of the features' spectrum, i^-steepness."""
    exponent: float = 1.0
    """Source exponent of the latents and of the task: above 1, both lie in the features' leading directions."""
    realism: Realism = field(default_factory=Realism)


KINDS = {
    "null": Kind(),
    "null, steep spectrum": Kind(steepness=1.5),
    "null, leading directions": Kind(steepness=0.7, exponent=1.8),
    "null, autocorrelated": Kind(realism=Realism(autocorrelation=0.6, stimulus_autocorrelation=0.8)),
    "alignment 0.3": Kind(0.3),
    "alignment 0.6": Kind(0.6),
    "alignment 0.9": Kind(0.9),
}
FEATURES, SAMPLES, TASK, STIMULI, CHANNELS = 60, 500, 120, 640, 12


def _code(kind: str, seed: int, index: int) -> int:
    return 1000 * (seed + 1) + index + 100_000 * list(KINDS).index(kind)


def pilot_of(kind: str, seed: int, index: int) -> Pilot:
    """Return the pilot of one world."""
    how = KINDS[kind]
    system = System(
        spectrum=Spectrum.power_law(FEATURES, how.steepness),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([how.alignment, 0.0]),
        snr=jnp.asarray([[2.0, 1.0]]),
        channels=jnp.asarray([float(CHANNELS)]),
        brain_exponent=jnp.asarray(how.exponent),
        task_exponent=jnp.asarray(how.exponent),
    )
    size = StudySize((SourceSize("EEG", SAMPLES, people=2),), TASK, STIMULI)
    return simulate_study(system, size, _code(kind, seed, index), how.realism)[0]


def one_world(kind: str, index: int, seed: int) -> dict[str, Any]:
    """Return what controls make of one pilot."""
    pilot, code = pilot_of(kind, seed, index), _code(kind, seed, index)
    group = pilot.group[pilot.label_stimulus]
    found = against_controls("EEG", controlled_errors(pilot, "EEG", code), group)
    gains = {arm.name: [arm.gain, arm.gain_se] for arm in found.arms}
    limit = level(np.unique(group).size)
    return {"kind": kind, "index": index, "exceeds": found.exceeds, "r2": found.r2, "gains": gains, "level": limit}


def table(lines: list[dict[str, Any]]) -> str:
    """Return the table of all kinds, in Markdown."""
    rows = [
        "| worlds | pilots | exceed every control | exceed labels alone | gain over labels alone | gain over the best control |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        own = [line for line in lines if line["kind"] == kind]
        if not own:
            continue
        exceed = np.array([line["exceeds"] for line in own], dtype=float)
        alone = np.array([line["gains"][LABELS] for line in own])
        twin = (alone[:, 0] > np.array([line["level"] for line in own]) * alone[:, 1]).astype(float)
        best = np.array([min(gain for gain, _ in line["gains"].values()) for line in own])
        rows.append(
            f"| {kind} | {len(own)} | {_share(exceed)} | {_share(twin)} | {_mean(alone[:, 0])} | {_mean(best)} |"
        )
    return "\n".join(rows) + "\n"


def _share(values: np.ndarray) -> str:
    return f"{100 * values.mean():.0f} ± {100 * np.sqrt(values.mean() * (1 - values.mean()) / len(values)):.0f} %"


def _mean(values: np.ndarray) -> str:
    return (
        f"{values.mean():+.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
        if len(values) > 1
        else f"{values[0]:+.3f}"
    )


def main() -> None:
    """Run all kinds of worlds."""
    given = command_line(__doc__, "worlds", 16)
    tasks = [(kind, index) for index in range(given.count) for kind in KINDS]
    carry_out("controls", one_world, tasks, ("kind", "index"), table, given)


if __name__ == "__main__":
    main()
