"""Plan a study of objects from a pilot of 60 images, then check the plan's forecast on the other 32.

Run it with ``uv run python case_studies/objects_fmri/run.py``. In: the data set ``kriegeskorte92_fmri_objects`` (fetched, or
copied from the folder that BRAINWORTH_DATA names). Out: a folder with the study, the plan (``plan/report.html``),
``forecast_check.csv``, ``backtest.json`` and ``controls.json``; with ``--keep``, ``results/`` beside this file and the tables
of its README.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportMissingImports=false, reportGeneralTypeIssues=false
# (pandas' own annotations are incomplete; shared modules lie in other folders of the case studies)

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from objects import HERE, Objects, load, shared_rest, write_study

from brainworth.design.api import Study
from brainworth.design.common.records import plain
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.datasets import fetch
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.learner.learning_curve import tested_r2

sys.path += [str(HERE.parent), str(HERE.parent / "reading_eeg")]

from held_out import forecast_r2
from kept import checks_text, command_line, interval, keep, rows, within_pilot

PILOT, FURTHER = 60, 16
"""Images of the pilot; of the 32 others, those that the larger learners learn from as well. The rest is tested on."""


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("objects_fmri", __doc__)
    parser.add_argument("--pilots", type=int, default=1, help="pilots to check; the first one is planned with")
    parser.add_argument("--forecast-only", action="store_true", help="fit and check the forecast, but do not plan")
    return parser.parse_args()


def order_of(pilot: int) -> NDArray[np.int64]:
    """Return all images in the order of one pilot: its own first."""
    return np.random.default_rng([pilot, 0]).permutation(92)


def predicted(objects: Objects, labelled: NDArray[np.int64], seen: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Return predictions for every image by the learner the plan promises; one brain set per person."""
    features = objects.features.to_numpy()
    brain = None if seen is None else [(features[seen], values) for values in objects.recordings(seen).values()]
    model = BrainInformedRegressor().fit(features[labelled], objects.label.to_numpy()[labelled], brain=brain)
    return np.asarray(model.predict(features))


def check(objects: Objects, pilot: int, posterior: PosteriorDraws) -> pd.DataFrame:
    """Return forecast and reached R² on images outside of a pilot; the forecast counts the error of testing on so few."""
    order, rng, label = order_of(pilot), np.random.default_rng(0), objects.label.to_numpy()
    found: list[dict[str, Any]] = []
    for name, further, brain in (
        ("the pilot's labels", 0, False),
        ("the pilot's labels and fMRI", 0, True),
        ("more labels", FURTHER, False),
        ("more labels and fMRI", FURTHER, True),
    ):
        learned = order[: PILOT + further]
        test = order[PILOT + FURTHER :] if further else order[PILOT:]
        values = predicted(objects, learned, learned if brain else None)[test]
        r2, error = tested_r2(values, label[test], float(label[learned].mean()))
        samples = float(further * len(objects.gram)) if brain else 0.0
        draws = forecast_r2(posterior, [float(further)], [samples], brain=brain)[0]
        low, high = np.quantile(draws + error * rng.standard_normal(draws.size), [0.05, 0.95])
        found.append({
            "pilot": pilot + 1,
            "learner": name,
            "images": len(learned),
            "tested": len(test),
            "forecast": float(draws.mean()),
            "q05": low,
            "q95": high,
            "reached": r2,
            "inside": bool(low <= r2 <= high),
        })  # fmt: skip
    return pd.DataFrame(found)


