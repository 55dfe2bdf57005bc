"""Plan an fMRI listening study from the first half of a story, then check the forecast on the second half.

Run it with ``uv run python case_studies/listening_fmri/run.py``. In: the data sets ``alice_fmri_listening`` and
``glove50_subset`` (fetched, or copied from the folder that BRAINWORTH_DATA names). Out: a folder with the study, the plan
(``plan/report.html``), ``forecast_check.json``, ``backtest.json``, ``controls.json`` and ``results.md``; with ``--keep``,
``results/`` beside this file and the tables of its README.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportMissingImports=false
# (pandas' own annotations are incomplete; a shared module lies in the folder of the reading case study)

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
from listening import HERE, Story, load, write_study
from numpy.typing import NDArray

from brainworth.design.api import Study
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.datasets import fetch
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.learner.learning_curve import tested_r2

sys.path += [str(HERE.parent), str(HERE.parent / "reading_eeg")]

from held_out import forecast_r2
from kept import command_line, finish, rows, within_pilot

HALF = 9
"""Blocks of the pilot: the first 180 volumes, 6 minutes."""
FURTHER = 5
"""Blocks of the second half that are learned from as well; the others are tested on."""


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("listening_fmri", __doc__)
    parser.add_argument("--people", type=int, default=27, help="people used, of 27")
    parser.add_argument("--forecast-only", action="store_true", help="fit and check in order of time, but do not plan")
    return parser.parse_args()


def predicted(story: Story, labelled: NDArray[np.int64], heard: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Return predictions for every volume by the learner the plan promises; one brain set per person."""
    features, label = story.features.to_numpy(), story.labelled(labelled)
    brain = None if heard is None else [(features[heard], series[heard]) for series in story.regions]
    model = BrainInformedRegressor(standardise=True)
    model.fit(story.features.loc[label.index].to_numpy(), label.to_numpy(), brain=brain)
    return np.asarray(model.predict(features))


def check(story: Story, posterior: PosteriorDraws) -> list[dict[str, Any]]:
    """Return forecast and reached R² on volumes after the pilot; the forecast counts the error of testing on so few.

    A brain sample counts as many independent ones as the posterior's pilot says.
    """
    pilot, blocks = story.volumes_of(np.arange(HALF)), np.arange(HALF, story.block.max() + 1)
    worth = float(np.asarray(posterior.surface().size.usable)[0])
    own, rng = story.labelled(pilot), np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    for name, further, brain in (
        ("the pilot's labels", 0, False),
        ("the pilot's labels and fMRI", 0, True),
        ("more labels", FURTHER, False),
        ("more labels and fMRI", FURTHER, True),
    ):
        learned = np.concatenate([pilot, story.volumes_of(blocks[:further])])
        test = story.labelled(story.volumes_of(blocks[FURTHER:] if further else blocks))
        train = story.labelled(learned)
        rows = story.features.index.get_indexer(test.index)
        values = predicted(story, learned, learned if brain else None)[rows]
        r2, error = tested_r2(values, test.to_numpy(), float(train.mean()))
        samples = (len(learned) - len(pilot)) * len(story.people) * worth
        draws = forecast_r2(posterior, [float(len(train) - len(own))], [samples if brain else 0.0], brain=brain)[0]
        band = np.quantile(draws + error * rng.standard_normal(draws.size), [0.05, 0.95])
        found.append(
            {
                "learner": name,
                "labels": len(train),
                "volumes": len(learned) * len(story.people) if brain else 0,
                "forecast": float(draws.mean()),
                "q05": float(band[0]),
                "q95": float(band[1]),
                "reached": r2,
                "standard_error": error,
                "inside": bool(band[0] <= r2 <= band[1]),
            }
        )
    return found


def described(posterior: PosteriorDraws) -> dict[str, Any]:
    """Return the factor of autocorrelation, and what a posterior says of the brain data."""
    columns = posterior.columns()
    quantiles = {
        name: [float(q) for q in np.quantile(columns[name], [0.05, 0.5, 0.95])] for name in ("snr:fMRI", "alignment")
    }
    return {"factor": 1.0 / float(np.asarray(posterior.surface().size.usable)[0]), **quantiles}


def texts_of(results: dict[str, Any]) -> dict[str, str]:
    """Return the results as Markdown, by the name of their place in the README."""
    texts = {"plan": f"**{results['verdict']}**"} if "verdict" in results else {}
    for order, place in (("order of time", "time"), ("shuffled order", "shuffled")):
        if order not in results:
            continue
        entry = results[order]
        snr, alignment = entry["posterior"]["snr:fMRI"], entry["posterior"]["alignment"]
        sentence = (
            f"Rows in {order}: a volume is worth 1/{entry['posterior']['factor']:.2f} independent ones; signal-to-noise ratio of"
            f" a volume {snr[1]:.3f} ({snr[0]:.3f} to {snr[2]:.3f}), alignment {alignment[1]:.2f}"
            f" ({alignment[0]:.2f} to {alignment[2]:.2f})."
        )
        shown = [
            [row["learner"], str(row["labels"]), f"{row['volumes']:,}", f"{row['forecast']:.3f}",
             f"{row['q05']:.3f} to {row['q95']:.3f}", f"{row['reached']:.3f}", "yes" if row["inside"] else "no"]
            for row in entry["check"]
        ]  # fmt: skip
        header = ["learner has", "labels", "volumes", "R² forecast", "with the error of testing (90 %)", "R² reached"]
        texts[place] = f"{sentence}\n\n{rows([*header, 'inside'], shown)}"
    return texts


def main() -> None:
    """Plan, check, and write what came out."""
    given = arguments()
    use_compilation_cache()
    story = load(fetch("alice_fmri_listening", progress=True), fetch("glove50_subset", progress=True), given.people)
    pilot, results = np.arange(HALF), {}
    study = Study.from_file(write_study(story, pilot, given.out / "study"))
    (given.out / "plan").mkdir(exist_ok=True)
    if not given.forecast_only:
        plan = study.plan(given.out / "plan", progress=lambda stage: print(f"  {stage}"))
        results["verdict"] = plan.verdict.sentence
    posterior = fit_study(study, 0, given.out / "plan" / "posterior.nc")
    results["order of time"] = {"posterior": described(posterior), "check": check(story, posterior)}
    if not given.forecast_only:
        other = Study.from_file(write_study(story, pilot, given.out / "shuffled", shuffled=1))
        careless = fit_study(other, 0, given.out / "shuffled" / "posterior.nc")
        results["shuffled order"] = {"posterior": described(careless), "check": check(story, careless)}
    (given.out / "forecast_check.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    texts = texts_of(results)
    within, files = within_pilot(study, given)
    finish(HERE, given, texts | within, ["forecast_check.json", *files])


if __name__ == "__main__":
    main()
