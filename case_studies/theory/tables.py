"""The comparison as Markdown tables and a figure.

In: data frames of ``run.py``. Out: files. A deviation is (formula - Monte Carlo) / Monte Carlo; it is *kept* if it is
within 5 % or three standard errors.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLUMNS = ("k", "p", "q", "sources", "exponent", "n_brain", "n_task", "noise_variance", "rho2", "encoding_r2", "worlds")
TITLES = {
    "informed": "Excess risk of the brain-informed learner",
    "task_only": "Excess risk without brain data",
    "informed_outside": "Part of the risk outside of the brain subspace (what a shift multiplies)",
    "more_labels": "Exchange: risk without brain data at n_task + equivalent labels",
    "accuracy": "Accuracy on binary labels",
}


def deviation(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return relative deviations of the formula."""
    return (frame[f"{name}_formula"] / frame[f"{name}_mc"] - 1.0).to_numpy()


def kept(frame: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Return which configurations are within 5 % or three standard errors."""
    absolute = (frame[f"{name}_formula"] - frame[f"{name}_mc"]).abs()
    return ((absolute <= 0.05 * frame[f"{name}_mc"]) | (absolute <= 3.0 * frame[f"{name}_se"])).to_numpy()


def summary(frame: pd.DataFrame, name: str) -> dict[str, str]:
    """Return one line of the summary."""
    usable = frame.dropna(subset=[f"{name}_mc"])
    size = np.abs(deviation(usable, name))
    error = np.median((usable[f"{name}_se"] / usable[f"{name}_mc"]).to_numpy())
    return {
        "quantity": TITLES[name],
        "configurations": str(len(usable)),
        "median deviation": f"{100 * np.median(size):.1f} %",
        "median standard error": f"{100 * error:.1f} %",
        "90 % quantile": f"{100 * np.quantile(size, 0.9):.1f} %",
        "worst": f"{100 * size.max():.1f} %",
        "within 5 % or 3 s.e.": f"{100 * kept(usable, name).mean():.0f} %",
    }


def effective_dimension(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return 1 / sum h_i^2, the number of directions a latent is really spread over."""
    pairs = zip(frame["p"].to_numpy(), frame["exponent"].to_numpy(), strict=True)
    weights = [np.arange(1.0, p + 1.0) ** -exponent for p, exponent in pairs]
    return np.array([weight.sum() ** 2 / np.sum(weight**2) for weight in weights])


def markdown(rows: list[dict[str, str]]) -> str:
    """Return a Markdown table."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row[name] for name in head) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def detail(frame: pd.DataFrame, names: tuple[str, ...]) -> str:
    """Return every configuration."""
    rows: list[dict[str, str]] = []
    for record in frame.to_dict("records"):
        row = {name: f"{record[name]:.3g}" if record[name] < 1000 else f"{record[name]:.0f}" for name in COLUMNS}
        for name in names:
            row[f"{name} MC"] = f"{record[f'{name}_mc']:.3f} ± {record[f'{name}_se']:.3f}"
            row[f"{name} formula"] = f"{record[f'{name}_formula']:.3f}"
        rows.append(row)
    return markdown(rows)


def write_tables(found: dict[str, pd.DataFrame], path: Path) -> None:
    """Write the summary and every configuration."""
    main, sources, binary = found["main"], found["sources"], found["binary"]
    few = main.loc[main["k"].to_numpy() <= 0.1 * effective_dimension(main)]
    apart = {**summary(few, "informed_outside"), "quantity": "The same, where k is at most a tenth of 1 / sum h_i^2"}
    several = {**summary(sources, "informed"), "quantity": "Excess risk with two or three sources"}
    lines = [summary(main, name) for name in ("informed", "task_only", "informed_outside", "more_labels")]
    lines.insert(3, apart)
    outside = main.loc[~kept(main, "informed")]
    text = [
        "# Formula against Monte Carlo\n",
        markdown([*lines, several, summary(binary, "accuracy")]),
        "## Configurations beyond 5 % and three standard errors\n",
        detail(outside, ("informed",)) if len(outside) else "None.\n",
        "## One source\n",
        detail(main, ("informed", "task_only", "informed_outside", "more_labels")),
        "## Two or three sources, each with stimuli of its own (q and n_brain are sums)\n",
        detail(sources, ("informed",)),
        "## Binary labels\n",
        detail(binary, ("accuracy",)),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


def draw_figure(frame: pd.DataFrame, path: Path) -> None:
    """Draw formula against Monte Carlo, and the deviation against latents per effective direction."""
    mpl.rcParams["svg.hashsalt"] = "theory"
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, colour, label in (("informed", "#0b6e99", "with brain data"), ("task_only", "#b35c00", "labels only")):
        left.errorbar(
            frame[f"{name}_formula"],
            frame[f"{name}_mc"],
            yerr=2 * frame[f"{name}_se"],
            fmt="o",
            ms=3,
            lw=1,
            color=colour,
            label=label,
        )
    ends = [0.9 * float(frame["informed_formula"].to_numpy().min()), 1.1]
    left.plot(ends, ends, color="0.6", lw=1, zorder=0)
    left.set(xscale="log", yscale="log", xlabel="excess risk, formula", ylabel="excess risk, Monte Carlo (± 2 s.e.)")
    left.legend(frameon=False)
    right.axhspan(-5, 5, color="0.93")
    right.errorbar(
        frame["k"].to_numpy() / effective_dimension(frame),
        100 * deviation(frame, "informed"),
        yerr=200 * frame["informed_se"] / frame["informed_mc"],
        fmt="o",
        ms=3,
        lw=1,
        color="#0b6e99",
    )
    right.set(
        xscale="log", xlabel="latents per effective direction, k Σh²", ylabel="formula − Monte Carlo, % (± 2 s.e.)"
    )
    figure.savefig(path, metadata={"Date": None})
