"""Backtest: forecast from part of the pilot what the rest can still check, and score the forecast.

In: a study with a pilot. Out: for several splits and several amounts of data, the forecast R^2 on held-out labels, what the
brain-informed learner really reached there, coverage of the 90 % interval, and the continuous ranked probability score beside
that of a power-law extrapolation of the learning curve, which a careful person would otherwise use. Groups of stimuli are never
split. Errors: a pilot too small to be divided (``BadInput``); R^2 on few held-out labels is itself noisy, which the forecast's
interval includes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from sklearn.linear_model import RidgeCV

from brainworth.design.common.errors import BadInput
from brainworth.design.common.records import Record
from brainworth.design.common.workers import Team, ThisProcess, count_in_words
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.study import StudyData
from brainworth.design.pilot.summaries.limits import require_recordings
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.sampled import fit_for_forecast
from brainworth.models.learner.learning_curve import Recorded, learned, tested_r2
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.pilot import Pilot

HELD_OUT = 0.3
"""Share of the labelled groups that is only ever tested on."""
MINIMUM = 20
"""Labels or recorded stimuli below which a part of the pilot is too small."""


class R2Interval(Record):
    """90 % interval and median of R^2."""

    q05: float
    q50: float
    q95: float


class BacktestPoint(Record):
    """What was forecast and what was reached with one amount of data in one split."""

    split: int
    """From 1."""
    brain_share: float
    """Share of the training groups whose recordings are used."""
    n_task: int
    observed_r2: float
    """On the held-out labels."""
    forecast_r2: R2Interval
    power_law_r2: R2Interval
    """From the extrapolated learning curve without brain data."""
    covered: bool
    """Whether the 90 % interval of the forecast holds what was reached."""


class Scores(Record):
    """Continuous ranked probability scores; smaller is better."""

    forecast: float
    power_law: float


class Backtest(Record):
    """A scored backtest."""

    points: list[BacktestPoint]
    """One per split and amount of data."""
    coverage: float
    """Share of the points that the 90 % interval of the forecast holds."""
    crps: Scores
    skill: float
    """1 - ratio of the forecast's score to the power law's."""


@dataclass(frozen=True)
class Point:
    """One amount of data in one split."""

    split: int
    brain_share: float
    """Share of the training groups whose recordings are used."""
    n_task: int
    observed: float
    """R^2 on the held-out labels."""
    forecast: Float[np.ndarray, " draw"]
    """Predictive draws of the same: parameters, worlds and samples, mean label, and the noise of the test set."""
    power_law: Float[np.ndarray, " draw"]
    """The same from the extrapolated learning curve without brain data."""

    @property
    def covered(self) -> bool:
        """Whether the central 90 % of the forecast hold the observation."""
        low, high = np.quantile(self.forecast, [0.05, 0.95])
        return bool(low <= self.observed <= high)


def crps(draws: Float[np.ndarray, " draw"], observed: float) -> float:
    """Return the continuous ranked probability score of a sample: E|X - y| - E|X - X'| / 2; smaller is better."""
    ordered = np.sort(draws)
    n = ordered.size
    weights = 2.0 * np.arange(1, n + 1) - n - 1.0
    return float(np.mean(np.abs(draws - observed)) - np.sum(weights * ordered) / n**2)


