"""Executed learners on chosen and on random stimuli of the public data sets: prints a table of R2 differences.

Run with ``python tests/benchmarks/bench_chosen_stimuli.py [reading|cloze|objects] [--pilots 3] [--splits 20]``; data are fetched
or copied from the folder that BRAINWORTH_DATA names. Every split holds out stimuli that nobody learns from; the pool is the rest.
Standard errors are over splits within a pilot and over pilots.
"""

# pyright: reportMissingImports=false, reportArgumentType=false, reportAttributeAccessIssue=false
# (modules of the case studies; pandas' annotations are incomplete)

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.datasets import fetch
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.sampled import fit_for_forecast
from brainworth.design.posterior.stimulus_beliefs import Ground, label_beliefs
from brainworth.models.learner.choice import Pool, greedy_choice
from brainworth.models.learner.learner import BrainInformedRegressor

CASES = Path(__file__).parents[2] / "case_studies"
SIZES = (12, 25, 50, 100, 200)


def corpus_of(name: str) -> tuple[pd.DataFrame, pd.Series, pd.Series, int, float]:
    """Return features, labels, groups, groups of a pilot and the share held out."""
    sys.path.append(str(CASES / {"reading": "reading_eeg", "cloze": "cloze_eeg", "objects": "objects_fmri"}[name]))
    if name == "reading":
        from reading import load

        found = load(fetch("frank2015_eeg_reading"), fetch("glove50_subset"))
        return found.features, found.label, found.sentence, 20, 0.25
    if name == "cloze":
        from cloze import load

        found = load(fetch("nieuwland2018_n400"), fetch("glove50_subset"), 10)
        return found.features, found.label, found.sentence, 15, 0.25
    from objects import load

    found = load(fetch("kriegeskorte92_fmri_objects"))
    group = pd.Series(found.features.index, index=found.features.index)
    return found.features, found.label, group, 30, 0.3


def study_of(name: str, tables: tuple[pd.DataFrame, pd.Series, pd.Series], pilot: np.ndarray) -> StudyData:
    """Return the study of a pilot of labels; recordings are not needed to choose labels."""
    features, label, group = tables
    stimuli = features.reset_index(names="stimulus")
    stimuli.insert(1, "group", group.astype(str).to_numpy())
    rows = np.flatnonzero(group.isin(pilot).to_numpy() & label.notna().to_numpy())
    config = {
        "study": {"title": name},
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "kind": "regression", "cost_per_label": 1.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
        "budget": {"total": 1000, "currency": "USD"},
    }
    labels = pd.DataFrame({"stimulus": features.index[rows], "label": label.iloc[rows].to_numpy()})
    return StudyData.from_frames(stimuli=stimuli, labels=labels, recordings={}, config=config)


def scores(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, *, standardise: bool) -> list[float]:
    """Return R2 on the test stimuli of the packaged learner and of scikit-learn's ridge."""
    own = BrainInformedRegressor(standardise=standardise).fit(x[train], y[train])
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22))).fit(x[train], y[train])
    return [float(r2_score(y[test], model.predict(x[test]))) for model in (own, ridge)]


def compared(name: str, pilots: int, splits: int) -> pd.DataFrame:
    """Return one row per pilot, split, size and learner: R2 with chosen and with random stimuli."""
    features, label, group, pilot_groups, held_out = corpus_of(name)
    x, y, members = features.to_numpy(float), label.to_numpy(float), group.to_numpy()
    rows: list[dict[str, object]] = []
    for pilot_number in range(pilots):
        rng = np.random.default_rng([pilot_number, 5])
        order = rng.permutation(np.asarray(group.unique()))
        study = study_of(name, (features, label, group), order[:pilot_groups])
        ground = Ground.of(fit_for_forecast(study, pilot_number))
        beliefs = label_beliefs(ground, ground.target(None))
        standardise = bool(np.ptp(ground.summary.basis.scale) > 0)
        labelled = np.flatnonzero(np.isin(members, order[:pilot_groups]) & ~np.isnan(y))
        for split in range(splits):
            others = rng.permutation(order[pilot_groups:])
            tested = others[: int(held_out * len(order))]
            test = np.flatnonzero(np.isin(members, tested) & ~np.isnan(y))
            pool = np.flatnonzero(np.isin(members, others[len(tested) :]) & ~np.isnan(y))
            for size in (size for size in SIZES if size < 0.7 * len(pool)):
                nothing = np.zeros(len(pool), dtype=int)
                offered = Pool(ground.columns(x[pool]), np.arange(len(pool)), np.ones(len(pool)), nothing)
                chosen = pool[greedy_choice(beliefs, offered, size).groups]
                random = rng.permutation(pool)[:size]
                both = [
                    scores(x, y, np.append(labelled, more), test, standardise=standardise) for more in (chosen, random)
                ]
                for learner, first, second in zip(("packaged", "ridge"), *both, strict=True):
                    row = {"data": name, "pilot": pilot_number, "split": split, "size": size, "learner": learner}
                    rows.append(row | {"chosen": first, "random": second})
        print(summary(pd.DataFrame(rows)), flush=True)
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> str:
    """Return the mean difference by size and learner, with its standard error over splits."""
    rows = rows.assign(gain=rows["chosen"] - rows["random"])
    table = rows.groupby(["data", "size", "learner"]).agg(
        chosen=("chosen", "mean"),
        random=("random", "mean"),
        gain=("gain", "mean"),
        se=("gain", "sem"),
        n=("gain", "size"),
    )
    return table.round(4).to_string()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["objects", "cloze", "reading"])
    parser.add_argument("--pilots", type=int, default=3)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "chosen_stimuli.csv")
    given = parser.parse_args()
    use_compilation_cache()
    found = pd.concat([compared(name, given.pilots, given.splits) for name in given.data])
    found.to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
