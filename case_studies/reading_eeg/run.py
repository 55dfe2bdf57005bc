"""Plan a reading study from a pilot of 40 sentences, then check the plan's forecast on sentences it never saw.

Run it with ``uv run python case_studies/reading_eeg/run.py``. In: the data sets ``frank2015_eeg_reading`` and
``glove50_subset`` (fetched, or copied from the folder that BRAINWORTH_DATA names). Out: a folder with the study, the plan
(``plan/report.html``), ``forecast_check.svg``, ``forecast_check.csv``, ``backtest.json``, ``controls.json`` and ``results.md``;
with ``--keep``, ``results/`` beside this file and the tables of its README.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# pyright: reportMissingImports=false
# (pandas' own annotations are incomplete; a shared module lies in the folder above)

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from figure import draw
from held_out import Comparison, forecast, purchase_reached, reached, side_by_side
from numpy.typing import NDArray
from reading import Corpus, load, split_half, write_study
from results import Checked, summary_texts

from brainworth.design.api import Study
from brainworth.design.common.records import plain
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.datasets import fetch
from brainworth.design.posterior.fit import fit_study

sys.path.append(str(Path(__file__).parents[1]))

from kept import command_line, finish, within_pilot

HERE = Path(__file__).parent
PILOT_SENTENCES = 40
SIZES = (0, 20, 40, 80, 120)
HELD_OUT = 45


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("reading_eeg", __doc__)
    parser.add_argument("--splits", type=int, default=20, help="random choices of held-out sentences")
    parser.add_argument("--pilots", type=int, default=1, help="pilots to check; the first one is planned with")
    return parser.parse_args()


def pilot_sentences(corpus: Corpus, seed: int) -> NDArray[np.int64]:
    """Return the sentences of a pilot."""
    return np.random.default_rng([seed, 0]).permutation(corpus.sentence.unique())[:PILOT_SENTENCES]


def check_first(corpus: Corpus, out: Path, splits: int) -> Checked:
    """Plan with the first pilot and compare its forecast with what is reached."""
    sentences, comparison = pilot_sentences(corpus, 0), Comparison(SIZES, HELD_OUT, splits, 0)
    study = Study.from_file(write_study(corpus, sentences, out / "study"))
    started = time.process_time()
    plan = study.plan(out / "plan", progress=lambda stage: print(f"  {stage} ..."))
    seconds = time.process_time() - started
    posterior = fit_study(study, study.config.study.seed, out / "plan" / "posterior.nc")
    print("  learning from further sentences ...")
    table = side_by_side(
        forecast(corpus, sentences, comparison, posterior), reached(corpus, sentences, comparison), comparison
    )
    record = plain(plan)
    bought = {"plan": record, **record["alternatives"]}
    distinct = {
        repr(entry["allocation"]): purchase_reached(corpus, sentences, comparison, entry["allocation"])
        for entry in {repr(entry["allocation"]): entry for entry in bought.values()}.values()
    }
    purchases = {name: distinct[repr(entry["allocation"])] for name, entry in bought.items()}
    reliability = {"N400": split_half(corpus.n400), "reading time": split_half(corpus.first_pass)}
    return Checked(record, table, purchases, reliability, seconds)


def check_others(corpus: Corpus, out: Path, splits: int, pilots: int) -> pd.DataFrame:
    """Return the comparison tables of further pilots."""
    tables: list[pd.DataFrame] = []
    for seed in range(1, pilots):
        print(f"pilot {seed + 1} of {pilots}")
        sentences, comparison = pilot_sentences(corpus, seed), Comparison(SIZES, HELD_OUT, splits, seed)
        folder = out / "pilots" / f"{seed + 1:02d}"
        study = Study.from_file(write_study(corpus, sentences, folder))
        posterior = fit_study(study, seed, folder / "posterior.nc")
        table = side_by_side(
            forecast(corpus, sentences, comparison, posterior), reached(corpus, sentences, comparison), comparison
        )
        tables.append(table.assign(pilot=seed))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def main() -> None:
    given = arguments()
    use_compilation_cache()
    corpus = load(fetch("frank2015_eeg_reading", progress=True), fetch("glove50_subset", progress=True))
    print(f"planning with a pilot of {PILOT_SENTENCES} sentences")
    checked = check_first(corpus, given.out, given.splits)
    others = check_others(corpus, given.out, given.splits, given.pilots)
    every = pd.concat([checked.table.assign(pilot=0), others], ignore_index=True)
    every.to_csv(given.out / "forecast_check.csv", index=False)
    draw(checked.table, given.out)
    texts = summary_texts(checked, every)
    within, files = within_pilot(Study.from_file(given.out / "study" / "study.toml"), given)
    names = ["forecast_check.csv", "forecast_check.svg", *files]
    finish(HERE, given, texts | within, names, f"Report of the plan: {given.out / 'plan' / 'report.html'}")


if __name__ == "__main__":
    main()