def _power_law(pilot: Pilot, sizes: Sequence[int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return draws of R^2 at each size from a curve a - b n^-c fitted to the labels' own learning curve: (draw, size)."""
    x, y, group = pilot.features[pilot.label_stimulus], pilot.label, pilot.group[pilot.label_stimulus]
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    counts: list[float] = []
    scores: list[float] = []
    for repeat in range(8):
        folds = group_folds(group, 4, int(rng.integers(2**31)) + repeat)
        for fold in np.unique(folds):
            train, test = np.flatnonzero(folds != fold), folds == fold
            for share in (0.3, 0.5, 0.75, 1.0):
                part = rng.permutation(train)[: max(int(share * len(train)), 5)]
                model = RidgeCV(alphas=np.logspace(-1, 5, 13)).fit(x[part], y[part])
                counts.append(float(len(part)))
                scores.append(tested_r2(np.asarray(model.predict(x[test])), y[test], float(y[part].mean()))[0])
    n, score = np.array(counts), np.array(scores)

    def curve(size: NDArray[np.float64], top: float, drop: float, power: float) -> NDArray[np.float64]:
        return top - drop * size**-power

    draws: list[NDArray[np.float64]] = []
    for _ in range(100):
        rows = rng.integers(0, n.size, n.size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            try:
                found, _ = curve_fit(
                    curve, n[rows], score[rows], p0=(0.3, 1.0, 0.5), bounds=([-1, 0, 0.05], [1, 20, 2]), max_nfev=400
                )
            except RuntimeError:
                continue
        draws.append(curve(np.array(sizes, dtype=float), *found))
    return np.array(draws) if draws else np.full((1, len(sizes)), float(score.mean()))


def _forecast(posterior: PosteriorDraws, extra: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return R^2 of single studies (point, study) at the part of the pilot plus further (brain share added, labels)."""
    size = posterior.pilot
    samples = np.array([[share * float(n) for n in size.samples] for share, _ in extra])
    usable = np.asarray(size.usable)
    purchase = Purchase(
        n_task=np.array([labels for _, labels in extra]),
        samples=samples / usable,
        subjects=np.tile(np.maximum(np.asarray(size.subjects), 1.0), (len(extra), 1)),
        repeats=np.tile(np.asarray(size.repeats), (len(extra), 1)),
    )
    returning = replace(posterior, pilot=replace(size, new_subjects=np.zeros_like(np.asarray(size.new_subjects))))
    surface = replace(returning.surface(), size=returning.pilot, shift=1.0)
    return surface.outcomes(purchase) * np.repeat(posterior.explained_share, surface.studies)


def one_split(study: StudyData, split: int, seed: int) -> list[Point]:
    """Return the points of one random split of the pilot's groups.

    A share of the labelled groups is held out; half of the others are the part that is fitted, with recordings of half of
    all groups; then recordings, labels, and both are completed.
    """
    pilot, rng = study.pilot, np.random.default_rng([seed, split])
    labelled = np.unique(pilot.group[pilot.label_stimulus])
    groups = rng.permutation(labelled)
    cut = int(np.ceil(HELD_OUT * len(groups)))
    held, rest = groups[:cut], groups[cut:]
    others = np.setdiff1d(np.unique(pilot.group), labelled)
    first = np.concatenate([rest[: len(rest) // 2], rng.permutation(others)[: len(others) // 2]])
    test = np.isin(pilot.group, held)
    half, whole = np.isin(pilot.group, first), ~test
    parts = [(0.5, half, half), (1.0, whole, half), (0.5, half, whole), (1.0, whole, whole)]
    pilots = [pilot.restricted(brain, task) for _, brain, task in parts]
    if min(len(p.label) for p in pilots) < MINIMUM or test[pilot.label_stimulus].sum() < MINIMUM // 2:
        raise BadInput(
            f"{study.config.study.title}: the pilot has {len(pilot.label)} labels in {len(labelled)} groups, too few to fit a "
            f"part and check the rest. A backtest needs about {4 * MINIMUM} labels in at least 8 groups."
        )
    small = pilots[0]
    posterior = fit_for_forecast(study.with_random_labels().with_pilot(small), seed)
    extra = [(_brain(p) / max(_brain(small), 1) - 1.0, float(len(p.label) - len(small.label))) for p in pilots]
    forecasts = _forecast(posterior, extra)
    laws = _power_law(small, [len(p.label) for p in pilots], rng)
    rows = test[pilot.label_stimulus]
    x, y = pilot.features[pilot.label_stimulus[rows]], pilot.label[rows]
    reached = _reached(pilots, x, y)
    points: list[Point] = []
    for index, (share, _, _) in enumerate(parts):
        part, (observed, error) = pilots[index], reached[index]
        noise = error * rng.standard_normal(forecasts.shape[1])
        law = laws[rng.integers(0, len(laws), forecasts.shape[1]), index] + noise
        points.append(Point(split, share, len(part.label), observed, forecasts[index] + noise, law))
    return points


def _reached(
    pilots: Sequence[Pilot], features: NDArray[np.float64], label: NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Return R^2 on held-out labels, and its standard error, of learners trained on the four parts of a pilot.

    The third and fourth part have the recordings of the first and second, which are passed over once if they are large.
    """
    found: dict[int, tuple[float, float]] = {}
    for brain in (0, 1):
        recorded = Recorded.of(pilots[brain])
        for index in (brain, brain + 2):
            part = pilots[index]
            found[index] = tested_r2(learned(part, features, recorded), label, float(part.label.mean()))
    return [found[index] for index in range(len(pilots))]


def _brain(pilot: Pilot) -> int:
    return sum(len(recording.stimulus) for recording in pilot.recordings)


def backtest(
    study: StudyData, *, splits: int = 3, progress: Callable[[str], None] | None = None, workers: Team | None = None
) -> Backtest:
    """Return the scored backtest of a study.

    Parameters
    ----------
    study : StudyData
        A study with a pilot.
    splits : int
        Random splits of the groups.
    progress : callable, optional
        Called with a word on how many splits are done.
    workers : Team, optional
        Who works on the splits; this process if not given. The result does not depend on it.

    Raises
    ------
    BadInput
        A study without a pilot, or a pilot too small to be divided.
    """
    require_recordings(study, "backtest")
    say = count_in_words(progress, "splits")
    say(0, splits)
    tasks = [(split, study.config.study.seed) for split in range(splits)]
    points = [point for found in (workers or ThisProcess()).results(one_split, tasks, (study,), say) for point in found]
    ours = float(np.mean([crps(p.forecast, p.observed) for p in points]))
    theirs = float(np.mean([crps(p.power_law, p.observed) for p in points]))
    return Backtest(
        points=[
            BacktestPoint(
                split=p.split + 1,
                brain_share=p.brain_share,
                n_task=p.n_task,
                observed_r2=p.observed,
                forecast_r2=_quantiles(p.forecast),
                power_law_r2=_quantiles(p.power_law),
                covered=p.covered,
            )
            for p in points
        ],
        coverage=float(np.mean([p.covered for p in points])),
        crps=Scores(forecast=ours, power_law=theirs),
        skill=1.0 - ours / theirs if theirs > 0 else 0.0,
    )


def _quantiles(draws: Float[np.ndarray, " draw"]) -> R2Interval:
    q05, q50, q95 = (float(value) for value in np.quantile(draws, [0.05, 0.5, 0.95]))
    return R2Interval(q05=q05, q50=q50, q95=q95)
