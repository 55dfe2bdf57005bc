"""The methods paragraph with its references, ready to be pasted into a grant.

In: `Saved` results. Out: paragraphs of the plan, and one of each analysis that has been added, with the literature they rest
on. What has not been computed is not described.
"""

from __future__ import annotations

from brainworth.design.report.saved import Saved
from brainworth.design.report.words import number, rounded

_STRONG = (
    "Strong, Oakley & Brennan 2014, Estimating multiparameter partial expected value of perfect information from a "
    "probabilistic sensitivity analysis sample, Medical Decision Making 34:311-326"
)
_HEATH = (
    "Heath, Manolopoulou & Baio 2018, Efficient Monte Carlo estimation of the expected value of sample information using "
    "moment matching, Medical Decision Making 38:163-173"
)
_SALTELLI = (
    "Saltelli, Annoni, Azzini, Campolongo, Ratto & Tarantola 2010, Variance based sensitivity analysis of model output, "
    "Computer Physics Communications 181:259-270"
)
_KALLIOINEN = (
    "Kallioinen, Paananen, Bürkner & Vehtari 2024, Detecting and diagnosing prior and likelihood sensitivity with "
    "power-scaling, Statistics and Computing 34:57"
)


def methods(saved: Saved) -> list[str]:
    """Return the paragraphs."""
    found = [paragraph for paragraph in saved.details.methods if paragraph.strip()]
    said = [part for part in (_sensitivity(saved), _information(saved), _comparison(saved)) if part]
    return [*found, " ".join(said)] if said else found


def _sensitivity(saved: Saved) -> str:
    sensitivity = saved.details.sensitivity
    if sensitivity is None or not sensitivity.thresholds:
        return ""
    said = (
        "Robustness of the decision was examined by the value of each parameter and price at which the best purchase with brain "
        "data ceases to beat labels alone at the same budget, with the posterior probability of lying beyond it."
    )
    if sensitivity.sobol:
        said += " The forecast's variance was attributed to parameters by Sobol indices (Saltelli et al. 2010)."
    if sensitivity.robustness:
        said += " Prior and likelihood were power-scaled (Kallioinen et al. 2024) and followed through to the optimum."
    return said


def _information(saved: Saved) -> str:
    voi = saved.details.voi
    if voi is None or voi.evpi is None or not voi.evppi:
        return ""
    said = (
        "The expected value of information was estimated by cross-fitted spline regression on posterior draws (Strong et al. "
        f"2014); perfect information is worth {rounded(voi.evpi)} in {voi.unit}."
    )
    if voi.evsi:
        said += (
            f" Larger pilots ({number(len(voi.evsi))} sizes of labels, samples and people) were valued by sample-size scaling "
            "(Heath et al. 2018), their cost taken from the same budget."
        )
    return said


def _comparison(saved: Saved) -> str:
    if not saved.details.compare:
        return ""
    return "Modalities were compared by the best purchase with each alone, beside labels, at the same budget."


def references(saved: Saved) -> list[str]:
    """Return the literature, that of the plan first."""
    added = {
        "Saltelli et al.": _SALTELLI,
        "Kallioinen et al.": _KALLIOINEN,
        "Strong et al.": _STRONG,
        "Heath et al.": _HEATH,
    }
    text = " ".join(methods(saved))
    return [*saved.details.citations, *(source for name, source in added.items() if name in text)]
