"""Plan a cloze study from a pilot of 20 pairs of nouns, then check the plan's forecast on pairs it never saw.

Run it with ``uv run python case_studies/cloze_eeg/run.py``. In: the data sets ``nieuwland2018_n400`` and ``glove50_subset``
(fetched, or copied from the folder that BRAINWORTH_DATA names). Out: a folder with the study, the plan (``plan/report.html``),
``forecast_check.svg``, ``forecast_check.csv``, ``backtest.json``, ``controls.json`` and ``results.md``; with ``--keep``,
``results/`` beside this file and the tables of its README.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# pyright: reportMissingImports=false
# (pandas' own annotations are incomplete; the shared modules lie in the folder of the reading case study)

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from cloze import HERE, balance, load, write_study
from figure import draw
from held_out import Comparison, forecast, forecast_r2, promised_learner, reached, side_by_side
from numpy.typing import NDArray
from reading import Corpus
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainworth.design.api import Study
from brainworth.design.common.records import plain
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.datasets import fetch
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.models.learner.learning_curve import tested_r2

sys.path.append(str(HERE.parent))

from kept import checks_text, command_line, finish, interval, rows, within_pilot

PILOT_PAIRS, HELD_OUT, SIZES = 20, 10, (0, 5, 10)
PEOPLE = 40
ALTERNATIVES = {
    "task_only": "labels only",
    "half_and_half": "half labels, half EEG",
    "biggest_modality_only": "EEG only",
}


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("cloze_eeg", __doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help="people drawn from the 334")
    parser.add_argument("--splits", type=int, default=20, help="random choices of held-out pairs")
    parser.add_argument("--forecast-only", action="store_true", help="fit and check the forecast, but do not plan")
    return parser.parse_args()


def correlation(corpus: Corpus, groups: pd.Series, folds: int = 10) -> float:
    """Return the correlation of cloze with its prediction by ridge in folds that do not split groups."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 3, 9)))
    predicted = cross_val_predict(model, corpus.features, corpus.label, groups=groups, cv=GroupKFold(folds))
    return float(np.corrcoef(predicted, corpus.label)[0, 1])


def facts(corpus: Corpus, everyone: Corpus) -> dict[str, float]:
    """Return what the corpus says about its own design, without any planner."""
    item = pd.Series(corpus.features.index.str.split(" ").str[0], index=corpus.features.index)
    return {
        **balance(everyone),
        "cloze with its prediction by ridge from the features, pairs of nouns held out": correlation(
            corpus, corpus.sentence
        ),
        "the same, but sentences held out (the noun was seen, in the other sentence)": correlation(corpus, item),
    }


def plan_text(plan: Mapping[str, Any]) -> str:
    """Return verdict, quantities, purchases and warnings of a plan as Markdown."""
    posterior, rate = plan["posterior"], plan["exchange_rate"]["EEG"]
    signal, noise = posterior["signal_variance"]["mean"], posterior["noise_variance"]["mean"]
    quantities = [
        ["share of label variance that the features explain (from the means)", f"{signal / (signal + noise):.3f}"],
        ["alignment ρ²", interval(posterior["alignment"], 2)],
        ["signal-to-noise ratio of one N400 trial", interval(posterior["snr"]["EEG"], 4)],
        ["break-even price of an EEG trial, EUR", interval(rate["break_even_price"], 4)],
        ["health of the pilot", plan["health"]["status"]],
    ]
    bought = {repr(entry["allocation"]): entry for entry in (plan, *plan["alternatives"].values())}
    purchases = [
        [f"{entry['allocation']['n_task']:,}", f"{entry['allocation']['modalities']['EEG']['n_samples']:,}",
         interval(entry["performance"]["r2"])]
        for entry in bought.values()
    ]  # fmt: skip
    return "\n\n".join([
        f"**{plan['verdict']['sentence']}**",
        rows(["quantity", "mean (90 % interval)"], quantities),
        rows(["labels bought", "EEG trials bought", "R² forecast (90 %)"], purchases),
        checks_text(plan),
    ])  # fmt: skip


