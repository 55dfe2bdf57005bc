"""Whole studies with sessions: how often the rule that says when to stop is wrong, and what it saves.

    uv run python case_studies/calibration/looks.py                       # results/looks.md
    uv run python case_studies/calibration/looks.py --studies 4 --out /tmp/looks

In: number of studies of each kind, seed. Out, in --out: ``looks.jsonl`` (one line a study; a run that was stopped goes on from
there) and ``looks.md``. A study begins with a pilot and gets labels and recordings of two people in each of eight sessions. After
each, learners that were fitted to everything before it, with and without recordings, predict its labels, and the rule of
``brainworth update`` is asked. The truth is what these learners gain on thousands of labels that the study never sees; a limit is
wrong if it excludes every look's. The twin without a guarantee looks just as often at a 95 % confidence interval of the mean gain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from resumed import carry_out, command_line

from brainworth.design.decision.update.evidence import CAP, paired_gains
from brainworth.models.forecast.monitoring import confidence_sequence
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import World, draw_world, record

KINDS = {"null": 0.0, "alignment 0.3": 0.3, "alignment 0.6": 0.6, "alignment 0.9": 0.9}
"""Share of the explainable variance that the brain's latent carries."""
SESSIONS, LABELS, SAMPLES, FIRST, TEST = 8, 40, 100, 60, 4_000
"""Sessions; labels and samples of each person in each; both in the pilot; labels that tell the truth."""
FEATURES, CHANNELS, PEOPLE, LEVEL = 60, 12, 2, 0.05
WORTHWHILE = 0.01
"""In R² of all label variance."""


def system_of(alignment: float) -> System:
    """Return the parameters of one kind of worlds."""
    return System(
        spectrum=Spectrum.power_law(FEATURES, 0.3),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([alignment]),
        snr=jnp.asarray([[2.0]]),
        channels=jnp.asarray([float(CHANNELS)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def label_of(world: World, rng: np.random.Generator, features: np.ndarray) -> np.ndarray:
    """Return noisy labels of stimuli."""
    return features @ world.truth.task_map + np.sqrt(world.truth.noise_variance) * rng.standard_normal(len(features))


def one_study(kind: str, index: int, seed: int) -> dict[str, Any]:
    """Return gains on new labels and the true gain of the learners, session by session."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), index])
    world = draw_world(system_of(KINDS[kind]), rng)
    labels, samples = FIRST + SESSIONS * LABELS, FIRST + SESSIONS * SAMPLES
    features = world.features(rng, labels + PEOPLE * samples + TEST)
    label = label_of(world, rng, features[:labels])
    rows = labels + np.arange(PEOPLE * samples).reshape(PEOPLE, samples)
    recorded = [record(world, rng, 0, features[row], 1.0) for row in rows]
    test = np.arange(len(features) - TEST, len(features))
    truth = label_of(world, rng, features[test])

    def held(n_labels: int, each: int) -> Pilot:
        people = [
            Recording("EEG", f"p{i}", row[:each], x[:each])
            for i, (row, x) in enumerate(zip(rows, recorded, strict=True))
        ]
        return Pilot(features, np.arange(len(features)), tuple(people), np.arange(n_labels), label[:n_labels])

    gains: list[float] = []
    means: list[float] = []
    for session in range(SESSIONS):
        known, more = FIRST + session * LABELS, FIRST + (session + 1) * LABELS
        before = held(known, FIRST + session * SAMPLES)
        seen = np.concatenate([np.arange(more), test])
        after = replace(before, label_stimulus=seen, label=np.concatenate([label[:more], truth]))
        found = paired_gains(before, after)
        gains += found[:LABELS].tolist()
        means.append(float(found[LABELS:].mean()))
    return {"kind": kind, "index": index, "gains": gains, "truth": means}


def judged(line: dict[str, Any]) -> dict[str, Any]:
    """Return what the rule says after each session, and the twin."""
    gains, truth = np.array(line["gains"]), CAP * np.array(line["truth"])
    ends = LABELS * np.arange(1, SESSIONS + 1) - 1
    found = confidence_sequence(gains[None], LEVEL)
    low, high = CAP * found.low[0, ends], CAP * found.high[0, ends]
    mean = np.array([CAP * gains[: end + 1].mean() for end in ends])
    error = np.array([CAP * gains[: end + 1].std(ddof=1) / np.sqrt(end + 1) for end in ends])
    rule, twin = _decided(low, high, truth), _decided(mean - 1.96 * error, mean + 1.96 * error, truth)
    return {**rule, "twin": twin, "width": float(0.5 * (high - low)[-1]), "truth": float(truth.mean())}


def _decided(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return whether a limit was ever wrong, when the question is answered, if at all, and whether by the wrong answer."""
    largest, smallest = np.maximum.accumulate(truth), np.minimum.accumulate(truth)
    missed = bool(np.any((low >= largest) | (high <= smallest)))
    decided = np.flatnonzero((low >= WORTHWHILE) | (high <= WORTHWHILE))
    if not decided.size:
        return {"missed": missed, "session": None, "stop": False, "wrong": False}
    first = int(decided[0])
    stop = bool(low[first] < WORTHWHILE)
    wrong = smallest[first] >= WORTHWHILE if stop else largest[first] <= WORTHWHILE
    return {"missed": missed, "session": first + 1, "stop": stop, "wrong": bool(wrong)}


def table(lines: list[dict[str, Any]]) -> str:
    """Return the table of all kinds, in Markdown."""
    rows = [
        "| worlds | studies | true gain, all sessions | limits at the end, ± | says stop | says enough | of these wrong "
        "| sessions saved | limits ever wrong | the twin: says stop or enough | wrong | limits ever wrong |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        own = [judged(line) for line in lines if line["kind"] == kind]
        if not own:
            continue
        answered, twins = [one for one in own if one["session"]], [one["twin"] for one in own]
        stop = sum(one["stop"] for one in answered)
        saved = np.array([SESSIONS - (one["session"] or SESSIONS) for one in own])
        cells = [
            f"{np.mean([one['truth'] for one in own]):+.3f}",
            f"{np.mean([one['width'] for one in own]):.3f}",
            stop,
            len(answered) - stop,
            sum(one["wrong"] for one in own),
            f"{saved.mean():.1f} of {SESSIONS}",
            sum(one["missed"] for one in own),
            sum(one["session"] is not None for one in twins),
            sum(one["wrong"] for one in twins),
            sum(one["missed"] for one in twins),
        ]
        rows.append(f"| {kind} | {len(own)} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Run all kinds of studies."""
    given = command_line(__doc__, "studies", 500)
    tasks = [(kind, index) for index in range(given.count) for kind in KINDS]
    carry_out("looks", one_study, tasks, ("kind", "index"), table, given)


if __name__ == "__main__":
    main()