def plan_text(plan: Mapping[str, Any], objects: Objects) -> str:
    """Return verdict, quantities, purchases and warnings of a plan as Markdown."""
    posterior, rate = plan["posterior"], plan["exchange_rate"]["fMRI"]
    signal, noise = posterior["signal_variance"]["mean"], posterior["noise_variance"]["mean"]
    alike, chance = shared_rest(objects)
    sessions = ", ".join(f"{value:.2f}" for value in objects.reliability.values())
    quantities = [
        ["share of label variance that the features explain (from the means)", f"{signal / (signal + noise):.2f}"],
        ["alignment ρ²", interval(posterior["alignment"], 2)],
        ["signal-to-noise ratio of the patterns of one image", interval(posterior["snr"]["fMRI"], 2)],
        ["break-even price of one image in one person, EUR", interval(rate["break_even_price"], 2)],
        ["correlation of the dissimilarities of two sessions, by person", sessions],
        [
            "likeness of two people's patterns beyond the features, over pairs (chance, 95 %)",
            f"{np.mean(alike):.2f} ({alike[0]:.2f} to {alike[-1]:.2f}); {chance:.2f}",
        ],
        ["health of the pilot", plan["health"]["status"]],
    ]
    bought = {repr(entry["allocation"]): entry for entry in (plan, *plan["alternatives"].values())}
    purchases = [
        [f"{entry['allocation']['n_task']:,}", f"{entry['allocation']['modalities']['fMRI']['n_samples']:,}",
         interval(entry["performance"]["r2"], 2)]
        for entry in bought.values()
    ]  # fmt: skip
    return "\n\n".join([
        f"**{plan['verdict']['sentence']}**",
        rows(["quantity", "mean (90 % interval)"], quantities),
        rows(["labels bought", "fMRI samples bought", "R² forecast (90 %)"], purchases),
        checks_text(plan),
    ])  # fmt: skip


def check_text(table: pd.DataFrame) -> str:
    """Return the comparison of forecast and held-out R² as Markdown: the first pilot, and the count over all."""
    first = [
        [row["learner"], str(row["images"]), str(row["tested"]), f"{row['forecast']:.2f}",
         f"{row['q05']:.2f} to {row['q95']:.2f}", f"{row['reached']:.2f}", "yes" if row["inside"] else "no"]
        for _, row in table[table["pilot"] == 1].iterrows()
    ]  # fmt: skip
    header = ["learner has", "images", "tested on", "R² forecast", "with the error of testing (90 %)", "R² reached"]
    over = [
        [str(name), f"{int(part['inside'].sum())} of {len(part)}", f"{part['forecast'].mean():.2f}",
         f"{part['reached'].mean():.2f}"]
        for name, part in table.groupby("learner", sort=False)
    ]  # fmt: skip
    return "\n\n".join([
        rows([*header, "inside"], first),
        f"Over {table['pilot'].nunique()} pilots of as many images, drawn at random:",
        rows(["learner has", "inside", "mean R² forecast", "mean R² reached"], over),
    ])  # fmt: skip


def main() -> None:
    """Plan, check, and write what came out."""
    given = arguments()
    use_compilation_cache()
    objects = load(fetch("kriegeskorte92_fmri_objects", progress=True))
    texts: dict[str, str] = {}
    tables: list[pd.DataFrame] = []
    for pilot in range(given.pilots):
        print(f"pilot {pilot + 1} of {given.pilots}")
        folder = given.out if pilot == 0 else given.out / "pilots" / f"{pilot + 1}"
        study = Study.from_file(write_study(objects, order_of(pilot)[:PILOT], folder / "study"))
        (folder / "plan").mkdir(exist_ok=True)
        if pilot == 0 and not given.forecast_only:
            plan = study.plan(folder / "plan", force=True, progress=lambda stage: print(f"  {stage}"))
            texts["plan"] = plan_text(plain(plan), objects)
        posterior = fit_study(study, study.config.study.seed, folder / "plan" / "posterior.nc")
        tables.append(check(objects, pilot, posterior))
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(given.out / "forecast_check.csv", index=False, float_format="%.4f")
    texts["check"] = check_text(table)
    within, files = within_pilot(Study.from_file(given.out / "study" / "study.toml"), given)
    texts |= within
    print("\n" + "\n\n".join(texts.values()))
    if given.keep:
        names = ["forecast_check.csv", *files]
        keep(HERE, texts, [given.out / name for name in names])


if __name__ == "__main__":
    main()
