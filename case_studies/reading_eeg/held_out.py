"""What learners really reach on held-out sentences, and what the posterior said they would.

In: ``Corpus``, the pilot's sentences, a posterior. Out: tables of R^2. Two learners are tried, with and without EEG: the one the
plan promises, and a plain ridge of scikit-learn that shares no code with the planner. Errors: fewer sentences than held-out plus
further ones (``ValueError``).
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# (pandas' own annotations are incomplete)

# pyright: reportAttributeAccessIssue=false
# Columns of a data frame are inferred as arrays: pandas has no stubs here.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reading import Corpus
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainworth.design.performance.purchase import Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.pilot.threads import one_blas_thread

PENALTIES = np.logspace(-1, 6, 22)
WEIGHTS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0)
"""How much less the coefficient of the predicted N400 is penalised; leave-one-out error chooses."""
CONDITIONS = ("labels", "labels and EEG", "EEG")
"""What grows beyond the pilot. Without EEG, the pilot's EEG is left out as well."""


@dataclass(frozen=True)
class Comparison:
    """How the check is run."""

    sizes: tuple[int, ...]
    """Further sentences beside the pilot."""
    held_out: int
    """Sentences that no learner sees."""
    splits: int
    """Random choices of held-out and further sentences."""
    seed: int


@dataclass(frozen=True)
class Split:
    """Words of one split: what may be learned from at each size, and what is predicted."""

    further: tuple[pd.Index, ...]
    test: pd.Index


def splits(corpus: Corpus, pilot: NDArray[np.int64], plan: Comparison) -> list[Split]:
    """Return random splits of the sentences outside of the pilot, the same for every learner."""
    rng = np.random.default_rng([plan.seed, 1])
    others = np.setdiff1d(corpus.sentence.unique(), pilot)
    if plan.held_out + max(plan.sizes) > others.size:
        raise ValueError(f"{plan.held_out} held-out and {max(plan.sizes)} further sentences exceed {others.size}.")
    found: list[Split] = []
    for _ in range(plan.splits):
        order = rng.permutation(others)
        test, rest = order[: plan.held_out], order[plan.held_out :]
        found.append(Split(tuple(corpus.words_of(rest[:size]) for size in plan.sizes), corpus.words_of(test)))
    return found


def _predicted_n400(corpus: Corpus, words: pd.Index) -> NDArray[np.float64]:
    """Return the N400 of every word, standardised, as predicted by ridge from the item means of some words."""
    trials = corpus.n400.loc[words]
    seen = trials.notna().sum(axis=1)
    words, mean = words[seen > 0], trials.mean(axis=1)[seen > 0]
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    model.fit(corpus.features.loc[words], mean, ridgecv__sample_weight=seen[seen > 0].to_numpy())
    predicted = model.predict(corpus.features)
    return (predicted - predicted.mean()) / max(float(predicted.std()), 1e-12)


def two_stage_ridge(corpus: Corpus, labelled: pd.Index, recorded: pd.Index | None) -> NDArray[np.float64]:
    """Return predictions for every word by ridge; the N400 predicted from the recorded words is one more feature."""
    features = StandardScaler().fit(corpus.features.loc[labelled]).transform(corpus.features)
    brain = None if recorded is None else _predicted_n400(corpus, recorded)
    rows = corpus.features.index.get_indexer(labelled)
    best: tuple[float, NDArray[np.float64]] | None = None
    for weight in (0.0,) if brain is None else WEIGHTS:
        columns = features if brain is None else np.column_stack([features, weight * brain])
        model = RidgeCV(PENALTIES).fit(columns[rows], corpus.label[labelled])
        if best is None or model.best_score_ > best[0]:
            best = (float(model.best_score_), model.predict(columns))
    assert best is not None
    return best[1]


def promised_learner(corpus: Corpus, labelled: pd.Index, recorded: pd.Index | None) -> NDArray[np.float64]:
    """Return predictions for every word by the learner the plan promises; one brain set per person."""
    brain = [] if recorded is None else [corpus.n400.loc[recorded, person].dropna() for person in corpus.n400]
    sets = [(corpus.features.loc[trials.index].to_numpy(), trials.to_numpy()[:, None]) for trials in brain]
    model = BrainInformedRegressor(standardise=True)
    model.fit(corpus.features.loc[labelled].to_numpy(), corpus.label[labelled].to_numpy(), brain=sets or None)
    return model.predict(corpus.features.to_numpy())


LEARNERS = {"promised": promised_learner, "ridge": two_stage_ridge}


def reached_r2(corpus: Corpus, learner: str, labelled: pd.Index, recorded: pd.Index | None, test: pd.Index) -> float:
    """Return R^2 on test words of a learner that saw some labels, and the EEG of the recorded words if there are any."""
    predicted = LEARNERS[learner](corpus, labelled, recorded)
    return float(r2_score(corpus.label[test], predicted[corpus.features.index.get_indexer(test)]))


def reached(corpus: Corpus, pilot: NDArray[np.int64], plan: Comparison) -> pd.DataFrame:
    """Return one row per split, size, condition and learner: R^2 on the held-out sentences."""
    own = corpus.words_of(pilot)
    rows: list[dict[str, object]] = []
    with one_blas_thread():
        for number, split in enumerate(splits(corpus, pilot, plan)):
            for size, further in zip(plan.sizes, split.further, strict=True):
                both = own.append(further)
                trained = zip(CONDITIONS, (both, both, own), (None, both, both), strict=True)
                for (condition, labelled, recorded), learner in product(trained, LEARNERS):
                    r2 = reached_r2(corpus, learner, labelled, recorded, split.test)
                    rows.append({
                        "split": number,
                        "sentences": size,
                        "grows": condition,
                        "learner": learner,
                        "r2": r2,
                    })  # fmt: skip
    return pd.DataFrame(rows)