def all_unseen(corpus: Corpus, pairs: NDArray[np.object_], posterior: PosteriorDraws) -> list[list[str]]:
    """Return forecast and R² on every noun outside of the pilot; the forecast counts the error of testing on so few."""
    own = corpus.words_of(pairs)
    test = corpus.features.index.difference(own)
    found: list[list[str]] = []
    for name, brain in (("labels", False), ("labels and EEG", True)):
        predicted = promised_learner(corpus, own, own if brain else None)[corpus.features.index.get_indexer(test)]
        r2, error = tested_r2(predicted, corpus.label[test].to_numpy(), float(corpus.label[own].mean()))
        draws = forecast_r2(posterior, [0.0], [0.0], brain=brain)[0]
        low, high = np.quantile(draws + error * np.random.default_rng(0).standard_normal(draws.size), [0.05, 0.95])
        inside = "yes" if low <= r2 <= high else "no"
        found.append([name, f"{low:.3f} to {high:.3f}", f"{r2:.3f}", f"{error:.3f}", inside])
    return found


def check_texts(table: pd.DataFrame, unseen: list[list[str]], design: Mapping[str, float]) -> dict[str, str]:
    """Return the comparisons of forecast and held-out R², and what the design does, as Markdown."""
    shown = [
        [row["grows"], f"{row['words']:.0f}", f"{row['trials']:.0f}",
         f"{row['r2_mean']:.3f} ({row['r2_q05']:.3f} to {row['r2_q95']:.3f})", f"{row['r2_reached']:.3f}",
         f"{row['r2_low']:.3f} to {row['r2_high']:.3f}", f"{row['r2_ridge']:.3f}"]
        for _, row in table.iterrows()
    ]  # fmt: skip
    grows = [
        "what grows",
        "further nouns",
        "EEG trials",
        "R² forecast (90 %)",
        "R² reached",
        "splits (5 to 95 %)",
        "by ridge",
    ]
    observable = [
        "learner has the pilot's",
        "R² forecast, error of testing included (90 %)",
        "R² reached",
        "standard error",
        "inside",
    ]
    correlations = [[name, f"{value:.2f}"] for name, value in design.items()]
    return {
        "design": rows(["correlation, all 334 people", "value"], correlations),
        "unseen": rows(observable, unseen),
        "check": rows(grows, shown),
    }


def main() -> None:
    """Plan, check, and write what came out."""
    given = arguments()
    use_compilation_cache()
    folders = fetch("nieuwland2018_n400", progress=True), fetch("glove50_subset", progress=True)
    corpus = load(*folders, people=given.people)
    pairs = np.random.default_rng([0, 0]).permutation(corpus.sentence.unique())[:PILOT_PAIRS]
    study = Study.from_file(write_study(corpus, pairs, given.out / "study"))
    print(f"fitting a pilot of {PILOT_PAIRS} pairs of nouns and {given.people} people")
    texts: dict[str, str] = {}
    if not given.forecast_only:
        texts["plan"] = plan_text(plain(study.plan(given.out / "plan", progress=lambda stage: print(f"  {stage}"))))
    (given.out / "plan").mkdir(exist_ok=True)
    posterior = fit_study(study, study.config.study.seed, given.out / "plan" / "posterior.nc")
    comparison = Comparison(SIZES, HELD_OUT, given.splits, 0)
    table = side_by_side(forecast(corpus, pairs, comparison, posterior), reached(corpus, pairs, comparison), comparison)
    table.to_csv(given.out / "forecast_check.csv", index=False, float_format="%.5f")
    draw(table, given.out)
    texts |= check_texts(table, all_unseen(corpus, pairs, posterior), facts(corpus, load(*folders, people=10_000)))
    within, files = within_pilot(study, given)
    finish(HERE, given, texts | within, ["forecast_check.csv", "forecast_check.svg", *files])


if __name__ == "__main__":
    main()
