"""The map of accuracy as Markdown and as a figure.

In: the data frame of ``accuracy.py``. Out: files, and the bands that ``models.validity`` quotes. A deviation is
(formula - Monte Carlo) / Monte Carlo, so that negative means the formula promises too much. ``typical`` is the root mean
square with the Monte Carlo's own error taken out; ``90 %`` is the quantile of the absolute deviation, error included.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tables import markdown

ACCURATE = 0.03
CHANNELS = (0.5, 1.0)
"""Edges of the channel patterns' size per feature, q / p, summed over people and sources."""
DETECTION = (0.25, 0.75)
"""Edges of the encoding R^2 of the weakest latent."""
FEW = 40
"""Features below which they are few."""


def deviation(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return relative deviations of a formula."""
    return frame[f"{name}_formula"].to_numpy() / frame[f"{name}_mc"].to_numpy() - 1.0


def spread(frame: pd.DataFrame, name: str) -> dict[str, float]:
    """Return count, mean, typical, 90 % quantile and worst of the deviations."""
    found = deviation(frame, name)
    error = frame[f"{name}_se"].to_numpy() / frame[f"{name}_mc"].to_numpy()
    return {
        "count": float(len(found)),
        "mean": float(found.mean()),
        "typical": float(np.sqrt(max(0.0, float(np.mean(found**2 - error**2))))),
        "90 %": float(np.quantile(np.abs(found), 0.9)),
        "worst": float(found[np.abs(found).argmax()]),
    }


Bands = dict[tuple[int, int], dict[str, float]]


def detection_bands(frame: pd.DataFrame) -> Bands:
    """Return the spread of the risk by band of the weakest latent and of channels per feature, where features are not few."""
    return _bands(frame.loc[(frame["p"] >= FEW).to_numpy()], "informed")


def outside_bands(frame: pd.DataFrame) -> Bands:
    """Return the same of the part outside, up to k sum h_i^2 = 1."""
    return _bands(frame.loc[((frame["p"] >= FEW) & (frame["overlap"] < 1.0)).to_numpy()], "outside")


def _bands(usable: pd.DataFrame, name: str) -> Bands:
    weakest = np.digitize(usable["weakest_r2"].to_numpy(), DETECTION)
    channels = np.digitize(usable["q"].to_numpy() / usable["p"].to_numpy(), CHANNELS)
    bands = [(w, c) for w in range(len(DETECTION) + 1) for c in range(len(CHANNELS) + 1)]
    rows = {band: usable.loc[(weakest == band[0]) & (channels == band[1])] for band in bands}
    return {band: spread(chosen, name) for band, chosen in rows.items() if len(chosen)}


def comfortable(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows have enough features, and latents above threshold or few channels."""
    few_channels = frame["q"].to_numpy() <= CHANNELS[0] * frame["p"].to_numpy()
    return (frame["p"].to_numpy() >= FEW) & ((frame["weakest_r2"].to_numpy() >= DETECTION[1]) | few_channels)


def _line(name: str, found: dict[str, float]) -> dict[str, str]:
    percent = {key: f"{100 * found[key]:.1f} %" for key in ("mean", "typical", "90 %", "worst")}
    return {"": name, "configurations": f"{found['count']:.0f}", **percent}


def _between(index: int, edges: tuple[float, ...]) -> str:
    if index == 0:
        return f"below {edges[0]:g}"
    return f"above {edges[-1]:g}" if index == len(edges) else f"{edges[index - 1]:g} to {edges[index]:g}"


def write_map(frame: pd.DataFrame, path: Path) -> None:
    """Write where the formula is accurate to 3 %."""
    inside = frame.loc[comfortable(frame)]
    bands = detection_bands(frame)
    risk = [
        _line("Everywhere below", spread(inside, "informed")),
        *[
            _line(f"Encoding R² of the weakest latent {_between(w, DETECTION)}, q / p {_between(c, CHANNELS)}", found)
            for (w, c), found in bands.items()
        ],
    ]
    few = frame.loc[frame["p"].to_numpy() < FEW]
    if len(few):
        risk.append(_line(f"Fewer than {FEW} features", spread(few, "informed")))
    risk += [
        _line(text, spread(chosen, "informed"))
        for text, chosen in (
            ("At most 10 labels", inside.loc[inside["n_task"].to_numpy() <= 10]),
            ("At most 30 brain samples", inside.loc[inside["n_brain"].to_numpy() <= 30]),
            ("k Σh² above 0.3", inside.loc[inside["overlap"].to_numpy() > 0.3]),
            ("Fewer than 2.5 channels a latent", inside.loc[(inside["q"] < 2.5 * inside["k"]).to_numpy()]),
            ("Several people, repeats or sources", frame.loc[(frame["sweep"] == "crews").to_numpy()]),
        )
        if len(chosen)
    ]
    strong = inside.loc[inside["weakest_r2"].to_numpy() >= DETECTION[1]]
    edges = (0.035, 0.1, 0.3, 1.0)
    group = np.digitize(strong["overlap"].to_numpy(), edges)
    outside = [
        _line(f"k Σh² {_between(index, edges)}", spread(strong.loc[group == index], "outside"))
        for index in np.unique(group)
    ]
    text = [
        "# Where the formula is accurate to 3 %\n",
        "Deviation of the excess risk from the executed learner, by `accuracy.py`. Negative: the formula promises too much.\n"
        "*Everywhere below* is the comfortable range: at least "
        f"{FEW} features, and every latent's encoding R² at least {DETECTION[1]:g} or q / p at most {CHANNELS[0]:g}.\n",
        markdown(risk),
        "## Part of the risk outside of the brain subspace (what a shift multiplies)\n",
        f"Latents with an encoding R² of at least {DETECTION[1]:g}.\n",
        markdown(outside),
        "## Every configuration\n",
        _detail(frame),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


def _detail(frame: pd.DataFrame) -> str:
    names = (
        "sweep",
        "k",
        "p",
        "q",
        "exponent",
        "snr",
        "n_brain",
        "n_task",
        "noise_variance",
        "rho2",
        "overlap",
        "weakest_r2",
    )
    errors = frame["informed_se"].to_numpy() / frame["informed_mc"].to_numpy()
    columns = {
        "risk": deviation(frame, "informed"),
        "s.e.": errors,
        "task only": deviation(frame, "task_only"),
        "outside": deviation(frame, "outside"),
    }
    rows: list[dict[str, str]] = []
    for index, record in enumerate(frame.to_dict("records")):
        row = {name: value if isinstance(value := record[name], str) else f"{value:.6g}" for name in names}
        rows.append(row | {name: f"{100 * values[index]:.1f} %" for name, values in columns.items()})
    return markdown(rows)


def draw_map(frame: pd.DataFrame, path: Path) -> None:
    """Draw the deviations over detection, sample numbers and overlap."""
    mpl.rcParams["svg.hashsalt"] = "theory"
    figure = Figure(figsize=(12, 4), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    usable = frame.loc[(frame["p"] >= FEW).to_numpy()]
    shown = first.scatter(
        usable["weakest_r2"],
        usable["q"] / usable["p"],
        c=100 * deviation(usable, "informed"),
        cmap="RdBu",
        vmin=-12,
        vmax=12,
        s=16,
        edgecolor="0.6",
        linewidth=0.3,
    )
    first.plot([-0.02, DETECTION[1], DETECTION[1]], [CHANNELS[0], CHANNELS[0], 20], color="0.3", lw=1)
    first.set(yscale="log", xlabel="encoding R² of the weakest latent", ylabel="channels to learn per feature, q / p")
    first.set_title("accurate to 3 % right of and below the line", fontsize=9)
    samples = frame.loc[(frame["sweep"] == "samples").to_numpy()]
    second.scatter(
        samples["n_brain"],
        samples["n_task"],
        c=100 * deviation(samples, "informed"),
        cmap="RdBu",
        vmin=-12,
        vmax=12,
        s=40,
        edgecolor="0.6",
        linewidth=0.3,
    )
    second.set(xscale="log", yscale="log", xlabel="brain samples", ylabel="labels")
    second.set_title("small numbers of samples do no harm", fontsize=9)
    figure.colorbar(shown, ax=(first, second), label="risk: formula − Monte Carlo, %")
    strong = usable.loc[(usable["weakest_r2"] >= DETECTION[1]).to_numpy()]
    third.plot(strong["overlap"], 100 * deviation(strong, "outside"), "o", ms=3, color="#0b6e99")
    third.axhspan(-3, 3, color="0.93", zorder=0)
    third.set(xscale="log", xlabel="latents per effective direction, k Σh²", ylabel="outside: formula − Monte Carlo, %")
    figure.savefig(path, metadata={"Date": None})
