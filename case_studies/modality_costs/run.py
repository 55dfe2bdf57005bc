"""Compare fMRI, EEG, MEG and ECoG without a pilot: literature priors, published prices, several budgets.

Run it with ``uv run python case_studies/modality_costs/run.py``. In: ``study.toml`` beside this file and nothing else. Out: a
folder with the plan (``plan/report.html``), ``budgets.csv``, ``beliefs.csv`` and ``budgets.svg``; with ``--keep``, ``results/``
beside this file and the tables of its README.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportMissingImports=false, reportGeneralTypeIssues=false
# pyright: reportAttributeAccessIssue=false
# (pandas' own annotations are incomplete; a shared module lies in the folder above)

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from modalities import ALL, BELIEFS, LABELS, WORTHWHILE, best_plans, changed, described, shares

from brainworth.design.api import Study
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.posterior.fit import fit_study
from brainworth.design.report.paragraphs import grant
from brainworth.design.report.saved import load
from brainworth.design.study_file.config import parse_study

sys.path.append(str(Path(__file__).parents[1]))

from kept import checks_text, command_line, keep, rows

HERE = Path(__file__).parent
BUDGETS = (5_000, 10_000, 20_000, 50_000, 100_000)
LARGE = 50_000
"""The budget at which beliefs are varied."""
COLOURS = {
    "labels only": "#555555",
    "fMRI": "#d55e00",
    "EEG": "#0072b2",
    "MEG": "#009e73",
    "ECoG": "#cc79a7",
    "all four": "#000000",
}


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = command_line("modality_costs", __doc__, backtest=False)
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="budgets in USD")
    parser.add_argument("--small", action="store_true", help="budgets only: no plan with its proof, no other beliefs")
    return parser.parse_args()


def study_of(config: Mapping[str, Any], folder: Path) -> Study:
    """Return the study of a configuration, written to a folder of its own."""
    import tomli_w

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(tomli_w.dumps(dict(config)), encoding="utf-8")
    return Study.from_file(folder / "study.toml")


def draw(table: pd.DataFrame, folder: Path) -> None:
    """Write budgets.svg: expected performance and the probability of a gain, over budgets."""
    style = {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "brainworth", "axes.titlesize": 9}
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.6, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, part in table.groupby("modality", sort=False):
            colour = COLOURS[str(name)]
            dashed = "--" if name in (LABELS, ALL) else "-"
            left.plot(part["budget"], part["mean"], dashed, color=colour, marker="o", markersize=3, label=name)
            if name != LABELS:
                right.plot(part["budget"], part["probability"], dashed, color=colour, marker="o", markersize=3)
        for axes, title in (
            (left, "expected explainable R²"),
            (right, f"probability of a gain of at least {WORTHWHILE:g}"),
        ):
            axes.set_xscale("log")
            axes.set_xlabel("budget, USD")
            axes.set_title(title)
            axes.spines[["top", "right"]].set_visible(False)
        right.axhline(0.5, color="0.7", linewidth=0.6, zorder=0)
        left.legend(frameon=False, fontsize=7)
        figure.savefig(folder / "budgets.svg", metadata={"Date": None})


def budgets_text(table: pd.DataFrame) -> str:
    """Return the best plans over budgets as Markdown."""
    body = [
        [f"{row['budget']:,}", row["modality"], f"{row['labels']:,}", row["bought"],
         f"{row['mean']:.3f} ({row['q05']:.2f} to {row['q95']:.2f})",
         f"{row['gain']:+.3f} ({row['gain_q05']:+.3f} to {row['gain_q95']:+.3f})" if row["brain"] else "–",
         f"{row['probability']:.0%}" if row["brain"] else "–", "" if np.isnan(row["best"]) else f"{row['best']:.0%}"]
        for _, row in table.iterrows()
        if row["brain"] or row["modality"] == LABELS
    ]  # fmt: skip
    header = [
        "budget",
        "labels and",
        "labels",
        "brain samples",
        "explainable R² (90 %)",
        "gain over labels only (90 %)",
        f"P(gain ≥ {WORTHWHILE:g})",
        "P(best of five)",
    ]
    return rows(header, body)


def beliefs_text(table: pd.DataFrame) -> str:
    """Return what other beliefs do to the gain of each modality at the large budget, as Markdown."""
    names = [name for name in table["modality"].unique() if name != LABELS]
    body: list[list[str]] = []
    for belief, part in table.groupby("belief", sort=False):
        cells = part.set_index("modality")
        body.append([
            BELIEFS[str(belief)],
            f"{cells.loc[LABELS, 'mean']:.2f}",
            *(f"{cells.loc[n, 'gain']:+.3f} ({cells.loc[n, 'probability']:.0%})" if cells.loc[n, "brain"] else "–" for n in names),
        ])  # fmt: skip
    return rows(["if", "labels only", *names], body)


def shares_text(table: pd.DataFrame) -> str:
    """Return the shares as Markdown."""
    body = [
        [str(r["modality"]), f"{r['gain']:+.3f}", f"{r['alignment']:.0%}", f"{r['snr']:.0%}", f"{r['explainable']:.0%}"]
        for _, r in table.iterrows()
    ]
    return rows(
        [
            "half of the money for",
            "gain over labels only",
            "alignment of the task",
            "signal-to-noise ratio",
            "explainable share of the labels",
        ],
        body,
    )


def main() -> None:
    """Compare, vary, plan, and write what came out."""
    given = arguments()
    use_compilation_cache()
    record = tomllib.loads((HERE / "study.toml").read_text(encoding="utf-8"))
    parse_study(record, HERE / "study.toml")
    texts: dict[str, str] = {}
    study = study_of(record, given.out / "study")
    (given.out / "plan").mkdir(exist_ok=True)
    posterior = fit_study(study, study.config.study.seed, given.out / "plan" / "posterior.nc")
    found = {budget: best_plans(study.config, posterior, budget) for budget in given.budgets}
    table = pd.DataFrame([{"budget": b, **row} for b, plans in found.items() for row in described(plans)])
    table.to_csv(given.out / "budgets.csv", index=False, float_format="%.4f")
    draw(table, given.out)
    texts["budgets"] = budgets_text(table)
    if not given.small:
        varied: list[dict[str, Any]] = []
        for belief, words in BELIEFS.items():
            print(f"beliefs: {words}")
            other = study_of(changed(record, belief), given.out / "beliefs" / belief.replace(" ", "_"))
            plans = best_plans(other.config, fit_study(other, study.config.study.seed), LARGE)
            varied += [{"belief": belief, **row} for row in described(plans)]
        pd.DataFrame(varied).to_csv(given.out / "beliefs.csv", index=False, float_format="%.4f")
        texts["beliefs"] = beliefs_text(pd.DataFrame(varied))
        texts["shares"] = shares_text(pd.DataFrame(shares(study.config, posterior, LARGE)))
        plan = study.plan(given.out / "plan", force=True, progress=lambda stage: print(f"  {stage}"))
        proof = plan["certificate"]
        texts["plan"] = (
            f"**{plan['verdict']['sentence']}** (No feasible plan is better by more than {proof['gap']:.1%} of the objective.)"
            f"\n\n{checks_text(plan)}"
        )
        texts["paragraph"] = f"> {grant(load(given.out / 'plan'))}"
        euros = study_of(
            tomllib.loads((HERE / "euros.toml").read_text(encoding="utf-8")), given.out / "euros" / "study"
        )
        plan = euros.plan(given.out / "euros" / "plan", force=True, progress=lambda stage: print(f"  {stage}"))
        texts["euros"] = f"**{plan['verdict']['sentence']}**\n\n> {grant(load(given.out / 'euros' / 'plan'))}"
    print("\n" + "\n\n".join(texts.values()))
    if given.keep:
        keep(HERE, texts, [given.out / name for name in ("budgets.csv", "beliefs.csv", "budgets.svg")])


if __name__ == "__main__":
    main()
