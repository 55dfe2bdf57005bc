"""Statistics drawn without rows are distributed as those of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.worlds.gram import (
    LabelStatistics,
    SeenStimuli,
    random_patterns,
    root_of_gram,
    simulated_labels,
    simulated_recording,
)

DRAWS = 400
ALARM = 1e-4
"""False-alarm rate of one comparison; there are about forty."""


def _equal(first: list[float], second: list[float]) -> bool:
    found: Any = stats.ks_2samp(first, second)
    return float(found.pvalue) > ALARM


@pytest.mark.parametrize("n", [3, 40])
def test_recordings_have_the_distribution_of_rows(n: int) -> None:
    rng = np.random.default_rng(0)
    maps, patterns = rng.standard_normal((6, 2)), random_patterns(rng, 5, np.array([2.0, 0.5]))
    probe, channel = rng.standard_normal(6), rng.standard_normal(5)

    def rows() -> SourceStatistics:
        x = rng.standard_normal((n, 6))
        return SourceStatistics.from_arrays(x, x @ maps @ patterns + rng.standard_normal((n, 5)))

    def drawn() -> SourceStatistics:
        return simulated_recording(rng, SeenStimuli.drawn(rng, n, 6), maps, patterns)

    seen: list[list[tuple[float, ...]]] = [[], []]
    for kind, source in enumerate((rows, drawn)):
        for _ in range(DRAWS):
            found = source()
            joint = np.block([[found.gram, found.cross], [found.cross.T, found.channel_gram]])
            values = np.linalg.eigvalsh(joint)
            assert values[0] > -1e-9 * values[-1]  # a Gram matrix of rows
            ends = probe @ found.gram @ probe, probe @ found.cross @ channel, channel @ found.channel_gram @ channel
            seen[kind].append(tuple(float(value) for value in (*ends, values[-1], values[-3])))
    for first, second in zip(zip(*seen[0], strict=True), zip(*seen[1], strict=True), strict=True):
        assert _equal(list(first), list(second))


@pytest.mark.parametrize("n", [4, 30])
def test_labels_have_the_distribution_of_rows(n: int) -> None:
    rng = np.random.default_rng(1)
    task, noise = rng.standard_normal(6), 0.7

    def rows() -> LabelStatistics:
        x = rng.standard_normal((n, 6))
        return LabelStatistics.of(x, x @ task + np.sqrt(noise) * rng.standard_normal(n))

    def summed() -> LabelStatistics:
        return simulated_labels(rng, n - 2, task, noise) + simulated_labels(rng, 2, task, noise)

    def summaries(found: LabelStatistics) -> tuple[float, ...]:
        left = found.power - 2.0 * task @ found.cross + task @ found.gram @ task
        inside = task @ (found.cross - found.features * found.label / found.n)
        ends = found.label, task @ found.features, found.power, left, inside, np.linalg.eigvalsh(found.gram)[-1]
        return tuple(float(value) for value in ends)

    kinds = (rows, lambda: simulated_labels(rng, n, task, noise), summed)
    seen = [list(zip(*(summaries(kind()) for _ in range(DRAWS)), strict=True)) for kind in kinds]
    for other in seen[1:]:
        for first, second in zip(seen[0], other, strict=True):
            assert _equal(list(first), list(second))


def test_a_wrong_distribution_is_noticed() -> None:
    rng = np.random.default_rng(2)
    right = [float(np.trace(root @ root.T)) for root in (root_of_gram(rng, 40, 6) for _ in range(DRAWS))]
    wrong = [float(np.trace(root @ root.T)) for root in (root_of_gram(rng, 36, 6) for _ in range(DRAWS))]
    assert not _equal(right, wrong)


def test_many_samples_cost_what_few_cost() -> None:
    rng = np.random.default_rng(3)
    found = simulated_recording(
        rng, SeenStimuli.drawn(rng, 10**9, 5), np.eye(5)[:, :1], random_patterns(rng, 4, np.ones(1))
    )
    np.testing.assert_allclose(found.gram / 1e9, np.eye(5), atol=5e-4)
    np.testing.assert_allclose(np.trace(found.channel_gram) / 1e9, 5.0, atol=5e-4)


def test_means_of_repeated_labels_are_worth_their_number() -> None:
    """Sums of weighed means are those of the single labels; without the weights they are not."""
    rng = np.random.default_rng(3)
    x, count = rng.standard_normal((30, 5)), rng.integers(1, 5, 30)
    where = np.repeat(np.arange(30), count)
    single = rng.standard_normal(len(where))
    mean = np.bincount(where, weights=single) / count
    every, weighed = LabelStatistics.of(x[where], single), LabelStatistics.of(x, mean, weight=count.astype(float))
    for name in ("n", "features", "label", "gram", "cross"):
        np.testing.assert_allclose(getattr(weighed, name), getattr(every, name), rtol=1e-10, atol=1e-10)
    assert not np.allclose(LabelStatistics.of(x, mean).cross, every.cross)