def forecast_r2(
    posterior: PosteriorDraws, labels: Sequence[float], samples: Sequence[float], *, brain: bool
) -> np.ndarray:
    """Return the forecast R^2 of (purchase, draw); without ``brain`` even the pilot's recordings are left out."""
    surface, count = posterior.surface(), len(labels)
    if not brain:
        surface = replace(surface, size=replace(surface.size, samples=jnp.zeros_like(surface.size.samples)))
    usable = float(np.asarray(surface.size.usable)[0])
    purchase = Purchase(
        n_task=np.asarray(labels, dtype=float),
        samples=np.asarray(samples, dtype=float)[:, None] / usable,
        subjects=np.full((count, 1), float(np.asarray(surface.size.subjects)[0])),
        repeats=np.ones((count, 1)),
    )
    signal, noise = (
        np.asarray(value) for value in (posterior.draws.system.signal_variance, posterior.draws.system.noise_variance)
    )
    return surface.explainable_r2(purchase) * signal / (signal + noise)


@dataclass(frozen=True)
class Forecast:
    """Forecast R^2 by condition, and what would be bought beyond the pilot."""

    words: tuple[float, ...]
    """Mean number of words in the further sentences, by size."""
    trials: tuple[float, ...]
    """Mean number of EEG trials of these words."""
    r2: Mapping[str, NDArray[np.float64]]
    """By condition: (size, draw)."""


def forecast(corpus: Corpus, pilot: NDArray[np.int64], plan: Comparison, posterior: PosteriorDraws) -> Forecast:
    """Return the forecast at the sizes of the comparison."""
    found = splits(corpus, pilot, plan)
    trials_of = corpus.n400.notna().sum(axis=1)
    count = range(len(plan.sizes))
    words = tuple(float(np.mean([len(s.further[i]) for s in found])) for i in count)
    trials = tuple(float(np.mean([trials_of[s.further[i]].sum() for s in found])) for i in count)
    nothing = tuple(0.0 for _ in count)
    r2 = {
        condition: forecast_r2(posterior, labels, samples, brain=condition != "labels")
        for condition, labels, samples in zip(
            CONDITIONS, (words, words, nothing), (nothing, trials, trials), strict=True
        )
    }
    return Forecast(words, trials, r2)


def _band(values: NDArray[np.float64], name: str) -> dict[str, NDArray[np.float64]]:
    q05, q50, q95 = np.quantile(values, [0.05, 0.5, 0.95], axis=1)
    return {f"{name}_mean": values.mean(axis=1), f"{name}_q05": q05, f"{name}_q50": q50, f"{name}_q95": q95}


def side_by_side(promised: Forecast, found: pd.DataFrame, plan: Comparison) -> pd.DataFrame:
    """Return one row per condition and size: R^2, and its gain over the pilot's labels alone, as forecast and as reached.

    ``reached`` is the promised learner's mean over splits, with ``low`` and ``high`` the 5 % and 95 % quantiles of the
    splits; ``ridge`` is the other learner's mean; ``inside`` tells whether the forecast's 90 % band holds ``reached``.
    """
    start = found[(found["grows"] == "labels") & (found["sentences"] == plan.sizes[0])].set_index(["learner", "split"])
    parts: list[pd.DataFrame] = []
    for condition, values in promised.r2.items():
        rows = found[found["grows"] == condition]
        real = rows.pivot_table(index=["learner", "split"], columns="sentences", values="r2")
        table = {"grows": condition, "sentences": plan.sizes, "words": promised.words, "trials": promised.trials}
        gains = real.sub(start["r2"], axis=0)
        for name, forecasted, r2 in (("r2", values, real), ("gain", values - promised.r2["labels"][:1], gains)):
            band, own = _band(forecasted, name), r2.loc["promised"]
            mean = own.mean().to_numpy()
            table |= band | {
                f"{name}_reached": mean,
                f"{name}_low": own.quantile(0.05).to_numpy(),
                f"{name}_high": own.quantile(0.95).to_numpy(),
                f"{name}_ridge": r2.loc["ridge"].mean().to_numpy(),
                f"{name}_inside": (band[f"{name}_q05"] <= mean) & (mean <= band[f"{name}_q95"]),
            }
        parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def purchase_reached(
    corpus: Corpus, pilot: NDArray[np.int64], plan: Comparison, allocation: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the promised learner's R^2 per split after a purchase of a plan file.

    Further words are labelled in random order; of the same words, as many are recorded by all people as make up the bought
    trials, artefacts included. The largest of ``plan.sizes`` bounds both.
    """
    own, people = corpus.words_of(pilot), corpus.n400.shape[1]
    recorded = allocation["modalities"]["EEG"]["n_samples"] // people
    results: list[float] = []
    with one_blas_thread():
        for split in splits(corpus, pilot, plan):
            further = split.further[-1].to_series().sample(frac=1.0, random_state=plan.seed).index
            labelled, heard = own.append(further[: allocation["n_task"]]), own.append(further[:recorded])
            results.append(reached_r2(corpus, "promised", labelled, heard, split.test))
    return np.asarray(results)
